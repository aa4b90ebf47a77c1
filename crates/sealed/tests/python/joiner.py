#!/usr/bin/env python3
"""A second implementation of the joiner's side of via6's sealed link, over TLS.

It is written from docs/reference/protocol.md alone and tests that text: what cannot be known from there
must not be needed here. No features: no UDP flows, no fast lane. Python 3.11, its standard library and
libgnutls.so.30 (rawtls.py) are all it needs. `rawtls.py` is TLS, `wire.py` frames and invites,
`transport.py` one connection, `channel.py` one TCP session; this file has the link and the command.

    joiner.py INVITE --listen 127.0.0.1:0 [--state FILE] [--name NAME] [--service NAME]

Each connection to the address in `listening` becomes a channel of the service that bears NAME, or of the
first one that carries TCP. Events are lines of JSON on stdout, each with `event`:

    attached   generation, since, address, player, host and joiner (keys), standings (how many are listed), channels
    services   services: each with service, carried, port, name
    listening  address, service; once
    addresses  number, addresses, name: ADDRS, with a good signature
    lost       reason; the search for a new transport begins
    failed     address, reason: no transport came of it (a wrong fingerprint is one of the reasons)
    refused    code, message; exit 4, or later again on 7, 8 and 10
    forgotten  the host did not know the link any more; all games were reset
    ended      the hold time is over; all games were reset, a new link is tried
    closed     by (host or joiner), code, message; exit 5

Signals for tests: SIGUSR1 drops the transport without a word, as a broken network would, and SIGTERM or
SIGINT end with CLOSE `stopped`, exit 0. Exit 2 is for a wrong command line or invite. The identity is in
FILE, 32 bytes in hexadecimal, made if it is not there; without FILE it is a new one each time.

Left out: the joiner's own changes of address do not make the link suspect, ADDRS are kept in memory only,
and a DNS name is looked up while all else waits.
"""

import argparse
import collections
import hashlib
import hmac
import ipaddress
import json
import os
import select
import signal
import socket
import sys
import time

import rawtls
import wire
from channel import Channel, reset_on_close
from transport import Loop, Transport

CHANNELS = 256
NEXT_ADDRESS_SECONDS = 0.25
HANDSHAKE_SECONDS = 10
RETRY_SECONDS = 0.5
SUSPECT_SECONDS = 3
PING_SECONDS, IDLE_PING_SECONDS = 1, 15
# How long a closed transport waits for the other's end, so that a CLOSE is not lost to a reset.
CLOSING_SECONDS = 1
# What counts as little to send of a channel.
LITTLE_BYTES = 4_096
CLOSE_STOPPED, CLOSE_PROTOCOL, CLOSE_HOLD, CLOSE_SUPERSEDED = 1, 5, 6, 8
REFUSED_FOR_NOW = {7, 8, 10}
RST_REFUSES = 16
GOODBYE = wire.FLAG_DONE | wire.FLAG_DEAF
EXIT_REFUSED, EXIT_CLOSED = 4, 5
# What may come from the host, before ATTACHED and from then on.
EARLY = {"ADMITTED", "ATTACHED", "REFUSED", "CLOSE"}
LIVE = {"PING", "PONG", "CLOSE", "DATA", "ACK", "FIN", "RST", "SERVICES", "ADDRS"}


def report(event, **values):
    print(json.dumps({"event": event, **values}), flush=True)


