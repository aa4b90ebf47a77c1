"""A way to a host that is not the host's own port, and that breaks when it is told to.

An invite with this port in it leads through here. Once a friend is in, the host tells it its own address, and
the friend's via6 goes over to that.
"""

import socket
import struct
import threading
import zlib

from peers import V6, bound, reset

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
# Where an invite has its port: behind the header, the fingerprint and the secret (docs/reference/protocol.md).
PORT = slice(33, 35)
CHECKSUM = 4


def elsewhere(invite, port):
    """The same invite with another port."""
    start, version, digits = invite[:5], invite[5], invite[6:]
    value = 0
    for digit in digits:
        value = value << 5 | ALPHABET.index(digit)
    spare = len(digits) * 5 % 8
    body = bytearray((value >> spare).to_bytes(len(digits) * 5 // 8, "big"))
    body[PORT] = struct.pack("!H", port)
    body[-CHECKSUM:] = struct.pack("!I", zlib.crc32(version.encode() + body[:-CHECKSUM]))
    value = int.from_bytes(body, "big") << spare
    digits = (ALPHABET[value >> 5 * at & 31] for at in reversed(range(len(digits))))
    return start + version + "".join(digits)


class Path:
    """One port of TCP and UDP; use as a context manager. Without `datagrams` those vanish from the start."""

    def __init__(self, port, datagrams=True):
        self._to = (V6[1], port)
        self._tcp, self._udp = both_bound()
        self.port = self._udp.getsockname()[1]
        self._passes = datagrams
        self._streams, self._sockets = [], {}
        for carry in (self._carry_streams, self._carry_datagrams):
            threading.Thread(target=carry, daemon=True).start()

    def cut(self):
        """Nothing passes any more: connections are reset, datagrams vanish."""
        self._passes = False
        self._tcp.close()
        while self._streams:
            reset(self._streams.pop())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.cut()
        for sock in (self._udp, *self._sockets.values()):
            sock.close()

    def _carry_streams(self):
        try:
            while True:
                near, _ = self._tcp.accept()
                far = socket.create_connection(self._to)
                self._streams += near, far
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=pass_on, args=pair, daemon=True).start()
        except OSError:
            return

    def _carry_datagrams(self):
        try:
            while True:
                data, peer = self._udp.recvfrom(1 << 16)
                if peer not in self._sockets:
                    far = socket.socket(V6[0], socket.SOCK_DGRAM)
                    far.connect(self._to)
                    self._sockets[peer] = far
                    threading.Thread(target=self._back, args=(far, peer), daemon=True).start()
                if self._passes:
                    self._sockets[peer].send(data)
        except OSError:
            return

    def _back(self, far, peer):
        try:
            while True:
                data = far.recv(1 << 16)
                if self._passes:
                    self._udp.sendto(data, peer)
        except OSError:
            return


def both_bound():
    """A port of TCP and of UDP, the same."""
    while True:
        tcp, port = bound(V6, socket.SOCK_STREAM)
        udp = socket.socket(V6[0], socket.SOCK_DGRAM)
        try:
            udp.bind((V6[1], port))
        except OSError:
            tcp.close()
            udp.close()
        else:
            tcp.settimeout(None)
            tcp.listen()
            return tcp, udp


def pass_on(source, sink):
    try:
        while data := source.recv(1 << 16):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        # Cut, or closed by one side; the other side's thread sees to the rest.
        return
