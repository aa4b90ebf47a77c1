//! Relays that are changed while they run: who is there stays, who comes finds what is new, and a
//! listener that is wanted still is never closed meanwhile.

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
use tokio::time::{sleep, timeout};
use via6_core::addr::{HostPort, Network};
use via6_core::flow::FlowId;
use via6_core::reason::CloseReason;
use via6_relay::{
    Change, Descriptors, Ending, Engine, Event, Listening, Look, Observer, Policy, Protocol, Relay,
    Running, SessionState, Settings, Shutdown, listen_tcp, listen_udp, look, settle,
};

const PATIENCE: Duration = Duration::from_secs(10);

/// A game that answers whatever it hears with its name.
async fn game(name: &'static str) -> SocketAddr {
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = tcp.local_addr().unwrap();
    let udp = UdpSocket::bind(at).await.unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = tcp.accept().await.unwrap();
            tokio::spawn(async move {
                while stream.read_u8().await.is_ok() {
                    stream.write_all(name.as_bytes()).await.unwrap();
                }
            });
        }
    });
    tokio::spawn(async move {
        let mut buffer = [0; 64];
        loop {
            let (_, player) = udp.recv_from(&mut buffer).await.unwrap();
            udp.send_to(name.as_bytes(), player).await.unwrap();
        }
    });
    at
}

/// Which flows were opened and have ended, as told to one relay's observer.
#[derive(Default)]
struct Log(Mutex<Vec<(FlowId, bool)>>);

impl Observer for Log {
    fn observe(&self, event: &Event<'_>) {
        let told = match event {
            Event::FlowOpened { flow, .. } => (*flow, true),
            Event::FlowEnded { end } => (end.id, false),
            _ => return,
        };
        self.0.lock().unwrap().push(told);
    }
}

struct Stage {
    engine: Engine,
    policy: Policy,
    descriptors: Descriptors,
    whole: Shutdown,
}

impl Stage {
    fn new() -> Self {
        let descriptors = Descriptors::new(500);
        Self {
            engine: Engine::start(&descriptors).unwrap(),
            policy: Policy::default(),
            descriptors,
            whole: Shutdown::new(),
        }
    }

    fn start(&self, listeners: Vec<Listening>, upstream: SocketAddr) -> One {
        let log = Arc::new(Log::default());
        let relay = Relay {
            listeners,
            settings: Settings::new(upstream.into()),
            engine: self.engine.clone(),
            policy: self.policy.clone(),
            descriptors: self.descriptors.clone(),
            observer: Arc::clone(&log) as _,
        };
        let (running, ending) = relay.start(&self.whole).unwrap();
        One {
            running,
            ending,
            log,
        }
    }
}

struct One {
    running: Running,
    ending: Ending,
    log: Arc<Log>,
}

/// A new place for both protocols.
fn place() -> (SocketAddr, Vec<Listening>) {
    loop {
        let tcp = listen_tcp("127.0.0.1:0".parse().unwrap()).unwrap();
        let at = tcp.local_addr().unwrap();
        if let Ok(udp) = listen_udp(at) {
            return (at, vec![Listening::Tcp(tcp), Listening::Udp(udp)]);
        }
    }
}

fn held(at: SocketAddr) -> Vec<Listening> {
    let held = |protocol| Listening::Held(protocol, at);
    vec![held(Protocol::Tcp), held(Protocol::Udp)]
}

fn change(one: &One, upstream: SocketAddr, listeners: Vec<Listening>) -> Change {
    Change {
        relay: one.running.clone(),
        settings: Settings::new(upstream.into()),
        listeners,
    }
}

/// A player over both protocols.
struct Player {
    tcp: TcpStream,
    udp: UdpSocket,
}

impl Player {
    async fn at(entry: SocketAddr) -> Self {
        let tcp = TcpStream::connect(entry).await.unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        udp.connect(entry).await.unwrap();
        Self { tcp, udp }
    }

    /// Which game answers, over both protocols.
    async fn asks(&mut self) -> String {
        self.tcp.write_all(b"?").await.unwrap();
        let mut name = [0; 1];
        let answer = timeout(PATIENCE, self.tcp.read_exact(&mut name)).await;
        answer.expect("an answer").unwrap();
        let told = self.asks_by_udp().await;
        assert_eq!(told.as_bytes(), name);
        told
    }

    async fn asks_by_udp(&self) -> String {
        let mut name = [0; 1];
        self.udp.send(b"?").await.unwrap();
        let answer = timeout(PATIENCE, self.udp.recv(&mut name)).await;
        answer.expect("an answer").unwrap();
        String::from_utf8_lossy(&name).into_owned()
    }
}

async fn look_at(one: &One) -> Look {
    let looks = look(std::slice::from_ref(&one.running), 100).await;
    looks.into_iter().next().expect("a look")
}

