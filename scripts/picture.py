#!/usr/bin/env python3
"""Takes the picture of README: what `via6 host` shows on a terminal while five friends play.

    scripts/picture.py                 writes docs/host.svg
    scripts/picture.py --check         fails if what is shown now is built differently
    scripts/picture.py --program PATH  another via6 than target/release/via6

Nothing in it is made up: a game server, the real program on a terminal of 80 columns and 26 rows, and
players who connect over IPv6 from addresses of their own. They live in a network namespace of their
own; between the two lies a wire in user space that holds each player's packets for as long as the
Internet would. Needs Linux, root or user namespaces, and `scripts/setup-tests.sh picture`.
"""

import argparse
import contextlib
import fcntl
import heapq
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parent.parent
PARTS = Path(os.environ.get("VIA6_TEST_PARTS", ROOT / ".test-parts"))
PICTURE = ROOT / "docs" / "host.svg"
COMMAND = "via6 host --open 25565"
COLUMNS, ROWS = 80, 26

# Beside the prefix for examples: that via6 never gives away, as no machine has it.
HOST = "3fff:1000:20:7::5"
GAME_PORT, LINK_PORT, VOICE_PORT = 25565, 43325, 24454
# Of each player: address (short enough for one line of the log), round trip in seconds, bytes of the
# world for each of its 20 turns a second.
PLAYERS = [
    ("2001:db8:1f0:4a00:b06e:5fff:fe21:9c", 0.006, 2100),
    ("2001:db8:77:3::9", 0.018, 1700),
    ("2001:db8:a21:40:1a2b:c3d4:e5f6:789a", 0.024, 2300),
    ("2001:db8:5c:12:3d2a:8f0e:71b4:6ec2", 0.031, 900),
    ("2001:db8:e004:b::17", 0.043, 1400),
]
# The one who has voice chat as well.
SPEAKER = 1
# Seconds: between two turns of the game, until the picture is to be taken, until that is given up.
TURN, POSE, PATIENCE = 0.05, 12, 60

# --- The two networks and the wire between them ---------------------------------------------------


def tunnel(name):
    """A network interface whose packets are read and written here."""
    set_interface, tun, no_header = 0x400454CA, 0x0001, 0x1000
    device = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(device, set_interface, struct.pack("16sH22x", name.encode(), tun | no_header))
    return device


def network(name, addresses, beyond):
    """An interface of this namespace with these addresses, and the way to those beyond."""
    device = tunnel(name)
    commands = ["link set lo up", f"link set {name} up"]
    commands += [f"-6 address add {address}/128 dev {name} nodad" for address in addresses]
    commands += [f"-6 route add {prefix} dev {name}" for prefix in beyond]
    for command in commands:
        subprocess.run(["ip", *command.split()], check=True)
    return device


def carry(here, there):
    """Passes packets between both devices, each after half of its player's round trip."""
    delays = {socket.inet_pton(socket.AF_INET6, address): trip / 2 for address, trip, _ in PLAYERS}
    waiting, count = [], 0
    while True:
        until = max(0, waiting[0][0] - time.monotonic()) if waiting else None
        for device in select.select([here, there], [], [], until)[0]:
            packet = os.read(device, 65536)
            source, target = packet[8:24], packet[24:40]
            delay = delays.get(source, delays.get(target, 0))
            count += 1
            to = there if device == here else here
            heapq.heappush(waiting, (time.monotonic() + delay, count, to, packet))
        while waiting and waiting[0][0] <= time.monotonic():
            _, _, to, packet = heapq.heappop(waiting)
            os.write(to, packet)


# --- The game and its players ---------------------------------------------------------------------


def in_background(task, *arguments):
    def run():
        # Its end: via6 was stopped, and everybody's connection with it.
        with contextlib.suppress(ConnectionError):
            task(*arguments)

    threading.Thread(target=run, daemon=True).start()


def serve_game():
    """Sends each player the world, turn by turn, as much of it as the player asked for."""
    listener = socket.create_server(("127.0.0.1", GAME_PORT))
    voice = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    voice.bind(("127.0.0.1", GAME_PORT))

    def entertain(player):
        world = bytes(int.from_bytes(player.recv(2), "big"))
        in_background(listen, player)
        while True:
            player.sendall(world)
            time.sleep(TURN)

    def listen(player):
        while player.recv(65536):
            pass

    def echo():
        while True:
            words, speaker = voice.recvfrom(2048)
            voice.sendto(words, speaker)

    def admit():
        while True:
            in_background(entertain, listener.accept()[0])

    in_background(echo)
    in_background(admit)


