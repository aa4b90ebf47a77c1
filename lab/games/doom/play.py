#!/usr/bin/env python3
"""Plays DOOM for about twenty-five seconds: chocolate-server, three real clients, deathmatch.

DOOM is lockstep: 35 times a second each client sends its player's moves, and no client computes
a tic before it has everybody's moves for it. So a relay that loses, delays or mixes up datagrams
of different players shows at once. Each client records a demo, that is everybody's moves of every
tic; afterwards the demos must be equal byte for byte, and must contain what each player typed.

Every client has a screen of its own (Xvfb), so that a key press reaches just one player.
"""

import os
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))
from driver import PORT_TRIES, Failed, Game, free_port, log, play, proven, require, serve, until

# What each player does with the keyboard, and where that shows in a tic of four bytes.
MOVES = {
    "walker": ("Up", lambda forward, side, turn, buttons: forward != 0),
    "turner": ("Left", lambda forward, side, turn, buttons: turn != 0),
    "shooter": ("Control_L", lambda forward, side, turn, buttons: buttons & 1),
}
TIC_BYTES = 4 * len(MOVES)
# A client stops by itself, as of old, when its demo is full: 6 KiB are 510 tics, 14.6 seconds.
DEMO_KIB = 6
# The first client to stop leaves the game, so the others may miss its last moves.
TICS_TO_COMPARE = 480
SECONDS_BETWEEN_KEYS = 0.7
SECONDS_A_KEY_IS_HELD = 0.3
MOVED_TICS_AT_LEAST = 50
# version, skill, episode, map, deathmatch, respawn, fast, nomonsters, whose view, four players
HEADER_BYTES = 13
WHOSE_VIEW = 8

SERVER, CLIENT, WAD, SCREEN, KEYS, _ = require(
    "chocolate-server",
    "chocolate-doom",
    "/usr/share/games/doom/freedm.wad",
    "Xvfb",
    "xdotool",
    "setpriv",
)


def main():
    with Game() as game:
        dial = serve(start_server(game), "udp")
        players = [Player(game, name, dial) for name in MOVES]
        seconds = everybody_plays(players)
        tics = demos_are_equal(players)
        moved = everybody_moved(players, tics)
        proven(
            game="doom (freedm, chocolate-doom)",
            players=len(players),
            tics=len(tics),
            seconds=round(seconds, 1),
            moved_tics=moved,
        )


def start_server(game):
    for attempt in range(PORT_TRIES):
        port = free_port(socket.SOCK_DGRAM)
        # Private: it must not tell a master server on the Internet.
        server = game.start(f"server{attempt}", [SERVER, "-privateserver", "-port", str(port)])
        query = game.start(f"query{attempt}", [CLIENT, "-nogui", "-query", f"127.0.0.1:{port}"])
        until(
            "the server answers a query or ends",
            10,
            lambda: not query.is_running() or not server.is_running(),
        )
        if server.is_running() and "0/8" in query.output():
            return port
    raise Failed("the server never came up")


class Player:
    """A client that records a demo, and the screen whose keyboard it listens to."""

    def __init__(self, game, name, port):
        self.name = name
        self._key, self.shows = MOVES[name]
        screen = game.start(
            f"screen-of-{name}",
            [SCREEN, "-displayfd", "1", "-screen", "0", "320x240x24", "-nolisten", "tcp"],
        )
        number = until("a screen", 10, lambda: first_number(screen.output()))
        self._game = game
        self._display = f":{number}"
        self.client = game.start(
            name,
            [CLIENT, "-iwad", WAD, "-connect", f"127.0.0.1:{port}", "-nodes", str(len(MOVES)),
             "-deathmatch", "-record", "demo", "-maxdemo", str(DEMO_KIB),
             "-nogui", "-nosound", "-window", "-nograbmouse"],
            DISPLAY=self._display,
        )
        self._demo = os.path.join(self.client.home, "demo.lmp")

    def press(self):
        """Holds the player's key down for a moment, a real key event on its own screen."""
        self._game.start(
            f"keys-of-{self.name}",
            [KEYS, "keydown", self._key,
             "sleep", str(SECONDS_A_KEY_IS_HELD), "keyup", self._key],
            DISPLAY=self._display,
        )

    def demo(self):
        with open(self._demo, "rb") as demo:
            return demo.read()


def first_number(text):
    return next((line for line in text.splitlines() if line.isdigit()), None)


def everybody_plays(players):
    """Types for everybody until every demo is full; returns how long the game took."""
    for player in players:
        joined = f"of {len(players)} ({len(players)} nodes)"
        until(f"{player.name} joins", 20, lambda: joined in player.client.output())
    log(f"{len(players)} players joined")
    since = time.monotonic()
    pressed = 0

    def everybody_is_done():
        nonlocal pressed
        if time.monotonic() - since > pressed * SECONDS_BETWEEN_KEYS:
            pressed += 1
            for player in players:
                player.press()
        return not any(player.client.is_running() for player in players)

    until("every demo is full", 45, everybody_is_done)
    seconds = time.monotonic() - since
    log(f"the game took {seconds:.1f} s")
    return seconds


def demos_are_equal(players):
    """Returns the tics that all clients agree on. Notes which player each client was."""
    demos = [bytearray(player.demo()) for player in players]
    for player, demo in zip(players, demos):
        player.number = demo[WHOSE_VIEW]
        demo[WHOSE_VIEW] = 0
    numbers = sorted(player.number for player in players)
    assert numbers == list(range(len(players))), "every client plays another player"
    end = HEADER_BYTES + TICS_TO_COMPARE * TIC_BYTES
    for player, demo in zip(players, demos):
        assert len(demo) > end, f"{player.name} recorded {len(demo)} bytes"
        assert demo[:end] == demos[0][:end], f"{player.name} saw another game"
    log(f"{TICS_TO_COMPARE} tics, byte for byte equal for everybody")
    return [demos[0][at:at + TIC_BYTES] for at in range(HEADER_BYTES, end, TIC_BYTES)]


def everybody_moved(players, tics):
    """In how many tics each player is seen to do what was typed for it."""
    moved = {}
    for player in players:
        own = slice(4 * player.number, 4 * player.number + 4)
        moved[player.name] = sum(1 for tic in tics if player.shows(*tic[own]))
    log(f"tics moved: {moved}")
    assert min(moved.values()) >= MOVED_TICS_AT_LEAST, f"{moved}"
    return moved


play(main)
