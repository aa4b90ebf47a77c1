#!/usr/bin/env python3
"""A second joiner for sealed links of via6, over TLS and without features: what docs/reference/protocol.md
asks of "A joiner in short", written from that text alone, which it so tests. For Linux, with GnuTLS.

    joiner.py INVITE [--name NAME] [--service NAME] [--key HEX]

Connections to the address in `listening` become channels of the service, by default of the first one with
TCP. HEX is the seed of the identity. Events are lines of JSON: `attached`, `services`, `listening`, `lost` (a
transport), `failed` (an attempt at one), `forgotten` (by the host), `refused` (exit 4), `closed` (exit 5),
`ended` (the hold time is over, exit 1). SIGUSR1 drops the transport without a word, SIGTERM says CLOSE.

One thread does it all, in turns. The games' sockets do not block; the transport does, and games wait for it.
"""
import argparse, ctypes, fcntl, hashlib, hmac, ipaddress, itertools, json, os, select, signal, socket, struct
import sys, termios, time, zlib
from contextlib import suppress
from ctypes import byref, c_size_t, c_void_p

# So many channels of so many bytes each way are the 16 MiB that a link may have.
CHANNELS, WINDOW, FIRST_LIMIT = 64, 262_144, 32_768
BODY_BYTES, DATA_BYTES = 16_384, 16_372
SUSPECT, PING, IDLE, RETRY, TICK = 3, 1, 15, 0.5, 0.05  # seconds
FIN, RST, DONE, DEAF = 1, 2, 4, 8
STOPPED, PROTOCOL, SUPERSEDED = 1, 5, 8
VIOLATION = (ValueError, LookupError, struct.error)  # how it shows that what came is against the protocol
RESET_ON_CLOSE = socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)

# Frames: the type of each, and the part of its body that has a fixed size, as of `struct`.
FRAMES = {
    "ADMIT": (0x01, ">BBI8s32s"), "ADMITTED": (0x02, ">BII"), "REFUSED": (0x03, ">B"), "CLOSE": (0x08, ">B"),
    "ATTACH": (0x04, ">16sQIH"), "ATTACHED": (0x05, ">QQH"), "PING": (0x06, ">Q"), "PONG": (0x07, ">Q"),
    "OPEN": (0x10, ">IH"), "DATA": (0x11, ">IQ"), "ACK": (0x12, ">IQQB"), "FIN": (0x13, ">IQ"),
    "RST": (0x14, ">IQB"), "SERVICES": (0x20, ">B"), "ADDRS": (0x21, ">QB"),
}
NAMES = {number: name for name, (number, _) in FRAMES.items()}
STANDING = struct.Struct(">IQQB")


def write(name, *values, rest=b""):
    number, fixed = FRAMES[name]
    body = struct.pack(fixed, *values) + rest
    return struct.pack(">BH", number, len(body)) + body


def read(number, body):
    """Name, fixed values and the rest of a frame; no name if it is to be skipped. Raises VIOLATION."""
    if number >= 0x80:
        return None, (), b""
    name = NAMES[number]
    values, rest = struct.unpack_from(FRAMES[name][1], body), body[struct.calcsize(FRAMES[name][1]):]
    if rest and name in ("PING", "PONG", "OPEN", "ACK", "FIN", "RST") or not rest and name == "DATA":
        raise ValueError(f"{name} with {len(body)} bytes")
    return name, values, rest


def read_text(rest):
    return rest[1:1 + rest[0]].decode()


def write_text(text):
    return bytes([len(text.encode())]) + text.encode()