async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !is_so().await {
            // Between two looks.
            sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(PATIENCE, waiting).await.expect(what);
}

#[tokio::test]
async fn another_upstream_is_for_newcomers_and_nobody_is_disturbed() {
    let stage = Stage::new();
    let (a, b) = (game("a").await, game("b").await);
    let (at, listeners) = place();
    let one = stage.start(listeners, a);
    let mut old = Player::at(at).await;
    assert_eq!(old.asks().await, "a");
    let missing = settle(vec![change(&one, b, held(at))]).await.unwrap();
    assert!(missing.is_empty());
    let mut new = Player::at(at).await;
    assert_eq!(new.asks().await, "b");
    assert_eq!(old.asks().await, "a");
    assert_eq!(one.running.settings(), Settings::new(b.into()));
}

#[tokio::test]
async fn a_relay_that_moves_serves_its_flows_at_the_old_place_to_their_end() {
    let stage = Stage::new();
    let (a, b) = (game("a").await, game("b").await);
    let (from, listeners) = place();
    let one = stage.start(listeners, a);
    let mut old = Player::at(from).await;
    assert_eq!(old.asks().await, "a");
    let (to, listeners) = place();
    settle(vec![change(&one, b, listeners)]).await.unwrap();
    let refused = TcpStream::connect(from).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    let mut new = Player::at(to).await;
    assert_eq!(new.asks().await, "b");
    assert_eq!(old.asks().await, "a");
    // A stranger at the old place is not heard.
    let stranger = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    stranger.send_to(b"?", from).await.unwrap();
    assert_eq!(old.asks().await, "a");
    let seen = look_at(&one).await;
    assert_eq!(seen.retiring, [(Protocol::Udp, from)]);
    assert_eq!(seen.listeners, [(Protocol::Tcp, to), (Protocol::Udp, to)]);
    assert_eq!((seen.sessions_live, seen.flows_live), (2, 2));
    // Ids of both tables are told of together.
    let ids: Vec<u64> = seen.flows.iter().map(|flow| flow.id.into()).collect();
    assert_eq!(ids, [1, 2]);
    // Back again: the old place is taken over, not bound beside itself.
    let missing = settle(vec![change(&one, a, {
        let mut back = held(from);
        back[0] = Listening::Tcp(listen_tcp(from).unwrap());
        back
    })])
    .await
    .unwrap();
    assert!(missing.is_empty());
    assert_eq!(Player::at(from).await.asks().await, "a");
    assert_eq!(new.asks().await, "b");
}

#[tokio::test]
async fn two_relays_swap_their_places_in_one_moment() {
    let stage = Stage::new();
    let (a, b) = (game("a").await, game("b").await);
    let ((here, at_a), (there, at_b)) = (place(), place());
    let (one, other) = (stage.start(at_a, a), stage.start(at_b, b));
    let (mut of_a, mut of_b) = (Player::at(here).await, Player::at(there).await);
    assert_eq!(
        (of_a.asks().await, of_b.asks().await),
        ("a".into(), "b".into())
    );
    let changes = vec![change(&one, a, held(there)), change(&other, b, held(here))];
    assert!(settle(changes).await.unwrap().is_empty());
    assert_eq!(Player::at(there).await.asks().await, "a");
    assert_eq!(Player::at(here).await.asks().await, "b");
    assert_eq!(
        (of_a.asks().await, of_b.asks().await),
        ("a".into(), "b".into())
    );
    // Each flow ends with the relay that it began with.
    stage.whole.now();
    for one in [one, other] {
        let report = timeout(PATIENCE, one.ending.wait()).await.expect("an end");
        assert_eq!((report.sessions, report.flows), (2, 2));
        let told = one.log.0.lock().unwrap();
        assert_eq!(told.iter().filter(|(_, opened)| *opened).count(), 2);
        assert_eq!(told.iter().filter(|(_, opened)| !*opened).count(), 2);
    }
}

#[tokio::test]
async fn another_name_for_a_relay_keeps_who_is_just_connecting() {
    let stage = Stage::new();
    let (a, b) = (game("a").await, game("b").await);
    let (at, listeners) = place();
    let old = stage.start(listeners, a);
    let mut player = Player::at(at).await;
    assert_eq!(player.asks().await, "a");
    let new = stage.start(Vec::new(), b);
    let leave = change(&old, a, Vec::new());
    let missing = settle(vec![leave, change(&new, b, held(at))])
        .await
        .unwrap();
    assert!(missing.is_empty());
    old.running.retire(PATIENCE);
    assert_eq!(Player::at(at).await.asks().await, "b");
    // Who was there goes on with the game that he came for.
    assert_eq!(player.asks().await, "a");
    drop(player.tcp);
    until("the session to end", async || {
        look_at(&old).await.sessions_live == 0
    })
    .await;
    // The flow keeps the retired relay going, until it is over.
    assert_eq!(player.udp.peer_addr().unwrap(), at);
    assert_eq!(look_at(&old).await.flows_live, 1);
    stage.whole.drain();
    let report = timeout(PATIENCE, old.ending.wait()).await.expect("an end");
    assert_eq!((report.sessions, report.cut, report.flows), (1, 0, 1));
}

