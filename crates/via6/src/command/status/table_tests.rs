//! What a person sees, line by line.

use super::*;
use crate::status::{CarrierStatus, Dials, ListenerStatus};

fn session(downstream: &str) -> SessionStatus {
    SessionStatus {
        session: 3,
        state: "open".into(),
        downstream: downstream.into(),
        upstream: Some("127.0.0.1:25565".into()),
        age_ms: 7_500_000,
        bytes_up: 34_500_000,
        bytes_down: 1_200_000_000,
        rate_up: 4200,
        rate_down: 131_000,
        round_trip_down_us: Some(23_400),
        round_trip_up_us: Some(85),
    }
}

fn flow(downstream: &str) -> FlowStatus {
    FlowStatus {
        flow: 7,
        downstream: downstream.into(),
        proven: true,
        age_ms: 61_000,
        idle_ms: 20,
        bytes_up: 800,
        bytes_down: 16_000,
        datagrams_up: 10,
        datagrams_down: 200,
        dropped: 0,
        rate_up: 40,
        rate_down: 800,
    }
}

fn entry(role: Role) -> EntryStatus {
    let listener = |protocol: &str| ListenerStatus {
        protocol: protocol.into(),
        address: "[::]:43325".into(),
    };
    EntryStatus {
        name: role.label().into(),
        role,
        draining: false,
        listeners: vec![listener("tcp"), listener("udp")],
        upstream: "127.0.0.1:25565".into(),
        link: "open".into(),
        carrier: None,
        sessions_live: 0,
        sessions: Vec::new(),
        flows_live: 0,
        flows: Vec::new(),
        rate_up: 0,
        rate_down: 0,
        totals: Totals::default(),
    }
}

fn status(entries: Vec<EntryStatus>) -> Status {
    Status {
        version: "0.1.0".into(),
        pid: 4711,
        time_ms: 1_700_000_000_000,
        up_ms: 7_512_000,
        entries,
        players: Vec::new(),
    }
}

/// A host on which two people play, one of them far away.
fn evening() -> EntryStatus {
    let mut host = entry(Role::Host);
    host.sessions = vec![
        session("[2a02:8071:5b84:1f20:9c3e:aa10:77b2:3fd1]:51544"),
        SessionStatus {
            session: 12,
            state: "half-closed".into(),
            age_ms: 4300,
            bytes_up: 10,
            bytes_down: 0,
            rate_up: 0,
            rate_down: 0,
            round_trip_down_us: Some(183_000),
            round_trip_up_us: None,
            ..session("[2001:db8::2]:50000")
        },
    ];
    host.sessions_live = 2;
    host.flows = vec![flow("[2001:db8::2]:50001")];
    host.flows_live = 1;
    (host.rate_down, host.rate_up) = (131_800, 4240);
    let counts = |counts: &[(&str, u64)]| -> BTreeMap<String, u64> {
        let owned = counts
            .iter()
            .map(|(reason, count)| ((*reason).into(), *count));
        owned.collect()
    };
    host.totals = Totals {
        sessions_opened: 12,
        sessions_ended: counts(&[("downstream-reset", 2), ("finished", 8)]),
        session_bytes_up: 40_000_000,
        session_bytes_down: 2_000_000_000,
        flows_opened: 7,
        flows_ended: counts(&[("idle", 6)]),
        flow_bytes_up: 800,
        flow_bytes_down: 16_000,
        datagrams_up: 10,
        datagrams_down: 200,
        shed: counts(&[("address-full", 1)]),
        dropped: counts(&[("flows-full", 16), ("refused", 1)]),
        accept_errors: counts(&[("exhausted", 3)]),
        dials: Dials {
            buckets: vec![(1000, 12)],
            count: 12,
            sum_us: 1200,
        },
    };
    host
}

/// With something of everything there is.
pub(in super::super) fn full() -> Status {
    let mut host = evening();
    host.carrier = Some(carried());
    let mut full = status(vec![host]);
    full.players = vec![guest("Ann", false)];
    full
}

fn carried() -> CarrierStatus {
    CarrierStatus {
        player: Some("Bob".into()),
        transport: "tls".into(),
        address: "[2001:db8::1]:43325".into(),
        round_trip_us: Some(23_400),
        suspect: false,
    }
}

