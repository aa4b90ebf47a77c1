//! The joiner in Python, written from the protocol's text alone, plays through a host of this crate. Where
//! the two disagree, either the host or the text is wrong.

#![cfg(target_os = "linux")]
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test makes its own games and players, and its helpers may fail it"
)]

mod support;

use std::net::{Ipv6Addr, SocketAddr};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use support::path::Path;
use support::python::{Python, folder, is_there};
use support::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};
use via6_core::frame::{Closed, Refusal};
use via6_core::invite::{Invite, Secret};
use via6_core::limits::LINK_HOLD;
use via6_sealed::Offer;

/// A game server that the test itself plays.
struct Game(TcpListener);

impl Game {
    async fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    /// A session through the joiner: the game client's end of it, and the game server's.
    async fn session(&self, joiner: &Python) -> (TcpStream, TcpStream) {
        let mut client = TcpStream::connect(joiner.address().await).await.unwrap();
        client.write_all(b"!").await.unwrap();
        let (mut server, _) = soon("a dial", self.0.accept()).await.unwrap();
        assert_eq!(server.read_u8().await.unwrap(), b'!');
        (client, server)
    }
}

/// Bytes of which no two stretches are alike.
fn noise(seed: u32, count: usize) -> Vec<u8> {
    let mut state = u64::from(seed) + 1;
    let step = move |_| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..count).map(step).collect()
}

/// Sends all of it, and reads as much as is expected from the other side.
async fn exchange(stream: &mut TcpStream, sent: &[u8], expected: &[u8]) {
    let (mut read, mut write) = stream.split();
    let mut heard = vec![0; expected.len()];
    let both = async { tokio::join!(write.write_all(sent), read.read_exact(&mut heard)) };
    let (sending, came) = soon("all bytes", both).await;
    sending.unwrap();
    came.unwrap();
    assert!(heard == expected, "bytes differ");
}

/// Breaks a connection, after what was written.
fn reset(stream: TcpStream) {
    stream.set_zero_linger().unwrap();
    drop(stream);
}

/// What comes up to a reset.
async fn up_to_reset(stream: &mut TcpStream) -> Vec<u8> {
    let mut heard = Vec::new();
    let read = soon("a reset", stream.read_to_end(&mut heard)).await;
    let kind = read.map_err(|error| error.kind());
    assert_eq!(kind, Err(std::io::ErrorKind::ConnectionReset));
    heard
}

async fn up_to_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut heard = Vec::new();
    let read = soon("an end", stream.read_to_end(&mut heard)).await;
    read.unwrap();
    heard
}

/// The client's end of a session first, or the server's.
fn swapped<T>((client, server): (T, T), is_swapped: bool) -> (T, T) {
    if is_swapped {
        (server, client)
    } else {
        (client, server)
    }
}

/// Neither side has anything left of any session.
async fn all_forgotten(hosting: &Hosting) {
    let sessions = || {
        let players = hosting.host.players();
        players.iter().map(|one| one.sessions).sum::<usize>()
    };
    until("all forgotten", || sessions() == 0).await;
}

#[test]
fn it_reads_and_writes_the_test_vectors() {
    if !is_there() {
        return;
    }
    let tests = Command::new("python3")
        .args(["-B", "-m", "unittest", "-v"])
        .current_dir(folder())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&tests.stderr);
    assert!(tests.status.success(), "{said}");
    assert!(said.contains("test_each_vector_is_read"), "{said}");
}

#[tokio::test]
async fn every_byte_comes_through_in_both_directions() {
    if !is_there() {
        return;
    }
    let (ground, game) = (Ground::default(), Game::new().await);
    let hosting = Hosting::start(&ground, game.address());
    let joiner = Python::start(&hosting.invite(), &["--name", "alice"]);
    let (mut client, mut server) = game.session(&joiner).await;
    let attached = joiner.tells("attached").await;
    assert_eq!(attached["player"], "alice");
    assert_eq!(hosting.host.players()[0].name, "alice");
    let (up, down) = (noise(1, 5_000_000), noise(2, 5_000_000));
    tokio::join!(
        exchange(&mut client, &up, &down),
        exchange(&mut server, &down, &up)
    );
    exchange(&mut client, b"and", b"").await;
    exchange(&mut server, b"so on", b"and").await;
    exchange(&mut client, b"", b"so on").await;
    drop((client, server));
    all_forgotten(&hosting).await;
    joiner.signal(Signal::SIGTERM);
    assert_eq!(joiner.exit_code().await, 0);
    until("the host knows", || hosting.told.has("code: Stopped")).await;
}

