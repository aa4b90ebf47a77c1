"""Runs via6 as a person would, from outside: starts it, reads its events, ends it.

Knows nothing of what a test expects. The same code drives the Windows program under Wine and a
native one, so a test that fails under Wine can be tried natively first.
"""

import contextlib
import json
import os
import queue
import signal
import subprocess
import tempfile
import threading
import time
import unittest

# Wine takes seconds for the first program of a prefix, on a busy machine tens of them.
DEADLINE = 60.0
# Seconds between two looks at a condition that is being waited for.
GLANCE = 0.05
# The program that is tested, as a command line, and another via6 for it to play with; filled by check.py.
COMMAND, PEER = [], []


def under_wine(command=None):
    return "wine" in os.path.basename((command or COMMAND)[0])


class CodeLost(unittest.SkipTest):
    """An exit code that Wine has lost: its server has killed a program that had ended already.

    It does so half a second after a program's last Windows thread, if the process is not gone by then: on a busy
    machine that happens. check.py runs the test again.
    """

    def __str__(self):
        return "Wine lost an exit code"


def whole(code, command):
    """The exit code of a program that nobody here has killed, unless Wine has lost it."""
    if code == -signal.SIGKILL and under_wine(command):
        raise CodeLost
    return code


class Via6:
    """One running via6 with `--json`; use as a context manager."""

    def __init__(self, command, *arguments, state=None):
        self.arguments = arguments
        self._command = command
        # One that found another running would have it do the work.
        self._home = tempfile.TemporaryDirectory()
        self.seen = []
        self._events = queue.Queue()
        self._stderr = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [*command, "--json", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env={**os.environ, "VIA6_STATE": state or self._home.name},
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self._process.stdout:
            self._events.put(json.loads(line))
        self._events.put(None)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._reader.join()
        self._process.stdout.close()
        if kind is not None:
            print(f"\n--- via6 {' '.join(self.arguments)}: events, then its log")
            print(*self.seen, self.log(), sep="\n")
        self._stderr.close()
        self._home.cleanup()

    def log(self):
        """What it has written to stderr so far."""
        self._stderr.seek(0)
        return self._stderr.read().decode(errors="replace")

    def wait_for(self, event, **fields):
        """The next event of this name with these fields; others before it are set aside."""
        deadline = time.monotonic() + DEADLINE
        while True:
            try:
                found = self._events.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no {event} {fields} within {DEADLINE:.0f} s") from None
            if found is None:
                raise AssertionError(f"via6 ended without {event} {fields}")
            self.seen.append(found)
            if found["event"] == event and fields.items() <= found.items():
                return found

    def ever(self, event, **fields):
        """The first event of this name with these fields, be it one that was set aside."""
        wanted = {"event": event, **fields}.items()
        past = (seen for seen in self.seen if wanted <= seen.items())
        return next(past, None) or self.wait_for(event, **fields)

    def events(self):
        """All that it has told so far, whether it was waited for or not."""
        with contextlib.suppress(queue.Empty):
            while (found := self._events.get_nowait()) is not None:
                self.seen.append(found)
        return self.seen

    def port(self, protocol):
        """The port it listens on for this protocol."""
        address = self.wait_for("listening", protocol=protocol)["address"]
        return int(address.rpartition(":")[2])

    def interrupt(self):
        """Ctrl-C. Wine turns the signal into a console event."""
        self._process.send_signal(signal.SIGINT)

    def kill(self):
        """Ends it without a word, as a power cut would."""
        self._process.kill()
        self._process.wait()

    def exit_code(self):
        return whole(self._process.wait(timeout=DEADLINE), self._command)


def run(command, *arguments, state=None):
    """Runs via6 to its end: exit code, stdout, stderr."""
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            [*command, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={**os.environ, "VIA6_STATE": state or home},
            timeout=2 * DEADLINE,
            check=False,
        )
    return whole(done.returncode, command), done.stdout.decode(), done.stderr.decode()
