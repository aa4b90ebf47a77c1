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
mod desk;
mod ending;
mod linking;
mod placing;
mod reloading;
mod sampling;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::task::TaskTracker;
use via6_relay::{Descriptors, Engine, Lease, Running, Shutdown, Totals, raise_descriptor_limit};

pub(crate) use self::adding::{Added, Asked};
pub(crate) use self::bound::{Bound, Held, local_address};
pub(crate) use self::desk::Desk;
use self::linking::Linked;
pub(crate) use self::reloading::Applied;
use self::sampling::Sampler;
use crate::entry::{Entry, Origin};
use crate::failure::Failure;
use crate::narrator::Narrator;
use crate::sealed::Hosting;
use crate::state::Home;

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
    /// The port for sealed links, while games are shared there.
    hosting: Mutex<Option<Arc<Hosting>>>,
    home: Arc<Home>,
    /// Held while relays are begun, changed or taken away: one change at a time.
    changing: Arc<tokio::sync::Mutex<()>>,
    sampler: Mutex<Sampler>,
    /// When the engine may be looked at again.
    next_look: tokio::sync::Mutex<Instant>,
    serial: AtomicU64,
    began: Instant,
    /// A relay has ended.
    gone: Notify,
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
    linked: Linked,
    /// What relays of its name did that have been removed since.
    before: Totals,
}

/// Between two looks at whether sessions are left.
const IDLE_LOOK: Duration = Duration::from_millis(5);

impl Instance {
    /// Without relays yet. They all stop with `shutdown`.
    pub(crate) fn start(shutdown: &Shutdown, home: Arc<Home>) -> Result<Self, Failure> {
        let descriptors = Descriptors::new(raise_descriptor_limit());
        let engine = Engine::start(&descriptors).map_err(|error| Failure::cannot_go_on(&error))?;
        Ok(Self(Arc::new(Inner {
            engine,
            descriptors,
            shutdown: shutdown.clone(),
            endings: TaskTracker::new(),
            carried: Mutex::default(),
            hosting: Mutex::default(),
            home,
            changing: Arc::default(),
            sampler: Mutex::default(),
            next_look: tokio::sync::Mutex::new(Instant::now()),
            serial: AtomicU64::new(0),
            began: Instant::now(),
            gone: Notify::new(),
        })))
    }

    /// Stops every relay.
    pub(crate) fn shutdown(&self) -> &Shutdown {
        &self.0.shutdown
    }

    /// Sets descriptors aside for something beside the relays that was asked for. None if too few are left
    /// for that.
    pub(crate) fn set_aside(&self, descriptors: u32) -> Option<Lease> {
        self.0.descriptors.lease(descriptors)
    }

    /// The same for what nobody asked for: where it were more than one in eight, they are for players.
    pub(crate) fn spare(&self, descriptors: u32) -> Option<Lease> {
        let many = (descriptors as usize).saturating_mul(8);
        (many <= self.0.descriptors.capacity())
            .then(|| self.set_aside(descriptors))
            .flatten()
    }

    /// Drains every relay, and waits until all have ended and said so. Nothing is begun any more.
    pub(crate) async fn close(&self) {
        self.0.shutdown.drain();
        self.0.endings.close();
        self.0.endings.wait().await;
    }

    /// Stops the relays of this name, or all: drains them, or ends them at once. Returns how many
    /// there are.
    pub(crate) fn stop(&self, name: Option<&str>, now: bool) -> usize {
        let those = self.named(name);
        for carried in &those {
            carried.running.stop();
            if now {
                carried.running.shutdown().now();
            }
        }
        those.len()
    }

    /// Live sessions and flows of the relays of this name, or of all.
    pub(crate) fn live(&self, name: Option<&str>) -> (u64, u64) {
        let live = self.named(name).into_iter().map(|one| one.running.live());
        live.fold((0, 0), |(sessions, flows), (more, others)| {
            (sessions + more as u64, flows + others as u64)
        })
    }

    /// Waits until no relay of this name is left, or none at all. Cancel safe.
    pub(crate) async fn ended(&self, name: Option<&str>) {
        loop {
            // Before the look: what ends after it is told.
            let gone = self.0.gone.notified();
            if self.named(name).is_empty() {
                return;
            }
            gone.await;
        }
    }

    fn named(&self, name: Option<&str>) -> Vec<Carried> {
        let mut all = self.all();
        all.retain(|carried| name.is_none_or(|name| carried.entry.name == name));
        all
    }

    /// Waits until no session is left, but no longer than `patience`. Cancel safe.
    pub(crate) async fn idle(&self, patience: Duration) {
        let idle = async {
            while self.live(None).0 > 0 {
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