#[tokio::test]
async fn a_reader_that_pauses_misses_nothing_and_keeps_nobody_waiting() {
    if !is_there() {
        return;
    }
    let (ground, game) = (Ground::default(), Game::new().await);
    let hosting = Hosting::start(&ground, game.address());
    let joiner = Python::start(&hosting.invite(), &[]);
    for is_swapped in [false, true] {
        let (mut sends, mut reads) = swapped(game.session(&joiner).await, is_swapped);
        let bulk = noise(3, 16_000_000);
        let copy = bulk.clone();
        let mut sending = tokio::spawn(async move {
            sends.write_all(&copy).await.unwrap();
            sends
        });
        // Long enough for everything on the way to be full, which nobody says.
        let full = timeout(Duration::from_millis(500), &mut sending).await;
        assert!(full.is_err(), "16 MB were taken with nobody reading");
        let (mut other, mut side) = game.session(&joiner).await;
        exchange(&mut other, b"quick", b"").await;
        exchange(&mut side, b"", b"quick").await;
        exchange(&mut reads, b"", &bulk).await;
        sending.await.unwrap();
    }
    all_forgotten(&hosting).await;
}

#[tokio::test]
async fn one_direction_ends_and_the_other_goes_on() {
    if !is_there() {
        return;
    }
    let (ground, game) = (Ground::default(), Game::new().await);
    let hosting = Hosting::start(&ground, game.address());
    let joiner = Python::start(&hosting.invite(), &[]);
    for is_swapped in [false, true] {
        let (mut ends, mut goes_on) = swapped(game.session(&joiner).await, is_swapped);
        let (question, answer) = (noise(4, 300_000), noise(5, 300_000));
        let (asked, ()) = tokio::join!(up_to_end(&mut goes_on), async {
            ends.write_all(&question).await.unwrap();
            ends.shutdown().await.unwrap();
        });
        assert!(asked == question, "bytes differ");
        let (answered, ()) = tokio::join!(up_to_end(&mut ends), async {
            goes_on.write_all(&answer).await.unwrap();
            goes_on.shutdown().await.unwrap();
        });
        assert!(answered == answer, "bytes differ");
        all_forgotten(&hosting).await;
    }
    let told = hosting.sessions.0.lock().unwrap().clone();
    assert_eq!(told, ["finished", "finished"]);
}

#[tokio::test]
async fn a_reset_passes_after_the_last_byte() {
    if !is_there() {
        return;
    }
    let (ground, game) = (Ground::default(), Game::new().await);
    let hosting = Hosting::start(&ground, game.address());
    let joiner = Python::start(&hosting.invite(), &[]);
    for is_swapped in [false, true] {
        for last_words in [0, 1, 30_000] {
            let (mut breaks, mut other) = swapped(game.session(&joiner).await, is_swapped);
            let last_words = noise(6, last_words);
            breaks.write_all(&last_words).await.unwrap();
            reset(breaks);
            assert!(up_to_reset(&mut other).await == last_words, "bytes differ");
            all_forgotten(&hosting).await;
        }
    }
}

#[tokio::test]
async fn a_reset_waits_for_a_game_that_reads_later() {
    if !is_there() {
        return;
    }
    let (ground, game) = (Ground::default(), Game::new().await);
    let hosting = Hosting::start(&ground, game.address());
    let joiner = Python::start(&hosting.invite(), &[]);
    let address = joiner.address().await;
    let client = TcpSocket::new_v4().unwrap();
    // So most of it waits on the joiner's side.
    client.set_recv_buffer_size(4096).unwrap();
    let mut client = client.connect(address).await.unwrap();
    client.write_all(b"!").await.unwrap();
    let (mut server, _) = soon("a dial", game.0.accept()).await.unwrap();
    assert_eq!(server.read_u8().await.unwrap(), b'!');
    let last_words = noise(12, 60_000);
    server.write_all(&last_words).await.unwrap();
    reset(server);
    all_forgotten(&hosting).await;
    let heard = up_to_reset(&mut client).await;
    assert!(
        heard == last_words,
        "{} of {}",
        heard.len(),
        last_words.len()
    );
}

