use super::*;
use crate::narrator::Role;
use crate::status::{EntryStatus, FlowStatus, ListenerStatus, SessionStatus, Totals};

fn canvas(width: u16, height: u16) -> Canvas {
    Canvas {
        width,
        height,
        unicode: true,
    }
}

fn session(number: u64, downstream: &str) -> SessionStatus {
    SessionStatus {
        session: number,
        state: "open".into(),
        downstream: downstream.into(),
        upstream: Some("127.0.0.1:25565".into()),
        age_ms: 720_000 - number.min(10) * 60_000,
        bytes_up: 1,
        bytes_down: 1,
        rate_up: 1_200,
        rate_down: 41_200,
        round_trip_down_us: Some(24_000),
        round_trip_up_us: Some(40),
    }
}

fn flow(number: u64, downstream: &str) -> FlowStatus {
    FlowStatus {
        flow: number,
        downstream: downstream.into(),
        proven: true,
        age_ms: 45_000,
        idle_ms: 0,
        bytes_up: 1,
        bytes_down: 1,
        datagrams_up: 1,
        datagrams_down: 1,
        dropped: 0,
        rate_up: 0,
        rate_down: 0,
    }
}

fn listener(protocol: &str, address: &str) -> ListenerStatus {
    ListenerStatus {
        protocol: protocol.into(),
        address: address.into(),
    }
}

