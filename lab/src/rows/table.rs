//! What the UDP rows play at: a game server behind relays, and players who come to it.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use via6_core::reason::FlowEndReason;

use crate::chain::{Protocol, Relays, Setup};
use crate::failure::{During, Outcome, ensure, failed};
use crate::pattern::Pattern;
use crate::process::Start;
use crate::scene::Case;
use crate::system;

/// How long a datagram may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// How soon a game server that came back must be heard again.
const FOUND_AGAIN: Duration = Duration::from_secs(3);

/// A game server behind relays, and what it takes to play there.
pub(super) struct Table {
    pub(super) relays: Relays,
    pub(super) game: UdpSocket,
    address: SocketAddr,
}

impl Table {
    pub(super) fn new(case: &Case<'_>) -> Outcome<Self> {
        Self::at(SocketAddr::new(case.chain.game_ip(), 0), case)
    }

    pub(super) fn at(address: SocketAddr, case: &Case<'_>) -> Outcome<Self> {
        let game = bind(address)?;
        let address = game.local_addr().during("reading the game's address")?;
        let relays = Relays::start(&Setup {
            program: case.program,
            chain: case.chain,
            protocol: Protocol::Udp,
            game: address,
            link: Ipv6Addr::LOCALHOST,
            start: Start::default(),
        })?;
        Ok(Self {
            relays,
            game,
            address,
        })
    }

    /// Closes the game's socket; whoever sends to it is refused from now on.
    pub(super) fn stop_game(&mut self) -> Outcome {
        self.game = bind(any_port(self.address))?;
        Ok(())
    }

    pub(super) fn start_game(&mut self) -> Outcome {
        self.game = bind(self.address)?;
        Ok(())
    }

    pub(super) fn send(&self, bytes: &[u8], to: SocketAddr) -> Outcome {
        forgive_refusal(self.game.send_to(bytes, to)).during(format!("the game sends to {to}"))
    }

    /// A new player who has exchanged enough datagrams to be known as one that receives replies.
    pub(super) fn player(&self) -> Outcome<Player> {
        let entry = self.relays.entry;
        self.player_from(any_port(entry))
    }

    /// The same, at an address of its own.
    pub(super) fn player_from(&self, address: SocketAddr) -> Outcome<Player> {
        let mut player = Player::bind(address, self.relays.entry)?;
        player.send(b"hello")?;
        player.seen_as = receive(&self.game).during("the first datagram")?.1;
        self.send(b"welcome", player.seen_as)?;
        player.receive().during("the first reply")?;
        player.converse(self)?;
        Ok(player)
    }

    /// Lets the player knock until the game hears it and the player hears the answer: how long
    /// that took.
    pub(super) fn hear(&self, player: &Player) -> Outcome<Duration> {
        let start = Instant::now();
        let pause = Duration::from_millis(20);
        self.game
            .set_read_timeout(Some(pause))
            .during("read timeout")?;
        player
            .socket
            .set_read_timeout(Some(pause))
            .during("read timeout")?;
        system::wait_for(FOUND_AGAIN, "a datagram to be answered", || {
            player.send(b"knock")?;
            while let Ok((bytes, from)) = receive(&self.game) {
                if bytes == b"knock" {
                    self.send(b"come in", from)?;
                    break;
                }
            }
            Ok(matches!(player.receive(), Ok(reply) if reply == b"come in").then_some(()))
        })?;
        let took = start.elapsed();
        // What is left of the knocking goes, so that the row can go on in step.
        while receive(&self.game).is_ok() || player.receive().is_ok() {}
        self.game
            .set_read_timeout(Some(PATIENCE))
            .during("read timeout")?;
        player
            .socket
            .set_read_timeout(Some(PATIENCE))
            .during("read timeout")?;
        Ok(took)
    }

    /// Every via6 ends cleanly and then tells of this many flows, with nothing dropped.
    pub(super) fn conclude(mut self, flows: usize) -> Outcome {
        for via6 in &mut self.relays.via6s {
            via6.stop()?;
            let ended = via6.events.of("flow_ended");
            ensure!(
                ended.len() == flows,
                "{} endings of {flows} flows",
                ended.len()
            );
            for event in ended {
                let right = event["reason"] == FlowEndReason::Stopped.label();
                let right = right && event["dropped"].as_u64() == Some(0);
                ensure!(
                    right,
                    "expected reason stopped and nothing dropped: {event}"
                );
            }
        }
        Ok(())
    }
}