def read_invite(message):
    """Fingerprint, secret and places of the first invite in a message."""
    digits = "".join(message.lower().partition("via6:")[2].split()).translate(str.maketrans("oil", "011"))
    alphabet = "0123456789abcdefghjkmnpqrstvwxyz"
    bits = "".join(f"{alphabet.index(c):05b}" for c in itertools.takewhile(alphabet.__contains__, digits))
    data = bytes(int(bits[at:at + 8], 2) for at in range(5, len(bits) - 7, 8))
    try:
        what, fingerprint, secret, port = struct.unpack_from(">B16s16sH", data)
        end = 35 + 16 * (what & 3)
        places = [(str(ipaddress.IPv6Address(data[at:at + 16])), port) for at in range(35, end, 16)]
        if what & 4:
            places.append((read_text(data[end:]), port))
            end += 1 + data[end]
        is_intact = struct.unpack_from(">I", data, end)[0] == zlib.crc32(b"1" + data[:end])
    except (struct.error, IndexError, ValueError):
        is_intact = False
    if not is_intact or digits[0] != "1" or "1" in bits[8 * end + 37:][:-(8 * end + 32) % 5]:
        raise ValueError("it was cut short, or is damaged, or of another version")
    return fingerprint, secret, places


# TLS 1.3 with raw public keys, through GnuTLS: Python's `ssl` does not have these.
gnutls = ctypes.CDLL("libgnutls.so.30")
gnutls.gnutls_strerror.restype = ctypes.c_char_p
SPKI, PKCS8 = bytes.fromhex("302a300506032b6570032100"), bytes.fromhex("302e020100300506032b657004220420")
PRIORITY = (b"NONE:+VERS-TLS1.3:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:+AEAD:+GROUP-X25519"
            b":+SIGN-EDDSA-ED25519:+CTYPE-CLI-RAWPK:+CTYPE-SRV-RAWPK")
# From gnutls.h: a client without tickets and with raw keys, a key to sign with, two errors.
CLIENT, TO_SIGN, INTERRUPTED, BAD_KEY = 1 << 1 | 1 << 10 | 1 << 18, 128, -52, -43


class Datum(ctypes.Structure):
    _fields_ = [("data", ctypes.c_char_p), ("size", ctypes.c_uint)]

    def __bytes__(self):
        return ctypes.string_at(c_void_p.from_buffer(self).value, self.size)


gnutls.gnutls_certificate_get_peers.restype = ctypes.POINTER(Datum)


def call(name, *arguments):
    while (code := getattr(gnutls, "gnutls_" + name)(*arguments)) == INTERRUPTED:
        pass
    if code < 0:
        raise OSError(f"{name}: {gnutls.gnutls_strerror(code).decode()}")
    return code


def new(name, *arguments):
    handle = c_void_p()
    call(name, byref(handle), *arguments)
    return handle


def identity(seed):
    """The public key that belongs to a seed, and what GnuTLS needs to show it."""
    private, public, spki = new("privkey_init"), new("pubkey_init"), Datum()
    der = byref(Datum(PKCS8 + seed, len(PKCS8 + seed)))
    call("privkey_import_x509_raw", private, der, 0, None, 0)
    call("pubkey_import_privkey", public, private, TO_SIGN, 0)
    call("pubkey_export2", public, 0, byref(spki))
    shown = new("certificate_allocate_credentials")
    call("certificate_set_rawpk_key_mem", shown, byref(spki), der, 0, None, TO_SIGN, None, 0, 0)
    return bytes(spki)[len(SPKI):], shown


