//! Runs rows on chains, some beside each other, and keeps the score.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::chain::{Chain, Protocol};
use crate::failure::{Failure, Outcome, failed};
use crate::process::Splice;
use crate::rows::{Note, Row};
use crate::scene::{Case, Side};

/// A reader's pause in an ordinary run.
pub const PAUSE: Duration = Duration::from_secs(2);

/// A reader's pause in a long run: longer than any timer of a relay may be.
pub const LONG_PAUSE: Duration = Duration::from_secs(120);

/// One cell of the matrix, and how its repetitions went.
#[derive(Clone, Debug)]
pub struct Cell {
    /// What happens.
    pub row: &'static Row,
    /// What stands between client and server.
    pub chain: Chain,
    /// Who acts.
    pub side: Side,
    /// How every via6 is told to move TCP bytes.
    pub splice: Splice,
    /// Repetitions that passed.
    pub passed: u32,
    /// Repetitions that failed.
    pub failed: u32,
    /// Repetitions that this machine could not run.
    pub skipped: u32,
    /// Time of all repetitions together.
    pub time: Duration,
    /// The first failure, or the reason of a skip.
    pub trouble: Option<String>,
    /// What the last passing repetition noted.
    pub note: Note,
}

impl Cell {
    fn new(row: &'static Row, chain: Chain, side: Side, splice: Splice) -> Self {
        Self {
            row,
            chain,
            side,
            splice,
            passed: 0,
            failed: 0,
            skipped: 0,
            time: Duration::ZERO,
            trouble: None,
            note: Note::default(),
        }
    }

    /// Every repetition has been run.
    #[must_use]
    pub fn is_complete(&self, times: u32) -> bool {
        self.passed + self.failed + self.skipped == times
    }

    fn score(&mut self, outcome: Outcome<Note>, took: Duration) {
        self.time += took;
        match outcome {
            Ok(note) => {
                self.passed += 1;
                self.note = note;
            }
            Err(Failure::Failed(what)) => {
                self.failed += 1;
                self.trouble.get_or_insert(what);
            }
            Err(Failure::Skipped(why)) => {
                self.skipped += 1;
                self.trouble.get_or_insert(why);
            }
        }
    }
}

/// The cells of these rows on these chains, where they apply, in each of these ways to move bytes;
/// rows of UDP know only one.
#[must_use]
pub fn cells(rows: &[&'static Row], chains: &[Chain], splices: &[Splice]) -> Vec<Cell> {
    let mut cells = Vec::new();
    for row in rows {
        let splices = match row.protocol {
            Protocol::Tcp => splices,
            Protocol::Udp => &[Splice::Default],
        };
        for &chain in chains.iter().filter(|chain| row.applies_to(**chain)) {
            for &splice in splices {
                let cell = |&side| Cell::new(row, chain, side, splice);
                cells.extend(row.sides.iter().map(cell));
            }
        }
    }
    cells
}

/// How the matrix is run.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    /// The via6 program.
    pub program: &'a Path,
    /// Repetitions of each cell.
    pub times: u32,
    /// How long a pausing reader pauses.
    pub pause: Duration,
    /// Repetitions that run beside each other, of rows that may.
    pub beside: usize,
}

/// Runs every cell; `complete` sees each when its last repetition is done.
pub fn run(plan: &Plan<'_>, cells: Vec<Cell>, complete: impl Fn(&Cell) + Sync) -> Vec<Cell> {
    let (alone, together): (Vec<_>, Vec<_>) = cells.into_iter().partition(|cell| cell.row.alone);
    let mut done = run_beside(plan, plan.beside, together, &complete);
    done.extend(run_beside(plan, 1, alone, &complete));
    done
}

fn run_beside(
    plan: &Plan<'_>,
    threads: usize,
    cells: Vec<Cell>,
    complete: &(impl Fn(&Cell) + Sync),
) -> Vec<Cell> {
    let jobs = cells.len() * plan.times as usize;
    let next = AtomicUsize::new(0);
    let cells: Vec<_> = cells.into_iter().map(Mutex::new).collect();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let job = next.fetch_add(1, Ordering::Relaxed);
                    if job >= jobs {
                        return;
                    }
                    let shared = &cells[job / plan.times as usize];
                    let cell = shared
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .clone();
                    let start = Instant::now();
                    let outcome = run_once(plan, &cell);
                    let mut cell = shared.lock().unwrap_or_else(PoisonError::into_inner);
                    cell.score(outcome, start.elapsed());
                    if cell.is_complete(plan.times) {
                        complete(&cell);
                    }
                }
            });
        }
    });
    cells
        .into_iter()
        .map(|cell| cell.into_inner().unwrap_or_else(PoisonError::into_inner))
        .collect()
}

fn run_once(plan: &Plan<'_>, cell: &Cell) -> Outcome<Note> {
    let case = Case {
        program: plan.program,
        chain: cell.chain,
        acting: cell.side,
        splice: cell.splice,
        pause: plan.pause,
    };
    // One row's panic must not end a night's run.
    catch_unwind(AssertUnwindSafe(|| cell.row.run(&case)))
        .unwrap_or_else(|_| failed("the row panicked"))
}

/// One cell as a test: fails with the first failure. What this machine cannot run is skipped with
/// a loud line, except in CI (`CI` is set), where it fails.
pub fn check(
    program: &Path,
    row: &str,
    chain: Chain,
    side: Side,
    splice: Splice,
    times: u32,
) -> Result<(), String> {
    let Some(row) = Row::named(row) else {
        return Err(format!("no row is called {row}"));
    };
    if !row.applies_to(chain) || !row.sides.contains(&side) {
        return Err(format!(
            "{} does not apply to {chain}, {} acting",
            row.name,
            side.label()
        ));
    }
    let plan = Plan {
        program,
        times,
        pause: PAUSE,
        beside: 1,
    };
    let cells = run(&plan, vec![Cell::new(row, chain, side, splice)], |_| ());
    let (name, side) = (row.name, side.label());
    let what = format!("{name} on {chain}, {side} acting, splice {splice}");
    for cell in cells {
        let trouble = cell.trouble.unwrap_or_default();
        if cell.failed > 0 {
            return Err(format!(
                "{what}: {} of {times} failed: {trouble}",
                cell.failed
            ));
        }
        if cell.skipped > 0 && std::env::var_os("CI").is_some() {
            return Err(format!(
                "{what}: cannot run here, but must in CI: {trouble}"
            ));
        }
        if cell.skipped > 0 {
            #[allow(
                clippy::print_stderr,
                reason = "a skip must be seen, not pass for a success"
            )]
            {
                eprintln!("SKIPPED {what}: {trouble}");
            }
        }
    }
    Ok(())
}
