//! Whatever comes to an open port: the listener lives, honest players notice nothing, and nothing is kept
//! of it.

#![allow(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test makes its own games and players"
)]

mod support;

use std::net::{Ipv6Addr, SocketAddr};
use std::time::Duration;

use support::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant, timeout};
use via6_core::limits::{UNATTACHED_MAX, UNATTACHED_PER_PREFIX};
use via6_sealed::Transports;

/// Bytes of this process's memory that are its own and in use.
#[cfg(target_os = "linux")]
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    kib.unwrap().parse::<u64>().unwrap() * 1024
}

/// An honest player, and how long an echo takes it at worst while `attack` goes on.
async fn worst_while(game: &mut TcpStream, attack: impl Future<Output = ()>) -> Duration {
    let mut worst = Duration::ZERO;
    let mut attack = std::pin::pin!(attack);
    loop {
        let began = Instant::now();
        say(game, b"are you there?").await;
        worst = worst.max(began.elapsed());
        if timeout(Duration::from_millis(5), attack.as_mut())
            .await
            .is_ok()
        {
            return worst;
        }
    }
}

fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    std::iter::repeat_with(next).take(len).collect()
}

#[tokio::test]
async fn garbage_and_slow_handshakes_harm_nobody() {
    let ground = Ground::default();
    let hosting = Hosting::start(&ground, echo_game().await);
    let at = hosting.host.listener();
    for kind in BOTH {
        let joining = Joining::start(&ground, &hosting, Transports::Only(kind));
        joining.attached().await;
        let mut game = TcpStream::connect(joining.address).await.unwrap();
        say(&mut game, b"before").await;
        let attack = async {
            let udp = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).await.unwrap();
            let mut open = Vec::new();
            for n in 0..400u64 {
                // A datagram that looks like the beginning of a QUIC connection, as far as it is true.
                let mut datagram = noise(1200, n);
                datagram[..5].copy_from_slice(&[0xc0, 0, 0, 0, 1]);
                let _ = udp.send_to(&datagram, at).await;
                let _ = udp.send_to(&noise(7, n), at).await;
                let mut tcp = TcpStream::connect(at).await.unwrap();
                let _ = tcp.write_all(&noise(50, n)).await;
                // Half of them stay, and say nothing more.
                if n % 2 == 0 {
                    open.push(tcp);
                }
            }
        };
        let worst = worst_while(&mut game, attack).await;
        assert!(worst < Duration::from_secs(2), "{kind}: {worst:?}");
        say(&mut game, b"after").await;
        joining.joiner.close();
        soon("the end", joining.ended).await.unwrap();
    }
    assert_eq!(hosting.told.count("Attached"), 2);
}

/// Over TCP a handshake that is only begun costs the attacker a connection, and us at most a place among
/// those that wait. Here all of them are of one home, which has few.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn ten_thousand_half_open_handshakes_are_bounded() {
    let ground = Ground::default();
    let hosting = Hosting::start(&ground, echo_game().await);
    let at = hosting.host.listener();
    let joining = Joining::start(&ground, &hosting, Transports::Any);
    joining.attached().await;
    let mut game = TcpStream::connect(joining.address).await.unwrap();
    say(&mut game, b"before").await;
    let before = memory();
    let mut worst = Duration::ZERO;
    let mut open = std::collections::VecDeque::new();
    for n in 0..10_000u64 {
        let mut tcp = TcpStream::connect(at).await.unwrap();
        // The beginning of a ClientHello that never goes on.
        let _ = tcp.write_all(&[22, 3, 1, 2, 0, 1, 0, 1, 252]).await;
        open.push_back(tcp);
        if open.len() > 400 {
            open.pop_front();
        }
        if n % 100 == 0 {
            let began = Instant::now();
            say(&mut game, b"are you there?").await;
            worst = worst.max(began.elapsed());
        }
    }
    let grown = memory().saturating_sub(before);
    assert!(grown < 32 << 20, "{} KiB", grown / 1024);
    assert!(worst < Duration::from_secs(2), "{worst:?}");
    // Those that came first were sent away for those that came last.
    let mut first = open.pop_front().unwrap();
    let gone = soon("an end", first.read(&mut [0; 64])).await;
    assert!(matches!(gone, Ok(0) | Err(_)), "{gone:?}");
    const { assert!(UNATTACHED_PER_PREFIX < UNATTACHED_MAX && UNATTACHED_MAX < 400) };
}

/// The same over UDP, with datagrams that a real client begins a connection with, from many ports.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn ten_thousand_first_datagrams_are_bounded() {
    let ground = Ground::default();
    let hosting = Hosting::start(&ground, echo_game().await);
    let at = hosting.host.listener();
    let first = first_datagram().await;
    let joining = Joining::start(&ground, &hosting, Transports::Any);
    joining.attached().await;
    let mut game = TcpStream::connect(joining.address).await.unwrap();
    say(&mut game, b"before").await;
    let before = memory();
    let attack = async {
        for _ in 0..500 {
            let udp = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).await.unwrap();
            for _ in 0..20 {
                let _ = udp.send_to(&first, at).await;
            }
            tokio::task::yield_now().await;
        }
    };
    let worst = worst_while(&mut game, attack).await;
    let grown = memory().saturating_sub(before);
    assert!(grown < 32 << 20, "{} KiB", grown / 1024);
    assert!(worst < Duration::from_secs(2), "{worst:?}");
    say(&mut game, b"after").await;
    // And a newcomer gets in all the same.
    let invite = hosting.invite();
    let new = Joining::start_as(&ground, invite, Transports::Any, "bob", [3; 32]);
    new.attached().await;
}

/// What a joiner sends first, to a port where nobody answers.
async fn first_datagram() -> Vec<u8> {
    let ground = Ground::default();
    let ear = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).await.unwrap();
    let SocketAddr::V6(at) = ear.local_addr().unwrap() else {
        panic!("an IPv6 address");
    };
    let other = Hosting::start_at(&ground, at.into(), 0, [5; 32]);
    let invite = other.invite_to(vec![Ipv6Addr::LOCALHOST], at.port());
    let joining = Joining::start_as(&ground, invite, Transports::Any, "carol", [6; 32]);
    let mut buffer = vec![0; 2048];
    let (len, _) = soon("a datagram", ear.recv_from(&mut buffer))
        .await
        .unwrap();
    joining.joiner.close();
    buffer.truncate(len);
    let is_long = buffer.first().is_some_and(|first| first & 0xc0 == 0xc0);
    assert!(len >= 1200 && is_long, "no Initial packet");
    buffer
}
