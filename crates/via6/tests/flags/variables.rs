//! `VIA6_…` variables: one beats the default, a flag beats it, and an empty one counts as none.

use crate::support::game::free_port;
use crate::support::{PATIENCE, Running, events, via6};

/// A command, a field of its first `listening` event, and how that begins. `{p}` and `{q}` are free
/// ports.
const LISTENING: &[(&str, &str, &str)] = &[
    (
        "VIA6_GAME=7777 via6 host --open --listen [::1]:0",
        "upstream",
        "127.0.0.1:7777",
    ),
    (
        "VIA6_GAME=7777 via6 host --open --listen [::1]:0 7778",
        "upstream",
        "127.0.0.1:7778",
    ),
    (
        "VIA6_OPEN=1 via6 host --listen [::1]:0 7777",
        "upstream",
        "127.0.0.1:7777",
    ),
    (
        "VIA6_OPEN=yes via6 host --listen [::1]:0 7777",
        "upstream",
        "127.0.0.1:7777",
    ),
    ("VIA6_PORT={p} via6 host --open 7777", "address", "[::]:{p}"),
    (
        "VIA6_PORT={p} via6 host --open --port {q} 7777",
        "address",
        "[::]:{q}",
    ),
    (
        "VIA6_PORT={p} via6 host --open --listen [::1]:{q} 7777",
        "address",
        "[::1]:{q}",
    ),
    (
        "VIA6_PORT= via6 host --open --listen [::1]:0 7777",
        "address",
        "[::1]:",
    ),
    (
        "VIA6_LISTEN=[::1]:{p} via6 host --open 7777",
        "address",
        "[::1]:{p}",
    ),
    (
        "VIA6_LISTEN=[::1]:{p} via6 host --open --listen [::1]:{q} 7777",
        "address",
        "[::1]:{q}",
    ),
    (
        "VIA6_LISTEN=[::1]:{p} via6 host --open --port {q} 7777",
        "address",
        "[::]:{q}",
    ),
    (
        "VIA6_LISTEN=[::1]:{p} VIA6_PORT= via6 host --open 7777",
        "address",
        "[::1]:{p}",
    ),
    (
        "VIA6_LISTEN= via6 host --open --port {p} 7777",
        "address",
        "[::]:{p}",
    ),
    (
        "VIA6_LISTEN=127.0.0.2:0 via6 join ::1",
        "address",
        "127.0.0.2:",
    ),
    (
        "VIA6_LISTEN=127.0.0.2:0 via6 join ::1 --listen 127.0.0.3:0",
        "address",
        "127.0.0.3:",
    ),
    (
        "VIA6_HOST=[2001:db8::1]:5 via6 join --listen 127.0.0.1:0",
        "upstream",
        "[2001:db8::1]:5",
    ),
    (
        "VIA6_HOST=[2001:db8::1]:5 via6 join ::1 --listen 127.0.0.1:0",
        "upstream",
        "[::1]:43325",
    ),
    (
        "VIA6_TRUST_RELAY= via6 host --open --listen [::1]:0 7777",
        "address",
        "[::1]:",
    ),
];

#[test]
fn a_variable_beats_the_default_and_a_flag_beats_it() {
    for (line, field, value) in LISTENING {
        let (p, q) = (free_port().to_string(), free_port().to_string());
        let put = |text: &str| text.replace("{p}", &p).replace("{q}", &q);
        let via6 = via6(&put(line)).with("VIA6_JSON", "1").start();
        let event = via6.event("listening");
        let seen = event[field].as_str().expect("a text");
        // Up to the port, if that is any.
        let (seen, value) = match put(value) {
            value if value.ends_with(':') => {
                let end = seen.rfind(':').expect("a port") + 1;
                (&seen[..end], value)
            }
            value => (seen, value),
        };
        assert_eq!(seen, value, "{line}");
    }
}

