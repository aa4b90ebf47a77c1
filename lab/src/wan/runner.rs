//! Runs scenarios again and again, some beside each other, and keeps the score.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::link::Link;
use super::scenarios::{Case, Measured, Scenario};
use crate::failure::{Failure, Outcome, failed, skipped};

/// One scenario on one kind of link, and how its repetitions went.
#[derive(Clone, Debug)]
pub struct Score {
    /// What happens.
    pub scenario: &'static Scenario,
    /// On what.
    pub link: Link,
    /// What was measured by those that passed.
    pub passed: Vec<Measured>,
    /// Repetitions that failed.
    pub failed: u32,
    /// Repetitions that this machine could not run.
    pub skipped: u32,
    /// Each failure with its seed, or the reason of the first skip.
    pub troubles: Vec<String>,
}

impl Score {
    const fn new(scenario: &'static Scenario, link: Link) -> Self {
        Self {
            scenario,
            link,
            passed: Vec::new(),
            failed: 0,
            skipped: 0,
            troubles: Vec::new(),
        }
    }

    /// Repetitions so far.
    #[must_use]
    pub fn runs(&self) -> usize {
        self.passed.len() + self.failed as usize + self.skipped as usize
    }

    /// The median and the worst of what was measured.
    #[must_use]
    pub fn spread(&self, of: impl Fn(&Measured) -> Duration) -> (Duration, Duration) {
        let mut all: Vec<_> = self.passed.iter().map(of).collect();
        all.sort_unstable();
        let median = all.get(all.len() / 2).copied().unwrap_or_default();
        (median, all.last().copied().unwrap_or_default())
    }

    /// All repetitions as one outcome.
    fn outcome(&self) -> Outcome {
        let troubles = self.troubles.join("\n");
        match (self.failed, self.skipped) {
            (0, 0) => Ok(()),
            (0, _) => skipped(troubles),
            (failures, _) => failed(format!("{failures} of {} failed\n{troubles}", self.runs())),
        }
    }

    fn add(&mut self, seed: u64, outcome: Outcome<Measured>) {
        match outcome {
            Ok(measured) => self.passed.push(measured),
            Err(Failure::Failed(what)) => {
                self.failed += 1;
                self.troubles
                    .push(format!("FAILED with seed {seed}: {what}"));
            }
            Err(Failure::Skipped(why)) => {
                self.skipped += 1;
                if self.skipped == 1 {
                    self.troubles.push(format!("SKIPPED: {why}"));
                }
            }
        }
    }
}

/// How scenarios are run.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    /// The via6 program.
    pub program: &'a Path,
    /// Repetitions of each.
    pub times: u32,
    /// The seed of the first repetition; each further one has the next.
    pub seed: u64,
    /// How many run beside each other.
    pub beside: usize,
}

/// Runs these scenarios, each on its link; `complete` sees each when its last repetition is done.
pub fn run(
    plan: &Plan<'_>,
    what: &[(&'static Scenario, Link)],
    complete: impl Fn(&Score) + Sync,
) -> Vec<Score> {
    let score = |&(scenario, link)| Mutex::new(Score::new(scenario, link));
    let scores: Vec<_> = what.iter().map(score).collect();
    let times = plan.times as usize;
    let (jobs, next) = (scores.len() * times, AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..plan.beside {
            scope.spawn(|| {
                loop {
                    let job = next.fetch_add(1, Ordering::Relaxed);
                    if job >= jobs {
                        return;
                    }
                    let shared = &scores[job / times];
                    let lock = || shared.lock().unwrap_or_else(PoisonError::into_inner);
                    let (scenario, link) = {
                        let score = lock();
                        (score.scenario, score.link)
                    };
                    let seed = plan.seed.wrapping_add((job % times) as u64);
                    let outcome = run_once(plan.program, scenario, link, seed);
                    let mut score = lock();
                    score.add(seed, outcome);
                    if score.runs() == times {
                        complete(&score);
                    }
                }
            });
        }
    });
    let scores = scores.into_iter();
    scores
        .map(|score| score.into_inner().unwrap_or_else(PoisonError::into_inner))
        .collect()
}

fn run_once(program: &Path, scenario: &Scenario, link: Link, seed: u64) -> Outcome<Measured> {
    let case = Case {
        program,
        link,
        seed,
    };
    // One panic must not end a night's run.
    catch_unwind(AssertUnwindSafe(|| scenario.run(&case)))
        .unwrap_or_else(|_| failed("the scenario panicked"))
}

/// One scenario as a test: so many times on each of these links, all beside each other, with seeds that
/// are always the same.
pub fn check(program: &Path, scenario: &str, links: &[Link], times: u32) -> Result<(), String> {
    let Some(scenario) = Scenario::named(scenario) else {
        return Err(format!("no scenario is called {scenario}"));
    };
    if let Some(other) = links.iter().find(|link| !scenario.applies_to(link)) {
        return Err(format!("{} is not for {} links", scenario.name, other.name));
    }
    let what: Vec<_> = links.iter().map(|link| (scenario, *link)).collect();
    let plan = Plan {
        program,
        times,
        seed: 1,
        beside: what.len() * times as usize,
    };
    let scores = run(&plan, &what, |_| ());
    if scores.iter().all(|score| score.runs() == 0) {
        return Err(format!("{} was not run at all", scenario.name));
    }
    scores.iter().try_for_each(|score| {
        let what = format!("{} on a link that is {}", scenario.name, score.link.name);
        judge(&what, score.outcome())
    })
}

/// What a test makes of an outcome. What this machine cannot run is skipped with a loud line, except
/// in CI (`CI` is set), where it fails.
pub fn judge(what: &str, outcome: Outcome) -> Result<(), String> {
    match outcome {
        Ok(()) => Ok(()),
        Err(Failure::Failed(why)) => Err(format!("{what}: {why}")),
        Err(Failure::Skipped(why)) if std::env::var_os("CI").is_some() => {
            Err(format!("{what}: cannot run here, but must in CI: {why}"))
        }
        Err(Failure::Skipped(why)) => {
            #[allow(
                clippy::print_stderr,
                reason = "a skip must be seen, not pass for a success"
            )]
            {
                eprintln!("SKIPPED {what}: {why}");
            }
            Ok(())
        }
    }
}
