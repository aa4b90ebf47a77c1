//! The row about forged senders: an open host must not be an amplifier, and a player who was there
//! before must not notice.
//!
//! Runs in a network namespace of its own, where any address of a documentation prefix can be
//! bound: the forged senders are real sockets, so what arrives at the victims can be counted. They
//! never answer a reply.

use std::collections::HashMap;
use std::net::{Ipv6Addr, SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, SockRef, Socket, Type};
use via6_core::limits;

use super::closing::joined;
use crate::chain::{Protocol, Relays, Setup};
use crate::failure::{During, Outcome, ensure};
use crate::process::Start;
use crate::rows::Note;
use crate::scene::Case;
use crate::system;

/// Where the host listens, where an honest player and a late one play from.
const LINK: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 1);
const HONEST: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, 1);
const LATE: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 3, 0, 0, 0, 0, 1);

/// Forged senders: so many /64 times so many addresses in each.
const PREFIXES: u16 = 10;
const SENDERS: u16 = 60;

/// What each of them sends: fewer than the datagrams that would prove somebody. With the pauses
/// between bursts it makes some 400 a second, which the game server's own queue survives.
const REQUESTS: usize = 2;
const REQUEST_BYTES: usize = 1000;
const BURST: usize = 8;
const BURST_PAUSE: Duration = Duration::from_millis(20);

/// What the game server answers each of them: 64 KB.
const ANSWER_DATAGRAMS: usize = 54;
const ANSWER_BYTES: usize = 1200;

/// An honest player's round trips go on at this pace, and each may take this long.
const TICK: Duration = Duration::from_millis(30);
const PATIENCE: Duration = Duration::from_secs(2);

/// No victim, and no /64 of victims, gets more than the limits say.
pub(super) fn flood(case: &Case<'_>) -> Outcome<Note> {
    thread::scope(|scope| {
        // A thread of its own, because the namespace stays with the thread.
        joined(scope.spawn(|| {
            system::enter_own_network()?;
            for address in [LINK, HONEST, LATE] {
                system::ip(&format!("-6 addr add {address}/128 dev lo nodad"))?;
                wait_until_routed(address)?;
            }
            system::ip("-6 route add local 2001:db8:bad::/48 dev lo")?;
            flood_inside(case)
        }))
    })
}

/// The system makes an address's route some time after the address. Until then datagrams to it are
/// refused, and a socket that has met that may keep meeting it.
fn wait_until_routed(address: Ipv6Addr) -> Outcome {
    system::wait_for(PATIENCE, "an address to be routed", || {
        let socket = UdpSocket::bind((address, 0)).during("binding a new address")?;
        let own = socket.local_addr().during("reading its address")?;
        socket.set_read_timeout(Some(TICK)).during("read timeout")?;
        let arrived = socket
            .send_to(&[PING], own)
            .and_then(|_| socket.recv(&mut [0]));
        Ok(arrived.is_ok().then_some(()))
    })
}

fn flood_inside(case: &Case<'_>) -> Outcome<Note> {
    let game = UdpSocket::bind("127.0.0.1:0").during("binding the game")?;
    let address = game.local_addr().during("reading the game's address")?;
    thread::scope(|scope| {
        let server = scope.spawn(|| amplify(&game));
        let outcome = attack(case, address);
        let stop = UdpSocket::bind("127.0.0.1:0").during("binding")?;
        stop.send_to(&[STOP], address).during("stopping the game")?;
        joined(server)?;
        outcome
    })
}

fn attack(case: &Case<'_>, game: SocketAddr) -> Outcome<Note> {
    let mut relays = Relays::start(&Setup {
        program: case.program,
        chain: case.chain,
        protocol: Protocol::Udp,
        game,
        link: LINK,
        start: Start::default(),
    })?;
    let honest = player(HONEST, relays.entry)?;
    (0..10)
        .try_for_each(|_| round_trip(&honest))
        .during("before the flood")?;
    let victims = forged_senders(relays.link)?;
    let begin = Instant::now();
    let lost = thread::scope(|scope| -> Outcome<u32> {
        let flooding = scope.spawn(|| flood_from(&victims));
        let mut lost = 0;
        while !flooding.is_finished() {
            lost += u32::from(round_trip(&honest).is_err());
            thread::sleep(TICK);
        }
        joined(flooding)?;
        Ok(lost)
    })?;
    let ratio = ensure_bounded(&victims, begin)?;
    ensure!(lost == 0, "the honest player lost {lost} round trips");
    let late = player(LATE, relays.entry)?;
    system::wait_for(
        PATIENCE,
        "a new player to be served after the flood",
        || Ok(round_trip(&late).ok()),
    )?;
    relays
        .via6s
        .iter_mut()
        .try_for_each(crate::process::Via6::stop)?;
    Ok(Note(format!("victims got {ratio:.1} x what was sent")))
}

/// First byte of a datagram, which tells the game server what to do.
const ASK_MUCH: u8 = b'A';
const PING: u8 = b'P';
const STOP: u8 = b'S';

