//! What can happen to a link between two homes while a game is played on it.
//!
//! Each scenario builds its own homes, plays through one kind of link (small messages and a download
//! beside them), does what it is named after, and fails unless every byte came once, in turn, and each
//! side saw the end that it must see.

use std::thread::sleep;
use std::time::{Duration, Instant};

use via6_core::limits;

use super::chance::Loss;
use super::homes::{Homes, RELAY};
use super::link::{self, Finds, Link};
use super::player::Beat;
use super::stage::{Case, LASTING, Measured, PACE, PATIENCE, PLAYING, Play, Stage, measured};
use super::way::{Conditions, Rate};
use crate::failure::{During, Failure, Outcome, ensure};
use crate::process::Output;
use crate::wire::{End, MIB};

/// How long a sealed link that is lost is held for the joiner to come back.
const HOLD: Duration = limits::LINK_HOLD;

/// How much earlier or later than after [`HOLD`] the games may see the end: the last packet heard may
/// be a second old, and nobody need be exact.
const HOLD_SLACK: Duration = Duration::from_secs(4);

/// One thing that can happen.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// The name used in tables and on the command line.
    pub name: &'static str,
    /// What happens, in a few words.
    pub about: &'static str,
    /// The kinds of link that it is for.
    pub links: &'static [&'static str],
    run: fn(&Case<'_>) -> Outcome<Measured>,
}

const ANY: &[&str] = &["direct", "open", "sealed", "sealed-tls"];
const VIA6: &[&str] = &["open", "sealed", "sealed-tls"];
const OPEN: &[&str] = &["open"];
const SEALED: &[&str] = &["sealed", "sealed-tls"];
/// Those that a block of UDP can harm.
const QUIC: &[&str] = &["sealed"];

macro_rules! scenarios {
    ($($function:ident $name:literal $links:ident $about:literal;)+) => {
        /// Every scenario.
        pub const SCENARIOS: &[Scenario] = &[$(Scenario {
            name: $name,
            about: $about,
            links: $links,
            run: $function,
        },)+];
    };
}

scenarios! {
    play "play" ANY "20 ms each way, jitter, 1 % of packets lost";
    burst_loss "burst-loss" ANY "3 % of packets lost, in bursts";
    loss_begins "loss-begins" ANY "5 % of packets lost from the middle on";
    slow_line "slow-line" ANY "2 Mbit/s with a queue of 64 KiB";
    black_hole "black-hole" VIA6 "packets over 1280 bytes vanish";
    bulk "bulk" ANY "as much as passes, 5 ms each way";
    cut_short "cut-1s" ANY "nothing passes for 1 s";
    renamed "redial-by-name" OPEN "prefix replaced, name follows: a new session gets through";
    cut_forgotten "cut-4s" SEALED "nothing passes for 4 s, routers forget all flows";
    joiner_moves "joiner-moves" SEALED "the joiner's address is replaced";
    udp_blocked "udp-blocked" QUIC "UDP is dropped from the middle on";
    prefix_announced "prefix-announced" SEALED "a new prefix for the host, the old one gone 2 s later";
    prefix_named "prefix-named" SEALED "the host's prefix replaced at once, its name follows";
    relayed "relayed" SEALED "a relay in the Internet is the only way to the host";
    prefix_lost "prefix-lost" SEALED "the host's prefix replaced at once, no name";
}

impl Scenario {
    /// The scenario with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        SCENARIOS.iter().find(|scenario| scenario.name == name)
    }

    /// Whether it is meant for this kind of link.
    #[must_use]
    pub fn applies_to(&self, link: &Link) -> bool {
        self.links.contains(&link.name)
    }

    /// Runs it once.
    pub fn run(&self, case: &Case<'_>) -> Outcome<Measured> {
        (self.run)(case)
    }
}

/// An ordinary way between two homes.
fn ordinary() -> Conditions {
    Conditions {
        delay: Duration::from_millis(20),
        jitter: Duration::from_millis(3),
        loss: Loss::Single(0.003),
        ..Conditions::default()
    }
}

