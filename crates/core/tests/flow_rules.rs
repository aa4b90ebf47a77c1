//! The rules of a UDP flow's life that people would notice if broken, one test each.
//!
//! What they all add up to is compared with a model in `flow_sim`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "test code: failing is its purpose"
)]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use via6_core::flow::{Admit, Direction, FlowId, FlowLimits, FlowTable};
use via6_core::limits::{self, Rate};
use via6_core::reason::{DropReason, FlowEndReason};

mod flow_model;
use flow_model::clock;
use flow_model::rng::Rng;

const NANOSECOND: Duration = Duration::from_nanos(1);

const UNLIMITED: Rate = Rate {
    per_second: u32::MAX,
    burst: u32::MAX,
};

fn player(household: u32, port: u16) -> SocketAddr {
    let (high, low) = (household >> 16, household & 0xffff);
    format!("[2001:db8:{high:x}:{low:x}::1]:{port}")
        .parse()
        .unwrap()
}

fn opened(table: &mut FlowTable, from: SocketAddr, now: Instant) -> FlowId {
    match table.on_downstream(from, 10, false, now) {
        Admit::Open { id, .. } => {
            table.on_opened(id);
            id
        }
        other => panic!("{from}: {other:?}"),
    }
}

/// A flow whose player has answered our replies.
fn proven(table: &mut FlowTable, from: SocketAddr, now: Instant) -> FlowId {
    let id = opened(table, from, now);
    table.on_upstream(id, 10, now).unwrap();
    for _ in 0..limits::PROOF_DATAGRAMS {
        assert_eq!(
            table.on_downstream(from, 10, false, now),
            Admit::Forward(id)
        );
    }
    id
}

#[test]
fn a_spoofed_flood_does_not_disturb_proven_players() {
    let start = clock();
    let mut table = FlowTable::new(FlowLimits::default(), start);
    let friends: Vec<_> = (0..8).map(|n| player(1, 5000 + n)).collect();
    let ids: Vec<_> = friends
        .iter()
        .map(|from| proven(&mut table, *from, start))
        .collect();
    let mut evicted = 0;
    // 2,000 forged senders a second, each from a /64 of its own, for a minute and a half.
    for n in 0..180_000_u32 {
        let now = start + Duration::from_micros(500) * n;
        assert!(table.expire(now).iter().all(|end| !ids.contains(&end.id)));
        match table.on_downstream(player(1000 + n, 9), 100, false, now) {
            Admit::Open { id, evicted: end } => {
                table.on_opened(id);
                evicted += u32::from(end.is_some());
                assert!(end.is_none_or(|end| !ids.contains(&end.id)));
            }
            Admit::Drop(reason) => assert_eq!(reason, DropReason::TotalRate),
            other => panic!("{other:?}"),
        }
        let (friend, id) = (friends[n as usize % 8], ids[n as usize % 8]);
        assert_eq!(
            table.on_downstream(friend, 60, false, now),
            Admit::Forward(id)
        );
        assert_eq!(table.on_upstream(id, 1400, now), Ok(friend));
    }
    assert!(evicted > 1000, "the table was full: {evicted}");
    assert!(table.len() <= limits::FLOWS_MAX);
    assert_eq!(table.check_invariants(), Ok(()));
}

