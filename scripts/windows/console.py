"""Runs via6 in a console as a person does: keys go in, and the text on the screen comes out.

The console is a pseudo-terminal of this system; Wine makes a Windows console of it, in which the program
is alone, as after a double click. What moves the cursor is taken out of the text.
"""

import os
import pty
import re
import select
import tempfile
import termios
import time

from program import DEADLINE, whole

SEQUENCE = re.compile(rb"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07]*\x07)")


class Console:
    """One running program; use as a context manager."""

    def __init__(self, command, *arguments):
        self._home = tempfile.TemporaryDirectory()
        self._command = command
        self._written = b""
        # How much of it was waited for already.
        self._seen = 0
        environment = {**os.environ, "TERM": "xterm", "VIA6_STATE": self._home.name}
        self._process, self._terminal = pty.fork()
        if self._process == 0:
            if "wine" in os.path.basename(command[0]):
                # Wine does so while it reads: what is typed before that is changed on its way.
                modes = termios.tcgetattr(0)
                modes[0] &= ~termios.ICRNL
                modes[3] &= ~(termios.ECHO | termios.ICANON)
                termios.tcsetattr(0, termios.TCSANOW, modes)
            os.execvpe(command[0], [*command, *arguments], environment)
        self._status = None

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self._status is None:
            os.kill(self._process, 9)
            os.waitpid(self._process, 0)
        os.close(self._terminal)
        if kind is not None:
            print(f"\n--- console:\n{self.text()}")
        self._home.cleanup()

    def text(self):
        plain = SEQUENCE.sub(b"", self._written)
        return plain.decode(errors="replace").replace("\r", "")

    def wait_for(self, words):
        """Until these words come that were not waited for before; all that came until then."""
        deadline = time.monotonic() + DEADLINE
        while words not in self.text()[self._seen :]:
            if time.monotonic() > deadline or not self._read(deadline):
                raise AssertionError(f"no {words!r}")
        new = self.text()[self._seen :]
        self._seen += new.index(words) + len(words)
        return new

    def type(self, keys):
        os.write(self._terminal, keys.encode())

    def exit_code(self):
        """Waits for the end. Only then everything has been read."""
        deadline = time.monotonic() + DEADLINE
        while self._read(deadline):
            pass
        _, status = os.waitpid(self._process, 0)
        self._status = os.waitstatus_to_exitcode(status)
        return whole(self._status, self._command)

    def _read(self, deadline):
        """False at the end: Linux reports that as an error (EIO)."""
        left = max(0.0, deadline - time.monotonic())
        if not select.select([self._terminal], [], [], left)[0]:
            raise AssertionError(f"nothing more within {DEADLINE:.0f} s")
        try:
            read = os.read(self._terminal, 4096)
        except OSError:
            read = b""
        self._written += read
        return bool(read)