fn play(case: &Case<'_>) -> Outcome<Measured> {
    let conditions = Conditions {
        loss: Loss::Single(0.01),
        ..ordinary()
    };
    Stage::with_download(case, conditions, MIB, 0)?.finish_lossy()
}

fn burst_loss(case: &Case<'_>) -> Outcome<Measured> {
    let loss = Loss::Bursts {
        share: 0.03,
        length: 3.0,
        density: 1.0,
    };
    let conditions = Conditions { loss, ..ordinary() };
    Stage::with_download(case, conditions, MIB / 2, 0)?.finish_lossy()
}

fn loss_begins(case: &Case<'_>) -> Outcome<Measured> {
    let stage = Stage::with_download(case, ordinary(), MIB / 2, PACE)?;
    stage.homes.wan.change(|now| now.loss = Loss::Single(0.05));
    stage.finish_lossy()
}

fn slow_line(case: &Case<'_>) -> Outcome<Measured> {
    let rate = Rate {
        kbit: 2000,
        queue: 64 * 1024,
    };
    let conditions = Conditions {
        rate: Some(rate),
        loss: Loss::Never,
        ..ordinary()
    };
    Stage::with_download(case, conditions, MIB, 0)?.finish(Duration::ZERO)
}

/// 1280 bytes is the least that IPv6 promises: whoever sends more without asking may be unlucky.
fn black_hole(case: &Case<'_>) -> Outcome<Measured> {
    let conditions = Conditions {
        black_hole_over: Some(1280),
        ..ordinary()
    };
    Stage::with_download(case, conditions, MIB, 0)?.finish(Duration::ZERO)
}

/// Not a scenario of a home, but of the lab: how much the emulator itself passes.
fn bulk(case: &Case<'_>) -> Outcome<Measured> {
    const LEN: u64 = 64 * MIB;
    let conditions = Conditions {
        delay: Duration::from_millis(5),
        ..Conditions::default()
    };
    let start = Instant::now();
    let stage = Stage::with_download(case, conditions, LEN, 0)?;
    let mut measured = stage.finish(Duration::ZERO)?;
    let mbit = LEN * 8
        / 1000
        / u64::try_from(start.elapsed().as_millis())
            .unwrap_or(1)
            .max(1);
    measured.note = format!("{}, {mbit} Mbit/s", measured.note);
    Ok(measured)
}

fn cut_short(case: &Case<'_>) -> Outcome<Measured> {
    const CUT: Duration = Duration::from_secs(1);
    let stage = Stage::set(case, ordinary(), Finds::ByAddress)?;
    stage.homes.cut(CUT);
    stage.finish(CUT)
}

/// What a provider's maintenance does: the line is gone, and the routers begin anew.
fn cut_forgotten(case: &Case<'_>) -> Outcome<Measured> {
    const CUT: Duration = Duration::from_secs(4);
    let stage = Stage::set(case, ordinary(), Finds::ByAddress)?;
    stage.homes.cut(CUT);
    let known = stage.homes.known_flows()?;
    ensure!(!known.contains(&0), "a router knew of no flow: {known:?}");
    stage.homes.forget_flows()?;
    stage.finish(CUT)
}

fn joiner_moves(case: &Case<'_>) -> Outcome<Measured> {
    let mut stage = Stage::set(case, ordinary(), Finds::ByAddress)?;
    stage.homes.move_joiner()?;
    stage.finish(Duration::ZERO)
}

fn udp_blocked(case: &Case<'_>) -> Outcome<Measured> {
    let stage = Stage::set(case, ordinary(), Finds::ByAddress)?;
    stage.homes.block_udp()?;
    stage.play_on(PLAYING)?;
    let blocked = stage.homes.blocked_datagrams()?;
    ensure!(
        blocked > 0,
        "no datagram was blocked: the link was not carried by any"
    );
    let carried = stage.linked.carried();
    let is_tls = carried
        .as_ref()
        .is_some_and(|(transport, _)| transport == "tls");
    ensure!(is_tls, "carried by {carried:?} with UDP blocked");
    stage.finish(Duration::ZERO)
}

