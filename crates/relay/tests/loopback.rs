//! The library on real sockets, as somebody who embeds it would use it. The endings of sessions
//! are tested through the whole program, in `crates/via6/tests`.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what a test does not expect ends it"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "the tests play the games' parts themselves"
)]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use via6_core::addr::HostPort;
use via6_relay::{
    Descriptors, Engine, Event, Listening, Observer, Policy, Protocol, Relay, Report, Settings,
    Shutdown, is_up, listen_tcp, listen_udp,
};

const PATIENCE: Duration = Duration::from_secs(10);
/// Enough for every test here.
const DESCRIPTORS: usize = 200;

/// Keeps the kinds of events in order.
#[derive(Default)]
struct Log(Mutex<Vec<String>>);

impl Log {
    fn count(&self, kind: &str) -> usize {
        self.0
            .lock()
            .unwrap()
            .iter()
            .filter(|seen| seen.starts_with(kind))
            .count()
    }
}

impl Observer for Log {
    fn observe(&self, event: &Event<'_>) {
        let text = match event {
            Event::SessionOpened { .. } => "session opened".into(),
            Event::SessionEnded { end, .. } => format!("session ended {}", end.reason),
            Event::FlowOpened { .. } => "flow opened".into(),
            Event::FlowEnded { end } => format!("flow ended {}", end.reason),
            Event::Warning { warning, .. } => format!("warning {}", warning.kind()),
            Event::Draining { .. } => "draining".into(),
            _ => return,
        };
        self.0.lock().unwrap().push(text);
    }
}

struct Running {
    at: SocketAddr,
    log: Arc<Log>,
    shutdown: Shutdown,
    task: JoinHandle<std::io::Result<Report>>,
}

impl Running {
    fn start(at: &str, upstream: &str, descriptors: usize, policy: Policy) -> Self {
        let tcp = listen_tcp(at.parse().unwrap()).unwrap();
        let at = tcp.local_addr().unwrap();
        let log = Arc::new(Log::default());
        let descriptors = Descriptors::new(descriptors);
        let relay = Relay {
            listeners: vec![Listening::Tcp(tcp), Listening::Udp(listen_udp(at).unwrap())],
            settings: Settings::new(HostPort::parse_target(upstream).unwrap()),
            policy,
            engine: Engine::start(&descriptors).unwrap(),
            descriptors,
            observer: Arc::clone(&log) as _,
        };
        let shutdown = Shutdown::new();
        let stop = shutdown.clone();
        let task = tokio::spawn(async move { relay.run(&stop).await });
        Self {
            at,
            log,
            shutdown,
            task,
        }
    }

    async fn stop(self) -> (Report, Arc<Log>) {
        self.shutdown.drain();
        let report = timeout(PATIENCE, self.task)
            .await
            .expect("it stops")
            .unwrap()
            .unwrap();
        (report, self.log)
    }
}

/// A game that says back whatever it hears, over TCP and UDP on one port.
async fn echo() -> SocketAddr {
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = tcp.local_addr().unwrap();
    let udp = UdpSocket::bind(at).await.unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = tcp.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = stream.into_split();
                tokio::io::copy(&mut from, &mut to).await
            });
        }
    });
    tokio::spawn(async move {
        let mut buffer = vec![0; 65_535];
        while let Ok((len, from)) = udp.recv_from(&mut buffer).await {
            udp.send_to(&buffer[..len], from).await.unwrap();
        }
    });
    at
}

#[tokio::test]
async fn a_session_and_a_flow_each_open_and_end_once() {
    let game = echo().await;
    let relay = Running::start("[::1]:0", &game.to_string(), DESCRIPTORS, Policy::default());
    let mut stream = TcpStream::connect(relay.at).await.unwrap();
    stream.write_all(b"hello").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut heard = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut heard))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(heard, b"hello");

    let player = UdpSocket::bind("[::1]:0").await.unwrap();
    player.connect(relay.at).await.unwrap();
    for sent in [&b""[..], b"datagram"] {
        player.send(sent).await.unwrap();
        let mut reply = [0; 16];
        let len = timeout(PATIENCE, player.recv(&mut reply))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(&reply[..len], sent);
    }

    let (report, log) = relay.stop().await;
    assert_eq!((report.sessions, report.cut, report.flows), (1, 0, 1));
    assert!(report.failed.is_none());
    let kinds = [
        "session opened",
        "session ended finished",
        "flow opened",
        "flow ended stopped",
    ];
    for kind in kinds {
        assert_eq!(log.count(kind), 1, "{kind}: {:?}", log.0);
    }
}