/// A game server that answers a stranger's question with 64 KB.
fn amplify(game: &UdpSocket) -> Outcome {
    let mut buffer = [0; 2048];
    loop {
        // An error here is a refusal that comes back for an earlier answer.
        let Ok((len, from)) = game.recv_from(&mut buffer) else {
            continue;
        };
        // Answers to somebody who is gone are refused, which is nobody's loss.
        match buffer[0] {
            PING => drop(game.send_to(&buffer[..len], from)),
            ASK_MUCH => {
                (0..ANSWER_DATAGRAMS).for_each(|_| drop(game.send_to(&[0; ANSWER_BYTES], from)));
            }
            _ => return Ok(()),
        }
    }
}

fn player(address: Ipv6Addr, entry: SocketAddr) -> Outcome<UdpSocket> {
    let own = if entry.is_ipv6() {
        SocketAddr::from((address, 0))
    } else {
        SocketAddr::from(([127, 0, 0, 1], 0))
    };
    let socket = UdpSocket::bind(own).during(format!("binding {own}"))?;
    socket
        .connect(entry)
        .during(format!("connecting to {entry}"))?;
    socket
        .set_read_timeout(Some(PATIENCE))
        .during("read timeout")?;
    Ok(socket)
}

fn round_trip(player: &UdpSocket) -> Outcome {
    player.send(&[PING; 64]).during("the player sends")?;
    let len = player.recv(&mut [0; 128]).during("the player receives")?;
    ensure!(len == 64, "{len} bytes came back of 64");
    Ok(())
}

/// One socket for each forged sender, with its prefix's number.
fn forged_senders(host: SocketAddr) -> Outcome<Vec<(u16, UdpSocket)>> {
    let mut sockets = Vec::new();
    for prefix in 0..PREFIXES {
        for sender in 1..=SENDERS {
            let address = Ipv6Addr::new(0x2001, 0xdb8, 0xbad, prefix, 0, 0, 0, sender);
            let socket = Socket::new(Domain::IPV6, Type::DGRAM, None).during("a socket")?;
            socket.set_freebind_v6(true).during("IPV6_FREEBIND")?;
            let own = SocketAddr::from((address, 0));
            socket.bind(&own.into()).during(format!("binding {own}"))?;
            socket
                .connect(&host.into())
                .during("connecting to the host")?;
            SockRef::from(&socket)
                .set_nonblocking(true)
                .during("nonblocking")?;
            sockets.push((prefix, socket.into()));
        }
    }
    Ok(sockets)
}

fn flood_from(senders: &[(u16, UdpSocket)]) -> Outcome {
    let mut request = [0; REQUEST_BYTES];
    request[0] = ASK_MUCH;
    for _ in 0..REQUESTS {
        for burst in senders.chunks(BURST) {
            for (_, sender) in burst {
                sender.send(&request).during("a forged sender sends")?;
            }
            thread::sleep(BURST_PAUSE);
        }
    }
    Ok(())
}

/// Counts what arrived at each victim, until nothing more comes, and holds it against the limits.
fn ensure_bounded(victims: &[(u16, UdpSocket)], begin: Instant) -> Outcome<f64> {
    let mut by_victim = vec![0_u64; victims.len()];
    let mut by_prefix: HashMap<u16, u64> = HashMap::new();
    let mut quiet_since = Instant::now();
    while quiet_since.elapsed() < Duration::from_millis(300) {
        for ((prefix, socket), got) in victims.iter().zip(&mut by_victim) {
            while let Ok(len) = socket.recv(&mut [0; 2048]) {
                *got += len as u64;
                *by_prefix.entry(*prefix).or_default() += len as u64;
                quiet_since = Instant::now();
            }
        }
        // That nothing more comes shows in time only.
        thread::sleep(Duration::from_millis(10));
    }
    let each_sent = (REQUESTS * REQUEST_BYTES) as u64;
    let most = each_sent * limits::UNPROVEN_FACTOR + limits::UNPROVEN_ALLOWANCE;
    let worst = by_victim.iter().copied().max().unwrap_or(0);
    ensure!(
        worst <= most,
        "a victim got {worst} bytes, at most {most} allowed"
    );
    let rate = limits::UNPROVEN_RATE_PER_PREFIX;
    let seconds = begin.elapsed().as_secs() + 1;
    let most = u64::from(rate.burst) + u64::from(rate.per_second) * seconds;
    let worst = by_prefix.values().copied().max().unwrap_or(0);
    ensure!(
        worst <= most,
        "a /64 got {worst} bytes in {seconds} s, at most {most} allowed"
    );
    let total: u64 = by_victim.iter().sum();
    ensure!(
        total > 0,
        "no victim got anything: the flood never reached the game"
    );
    #[allow(clippy::cast_precision_loss, reason = "a ratio for people")]
    let ratio = total as f64 / (each_sent * victims.len() as u64) as f64;
    Ok(ratio)
}