fn prefix_announced(case: &Case<'_>) -> Outcome<Measured> {
    const NOTICE: Duration = Duration::from_secs(2);
    let mut stage = Stage::set(case, ordinary(), Finds::ByAddress)?;
    stage.homes.announce_prefix()?;
    // The pause is the notice.
    sleep(NOTICE);
    stage.homes.retire_prefix()?;
    stage.finish(Duration::ZERO)
}

fn prefix_named(case: &Case<'_>) -> Outcome<Measured> {
    let mut stage = Stage::set(case, ordinary(), Finds::ByName)?;
    stage.homes.replace_prefix()?;
    stage.homes.name_host(Some(stage.homes.host_address()))?;
    stage.finish(Duration::ZERO)
}

/// The joiner's log is kept: what the friend reads.
const READ: Play = Play {
    joiner: Output::Log,
    ..Play::DEFAULT
};

/// Nothing can find the host again: both games must be told in time, and the people as well.
fn prefix_lost(case: &Case<'_>) -> Outcome<Measured> {
    let mut stage = Stage::begin(case, ordinary(), READ)?;
    stage.homes.name_host(None)?;
    let lost = Instant::now();
    stage.homes.replace_prefix()?;
    let Stage {
        beat,
        download,
        mut linked,
        homes,
    } = stage;
    let beat = beat.wait_ended(PATIENCE);
    let beat = beat.map_err(|failure| linked.explain(failure))?;
    let download = download.wait_ended()?;
    let served = linked.game.wait_served(2, PATIENCE)?;
    let seen = [&beat, &download].map(|played| (played.end, played.ended));
    let seen = seen
        .into_iter()
        .chain(served.iter().map(|one| (one.end, one.at)));
    let checked = seen.map(|(end, at)| reset_in_time(end, at.duration_since(lost)));
    let checked: Outcome = checked.collect();
    checked.map_err(|failure| linked.explain(failure))?;
    let after = beat.ended.duration_since(lost);
    linked.tells_the_cure(&homes)?;
    linked.stop()?;
    drop(homes);
    Ok(Measured {
        note: format!("reset after {:.1} s", after.as_secs_f64()),
        ..measured(&beat, &download)
    })
}

/// Fails unless a session ended as it must when nothing can find the host any more.
fn reset_in_time(end: End, after: Duration) -> Outcome {
    ensure!(
        end == End::Reset,
        "a session ended by {end:?} after {after:?}"
    );
    let in_time = after + HOLD_SLACK >= HOLD && after <= HOLD + HOLD_SLACK;
    ensure!(in_time, "a session ended after {after:?}, not {HOLD:?}");
    Ok(())
}

/// The host never says that it is where the joiner finds it, and that is no reason to look elsewhere.
fn relayed(case: &Case<'_>) -> Outcome<Measured> {
    let homes = Homes::new(ordinary(), case.seed)?;
    homes.part()?;
    homes.name_host(Some(RELAY))?;
    let relays = link::relays(case.program, &homes)?;
    let by_name = Play {
        finds: Finds::ByName,
        ..Play::DEFAULT
    };
    let stage = Stage::on(case, homes, by_name)?;
    stage.play_on(LASTING)?;
    let carried = stage.linked.carried();
    let is_first = carried
        .as_ref()
        .is_some_and(|(_, generation)| *generation == 1);
    if !is_first {
        let what = format!("carried by {carried:?} although nothing happened");
        return Err(stage.linked.explain(Failure::Failed(what)));
    }
    let measured = stage.finish(Duration::ZERO)?;
    drop(relays);
    Ok(measured)
}

/// An open link ends with its prefix, and whoever joined by name gets through with the next session.
fn renamed(case: &Case<'_>) -> Outcome<Measured> {
    let mut stage = Stage::set(case, ordinary(), Finds::ByName)?;
    stage.homes.replace_prefix()?;
    stage.homes.name_host(Some(stage.homes.host_address()))?;
    let again = Beat::start(stage.linked.connect(&stage.homes)?)?;
    again.wait_for_more(PLAYING, PATIENCE)?;
    let beat = again.finish().during("the second session")?;
    let old = stage.beat.echoed();
    Ok(Measured {
        stall: beat.stall,
        p50: beat.percentile(50),
        p99: beat.percentile(99),
        note: format!("{old} messages before, {} after", beat.came),
    })
}
