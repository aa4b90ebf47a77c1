"""Plays through open links from outside, on loopback: relay, host and join, errors, Ctrl-C.

Not a second copy of the Rust tests: it shows that the Windows program starts, relays whole and
ends as it should. Wine flattens a peer's RST into a clean end, so the rows about receiving one are
strict natively only.
"""

import json
import os
import socket
import tempfile
import threading
import time
import unittest

from peers import DIGEST, PAYLOAD, V4, V6, Game, UdpEcho
from peers import bound, closed_port, dial, digest_to_end, echo, reset, send_all_and_end, written
from console import Console
from program import COMMAND, DEADLINE, GLANCE, Via6, run, under_wine

BOTH_WAYS = ((V4, V6), (V6, V4))


def relay(protocol, listen, target, target_port):
    return Via6(COMMAND, "relay", protocol, written(listen, 0), written(target, target_port))


def host(protocol, game_port):
    return Via6(COMMAND, "host", "--open", str(game_port), protocol, "--listen", "[::1]:0")


def join(protocol, host_port):
    return Via6(COMMAND, "join", written(V6, host_port), protocol, "--listen", "127.0.0.1:0")


class Tcp(unittest.TestCase):
    def play(self, game, client):
        """One session through a relay, in each direction of families."""
        for listen, target in BOTH_WAYS:
            with (
                self.subTest(listen=listen[1]),
                Game(target, game) as server,
                relay("tcp", listen, target, server.port) as via6,
                dial(listen, via6.port("tcp")) as sock,
            ):
                client(sock)
                ended = via6.wait_for("session_ended")
                self.assertEqual(ended["reason"], "finished")
                server.finish()
                self.assertEqual(server.failures, [])

    def test_both_directions_at_once(self):
        uploads = []

        def game(sock):
            sender = threading.Thread(target=send_all_and_end, args=(sock,))
            sender.start()
            uploads.append(digest_to_end(sock))
            sender.join()

        def client(sock):
            sender = threading.Thread(target=send_all_and_end, args=(sock,))
            sender.start()
            self.assertEqual(digest_to_end(sock), DIGEST)
            sender.join()

        self.play(game, client)
        self.assertEqual(uploads, [DIGEST, DIGEST])

    def test_reply_after_the_client_has_ended(self):
        def game(sock):
            if digest_to_end(sock) == DIGEST:
                send_all_and_end(sock)

        def client(sock):
            send_all_and_end(sock)
            self.assertEqual(digest_to_end(sock), DIGEST)

        self.play(game, client)

    def test_upload_after_the_game_has_ended(self):
        uploads = []

        def game(sock):
            send_all_and_end(sock)
            uploads.append(digest_to_end(sock))

        def client(sock):
            self.assertEqual(digest_to_end(sock), DIGEST)
            send_all_and_end(sock)

        self.play(game, client)
        self.assertEqual(uploads, [DIGEST, DIGEST])

    def test_two_clients_keep_apart(self):
        with Game(V4, echo) as game, relay("tcp", V6, V4, game.port) as via6:
            port = via6.port("tcp")
            with dial(V6, port) as one, dial(V6, port) as two:
                for turn in range(50):
                    for sock, name in ((one, b"one"), (two, b"two")):
                        sock.sendall(name + bytes([turn]))
                    for sock, name in ((two, b"two"), (one, b"one")):
                        self.assertEqual(sock.recv(16), name + bytes([turn]))

    def test_refused_game_resets_the_client(self):
        port = closed_port(V4, socket.SOCK_STREAM)
        with relay("tcp", V6, V4, port) as via6:
            link = via6.port("tcp")
            # The reset may be quicker than `dial`.
            with self.assertRaises(ConnectionResetError), dial(V6, link) as sock:
                sock.recv(1)
            via6.wait_for("session_ended", reason="dial-failed")

    def test_reset_of_one_side_reaches_the_other(self):
        for who in ("client", "game"):
            with self.subTest(reset_by=who):
                self.reset_by(who)

    def reset_by(self, who):
        accepted, seen = threading.Event(), []

        def watch(sock):
            try:
                seen.append("end" if sock.recv(1) == b"" else "data")
            except ConnectionResetError:
                seen.append("reset")

        def game(sock):
            sock.recv(1)
            accepted.set()
            if who == "game":
                reset(sock)
            else:
                watch(sock)

        with Game(V4, game) as server, relay("tcp", V6, V4, server.port) as via6:
            with dial(V6, via6.port("tcp")) as sock:
                sock.sendall(b"x")
                self.assertTrue(accepted.wait(DEADLINE))
                if who == "client":
                    reset(sock)
                    server.finish()
                else:
                    watch(sock)
        self.assertIn(seen, [["reset"], ["end"]] if under_wine() else [["reset"]])