class Link:
    def __init__(self, loop, identity, invite, name, service):
        self.loop, self.identity, self.invite, self.name, self.wanted = loop, identity, invite, name, service
        self.now, self.exit_code = time.monotonic(), None
        # `channels` are those that are not forgotten, `alive` those too whose game is not at its end.
        self.channels, self.alive, self.next_channel, self.turn = {}, set(), 0, 0
        self.control, self.closing = collections.deque(), set()
        self.live, self.candidate, self.attempts = None, None, set()
        self.targets, self.next_target_at, self.retry_at = [], 0, 0
        self.hold, self.heard_at, self.channels_since, self.pinged_at, self.ping = 0, 0, 0, 0, 0
        self.addrs, self.service, self.listener = None, None, None
        self.begin()

    def begin(self):
        """A new link: nobody has heard of it. `used` is the generation that is, or was last, in use."""
        self.id, self.generation, self.used = os.urandom(16), 0, None

    # Finding the host.

    def is_host(self, spki):
        return hashlib.sha256(spki).digest()[:16] == self.invite.fingerprint

    def known_addresses(self):
        yield from ((str(address), self.invite.port) for address in self.invite.addresses)
        names = {self.invite.name}
        if self.addrs is not None:
            yield from ((str(ipaddress.IPv6Address(each.address)), each.port) for each in self.addrs.addresses)
            names.add(self.addrs.name)
        for name in names - {""}:
            try:
                found = socket.getaddrinfo(name, self.invite.port, socket.AF_INET6, socket.SOCK_STREAM)
            except OSError:
                continue
            yield from (address[:2] for *_, address in found)

    def silent(self):
        return bool(self.channels) and self.now - max(self.heard_at, self.channels_since) > SUSPECT_SECONDS

    def search(self):
        """Goes on with looking for a transport."""
        for late in [t for t in self.attempts if self.now - t.since > HANDSHAKE_SECONDS]:
            late.lost("no handshake in time")
        if self.candidate is not None:
            if self.now - self.candidate.since > HANDSHAKE_SECONDS:
                self.candidate.lost("no answer in time")
            return
        if not self.targets and not self.attempts and self.now >= self.retry_at:
            self.targets, self.retry_at = list(dict.fromkeys(self.known_addresses())), self.now + RETRY_SECONDS
        if self.targets and (self.now >= self.next_target_at or not self.attempts):
            self.attempts.add(Transport(self, self.targets.pop(0)))
            self.next_target_at = self.now + NEXT_ADDRESS_SECONDS

    def won(self, transport):
        """The first handshake is over: the others end, and this one says who we are."""
        if self.live is not None and not self.silent():
            self.attempts.discard(transport)
            return transport.drop()
        for other in self.attempts - {transport}:
            other.drop()
        self.attempts, self.targets, self.candidate = set(), [], transport
        self.generation += 1
        transport.generation, transport.state, transport.since = self.generation, "attaching", self.now
        secret = self.invite.secret
        invite = hmac.digest(secret, b"via6 invite", "sha256")[:8]
        session = transport.session
        proof = b"via6 admit" + session.exporter() + session.peer_key + self.identity.key
        transport.outgoing += wire.write("ADMIT", min=1, max=1, features=0, invite=invite,
                                         proof=hmac.digest(secret, proof, "sha256"), name=self.name)
        standings = [wire.SimpleNamespace(**channel.standing()) for channel in self.channels.values()]
        transport.outgoing += wire.write("ATTACH", link=self.id, generation=self.generation, next=self.next_channel,
                                         standings=standings)
        transport.flush()

    def on_lost(self, transport, reason):
        if transport is self.live:
            self.live, self.retry_at = None, self.now
            report("lost", reason=reason)
            return
        if transport is self.candidate:
            self.candidate, self.retry_at = None, self.now + RETRY_SECONDS
        self.attempts.discard(transport)
        report("failed", address=transport.written_address(), reason=reason)

    def break_off(self):
        """What a broken network does, for tests."""
        for transport in [self.live, self.candidate, *self.attempts]:
            if transport is not None:
                transport.lost("dropped on request")

    # Ends.

    def reset_games(self):
        for channel in list(self.alive):
            channel.reset_game()
            channel.forget()

    def stop(self, exit_code, close=None, message=""):
        for transport in [self.live, self.candidate, *self.attempts]:
            if transport is not None and close is not None:
                transport.close(close, message)
            elif transport is not None:
                transport.drop()
        self.live, self.candidate, self.attempts = None, None, set()
        self.reset_games()
        self.exit_code = exit_code

    def violated(self, transport, message):
        transport.close(CLOSE_PROTOCOL, message)
        report("closed", by="joiner", code=CLOSE_PROTOCOL, message=message)
        self.stop(EXIT_CLOSED, CLOSE_PROTOCOL, message)

    # Frames.

    def on_frame(self, transport, name, frame, body):
        if transport is self.live:
            self.heard_at = self.now
        if name is None:
            return
        if name not in (LIVE if transport is self.live else EARLY):
            raise wire.Violation(f"{name} may not come here")
        if name in ("DATA", "ACK", "FIN", "RST"):
            self.on_channel(name, frame)
        else:
            getattr(self, "on_" + name.lower())(transport, frame, body)

    def on_admitted(self, transport, frame, _body):
        if transport.admitted is not None or frame.version != 1 or frame.features != 0:
            raise wire.Violation("ADMITTED twice, or with what was not offered")
        transport.admitted = frame

    def on_refused(self, transport, frame, _body):
        report("refused", code=frame.code, message=frame.message)
        transport.drop()
        self.candidate = None
        if frame.code in REFUSED_FOR_NOW:
            self.retry_at = self.now + 2 * RETRY_SECONDS
        else:
            self.stop(EXIT_REFUSED)

    def on_close(self, transport, frame, _body):
        if frame.code == CLOSE_SUPERSEDED:
            return transport.lost("superseded")
        report("closed", by="host", code=frame.code, message=frame.message)
        self.stop(EXIT_CLOSED)

    def on_attached(self, transport, frame, _body):
        if transport.admitted is None or frame.generation != transport.generation or frame.since > frame.generation:
            raise wire.Violation("ATTACHED out of place")
        if self.live is not None:
            self.live.close(CLOSE_SUPERSEDED)
        forgotten = self.used is not None and frame.since > self.used
        self.live, self.candidate, self.used, transport.state = transport, None, transport.generation, "live"
        self.hold, self.heard_at, self.pinged_at = transport.admitted.hold / 1000, self.now, 0
        self.control.clear()
        report("attached", generation=frame.generation, since=frame.since, address=transport.written_address(),
               player=transport.admitted.name, host=transport.session.peer_key.hex(), joiner=self.identity.key.hex(),
               standings=len(frame.standings), channels=len(self.channels))
        if forgotten:
            report("forgotten")
            self.reset_games()
        self.resume({standing.channel: standing for standing in frame.standings})

    def resume(self, listed):
        for channel in list(self.channels.values()):
            if channel.number in listed:
                channel.heard = True
                channel.on_standing(listed[channel.number])
            elif channel.heard:
                if not channel.done:
                    channel.reset_game()
                channel.forget()
            channel.resume()
        for number in listed.keys() - self.channels.keys():
            self.control.append(wire.write("ACK", channel=number, received=0, limit=0, flags=GOODBYE))

    def on_channel(self, name, frame):
        channel = self.channels.get(frame.channel)
        if channel is None:
            return
        channel.heard = True
        if name == "DATA":
            channel.on_data(frame, self.now)
        elif name == "ACK":
            channel.on_standing(frame)
        elif name == "FIN":
            channel.on_end(wire.FLAG_FIN, frame)
        elif frame.code < RST_REFUSES:
            channel.on_end(wire.FLAG_RST, frame)
        else:
            channel.on_refusal()

    def on_ping(self, _transport, frame, _body):
        self.control.append(wire.write("PONG", number=frame.number))

    def on_pong(self, _transport, _frame, _body):
        """Being heard is all that it is for."""

    def on_services(self, _transport, frame, _body):
        report("services", services=[vars(each) for each in frame.services])
        fitting = [each for each in frame.services if each.carried & 1 and self.wanted in (None, each.name)]
        self.service = fitting[0].service if fitting else None
        if fitting:
            self.wanted = fitting[0].name
            self.listener.open(self.wanted)

    def on_addrs(self, transport, frame, body):
        if not rawtls.verify(transport.session.peer_key, b"via6 addrs" + body[:-64], frame.signature):
            raise wire.Violation("ADDRS with a wrong signature")
        if self.addrs is None or frame.number > self.addrs.number:
            self.addrs = frame
            addresses = [f"[{ipaddress.IPv6Address(each.address)}]:{each.port}" for each in frame.addresses]
            report("addresses", number=frame.number, addresses=addresses, name=frame.name)

    # What is sent, and when.

    def next_frame(self):
        """Control first, then ACKs that are due, then channels with little to send, then the others."""
        if self.control:
            return self.control.popleft()
        for channel in self.channels.values():
            if channel.ack_due(self.now):
                return channel.ack()
        ready = [channel for channel in self.channels.values() if channel.wants()]
        if not ready:
            return b""
        channel = min(ready, key=lambda each: (each.pending() > LITTLE_BYTES, each.turn))
        self.turn += 1
        channel.turn = self.turn
        return channel.frame()

    def connect(self, sock):
        """A connection of the game: a channel, if there may be one."""
        if self.service is None or len(self.channels) >= CHANNELS:
            reset_on_close(sock)
            return sock.close()
        if not self.channels:
            self.channels_since = self.now
        self.channels[self.next_channel] = Channel(self, self.next_channel, self.service, sock)
        self.next_channel += 1

    def tick(self):
        self.now = time.monotonic()
        for transport in [t for t in self.closing if self.now - t.since > CLOSING_SECONDS]:
            transport.drop()
        if self.exit_code is not None:
            return
        for channel in list(self.alive):
            channel.tick()
        if self.used is not None and self.now - self.heard_at > self.hold:
            self.end_of_hold()
        idle = max(PING_SECONDS, min(IDLE_PING_SECONDS, self.hold / 3))
        if self.live is not None and self.now - self.pinged_at >= (PING_SECONDS if self.channels else idle):
            self.ping, self.pinged_at = self.ping + 1, self.now
            self.control.append(wire.write("PING", number=self.ping))
        if self.live is None or self.silent():
            self.search()
        if self.live is not None and not self.live.blocked:
            self.live.on_event(0)

    def end_of_hold(self):
        report("ended")
        for transport in [self.live, self.candidate]:
            if transport is not None:
                transport.close(CLOSE_HOLD)
        self.live, self.candidate = None, None
        self.reset_games()
        self.begin()


