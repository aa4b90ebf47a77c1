//! A game that is played between two homes while a scenario does to them what it is named after.

use std::path::Path;
use std::time::Duration;

use super::emulator::Direction;
use super::homes::Homes;
use super::link::{Finds, Link, Linked};
use super::player::{Beat, Download, Played};
use super::way::Conditions;
use crate::failure::{During, Outcome, ensure, failed};
use crate::process::Output;
use crate::wire::End;

/// How long a link may take from the blow to the first byte after it, over what the blow itself takes:
/// 3 s until it is suspect, and the rest to find another way, on a loaded machine.
const RECOVERY_MAX: Duration = Duration::from_secs(9);

/// How much longer the chances of a lossy line may take: TCP waits twice as long after each
/// retransmission that is lost as well.
const UNLUCKY: Duration = Duration::from_secs(10);

/// Echoes that must come before something happens, and after it: half a second.
pub(super) const PLAYING: u64 = 10;

/// Echoes where what happens is how the line is: three seconds.
pub(super) const LASTING: u64 = 60;

/// How long that many echoes, or an ending, may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(40);

/// The download that runs beside the messages: a pace that any home has, for six seconds.
pub(super) const PACE: u64 = 250_000;

/// What a scenario is run with.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// The via6 program.
    pub program: &'a Path,
    /// The kind of link.
    pub link: Link,
    /// What the WAN's chances are of.
    pub seed: u64,
}

/// What a scenario measured.
#[derive(Clone, Debug)]
pub struct Measured {
    /// The longest time without an echo.
    pub stall: Duration,
    /// The round trip that half of the messages did not exceed.
    pub p50: Duration,
    /// The one that 99 of 100 did not.
    pub p99: Duration,
    /// What else is worth knowing.
    pub note: String,
}

/// How it is played.
#[derive(Clone, Copy, Debug)]
pub(super) struct Play {
    /// What lets the joiner find the host.
    pub(super) finds: Finds,
    /// What becomes of what the joiner's via6 says.
    pub(super) joiner: Output,
    /// Bytes of the download.
    pub(super) len: u64,
    /// Bytes of it in a second; 0 for as fast as it goes.
    pub(super) pace: u64,
}

impl Play {
    /// Six seconds of a download, a host that is found by its address, and a joiner that tells scripts.
    pub(super) const DEFAULT: Self = Self {
        finds: Finds::ByAddress,
        joiner: Output::Collected,
        len: 6 * PACE,
        pace: PACE,
    };
}

/// A game that is being played.
pub(super) struct Stage {
    // Before the homes, which end what runs in them.
    pub(super) beat: Beat,
    pub(super) download: Download,
    pub(super) linked: Linked,
    pub(super) homes: Homes,
}

impl Stage {
    /// Builds homes, link and game, and waits until messages go back and forth beside a download.
    pub(super) fn set(case: &Case<'_>, conditions: Conditions, finds: Finds) -> Outcome<Self> {
        let play = Play {
            finds,
            ..Play::DEFAULT
        };
        Self::begin(case, conditions, play)
    }

    /// The same with a download of this length and pace.
    pub(super) fn with_download(
        case: &Case<'_>,
        conditions: Conditions,
        len: u64,
        pace: u64,
    ) -> Outcome<Self> {
        let play = Play {
            len,
            pace,
            ..Play::DEFAULT
        };
        Self::begin(case, conditions, play)
    }

    pub(super) fn begin(case: &Case<'_>, conditions: Conditions, play: Play) -> Outcome<Self> {
        Self::on(case, Homes::new(conditions, case.seed)?, play)
    }

    /// The same between homes that are there already.
    pub(super) fn on(case: &Case<'_>, homes: Homes, play: Play) -> Outcome<Self> {
        let linked = case
            .link
            .start(case.program, &homes, play.finds, play.joiner)?;
        let stage = Self {
            beat: Beat::start(linked.connect(&homes)?)?,
            download: Download::start(linked.connect(&homes)?, play.len, play.pace)?,
            linked,
            homes,
        };
        stage.play_on(PLAYING)?;
        Ok(stage)
    }

    /// Waits until some more messages have come back.
    pub(super) fn play_on(&self, messages: u64) -> Outcome {
        let waited = self.beat.wait_for_more(messages, PATIENCE);
        waited.map_err(|failure| self.linked.explain(failure))
    }

    /// Plays to the end under conditions that take some packets, and fails unless they did.
    pub(super) fn finish_lossy(self) -> Outcome<Measured> {
        self.play_on(LASTING)?;
        let lost = |direction| self.homes.wan.counts(direction).lost;
        let lost: u64 = Direction::BOTH.map(lost).iter().sum();
        ensure!(lost > 0, "no packet was lost: nothing has been shown");
        let mut measured = self.finish(UNLUCKY)?;
        measured.note = format!("{}, {lost} packets lost", measured.note);
        Ok(measured)
    }

    /// Plays to the end, which must be in order on both sides, with nothing missing. The blow itself
    /// took `blow` of the longest stall.
    pub(super) fn finish(mut self, blow: Duration) -> Outcome<Measured> {
        self.play_on(PLAYING)?;
        self.linked.ensure_alive()?;
        let ended = end_in_order(self.beat, self.download, &self.linked);
        let (beat, download) = ended.map_err(|failure| self.linked.explain(failure))?;
        let mut measured = measured(&beat, &download);
        if let Some((transport, generation)) = self.linked.carried() {
            measured.note = format!("{}, {transport} {generation}", measured.note);
        }
        let (stall, bound) = (measured.stall, blow + RECOVERY_MAX);
        if stall > bound {
            let late = failed(format!("nothing came for {stall:?}, over {bound:?}"));
            return late.map_err(|failure| self.linked.explain(failure));
        }
        self.linked.stop()?;
        Ok(measured)
    }
}

/// Both play to their end, which both sides must see.
fn end_in_order(beat: Beat, download: Download, linked: &Linked) -> Outcome<(Played, Played)> {
    let download = download.finish()?;
    let beat = beat.finish().during("the messages")?;
    for served in linked.game.wait_served(2, PATIENCE)? {
        let (service, end) = (served.service, served.end);
        ensure!(
            end == End::Fin,
            "at the game server {service:?} ended by {end:?}"
        );
    }
    Ok((beat, download))
}

/// What the messages measured.
pub(super) fn measured(beat: &Played, download: &Played) -> Measured {
    let kib = download.came / 1024;
    Measured {
        stall: beat.stall,
        p50: beat.percentile(50),
        p99: beat.percentile(99),
        note: format!("{} messages, {kib} KiB", beat.came),
    }
}
