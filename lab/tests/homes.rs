//! The namespace lab itself: what its firewalls, its WAN and its providers do to sockets, without any
//! via6. What via6 makes of it is in `crates/via6/tests/homes.rs`.

#![cfg(target_os = "linux")]
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic, and opens its own sockets"
)]

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use via6_lab::failure::{During, Outcome};
use via6_lab::wan::emulator::Direction;
use via6_lab::wan::firewall::Opening;
use via6_lab::wan::game::Game;
use via6_lab::wan::homes::{HOST_NAME, Homes, PORT};
use via6_lab::wan::place::Place;
use via6_lab::wan::player::Download;
use via6_lab::wan::runner::judge;
use via6_lab::wan::way::Conditions;
use via6_lab::wire;

/// How long nothing must come where nothing can: many round trips of these homes.
const SILENCE: Duration = Duration::from_millis(400);

/// How long anything may take that must come, generous for a loaded machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs `test` in homes of its own; skips where there can be none.
fn in_homes(conditions: Conditions, test: impl FnOnce(&mut Homes) -> Outcome) {
    let run = || test(&mut Homes::new(conditions, 1)?);
    let name = std::thread::current().name().unwrap_or("test").to_owned();
    assert_eq!(judge(&name, run()), Ok(()));
}

fn in_perfect_homes(test: impl FnOnce(&mut Homes) -> Outcome) {
    in_homes(Conditions::default(), test);
}

fn listen(homes: &Homes, port: u16) -> TcpListener {
    let any = IpAddr::from(Ipv6Addr::UNSPECIFIED);
    let listener = homes.host.run(move || TcpListener::bind((any, port)));
    listener.expect("a listener")
}

/// Tries to connect from the joiner to the host.
fn connect(homes: &Homes, port: u16, patience: Duration) -> std::io::Result<TcpStream> {
    let to = SocketAddr::new(homes.host_address().into(), port);
    homes
        .joiner
        .run(move || TcpStream::connect_timeout(&to, patience))
}

/// An established connection: the joiner's end and the host's.
fn pair(homes: &Homes, listener: &TcpListener) -> [TcpStream; 2] {
    let joiner = connect(homes, PORT, PATIENCE).expect("a connection");
    [joiner, wire::accept(listener, PATIENCE).expect("its end")]
}

/// Whether bytes written at one end come out at the other within this time.
fn passes(mut from: &TcpStream, mut to: &TcpStream, patience: Duration) -> bool {
    from.write_all(b"via6").expect("writing");
    to.set_read_timeout(Some(patience)).expect("a timeout");
    let read = to.read_exact(&mut [0; 4]);
    match read.map_err(|error| error.kind()) {
        Ok(()) => true,
        Err(ErrorKind::WouldBlock) => false,
        Err(other) => panic!("neither bytes nor silence: {other}"),
    }
}

/// Sends a datagram from the joiner to the host's port and back; whether it made it.
fn datagram_returns(host: &UdpSocket, joiner: &UdpSocket, homes: &Homes) -> bool {
    for socket in [host, joiner] {
        socket.set_read_timeout(Some(SILENCE)).expect("a timeout");
    }
    let to = SocketAddr::new(homes.host_address().into(), PORT);
    joiner.send_to(b"there", to).expect("sending");
    let mut buffer = [0; 16];
    let Ok((len, from)) = host.recv_from(&mut buffer) else {
        return false;
    };
    assert_eq!(&buffer[..len], b"there");
    host.send_to(b"back", from).expect("sending");
    joiner.recv(&mut buffer).is_ok_and(|len| len == 4)
}

fn udp(homes: &Homes) -> [UdpSocket; 2] {
    let any = IpAddr::from(Ipv6Addr::UNSPECIFIED);
    let host = homes.host.run(move || UdpSocket::bind((any, PORT)));
    let joiner = homes.joiner.run(move || UdpSocket::bind((any, 0)));
    [host.expect("a socket"), joiner.expect("a socket")]
}

#[test]
fn strangers_get_in_by_the_opening_alone() {
    in_perfect_homes(|homes| {
        let (open, closed) = (listen(homes, PORT), listen(homes, PORT + 1));
        let refused = connect(homes, PORT + 1, SILENCE).expect_err("no opening");
        assert_eq!(refused.kind(), ErrorKind::TimedOut);
        let [joiner, host] = pair(homes, &open);
        assert!(passes(&joiner, &host, PATIENCE) && passes(&host, &joiner, PATIENCE));
        homes.set_opening(Opening::NONE)?;
        let refused = connect(homes, PORT, SILENCE).expect_err("no opening");
        assert_eq!(refused.kind(), ErrorKind::TimedOut);
        assert!(
            passes(&joiner, &host, PATIENCE),
            "what is established stays"
        );
        drop(closed);
        Ok(())
    });
}

