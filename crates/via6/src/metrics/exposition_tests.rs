//! Pages, exactly: `exposition.txt` is that of a relay on which everything has happened.

use super::*;
use crate::narrator::Role;
use crate::status::EntryStatus;

fn counts(counts: &[(&str, u64)]) -> BTreeMap<String, u64> {
    let counts = counts.iter();
    counts
        .map(|(word, count)| ((*word).to_owned(), *count))
        .collect()
}

fn entry(name: &str, role: Role, draining: bool, totals: Totals) -> EntryStatus {
    EntryStatus {
        name: name.to_owned(),
        role,
        draining,
        listeners: Vec::new(),
        upstream: "127.0.0.1:25565".to_owned(),
        link: "open".into(),
        carrier: None,
        sessions_live: 2,
        sessions: Vec::new(),
        flows_live: 3,
        flows: Vec::new(),
        rate_up: 77,
        rate_down: 77,
        totals,
    }
}

fn busy() -> Totals {
    Totals {
        sessions_opened: 12,
        sessions_ended: counts(&[("finished", 9), ("dial-failed", 1)]),
        session_bytes_up: 100,
        session_bytes_down: 20_000_000_000_000_001,
        flows_opened: 5,
        flows_ended: counts(&[("idle", 2)]),
        flow_bytes_up: 50,
        flow_bytes_down: 60,
        datagrams_up: 7,
        datagrams_down: 8,
        shed: counts(&[("prefix-rate", 4)]),
        dropped: counts(&[("own-address", 3)]),
        accept_errors: counts(&[("transient", 1)]),
        dials: Dials {
            buckets: vec![(1000, 4), (250_000, 6), (10_000_000, 1)],
            count: 12,
            sum_us: 14_250_007,
        },
    }
}

fn status(entries: Vec<EntryStatus>) -> Status {
    Status {
        version: "1.2.3".to_owned(),
        pid: 1,
        time_ms: 0,
        up_ms: 61_050,
        entries,
        players: Vec::new(),
    }
}

fn page(entries: Vec<EntryStatus>) -> String {
    render(&status(entries), &Process::default())
}

/// The samples whose name begins like this.
fn samples<'p>(page: &'p str, name: &str) -> Vec<&'p str> {
    page.lines().filter(|line| line.starts_with(name)).collect()
}

#[test]
fn a_full_status_is_written_exactly() {
    let process = Process {
        started_ms: 1_700_000_000_007,
        cpu_ms: Some(1230),
        resident_bytes: Some(5_246_976),
        open_descriptors: Some(21),
        most_descriptors: Some(1024),
    };
    let status = status(vec![entry("minecraft", Role::Host, false, busy())]);
    assert_eq!(render(&status, &process), include_str!("exposition.txt"));
}

#[test]
fn a_process_of_which_little_is_known_has_no_empty_families() {
    let page = page(Vec::new());
    assert!(page.contains("process_start_time_seconds 0\n"), "{page}");
    for name in [
        "process_open_fds",
        "process_max_fds",
        "process_cpu_seconds_total",
    ] {
        assert!(!page.contains(name), "{name}");
    }
    // Without a relay the families are there, since a name that is unknown is a mistake in a query.
    assert!(page.contains("# TYPE via6_sessions gauge\n"), "{page}");
    assert_eq!(samples(&page, "via6_sessions"), [""; 0]);
}