/// Which protocols listen, with these variables and flags.
const CARRIED: &[(&str, &str, &[&str])] = &[
    ("VIA6_TCP=1", "", &["tcp"]),
    ("VIA6_UDP=true", "", &["udp"]),
    ("VIA6_TCP=1 VIA6_UDP=1", "", &["tcp", "udp"]),
    ("VIA6_TCP=0", "", &["tcp", "udp"]),
    ("VIA6_TCP= VIA6_UDP=", "", &["tcp", "udp"]),
    ("VIA6_TCP=1", "--tcp", &["tcp"]),
    ("VIA6_UDP=no", "--tcp", &["tcp"]),
];

#[test]
fn variables_say_what_is_carried() {
    for (variables, flags, protocols) in CARRIED {
        for command in [
            "host --open 7777 --listen [::1]:0",
            "join ::1 --listen 127.0.0.1:0",
        ] {
            let line = format!("{variables} via6 {command} --json {flags}");
            let via6 = via6(&line).start();
            via6.event("listening");
            let events = events(&via6.stop().stdout);
            let listening = events.iter().filter(|event| event["event"] == "listening");
            let seen: Vec<_> = listening.map(|event| &event["protocol"]).collect();
            assert_eq!(seen, *protocols, "{line}");
        }
    }
}

/// Only a clear yes opens a host to everybody.
#[test]
fn a_host_is_not_open_by_mistake() {
    for value in ["", "0", "no", "false"] {
        let host = via6("via6 host --listen [::1]:0 --json 7777").with("VIA6_OPEN", value);
        let host = host.start();
        host.event("invite");
        assert_eq!(
            host.event("listening")["link"],
            "sealed",
            "VIA6_OPEN={value}"
        );
    }
    let ended = via6("VIA6_OPEN=maybe via6 host --listen [::1]:0 7777").end();
    assert_eq!(ended.code, Some(2), "{ended:?}");
}

#[test]
fn variables_say_how_much_is_told() {
    const JOIN: &str = "via6 join ::1 --listen 127.0.0.1:0";
    let informs = |invocation: crate::support::Invocation| {
        let via6 = invocation.start();
        address_to_type(&via6);
        via6.stop().stderr.contains("joining")
    };
    let join = |flags: &str| via6(&format!("{JOIN} {flags}"));
    assert!(informs(join("")));
    assert!(!informs(join("").with("VIA6_QUIET", "1")));
    assert!(informs(join("").with("VIA6_QUIET", "0")));
    assert!(informs(join("").with("VIA6_QUIET", "")));
    assert!(informs(join("-v").with("VIA6_QUIET", "1")));
    assert!(!informs(join("-q").with("VIA6_VERBOSE", "2")));
    assert!(informs(join("").with("VIA6_VERBOSE", "")));
    assert!(informs(join("").with("VIA6_JSON", "0")));
}

/// What a join without `--json` writes to standard output: the address to type.
fn address_to_type(via6: &Running) -> String {
    let line = |text: &str| text.lines().next().map(|line| line.trim().to_owned());
    via6.stdout.wait(PATIENCE, "an address to type", line)
}

/// `VIA6_VERBOSE=1` is `-v`.
#[test]
fn a_variable_tells_of_each_connection_made() {
    let game = crate::support::game::Game::on("::1");
    for (level, told) in [("0", false), ("1", true), ("2", true)] {
        let line = format!("via6 relay tcp 127.0.0.1:0 {} --json", game.address);
        let via6 = via6(&line).with("VIA6_VERBOSE", level).start();
        drop(game.session(via6.address()));
        via6.event("session_ended");
        let events = events(&via6.stop().stdout);
        let dialled = events
            .iter()
            .any(|event| event["event"] == "session_dialled");
        assert_eq!(dialled, told, "VIA6_VERBOSE={level}");
    }
}

#[test]
fn a_variable_ends_the_demo_after_its_check() {
    let ended = via6("VIA6_CHECK=1 via6 demo").start().ended(PATIENCE);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stderr.contains("self-check"), "{ended:?}");
}