#[test]
fn openings_are_for_tcp_and_udp_by_themselves() {
    in_perfect_homes(|homes| {
        let _listener = listen(homes, PORT);
        let [host, _] = udp(homes);
        for (udp_open, tcp_open) in [(true, false), (false, true), (true, true)] {
            homes.set_opening(Opening {
                udp: udp_open,
                tcp: tcp_open,
            })?;
            // A socket of its own each time: an answer to the last would be let in.
            let any = IpAddr::from(Ipv6Addr::UNSPECIFIED);
            let joiner = homes.joiner.run(move || UdpSocket::bind((any, 0)));
            let joiner = joiner.expect("a socket");
            assert_eq!(datagram_returns(&host, &joiner, homes), udp_open);
            let patience = if tcp_open { PATIENCE } else { SILENCE };
            assert_eq!(connect(homes, PORT, patience).is_ok(), tcp_open);
        }
        Ok(())
    });
}

#[test]
fn a_forgotten_connection_is_dead_without_a_word() {
    in_perfect_homes(|homes| {
        let listener = listen(homes, PORT);
        let [joiner, host] = pair(homes, &listener);
        assert!(passes(&joiner, &host, PATIENCE) && passes(&host, &joiner, PATIENCE));
        assert!(homes.known_flows()?.iter().all(|known| *known > 0));
        homes.forget_flows()?;
        assert_eq!(homes.known_flows()?, [0, 0]);
        assert!(!passes(&joiner, &host, SILENCE) && !passes(&host, &joiner, SILENCE));
        let [joiner, host] = pair(homes, &listener);
        assert!(passes(&joiner, &host, PATIENCE), "a new one");
        Ok(())
    });
}

#[test]
fn a_router_that_learns_again_lets_it_go_on_when_the_inside_speaks() {
    in_perfect_homes(|homes| {
        let listener = listen(homes, PORT);
        homes.set_relearning(true)?;
        let [joiner, host] = pair(homes, &listener);
        assert!(passes(&joiner, &host, PATIENCE));
        homes.forget_flows()?;
        assert!(!passes(&host, &joiner, SILENCE), "the outside speaks");
        assert!(passes(&joiner, &host, PATIENCE), "the inside speaks");
        Ok(())
    });
}

#[test]
fn forgotten_flows_begin_again_by_themselves() {
    in_perfect_homes(|homes| {
        let [host, joiner] = udp(homes);
        assert!(datagram_returns(&host, &joiner, homes));
        homes.forget_flows()?;
        assert!(datagram_returns(&host, &joiner, homes));
        Ok(())
    });
}

#[test]
fn udp_is_blocked_midway_and_tcp_is_not() {
    in_perfect_homes(|homes| {
        let listener = listen(homes, PORT);
        let [host, joiner] = udp(homes);
        assert!(datagram_returns(&host, &joiner, homes));
        homes.block_udp()?;
        assert!(!datagram_returns(&host, &joiner, homes));
        assert_eq!(homes.blocked_datagrams()?, 1);
        let [client, server] = pair(homes, &listener);
        assert!(passes(&client, &server, PATIENCE));
        homes.unblock_udp()?;
        assert!(datagram_returns(&host, &joiner, homes));
        Ok(())
    });
}

#[test]
fn a_cut_is_a_cut_and_ends() {
    in_perfect_homes(|homes| {
        let listener = listen(homes, PORT);
        let [joiner, host] = pair(homes, &listener);
        homes.wan.change(|now| now.is_cut = true);
        assert!(!passes(&joiner, &host, SILENCE));
        homes.wan.change(|now| now.is_cut = false);
        let mut host = &host;
        host.set_read_timeout(Some(PATIENCE)).during("a timeout")?;
        host.read_exact(&mut [0; 4])
            .during("what was sent meanwhile")?;
        let lost = homes.wan.counts(Direction::In).cut;
        assert!(lost > 0, "nothing was offered to the cut line");
        Ok(())
    });
}

#[test]
fn delay_is_that_of_the_line() {
    let conditions = Conditions {
        delay: Duration::from_millis(50),
        ..Conditions::default()
    };
    in_homes(conditions, |homes| {
        let listener = listen(homes, PORT);
        let [joiner, host] = pair(homes, &listener);
        let start = Instant::now();
        assert!(passes(&joiner, &host, PATIENCE) && passes(&host, &joiner, PATIENCE));
        let took = start.elapsed();
        assert!(took >= Duration::from_millis(100), "{took:?}");
        Ok(())
    });
}

