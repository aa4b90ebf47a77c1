"""The other ends of the tests: game servers of the tests' own, and what their clients do.

Plain blocking sockets, of Linux even when via6 runs under Wine, so that what they see is what a
peer on the network would see.
"""

import hashlib
import random
import socket
import struct
import threading

from program import DEADLINE

V4, V6 = (socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")
# Eight MiB: more than all socket buffers on the way, so that backpressure takes part.
PAYLOAD = random.Random(6).randbytes(8 << 20)
DIGEST = hashlib.sha256(PAYLOAD).hexdigest()


def written(end, port):
    """An address as people write it."""
    return f"[{end[1]}]:{port}" if end is V6 else f"{end[1]}:{port}"


def bound(end, kind):
    sock = socket.socket(end[0], kind)
    sock.bind((end[1], 0))
    sock.settimeout(DEADLINE)
    return sock, sock.getsockname()[1]


def closed_port(end, kind):
    """A port that nobody listens on."""
    sock, port = bound(end, kind)
    sock.close()
    return port


def dial(end, port):
    sock = socket.create_connection((end[1], port), timeout=DEADLINE)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def digest_to_end(sock):
    """Reads until the other side's FIN; digest of what came."""
    digest = hashlib.sha256()
    while part := sock.recv(1 << 16):
        digest.update(part)
    return digest.hexdigest()


def read_exactly(sock, count):
    """That many bytes; less only if the other side has ended."""
    read = b""
    while len(read) < count and (part := sock.recv(count - len(read))):
        read += part
    return read


def send_all_and_end(sock):
    sock.sendall(PAYLOAD)
    sock.shutdown(socket.SHUT_WR)


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


class Game:
    """A TCP game server of the test's own; `play` gets each connection in a thread of its own."""

    def __init__(self, end, play):
        self._listener, self.port = bound(end, socket.SOCK_STREAM)
        self._listener.listen()
        self._play = play
        self._serving = []
        self.failures = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.settimeout(DEADLINE)
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            self._serving.append(thread)
            thread.start()

    def _serve(self, sock):
        with sock:
            try:
                self._play(sock)
            except OSError as error:
                self.failures.append(error)

    def finish(self):
        """Waits until every connection so far has been played to its end."""
        for thread in self._serving:
            thread.join(DEADLINE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listener.close()


class UdpEcho:
    """Sends every datagram back to whoever it came from."""

    def __init__(self, end, port=0):
        self._sock = socket.socket(end[0], socket.SOCK_DGRAM)
        self._sock.bind((end[1], port))
        self.port = self._sock.getsockname()[1]
        threading.Thread(target=self._echo, daemon=True).start()

    def _echo(self):
        while True:
            data, peer = self._sock.recvfrom(1 << 16)
            if data == b"end":
                self._sock.close()
                return
            self._sock.sendto(data, peer)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with socket.socket(self._sock.family, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"end", self._sock.getsockname())


def echo(sock):
    while part := sock.recv(1 << 16):
        sock.sendall(part)
    sock.shutdown(socket.SHUT_WR)