#[tokio::test]
async fn a_relay_that_retires_ends_by_itself_and_in_time_at_the_latest() {
    let stage = Stage::new();
    let a = game("a").await;
    let (at, listeners) = place();
    let idle = stage.start(listeners, a);
    idle.running.retire(Duration::from_secs(3600));
    let report = timeout(PATIENCE, idle.ending.wait()).await.expect("an end");
    assert_eq!((report.sessions, report.flows), (0, 0));
    assert!(TcpStream::connect(at).await.is_err());
    let (at, listeners) = place();
    let busy = stage.start(listeners, a);
    let mut player = Player::at(at).await;
    assert_eq!(player.asks().await, "a");
    busy.running.retire(Duration::from_millis(50));
    let report = timeout(PATIENCE, busy.ending.wait()).await.expect("an end");
    assert_eq!((report.sessions, report.cut, report.flows), (1, 1, 1));
    assert_eq!(report.totals.sessions_ended.get(CloseReason::Stopped), 1);
}

#[tokio::test]
async fn a_relay_that_retires_can_be_stopped() {
    let mut stage = Stage::new();
    stage.policy.drain_timeout = Duration::from_millis(50);
    let (at, listeners) = place();
    let one = stage.start(listeners, game("a").await);
    let mut player = Player::at(at).await;
    assert_eq!(player.asks().await, "a");
    one.running.retire(Duration::from_secs(3600));
    let ending = tokio::spawn(one.ending.wait());
    until("a relay that retires", async || {
        look(std::slice::from_ref(&one.running), 0).await[0]
            .listeners
            .is_empty()
    })
    .await;
    one.running.stop();
    let report = timeout(PATIENCE, ending).await.expect("an end").unwrap();
    assert_eq!((report.sessions, report.cut, report.flows), (1, 1, 1));
}

#[tokio::test]
async fn a_listener_that_is_not_there_cannot_be_kept() {
    let stage = Stage::new();
    let a = game("a").await;
    let (at, listeners) = place();
    let one = stage.start(listeners, a);
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 1));
    let wanted = vec![
        Listening::Held(Protocol::Tcp, at),
        Listening::Held(Protocol::Udp, nowhere),
    ];
    let missing = settle(vec![change(&one, a, wanted)]).await.unwrap();
    assert_eq!(missing, [(Protocol::Udp, nowhere)]);
    assert_eq!(look_at(&one).await.listeners, [(Protocol::Tcp, at)]);
}

#[tokio::test]
async fn a_look_shows_what_lives_and_totals_never_fall() {
    let stage = Stage::new();
    let a = game("a").await;
    let (at, listeners) = place();
    let one = stage.start(listeners, a);
    let mut player = Player::at(at).await;
    player.asks().await;
    let seen = look_at(&one).await;
    let [session] = &seen.sessions[..] else {
        panic!("{seen:?}")
    };
    assert_eq!(session.state, SessionState::Open);
    assert_eq!(session.downstream, player.tcp.local_addr().unwrap());
    assert_eq!(session.upstream, Some(a));
    assert_eq!((session.bytes_up, session.bytes_down), (1, 1));
    #[cfg(target_os = "linux")]
    assert!(session.round_trip_down.is_some() && session.round_trip_up.is_some());
    let [flow] = &seen.flows[..] else {
        panic!("{seen:?}")
    };
    assert_eq!(flow.player, player.udp.local_addr().unwrap());
    assert_eq!(
        (flow.datagrams_up, flow.bytes_down, flow.proven),
        (1, 1, true)
    );
    let totals = &seen.totals;
    assert_eq!((totals.sessions_opened, totals.flows_opened), (1, 1));
    assert_eq!((totals.session_bytes_up, totals.flow_bytes_up), (1, 1));
    assert_eq!(totals.dials.count(), 1);
    player.tcp.shutdown().await.unwrap();
    until("the end of the session", async || {
        look_at(&one).await.sessions_live == 0
    })
    .await;
    let after = look_at(&one).await.totals;
    assert_eq!(after.session_bytes_up, totals.session_bytes_up);
    assert_eq!(after.sessions_ended.get(CloseReason::Finished), 1);
    // More than are wanted one by one are still counted.
    let players = [Player::at(at).await, Player::at(at).await];
    for player in &players {
        player.asks_by_udp().await;
    }
    until("both to be there", async || {
        let looks = look(std::slice::from_ref(&one.running), 1).await;
        let seen = &looks[0];
        assert!(seen.sessions.len() <= 1 && seen.flows.len() <= 1);
        (seen.sessions_live, seen.flows_live) == (2, 3)
    })
    .await;
}