#[tokio::test]
async fn a_reply_leaves_from_the_address_that_was_dialled() {
    let game = echo().await;
    let relay = Running::start(
        "0.0.0.0:0",
        &game.to_string(),
        DESCRIPTORS,
        Policy::default(),
    );
    // Loopback is 127.0.0.0/8 on Linux; the system alone would answer from 127.0.0.1.
    let ours: &[&str] = if cfg!(target_os = "linux") {
        &["127.0.0.1", "127.0.0.7"]
    } else {
        &["127.0.0.1"]
    };
    for dialled in ours {
        // A connected socket hears nobody else.
        let player = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        player
            .connect(format!("{dialled}:{}", relay.at.port()))
            .await
            .unwrap();
        player.send(b"from where?").await.unwrap();
        let mut reply = [0; 16];
        let heard = timeout(PATIENCE, player.recv(&mut reply)).await;
        assert_eq!(heard.expect(dialled).unwrap(), 11);
    }
    let (report, _) = relay.stop().await;
    assert_eq!(report.flows, ours.len() as u64);
}

#[tokio::test]
async fn a_flow_waits_for_its_upstream_name_and_loses_nothing() {
    let game = echo().await;
    let upstream = format!("localhost:{}", game.port());
    let relay = Running::start("127.0.0.1:0", &upstream, DESCRIPTORS, Policy::default());
    let player = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    player.connect(relay.at).await.unwrap();
    for n in 0..20_u8 {
        player.send(&[n]).await.unwrap();
    }
    for n in 0..20_u8 {
        let mut reply = [0; 2];
        let len = timeout(PATIENCE, player.recv(&mut reply))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(reply[..len], [n]);
    }
    let (report, log) = relay.stop().await;
    assert_eq!((report.flows, log.count("warning")), (1, 0));
}

#[tokio::test]
async fn a_session_beyond_the_descriptors_is_reset_and_the_next_one_lives() {
    let game = echo().await;
    // Two descriptors beyond the reserve: one session.
    let relay = Running::start("127.0.0.1:0", &game.to_string(), 0, Policy::default());
    let mut first = TcpStream::connect(relay.at).await.unwrap();
    first.write_all(b"1").await.unwrap();
    assert_eq!(first.read_u8().await.unwrap(), b'1');
    let refused = match TcpStream::connect(relay.at).await {
        Ok(mut second) => timeout(PATIENCE, second.read_u8())
            .await
            .unwrap()
            .unwrap_err(),
        Err(refused) => refused,
    };
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionReset);
    drop(first);
    let deadline = Instant::now() + PATIENCE;
    loop {
        // The refusal may even come before the connection is reported as made.
        if let Ok(mut next) = TcpStream::connect(relay.at).await
            && next.write_all(b"2").await.is_ok()
            && matches!(next.read_u8().await, Ok(b'2'))
        {
            break;
        }
        assert!(
            Instant::now() < deadline,
            "the descriptors were not given back"
        );
    }
    assert!(relay.log.count("warning shed") > 0);
}

/// Says so when a session opens, and then panics, on the engine's thread.
struct Careless;

impl Observer for Careless {
    fn observe(&self, event: &Event<'_>) {
        assert!(
            !matches!(event, Event::SessionOpened { .. }),
            "an observer's own mistake"
        );
    }
}

#[tokio::test]
async fn a_relay_whose_engine_has_died_can_be_stopped() {
    let tcp = listen_tcp("127.0.0.1:0".parse().unwrap()).unwrap();
    let at = tcp.local_addr().unwrap();
    let descriptors = Descriptors::new(DESCRIPTORS);
    let relay = Relay {
        listeners: vec![Listening::Tcp(tcp), Listening::Udp(listen_udp(at).unwrap())],
        settings: Settings::new(at.into()),
        policy: Policy::default(),
        engine: Engine::start(&descriptors).unwrap(),
        descriptors,
        observer: Arc::new(Careless),
    };
    let shutdown = Shutdown::new();
    let stop = shutdown.clone();
    let task = tokio::spawn(async move { relay.run(&stop).await });
    // Its listener goes with the engine, and whoever was there is let go.
    if let Ok(mut player) = TcpStream::connect(at).await {
        let over = timeout(PATIENCE, player.read_u8()).await;
        assert!(over.expect("an end").is_err());
    }
    shutdown.drain();
    let stopped = timeout(PATIENCE, task).await.expect("it stops");
    assert!(stopped.unwrap().unwrap().failed.is_none());
}

#[tokio::test]
async fn one_relay_that_drains_leaves_another_alone() {
    let game = echo().await.to_string();
    let one = Running::start("127.0.0.1:0", &game, DESCRIPTORS, Policy::default());
    let other = Running::start("127.0.0.1:0", &game, DESCRIPTORS, Policy::default());
    let whole = Shutdown::new();
    let (first, second) = (whole.child(), whole.child());
    first.now();
    assert!(!whole.is_draining() && !second.is_draining());
    whole.drain();
    assert!(second.is_draining());

    // The end of a relay is told to its own sessions only, though others share the token.
    let mut stream = TcpStream::connect(other.at).await.unwrap();
    stream.write_all(b"1").await.unwrap();
    let (stopped, _) = one.stop().await;
    assert!(stopped.failed.is_none());
    assert_eq!(
        timeout(PATIENCE, stream.read_u8()).await.unwrap().unwrap(),
        b'1'
    );
}