fn entry(role: Role, name: &str, listen: &str, upstream: &str) -> EntryStatus {
    EntryStatus {
        name: name.into(),
        role,
        draining: false,
        listeners: vec![listener("tcp", listen), listener("udp", listen)],
        upstream: upstream.into(),
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

fn host() -> EntryStatus {
    entry(Role::Host, "minecraft", "[::]:43325", "127.0.0.1:25565")
}

fn with(
    mut entry: EntryStatus,
    sessions: Vec<SessionStatus>,
    flows: Vec<FlowStatus>,
) -> EntryStatus {
    entry.sessions_live = sessions.len() as u64;
    entry.flows_live = flows.len() as u64;
    entry.totals.sessions_opened = entry.sessions_live;
    entry.totals.flows_opened = entry.flows_live;
    entry.totals.session_bytes_down = 312_000_000;
    entry.rate_down = 180_000;
    entry.rate_up = 6_100;
    (entry.sessions, entry.flows) = (sessions, flows);
    entry
}

fn crowd(players: u64) -> Vec<SessionStatus> {
    let address = |n| format!("[2001:db8:1:20:a1b2:c3d4:1:{n:x}]:50123");
    (0..players)
        .map(|n| SessionStatus {
            age_ms: 9_000_000 - n * 1000,
            ..session(n, &address(n))
        })
        .collect()
}

fn status(entries: Vec<EntryStatus>) -> Status {
    Status {
        up_ms: 4_320_000,
        entries,
        ..Status::default()
    }
}

fn texts(status: &Status, canvas: Canvas) -> Vec<String> {
    let rows = draw(status, canvas);
    rows.iter()
        .map(|row| row.text().trim_end().to_owned())
        .collect()
}

/// What is drawn at 80 × 24 for one relay.
fn drawn(entry: EntryStatus) -> String {
    let rows = texts(&status(vec![entry]), canvas(80, 24));
    rows.join("\n") + "\n"
}

/// Four players of Minecraft, one of them on voice chat (UDP) as well, one just coming in.
fn evening() -> EntryStatus {
    let newcomer = SessionStatus {
        state: "dialling".into(),
        round_trip_down_us: None,
        rate_up: 0,
        rate_down: 0,
        ..session(4, "[2001:db8::7]:50123")
    };
    let sessions = vec![
        session(1, "[2001:db8:1:20:a1b2:c3d4:1:2]:50123"),
        session(2, "[2001:db8:77::9]:40999"),
        session(3, "[2a02:8109:9a40:1a2b:c3d4:e5f6:1789:2abc]:50123"),
        newcomer,
    ];
    with(host(), sessions, vec![flow(1, "[2001:db8:77::9]:40998")])
}

#[test]
fn a_host_sees_who_is_here() {
    let wanted = "\
── via6 host minecraft ─ [::]:43325 → 127.0.0.1:25565 ─ up 1 h 12 min ─────────
  player                                      for    ping     down/s       up/s
  2001:db8:1:20:a1b2:c3d4:1:2              11 min   24 ms  41.2 kB/s   1.2 kB/s
  2001:db8:77::9                           10 min   24 ms  41.2 kB/s   1.2 kB/s
  2a02:8109:9a40:1a2b:c3d4:e5f6:1789:2abc   9 min   24 ms  41.2 kB/s   1.2 kB/s
  2001:db8::7                               8 min       –   dialling
  2001:db8:77::9                             45 s     UDP      0 B/s      0 B/s
  4 players · 4 sessions, 1 flow · 180 kB/s down, 6.1 kB/s up · 312 MB so far
";
    assert_eq!(drawn(evening()), wanted);
}

#[test]
fn a_host_that_nobody_has_found_yet_is_calm() {
    let wanted = "\
── via6 host minecraft ─ [::]:43325 → 127.0.0.1:25565 ─ up 1 h 12 min ─────────
  nobody here yet
";
    assert_eq!(drawn(host()), wanted);
}

#[test]
fn a_host_that_all_have_left_tells_what_there_was() {
    let mut host = evening();
    (host.sessions, host.flows) = (Vec::new(), Vec::new());
    (host.sessions_live, host.flows_live) = (0, 0);
    host.totals.shed.insert("prefix-rate".into(), 3);
    let wanted = "\
── via6 host minecraft ─ [::]:43325 → 127.0.0.1:25565 ─ up 1 h 12 min ─────────
  nobody here now · 4 sessions, 1 flow so far · 312 MB · 3 refused
";
    assert_eq!(drawn(host), wanted);
}

#[test]
fn a_join_shows_the_way_to_the_host() {
    let host = "[2001:db8:1111:2222:3333:4444:5555:6666]:43325";
    let join = entry(Role::Join, "join", "127.0.0.1:46666", host);
    let session = SessionStatus {
        round_trip_down_us: Some(40),
        round_trip_up_us: Some(31_400),
        ..session(1, "127.0.0.1:51234")
    };
    let wanted = "\
── join ─ 127.0.0.1:46666 → [2001:db8:1111:2222:3333:4444:5555:6666]:43325 ────
  your game                                   for    ping     down/s       up/s
  127.0.0.1:51234                          11 min   31 ms  41.2 kB/s   1.2 kB/s
  1 session · 180 kB/s down, 6.1 kB/s up · 312 MB so far
";
    assert_eq!(drawn(with(join.clone(), vec![session], vec![])), wanted);
    let waiting = drawn(join);
    assert!(
        waiting.ends_with("\n  your game has not connected yet\n"),
        "{waiting}"
    );
}

#[test]
fn a_relay_counts_both_legs_and_names_its_only_protocol() {
    let mut relay = entry(Role::Relay, "doom", "0.0.0.0:5029", "[2001:db8::5]:43325");
    relay.listeners.pop();
    let session = SessionStatus {
        round_trip_up_us: Some(31_000),
        ..session(1, "192.0.2.7:51234")
    };
    let wanted = "\
── via6 relay doom ─ 0.0.0.0:5029 → [2001:db8::5]:43325 (TCP) ─ up 1 h 12 min ─
  from                                        for    ping     down/s       up/s
  192.0.2.7                                11 min   55 ms  41.2 kB/s   1.2 kB/s
  1 session · 180 kB/s down, 6.1 kB/s up · 312 MB so far
";
    assert_eq!(drawn(with(relay, vec![session], vec![])), wanted);
}

#[test]
fn a_relay_that_drains_says_so() {
    let mut host = evening();
    host.draining = true;
    let first = drawn(host).lines().next().unwrap().to_owned();
    let wanted =
        "── via6 host minecraft ─ [::]:43325 → 127.0.0.1:25565 ─ stopping ─ up 1 h 12 min ─";
    assert_ne!(first, wanted, "80 columns do not hold that");
    assert_eq!(
        first,
        "── via6 host minecraft ─ [::]:43325 → 127.0.0.1:25565 ─ stopping ──────────────"
    );
}

#[test]
fn more_players_than_rows_are_counted() {
    let rows = drawn(with(host(), crowd(40), vec![]));
    let rows: Vec<_> = rows.lines().collect();
    assert_eq!(rows.len(), 12, "half of the screen");
    assert!(
        rows[2].starts_with("  2001:db8:1:20:a1b2:c3d4:1:0 "),
        "{}",
        rows[2]
    );
    assert_eq!(rows[10], "  and 32 more");
    assert!(
        rows[11].starts_with("  40 players · 40 sessions · "),
        "{}",
        rows[11]
    );
}

/// A status lists no more than so many; the counts are exact all the same.
#[test]
fn a_list_that_is_not_whole_does_not_pass_for_all() {
    let mut host = with(host(), crowd(3), vec![]);
    host.sessions_live = 500;
    let rows = drawn(host);
    assert!(rows.contains("\n  and 497 more\n"), "{rows}");
    assert!(
        rows.contains("\n  at least 3 players · 500 sessions · "),
        "{rows}"
    );
}

#[test]
fn a_narrow_terminal_keeps_the_name_and_the_ping() {
    let wanted = [
        "── host minecraft ─ [::]:43…0.1:25565 ─",
        "  player                           ping",
        "  2001:db8:1:20:a1b2:c3d4:1:2     24 ms",
        "  2001:db8:77::9                  24 ms",
        "  2a02:8109:9a40…e5f6:1789:2abc   24 ms",
        "  2001:db8::7                         –",
        "  2001:db8:77::9                    UDP",
        "  4 players · 180 kB/s down",
    ];
    assert_eq!(texts(&status(vec![evening()]), canvas(40, 24)), wanted);
}

#[test]
fn a_wide_terminal_shows_ports() {
    let rows = texts(&status(vec![evening()]), canvas(200, 24));
    let wanted = "  [2a02:8109:9a40:1a2b:c3d4:e5f6:1789:2abc]:50123               9 min   24 ms  41.2 kB/s   1.2 kB/s";
    assert_eq!(rows[4], wanted);
}

fn three() -> Status {
    let host_at = "[2001:db8::5]:43325";
    status(vec![
        with(host(), crowd(2), vec![]),
        entry(Role::Join, "quake", "127.0.0.1:27960", host_at),
        entry(Role::Relay, "doom", "0.0.0.0:5029", host_at),
    ])
}

#[test]
fn several_relays_stand_one_under_the_other() {
    let wanted = "\
── via6 host minecraft ─ [::]:43325 → 127.0.0.1:25565 ─ up 1 h 12 min ─────────
  player                                      for    ping     down/s       up/s
  2001:db8:1:20:a1b2:c3d4:1:0                 2 h   24 ms  41.2 kB/s   1.2 kB/s
  2001:db8:1:20:a1b2:c3d4:1:1                 2 h   24 ms  41.2 kB/s   1.2 kB/s
  2 players · 2 sessions · 180 kB/s down, 6.1 kB/s up · 312 MB so far
── via6 join quake ─ 127.0.0.1:27960 → [2001:db8::5]:43325 ────────────────────
  your game has not connected yet
── via6 relay doom ─ 0.0.0.0:5029 → [2001:db8::5]:43325 ───────────────────────
  nothing to relay yet";
    assert_eq!(texts(&three(), canvas(80, 24)).join("\n"), wanted);
}

#[test]
fn many_relays_get_a_line_each_and_the_live_ones_first() {
    let mut all = three();
    let idle = (0..10).map(|n| entry(Role::Host, &format!("idle-{n}"), "[::]:1", "127.0.0.1:1"));
    all.entries.splice(0..0, idle);
    all.entries[12].draining = true;
    let wanted = "\
── via6 ─ 13 relays ─ up 1 h 12 min ───────────────────────────────────────────
  name                              role  sessions  flows     down/s       up/s
  idle-0                            host         0      0      0 B/s      0 B/s
  idle-1                            host         0      0      0 B/s      0 B/s
  idle-2                            host         0      0      0 B/s      0 B/s
  minecraft                         host         2      0   180 kB/s   6.1 kB/s
  and 9 more
  2 sessions · 180 kB/s down, 6.1 kB/s up · 312 MB so far";
    assert_eq!(texts(&all, canvas(80, 16)).join("\n"), wanted);
    let rows = texts(&all, canvas(80, 40)).join("\n");
    assert!(
        rows.contains("  doom                          stopping "),
        "{rows}"
    );
}

#[test]
fn a_terminal_without_unicode_gets_ascii() {
    let mut all = status(vec![
        evening(),
        entry(Role::Host, "Игра", "[::]:1", "127.0.0.1:1"),
    ]);
    for name in ["a", "b", "c", "d", "e"] {
        all.entries
            .push(entry(Role::Relay, name, "[::]:1", "127.0.0.1:1"));
    }
    for height in [24, 60] {
        let rows = texts(
            &all,
            Canvas {
                unicode: false,
                ..canvas(80, height)
            },
        );
        assert!(rows.len() > 2);
        assert!(rows.iter().all(|row| row.is_ascii()), "{rows:?}");
    }
}

#[test]
fn what_a_peer_calls_itself_is_no_command_to_the_terminal() {
    let mut host = evening();
    host.sessions[0].downstream = "evil\x1b[2J\r\nname".into();
    host.upstream = "\x1b]0;title\x07".into();
    for row in draw(&status(vec![host]), canvas(80, 24)) {
        assert!(!row.text().contains(char::is_control), "{row:?}");
    }
}

#[test]
fn nothing_to_tell_is_no_row() {
    assert_eq!(draw(&status(vec![evening()]), canvas(80, 3)), []);
    assert_eq!(draw(&status(vec![evening()]), canvas(5, 24)), []);
}

/// Everything that makes rows long, in all sizes of terminals.
#[test]
fn rows_fit_into_any_terminal() {
    let name =
        "漢字ゲームの名前はとても長いですねえ本当に三十二文字あるのです。".replace('。', "x");
    let mut worst = with(
        host(),
        crowd(500),
        (0..300).map(|n| flow(n, "[fe80::1%2]:1")).collect(),
    );
    (worst.name, worst.draining) = (name.chars().take(32).collect(), true);
    worst.upstream = format!("{}.example.org:65535", "a".repeat(200));
    (worst.rate_up, worst.rate_down) = (u64::MAX, u64::MAX);
    worst.totals.session_bytes_up = u64::MAX;
    worst.totals.shed.insert("total-rate".into(), u64::MAX);
    worst.sessions[1].age_ms = u64::MAX;
    worst.sessions[2].round_trip_down_us = Some(u64::MAX);
    worst.sessions[3].downstream = "漢".repeat(100);
    let mut unlisted = host();
    (unlisted.sessions_live, unlisted.flows_live) = (u64::MAX, u64::MAX);
    unlisted.listeners.clear();
    let many = (0..60)
        .map(|n| if n % 3 == 0 { worst.clone() } else { evening() })
        .collect();
    let statuses = [
        vec![],
        vec![evening()],
        vec![worst.clone()],
        vec![worst, unlisted, evening()],
        many,
    ];
    let mut seen = 0;
    for entries in statuses {
        let mut status = status(entries);
        status.up_ms = u64::MAX;
        for width in (0..45)
            .chain((45..=200).step_by(5))
            .chain([79, 80, 81, u16::MAX])
        {
            for height in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 24, 25, 50, 100, 300] {
                for unicode in [true, false] {
                    let rows = draw(
                        &status,
                        Canvas {
                            width,
                            height,
                            unicode,
                        },
                    );
                    assert!(
                        rows.len() <= usize::from(height / 2),
                        "{} rows of {height}",
                        rows.len()
                    );
                    for row in &rows {
                        assert!(
                            row.columns() < usize::from(width),
                            "{width}: {}",
                            row.text()
                        );
                    }
                    seen += rows.len();
                }
            }
        }
    }
    assert!(seen > 10_000, "{seen}");
}