/// Somebody forges datagrams of one household, from many ports, to have us flood it.
#[test]
fn what_reaches_a_forged_sender_is_bounded_whatever_the_game_answers() {
    let mut reached = 0_u64;
    for seed in 0..200 {
        let mut rng = Rng::new(seed);
        let start = clock();
        let mut table = FlowTable::new(FlowLimits::default(), start);
        let mut now = start;
        let mut flows: Vec<FlowId> = Vec::new();
        let (mut received, mut opened_flows, mut sent) = (0_u64, 0_u64, 0_u64);
        for _ in 0..600 {
            now += Duration::from_millis(rng.below(80));
            let _ = table.expire(now);
            // It never sees a reply; each port says only two things, so none becomes proven.
            let port = 1 + u16::try_from(opened_flows / 2).unwrap();
            let len = usize::from(rng.small(40));
            let admit = table.on_downstream(player(7, port), len, false, now);
            if let Admit::Open { id, .. } = admit {
                table.on_opened(id);
                flows.push(id);
            }
            if !matches!(admit, Admit::Drop(_)) {
                received += len as u64;
                opened_flows += 1;
            }
            for _ in 0..rng.below(20) {
                let id = rng.choose(&flows);
                let len = usize::from(rng.small(4000));
                if table.on_upstream(id, len, now).is_ok() {
                    sent += len as u64;
                }
            }
            let by_size = received * limits::UNPROVEN_FACTOR
                + flows.len() as u64 * limits::UNPROVEN_ALLOWANCE;
            assert!(sent <= by_size, "seed {seed}: {sent} bytes for {received}");
            let rate = limits::UNPROVEN_RATE_PER_PREFIX;
            let by_time = u128::from(rate.burst)
                + (now - start).as_nanos() * u128::from(rate.per_second) / 1_000_000_000;
            assert!(u128::from(sent) <= by_time, "seed {seed}: {sent} bytes");
        }
        reached += sent;
    }
    assert!(reached > 1_000_000, "the game did answer: {reached}");
}

#[test]
fn ending_flows_and_coming_back_does_not_refill_the_households_bytes() {
    let now = clock();
    let limits = FlowLimits {
        rate_per_prefix: UNLIMITED,
        unproven_allowance: u64::MAX,
        ..FlowLimits::default()
    };
    let mut table = FlowTable::new(limits, now);
    let id = opened(&mut table, player(1, 1), now);
    assert!(table.on_upstream(id, 32_000, now).is_ok());
    assert_eq!(table.end_all(FlowEndReason::Stopped, now).len(), 1);
    let again = opened(&mut table, player(1, 2), now);
    assert_eq!(table.on_upstream(again, 1, now), Err(DropReason::Unproven));
    let neighbour = opened(&mut table, player(2, 1), now);
    assert!(table.on_upstream(neighbour, 32_000, now).is_ok());
}

#[test]
fn activity_in_either_direction_keeps_a_flow_alive() {
    let start = clock();
    let mut table = FlowTable::new(FlowLimits::default(), start);
    let [sends, receives] = [player(1, 1), player(2, 1)];
    let sending = proven(&mut table, sends, start);
    let receiving = proven(&mut table, receives, start);
    let silent = proven(&mut table, player(3, 1), start);
    let mut now = start;
    let mut ends = Vec::new();
    for _ in 0..10 {
        now += limits::FLOW_IDLE_TIMEOUT.saturating_sub(NANOSECOND);
        ends.extend(table.expire(now));
        let admit = table.on_downstream(sends, 0, false, now);
        assert_eq!(admit, Admit::Forward(sending));
        assert_eq!(table.on_upstream(receiving, 0, now), Ok(receives));
    }
    assert_eq!(ends.len(), 1);
    assert_eq!((ends[0].id, ends[0].reason), (silent, FlowEndReason::Idle));
    now += limits::FLOW_IDLE_TIMEOUT;
    assert_eq!(table.expire(now).len(), 2);
    assert_eq!(table.next_deadline(), None);
}

#[test]
fn dropped_replies_do_not_keep_an_unproven_flow_alive() {
    let start = clock();
    let mut table = FlowTable::new(FlowLimits::default(), start);
    let id = opened(&mut table, player(1, 1), start);
    let now = start + limits::FLOW_IDLE_TIMEOUT_UNPROVEN.saturating_sub(NANOSECOND);
    let answer = table.on_upstream(id, 10_000, now);
    assert_eq!(answer, Err(DropReason::Unproven));
    assert!(table.expire(now).is_empty());
    let ends = table.expire(start + limits::FLOW_IDLE_TIMEOUT_UNPROVEN);
    assert_eq!(ends.len(), 1);
    assert_eq!((ends[0].dropped, ends[0].bytes_down), (1, 0));
}