#[tokio::test]
async fn whether_the_game_is_up_is_found_without_connecting_to_it() {
    let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    tcp.set_nonblocking(true).unwrap();
    let game: HostPort = tcp.local_addr().unwrap().into();
    assert_eq!(is_up(&game, Protocol::Tcp).await, Some(true));
    assert_eq!(is_up(&game, Protocol::Udp).await, Some(false));
    let nobody = tcp.accept().unwrap_err();
    assert_eq!(nobody.kind(), std::io::ErrorKind::WouldBlock);
    drop(tcp);
    assert_eq!(is_up(&game, Protocol::Tcp).await, Some(false));
    let udp = UdpSocket::bind(game.to_string()).await.unwrap();
    assert_eq!(is_up(&game, Protocol::Udp).await, Some(true));
    drop(udp);
}

#[tokio::test]
async fn a_drain_takes_no_new_player_and_keeps_those_it_has() {
    let game = echo().await;
    let relay = Running::start(
        "127.0.0.1:0",
        &game.to_string(),
        DESCRIPTORS,
        Policy::default(),
    );
    // A session keeps the relay draining.
    let mut session = TcpStream::connect(relay.at).await.unwrap();
    session.write_all(b"1").await.unwrap();
    assert_eq!(session.read_u8().await.unwrap(), b'1');
    let (old, new) = (
        UdpSocket::bind("127.0.0.1:0").await.unwrap(),
        UdpSocket::bind("127.0.0.1:0").await.unwrap(),
    );
    let mut reply = [0; 8];
    for player in [&old, &new] {
        player.connect(relay.at).await.unwrap();
    }
    old.send(b"old").await.unwrap();
    timeout(PATIENCE, old.recv(&mut reply))
        .await
        .unwrap()
        .unwrap();
    relay.shutdown.drain();
    timeout(PATIENCE, async {
        while relay.log.count("draining") == 0 {
            // Between two looks.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await
    .expect("it drains");
    new.send(b"new").await.unwrap();
    old.send(b"old").await.unwrap();
    // Datagrams arrive in order, so the new player's was seen before this.
    timeout(PATIENCE, old.recv(&mut reply))
        .await
        .unwrap()
        .unwrap();
    drop(session);
    let (report, _) = relay.stop().await;
    assert_eq!(report.flows, 1);
}

#[tokio::test]
async fn flows_leave_half_of_the_descriptors_to_sessions() {
    let game = echo().await;
    // Ten beyond the reserve: five flows at most.
    let relay = Running::start("127.0.0.1:0", &game.to_string(), 34, Policy::default());
    let mut players = Vec::new();
    for _ in 0..20 {
        let player = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        player.send_to(b"hello", relay.at).await.unwrap();
        players.push(player);
    }
    let mut stream = TcpStream::connect(relay.at).await.unwrap();
    stream.write_all(b"1").await.unwrap();
    assert_eq!(
        timeout(PATIENCE, stream.read_u8()).await.unwrap().unwrap(),
        b'1'
    );
    drop(stream);
    let (report, _) = relay.stop().await;
    assert_eq!(report.flows, 5);
}

/// Linux reads up to the urgent byte and no further in one go.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_urgent_byte_arrives_in_its_place_and_holds_nothing_up() {
    let game = echo().await;
    let relay = Running::start(
        "127.0.0.1:0",
        &game.to_string(),
        DESCRIPTORS,
        Policy::default(),
    );
    let mut stream = TcpStream::connect(relay.at).await.unwrap();
    {
        let socket = socket2::SockRef::from(&stream);
        socket.set_tcp_nodelay(true).unwrap();
        socket.send(b"abc").unwrap();
        socket.send_out_of_band(b"!").unwrap();
        socket.send(b"def").unwrap();
    }
    let mut heard = [0; 7];
    timeout(PATIENCE, stream.read_exact(&mut heard))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&heard, b"abc!def");
}

/// One datagram that claims to come from the listener itself would go round for ever.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_datagram_with_our_own_address_is_not_answered() {
    let Ok(raw) = socket2::Socket::new(
        socket2::Domain::IPV4,
        socket2::Type::RAW,
        Some(socket2::Protocol::UDP),
    ) else {
        assert!(std::env::var_os("CI").is_none(), "CI runs this as root");
        eprintln!("SKIPPED: forging an address needs root");
        return;
    };
    let game = echo().await;
    let relay = Running::start(
        "127.0.0.1:0",
        &game.to_string(),
        DESCRIPTORS,
        Policy::default(),
    );
    let port = relay.at.port().to_be_bytes();
    // UDP header (RFC 768): source and destination port, length 9, no checksum; one byte.
    let forged = [port[0], port[1], port[0], port[1], 0, 9, 0, 0, b'!'];
    raw.send_to(&forged, &relay.at.into()).unwrap();
    let deadline = Instant::now() + PATIENCE;
    while relay.log.count("warning dropped") == 0 {
        assert!(Instant::now() < deadline, "{:?}", relay.log.0);
        tokio::task::yield_now().await;
    }
    let (report, log) = relay.stop().await;
    assert_eq!((report.flows, log.count("flow opened")), (0, 0));
}
