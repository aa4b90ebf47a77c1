//! Everything that can happen to a relay happens a known number of times, and is then found in the
//! metrics just as often.

use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpStream, UdpSocket};

use crate::support::game::{Game, player_of};
use crate::support::scraper::{Page, metrics_of};
use crate::support::{PATIENCE, via6};

/// Descriptors of the program: 24 are in reserve, 17 set aside for scrapers, one is a flow's. The rest
/// is enough for eleven sessions.
const FEW: &str = "prlimit --nofile=64:64 --";
const SESSIONS: usize = 11;

/// More than IPv4 can carry (65,507), less than IPv6 can (65,527).
const OVERSIZE: usize = 65_510;

/// The connection is refused, or taken and reset.
fn is_reset(entry: SocketAddr) {
    let ended = TcpStream::connect(entry).and_then(|mut player| {
        player.set_read_timeout(Some(PATIENCE))?;
        player.read(&mut [0])
    });
    let error = ended.expect_err("neither an answer nor a clean end");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
}

/// One datagram each way.
fn flow(game: &Game, entry: SocketAddr) -> UdpSocket {
    let player = player_of(entry);
    for socket in [&player, &game.udp] {
        socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    }
    let mut buffer = [0; 16];
    player.send(b"hello").expect("sending");
    let (bytes, from) = game.udp.recv_from(&mut buffer).expect("a datagram");
    assert_eq!(&buffer[..bytes], b"hello");
    game.udp.send_to(b"welcome", from).expect("sending");
    assert_eq!(player.recv(&mut buffer).expect("a datagram"), 7);
    player
}

#[test]
fn what_happens_is_counted_once() {
    let game = Game::on("127.0.0.1");
    let line = format!(
        "via6 host --open {} --listen [::1]:0 --metrics 0 --json",
        game.address
    );
    let via6 = via6(&line).through(FEW, env!("CARGO_BIN_EXE_via6")).start();
    let (entry, metrics) = (via6.address(), metrics_of(&via6));
    let until = |wanted: &[(&str, &str)]| Page::until(metrics, "host", wanted);

    // From the first, nothing has happened, and it can be seen that nothing has.
    let first = until(&[("sessions", "0"), ("sessions_opened_total", "0")]);
    let never = |(series, value): (&String, &String)| !series.starts_with("via6_") || value == "0";
    let told = ["via6_build_info", "via6_uptime_seconds"];
    let relays = first.0.iter();
    let mut relays = relays.filter(|(series, _)| !told.iter().any(|told| series.starts_with(told)));
    assert!(relays.all(never), "{first:#?}");

    drop(game.session(entry));
    until(&[("sessions_ended_total reason finished", "1")]);

    let player = flow(&game, entry);
    player.send(&vec![0; OVERSIZE]).expect("sending");
    until(&[
        ("datagrams_dropped_total reason oversize", "1"),
        ("flows", "1"),
    ]);

    let crowd: Vec<_> = (0..SESSIONS).map(|_| game.session(entry)).collect();
    // Bytes of what still lives are counted as they pass.
    until(&[
        ("sessions", "11"),
        ("session_bytes_total direction up", "60"),
        ("session_bytes_total direction down", "84"),
    ]);
    is_reset(entry);
    until(&[("connections_shed_total reason descriptors-full", "1")]);
    drop(crowd);
    until(&[("sessions", "0")]);

    drop(game);
    is_reset(entry);
    let last = until(&[("sessions_ended_total reason dial-failed", "1")]);

    for (series, value) in [
        ("sessions", "0"),
        ("sessions_opened_total", "13"),
        ("sessions_ended_total reason finished", "12"),
        ("sessions_ended_total reason downstream-reset", "0"),
        ("session_bytes_total direction up", "60"),
        ("session_bytes_total direction down", "84"),
        ("flows", "1"),
        ("flows_opened_total", "1"),
        ("flows_ended_total reason idle", "0"),
        ("flow_bytes_total direction up", "5"),
        ("flow_bytes_total direction down", "7"),
        ("flow_datagrams_total direction up", "1"),
        ("flow_datagrams_total direction down", "1"),
        ("connections_shed_total reason descriptors-full", "1"),
        ("connections_shed_total reason total-rate", "0"),
        ("datagrams_dropped_total reason oversize", "1"),
        ("datagrams_dropped_total reason refused", "0"),
        ("accept_errors_total class unknown", "0"),
        ("dial_duration_seconds_bucket le +Inf", "12"),
        ("dial_duration_seconds_bucket le 10", "12"),
        ("dial_duration_seconds_count", "12"),
    ] {
        assert_eq!(last.value("host", series), value, "{series}");
    }
    let number = |series: &str| last.0[series].parse::<f64>().expect("a number");
    assert_eq!(last.0["process_max_fds"], "64");
    assert!((5.0..64.0).contains(&number("process_open_fds")));
    assert!(number("process_resident_memory_bytes") > 500_000.0);
    assert!(number("process_cpu_seconds_total") >= 0.0);
}

/// A name is looked up and raced, which takes its time even here.
#[test]
fn the_time_that_dialling_took_is_added_up() {
    let game = Game::on("127.0.0.1");
    let line = format!(
        "via6 relay tcp [::1]:0 localhost:{} --metrics 0 --json",
        game.address.port()
    );
    let via6 = via6(&line).start();
    let metrics = metrics_of(&via6);
    let _live = game.session(via6.address());
    let page = Page::until(metrics, "relay", &[("dial_duration_seconds_count", "1")]);
    let took = page
        .value("relay", "dial_duration_seconds_sum")
        .parse::<f64>();
    let took = took.expect("a number");
    assert!(took > 0.0 && took < PATIENCE.as_secs_f64(), "{took}");
}

#[test]
fn the_time_of_the_start_does_not_move() {
    let via6 = via6("via6 join ::1 --listen 127.0.0.1:0 --metrics 0 --json").start();
    let metrics = metrics_of(&via6);
    let first = Page::of(metrics);
    let uptime = |page: &Page| {
        page.0["via6_uptime_seconds"]
            .parse::<f64>()
            .expect("a number")
    };
    let start = std::time::Instant::now();
    let later = loop {
        let page = Page::of(metrics);
        if uptime(&page) > uptime(&first) + 0.5 {
            break page;
        }
        assert!(start.elapsed() < PATIENCE, "{page:#?}");
        std::thread::sleep(crate::support::scraper::PACE);
    };
    let started = |page: &Page| page.0["process_start_time_seconds"].clone();
    assert_eq!(started(&first), started(&later));
    let now = std::time::SystemTime::UNIX_EPOCH
        .elapsed()
        .expect("a clock")
        .as_secs_f64();
    let started: f64 = started(&later).parse().expect("a number");
    assert!((now - started - uptime(&later)).abs() < 5.0, "{started}");
}