#[test]
fn a_full_table_evicts_the_oldest_unproven_flow() {
    let now = clock();
    let limits = FlowLimits {
        flows_max: 4,
        ..FlowLimits::default()
    };
    let mut table = FlowTable::new(limits, now);
    let oldest_of_all = proven(&mut table, player(1, 1), now);
    let oldest_unproven = opened(&mut table, player(2, 1), now);
    let proven_later = proven(&mut table, player(3, 1), now);
    let newest = opened(&mut table, player(4, 1), now);
    for (n, expected) in [(5, oldest_unproven), (6, newest)] {
        let Admit::Open {
            id,
            evicted: Some(end),
        } = table.on_downstream(player(n, 1), 1, false, now)
        else {
            panic!("nobody made room");
        };
        assert_eq!((end.id, end.reason), (expected, FlowEndReason::Evicted));
        assert!(id > newest, "an id is never used again");
    }
    for id in [oldest_of_all, proven_later] {
        assert!(table.on_upstream(id, 1, now).is_ok());
    }
}

#[test]
fn a_table_full_of_proven_players_refuses_newcomers_at_no_cost_to_anybody() {
    let now = clock();
    let limits = FlowLimits {
        flows_max: 2,
        rate: Rate {
            per_second: 0,
            burst: 3,
        },
        ..FlowLimits::default()
    };
    let mut table = FlowTable::new(limits, now);
    proven(&mut table, player(1, 1), now);
    proven(&mut table, player(2, 1), now);
    for n in 0..100 {
        let refused = table.on_downstream(player(3, n), 1, false, now);
        assert_eq!(refused, Admit::Drop(DropReason::FlowsFull));
    }
    let later = now + Duration::from_secs(181);
    assert_eq!(table.expire(later).len(), 2);
    opened(&mut table, player(3, 1), later);
    let refused = table.on_downstream(player(4, 1), 1, false, later);
    assert_eq!(refused, Admit::Drop(DropReason::TotalRate));
}

#[test]
fn one_households_flood_leaves_the_total_rate_to_the_others() {
    let now = clock();
    let mut table = FlowTable::new(FlowLimits::default(), now);
    for port in 1..=10_000 {
        let _ = table.on_downstream(player(1, port), 1, false, now);
    }
    assert_eq!(table.len(), limits::FLOWS_PER_PREFIX as usize);
    let household = u64::from(limits::FLOWS_PER_PREFIX);
    assert_eq!(
        table.drops().get(DropReason::PrefixFull),
        10_000 - household
    );
    let left = limits::FLOW_RATE.burst - limits::FLOWS_PER_PREFIX;
    for household in 0..left {
        opened(&mut table, player(100 + household, 1), now);
    }
}

#[test]
fn a_player_is_proven_only_by_what_follows_our_first_reply() {
    let now = clock();
    let mut table = FlowTable::new(FlowLimits::default(), now);
    let from = player(1, 1);
    let id = opened(&mut table, from, now);
    let big = 31_000;
    for _ in 0..20 {
        assert_eq!(table.on_downstream(from, 0, false, now), Admit::Forward(id));
    }
    assert_eq!(table.on_upstream(id, big, now), Err(DropReason::Unproven));
    assert!(table.on_upstream(id, 0, now).is_ok());
    // That reply could not be sent: nothing after it is an answer.
    table.on_send_failed(id, Direction::Down, 0, DropReason::QueueFull);
    for _ in 0..20 {
        assert_eq!(table.on_downstream(from, 0, false, now), Admit::Forward(id));
    }
    assert_eq!(table.on_upstream(id, big, now), Err(DropReason::Unproven));
    assert!(table.on_upstream(id, 0, now).is_ok());
    for _ in 0..limits::PROOF_DATAGRAMS {
        assert_eq!(table.on_upstream(id, big, now), Err(DropReason::Unproven));
        assert_eq!(table.on_downstream(from, 0, false, now), Admit::Forward(id));
    }
    for _ in 0..100 {
        assert!(table.on_upstream(id, 65_507, now).is_ok());
    }
}