class Udp(unittest.TestCase):
    def test_datagrams_of_every_size(self):
        for listen, target in BOTH_WAYS:
            with (
                self.subTest(listen=listen[1]),
                UdpEcho(target) as game,
                relay("udp", listen, target, game.port) as via6,
                socket.socket(listen[0], socket.SOCK_DGRAM) as sock,
            ):
                sock.settimeout(DEADLINE)
                sock.connect((listen[1], via6.port("udp")))
                # Small ones first: three of them prove the player, large replies need that.
                for size in (1, 2, 3, 4, 0, 512, 1200, 1472, 9000, 40_000, 65_507):
                    sock.send(PAYLOAD[:size])
                    self.assertEqual(sock.recv(1 << 16), PAYLOAD[:size], f"{size} bytes")

    def test_two_players_keep_apart(self):
        with UdpEcho(V4) as game, relay("udp", V6, V4, game.port) as via6:
            port = via6.port("udp")
            players = [socket.socket(V6[0], socket.SOCK_DGRAM) for _ in range(2)]
            for sock in players:
                sock.settimeout(DEADLINE)
                sock.connect((V6[1], port))
            for turn in range(50):
                for number, sock in enumerate(players):
                    sock.send(bytes([number, turn]))
                for number, sock in enumerate(players):
                    self.assertEqual(sock.recv(16), bytes([number, turn]))
            for sock in players:
                sock.close()

    def test_game_that_starts_late(self):
        port = closed_port(V4, socket.SOCK_DGRAM)
        with (
            relay("udp", V6, V4, port) as via6,
            socket.socket(V6[0], socket.SOCK_DGRAM) as sock,
        ):
            sock.connect((V6[1], via6.port("udp")))
            sock.send(b"nobody hears this")
            via6.wait_for("flow_opened")
            sock.send(b"nor this")
            with UdpEcho(V4, port):
                # Lost datagrams are the game's own to repeat, so this repeats them too.
                sock.settimeout(1.0)
                for _ in range(int(DEADLINE)):
                    sock.send(b"hello")
                    try:
                        if sock.recv(32) == b"hello":
                            return
                    except TimeoutError:
                        continue
                self.fail("the flow never recovered")


class HostAndJoin(unittest.TestCase):
    def test_a_game_through_both(self):
        with Game(V4, echo) as game:
            with host("--tcp", game.port) as hosting:
                with join("--tcp", hosting.port("tcp")) as joined:
                    with dial(V4, joined.port("tcp")) as sock:
                        sender = threading.Thread(target=send_all_and_end, args=(sock,))
                        sender.start()
                        self.assertEqual(digest_to_end(sock), DIGEST)
                        sender.join()
                    self.assertEqual(joined.wait_for("session_ended")["reason"], "finished")
                    self.assertEqual(hosting.wait_for("session_ended")["bytes_up"], len(PAYLOAD))

    def test_a_udp_game_through_both(self):
        with UdpEcho(V4) as game:
            with host("--udp", game.port) as hosting:
                with join("--udp", hosting.port("udp")) as joined:
                    with socket.socket(V4[0], socket.SOCK_DGRAM) as sock:
                        sock.settimeout(DEADLINE)
                        sock.connect((V4[1], joined.port("udp")))
                        for size in (1, 2, 3, 1200, 0, 1400):
                            sock.send(PAYLOAD[:size])
                            self.assertEqual(sock.recv(1 << 16), PAYLOAD[:size])


class Together(unittest.TestCase):
    """Several via6 with one state folder talk over a named pipe."""

    def setUp(self):
        self.home = tempfile.TemporaryDirectory()
        self.addCleanup(self.home.cleanup)

    def via6(self, *arguments):
        return Via6(COMMAND, *arguments, state=self.home.name)

    def ask(self, *arguments):
        return run(COMMAND, *arguments, state=self.home.name)

    def test_a_second_hands_its_work_over_and_takes_it_back(self):
        with Game(V4, echo) as game:
            with self.via6("host", "--open", str(game.port), "--tcp", "--listen", "[::1]:0") as one:
                link = one.port("tcp")
                two = self.via6("join", written(V6, link), "--tcp", "--listen", "127.0.0.1:0")
                with two:
                    two.wait_for("handed_over")
                    with dial(V4, two.port("tcp")) as sock:
                        sock.sendall(b"hello")
                        self.assertEqual(sock.recv(16), b"hello")
                        code, out, log = self.ask("status", "--json")
                        self.assertEqual(code, 0, log)
                        entries = json.loads(out)["entries"]
                        self.assertEqual([one["name"] for one in entries], ["host", "join"])
                        self.assertEqual([one["sessions_live"] for one in entries], [1, 1])
                    one.interrupt()
                    self.assertEqual(one.exit_code(), 0)
                    two.wait_for("handed_back")
                    two.port("tcp")
                    code, out, log = self.ask("stop")
                    self.assertEqual((code, log.strip()), (0, "stopped"))
                    self.assertEqual(two.exit_code(), 0)
        code, out, log = self.ask("status")
        self.assertEqual((code, out), (1, ""))
        self.assertIn("no via6 is running here", log)

    def test_a_file_that_changes_is_read_again(self):
        path = os.path.join(self.home.name, "via6.toml")

        def write(*names):
            with open(path, "w", encoding="utf-8") as file:
                for name in names:
                    print(f'[join.{name}]\nhost = "::1"\nlisten = "127.0.0.1:0"', file=file)

        write("one")
        with self.via6("run", path) as via6:
            via6.port("tcp")
            write("one", "two")
            self.assertEqual(via6.wait_for("reloaded")["added"], ["two"])
            write("two")
            self.assertEqual(via6.wait_for("reloaded")["removed"], ["one"])
            via6.interrupt()
            self.assertEqual(via6.exit_code(), 0)