/// A game client.
pub(super) struct Player {
    pub(super) socket: UdpSocket,
    /// Its address as the game sees it.
    pub(super) seen_as: SocketAddr,
}

impl Player {
    pub(super) fn bind(address: SocketAddr, entry: SocketAddr) -> Outcome<Self> {
        let socket = bind(address)?;
        socket
            .connect(entry)
            .during(format!("connecting to {entry}"))?;
        Ok(Self {
            socket,
            seen_as: entry,
        })
    }

    pub(super) fn address(&self) -> Outcome<SocketAddr> {
        self.socket
            .local_addr()
            .during("reading the player's address")
    }

    pub(super) fn send(&self, bytes: &[u8]) -> Outcome {
        forgive_refusal(self.socket.send(bytes)).during("the player sends")
    }

    pub(super) fn receive(&self) -> Outcome<Vec<u8>> {
        receive(&self.socket)
            .map(|(bytes, _)| bytes)
            .during("the player receives")
    }

    /// One short datagram there and one back.
    pub(super) fn ping(&self, table: &Table) -> Outcome {
        self.send(b"ping")?;
        let (bytes, from) = receive(&table.game)?;
        ensure!(
            bytes == b"ping",
            "expected a ping, {} bytes came",
            bytes.len()
        );
        table.send(b"pong", from)?;
        let bytes = self.receive()?;
        ensure!(
            bytes == b"pong",
            "expected a pong, {} bytes came",
            bytes.len()
        );
        Ok(())
    }

    /// Several pings: enough to be taken for somebody who receives replies.
    pub(super) fn converse(&self, table: &Table) -> Outcome {
        (0..5).try_for_each(|_| self.ping(table))
    }

    /// Fails if a datagram waits that nobody sent to it.
    pub(super) fn ensure_quiet(&self) -> Outcome {
        self.socket.set_nonblocking(true).during("nonblocking")?;
        match self.socket.recv(&mut [0; 16]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            other => failed(format!("expected nothing more, saw {other:?}")),
        }
    }
}

/// A child of another row has every socket of the lab from its fork to its exec, so an address may
/// stay taken for a moment after its socket was closed.
fn bind(address: SocketAddr) -> Outcome<UdpSocket> {
    let what = format!("{address} to be free");
    let socket = system::wait_for(PATIENCE, &what, || match UdpSocket::bind(address) {
        Err(error) if error.kind() == ErrorKind::AddrInUse => Ok(None),
        bound => bound.map(Some).during(format!("binding {address}")),
    })?;
    socket
        .set_read_timeout(Some(PATIENCE))
        .during("read timeout")?;
    Ok(socket)
}

pub(super) fn any_port(like: SocketAddr) -> SocketAddr {
    SocketAddr::new(like.ip(), 0)
}

/// An address that stays free when its socket is closed for a moment: outside the range that the
/// system picks ports from, and in IPv4 a loopback address that nobody else uses.
pub(super) fn lasting(like: IpAddr) -> Outcome<SocketAddr> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Spread out, so that two runs at the same time do not march through the same ports.
    let pick = Pattern::new(std::process::id().into());
    system::wait_for(PATIENCE, "a port that is free", || {
        let bytes = pick.bytes(8 * u64::from(NEXT.fetch_add(1, Ordering::Relaxed)), 8);
        let port = 10_000 + u16::from_ne_bytes([bytes[0], bytes[1]]) % 20_000;
        let ip = match like {
            IpAddr::V4(_) => Ipv4Addr::new(127, bytes[2] | 0x80, bytes[3], bytes[4]).into(),
            IpAddr::V6(_) => like,
        };
        let address = SocketAddr::new(ip, port);
        Ok(UdpSocket::bind(address).is_ok().then_some(address))
    })
}

/// Receives one datagram, in full.
pub(super) fn receive(socket: &UdpSocket) -> Outcome<(Vec<u8>, SocketAddr)> {
    let mut buffer = vec![0; 65_536];
    loop {
        match socket.recv_from(&mut buffer) {
            Ok((len, from)) => {
                buffer.truncate(len);
                return Ok((buffer, from));
            }
            // Without a relay between them, a player sees that the game is away.
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
            Err(error) => return failed(format!("no datagram: {error}")),
        }
    }
}

fn forgive_refusal(sent: std::io::Result<usize>) -> std::io::Result<()> {
    match sent {
        Err(error) if error.kind() != ErrorKind::ConnectionRefused => Err(error),
        _ => Ok(()),
    }
}
