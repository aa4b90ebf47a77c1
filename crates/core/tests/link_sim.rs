//! Seeded simulation of both ends of a sealed link over transports that are slow, cut at any byte,
//! replaced while they live, silent, or gone without a word; with copies in the fast lane that come late,
//! twice or never; with hosts that are restarted; and with games that pause, half-close and break. Every
//! byte must come once and in order, every end be the one that was made, memory stay within its bounds,
//! and everything come to an end when the world calms down.
//!
//! A failure prints its seed: `VIA6_SIM_SEED=n` runs that alone, `VIA6_SIM_SEEDS=n` as many (default 1500).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "test code: failing is its purpose"
)]

mod link_model;

use std::time::{Duration, Instant};

use link_model::rng::Rng;
use link_model::{Seen, World, tight_limits};
use via6_core::link::LinkLimits;

const SEEDS: u64 = 1500;
const STEPS: u64 = 300;

/// Says where a panic happened, whoever raised it.
struct Place {
    seed: u64,
    step: u64,
}

impl Drop for Place {
    #[allow(clippy::print_stderr, reason = "for whoever reads the failure")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "failed at step {}; again: VIA6_SIM_SEED={}",
                self.step, self.seed
            );
        }
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "an Instant has no other beginning"
)]
fn run(seed: u64) -> Seen {
    let mut rng = Rng::new(seed ^ 0x5ea1_ed11);
    let limits = if rng.one_in(4) {
        LinkLimits::default()
    } else {
        tight_limits(&mut rng)
    };
    let mut world = World::new(seed, limits, Instant::now());
    let mut place = Place { seed, step: 0 };
    // How rough it is: one in so many steps, of cuts, of new transports, of whole disasters.
    let (cuts, moves, disasters) = (
        rng.choose(&[10, 40, 400]),
        rng.choose(&[20, 60, 200]),
        rng.choose(&[150, 5_000]),
    );
    let longest = rng.choose(&[5, 60, 900, 9_000]);
    world.connect();
    for step in 0..STEPS {
        place.step = step;
        match rng.below(20) {
            0 => world.open(),
            1 => world.pass_time(Duration::from_millis(rng.below(longest))),
            2..=8 => world.play_some(),
            9 => world.notice(),
            _ => world.carry(),
        }
        if rng.one_in(cuts) {
            world.cut();
        }
        if rng.one_in(moves) {
            world.connect();
        }
        if rng.one_in(disasters) {
            match rng.below(4) {
                0 => world.restart_host(),
                1 => world.close(),
                2 => world.pass_time(Duration::from_secs(26)),
                _ => world.pass_time(Duration::from_secs(4)),
            }
        }
        world.check();
    }
    place.step = STEPS;
    world.calm();
    world.check();
    world.seen
}

#[allow(
    clippy::disallowed_methods,
    reason = "the knobs of a test, not of the program"
)]
fn env(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(
        value
            .parse()
            .unwrap_or_else(|_| panic!("{name}={value}: not a number")),
    )
}

#[test]
fn every_byte_comes_once_and_every_end_is_the_one_that_was_made() {
    if let Some(seed) = env("VIA6_SIM_SEED") {
        println!("{:?}", run(seed));
        return;
    }
    let seeds = env("VIA6_SIM_SEEDS").unwrap_or(SEEDS);
    let mut all = Seen::new();
    for seed in 0..seeds {
        for (kind, count) in run(seed) {
            *all.entry(kind).or_default() += count;
        }
    }
    println!("{seeds} seeds: {all:?}");
    for kind in [
        "opened",
        "connected",
        "cut",
        "lane",
        "resumed",
        "fresh",
        "stale",
        "fin",
        "reset",
        "refused generation",
        "refused service",
        "host restarted",
        "ended at the host",
        "ended at the joiner",
        "closed",
    ] {
        let count = all.get(kind).copied().unwrap_or_default();
        assert!(
            seeds < SEEDS || count >= 100,
            "{kind}: {count} in {seeds} seeds"
        );
    }
}
