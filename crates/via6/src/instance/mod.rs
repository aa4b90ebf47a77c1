//! The relays of this process, by name: begun, looked at, changed and ended while the others go on.
//!
//! ```text
//! commands, `via6 run`, other via6 processes ──add──▶ Instance ──▶ relay::Running, one each
//!                     the file has changed ──apply──▶    │
//!                      `status`, live view, metrics ◀────┘
//! ```
//! It decides nothing about sessions: that is the library's. What is said is said by each entry's
//! [`Narrator`], to whoever asked for the entry.

mod adding;
mod bound;
mod ending;
mod reloading;
mod sampling;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tokio_util::task::TaskTracker;
use via6_relay::{
    Descriptors, Engine, Lease, Running, Shutdown, Totals, look, raise_descriptor_limit,
};

pub(crate) use self::adding::{Added, Asked};
pub(crate) use self::bound::{Bound, Held, local_address};
pub(crate) use self::reloading::Applied;
use self::sampling::Sampler;
use crate::entry::{Entry, Origin};
use crate::failure::Failure;
use crate::narrator::Narrator;

/// The relays of this process. Clones are the same.
#[derive(Clone)]
pub(crate) struct Instance(Arc<Inner>);

struct Inner {
    engine: Engine,
    descriptors: Descriptors,
    /// Stops all of them.
    shutdown: Shutdown,
    /// Waits for their ends.
    endings: TaskTracker,
    carried: Mutex<Vec<Carried>>,
    /// Held while relays are begun, changed or taken away: one change at a time.
    changing: tokio::sync::Mutex<()>,
    sampler: Mutex<Sampler>,
    serial: AtomicU64,
    began: Instant,
}

/// One relay.
#[derive(Clone)]
struct Carried {
    /// Tells it from others that have had its name.
    serial: u64,
    entry: Entry,
    origin: Origin,
    running: Running,
    narrator: Arc<Narrator>,
    /// Where it listens.
    held: Vec<Held>,
    /// What relays of its name did that have been removed since.
    before: Totals,
}

/// Between two looks at whether sessions are left.
const IDLE_LOOK: Duration = Duration::from_millis(5);

impl Instance {
    /// Without relays yet.
    pub(crate) fn start() -> Result<Self, Failure> {
        let descriptors = Descriptors::new(raise_descriptor_limit());
        let engine = Engine::start(&descriptors).map_err(|error| Failure::cannot_go_on(&error))?;
        Ok(Self(Arc::new(Inner {
            engine,
            descriptors,
            shutdown: Shutdown::new(),
            endings: TaskTracker::new(),
            carried: Mutex::default(),
            changing: tokio::sync::Mutex::default(),
            sampler: Mutex::default(),
            serial: AtomicU64::new(0),
            began: Instant::now(),
        })))
    }

    /// Stops every relay.
    pub(crate) fn shutdown(&self) -> &Shutdown {
        &self.0.shutdown
    }

    /// Sets descriptors aside for something beside the relays. None if too few are left for that.
    pub(crate) fn set_aside(&self, descriptors: u32) -> Option<Lease> {
        self.0.descriptors.lease(descriptors)
    }

    /// Drains every relay, and waits until all have ended and said so. Nothing is begun any more.
    pub(crate) async fn close(&self) {
        self.0.shutdown.drain();
        self.0.endings.close();
        self.0.endings.wait().await;
    }

    /// Waits until no session is left, but no longer than `patience`. Cancel safe.
    pub(crate) async fn idle(&self, patience: Duration) {
        let idle = async {
            loop {
                let relays: Vec<_> = self.all().into_iter().map(|one| one.running).collect();
                if look(&relays, 0)
                    .await
                    .iter()
                    .all(|look| look.sessions_live == 0)
                {
                    return;
                }
                sleep(IDLE_LOOK).await;
            }
        };
        // Who is still there then is told of as cut.
        let _ = timeout(patience, idle).await;
    }

    /// The relays that are there, those that drain as well.
    fn all(&self) -> Vec<Carried> {
        self.carried().clone()
    }

    fn carried(&self) -> MutexGuard<'_, Vec<Carried>> {
        self.0
            .carried
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn next_serial(&self) -> u64 {
        self.0.serial.fetch_add(1, Ordering::Relaxed) + 1
    }
}
