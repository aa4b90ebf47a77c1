"""A channel: one TCP connection of the game, and the state of its two directions in the link.

It keeps what the host has not acknowledged, delivers what came, gives credit, and knows when both
directions are settled. It knows nothing of transports but that there is a new one (`resume`), and is asked
for its next frame. A channel that the link has forgotten goes on until its game took everything.
"""

import errno
import fcntl
import select
import socket
import struct
import termios

from wire import DATA_BYTES, FLAG_DEAF, FLAG_DONE, FLAG_FIN, FLAG_RST, Violation, write

FIRST_LIMIT = 32_768
# The most that is kept for one channel, in each direction, and for all of a link.
CHANNEL_BYTES = 1_048_576
LINK_BYTES = 16_777_216
ACK_AT_ONCE_BYTES = 65_536
ACK_WITHIN_SECONDS = 0.1
READ_BYTES = 65_536
RST_RESET, RST_DEAD = 1, 3


class Channel:
    def __init__(self, link, number, service, sock):
        self.link, self.number, self.service, self.sock = link, number, service, sock
        # To the host. `kept` begins at the offset `acked`; `sent` and `ends_sent` are of this transport.
        self.kept, self.acked, self.sent, self.most_sent = bytearray(), 0, 0, 0
        self.credit, self.ended, self.broken = FIRST_LIMIT, False, None
        self.opened, self.heard, self.theirs, self.ends_sent, self.ends_ever_sent = False, False, 0, 0, 0
        # From the host. `come` has the flags of the ends that came.
        self.to_game, self.received, self.taken, self.come = bytearray(), 0, 0, 0
        self.limit, self.acked_received, self.granted = FIRST_LIMIT, 0, FIRST_LIMIT
        self.ack_now, self.ack_since = False, None
        self.done, self.forgotten, self.shut, self.parked, self.turn = False, False, False, False, 0
        # The host's game broke: ours is to be reset after the last byte.
        self.breaks = False
        link.alive.add(self)
        self.watch()

    # What stands.

    def end(self):
        return self.acked + len(self.kept)

    def mute(self):
        """Nothing more is sent: the host's game broke."""
        return bool(self.come & FLAG_RST or self.theirs & FLAG_DEAF)

    def grow(self):
        """Raises the limit as far as the bounds of channel and link let it."""
        room = LINK_BYTES - sum(channel.owed() for channel in self.link.alive)
        least = self.taken + FIRST_LIMIT
        self.limit = max(self.limit, min(self.taken + CHANNEL_BYTES, max(self.limit + room, least)))

    def owed(self):
        """What may come, or came and is not taken."""
        return (self.received if self.come or self.broken is not None else self.limit) - self.taken

    def standing(self):
        if self.broken is None and not self.come:
            self.grow()
        deaf = FLAG_DEAF if self.broken is not None else 0
        done = FLAG_DONE if self.done else 0
        flags = self.come | done | deaf
        return {"channel": self.number, "received": self.received, "limit": self.limit, "flags": flags}

    def settle(self):
        """Notices that both directions are settled, and that the host's are."""
        # FIN and deaf together say what RST does; who is done already has no use for it.
        if not self.done and (self.come & FLAG_RST or self.come & FLAG_FIN and self.theirs & FLAG_DEAF):
            self.breaks = True
        mine = FLAG_FIN if self.broken is None else FLAG_RST
        sending = self.mute() or self.theirs & mine
        if not self.done and sending and (self.come or self.broken is not None):
            self.done = True
            self.link.control.append(self.ack())
        if self.done and self.theirs & FLAG_DONE:
            self.forget()

    def forget(self):
        self.forgotten = True
        self.kept.clear()
        self.link.channels.pop(self.number, None)
        self.bury()

    def bury(self):
        if self.forgotten and self.sock is None:
            self.link.alive.discard(self)

    # Frames from the host.

    def on_data(self, frame, now):
        end = frame.offset + len(frame.bytes)
        if frame.offset > self.received:
            raise Violation(f"DATA at {frame.offset} after {self.received}")
        if end > self.limit:
            raise Violation(f"DATA up to {end}, the limit is {self.limit}")
        if self.come and end > self.received:
            raise Violation("DATA after the end")
        if end > self.received:
            if self.broken is None:
                self.to_game += frame.bytes[self.received - frame.offset:]
            else:
                self.taken += end - self.received
            self.received = end
        unacknowledged = self.received - self.acked_received
        if unacknowledged >= ACK_AT_ONCE_BYTES or self.limit - self.received < self.granted / 2:
            self.ack_now = True
        self.ack_since = self.ack_since or now
        self.deliver()

    def on_end(self, flag, frame):
        # A host that saw us deaf sends no more bytes, and so its end may stand above what came.
        if frame.offset != self.received and self.broken is None:
            raise Violation(f"an end at {frame.offset}, not at {self.received}")
        self.come |= flag
        self.ack_now = True
        if self.mute():
            self.kept.clear()
        self.settle()
        self.deliver()

    def on_refusal(self):
        self.reset_game()
        self.forget()

    def on_standing(self, frame):
        if frame.received > self.most_sent:
            raise Violation(f"{frame.received} bytes received, {self.most_sent} were sent")
        if frame.flags & (FLAG_FIN | FLAG_RST) & ~self.ends_ever_sent:
            raise Violation("an end received that was not sent")
        if frame.received > self.acked:
            del self.kept[:frame.received - self.acked]
            self.acked = frame.received
            self.sent = max(self.sent, self.acked)
        self.credit = max(self.credit, frame.limit)
        self.theirs |= frame.flags
        if self.mute():
            self.kept.clear()
        self.settle()
        self.read_game()
        self.deliver()

    def resume(self):
        """A new transport: all from `acked` on is sent again, an ACK first."""
        self.sent, self.ends_sent, self.opened = self.acked, 0, self.heard
        self.ack_now = self.heard

    # Frames to the host.

    def ack(self):
        standing = self.standing()
        self.ack_now, self.ack_since = False, None
        self.acked_received, self.granted = self.received, self.limit - self.received
        return write("ACK", **standing)

    def ack_due(self, now):
        late = self.ack_since is not None and now - self.ack_since >= ACK_WITHIN_SECONDS
        return self.opened and (self.ack_now or late)

    def pending(self):
        return 0 if self.mute() else min(self.end(), self.credit) - self.sent

    def end_due(self):
        """The flag of the end that is to be sent now, if any."""
        flag = FLAG_FIN if self.broken is None else FLAG_RST
        due = self.ended and self.sent == self.end() and not self.mute()
        return flag if due and not (self.ends_sent | self.theirs) & flag else 0

    def wants(self):
        return not self.opened or self.pending() > 0 or self.end_due()

    def frame(self):
        """The next frame of those that `wants` speaks of; an ACK that is owed goes with it."""
        if not self.opened:
            self.opened = True
            return write("OPEN", channel=self.number, service=self.service)
        ack = self.ack() if self.ack_since is not None else b""
        if self.pending() > 0:
            size = min(self.pending(), DATA_BYTES)
            at = self.sent - self.acked
            data = write("DATA", channel=self.number, offset=self.sent, bytes=bytes(self.kept[at:at + size]))
            self.sent += size
            self.most_sent = max(self.most_sent, self.sent)
            return ack + data
        flag = self.end_due()
        self.ends_sent |= flag
        self.ends_ever_sent |= flag
        if flag == FLAG_FIN:
            return ack + write("FIN", channel=self.number, offset=self.sent)
        return ack + write("RST", channel=self.number, offset=self.sent, code=self.broken)

    # The game.

    def room(self):
        left = LINK_BYTES - sum(len(channel.kept) for channel in self.link.alive)
        return min(CHANNEL_BYTES, max(len(self.kept) + left, FIRST_LIMIT)) - len(self.kept)

    def watch(self):
        if self.sock is None or self.parked:
            return
        reads = not self.ended and not self.mute() and self.room() > 0
        events = (select.EPOLLIN if reads else 0) | (select.EPOLLOUT if self.to_game else 0)
        self.link.loop.watch(self.sock, events, self.on_game)

    def on_game(self, events):
        if events & (select.EPOLLERR | select.EPOLLHUP):
            # It is over with this connection, though there may be something to read; epoll would not stop
            # to say so. From here on it is read when there is room.
            self.link.loop.forget(self.sock)
            self.parked = True
            code = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                self.game_broke(code)
        self.deliver()
        self.read_game()

    def read_game(self):
        while self.sock is not None and not self.ended and not self.mute() and (room := self.room()) > 0:
            try:
                data = self.sock.recv(min(room, READ_BYTES))
            except BlockingIOError:
                break
            except OSError as error:
                self.ended = True
                self.game_broke(error.errno)
                break
            self.kept += data
            self.ended = not data
        self.close_game()
        self.watch()

    def deliver(self):
        try:
            while self.sock is not None and self.to_game:
                size = self.sock.send(self.to_game[:READ_BYTES])
                del self.to_game[:size]
                self.taken += size
                # Credit that the game gave back is told too, or a host that used it up would wait for ever.
                self.ack_since = self.ack_since or self.link.now
        except BlockingIOError:
            pass
        except OSError as error:
            self.game_broke(error.errno)
        if self.sock is not None and not self.to_game and self.come & FLAG_FIN and not self.shut and not self.breaks:
            self.shut = True
            try:
                self.sock.shutdown(socket.SHUT_WR)
            except OSError as error:
                self.game_broke(error.errno)
        self.close_game()
        self.watch()

    def game_broke(self, code):
        """The game's connection was reset: what is on its way to it is thrown away, what it sent is not."""
        self.taken += len(self.to_game)
        self.to_game.clear()
        if self.done:
            self.reset_game()
        elif self.broken is None:
            self.broken = RST_DEAD if code == errno.ETIMEDOUT else RST_RESET
            self.ack_now = True
            self.settle()
        self.read_game()

    def close_game(self):
        """Closes the game's connection if nothing more is to come or go."""
        if self.sock is None or self.to_game:
            return
        if self.breaks:
            # A reset throws away what the system has not delivered yet: `tick` comes back for it.
            if struct.unpack("i", fcntl.ioctl(self.sock, termios.TIOCOUTQ, bytes(4)))[0] == 0:
                self.reset_game()
        elif self.broken is not None and (self.ended or self.mute()):
            self.reset_game()
        elif self.shut and self.ended:
            self.shut_game()

    def reset_game(self):
        if self.sock is not None:
            reset_on_close(self.sock)
            self.shut_game()
        self.to_game.clear()

    def shut_game(self):
        if not self.parked:
            self.link.loop.forget(self.sock)
        self.sock.close()
        self.sock = None
        self.bury()

    def tick(self):
        if self.parked:
            self.read_game()
        self.close_game()
        self.watch()


def reset_on_close(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
