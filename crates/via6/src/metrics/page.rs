//! The page of the metrics, made anew for whoever asks, but not more often than is good for the players:
//! a look at the relays is taken on the thread that carries their bytes.

use std::sync::OnceLock;

use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::Instant;
use via6_core::limits::METRICS_FRESH;

use super::exposition::render;
use super::process;
use crate::instance::Instance;

/// The page, and what it was last.
pub(super) struct Page {
    instance: Instance,
    /// Told once: what the clock is set to later must not look like a restart.
    started_ms: OnceLock<u64>,
    last: Mutex<Option<(Instant, String)>>,
}

impl Page {
    pub(super) fn of(instance: &Instance) -> Self {
        Self {
            instance: instance.clone(),
            started_ms: OnceLock::new(),
            last: Mutex::const_new(None),
        }
    }

    /// How everything is, [`METRICS_FRESH`] ago at most. Cancel safe.
    pub(super) async fn text(&self) -> String {
        // Held meanwhile, so that those who ask together are given the same.
        let mut last = self.last.lock().await;
        if let Some((made, text)) = &*last
            && made.elapsed() < METRICS_FRESH
        {
            return text.clone();
        }
        let status = self.instance.totals().await;
        let started_ms = *self
            .started_ms
            .get_or_init(|| status.time_ms.saturating_sub(status.up_ms));
        // If the look at the process is lost, so are only its own numbers.
        let process = spawn_blocking(move || process::look(started_ms)).await;
        let process = process.unwrap_or_else(|_| process::unseen(started_ms));
        let text = render(&status, &process);
        *last = Some((Instant::now(), text.clone()));
        text
    }
}
