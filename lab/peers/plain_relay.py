"""A plain relay of another kind, as people write it in an evening: what via6 must get along with.

usage: plain_relay.py tcp|udp LISTEN_IP TARGET_IP TARGET_PORT     (prints the port it got)

One thread per TCP connection, `select`, 4 KiB reads; when one side ends, both are closed. So it
cuts off the other direction of a half-closed connection and turns a reset into an ordinary end.
"""

import select
import socket
import sys
import threading


def family(ip):
    return socket.AF_INET6 if ":" in ip else socket.AF_INET


def splice(client, target):
    with client, socket.create_connection(target) as upstream:
        other = {client: upstream, upstream: client}
        while True:
            for ready in select.select(list(other), [], [])[0]:
                data = ready.recv(4096)
                if not data:
                    return
                other[ready].sendall(data)


def session(client, target):
    try:
        splice(client, target)
    except OSError as error:
        print("session ended:", error, file=sys.stderr)


def relay_tcp(ip, target):
    listener = socket.create_server((ip, 0), family=family(ip), backlog=128)
    print(listener.getsockname()[1], flush=True)
    while True:
        client, _ = listener.accept()
        threading.Thread(target=session, args=(client, target), daemon=True).start()


def relay_udp(ip, target):
    listener = socket.socket(family(ip), socket.SOCK_DGRAM)
    listener.bind((ip, 0))
    listener.setblocking(False)
    print(listener.getsockname()[1], flush=True)
    flows, clients = {}, {}
    while True:
        for ready in select.select([listener, *clients], [], [])[0]:
            try:
                data, source = ready.recvfrom(65535)
                if ready is not listener:
                    listener.sendto(data, clients[ready])
                    continue
                if source not in flows:
                    flow = flows[source] = socket.socket(family(target[0]), socket.SOCK_DGRAM)
                    flow.setblocking(False)
                    flow.connect(target)
                    clients[flow] = source
                flows[source].send(data)
            except (ConnectionRefusedError, BlockingIOError):
                pass  # the game server is not running; whichever call comes first is told, once


if __name__ == "__main__":
    protocol, listen_ip, target_ip, target_port = sys.argv[1:]
    relay = {"tcp": relay_tcp, "udp": relay_udp}[protocol]
    relay(listen_ip, (target_ip, int(target_port)))
