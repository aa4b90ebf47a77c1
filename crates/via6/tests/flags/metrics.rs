//! `--metrics` and `VIA6_METRICS`: where metrics are served, what is said of it, and what if they
//! cannot be. What is in them is in `metrics/`.

use std::net::{SocketAddr, TcpListener};

use crate::support::game::{free_port, is_refused};
use crate::support::scraper::{Page, get, metrics_of};
use crate::support::{events, via6};

const COMMANDS: [&str; 3] = [
    "host --open 25565 --listen [::1]:0",
    "join ::1 --listen 127.0.0.1:0",
    "relay tcp [::1]:0 [::1]:1",
];

/// What is set, what is typed, and where the metrics then are. `{p}` and `{q}` are free ports.
const PLACES: &[(&str, &str, &str)] = &[
    ("", "--metrics {p}", "127.0.0.1:{p}"),
    ("", "--metrics :{p}", "127.0.0.1:{p}"),
    ("", "--metrics [::1]:{p}", "[::1]:{p}"),
    ("", "--metrics 127.0.0.2:{p}", "127.0.0.2:{p}"),
    ("VIA6_METRICS={p}", "", "127.0.0.1:{p}"),
    ("VIA6_METRICS=[::1]:{p}", "", "[::1]:{p}"),
    ("VIA6_METRICS={p}", "--metrics {q}", "127.0.0.1:{q}"),
    ("VIA6_METRICS=", "--metrics {q}", "127.0.0.1:{q}"),
    ("", "--metrics {p} --metrics {q}", "127.0.0.1:{q}"),
];

#[test]
fn metrics_are_where_they_were_asked_for() {
    for ((variable, flags, place), command) in PLACES.iter().zip(COMMANDS.iter().cycle()) {
        let (p, q) = (free_port().to_string(), free_port().to_string());
        let put = |text: &str| text.replace("{p}", &p).replace("{q}", &q);
        let line = put(&format!("{variable} via6 {command} {flags} --json"));
        let via6 = via6(line.trim_start()).start();
        let place: SocketAddr = put(place).parse().expect("an address");
        assert_eq!(metrics_of(&via6), place, "{line}");
        let role = command.split(' ').next().expect("a command");
        assert_eq!(Page::of(place).value(role, "sessions"), "0", "{line}");
        assert!(get(place, "/").expect("a page").contains("/metrics"));
        assert_eq!(get(place, "/metrics/x"), None);
    }
}

/// Nothing is found on the port that others use for it.
#[test]
fn there_are_no_metrics_unless_they_are_asked_for() {
    for variable in ["", "VIA6_METRICS="] {
        let line = format!("{variable} via6 relay tcp [::1]:0 [::1]:1 --json");
        let via6 = via6(line.trim_start()).start();
        via6.event("listening");
        let events = events(&via6.stop().stdout);
        assert!(events.iter().all(|event| event["event"] != "metrics"));
    }
}

#[test]
fn a_person_is_told_where_they_are_and_a_warning_only_if_others_can_reach_them() {
    for (place, url, reachable) in [
        ("127.0.0.1:{p}", "http://127.0.0.1:{p}/metrics", false),
        ("[::1]:{p}", "http://[::1]:{p}/metrics", false),
        ("0.0.0.0:{p}", "http://0.0.0.0:{p}/metrics", true),
        ("[::]:{p}", "http://[::]:{p}/metrics", true),
    ] {
        let port = free_port().to_string();
        let place = place.replace("{p}", &port);
        let line = format!("via6 relay tcp [::1]:0 [::1]:1 --metrics {place}");
        let running = via6(&line).start();
        running.says(&format!("metrics on {}\n", url.replace("{p}", &port)));
        let told = running.stop().stderr;
        let warning = format!("warning: whoever reaches {place} sees how many play");
        assert_eq!(told.contains(&warning), reachable, "{told}");
        let cure = format!("for this computer alone: --metrics '127.0.0.1:{port}'\n");
        assert_eq!(told.contains(&cure), reachable, "{told}");
        let quiet = via6(&format!("{line} -q")).start();
        let at = place.parse().expect("an address");
        while get(at, "/metrics").is_none() {
            std::thread::yield_now();
        }
        assert_eq!(quiet.stop().stderr.contains(&warning), reachable);
    }
}

#[test]
fn a_script_is_warned_as_well() {
    let via6 = via6("via6 relay tcp [::1]:0 [::1]:1 --metrics 0.0.0.0:0 --json").start();
    let address = metrics_of(&via6);
    let warning = via6.event("warning");
    assert_eq!(warning["kind"], "metrics-reachable");
    let message = warning["message"].as_str().expect("a text");
    assert!(message.contains(&address.to_string()), "{message}");
}

/// Before a friend is given a line that then leads nowhere.
#[test]
fn a_port_that_another_program_has_is_an_error_at_once() {
    let port = free_port();
    let _program = TcpListener::bind(("127.0.0.1", port)).expect("a free port");
    let entry = SocketAddr::from(([127, 0, 0, 1], free_port()));
    for (line, asked) in [
        ("", format!("--metrics {port}")),
        (&*format!("VIA6_METRICS={port}"), String::new()),
    ] {
        let line = format!("{line} via6 join ::1 --listen {entry} {asked}");
        let ended = via6(line.trim_start()).end();
        let other = port + 1;
        assert_eq!((ended.code, &*ended.stdout), (Some(1), ""), "{ended:?}");
        assert_eq!(
            ended.stderr,
            format!(
                "error: cannot listen on 127.0.0.1:{port} (TCP): address already in use\n  \
                 another program is using this port\n\n\
                 hint: see which one with `ss -ltnp 'sport = :{port}'`, or pick another: \
                 --metrics '127.0.0.1:{other}'\n"
            )
        );
    }
    is_refused(entry, "tcp");
}

/// It is no other program that has the port.
#[test]
fn a_port_that_is_wanted_twice_is_said_to_be_just_that() {
    let port = free_port();
    for (listen, metrics, collides) in [
        (format!("127.0.0.1:{port}"), format!("{port}"), true),
        (format!("0.0.0.0:{port}"), format!("{port}"), true),
        (format!("127.0.0.1:{port}"), format!("0.0.0.0:{port}"), true),
        (format!("[::]:{port}"), format!("{port}"), false),
        (format!("127.0.0.2:{port}"), format!("{port}"), false),
    ] {
        let line = format!("via6 relay tcp {listen} [::1]:1 --metrics {metrics} --json");
        if collides {
            let ended = via6(&line).end();
            assert_eq!(ended.code, Some(2), "{ended:?}");
            assert!(
                ended.stderr.contains("relay listens there itself\n"),
                "{ended:?}"
            );
        } else {
            metrics_of(&via6(&line).start());
        }
    }
    // UDP has ports of its own.
    let line = format!("via6 relay udp 127.0.0.1:{port} [::1]:1 --metrics {port} --json");
    metrics_of(&via6(&line).start());
}
