"""Runs via6 as a person would, from outside: starts it, reads its events, ends it.

Knows nothing of what a test expects. The same code drives the Windows program under Wine and a
native one, so a test that fails under Wine can be tried natively first.
"""

import json
import os
import queue
import signal
import subprocess
import tempfile
import threading
import time

# Wine takes seconds for the first program of a prefix, on a busy machine tens of them.
DEADLINE = 60.0


class Via6:
    """One running via6 with `--json`; use as a context manager."""

    def __init__(self, command, *arguments, state=None):
        self.arguments = arguments
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

    def port(self, protocol):
        """The port it listens on for this protocol."""
        address = self.wait_for("listening", protocol=protocol)["address"]
        return int(address.rpartition(":")[2])

    def interrupt(self):
        """Ctrl-C. Wine turns the signal into a console event."""
        self._process.send_signal(signal.SIGINT)

    def exit_code(self):
        return self._process.wait(timeout=DEADLINE)


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
    return done.returncode, done.stdout.decode(), done.stderr.decode()
