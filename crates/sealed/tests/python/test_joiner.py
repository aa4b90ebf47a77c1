"""Compares joiner.py with the test vectors of docs/reference/protocol.md, as the document says them.

`python3 -m unittest` in this folder. The vectors are read from the document; what they stand for is
written here once more, from the table above them. FLOW and LANE are not for joiners without features.
"""

import pathlib
import unittest

import joiner

DOCUMENT = pathlib.Path(__file__).resolve().parents[4] / "docs/reference/protocol.md"
ONE, HOME = ("2001:db8::1234", 43_325), ("home.example.org", 43_325)
INVITES = {
    "one-address": [ONE],
    "three-addresses-and-a-name": [ONE, ("2001:db8:1::7", 43_325), ("fd00::7", 43_325), HOME],
    "a-name": [HOME],
}
# Of each frame its fixed values, and what comes after them.
FRAMES = {
    "ADMIT": ((1, 1, 3, bytes(range(0x40, 0x48)), bytes(range(0x50, 0x70))), joiner.write_text("alice")),
    "ADMITTED": ((1, 1, 25_000), joiner.write_text("alice")),
    "REFUSED": ((4,), joiner.write_text("used up")),
    "ATTACH": ((bytes(range(0x20, 0x30)), 3, 8, 1), joiner.STANDING.pack(7, 1000, 33_768, 0)),
    "ATTACHED": ((3, 1, 1), joiner.STANDING.pack(7, 500, 33_268, joiner.FIN)),
    "PING": ((9,), b""),
    "PONG": ((9,), b""),
    "CLOSE": ((1,), joiner.write_text("")),
    "OPEN": ((7, 1), b""),
    "DATA": ((7, 1000), b"hello"),
    "ACK": ((7, 1005, 33_773, joiner.FIN | joiner.DONE), b""),
    "FIN": ((7, 1005), b""),
    "RST": ((7, 1005, 1), b""),
    "SERVICES": ((1,), bytes.fromhex("0001 03 63dd") + joiner.write_text("minecraft")),
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
            expected = bytes(range(16)), bytes(range(16, 32)), INVITES[name]
            for spelt in (text, text.upper(), f"join me: {text[:30]}\n {text[30:]} hello", text.replace("0", "o")):
                self.assertEqual(joiner.read_invite(spelt), expected, spelt)

    def test_any_cut_and_any_other_character_is_noticed(self):
        for text in vectors("invite").values():
            for at in range(len("via6:"), len(text)):
                other = "7" if text[at] != "7" else "8"
                for damaged in (text[:at], text[:at] + other + text[at + 1:]):
                    with self.assertRaises(ValueError, msg=damaged):
                        joiner.read_invite(damaged)


class Frames(unittest.TestCase):
    def test_each_vector_is_written_and_read(self):
        self.assertEqual(vectors("frame").keys(), FRAMES.keys() | {"ADDRS", "FLOW"})
        for name, (values, rest) in FRAMES.items():
            data = bytes.fromhex(vectors("frame")[name])
            self.assertEqual(joiner.write(name, *values, rest=rest), data, name)
            self.assertEqual(joiner.read(data[0], data[3:]), (name, values, rest))

    def test_a_body_of_another_length_is_a_violation(self):
        for name, (values, rest) in FRAMES.items():
            data = joiner.write(name, *values, rest=rest)
            for end in range(3, len(data) - len(rest)):
                with self.assertRaises(joiner.VIOLATION, msg=f"{name}, {end} bytes"):
                    joiner.read(data[0], data[3:end])
            if not rest:
                with self.assertRaises(joiner.VIOLATION, msg=name):
                    joiner.read(data[0], data[3:] + b"\0")

    def test_unknown_types_are_skipped_from_0x80_on(self):
        self.assertEqual([joiner.read(number, b"hi")[0] for number in (0x80, 0xff)], [None, None])
        for number in (0x00, 0x7f):
            with self.assertRaises(joiner.VIOLATION):
                joiner.read(number, b"hi")


if __name__ == "__main__":
    unittest.main()
