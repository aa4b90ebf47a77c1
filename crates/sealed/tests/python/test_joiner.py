"""Compares wire.py with every test vector of docs/reference/protocol.md, as the document says them.

`python3 -m unittest` in this folder. The vectors are read from the document; what they stand for is
written here once more, from the table above them.
"""

import pathlib
import unittest
from ipaddress import IPv6Address
from types import SimpleNamespace

import wire

DOCUMENT = pathlib.Path(__file__).resolve().parents[4] / "docs/reference/protocol.md"
ONE, TWO, THREE = IPv6Address("2001:db8::1234"), IPv6Address("2001:db8:1::7"), IPv6Address("fd00::7")
INVITES = {
    "one-address": ([ONE], ""),
    "three-addresses-and-a-name": ([ONE, TWO, THREE], "home.example.org"),
    "a-name": ([], "home.example.org"),
}


def standing(channel, received, limit, flags):
    return SimpleNamespace(channel=channel, received=received, limit=limit, flags=flags)


def run(first, size):
    return bytes(range(first, first + size))


FRAMES = {
    "ADMIT": {"min": 1, "max": 1, "features": 3, "invite": run(0x40, 8), "proof": run(0x50, 32), "name": "alice"},
    "ADMITTED": {"version": 1, "features": 1, "hold": 25_000, "name": "alice"},
    "REFUSED": {"code": 4, "message": "used up"},
    "ATTACH": {"link": run(0x20, 16), "generation": 3, "next": 8, "standings": [standing(7, 1000, 33_768, 0)]},
    "ATTACHED": {"generation": 3, "since": 1, "standings": [standing(7, 500, 33_268, wire.FLAG_FIN)]},
    "PING": {"number": 9},
    "PONG": {"number": 9},
    "CLOSE": {"code": 1, "message": ""},
    "OPEN": {"channel": 7, "service": 1},
    "DATA": {"channel": 7, "offset": 1000, "bytes": b"hello"},
    "ACK": {"channel": 7, "received": 1005, "limit": 33_773, "flags": wire.FLAG_FIN | wire.FLAG_DONE},
    "FIN": {"channel": 7, "offset": 1005},
    "RST": {"channel": 7, "offset": 1005, "code": 1},
    "SERVICES": {"services": [SimpleNamespace(service=1, carried=3, port=25_565, name="minecraft")]},
    "ADDRS": {
        "number": 2,
        "addresses": [SimpleNamespace(address=ONE.packed, port=43_325)],
        "name": "home.example.org",
        "signature": run(0, 64),
    },
    "FLOW": {"flow": 5, "service": 1, "datagram": 8, "piece": 0, "pieces": 1, "bytes": b"ping"},
}


def vectors(kind):
    """The document's vectors of a kind, by name."""
    block = DOCUMENT.read_text(encoding="utf-8").split("```vectors\n")[1].split("```")[0]
    lines = [line.split(" = ") for line in block.splitlines()]
    return {left.split(" ")[1]: right for left, right in lines if left.split(" ")[0] == kind}


class Invites(unittest.TestCase):
    def test_each_vector_is_read(self):
        self.assertEqual(vectors("invite").keys(), INVITES.keys())
        for name, text in vectors("invite").items():
            addresses, host = INVITES[name]
            for spelt in (text, text.upper(), f"join me: {text[:30]}\n {text[30:]} hello", text.replace("0", "o")):
                invite = wire.read_invite(spelt)
                self.assertEqual((invite.fingerprint, invite.secret), (run(0, 16), run(16, 16)), spelt)
                self.assertEqual((invite.port, invite.addresses, invite.name), (43_325, addresses, host), spelt)

    def test_any_cut_and_any_other_character_is_noticed(self):
        for text in vectors("invite").values():
            for at in range(len("via6:"), len(text)):
                other = "7" if text[at] != "7" else "8"
                for damaged in (text[:at], text[:at] + other + text[at + 1:]):
                    with self.assertRaises(wire.InviteError, msg=damaged):
                        wire.read_invite(damaged)


class Frames(unittest.TestCase):
    def test_each_vector_is_written_and_read(self):
        self.assertEqual(vectors("frame").keys(), FRAMES.keys())
        for name, text in vectors("frame").items():
            self.assertEqual(wire.write(name, **FRAMES[name]).hex(), text)
            stream = bytearray.fromhex(text)
            self.assertEqual([(n, vars(v)) for n, v, _ in wire.frames(stream)], [(name, FRAMES[name])])
            self.assertEqual(stream, b"", name)

    def test_a_body_of_another_length_is_a_violation(self):
        for name, text in vectors("frame").items():
            data = bytes.fromhex(text)
            # The bytes of these two end with the body, wherever that is.
            least = {"DATA": 3 + 12 + 1, "FLOW": 3 + 10}.get(name, len(data))
            for end in range(3, least):
                with self.assertRaises(wire.Violation, msg=f"{name}, {end} bytes"):
                    wire.read(data[0], data[3:end])
            if name in wire.GROWING or name in ("DATA", "FLOW"):
                wire.read(data[0], data[3:] + b"\0")
            else:
                with self.assertRaises(wire.Violation, msg=name):
                    wire.read(data[0], data[3:] + b"\0")

    def test_a_datagrams_frame_has_no_place_on_a_stream(self):
        self.assertEqual(vectors("datagram").keys(), {"LANE"})
        lane = bytes.fromhex(vectors("datagram")["LANE"])
        with self.assertRaises(wire.Violation):
            wire.read(lane[0], lane[1:])

    def test_unknown_types_are_skipped_from_0x80_on(self):
        known = wire.write("PING", number=9)
        stream = bytearray(b"\x80\0\2hi" + known + b"\xff\0\0" + known[:5])
        self.assertEqual([name for name, _, _ in wire.frames(stream)], [None, "PING", None])
        self.assertEqual(stream, known[:5])
        for data in (b"\x00\0\0", b"\x7f\0\0", b"\x80\x40\x01"):
            with self.assertRaises(wire.Violation):
                list(wire.frames(bytearray(data)))

    def test_values_outside_of_their_range_are_violations(self):
        for name, values in [
            ("CLOSE", b"\1\xc9" + bytes(201)),
            ("CLOSE", b"\1\1\xff"),
            ("ACK", bytes(20) + b"\x10"),
            ("DATA", bytes(12)),
            ("SERVICES", b"\x41" + bytes([0, 1, 1, 0, 1, 0]) * 65),
        ]:
            with self.assertRaises(wire.Violation, msg=name):
                wire.read(wire.FRAMES[name][0], values)


if __name__ == "__main__":
    unittest.main()
