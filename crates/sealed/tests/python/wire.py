"""Frames and invites of sealed links, version 1, as docs/reference/protocol.md has them.

`FRAMES` is that document's table of frames once more, and `read` and `write` follow it. What a frame
means, and whether it may come at all, is not known here.
"""

import ipaddress
import zlib
from types import SimpleNamespace

BODY_BYTES = 16_384
DATA_BYTES = 16_372
FLAG_FIN, FLAG_RST, FLAG_DONE, FLAG_DEAF = 1, 2, 4, 8


class Violation(Exception):
    """The other side broke the protocol; the text says how."""


class Number:
    def __init__(self, size, low=0, high=None):
        self.size, self.low, self.high = size, low, 256**size - 1 if high is None else high

    def read(self, body, at):
        value = int.from_bytes(take(body, at, self.size))
        if not self.low <= value <= self.high:
            raise Violation(f"the value {value} is outside of its range")
        return value, at + self.size

    def write(self, value):
        return value.to_bytes(self.size)


class Fixed:
    def __init__(self, size):
        self.size = size

    def read(self, body, at):
        return take(body, at, self.size), at + self.size

    def write(self, value):
        return value


class Text:
    def __init__(self, most):
        self.length = Number(1, high=most)

    def read(self, body, at):
        length, at = self.length.read(body, at)
        try:
            return take(body, at, length).decode(), at + length
        except UnicodeDecodeError:
            raise Violation("a text is not UTF-8") from None

    def write(self, value):
        return self.length.write(len(value.encode())) + value.encode()


class Listing:
    """A count, and as many items."""

    def __init__(self, size, most, fields):
        self.count, self.fields = Number(size, high=most), fields

    def read(self, body, at):
        count, at = self.count.read(body, at)
        items = []
        for _ in range(count):
            item, at = read_fields(self.fields, body, at)
            items.append(item)
        return items, at

    def write(self, value):
        return self.count.write(len(value)) + b"".join(write_fields(self.fields, vars(item)) for item in value)


class Rest:
    """Bytes up to the end of the body."""

    def __init__(self, least):
        self.least = least

    def read(self, body, at):
        if len(body) - at < self.least:
            raise Violation("a body is too short")
        return body[at:], len(body)

    def write(self, value):
        return value


U8, U16, U32, U64 = Number(1), Number(2), Number(4), Number(8)
STANDING = {"channel": U32, "received": U64, "limit": U64, "flags": Number(1, high=15)}
SERVICE = {"service": U16, "carried": Number(1, 1, 3), "port": U16, "name": Text(32)}
ADDRESS = {"address": Fixed(16), "port": U16}
FRAMES = {
    "ADMIT": (0x01, {"min": U8, "max": U8, "features": U32, "invite": Fixed(8), "proof": Fixed(32), "name": Text(32)}),
    "ADMITTED": (0x02, {"version": U8, "features": U32, "hold": U32, "name": Text(32)}),
    "REFUSED": (0x03, {"code": U8, "message": Text(200)}),
    "ATTACH": (0x04, {"link": Fixed(16), "generation": U64, "next": U32, "standings": Listing(2, 256, STANDING)}),
    "ATTACHED": (0x05, {"generation": U64, "since": U64, "standings": Listing(2, 256, STANDING)}),
    "PING": (0x06, {"number": U64}),
    "PONG": (0x07, {"number": U64}),
    "CLOSE": (0x08, {"code": U8, "message": Text(200)}),
    "OPEN": (0x10, {"channel": U32, "service": U16}),
    "DATA": (0x11, {"channel": U32, "offset": U64, "bytes": Rest(1)}),
    "ACK": (0x12, STANDING),
    "FIN": (0x13, {"channel": U32, "offset": U64}),
    "RST": (0x14, {"channel": U32, "offset": U64, "code": U8}),
    "SERVICES": (0x20, {"services": Listing(1, 64, SERVICE)}),
    "ADDRS": (0x21, {"number": U64, "addresses": Listing(1, 8, ADDRESS), "name": Text(100), "signature": Fixed(64)}),
    "FLOW": (0x30, {"flow": U32, "service": U16, "datagram": U16, "piece": U8, "pieces": U8, "bytes": Rest(0)}),
}
NAMES = {number: name for name, (number, _) in FRAMES.items()}
# The frames in which every version may add fields.
GROWING = {"ADMIT", "ADMITTED", "REFUSED"}