fn guest(player: &str, suspect: bool) -> GuestStatus {
    GuestStatus {
        player: player.into(),
        identity: "0a1b2c3d".into(),
        transport: "quic".into(),
        address: "[2001:db8::2]:50000".into(),
        age_ms: 61_000,
        sessions: 2,
        round_trip_us: Some(12_000),
        suspect,
    }
}

#[test]
fn who_is_here_by_a_sealed_link_stands_below() {
    let mut host = entry(Role::Host);
    host.link = "sealed".into();
    let mut status = status(vec![host]);
    status.players = vec![guest("Ann", false), guest("Bob", true)];
    status.players[1].round_trip_us = None;
    check(
        &status,
        false,
        80,
        "via6 0.1.0, process 4711, up 2 h 5 min

host by invite: TCP and UDP on [::]:43325 → 127.0.0.1:25565
  now: 0 sessions, 0 flows, 0 B/s down, 0 B/s up
  so far: 0 sessions, 0 flows, 0 B down, 0 B up

  player        age     ping  over  sessions                         from
  Ann     1 min 1 s  12.0 ms  QUIC         2          [2001:db8::2]:50000
  Bob     1 min 1 s           QUIC         2  silent  [2001:db8::2]:50000",
    );
}

#[test]
fn a_join_says_what_carries_its_link() {
    for (carrier, line) in [
        (None, "the host is being reached"),
        (
            Some(carried()),
            "linked to [2001:db8::1]:43325 over TLS, ping 23.4 ms, as Bob",
        ),
        (
            Some(CarrierStatus {
                player: None,
                round_trip_us: None,
                suspect: true,
                ..carried()
            }),
            "linked to [2001:db8::1]:43325 over TLS; it is silent, and games wait",
        ),
    ] {
        let mut join = entry(Role::Join);
        (join.link, join.carrier) = ("sealed".into(), carrier);
        let lines = lines(&status(vec![join]), false, 80);
        assert_eq!(lines[3], format!("  {line}"));
    }
}

fn check(status: &Status, verbose: bool, width: usize, expected: &str) {
    let shown = lines(status, verbose, width).join("\n");
    assert_eq!(shown, expected, "\n{shown}\n");
}

#[test]
fn players_stand_above_their_numbers_where_both_do_not_fit() {
    check(
        &status(vec![evening()]),
        false,
        80,
        "via6 0.1.0, process 4711, up 2 h 5 min

host: TCP and UDP on [::]:43325 → 127.0.0.1:25565
  player
          age      ping   game    down/s    up/s   total        state
  [2a02:8071:5b84:1f20:9c3e:aa10:77b2:3fd1]:51544
    2 h 5 min   23.4 ms  85 µs  131.0 kB  4.2 kB  1.2 GB
  [2001:db8::2]:50000
        4.3 s  183.0 ms              0 B     0 B    10 B  half-closed
  player (UDP)               age     idle  down/s  up/s    total
  [2001:db8::2]:50001  1 min 1 s  20.0 ms   800 B  40 B  16.8 kB
  now: 2 sessions, 1 flow, 131.8 kB/s down, 4.2 kB/s up
  so far: 12 sessions, 7 flows, 2.0 GB down, 40.0 MB up, 1 connection refused,
    17 datagrams dropped",
    );
}

