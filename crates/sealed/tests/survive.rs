//! What a session survives, byte for byte, and what it does not.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test makes its own games and players"
)]

mod support;

use std::net::Ipv6Addr;
use std::time::Duration;

use support::path::Path;
use support::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use via6_core::frame::{Closed, Refusal};
use via6_sealed::{JoinEnd, Kind, Transports};

/// How long TCP is cut, and is there again.
const CUT: Duration = Duration::from_millis(60);

/// A host and a joiner with a path between them.
async fn with_path(ground: &Ground, transports: Transports) -> (Hosting, Path, Joining) {
    let hosting = Hosting::start(ground, echo_game().await);
    let path = Path::to(hosting.host.listener());
    let invite = hosting.invite_to(vec![Ipv6Addr::LOCALHOST], path.port);
    let joining = Joining::start_as(ground, invite, transports, "alice", [2; 32]);
    joining.attached().await;
    (hosting, path, joining)
}

/// Sends so many bytes and reads them back, while `meanwhile` happens; then the session goes on.
async fn echoed(address: std::net::SocketAddr, bytes: usize, meanwhile: impl Future<Output = ()>) {
    let mut game = TcpStream::connect(address).await.unwrap();
    say(&mut game, b"first").await;
    let pattern: Vec<u8> = (0..=250u8).cycle().take(bytes).collect();
    let (mut read, mut write) = game.split();
    let sent = async { write.write_all(&pattern).await.unwrap() };
    let mut heard = vec![0; bytes];
    let came = async {
        read.read_exact(&mut heard).await.unwrap();
    };
    let all = async { tokio::join!(sent, came, meanwhile) };
    soon("all bytes", all).await;
    assert!(heard == pattern, "bytes differ");
    say(&mut game, b"last").await;
}

#[tokio::test]
async fn tls_connections_break_and_no_byte_is_lost() {
    let ground = Ground::default();
    let (hosting, path, joining) = with_path(&ground, Transports::Only(Kind::Tls)).await;
    echoed(joining.address, 20_000_000, async {
        for _ in 0..5 {
            // How long a cut lasts, and how long it stays away.
            sleep(CUT).await;
            path.pass_tcp(false);
            sleep(CUT).await;
            path.pass_tcp(true);
        }
    })
    .await;
    assert!(hosting.told.count("Attached") > 1, "it was never cut");
}

#[tokio::test]
async fn a_path_that_swallows_all_is_survived() {
    let ground = Ground::default();
    let (_hosting, path, joining) = with_path(&ground, Transports::Only(Kind::Quic)).await;
    echoed(joining.address, 5_000_000, async {
        // Well into the download.
        sleep(Duration::from_millis(50)).await;
        path.pass_udp(false);
        // Longer than it takes to be suspect.
        sleep(Duration::from_secs(4)).await;
        path.pass_udp(true);
    })
    .await;
}

#[tokio::test]
async fn where_quic_is_blocked_in_the_middle_tls_goes_on() {
    let ground = Ground::default();
    let (hosting, path, joining) = with_path(&ground, Transports::Any).await;
    assert_eq!(joining.joiner.look().carried.unwrap().0, Kind::Quic);
    echoed(joining.address, 5_000_000, async {
        // Well into the download.
        sleep(Duration::from_millis(50)).await;
        path.pass_udp(false);
        until("over TLS", || hosting.told.has("Tls")).await;
    })
    .await;
    assert_eq!(joining.joiner.look().carried.unwrap().0, Kind::Tls);
    assert!(joining.told.has("Lost"), "nobody was told");
}

#[tokio::test]
async fn a_host_that_was_restarted_resets_games_and_takes_new_ones() {
    let ground = Ground::default();
    let game = echo_game().await;
    let hosting = Hosting::start(&ground, game);
    let port = hosting.host.listener().port();
    let joining = Joining::start(&ground, &hosting, Transports::Any);
    joining.attached().await;
    let mut old = TcpStream::connect(joining.address).await.unwrap();
    say(&mut old, b"here").await;
    hosting.host.close().await;
    let _ = hosting.ending.wait().await;
    let error = soon("a reset", old.read(&mut [0; 1])).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    let again = Hosting::start_at(&ground, game, port, [1; 32]);
    until("attached again", || again.told.has("Attached")).await;
    joining.attached().await;
    let mut new = TcpStream::connect(joining.address).await.unwrap();
    say(&mut new, b"here again").await;
    assert_eq!(*joining.sessions.0.lock().unwrap(), ["link-lost"]);
}