#[test]
fn exempt_players_have_no_bound_but_the_tables_own() {
    let now = clock();
    let mut table = FlowTable::new(FlowLimits::default(), now);
    for port in 1..=u16::try_from(limits::FLOWS_MAX).unwrap() {
        let from = SocketAddr::from(([127, 0, 0, 1], port));
        let Admit::Open { id, evicted: None } = table.on_downstream(from, 0, true, now) else {
            panic!("{from} was refused");
        };
        assert!(table.on_upstream(id, 65_507, now).is_ok());
    }
    let one_more = table.on_downstream(player(1, 1), 0, true, now);
    assert_eq!(one_more, Admit::Drop(DropReason::FlowsFull));
}

#[test]
fn a_v4_mapped_player_is_the_ipv4_player() {
    let now = clock();
    let mut table = FlowTable::new(FlowLimits::default(), now);
    let id = opened(&mut table, "[::ffff:192.0.2.1]:7".parse().unwrap(), now);
    let plain = "192.0.2.1:7".parse().unwrap();
    assert_eq!(
        table.on_downstream(plain, 1, false, now),
        Admit::Forward(id)
    );
    assert_eq!(table.on_upstream(id, 1, now), Ok(plain));
}

#[test]
fn what_waited_for_a_failed_dial_counts_as_dropped() {
    let now = clock();
    let mut table = FlowTable::new(FlowLimits::default(), now);
    let from = player(1, 1);
    let Admit::Open { id, evicted: None } = table.on_downstream(from, 100, false, now) else {
        panic!("refused");
    };
    for _ in 1..limits::FLOW_PENDING_MAX {
        assert_eq!(table.on_downstream(from, 100, false, now), Admit::Queue(id));
    }
    let too_much = table.on_downstream(from, 100, false, now);
    assert_eq!(too_much, Admit::Drop(DropReason::PendingFull));
    let end = table.on_open_failed(id, now).unwrap();
    assert_eq!(end.reason, FlowEndReason::DialFailed);
    assert_eq!((end.datagrams_up, end.bytes_up, end.dropped), (0, 0, 65));
    assert_eq!(table.drops().get(DropReason::FlowEnded), 64);
    assert_eq!(table.on_open_failed(id, now), None);
    assert!(matches!(
        table.on_downstream(from, 1, false, now),
        Admit::Open { .. }
    ));
}

#[test]
fn an_end_says_what_the_flow_carried_and_what_it_did_not() {
    let start = clock();
    let mut table = FlowTable::new(FlowLimits::default(), start);
    let from = player(1, 1);
    let id = opened(&mut table, from, start);
    let _ = table.on_downstream(from, 200, false, start);
    table.on_upstream(id, 300, start).unwrap();
    table.on_upstream(id, 400, start).unwrap();
    table.on_send_failed(id, Direction::Down, 400, DropReason::Oversize);
    table.on_send_failed(id, Direction::Up, 200, DropReason::Refused);
    table.on_dropped(Some(id), DropReason::WrongSource);
    let now = start + Duration::from_secs(9);
    let ends = table.end_all(FlowEndReason::Stopped, now);
    assert_eq!(ends.len(), 1);
    let end = &ends[0];
    assert_eq!((end.player, end.duration), (from, Duration::from_secs(9)));
    assert_eq!((end.datagrams_up, end.bytes_up), (1, 10));
    assert_eq!((end.datagrams_down, end.bytes_down), (1, 300));
    assert_eq!(end.dropped, 3);
    assert_eq!(table.drops().total(), 3);
    assert_eq!(table.on_upstream(id, 1, now), Err(DropReason::FlowEnded));
}