/// Waits on this thread, which is the runtime's: nothing that it is to do happens meanwhile.
fn while_the_runtime_stands_still(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = std::time::Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn an_answer_of_the_resolver_that_comes_after_a_change_is_not_lost() {
    let stage = Stage::new();
    let a = game("a").await;
    let by_name = HostPort::parse_target(&format!("localhost:{}", a.port())).unwrap();
    let (at, listeners) = place();
    let one = stage.start(listeners, a);
    let change = |trusted: &[&str]| Change {
        relay: one.running.clone(),
        settings: Settings {
            trusted: trusted
                .iter()
                .map(|at| Network::parse(at).unwrap())
                .collect(),
            ..Settings::new(by_name.clone())
        },
        listeners: held(at),
    };
    settle(vec![change(&[])]).await.unwrap();
    let player = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    player.send_to(b"?", at).unwrap();
    // The resolver is about to be asked, and who else is trusted changes before it answers.
    while_the_runtime_stands_still("the flow", || !one.log.0.lock().unwrap().is_empty());
    settle(vec![change(&["2001:db8::/32"])]).await.unwrap();
    player.set_nonblocking(true).unwrap();
    let player = UdpSocket::from_std(player).unwrap();
    let answer = timeout(PATIENCE, player.recv(&mut [0])).await;
    answer.expect("an answer of the game").unwrap();
}

#[tokio::test]
async fn a_relay_that_has_ended_meanwhile_is_not_given_listeners() {
    let stage = Stage::new();
    let (a, b) = (game("a").await, game("b").await);
    let (_, listeners) = place();
    let one = stage.start(listeners, a);
    let (to, listeners) = place();
    let late = change(&one, b, listeners);
    one.running.shutdown().drain();
    let _ = timeout(PATIENCE, one.ending.wait()).await.expect("an end");
    // Somebody had decided this before it ended.
    settle(vec![late]).await.unwrap();
    assert_eq!(stage.engine.listeners().await, []);
    assert!(TcpStream::connect(to).await.is_err(), "it still listens");
}

#[tokio::test]
async fn no_two_flows_of_a_relay_have_one_id_wherever_it_listened() {
    let stage = Stage::new();
    let (a, b) = (game("a").await, game("b").await);
    let ((here, at_a), (there, at_b)) = (place(), place());
    let (one, other) = (stage.start(at_a, a), stage.start(at_b, b));
    let new_flow = async |at| {
        let mut player = Player::at(at).await;
        player.asks().await;
        player
    };
    let mut players = Vec::new();
    for at in [here, here, here, there] {
        players.push(new_flow(at).await);
    }
    // They swap their places, and one then gives up UDP altogether for a while.
    let changes = vec![change(&one, a, held(there)), change(&other, b, held(here))];
    settle(changes).await.unwrap();
    players.push(new_flow(there).await);
    players.push(new_flow(here).await);
    settle(vec![change(&one, a, Vec::new())]).await.unwrap();
    let (at, listeners) = place();
    settle(vec![change(&one, a, listeners)]).await.unwrap();
    players.push(new_flow(at).await);
    for one in [&one, &other] {
        let mut told = one.log.0.lock().unwrap().clone();
        told.retain(|(_, opened)| *opened);
        let opened = told.len();
        told.sort_unstable();
        told.dedup();
        assert_eq!(told.len(), opened, "{told:?}");
    }
}

#[tokio::test]
async fn each_of_several_relays_is_shown_its_own() {
    let stage = Stage::new();
    let a = game("a").await;
    let mut all = Vec::new();
    let mut players = Vec::new();
    for count in [2, 0, 1] {
        let (at, listeners) = place();
        all.push((at, stage.start(listeners, a)));
        for _ in 0..count {
            let mut player = Player::at(at).await;
            player.asks().await;
            players.push(player);
        }
    }
    let relays: Vec<_> = all.iter().map(|(_, one)| one.running.clone()).collect();
    for most in [0, 1, 2] {
        let looks = look(&relays, most).await;
        assert_eq!(looks.len(), 3);
        for (((at, _), look), live) in all.iter().zip(looks).zip([2, 0, 1]) {
            assert_eq!(look.listeners, [(Protocol::Tcp, *at), (Protocol::Udp, *at)]);
            assert_eq!((look.sessions_live, look.flows_live), (live, live));
            let shown = live.min(most);
            assert_eq!((look.sessions.len(), look.flows.len()), (shown, shown));
            let bytes = (look.totals.session_bytes_up, look.totals.flow_bytes_up);
            assert_eq!(bytes, (live as u64, live as u64));
        }
    }
}
