//! Seeded simulation of the flow table against its shadow model, on a clock of its own.
//!
//! Each seed makes its own limits, players and habits, and then some hundreds of operations. A
//! failure prints what to run again:
//! `VIA6_SIM_SEED=n` runs that seed alone, `VIA6_SIM_SEEDS=n` as many (default 768),
//! `VIA6_SIM_STEPS=n` as many operations each (default 400).

#![allow(clippy::panic, reason = "test code: failing is its purpose")]

mod flow_model;

use std::time::Duration;

use flow_model::rng::Rng;
use flow_model::{Op, Pair, Player, Seen, assert_saw_every_kind};
use via6_core::flow::FlowLimits;
use via6_core::limits::Rate;

const SEEDS: u64 = 768;
const STEPS: u64 = 400;

/// What makes one seed's world different from another's.
struct World {
    rng: Rng,
    limits: FlowLimits,
    households: u64,
    hosts: u64,
    last_player: Option<Player>,
    longest_step: Duration,
    /// One in so many operations lets time pass.
    pace: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let limits = if rng.one_in(5) {
            FlowLimits::default()
        } else {
            tight_limits(&mut rng)
        };
        Self {
            limits,
            households: rng.choose(&[1, 3, 6, 40, 200]),
            hosts: rng.choose(&[1, 4, 20, 250]),
            last_player: None,
            longest_step: Duration::from_millis(rng.choose(&[1, 50, 2_000, 40_000])),
            pace: rng.choose(&[2, 5, 30]),
            rng,
        }
    }

    fn next(&mut self) -> Op {
        let rng = &mut self.rng;
        if rng.one_in(self.pace) {
            return pass_time(rng, self.longest_step);
        }
        let (pick, reason) = (rng.small(1 << 16), rng.byte(256));
        match rng.below(100) {
            0..45 => {
                // Somebody who goes on talking becomes proven.
                let player = self.last_player.filter(|_| !rng.one_in(3));
                let player = player.unwrap_or_else(|| Player {
                    household: rng.byte(self.households),
                    host: rng.byte(self.hosts),
                    spelling: rng.byte(6),
                });
                self.last_player = Some(player);
                Op::Datagram {
                    player,
                    len: datagram_len(rng),
                }
            }
            45..55 => Op::Opened { pick },
            55..57 => Op::OpenFailed { pick },
            57..87 => Op::Reply {
                pick,
                len: datagram_len(rng),
            },
            87..92 => Op::SendFailed { pick, reason },
            92..94 => Op::Dropped { pick, reason },
            94..99 => Op::Skew {
                by: Duration::from_micros(rng.below(5_000)),
            },
            _ if rng.one_in(4) => Op::EndAll,
            _ => Op::Expire,
        }
    }
}

/// Limits so small that a few hundred operations meet each of them.
fn tight_limits(rng: &mut Rng) -> FlowLimits {
    let mut rate = |most: u64| Rate {
        per_second: u32::from(rng.small(most)) + 1,
        burst: u32::from(rng.small(most)) + 1,
    };
    let (total, per_prefix, bytes) = (rate(40), rate(8), rate(20_000));
    FlowLimits {
        flows_max: rng.choose(&[1, 2, 6, 24]),
        flows_per_prefix: rng.choose(&[1, 3, 8]),
        rate: total,
        rate_per_prefix: per_prefix,
        idle: Duration::from_millis(rng.below(90_000)),
        idle_unproven: Duration::from_millis(rng.below(30_000)),
        pending_max: rng.choose(&[0, 1, 3, 8]),
        pending_bytes: rng.choose(&[0, 100, 2_000]),
        proof_datagrams: rng.choose(&[1, 2, 3]),
        unproven_factor: rng.below(4),
        unproven_allowance: rng.choose(&[0, 64, 4096]),
        unproven_rate_per_prefix: bytes,
        prefixes_max: rng.choose(&[0, 1, 2, 5]),
    }
}

fn pass_time(rng: &mut Rng, longest: Duration) -> Op {
    let nanos = u64::try_from(longest.as_nanos()).unwrap_or(u64::MAX);
    match rng.below(6) {
        0 | 1 => Op::Expire,
        2 => Op::ExpireNext,
        _ => Op::Advance {
            by: Duration::from_nanos(rng.below(nanos)),
        },
    }
}

/// Mostly a game's own sizes; sometimes nothing at all, or all there can be.
fn datagram_len(rng: &mut Rng) -> u16 {
    match rng.below(12) {
        0 => 0,
        1 => 65_507,
        2 | 3 => 1_000 + rng.small(9_000),
        _ => rng.small(200),
    }
}

/// Says where a panic happened, whoever raised it.
struct Place {
    seed: u64,
    step: u64,
    op: Option<Op>,
}

impl Drop for Place {
    #[allow(clippy::print_stderr, reason = "for whoever reads the failure")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self { seed, step, op } = self;
            eprintln!("failed at seed {seed}, step {step}: {op:?}");
            eprintln!("again: VIA6_SIM_SEED={seed} VIA6_SIM_STEPS={}", *step + 1);
        }
    }
}

/// Runs one seed; what it saw, and a number that stands for every answer in order.
fn run(seed: u64, steps: u64) -> (Seen, u64) {
    let mut world = World::new(seed);
    let mut pair = Pair::new(world.limits);
    let mut place = Place {
        seed,
        step: 0,
        op: None,
    };
    for step in 0..steps {
        let op = world.next();
        place.step = step;
        place.op = Some(op);
        pair.apply(op);
    }
    pair.finish()
}

#[allow(
    clippy::disallowed_methods,
    reason = "the knobs of a test, not of the program"
)]
fn env(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    let number = value.parse();
    Some(number.unwrap_or_else(|_| panic!("{name}={value}: not a number")))
}

#[test]
fn table_and_shadow_agree_on_every_seed() {
    let steps = env("VIA6_SIM_STEPS").unwrap_or(STEPS);
    if let Some(seed) = env("VIA6_SIM_SEED") {
        run(seed, steps);
        return;
    }
    let seeds = env("VIA6_SIM_SEEDS").unwrap_or(SEEDS);
    let mut all = Seen::new();
    for seed in 0..seeds {
        for (kind, count) in run(seed, steps).0 {
            *all.entry(kind).or_default() += count;
        }
    }
    println!("{seeds} seeds of {steps} steps: {all:?}");
    if seeds >= SEEDS && steps >= STEPS {
        assert_saw_every_kind(&all, 100);
    }
}

#[test]
fn the_same_seed_gives_the_same_answers() {
    for seed in 0..24 {
        let (seen, transcript) = run(seed, STEPS);
        assert_eq!(run(seed, STEPS), (seen, transcript), "seed {seed}");
    }
    assert_ne!(run(1, STEPS).1, run(2, STEPS).1);
}