/// `rate()` needs to have seen the 0.
#[test]
fn every_reason_is_there_before_it_comes_up() {
    let page = page(vec![entry("a", Role::Relay, false, Totals::default())]);
    let zeros = |name: &str| {
        let samples = samples(&page, &format!("{name}{{"));
        assert!(
            samples.iter().all(|line| line.ends_with("\"} 0")),
            "{samples:?}"
        );
        samples.len()
    };
    assert_eq!(zeros("via6_sessions_ended_total"), CloseReason::ALL.len());
    assert_eq!(zeros("via6_flows_ended_total"), FlowEndReason::ALL.len());
    assert_eq!(zeros("via6_connections_shed_total"), ShedReason::ALL.len());
    assert_eq!(zeros("via6_datagrams_dropped_total"), DropReason::ALL.len());
    assert_eq!(zeros("via6_accept_errors_total"), AcceptTrouble::ALL.len());
    assert_eq!(
        samples(&page, "via6_dial_duration_seconds_bucket"),
        [r#"via6_dial_duration_seconds_bucket{relay="a",role="relay",le="+Inf"} 0"#]
    );
}

#[test]
fn a_reason_of_another_version_is_not_lost() {
    let sessions_ended = counts(&[("bored", 2)]);
    let totals = Totals {
        sessions_ended,
        ..Totals::default()
    };
    let page = page(vec![entry("a", Role::Host, false, totals)]);
    let line = r#"via6_sessions_ended_total{relay="a",role="host",reason="bored"} 2"#;
    assert!(page.contains(line), "{page}");
}

#[test]
fn what_has_a_meaning_to_the_format_is_escaped() {
    let name = "Zoë\\\"\n}";
    let page = page(vec![entry(name, Role::Join, false, Totals::default())]);
    assert_eq!(
        samples(&page, "via6_sessions{"),
        [r#"via6_sessions{relay="Zoë\\\"\n}",role="join"} 2"#]
    );
}

/// After a reload the old one drains beside the new; twice the same labels would void the whole page.
#[test]
fn two_relays_of_one_name_and_role_are_one_series() {
    let more = Totals {
        sessions_ended: counts(&[("finished", 1), ("stopped", 1)]),
        dials: Dials {
            buckets: vec![(1000, 1), (2000, 1)],
            count: 3,
            sum_us: 1,
        },
        ..busy()
    };
    let page = page(vec![
        entry("a", Role::Host, true, busy()),
        entry("b", Role::Host, false, Totals::default()),
        entry("a", Role::Host, false, more),
        entry("a", Role::Join, false, Totals::default()),
    ]);
    assert_eq!(
        samples(&page, "via6_sessions_opened_total{"),
        [
            r#"via6_sessions_opened_total{relay="a",role="host"} 24"#,
            r#"via6_sessions_opened_total{relay="b",role="host"} 0"#,
            r#"via6_sessions_opened_total{relay="a",role="join"} 0"#,
        ]
    );
    for line in [
        r#"via6_sessions{relay="a",role="host"} 4"#,
        r#"via6_flows{relay="a",role="host"} 6"#,
        r#"via6_sessions_ended_total{relay="a",role="host",reason="finished"} 10"#,
        r#"via6_sessions_ended_total{relay="a",role="host",reason="stopped"} 1"#,
        r#"via6_flow_datagrams_total{relay="a",role="host",direction="down"} 16"#,
        r#"via6_dial_duration_seconds_bucket{relay="a",role="host",le="0.001"} 5"#,
        r#"via6_dial_duration_seconds_bucket{relay="a",role="host",le="0.002"} 6"#,
        r#"via6_dial_duration_seconds_bucket{relay="a",role="host",le="+Inf"} 15"#,
        r#"via6_dial_duration_seconds_sum{relay="a",role="host"} 14.250008"#,
    ] {
        assert!(page.contains(&format!("{line}\n")), "{line}\n{page}");
    }
    let series: Vec<_> = page
        .lines()
        .filter_map(|line| line.rsplit_once(' '))
        .collect();
    let distinct: BTreeSet<_> = series.iter().map(|(series, _)| series).collect();
    assert_eq!(distinct.len(), series.len());
}

#[test]
fn seconds_are_exact_and_as_short_as_they_can_be() {
    for (number, text) in [
        (Number::whole(u64::MAX), "18446744073709551615"),
        (Number::whole(0), "0"),
        (Number::whole(100), "100"),
        (Number::millis(0), "0"),
        (Number::millis(5), "0.005"),
        (Number::millis(61_050), "61.05"),
        (Number::micros(10_000_000), "10"),
        (Number::micros(999_999), "0.999999"),
        (Number::micros(u64::MAX), "18446744073709.551615"),
    ] {
        assert_eq!(number.to_string(), text);
    }
}