def take(body, at, size):
    if len(body) - at < size:
        raise Violation("a body is too short")
    return body[at:at + size]


def read_fields(fields, body, at):
    item = SimpleNamespace()
    for name, field in fields.items():
        value, at = field.read(body, at)
        setattr(item, name, value)
    return item, at


def write_fields(fields, values):
    return b"".join(field.write(values[name]) for name, field in fields.items())


def write(frame, **values):
    number, fields = FRAMES[frame]
    body = write_fields(fields, values)
    return bytes([number]) + len(body).to_bytes(2) + body


def read(number, body):
    """The name and the values of a frame; no name for one that is to be skipped."""
    if number not in NAMES:
        if number < 0x80:
            raise Violation(f"a frame of the unknown type {number:#04x}")
        return None, None
    name = NAMES[number]
    values, at = read_fields(FRAMES[name][1], body, 0)
    if at < len(body) and name not in GROWING:
        raise Violation(f"{name} is too long")
    return name, values


def frames(stream):
    """Takes all whole frames from the bytearray `stream`: name, values and body, as `read` has them."""
    while len(stream) >= 3:
        length = int.from_bytes(stream[1:3])
        if length > BODY_BYTES:
            raise Violation(f"a body of {length} bytes")
        if len(stream) < 3 + length:
            return
        number, body = stream[0], bytes(stream[3:3 + length])
        del stream[:3 + length]
        name, values = read(number, body)
        yield name, values, body


ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
INVITE = {"fingerprint": Fixed(16), "secret": Fixed(16), "port": Number(2, 1)}
CHECKSUM_BYTES = 4


class InviteError(Exception):
    """Why a text is no invite."""


def read_invite(text):
    """Fingerprint, secret, port, addresses and name ("" for none) of the first invite in a text."""
    found = text.lower().find("via6:")
    if found < 0:
        raise InviteError("there is no invite in it")
    digits = []
    for character in "".join(text[found + 5:].lower().split()).translate(str.maketrans("oil", "011")):
        if character not in ALPHABET:
            break
        digits.append(ALPHABET.index(character))
    if digits[:1] not in ([], [1]):
        raise InviteError("it is of a newer version")
    bits = "".join(f"{digit:05b}" for digit in digits[1:])
    data = bytes(int(bits[at:at + 8], 2) for at in range(0, len(bits) - 7, 8))
    try:
        invite, end = read_invite_fields(data)
        checksum = int.from_bytes(take(data, end, CHECKSUM_BYTES))
    except Violation:
        raise InviteError("it was cut short, or is damaged") from None
    size = (end + CHECKSUM_BYTES) * 8
    if checksum != zlib.crc32(b"1" + data[:end]) or "1" in bits[size:size + -size % 5]:
        raise InviteError("it is damaged")
    return invite


def read_invite_fields(data):
    what, at = Number(1, 1, 7).read(data, 0)
    invite, at = read_fields(INVITE, data, at)
    invite.addresses, invite.name = [], ""
    for _ in range(what & 3):
        address = ipaddress.IPv6Address(take(data, at, 16))
        if address.is_link_local or address.is_multicast or address.is_unspecified or address.ipv4_mapped:
            raise Violation("an address that no invite has")
        invite.addresses.append(address)
        at += 16
    if what & 4:
        invite.name, at = Text(100).read(data, at)
    return invite, at