#[tokio::test]
async fn a_reset_passes_after_an_end_too() {
    if !is_there() {
        return;
    }
    let (ground, game) = (Ground::default(), Game::new().await);
    let hosting = Hosting::start(&ground, game.address());
    let joiner = Python::start(&hosting.invite(), &[]);
    for is_swapped in [false, true] {
        let (mut breaks, mut other) = swapped(game.session(&joiner).await, is_swapped);
        breaks.shutdown().await.unwrap();
        assert_eq!(up_to_end(&mut other).await, b"");
        reset(breaks);
        // Its end was read already, so it is writing that finds out.
        soon("a reset", async {
            while other.write_all(b"anybody?").await.is_ok() {
                sleep(Duration::from_millis(5)).await; // a game that says something now and then
            }
        })
        .await;
        all_forgotten(&hosting).await;
    }
}

#[tokio::test]
async fn a_download_to_nobody_stops() {
    if !is_there() {
        return;
    }
    let (ground, game) = (Ground::default(), Game::new().await);
    let hosting = Hosting::start(&ground, game.address());
    let joiner = Python::start(&hosting.invite(), &[]);
    for is_swapped in [false, true] {
        let (breaks, mut sends) = swapped(game.session(&joiner).await, is_swapped);
        let bulk = noise(7, 64_000);
        let sending = tokio::spawn(async move { while sends.write_all(&bulk).await.is_ok() {} });
        // Everything on the way is full by then, which nobody says.
        sleep(Duration::from_millis(300)).await;
        reset(breaks);
        soon("a reset", sending).await.unwrap();
        all_forgotten(&hosting).await;
    }
}

#[tokio::test]
async fn a_game_that_is_not_there_is_a_reset() {
    if !is_there() {
        return;
    }
    let ground = Ground::default();
    let game = Game::new().await;
    let hosting = Hosting::start(&ground, game.address());
    drop(game);
    let joiner = Python::start(&hosting.invite(), &[]);
    let mut client = TcpStream::connect(joiner.address().await).await.unwrap();
    assert_eq!(up_to_reset(&mut client).await, b"");
    all_forgotten(&hosting).await;
    assert_eq!(*hosting.sessions.0.lock().unwrap(), ["dial-failed"]);
}

#[tokio::test]
async fn many_sessions_keep_their_bytes_apart() {
    if !is_there() {
        return;
    }
    let (ground, game) = (Ground::default(), echo_game().await);
    let hosting = Hosting::start(&ground, game);
    let joiner = Python::start(&hosting.invite(), &[]);
    let address = joiner.address().await;
    let sessions: Vec<_> = (0..40)
        .map(|n| {
            tokio::spawn(async move {
                let mut client = TcpStream::connect(address).await.unwrap();
                for turn in 0..20 {
                    let words = noise(100 * n + turn, 1 + (turn as usize) * 400);
                    exchange(&mut client, &words, &words).await;
                }
                client.shutdown().await.unwrap();
                assert_eq!(up_to_end(&mut client).await, b"");
            })
        })
        .collect();
    for _ in 0..3 {
        sleep(Duration::from_millis(100)).await; // in the midst of it
        joiner.signal(Signal::SIGUSR1);
    }
    for session in sessions {
        session.await.unwrap();
    }
    all_forgotten(&hosting).await;
    assert_eq!(*hosting.sessions.0.lock().unwrap(), ["finished"; 40]);
}

#[tokio::test]
async fn transports_are_lost_and_no_byte_is() {
    if !is_there() {
        return;
    }
    let (ground, game) = (Ground::default(), Game::new().await);
    let hosting = Hosting::start(&ground, game.address());
    let path = Path::to(hosting.host.listener());
    let invite = hosting.invite_to(vec![Ipv6Addr::LOCALHOST], path.port);
    let joiner = Python::start(&invite, &[]);
    let (mut client, mut server) = game.session(&joiner).await;
    let (up, down) = (noise(8, 20_000_000), noise(9, 20_000_000));
    let troubled = async {
        for lost in 1..=8 {
            sleep(Duration::from_millis(80)).await; // in the midst of it
            if lost % 2 == 0 {
                joiner.signal(Signal::SIGUSR1);
            } else {
                path.pass_tcp(false);
                until("lost", || joiner.told("lost").len() >= lost).await;
                path.pass_tcp(true);
            }
            until("attached again", || joiner.told("attached").len() > lost).await;
        }
    };
    tokio::join!(
        exchange(&mut client, &up, &down),
        exchange(&mut server, &down, &up),
        troubled
    );
    assert!(joiner.told("attached").len() > 8, "it was never lost");
    assert!(joiner.told("forgotten").is_empty());
    drop((client, server));
    all_forgotten(&hosting).await;
}