/// Without via6's short segments a download gets nowhere. That is what the black hole is for.
#[test]
fn a_black_hole_swallows_ordinary_segments() {
    let conditions = Conditions {
        black_hole_over: Some(1280),
        ..Conditions::default()
    };
    in_homes(conditions, |homes| {
        let any = IpAddr::from(Ipv6Addr::UNSPECIFIED);
        let game = Game::start(&homes.host, any, PORT)?;
        let stream = connect(homes, PORT, PATIENCE).during("connecting")?;
        let view = stream.try_clone().during("another descriptor")?;
        let download = Download::start(stream, wire::MIB, 0)?;
        // The pause is the test: what comes in it has come through.
        std::thread::sleep(SILENCE);
        view.shutdown(std::net::Shutdown::Both)
            .during("ending it")?;
        let played = download.wait_ended()?;
        assert_eq!(played.came, 0, "bytes came through");
        assert!(homes.wan.counts(Direction::Out).too_large > 0);
        drop(game);
        Ok(())
    });
}

#[test]
fn the_name_leads_where_it_is_said_to() {
    in_perfect_homes(|homes| {
        let lookup = |homes: &Homes| {
            let found = homes.joiner.run(|| {
                let found = (HOST_NAME, 1).to_socket_addrs()?;
                Ok::<_, std::io::Error>(found.map(|at| at.ip()).collect::<Vec<_>>())
            });
            found.map(|mut all| {
                all.dedup();
                all
            })
        };
        let is = |homes: &Homes| vec![IpAddr::from(homes.host_address())];
        assert_eq!(lookup(homes).during("the first")?, is(homes));
        homes.replace_prefix()?;
        assert_ne!(lookup(homes).during("the old")?, is(homes));
        homes.name_host(Some(homes.host_address()))?;
        assert_eq!(lookup(homes).during("the new")?, is(homes));
        homes.name_host(None)?;
        assert!(lookup(homes).is_err());
        Ok(())
    });
}

#[test]
fn an_announced_prefix_works_beside_the_old_one_until_that_is_retired() {
    in_perfect_homes(|homes| {
        let listener = listen(homes, PORT);
        let [old, old_end] = pair(homes, &listener);
        homes.announce_prefix()?;
        let [new, new_end] = pair(homes, &listener);
        assert!(passes(&old, &old_end, PATIENCE) && passes(&new, &new_end, PATIENCE));
        let deprecated = homes.host.run(|| {
            let mut ip = Command::new("ip");
            ip.args(["-6", "addr", "show", "dev", "eth0", "deprecated"]);
            ip.output()
        });
        let deprecated = deprecated.during("asking for addresses")?.stdout;
        assert!(String::from_utf8_lossy(&deprecated).contains("a00::10"));
        homes.retire_prefix()?;
        assert!(!passes(&old, &old_end, SILENCE));
        assert!(passes(&new, &new_end, PATIENCE));
        Ok(())
    });
}

#[test]
fn a_joiner_that_moves_loses_its_connections_and_can_make_new_ones() {
    in_perfect_homes(|homes| {
        let listener = listen(homes, PORT);
        let [old, old_end] = pair(homes, &listener);
        homes.move_joiner()?;
        assert!(!passes(&old_end, &old, SILENCE));
        let [new, new_end] = pair(homes, &listener);
        assert!(passes(&new_end, &new, PATIENCE));
        let from = new_end.peer_addr().during("its address")?.ip();
        assert_eq!(from, IpAddr::from(homes.joiner_address()));
        Ok(())
    });
}

#[test]
fn programs_end_with_their_home() {
    let run = || {
        let place = Place::new("a place")?;
        let sleeper = place.run(|| {
            let mut command = Command::new("setpriv");
            command.args(["--pdeathsig", "KILL", "--"]);
            command.args(["sh", "-c", "echo bound; exec sleep 600"]);
            command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()
        });
        let mut sleeper = sleeper.during("starting a program")?;
        // Bound to its place only once setpriv has said so to the system.
        let mut word = [0; 5];
        let stdout = sleeper.stdout.as_mut().expect("a pipe");
        stdout.read_exact(&mut word).during("its first word")?;
        assert_eq!(&word, b"bound");
        drop(place);
        let status = sleeper.wait().during("waiting")?;
        assert_eq!(status.signal(), Some(9));
        Ok(())
    };
    assert_eq!(judge("programs_end_with_their_home", run()), Ok(()));
}