#[test]
fn players_stand_beside_their_numbers_in_a_wide_terminal() {
    check(&status(vec![evening()]), false, 132, "via6 0.1.0, process 4711, up 2 h 5 min

host: TCP and UDP on [::]:43325 → 127.0.0.1:25565
  player                                                 age      ping   game    down/s    up/s   total        state
  [2a02:8071:5b84:1f20:9c3e:aa10:77b2:3fd1]:51544  2 h 5 min   23.4 ms  85 µs  131.0 kB  4.2 kB  1.2 GB
  [2001:db8::2]:50000                                  4.3 s  183.0 ms              0 B     0 B    10 B  half-closed
  player (UDP)               age     idle  down/s  up/s    total
  [2001:db8::2]:50001  1 min 1 s  20.0 ms   800 B  40 B  16.8 kB
  now: 2 sessions, 1 flow, 131.8 kB/s down, 4.2 kB/s up
  so far: 12 sessions, 7 flows, 2.0 GB down, 40.0 MB up, 1 connection refused, 17 datagrams dropped");
}

#[test]
fn everything_is_told_to_who_asks_for_more() {
    check(
        &status(vec![evening()]),
        true,
        80,
        "via6 0.1.0, process 4711, up 2 h 5 min

host: TCP and UDP on [::]:43325 → 127.0.0.1:25565
  player
               age      ping   game    down/s    up/s    down       up        state               to
  [2a02:8071:5b84:1f20:9c3e:aa10:77b2:3fd1]:51544
     #3  2 h 5 min   23.4 ms  85 µs  131.0 kB  4.2 kB  1.2 GB  34.5 MB         open  127.0.0.1:25565
  [2001:db8::2]:50000
    #12      4.3 s  183.0 ms              0 B     0 B     0 B     10 B  half-closed  127.0.0.1:25565
  player (UDP)
              age     idle  down/s  up/s     down     up  datagrams  dropped
  [2001:db8::2]:50001
    #7  1 min 1 s  20.0 ms   800 B  40 B  16.0 kB  800 B     200+10        0
  now: 2 sessions, 1 flow, 131.8 kB/s down, 4.2 kB/s up
  so far: 12 sessions, 7 flows, 2.0 GB down, 40.0 MB up, 1 connection refused,
    17 datagrams dropped
  sessions ended: 2 downstream-reset, 8 finished
  flows ended: 6 idle
  refused: 1 address-full
  dropped: 16 flows-full, 1 refused
  errors of accepting: 3 exhausted
  dialled: 12, 100 µs on average",
    );
}

#[test]
fn a_join_that_nobody_plays_through_is_three_lines() {
    let mut join = entry(Role::Join);
    join.listeners.truncate(1);
    join.listeners[0].address = "127.0.0.1:46666".into();
    join.upstream = "[2001:db8::1234]:43325".into();
    let mut named = join.clone();
    named.name = "friday".into();
    named.draining = true;
    named.upstream = "a-rather-long-name.of-a-host.somewhere.example.org:43325".into();
    named.sessions = vec![session("127.0.0.1:50123")];
    named.sessions_live = 3;
    check(
        &status(vec![join, named]),
        false,
        80,
        "via6 0.1.0, process 4711, up 2 h 5 min

join: TCP on 127.0.0.1:46666 → [2001:db8::1234]:43325
  now: 0 sessions, 0 flows, 0 B/s down, 0 B/s up
  so far: 0 sessions, 0 flows, 0 B down, 0 B up

friday (join), stopping:
  TCP on 127.0.0.1:46666 → a-rather-long-name.of-a-host.somewhere.example.org:43325
  your game              age     game   ping    down/s    up/s   total
  127.0.0.1:50123  2 h 5 min  23.4 ms  85 µs  131.0 kB  4.2 kB  1.2 GB
  and 2 more sessions
  now: 3 sessions, 0 flows, 0 B/s down, 0 B/s up
  so far: 0 sessions, 0 flows, 0 B down, 0 B up",
    );
}

#[test]
fn a_via6_that_relays_nothing_says_so() {
    check(
        &status(Vec::new()),
        false,
        80,
        "via6 0.1.0, process 4711, up 2 h 5 min
nothing is relayed",
    );
}

#[test]
fn no_line_is_longer_than_the_terminal_is_wide() {
    for width in [80, 100, 200] {
        for verbose in [false, true] {
            for line in lines(&status(vec![evening()]), verbose, width) {
                // The columns for `verbose` take what they take.
                let bound = if verbose { width.max(112) } else { width };
                assert!(columns(&line) <= bound, "{width}: {line}");
            }
        }
    }
}

#[test]
fn what_came_from_elsewhere_cannot_move_the_cursor() {
    let mut host = evening();
    host.upstream = "\u{1b}[2J\r\n:25565".into();
    for line in lines(&status(vec![host]), true, 80) {
        assert!(!line.contains(char::is_control), "{line:?}");
    }
}

#[test]
fn a_relay_that_stops_is_found_nowhere() {
    let mut host = entry(Role::Host);
    host.draining = true;
    host.listeners.clear();
    check(
        &status(vec![host]),
        false,
        80,
        "via6 0.1.0, process 4711, up 2 h 5 min

host, stopping: not listening → 127.0.0.1:25565
  now: 0 sessions, 0 flows, 0 B/s down, 0 B/s up
  so far: 0 sessions, 0 flows, 0 B down, 0 B up",
    );
}