#[tokio::test]
async fn what_ends_while_nothing_carries_it_ends_all_the_same() {
    if !is_there() {
        return;
    }
    let (ground, game) = (Ground::default(), Game::new().await);
    let hosting = Hosting::start(&ground, game.address());
    let path = Path::to(hosting.host.listener());
    let invite = hosting.invite_to(vec![Ipv6Addr::LOCALHOST], path.port);
    let joiner = Python::start(&invite, &[]);
    for is_swapped in [false, true] {
        let finished = game.session(&joiner).await;
        let (mut ends, mut goes_on) = swapped(finished, is_swapped);
        let (mut breaks, mut other) = swapped(game.session(&joiner).await, is_swapped);
        path.pass_tcp(false);
        let lost = joiner.told("failed").len() + 1;
        until("away", || joiner.told("failed").len() >= lost).await;
        let last_words = noise(10, 20_000);
        ends.write_all(&last_words).await.unwrap();
        ends.shutdown().await.unwrap();
        breaks.write_all(&last_words).await.unwrap();
        reset(breaks);
        // One that begins meanwhile.
        let mut client = TcpStream::connect(joiner.address().await).await.unwrap();
        client.write_all(&last_words).await.unwrap();
        path.pass_tcp(true);
        assert!(up_to_end(&mut goes_on).await == last_words, "bytes differ");
        assert!(up_to_reset(&mut other).await == last_words, "bytes differ");
        let (mut server, _) = soon("a dial", game.0.accept()).await.unwrap();
        exchange(&mut server, b"welcome", &last_words).await;
        exchange(&mut client, b"", b"welcome").await;
        drop((ends, goes_on, client, server));
        all_forgotten(&hosting).await;
    }
}

#[tokio::test]
async fn another_host_at_the_address_is_seen_through() {
    if !is_there() {
        return;
    }
    let ground = Ground::default();
    let hosting = Hosting::start(&ground, echo_game().await);
    let impostor = Hosting::start_at(&ground, echo_game().await, 0, [9; 32]);
    let port = hosting.host.listener().port();
    let joiner = Python::start(&impostor.invite_to(vec![Ipv6Addr::LOCALHOST], port), &[]);
    let failed = joiner.tells("failed").await;
    assert!(failed["reason"].as_str().unwrap().contains("certificate"));
    assert!(joiner.told("attached").is_empty());
    // It said nothing that a host would have to refuse.
    assert!(!hosting.told.has("Refused") && hosting.host.players().is_empty());
}

#[tokio::test]
async fn who_may_not_come_in_is_told_why() {
    if !is_there() {
        return;
    }
    let ground = Ground::default();
    let hosting = Hosting::start(&ground, echo_game().await);
    for code in Refusal::ALL.iter().copied() {
        let doors = &hosting.doors.0;
        doors.lock().unwrap().insert(code.to_string(), code);
        let joiner = Python::start(&hosting.invite(), &["--name", &code.to_string()]);
        let refused = joiner.tells("refused").await;
        assert_eq!(refused["code"], code.code());
        assert_eq!(joiner.exit_code().await, 4);
    }
    let port = std::num::NonZeroU16::new(hosting.host.listener().port()).unwrap();
    let (fingerprint, here) = (
        hosting.identity.public().fingerprint(),
        vec![Ipv6Addr::LOCALHOST],
    );
    let guessed = Invite::new(fingerprint, Secret([8; 16]), port, here, None).unwrap();
    let joiner = Python::start(&guessed, &[]);
    assert_eq!(joiner.tells("refused").await["code"], 1);
    assert!(hosting.host.players().is_empty());
}

#[tokio::test]
async fn who_is_sent_away_goes() {
    if !is_there() {
        return;
    }
    let (ground, game) = (Ground::default(), Game::new().await);
    let hosting = Hosting::start(&ground, game.address());
    for code in [Closed::Kicked, Closed::Banned, Closed::Stopped] {
        let joiner = Python::start(&hosting.invite(), &[]);
        let (mut client, mut server) = game.session(&joiner).await;
        // On its way when it happens: the game still gets it.
        server.write_all(b"bye").await.unwrap();
        let mut heard = [0; 3];
        soon("bytes", client.read_exact(&mut heard)).await.unwrap();
        let player = hosting.host.players().remove(0);
        assert_eq!(hosting.host.send_away(player.identity, code, "enough"), 1);
        assert_eq!(up_to_reset(&mut client).await, b"");
        assert_eq!(up_to_reset(&mut server).await, b"");
        let closed = joiner.tells("closed").await;
        assert_eq!(
            (&closed["by"], &closed["code"]),
            (&"host".into(), &code.code().into())
        );
        assert_eq!(closed["message"], "enough");
        assert_eq!(joiner.exit_code().await, 5);
    }
}