def play(address, turn_bytes):
    player = socket.socket(socket.AF_INET6)
    player.bind((address, 0))
    player.connect((HOST, LINK_PORT))
    player.sendall(turn_bytes.to_bytes(2, "big"))

    def move():
        while True:
            player.sendall(bytes(turn_bytes // 40))
            time.sleep(TURN)

    in_background(move)
    while player.recv(65536):
        pass


def speak(address):
    microphone = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    microphone.bind((address, VOICE_PORT))
    microphone.connect((HOST, LINK_PORT))
    while True:
        microphone.send(bytes(160))
        time.sleep(TURN)


def players_main(wire):
    """In the other namespace: hands the end of the wire over, then sends the players one by one."""
    addresses = [address for address, _, _ in PLAYERS]
    device = network("wan", addresses, [f"{HOST}/128"])
    with socket.socket(fileno=wire) as parent:
        socket.send_fds(parent, [b"wire"], [device])
        parent.recv(1)
        for number, (address, _, turn_bytes) in enumerate(PLAYERS):
            in_background(play, address, turn_bytes)
            # Friends do not come at the same moment.
            time.sleep(0.8)
            if number == SPEAKER:
                in_background(speak, address)
        # Until the parent is gone.
        parent.recv(1)


# --- The terminal ---------------------------------------------------------------------------------


class Terminal:
    """The program on a terminal, and what a person would see there."""

    def __init__(self, program, environment):
        self.screen = screen_of(COLUMNS, ROWS)
        self.stream = sys.modules["pyte"].ByteStream(self.screen)
        self.stream.feed(f"$ {COMMAND}\r\n".encode())
        self.process, self.end = pty.fork()
        if self.process == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
            os.execve(program, COMMAND.split(), environment)

    def watch(self, is_enough):
        """Shows what comes until `is_enough` holds; false if that takes too long."""
        deadline = time.monotonic() + PATIENCE
        while not is_enough(self.screen.display):
            if time.monotonic() > deadline:
                return False
            if select.select([self.end], [], [], 0.2)[0]:
                try:
                    self.stream.feed(os.read(self.end, 65536))
                except OSError:
                    # Linux says so when the program has ended.
                    return False
        return True

    def stop(self):
        os.write(self.end, b"\x03\x03")
        deadline = time.monotonic() + PATIENCE
        while os.waitpid(self.process, os.WNOHANG)[0] == 0:
            if time.monotonic() > deadline:
                os.kill(self.process, signal.SIGKILL)
            if select.select([self.end], [], [], 0.1)[0]:
                try:
                    os.read(self.end, 65536)
                except OSError:
                    # It has ended.
                    pass


def screen_of(columns, rows):
    sys.path.insert(0, str(PARTS / "python"))
    try:
        import pyte
    except ImportError:
        sys.exit("error: cannot read the terminal: no pyte\n\nhint: scripts/setup-tests.sh picture")

    class Screen(pyte.Screen):
        def select_graphic_rendition(self, *attributes, **options):
            # pyte knows nothing of faint; bright black is not used by via6.
            attributes = [90 if attribute == 2 else attribute for attribute in attributes]
            super().select_graphic_rendition(*attributes, **options)

    return Screen(columns, rows)


def is_posing(rows):
    """Whether all players are here, all of them play, and have for a while."""
    shown = "\n".join(rows)
    ages = [int(age) for age in re.findall(r" (\d+) s +[\d.]+ ms ", shown)]
    complete = f"{len(PLAYERS)} players" in shown and "UDP" in shown
    return complete and len(ages) == len(PLAYERS) and min(ages) >= POSE - 5 and " 0 B/s" not in shown


# --- The picture ----------------------------------------------------------------------------------

FONT_SIZE, ADVANCE, LEADING, MARGIN = 14, 8.4, 19, 18
COLOURS = {"default": "#d8dbe0", "brightblack": "#858b96", "cyan": "#5bc8d6"}


def runs(row):
    """Pieces of a row that are of one colour and have no wide gap: where, which colour, what."""
    column = 0
    while column < COLUMNS:
        cell = row[column]
        if cell.data == " ":
            column += 1
            continue
        start, text = column, ""
        while column < COLUMNS and row[column].fg == cell.fg:
            if text.endswith("  "):
                break
            # A rule is drawn, and ends a piece of text as well.
            if text and (row[column].data == "─") != (text[-1] == "─"):
                break
            text += row[column].data
            column += 1
        yield start, cell.fg, text.rstrip()


def svg(screen):
    width, height = COLUMNS * ADVANCE + 2 * MARGIN, ROWS * LEADING + 2 * MARGIN
    title = "via6 host on a terminal: five players, their ping, rates and totals"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img"'
        f' width="{width:g}" height="{height:g}">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width:g}" height="{height:g}" rx="8" fill="#15181e"/>',
        '<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, DejaVu Sans Mono, monospace"'
        f' font-size="{FONT_SIZE}" xml:space="preserve">',
    ]
    for number in range(ROWS):
        y = MARGIN + number * LEADING + FONT_SIZE
        for start, colour, text in runs(screen.buffer[number]):
            x, length = MARGIN + start * ADVANCE, len(text) * ADVANCE
            colour = COLOURS.get(colour, COLOURS["default"])
            if set(text) == {"─"}:
                middle = y - FONT_SIZE * 0.3
                lines.append(f'<path d="M{x:.1f} {middle:.1f}h{length:.1f}" stroke="{colour}"/>')
            else:
                lines.append(
                    f'<text x="{x:.1f}" y="{y}" textLength="{length:.1f}" fill="{colour}">'
                    f"{escape(text)}</text>"
                )
    return "\n".join([*lines, "</g>", "</svg>", ""])


def structure(picture):
    """What stays from one picture to the next: words and their order, without the numbers."""
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", picture)
    words = " ".join(texts)
    words = re.sub(r"\b\d+(\.\d+)? ([kM]?B)\b", "N B", words)
    return re.sub(r"\d+(\.\d+)?", "N", words).split()


def photograph(program):
    """Everything from the empty namespace to the picture."""
    device = network("wan", [HOST], [f"{address}/128" for address, _, _ in PLAYERS])
    parent, child = socket.socketpair()
    players = subprocess.Popen(
        ["unshare", "--net", sys.executable, __file__, "--players", str(child.fileno())],
        pass_fds=[child.fileno()],
    )
    child.close()
    try:
        _, (far, *_), _, _ = socket.recv_fds(parent, 16, 1)
        in_background(carry, device, far)
        serve_game()
        with tempfile.TemporaryDirectory() as state:
            environment = {"TERM": "xterm-256color", "LANG": "C.UTF-8", "VIA6_STATE": state}
            terminal = Terminal(program, environment)
            try:
                if not terminal.watch(lambda rows: any("Ctrl-C to stop" in row for row in rows)):
                    return None, terminal.screen.display
                parent.send(b"!")
                posed = terminal.watch(is_posing)
                return svg(terminal.screen) if posed else None, terminal.screen.display
            finally:
                terminal.stop()
    finally:
        parent.close()
        players.wait(PATIENCE)


def main():
    parser = argparse.ArgumentParser(description="Takes the picture of README.")
    parser.add_argument("--check", action="store_true", help="only compare with docs/host.svg")
    parser.add_argument("--program", type=Path, default=ROOT / "target" / "release" / "via6")
    parser.add_argument("--players", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    typed = parser.parse_args()
    if typed.players is not None:
        return players_main(typed.players)
    if not typed.program.exists():
        sys.exit(f"error: no {typed.program}\n\nhint: cargo build --release")
    if not typed.inside:
        # A network of our own, which ends with us; without root, as root of a user namespace.
        unshare = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--net", "--map-root-user"]
        arguments = [*unshare, sys.executable, __file__, *sys.argv[1:], "--inside"]
        os.execvp(arguments[0], arguments)
    picture, shown = photograph(typed.program.resolve())
    if picture is None:
        sys.exit("error: the players were not all shown in time; the screen:\n" + "\n".join(shown))
    if not typed.check:
        PICTURE.write_text(picture, encoding="utf-8")
        print(f"wrote {PICTURE.relative_to(ROOT)}")
    elif structure(picture) != structure(PICTURE.read_text(encoding="utf-8")):
        sys.exit(
            "error: docs/host.svg shows something else; the screen now:\n"
            + "\n".join(shown)
            + "\n\nhint: scripts/picture.py takes it anew"
        )
    return None


if __name__ == "__main__":
    main()
