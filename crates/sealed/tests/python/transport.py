"""The loop of sockets, and the transport: one TLS connection to a host, from its first SYN to its end.

A transport reads and writes frames and knows nothing of what they mean: the link does (joiner.py). It
never decides that it is lost for good, and says so to the link instead.
"""

import os
import select
import socket

import rawtls
import wire

TICK_SECONDS = 0.02
# What the system may hold back of what it was given.
UNSENT_BYTES = 65_536


class Loop:
    """Sockets, and who is told of their events. Errors are told even where no event is asked for."""

    def __init__(self):
        self.epoll, self.watched = select.epoll(), {}

    def watch(self, sock, events, told):
        known = self.watched.get(sock.fileno())
        if known is None:
            self.epoll.register(sock.fileno(), events)
        elif known[0] != events:
            self.epoll.modify(sock.fileno(), events)
        self.watched[sock.fileno()] = (events, told)

    def forget(self, sock):
        self.epoll.unregister(sock.fileno())
        del self.watched[sock.fileno()]

    def turn(self):
        for fd, events in self.epoll.poll(TICK_SECONDS):
            # One that was told before may have closed this one.
            if fd in self.watched:
                self.watched[fd][1](events)


class Transport:
    """One TLS connection: connecting, handshaking, attaching, live, closing, closed."""

    def __init__(self, link, address):
        self.link, self.address, self.generation, self.admitted = link, address, None, None
        self.state, self.since, self.blocked = "connecting", link.now, False
        self.incoming, self.outgoing = bytearray(), bytearray()
        self.sock = socket.socket(socket.AF_INET6, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
        self.session = rawtls.Session(link.identity, self.sock.fileno(), link.is_host)
        self.sock.connect_ex(address)
        link.loop.watch(self.sock, select.EPOLLOUT, self.on_event)

    def written_address(self):
        return "[{}]:{}".format(*self.address)

    def on_event(self, _events):
        try:
            if self.state == "connecting":
                self.connected()
            if self.state == "handshaking":
                self.shake_hands()
            elif self.state in ("attaching", "live"):
                self.read()
                self.flush()
            elif self.state == "closing":
                self.finish()
        except (OSError, rawtls.TlsError) as error:
            self.lost(str(error))
        except wire.Violation as violation:
            self.link.violated(self, str(violation))

    def connected(self):
        code = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, os.strerror(code))
        self.state = "handshaking"

    def shake_hands(self):
        if self.session.handshake():
            self.link.won(self)
        if self.state == "handshaking":
            events = select.EPOLLOUT if self.session.waits_to_write() else select.EPOLLIN
            self.link.loop.watch(self.sock, events, self.on_event)

    def read(self):
        while self.state in ("attaching", "live") and (data := self.session.recv()) is not None:
            if not data:
                raise OSError("the host ended the connection")
            self.incoming += data
            for name, values, body in wire.frames(self.incoming):
                self.link.on_frame(self, name, values, body)
                if self.state not in ("attaching", "live"):
                    return

    def flush(self):
        """Sends as long as the system takes it at once."""
        self.blocked = False
        while not self.blocked and self.state in ("attaching", "live", "closing"):
            while self.state == "live" and len(self.outgoing) < wire.BODY_BYTES and (frame := self.link.next_frame()):
                self.outgoing += frame
            if not self.outgoing:
                break
            count = self.session.send(self.outgoing)
            del self.outgoing[:count]
            self.blocked = count == 0
        if self.state in ("attaching", "live"):
            self.link.loop.watch(self.sock, select.EPOLLIN | (select.EPOLLOUT * self.blocked), self.on_event)

    def close(self, code, message=""):
        """Ends it with CLOSE, if that can be said."""
        if self.state in ("closing", "closed"):
            return
        if self.state not in ("attaching", "live"):
            return self.drop()
        self.outgoing += wire.write("CLOSE", code=code, message=message)
        self.state, self.since = "closing", self.link.now
        self.link.closing.add(self)
        try:
            self.finish()
        except (OSError, rawtls.TlsError):
            self.drop()

    def finish(self):
        self.flush()
        if self.blocked:
            self.link.loop.watch(self.sock, select.EPOLLOUT, self.on_event)
            return
        self.sock.shutdown(socket.SHUT_WR)
        while data := self.recv_raw():
            pass
        if data == b"":
            self.drop()
        else:
            self.link.loop.watch(self.sock, select.EPOLLIN, self.on_event)

    def recv_raw(self):
        try:
            return self.sock.recv(wire.BODY_BYTES)
        except BlockingIOError:
            return None

    def drop(self):
        """Ends it without a word."""
        if self.state != "closed":
            self.state = "closed"
            self.link.closing.discard(self)
            self.link.loop.forget(self.sock)
            self.session.close()
            self.sock.close()

    def lost(self, reason):
        expected = self.state == "closing"
        self.drop()
        if not expected:
            self.link.on_lost(self, reason)
