"""Runs every test of this folder against one via6, with another one at the other end of sealed links.

    python3 scripts/windows/check.py target/debug/via6 -- wine64 …/via6.exe      under Wine
    python3 scripts/windows/check.py target/debug/via6 -- target/debug/via6      to try the tests

What stands before the first `--` is a program of this system; after a second one, the names of single
tests may follow: sealed_test.Play.
"""

import contextlib
import sys
import unittest

import relay_test
import sealed_test
from program import COMMAND, PEER, CodeLost, Via6, under_wine

# How often a test is run at most while Wine loses its exit codes. With four times the work that a machine has
# processors for, it loses one in twenty.
TRIES = 4


def keeper():
    """One program that runs all the while, under Wine.

    Wine ends its server after the last program of a prefix, and that trips the next one if it
    starts at that moment ("recvmsg: Connection reset by peer").
    """
    if not under_wine():
        return contextlib.nullcontext()
    return Via6(COMMAND, "relay", "tcp", "[::1]:0", "[::1]:1")


def tests(names):
    load = unittest.defaultTestLoader
    if names:
        return load.loadTestsFromNames(names)
    return unittest.TestSuite(map(load.loadTestsFromModule, (relay_test, sealed_test)))


def main():
    parts = [[]]
    for word in sys.argv[1:]:
        if word == "--":
            parts.append([])
        else:
            parts[-1].append(word)
    peer, command, names = (*parts, [], [])[:3]
    if not peer or not command:
        sys.exit(__doc__)
    PEER.extend(peer)
    COMMAND.extend(command)
    runner = unittest.TextTestRunner(stream=sys.stdout, verbosity=2)
    total, broken, lost = 0, set(), set()
    with keeper() as kept:
        if kept:
            kept.port("tcp")
        left = tests(names)
        for _ in range(TRIES):
            result = runner.run(left)
            # One test may have failed, or lost a code, in several of its parts.
            broken |= named(result.failures + result.errors)
            lost = named(one for one in result.skipped if one[1] == str(CodeLost())) - broken
            total += result.testsRun - len(lost)
            if not lost:
                break
            left = tests(lost)
    broken |= lost
    print(f"windows: {total - len(broken - lost)} passed, {len(broken)} failed")
    sys.exit(0 if total and not broken else 1)


def named(results):
    return {getattr(test, "test_case", test).id() for test, _ in results}


if __name__ == "__main__":
    main()