class Asking(unittest.TestCase):
    NOWHERE = ("join", "::1", "--listen", "192.0.2.7:0")

    def test_a_bare_program_asks_and_joins(self):
        with Game(V6, echo) as server, Console(COMMAND) as via6:
            via6.wait_for("host or join?")
            via6.type("maybe\r")
            via6.wait_for("`maybe` is neither.")
            via6.wait_for("host or join?")
            via6.type("j\r")
            via6.wait_for("line or address?")
            # A chat has lines around it, and the first could be a name.
            via6.type(f"hi\rvia6 join '{written(V6, server.port)}' --tcp --listen 127.0.0.1:0\r")
            via6.wait_for("connect to this address:")
            told = via6.wait_for("Press Ctrl-C to stop.")
            port = int(told.split("127.0.0.1:")[1].split()[0])
            with dial(V4, port) as sock:
                sender = threading.Thread(target=send_all_and_end, args=(sock,))
                sender.start()
                self.assertEqual(digest_to_end(sock), DIGEST)
                sender.join()
            server.finish()
            via6.type("\x03")
            self.assertEqual(via6.exit_code(), 0)
            self.assertNotIn("Press Enter", via6.text())

    def test_ctrl_c_leaves_at_a_question(self):
        with Console(COMMAND) as via6:
            via6.wait_for("host or join?")
            via6.type("\x03")
            self.assertEqual(via6.exit_code(), 130)
            self.assertNotIn("Press Enter", via6.text())

    def test_a_window_of_its_own_stays_until_enter(self):
        if not under_wine():
            self.skipTest("only Windows gives a program a window")
        with Console(COMMAND, *self.NOWHERE) as via6:
            via6.wait_for("error: cannot listen on 192.0.2.7:0")
            via6.wait_for("Press Enter to close this window.")
            via6.type("\r")
            self.assertEqual(via6.exit_code(), 1)

    def test_whoever_leaves_wants_the_window_closed(self):
        with Console(COMMAND) as via6:
            via6.wait_for("host or join?")
            via6.type("q\r")
            self.assertEqual(via6.exit_code(), 0)
            self.assertNotIn("Press Enter", via6.text())

    def test_a_window_of_a_shell_is_the_shells(self):
        if not under_wine():
            self.skipTest("only Windows gives a program a window")
        wine, *program = COMMAND
        with Console([wine, "cmd", "/c", *program], *self.NOWHERE) as via6:
            via6.wait_for("error: cannot listen on 192.0.2.7:0")
            self.assertEqual(via6.exit_code(), 1)
            self.assertNotIn("Press Enter", via6.text())


class Program(unittest.TestCase):
    def test_demo_checks_itself(self):
        code, out, log = run(COMMAND, "demo", "--check")
        self.assertEqual(code, 0, out + log)
        self.assertNotEqual(out + log, "")

    def test_mistyped_address_is_explained(self):
        code, out, log = run(COMMAND, "relay", "tcp", "[::1:0", "127.0.0.1:1")
        self.assertEqual((code, out), (2, ""), log)
        self.assertTrue(log.startswith("error: "), log)
        self.assertIn("\nhint: ", log)

    def test_taken_port_is_explained(self):
        taken, port = bound(V4, socket.SOCK_STREAM)
        with taken:
            taken.listen()
            code, out, log = run(COMMAND, "relay", "tcp", written(V4, port), "127.0.0.1:1")
        self.assertEqual((code, out), (1, ""), log)
        self.assertTrue(log.startswith(f"error: cannot listen on 127.0.0.1:{port}"), log)
        self.assertIn("in use", log)
        # Windows' own words come in the machine's language; ours are to be the same everywhere.
        self.assertNotIn("os error", log)

    def test_ctrl_c_lets_a_live_session_finish(self):
        with Game(V4, echo) as game, relay("tcp", V6, V4, game.port) as via6:
            port = via6.port("tcp")
            with dial(V6, port) as sock:
                sock.sendall(b"before")
                self.assertEqual(sock.recv(16), b"before")
                via6.interrupt()
                self.await_refusal(port)
                sock.sendall(b"after")
                self.assertEqual(sock.recv(16), b"after")
                sock.shutdown(socket.SHUT_WR)
                self.assertEqual(sock.recv(16), b"")
            self.assertEqual(via6.wait_for("drained")["cut"], 0)
            self.assertEqual(via6.exit_code(), 0)

    def await_refusal(self, port):
        """Until new connections are refused: the drain has begun."""
        for _ in range(int(DEADLINE / GLANCE)):
            try:
                dial(V6, port).close()
            except ConnectionRefusedError:
                return
            except OSError:
                pass
            time.sleep(GLANCE)
        self.fail("Ctrl-C did not stop the listener")
