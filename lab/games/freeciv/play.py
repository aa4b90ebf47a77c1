#!/usr/bin/env python3
"""Plays Freeciv 3.0 for about twenty seconds: the game's own server, three of its own clients.

The clients have no screen (SDL's dummy drivers) and nobody clicks, so the server's AI moves for
every player. The clients show that they joined by name, got the rules and the map and see turn
after turn begin; the server must know at once when one of them crashes, and a client when the
server does. The server is steered by its console, as an admin would.
"""

import os
import re
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))
from driver import PORT_TRIES, Failed, Game, free_port, log, play, proven, require, serve, until

PLAYERS = ["Ann", "Bob", "Cid"]
TURNS = 5
SECONDS_A_TURN = 2
# Later than this means a time-out of the game (it pings every 20 s), not the connection's end.
NOTICED_WITHIN_SECONDS = 2

SERVER, CLIENT, _ = require("freeciv-server", "freeciv-sdl2", "setpriv")


def main():
    with Game() as game:
        server, port = start_server(game)
        dial = serve(port, "tcp")
        players = [start_player(game, name, dial) for name in PLAYERS]
        everybody_joins(server)
        everybody_sees_turns(server, players)
        ann, bob, cid = players
        noticed = {
            "player killed": is_noticed(ann.kill, "Lost connection: Ann", server),
            "player cut by the admin": is_noticed(
                lambda: cut(server, "Bob"), "Lost connection to server", bob
            ),
        }
        # The last player must not have felt any of this.
        turns = turns_seen(cid)
        until("Cid sees the next turn", 20, lambda: turns_seen(cid) > turns)
        assert connected(server) == ["Cid"], "the server lists only who is still there"
        turns = turns_seen(cid)
        noticed["server killed"] = is_noticed(server.kill, "Lost connection to server", cid)
        proven(
            game="freeciv 3.0",
            players=len(players),
            turns=turns,
            ends_noticed_ms=noticed,
        )


def start_server(game):
    for _ in range(PORT_TRIES):
        port = free_port(socket.SOCK_STREAM)
        server = game.start(
            "server",
            [SERVER, "--bind", "127.0.0.1", "--port", str(port), "--Announce", "none"],
        )
        accepting = f"Now accepting new client connections on port {port}"
        until(
            "the server accepts players or ends",
            20,
            lambda: accepting in server.output() or not server.is_running(),
        )
        if server.is_running():
            break
    else:
        raise Failed("the server never came up")
    for setting in [
        "aifill 0",
        # Whom the AI moves for counts as no player; who is there is asked before the start.
        "minplayers 0",
        f"timeout {SECONDS_A_TURN}",
        "autosaves ''",
        # The same world every time.
        "gameseed 1",
        "mapseed 1",
    ]:
        server.type(f"set {setting}")
    return server, port


def start_player(game, name, port):
    return game.start(
        name,
        # Log level 3 names every packet that arrives.
        [CLIENT, "-a", "-s", "127.0.0.1", "-p", str(port), "-n", name, "-d", "3"],
        SDL_VIDEODRIVER="dummy",
        SDL_AUDIODRIVER="dummy",
    )


def connected(server):
    """Who is there, by the server's own `list`."""
    seen = len(server.output())
    server.type("list connections")
    answer = until(
        "the server lists its connections",
        5,
        lambda: re.search(r"(?s)List of connections.*?-{9,}\n(.*?)-{9,}", server.output()[seen:]),
    )
    return sorted(re.findall(r"(?m)^(\w+) from ", answer[1]))


def everybody_joins(server):
    for name in PLAYERS:
        joined = f"{name} has connected from"
        until(f"{name} joins", 30, lambda: joined in server.output())
    assert connected(server) == PLAYERS, "the server lists everybody"
    log(f"{len(PLAYERS)} players joined by name")


def turns_seen(player):
    assert player.is_running(), f"{player.name}'s client ended by itself"
    return player.output().count("(PACKET_BEGIN_TURN)")


def everybody_sees_turns(server, players):
    for name in PLAYERS:
        # Without it the client pops up its science report, and at that crashes now and then.
        server.type(f"aitoggle {name}")
    server.type("start")
    until(
        f"{TURNS} turns begin for everybody",
        60,
        lambda: min(turns_seen(player) for player in players) >= TURNS,
    )
    log(f"the game started; everybody saw {TURNS} turns begin")


def cut(server, name):
    """The server closes a connection when it next looks, which may take it two seconds."""
    server.type(f"cut {name}")
    closed = f"Lost connection: {name}"
    until(f"the server cuts {name} off", 10, lambda: closed in server.output())


def is_noticed(end, notice, witness):
    """Ends a connection; returns after how many milliseconds the other side's log says so."""
    end()
    since = time.monotonic()
    until(
        f"{witness.name} notices: {notice}",
        NOTICED_WITHIN_SECONDS,
        lambda: notice in witness.output(),
    )
    noticed = round((time.monotonic() - since) * 1000)
    log(f"{witness.name} noticed after {noticed} ms: {notice}")
    return noticed


play(main)
