//! A game that says nothing: its port, both protocols, and what it can see of who plays.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use via6_lab::wire;

use super::PATIENCE;

/// How long a datagram may be on its way within this computer before another is sent.
pub const SOON: Duration = Duration::from_millis(500);

/// A game server with a listener and a socket on the same port.
#[derive(Debug)]
pub struct Game {
    /// Where sessions come in.
    pub tcp: TcpListener,
    /// Where flows come in.
    pub udp: UdpSocket,
    /// Where it is.
    pub address: SocketAddr,
}

impl Game {
    /// On a free port of this address.
    pub fn on(ip: &str) -> Self {
        let ip: IpAddr = ip.parse().expect("an address");
        // What is free for TCP may be taken for UDP; then the next one.
        for _ in 0..16 {
            let tcp = TcpListener::bind((ip, 0)).expect("a free port");
            let address = tcp.local_addr().expect("its address");
            if let Ok(udp) = UdpSocket::bind(address) {
                udp.set_read_timeout(Some(SOON)).expect("a time-out");
                return Self { tcp, udp, address };
            }
        }
        panic!("no port is free for both protocols");
    }

    /// A player comes in at `entry`, is seen by the game, and hears from it.
    pub fn is_reached(&self, entry: SocketAddr, protocol: &str) {
        if protocol == "tcp" {
            self.session(entry);
        } else {
            self.flow(entry);
        }
    }

    /// A session through `entry`: the player's end and the game's, after a word each way.
    pub fn session(&self, entry: SocketAddr) -> (TcpStream, TcpStream) {
        let mut player = wire::connect(entry).expect("a connection");
        player.write_all(b"hello").expect("writing");
        let mut game = wire::accept(&self.tcp, PATIENCE).expect("a player");
        hears(&mut game, b"hello");
        game.write_all(b"welcome").expect("writing");
        hears(&mut player, b"welcome");
        (player, game)
    }

    /// A flow through `entry`: the player's socket, after a datagram each way.
    pub fn flow(&self, entry: SocketAddr) -> UdpSocket {
        let player = player_of(entry);
        let mut buffer = [0; 16];
        let (len, from) = persistently(|| greet(&player), || heard(&self.udp, &mut buffer));
        assert_eq!(&buffer[..len], b"hello");
        let welcome = || {
            self.udp.send_to(b"welcome", from).expect("sending");
        };
        let (len, _) = persistently(welcome, || heard(&player, &mut buffer));
        assert_eq!(&buffer[..len], b"welcome");
        player
    }

    /// A flow that is there goes on in both directions.
    pub fn still_flows(&self, player: &UdpSocket) {
        let mut buffer = [0; 16];
        let (_, from) = persistently(|| greet(player), || heard(&self.udp, &mut buffer));
        let welcome = || {
            self.udp.send_to(b"welcome", from).expect("sending");
        };
        persistently(welcome, || heard(player, &mut buffer));
    }

    /// Nobody has connected so far and nobody has sent anything.
    pub fn is_untouched(&self) -> bool {
        let none = |error: std::io::Error| error.kind() == ErrorKind::WouldBlock;
        self.tcp.set_nonblocking(true).expect("an option");
        self.udp.set_nonblocking(true).expect("an option");
        let nobody = self.tcp.accept().is_err_and(none);
        nobody && self.udp.recv_from(&mut [0]).is_err_and(none)
    }
}

/// A socket that talks to `entry` alone, so that it hears of a closed port.
pub fn player_of(entry: SocketAddr) -> UdpSocket {
    let any = if entry.is_ipv6() {
        "[::]:0"
    } else {
        "0.0.0.0:0"
    };
    let socket = UdpSocket::bind(any).expect("a socket");
    socket.connect(entry).expect("a route");
    socket.set_read_timeout(Some(SOON)).expect("a time-out");
    socket
}

/// Sends a datagram.
pub fn greet(player: &UdpSocket) {
    player.send(b"hello").expect("sending");
}

/// Receives a datagram, if there is one soon.
fn heard(socket: &UdpSocket, buffer: &mut [u8]) -> Option<(usize, SocketAddr)> {
    match socket.recv_from(buffer) {
        Ok(heard) => Some(heard),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => None,
        Err(error) => panic!("receiving: {error}"),
    }
}

/// Does `it` and waits [`SOON`] for its effect, again and again: an overloaded system may lose a
/// datagram, even within the computer.
pub fn persistently<T>(it: impl Fn(), mut effect: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        it();
        if let Some(seen) = effect() {
            return seen;
        }
    }
    panic!("no effect in time");
}

/// Reads exactly these bytes.
pub fn hears(stream: &mut TcpStream, bytes: &[u8]) {
    let mut heard = vec![0; bytes.len()];
    stream.read_exact(&mut heard).expect("the other side");
    assert_eq!(heard, bytes);
}

/// A session that is there goes on in both directions.
pub fn is_carried(player: &mut TcpStream, game: &mut TcpStream) {
    player.write_all(b"more").expect("writing");
    hears(game, b"more");
    game.write_all(b"and more").expect("writing");
    hears(player, b"and more");
}

/// Nothing listens there for this protocol.
pub fn is_refused(entry: SocketAddr, protocol: &str) {
    let error = if protocol == "tcp" {
        TcpStream::connect(entry).expect_err("a listener where none should be")
    } else {
        let player = player_of(entry);
        player.send(b"hello").expect("sending");
        player.recv(&mut [0; 16]).expect_err("an answer")
    };
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

/// A port that is free for both protocols, outside the range that systems give away themselves.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + u16::try_from(std::process::id() % 5000).unwrap_or(0);
    for _ in 0..100 {
        let port = first + NEXT.fetch_add(1, Ordering::Relaxed);
        let free = |ip: &str| {
            let at = (ip.parse::<IpAddr>().expect("an address"), port);
            TcpListener::bind(at).is_ok() && UdpSocket::bind(at).is_ok()
        };
        if free("::") && free("0.0.0.0") {
            return port;
        }
    }
    panic!("a hundred ports are taken");
}
