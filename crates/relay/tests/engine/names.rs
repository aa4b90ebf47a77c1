//! An upstream that is a name: the runtime looks it up and dials, while the player waits with the
//! engine.

#[cfg(target_os = "linux")]
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use via6_core::reason::CloseReason;
use via6_relay::{Descriptors, Engine, Policy, Splicing};

use crate::play::{DESCRIPTORS, MODES, Running, Stage, beside_others, settings};
use crate::wire::{self, End, Pattern, Rng, be_patient};

/// How long a connection within this computer may take before its listener counts as full.
const FULL_AFTER: Duration = Duration::from_millis(200);

/// A port whose queue is full, so that dialling it takes its time: the listener, and who waits.
/// (Windows refuses at once.)
struct FullPort {
    at: SocketAddr,
    _listener: Socket,
    _waiting: Vec<Socket>,
}

impl FullPort {
    fn new() -> Self {
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        listener.bind(&any.into()).unwrap();
        listener.listen(0).unwrap();
        let at = listener.local_addr().unwrap().as_socket().unwrap();
        let mut waiting = Vec::new();
        for _ in 0..100 {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            let connected = socket.connect_timeout(&at.into(), FULL_AFTER);
            waiting.push(socket);
            if connected.is_err() {
                return Self {
                    at,
                    _listener: listener,
                    _waiting: waiting,
                };
            }
        }
        panic!("a queue of none takes a hundred");
    }
}

fn relay_to(upstream: &str, splicing: Splicing) -> Running {
    let descriptors = Descriptors::new(DESCRIPTORS);
    let engine = Engine::start(&descriptors).unwrap();
    Running::start(
        engine,
        descriptors,
        settings(upstream, splicing),
        Policy::default(),
    )
}

fn player_of(relay: &Running) -> TcpStream {
    let player = TcpStream::connect(relay.at).unwrap();
    be_patient(&player);
    player
}

/// A player whose connection is being dialled, by the runtime or by the engine itself.
fn dialling(name: bool) -> (FullPort, Running, TcpStream) {
    let port = FullPort::new();
    let upstream = if name {
        format!("localhost:{}", port.at.port())
    } else {
        port.at.to_string()
    };
    let relay = relay_to(&upstream, Splicing::default());
    let player = player_of(&relay);
    relay.log.wait("session", |seen| seen.opened == 1);
    (port, relay, player)
}

#[test]
fn a_name_is_dialled_and_carries_everything() {
    let _beside = beside_others();
    for splicing in MODES {
        let game = Stage::new(splicing, 0);
        let relay = relay_to(&format!("localhost:{}", game.entry().port()), splicing);
        let player = player_of(&relay);
        let game = game.accept();
        std::thread::scope(|scope| {
            // Sent before anybody knows whether the game is there.
            scope.spawn(|| {
                assert!(wire::write(
                    &player,
                    Pattern(1),
                    0,
                    3 << 20,
                    &mut Rng::new(1)
                ));
                wire::finish(&player);
            });
            wire::expect(&game, Pattern(1), 3 << 20, End::Fin);
        });
        wire::finish(&game);
        wire::expect(&player, Pattern(2), 0, End::Fin);
        let end = relay.log.ends(1)[0];
        assert_eq!((end.reason, end.up), (CloseReason::Finished, 3 << 20));
        assert_eq!(relay.drained().sessions, 1);
    }
}

#[cfg(unix)]
#[test]
fn a_player_who_leaves_while_dialling_is_told_as_gone() {
    let _beside = beside_others();
    for name in [true, false] {
        let (port, relay, player) = dialling(name);
        wire::reset(player);
        let end = relay.log.ends(1)[0];
        assert_eq!(end.reason, CloseReason::DownstreamReset, "name: {name}");
        assert_eq!(relay.drained().cut, 0);
        drop(port);
    }
}

#[cfg(unix)]
#[test]
fn stopping_now_while_dialling_resets_the_player() {
    let _beside = beside_others();
    for name in [true, false] {
        let (port, relay, player) = dialling(name);
        relay.shutdown.now();
        wire::expect(&player, Pattern(1), 0, End::Reset);
        assert_eq!(relay.log.ends(1)[0].reason, CloseReason::Stopped);
        let report = relay.report();
        assert_eq!((report.sessions, report.cut), (1, 1), "name: {name}");
        drop(port);
    }
}

/// Nobody listens there, or nobody has that name.
#[test]
fn a_name_that_leads_nowhere_resets_the_player() {
    let _beside = beside_others();
    let closed = Stage::new(Splicing::default(), 0).entry().port();
    for upstream in [
        format!("localhost:{closed}"),
        format!("127.0.0.1:{closed}"),
        "name.invalid:1".into(),
    ] {
        let relay = relay_to(&upstream, Splicing::default());
        wire::expect(&player_of(&relay), Pattern(1), 0, End::Reset);
        let end = relay.log.ends(1)[0];
        assert_eq!(end.reason, CloseReason::DialFailed, "{upstream}");
        assert_eq!(relay.drained().sessions, 1);
    }
}

/// "Server full": the engine finds a connection that was made, spoken over and reset meanwhile.
#[cfg(target_os = "linux")]
#[test]
fn a_game_that_speaks_and_resets_at_once_is_heard() {
    let _beside = beside_others();
    for splicing in MODES {
        let stage = Stage::new(splicing, 1);
        for _ in 0..300 {
            let player = player_of(&stage.relays[0]);
            let mut game = stage.accept();
            game.write_all(&Pattern(1).bytes(0, 12)).unwrap();
            wire::reset(game);
            wire::expect(&player, Pattern(1), 12, End::Reset);
        }
        stage.conclude(300, |end| {
            (end.reason, end.down) == (CloseReason::UpstreamReset, 12)
        });
    }
}