class Tls:
    """A connection to the host with this fingerprint. What goes wrong is an OSError, silence for 3 s too."""

    def __init__(self, place, shown, fingerprint):
        self.sock = socket.create_connection(place, SUSPECT)
        self.sock.settimeout(None)
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            self.sock.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", SUSPECT, 0))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.fingerprint, self.came, self.room = fingerprint, b"", ctypes.create_string_buffer(BODY_BYTES)
        self.handle, self.peer = new("init", CLIENT), b""
        call("priority_set_direct", self.handle, PRIORITY, None)
        call("credentials_set", self.handle, 1, shown)
        call("alpn_set_protocols", self.handle, byref(Datum(b"via6/1", 6)), 1, 1)
        gnutls.gnutls_transport_set_int2(self.handle, self.sock.fileno(), self.sock.fileno())
        # Asked before anything of ours is sent.
        self.check = ctypes.CFUNCTYPE(ctypes.c_int, c_void_p)(lambda _: 0 if self.is_host() else BAD_KEY)
        gnutls.gnutls_session_set_verify_function(self.handle, self.check)
        call("handshake", self.handle)
        if not self.peer:
            raise OSError("handshake: no key of a host")
        label, out = b"EXPORTER-via6-admission", ctypes.create_string_buffer(32)
        call("prf_rfc5705", self.handle, c_size_t(len(label)), label, c_size_t(0), None, c_size_t(32), out)
        self.exporter = out.raw

    def is_host(self):
        spki = bytes(gnutls.gnutls_certificate_get_peers(self.handle, byref(ctypes.c_uint()))[0])
        if hashlib.sha256(spki).digest()[:16] == self.fingerprint:
            self.peer = spki[len(SPKI):]
        return self.peer

    def send(self, data):
        while data:
            data = data[call("record_send", self.handle, data, c_size_t(len(data))):]

    def take(self, size):
        while len(self.came) < size:
            if (count := call("record_recv", self.handle, self.room, c_size_t(BODY_BYTES))) == 0:
                raise OSError("the host ended the connection")
            self.came += self.room[:count]
        taken, self.came = self.came[:size], self.came[size:]
        return taken

    def frame(self):
        """The next frame that is not to be skipped, as `read` has it."""
        name = None
        while name is None:
            number, length = struct.unpack(">BH", self.take(3))
            if length > BODY_BYTES:
                raise ValueError(f"a body of {length} bytes")
            name, values, rest = read(number, self.take(length))
        return name, values, rest

    def end(self, how=socket.SHUT_RDWR):
        with suppress(OSError):
            self.sock.shutdown(how)