class Listener:
    """Takes the game's connections, once there is a service for them."""

    def __init__(self, link, address):
        host, _, port = address.rpartition(":")
        host = host.strip("[]")
        self.link, link.listener, self.is_open = link, self, False
        self.sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.setblocking(False)
        self.sock.bind((host, int(port)))

    def open(self, service):
        if not self.is_open:
            self.is_open = True
            self.sock.listen(256)
            self.link.loop.watch(self.sock, select.EPOLLIN, self.accept)
            host, port, *_ = self.sock.getsockname()
            report("listening", address=f"[{host}]:{port}" if ":" in host else f"{host}:{port}", service=service)

    def accept(self, _events):
        try:
            sock, _ = self.sock.accept()
        except OSError:
            return
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.link.connect(sock)


def arguments():
    parser = argparse.ArgumentParser(description="joins a via6 host over a sealed link")
    parser.add_argument("invite")
    parser.add_argument("--listen", required=True, help="IP:PORT")
    parser.add_argument("--state", help="file with the identity")
    parser.add_argument("--name", default="python")
    parser.add_argument("--service")
    options = parser.parse_args()
    if len(options.name.encode()) > 32:
        parser.error("a name has at most 32 bytes")
    try:
        options.invite = wire.read_invite(options.invite)
    except wire.InviteError as error:
        parser.error(f"cannot read the invite: {error}")
    return options


def main():
    options = arguments()
    loop = Loop()
    link = Link(loop, rawtls.Identity.kept_in(options.state), options.invite, options.name, options.service)
    Listener(link, options.listen)
    signals = []
    for number in (signal.SIGUSR1, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: signals.append(number))
    while link.exit_code is None or link.closing:
        while signals:
            if signals.pop() == signal.SIGUSR1:
                link.break_off()
            else:
                link.stop(0, CLOSE_STOPPED)
        link.tick()
        loop.turn()
    return link.exit_code


if __name__ == "__main__":
    sys.exit(main())