#[tokio::test]
async fn who_may_not_come_in_is_told_why() {
    let ground = Ground::default();
    let hosting = Hosting::start(&ground, echo_game().await);
    let final_codes = [
        Refusal::Invite,
        Refusal::Expired,
        Refusal::Revoked,
        Refusal::UsedUp,
        Refusal::Version,
        Refusal::Banned,
    ];
    for (n, code) in final_codes.into_iter().enumerate() {
        for kind in BOTH {
            let name = format!("{code}");
            hosting.doors.0.lock().unwrap().insert(name.clone(), code);
            let seed = [u8::try_from(n).unwrap() + 10; 32];
            let invite = hosting.invite();
            let joining = Joining::start_as(&ground, invite, Transports::Only(kind), &name, seed);
            let end = soon("an end", joining.ended).await.unwrap();
            let message = String::new();
            assert_eq!(end, JoinEnd::Refused { code, message });
            assert!(hosting.told.has("Refused { peer"));
        }
    }
    assert!(hosting.host.players().is_empty());
}

#[tokio::test]
async fn who_is_sent_away_goes_at_once_and_the_others_stay() {
    let ground = Ground::default();
    let hosting = Hosting::start(&ground, echo_game().await);
    let invite = hosting.invite();
    let stays = Joining::start_as(&ground, invite.clone(), Transports::Any, "bob", [3; 32]);
    stays.attached().await;
    let mut playing = TcpStream::connect(stays.address).await.unwrap();
    say(&mut playing, b"hello").await;
    for (code, kind) in [(Closed::Kicked, Kind::Quic), (Closed::Banned, Kind::Tls)] {
        let only = Transports::Only(kind);
        let goes = Joining::start_as(&ground, invite.clone(), only, "eve", [4; 32]);
        goes.attached().await;
        let mut game = TcpStream::connect(goes.address).await.unwrap();
        say(&mut game, b"hello").await;
        let eve = hosting.host.players();
        let eve = eve.iter().find(|player| player.name == "eve").unwrap();
        assert_eq!(hosting.host.send_away(eve.identity, code, "enough"), 1);
        let message = "enough".to_owned();
        let end = soon("an end", goes.ended).await.unwrap();
        assert_eq!(end, JoinEnd::SentAway { code, message });
        let error = soon("a reset", game.read(&mut [0; 1])).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
    say(&mut playing, b"still here").await;
    assert_eq!(hosting.host.players().len(), 1);
}

#[tokio::test]
async fn a_joiner_that_starts_again_replaces_its_silent_self() {
    let ground = Ground::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hosting = Hosting::start(&ground, listener.local_addr().unwrap());
    let path = Path::to(hosting.host.listener());
    let invite = hosting.invite_to(vec![Ipv6Addr::LOCALHOST], path.port);
    let quic = Transports::Only(Kind::Quic);
    let first = Joining::start_as(&ground, invite, quic, "alice", [2; 32]);
    first.attached().await;
    let mut game = TcpStream::connect(first.address).await.unwrap();
    game.write_all(b"x").await.unwrap();
    let (mut ghost, _) = soon("a dial", listener.accept()).await.unwrap();
    assert_eq!(ghost.read_u8().await.unwrap(), b'x');
    // As if its computer had lost power.
    path.pass_udp(false);
    until("silent", || hosting.host.players()[0].is_suspect).await;
    let second = Joining::start_as(&ground, hosting.invite(), quic, "alice", [2; 32]);
    second.attached().await;
    let error = soon("a reset", ghost.read(&mut [0; 1])).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    assert_eq!(hosting.host.players().len(), 1);
    assert!(hosting.told.has("Replaced"));
}

#[tokio::test]
async fn another_host_at_the_address_is_seen_through() {
    let ground = Ground::default();
    let hosting = Hosting::start(&ground, echo_game().await);
    let port = hosting.host.listener().port();
    let impostor = Hosting::start_at(&ground, echo_game().await, 0, [9; 32]);
    let invite = impostor.invite_to(vec![Ipv6Addr::LOCALHOST], port);
    let joining = Joining::start_as(&ground, invite, Transports::Any, "alice", [2; 32]);
    until("told", || joining.told.has("OtherHost")).await;
    assert!(!hosting.told.has("Attached"));
}