class Channel:
    """One connection of the game."""

    def __init__(self, link, number, service, sock):
        self.link, self.number, self.service, self.sock = link, number, service, sock
        # To the host. `kept` begins at the offset `acked`; `sent` and `end_sent` are of this transport.
        self.kept, self.acked, self.sent, self.credit = bytearray(), 0, 0, FIRST_LIMIT
        self.is_open, self.is_heard, self.end_sent, self.theirs = False, False, 0, 0
        # From the host. `come` has the flags of the ends that came, `told` is the last ACK.
        self.to_game, self.received, self.taken, self.come = bytearray(), 0, 0, 0
        self.limit, self.told = FIRST_LIMIT, None
        # The game has ended, or broken; we have ended, or are to break once it has the last byte.
        self.ended, self.broken, self.shut, self.breaks = False, False, False, False

    def reads(self):
        return not self.ended and not self.is_mute() and len(self.kept) < WINDOW

    def play(self):
        """Takes from the game and gives to it what it can without waiting; False once that is over."""
        try:
            with suppress(BlockingIOError):
                while self.reads():
                    self.ended = not (data := self.sock.recv(BODY_BYTES))
                    self.kept += data
            with suppress(BlockingIOError):
                while self.to_game:
                    count = self.sock.send(self.to_game[:BODY_BYTES])
                    del self.to_game[:count]
                    self.taken += count
                if self.come & FIN and not self.shut:
                    self.sock.shutdown(socket.SHUT_WR)
                    self.shut = True
        except OSError:
            # Told once: from then on reading gives what is left, and then the end.
            self.on_broken()
        # TCP_CLOSE is a reset as long as our own FIN is not out, and need not have been noticed above.
        is_cut = self.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) == b"\7"
        if is_cut and not self.shut:
            self.on_broken()
        if self.breaks and not self.to_game:
            # A reset throws away what the system has not delivered yet.
            unsent = struct.unpack("i", fcntl.ioctl(self.sock, termios.TIOCOUTQ, bytes(4)))[0]
            self.sock.setsockopt(*RESET_ON_CLOSE)
            return unsent > 0 and not is_cut
        return not ((self.shut or self.broken or is_cut) and (self.ended or self.is_mute()))

    def on_broken(self):
        """The game's connection broke: what is on its way to it is thrown away, what it sent is not."""
        self.to_game.clear()
        self.broken = self.broken or not self.is_done()

    def is_mute(self):
        """Nothing more is sent: the host's game broke."""
        return bool(self.come & RST or self.theirs & DEAF)

    def is_done(self):
        is_sent = self.is_mute() or self.theirs & (RST if self.broken else FIN)
        return bool(is_sent and (self.come or self.broken))

    def standing(self):
        if not self.come and not self.broken:
            self.limit = max(self.limit, self.taken + WINDOW)
        return self.number, self.received, self.limit, self.come | DONE * self.is_done() | DEAF * self.broken

    def forget(self, breaks=False):
        """Nothing more is said about it. What came is still for the game."""
        self.breaks |= breaks
        self.link.channels.pop(self.number, None)

    def on_frame(self, name, values, rest):
        self.is_heard = True
        if name == "ACK":
            self.on_standing(*values)
        elif name == "RST" and values[2] >= 16:
            self.forget(breaks=True)
        elif not self.broken:
            offset, end = values[1], values[1] + len(rest)
            is_wrong = offset != self.received if name != "DATA" else self.come and end > self.received
            if is_wrong or offset > self.received or end > self.limit:
                raise ValueError(f"{name} at {offset}: {self.received} came, the limit is {self.limit}")
            self.to_game += rest[self.received - offset:]
            self.received = max(self.received, end)
        self.on_ends({"FIN": FIN, "RST": RST}.get(name, 0), 0)

    def on_standing(self, _, received, limit, flags):
        if not self.is_mute():
            if received > self.acked + len(self.kept):
                raise ValueError(f"an ACK of {received} bytes that were not sent")
            del self.kept[:max(0, received - self.acked)]
            self.acked = max(self.acked, received)
            self.sent, self.credit = max(self.sent, self.acked), max(self.credit, limit)
        self.on_ends(0, flags)

    def on_ends(self, come, theirs):
        was_done = self.is_done()
        self.come, self.theirs = self.come | come, self.theirs | theirs
        self.breaks |= bool(self.come & RST or not was_done and self.come & FIN and self.theirs & DEAF)
        if self.is_mute():
            self.kept.clear()

    def resume(self):
        """On a new transport an ACK goes first, and then again what is not acknowledged."""
        self.sent, self.end_sent, self.is_open, self.told = self.acked, 0, self.is_heard, None

    def next_frames(self):
        """What there is to send now: OPEN, an ACK, and some DATA or an end."""
        out, data, end = b"", b"", 0
        if not self.is_open:
            self.is_open, out = True, write("OPEN", self.number, self.service)
        if (standing := self.standing()) != self.told:
            self.told, out = standing, out + write("ACK", *standing)
        if not self.is_mute():
            at = self.sent - self.acked
            data = bytes(self.kept[at:min(at + DATA_BYTES, self.credit - self.acked)])
            if self.ended and at == len(self.kept):
                end = (RST if self.broken else FIN) & ~(self.end_sent | self.theirs)
        if data:
            out += write("DATA", self.number, self.sent, rest=data)
        elif end == FIN:
            out += write("FIN", self.number, self.sent)
        elif end == RST:
            out += write("RST", self.number, self.sent, 1)
        self.sent, self.end_sent = self.sent + len(data), self.end_sent | end
        if self.told[3] & self.theirs & DONE:
            self.forget()
        return out


def report(event, **values):
    print(json.dumps({"event": event, **values}), flush=True)


