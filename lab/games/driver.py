"""What a game driver written in Python needs: its half of the conversation in README.md, game
processes that never outlive it, and conditions with deadlines. The twin of driver.js.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

MISSING_PARTS_EXIT_CODE = 77
POLL_SECONDS = 0.02
# Another program may take a port between our look and the game's bind.
PORT_TRIES = 5

_started = time.monotonic()


def log(line):
    """A line for the person who watches; the machine reads stdout."""
    print(f"{time.monotonic() - _started:6.2f}  {line}", file=sys.stderr, flush=True)


def _tell(event, **fields):
    print(json.dumps({"event": event, **fields}, ensure_ascii=False), flush=True)


def require(*parts):
    """Finds every program and file the game consists of, or ends with the list of the missing.

    Debian keeps games in /usr/games, which is not in root's PATH.
    """
    path = os.environ.get("PATH", os.defpath) + os.pathsep + "/usr/games"
    found = [part if os.path.isfile(part) else shutil.which(part, path=path) for part in parts]
    missing = [part for part, where in zip(parts, found) if where is None]
    if missing:
        _tell("missing", parts=missing)
        sys.exit(MISSING_PARTS_EXIT_CODE)
    return found


def serve(port, protocol):
    """Tells where the game server listens and waits to be told which port the players dial."""
    _tell("serving", port=port, protocol=protocol)
    line = sys.stdin.readline()
    if not line:
        raise Failed("stdin ended before it said which port to dial")
    return json.loads(line)["dial"]


def proven(**what):
    """The last line of a run in which every step was right."""
    _tell("proven", **what)


class Failed(Exception):
    """A step that did not happen within its deadline."""


def until(what, seconds, condition):
    """Waits until `condition()` is something, and returns it."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failed(f"not within {seconds} s: {what}")
        time.sleep(POLL_SECONDS)


def free_port(kind):
    """A port that nobody had a moment ago: games cannot be told to pick one themselves."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Game:
    """The folder and the processes of one run. Leaving the `with` block ends and removes both.

    Some games refuse to run as root, so as root every process runs as `nobody`. Each gets a home
    of its own under the folder, where its settings, saved games and log stay.
    """

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="via6-game-")
        self.processes = []
        self.as_root = os.geteuid() == 0
        if self.as_root:
            os.chmod(self.folder, 0o755)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        try:
            if kind is not None:
                for process in self.processes:
                    log(f"the end of {process.name}'s log:\n{process.output()[-2000:]}")
        finally:
            # Even if nobody reads the log any more.
            for process in self.processes:
                process.kill()
            shutil.rmtree(self.folder, ignore_errors=True)
        return False

    def start(self, name, command, **environment):
        process = Process(self, name, command, environment)
        self.processes.append(process)
        return process


class Process:
    """One program of a game: `home`, `output()`, `type(line)` on its console."""

    def __init__(self, game, name, command, environment):
        self.name = name
        self.home = os.path.join(game.folder, name)
        os.makedirs(self.home, exist_ok=True)
        self._log = os.path.join(self.home, "output")
        # The kernel ends it when we die, however we die.
        guard = ["setpriv", "--pdeathsig", "KILL"]
        if game.as_root:
            shutil.chown(self.home, "nobody", "nogroup")
            guard += ["--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]
        # Into a file, programs write in blocks; we read along.
        guard += ["stdbuf", "-oL"]
        with open(self._log, "ab") as log_file:
            self._process = subprocess.Popen(
                guard + command,
                cwd=self.home,
                env={**os.environ, "HOME": self.home, **environment},
                stdin=subprocess.PIPE,
                stdout=log_file,
                stderr=subprocess.STDOUT,
            )

    def output(self):
        with open(self._log, encoding="utf-8", errors="replace") as log_file:
            return log_file.read()

    def type(self, line):
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()

    def is_running(self):
        return self._process.poll() is None

    def kill(self):
        """As a crash does: at once, without a word to the other side."""
        if self.is_running():
            self._process.send_signal(signal.SIGKILL)
        self._process.wait()


def play(main):
    """Runs a driver's `main`: exit code 0 when everything was proven, 1 with the reason if not."""
    try:
        main()
    except (Failed, AssertionError) as error:
        log(f"failed: {error or type(error).__name__}")
        sys.exit(1)