#[tokio::test]
async fn who_is_sent_away_in_the_midst_of_a_download_hears_why() {
    if !is_there() {
        return;
    }
    let (ground, game) = (Ground::default(), Game::new().await);
    let hosting = Hosting::start(&ground, game.address());
    for _ in 0..10 {
        let joiner = Python::start(&hosting.invite(), &[]);
        let (mut client, mut server) = game.session(&joiner).await;
        let sending = tokio::spawn(async move {
            let bulk = noise(11, 64_000);
            while server.write_all(&bulk).await.is_ok() {}
        });
        let mut some = vec![0; 1_000_000];
        soon("bytes", client.read_exact(&mut some)).await.unwrap();
        let reading = tokio::spawn(async move {
            while client.read(&mut some).await.is_ok_and(|count| count > 0) {}
        });
        let player = hosting.host.players().remove(0);
        hosting.host.send_away(player.identity, Closed::Kicked, "");
        assert_eq!(joiner.exit_code().await, 5);
        let closed = joiner.tells("closed").await;
        assert_eq!(closed["code"], Closed::Kicked.code());
        soon("a reset", reading).await.unwrap();
        soon("a reset", sending).await.unwrap();
    }
}

#[tokio::test]
async fn a_host_that_was_restarted_without_a_word_resets_games() {
    if !is_there() {
        return;
    }
    let (ground, game) = (Ground::default(), Game::new().await);
    let hosting = Hosting::start(&ground, game.address());
    let at = hosting.host.listener();
    let path = Path::to(at);
    let invite = hosting.invite_to(vec![Ipv6Addr::LOCALHOST], path.port);
    let joiner = Python::start(&invite, &[]);
    let (mut client, _server) = game.session(&joiner).await;
    path.pass_tcp(false);
    joiner.tells("lost").await;
    hosting.close().await;
    let again = Hosting::start_at(&ground, game.address(), at.port(), [1; 32]);
    path.pass_tcp(true);
    assert_eq!(up_to_reset(&mut client).await, b"");
    joiner.tells("forgotten").await;
    let (mut client, mut server) = game.session(&joiner).await;
    exchange(&mut client, b"here again", b"").await;
    exchange(&mut server, b"", b"here again").await;
    drop((client, server));
    all_forgotten(&again).await;
}

#[tokio::test]
async fn a_host_that_is_gone_is_waited_for_as_long_as_it_said() {
    if !is_there() {
        return;
    }
    let (ground, game) = (Ground::default(), Game::new().await);
    let hosting = Hosting::start(&ground, game.address());
    let path = Path::to(hosting.host.listener());
    let invite = hosting.invite_to(vec![Ipv6Addr::LOCALHOST], path.port);
    let joiner = Python::start(&invite, &[]);
    let (mut client, mut server) = game.session(&joiner).await;
    path.pass_tcp(false);
    let began = tokio::time::Instant::now();
    let mut nothing = [0; 1];
    let reset = timeout(LINK_HOLD + DEADLINE, client.read(&mut nothing)).await;
    let kind = reset.unwrap().map_err(|error| error.kind());
    assert_eq!(kind, Err(std::io::ErrorKind::ConnectionReset));
    // The last thing was heard a little before.
    assert!(began.elapsed() + Duration::from_secs(2) > LINK_HOLD);
    joiner.tells("ended").await;
    assert_eq!(joiner.exit_code().await, 1);
    assert_eq!(up_to_reset(&mut server).await, b"");
    assert!(hosting.told.has("code: Hold"));
}

#[tokio::test]
async fn a_service_is_chosen_by_its_name() {
    if !is_there() {
        return;
    }
    let (ground, game, other) = (Ground::default(), Game::new().await, Game::new().await);
    let hosting = Hosting::start(&ground, game.address());
    let second = Hosting::start_at(&ground, other.address(), 0, [9; 32]);
    let offer = Offer {
        name: "other".into(),
        port: other.address().port(),
        tcp: true,
        udp: false,
    };
    hosting.host.share(offer, second.game.clone()).unwrap();
    let joiner = Python::start(&hosting.invite(), &["--service", "other"]);
    let (mut client, mut server) = other.session(&joiner).await;
    exchange(&mut server, b"the other", b"").await;
    exchange(&mut client, b"", b"the other").await;
    let services = joiner.tells("services").await;
    assert_eq!(services["services"].as_array().unwrap().len(), 2);
}