class Link:
    def __init__(self, options):
        self.fingerprint, self.secret, self.places = options.invite
        self.key, self.shown = identity(options.key)
        self.name, self.wanted, self.service, self.listener = options.name, options.service, None, None
        # `channels` are those that are not forgotten, `games` those whose connection is there.
        self.channels, self.games, self.next_channel = {}, [], 0
        # `used` is the generation that is, or was last, in use; `tls` is there while one is.
        self.id, self.generation, self.used, self.tls, self.control = os.urandom(16), 0, None, None, b""
        self.hold, self.heard, self.pinged, self.exit_code = 2 * SUSPECT, time.monotonic(), 0, None

    def run(self):
        """Keeps the host in reach, until it is all over."""
        for place in itertools.cycle(self.places):
            tls, last_words = None, (STOPPED, "")
            try:
                tls = Tls(place, self.shown, self.fingerprint)
                self.attach(tls)
                while self.exit_code is None:
                    self.turn()
            except VIOLATION as error:
                self.tls, self.exit_code, last_words = tls, 5, (PROTOCOL, str(error))
                report("closed", by="joiner", code=PROTOCOL, message=str(error))
            except OSError as error:
                self.on_lost(place, str(error))
            if self.exit_code is not None:
                return self.finish(*last_words)

    def on_lost(self, place, reason):
        retry_at = time.monotonic() + (0 if self.tls else RETRY)
        if self.exit_code is None:
            report("lost" if self.tls else "failed", place=place, reason=reason)
        if self.tls:
            self.tls.end()
        self.tls = None
        while self.exit_code is None and time.monotonic() < retry_at:
            self.turn()

    def finish(self, code, message):
        """Says CLOSE, and gives the games what came for them."""
        tls, self.tls, until = self.tls, None, time.monotonic() + 1
        for game in self.games:
            game.forget(breaks=True)
        with suppress(OSError):
            if tls:
                tls.send(write("CLOSE", code, rest=write_text(message)))
                tls.end(socket.SHUT_WR)
        while self.games and time.monotonic() < until:
            self.turn()
        with suppress(OSError):
            # Closed with something unread, TCP would throw the last words away.
            while tls and tls.sock.recv(BODY_BYTES):
                pass
        return self.exit_code

    def attach(self, tls):
        self.generation += 1
        invite = hmac.digest(self.secret, b"via6 invite", "sha256")[:8]
        proof = hmac.digest(self.secret, b"via6 admit" + tls.exporter + tls.peer + self.key, "sha256")
        standings = b"".join(STANDING.pack(*channel.standing()) for channel in self.channels.values())
        attach = self.id, self.generation, self.next_channel, len(self.channels)
        tls.send(write("ADMIT", 1, 1, 0, invite, proof, rest=write_text(self.name)) +
                 write("ATTACH", *attach, rest=standings))
        (version, _, hold), player = self.answer(tls, "ADMITTED")
        (generation, since, _), listed = self.answer(tls, "ATTACHED")
        if (version, generation) != (1, self.generation) or since > generation:
            raise ValueError("an answer to another question")
        listed = {standing[0]: standing for standing in STANDING.iter_unpack(listed)}
        report("attached", generation=generation, since=since, player=read_text(player))
        is_forgotten = self.used is not None and since > self.used
        if is_forgotten:
            report("forgotten")
        for channel in list(self.channels.values()):
            if is_forgotten or channel.is_heard and channel.number not in listed:
                channel.forget(breaks=not channel.is_done())
            elif channel.number in listed:
                channel.is_heard = True
                channel.on_standing(*listed[channel.number])
            channel.resume()
        done = [write("ACK", number, 0, 0, DONE | DEAF) for number in listed.keys() - self.channels.keys()]
        self.used, self.tls, self.control = generation, tls, b"".join(done)
        self.hold, self.heard = hold / 1000, time.monotonic()

    def answer(self, tls, wanted):
        name, values, rest = tls.frame()
        if name == "REFUSED":
            report("refused", code=values[0], message=read_text(rest))
            self.exit_code = 4
            raise OSError("refused")
        if name == "CLOSE":
            self.on_frame(name, values, rest)
        if name != wanted:
            raise ValueError(f"{name} instead of {wanted}")
        return values, rest

    def turn(self):
        """Sends what there is to send, waits until something happens, or for a moment, and acts on it."""
        now, out, readers = time.monotonic(), b"", [game.sock for game in self.games if game.reads()]
        if self.listener:
            readers.append(self.listener)
        if self.tls:
            readers.append(self.tls.sock)
            if now - self.pinged >= PING:
                self.pinged, self.control = now, self.control + write("PING", self.generation)
            out = self.control + b"".join([channel.next_frames() for channel in [*self.channels.values()]])
            self.control = b""
            self.tls.send(out)
        writers = [game.sock for game in self.games if game.to_game]
        has_more = self.tls and (self.tls.came or gnutls.gnutls_record_check_pending(self.tls.handle))
        ready, _, _ = select.select(readers, writers, [], 0 if out or has_more else TICK)
        if self.listener in ready:
            self.accept()
        while has_more or self.tls and self.tls.sock in ready:
            self.on_frame(*self.tls.frame())
            has_more, ready = self.tls.came, []
        for game in [game for game in self.games if not game.play()]:
            game.sock.close()
            self.games.remove(game)
        if self.tls and now - self.heard > SUSPECT:
            raise OSError("the host is silent")
        hold = self.hold if self.channels or self.used is None else self.hold + IDLE
        if now - self.heard > hold and self.exit_code is None:
            report("ended")
            self.exit_code = 1

    def on_frame(self, name, values, rest):
        self.heard = time.monotonic()
        if name == "PING":
            self.control += write("PONG", *values)
        elif name == "CLOSE":
            if values[0] != SUPERSEDED:
                report("closed", by="host", code=values[0], message=read_text(rest))
                self.exit_code = 5
            raise OSError("closed by the host")
        elif name == "SERVICES":
            self.on_services(values[0], rest)
        elif name in ("DATA", "ACK", "FIN", "RST"):
            if values[0] in self.channels:
                self.channels[values[0]].on_frame(name, values, rest)
        elif name not in ("PONG", "ADDRS"):
            raise ValueError(f"{name} is not for joiners, or not now")

    def on_services(self, count, rest):
        services = []
        for _ in range(count):
            services.append((*struct.unpack_from(">HBH", rest), read_text(rest[5:])))
            rest = rest[6 + rest[5]:]
        report("services", services=services)
        with_tcp = [(number, name) for number, carried, _, name in services if carried & 1]
        self.service = next((number for number, name in with_tcp if self.wanted in (None, name)), None)
        if self.service is not None and self.listener is None:
            self.listener = socket.create_server(("127.0.0.1", 0), backlog=CHANNELS)
            report("listening", address="{}:{}".format(*self.listener.getsockname()))

    def accept(self):
        sock, _ = self.listener.accept()
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.service is None or max(len(self.channels), len(self.games)) >= CHANNELS:
            sock.setsockopt(*RESET_ON_CLOSE)
            return sock.close()
        channel = self.channels[self.next_channel] = Channel(self, self.next_channel, self.service, sock)
        self.games.append(channel)
        self.next_channel += 1


def main():
    parser = argparse.ArgumentParser(description="joins a via6 host over a sealed link")
    parser.add_argument("invite", type=read_invite)
    parser.add_argument("--name", default="python")
    parser.add_argument("--service")
    parser.add_argument("--key", type=bytes.fromhex, default=os.urandom(32))
    link = Link(parser.parse_args())
    signal.signal(signal.SIGUSR1, lambda *_: link.tls and link.tls.end())
    signal.signal(signal.SIGTERM, lambda *_: setattr(link, "exit_code", 0))
    return link.run()


if __name__ == "__main__":
    sys.exit(main())
