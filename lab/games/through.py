#!/usr/bin/env python3
"""Plays a game through a relay of your choice: `through.py socat doom`, say.

The players' side and the game server's side are two relays with the IPv6 loopback between them,
as on two machines: game client → 127.0.0.1 → [::1] → 127.0.0.1 → game server. This is for people
who want to watch a game or to compare relays; the tests do the same from Rust, with more checks.
"""

import argparse
import json
import os
import queue
import signal
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
GAMES = {
    "minecraft": ["node", os.path.join(HERE, "minecraft", "play.js")],
    "freeciv": [sys.executable, os.path.join(HERE, "freeciv", "play.py")],
    "doom": [sys.executable, os.path.join(HERE, "doom", "play.py")],
}
STARTUP_SECONDS = 10


def main():
    arguments = parse_arguments()
    relays = []
    driver = subprocess.Popen(
        GAMES[arguments.game], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        for line in driver.stdout:
            print(line, end="", flush=True)
            event = json.loads(line)
            if event["event"] == "serving":
                start = START[arguments.relay]
                port = start(arguments, relays, event["port"], event["protocol"])
                driver.stdin.write(json.dumps({"dial": port}) + "\n")
                driver.stdin.flush()
        return driver.wait()
    finally:
        driver.kill()
        for relay in relays:
            # The group, because socat has a process for each session.
            os.killpg(relay.pid, signal.SIGTERM)
            relay.wait()


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("relay", choices=START)
    parser.add_argument("game", choices=GAMES)
    program = os.path.join(HERE, os.pardir, os.pardir, "target", "debug", "via6")
    parser.add_argument("--via6", default=program, help="the program to test (%(default)s)")
    return parser.parse_args()


def no_relay(_arguments, _relays, port, protocol):
    return port


def two_socats(_arguments, relays, port, protocol):
    def socat(family, address, target):
        listen = f"{protocol.upper()}{family}-LISTEN:0,bind={address},fork"
        line = first_line(relays, ["socat", "-d", "-d", listen, target], "stderr", "listening on")
        return int(line.rsplit(":", 1)[1])

    link = socat(6, "[::1]", f"{protocol.upper()}4:127.0.0.1:{port}")
    return socat(4, "127.0.0.1", f"{protocol.upper()}6:[::1]:{link}")


def via6_join_and_host(arguments, relays, port, protocol):
    def via6(*words):
        command = [arguments.via6, *words, f"--{protocol}", "--json"]
        event = json.loads(first_line(relays, command, "stdout", '"listening"'))
        return event["address"]

    link = via6("host", "--open", f"127.0.0.1:{port}", "--listen", "[::1]:0")
    return int(via6("join", link, "--listen", "127.0.0.1:0").rsplit(":", 1)[1])


START = {"direct": no_relay, "socat": two_socats, "via6": via6_join_and_host}


def first_line(relays, command, stream, sign):
    """Starts a relay and returns the first line with the sign. Goes on reading its output."""
    pipe = {stream: subprocess.PIPE}
    relay = subprocess.Popen(command, text=True, start_new_session=True, **pipe)
    relays.append(relay)
    lines = queue.Queue(maxsize=1)

    def read():
        for line in getattr(relay, stream):
            if sign in line and lines.empty():
                lines.put(line.strip())

    threading.Thread(target=read, daemon=True).start()
    try:
        return lines.get(timeout=STARTUP_SECONDS)
    except queue.Empty:
        sys.exit(f"no '{sign}' from {' '.join(command)}")


if __name__ == "__main__":
    sys.exit(main())
