//! What the instance does about what other via6 processes ask of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Added, Asked, Instance};
use crate::control::{self, Attached, Carry, Client, Handler, Refusal, Stop, Stopping, Stream};
use crate::entry::Origin;
use crate::failure::Failure;
use crate::metrics;
use crate::narrator::{Narrator, Showing, Sink};
use crate::roster::{self, Answered, Ask};
use crate::state::Home;
use crate::status::Status;

/// Answers for an instance.
pub(crate) struct Desk {
    instance: Instance,
    home: Arc<Home>,
    /// Somebody has asked for the end of everything, and not just of this process.
    all_to_end: AtomicBool,
}

impl Desk {
    pub(crate) fn new(instance: Instance, home: Arc<Home>) -> Self {
        Self {
            instance,
            home,
            all_to_end: AtomicBool::new(false),
        }
    }

    /// Sees to work that is carried until it is over.
    async fn attend(&self, added: Added, mut attached: Attached, process: &Narrator) {
        let (running, mut ended) = (added.running, added.ended);
        let shutdown = running.shutdown();
        let mut is_there = true;
        let mut wants_end = false;
        let mut is_told = false;
        let outcome = loop {
            tokio::select! {
                outcome = &mut ended => break outcome.unwrap_or(Ok(())),
                () = self.instance.shutdown().draining(), if !is_told => {
                    is_told = true;
                    // Before the lines that say what this comes to.
                    if !wants_end && self.is_ending_alone() {
                        process.say(
                            "The via6 that carries this is told to end; then this one goes on with it.",
                        );
                    }
                }
                asked = attached.next(), if is_there => match asked {
                    control::Asked::Drain => {
                        wants_end = true;
                        shutdown.drain();
                    }
                    control::Asked::Now => {
                        wants_end = true;
                        shutdown.now();
                    }
                    control::Asked::Gone => {
                        is_there = false;
                        shutdown.now();
                    }
                },
            }
        };
        match outcome {
            Err(failure) => attached.end(Some(Refusal::from(&failure))).await,
            // Only this process ends: whoever handed the work over did not ask for that.
            Ok(()) if !wants_end && !running.was_stopped() && self.is_ending_alone() => {
                attached.hand_back().await;
            }
            Ok(()) => attached.end(None).await,
        }
    }

    fn is_ending_alone(&self) -> bool {
        self.instance.shutdown().is_draining() && !self.all_to_end.load(Ordering::Relaxed)
    }
}

impl Handler for Desk {
    async fn status(&self) -> Status {
        self.instance.status().await
    }

    fn stop(&self, stop: &Stop) -> Result<Stopping, Refusal> {
        let name = stop.name.as_deref();
        let (sessions, flows) = self.instance.live(name);
        if name.is_none() {
            self.all_to_end.store(true, Ordering::Relaxed);
            let shutdown = self.instance.shutdown();
            if stop.now {
                shutdown.now();
            } else {
                shutdown.drain();
            }
        } else if self.instance.stop(name, stop.now) == 0 {
            let failure = Failure::runtime(format!(
                "cannot stop {}: there is no relay of this name",
                name.unwrap_or_default()
            ));
            return Err(Refusal::from(
                &failure.hint("`via6 status` shows the names"),
            ));
        }
        Ok(Stopping { sessions, flows })
    }

    async fn stopped(&self, stop: &Stop) {
        self.instance.ended(stop.name.as_deref()).await;
    }

    async fn roster(&self, ask: Ask) -> Result<Answered, Refusal> {
        let (keeper, doors) = (self.home.keeper().await, self.home.doors());
        let answered = roster::answer(&ask, &keeper, doors.as_deref()).await;
        answered.map_err(|failure| Refusal::from(&failure))
    }

    async fn carry(&self, carry: Carry, client: Client) {
        if self.instance.shutdown().is_draining() {
            return client.hand_back().await;
        }
        let Carry {
            entry,
            any_port,
            shown,
            metrics,
        } = carry;
        let metrics = metrics
            .map(|at| metrics::Bound::new(&at, Origin::Command, [&entry]))
            .transpose();
        let metrics = match metrics {
            Ok(metrics) => metrics,
            Err(failure) => return client.refuse(Refusal::from(&failure)).await,
        };
        let prepared = self.instance.prepare(entry, any_port, Origin::Command);
        let prepared = match prepared.await {
            Ok(prepared) => prepared,
            Err(failure) => return client.refuse(Refusal::from(&failure)).await,
        };
        let (entry, any_port) = prepared.to_be_remembered();
        self.home.remember(entry, any_port);
        let attached = client.carried(&prepared.entry.name).await;
        let asked = Asked {
            origin: Origin::Command,
            sink: Arc::new(attached.sink()),
            shown: Showing::new(shown),
            labelled: false,
        };
        match self.instance.commit(prepared, &asked).await {
            Ok(added) => {
                let _served = metrics.map(|bound| bound.serve(&self.instance, &asked));
                let looking = added.look_for_game();
                let process =
                    Narrator::of_process(Arc::clone(&asked.sink), Arc::clone(&asked.shown));
                tokio::join!(looking, self.attend(added, attached, &process));
            }
            Err(failure) => attached.end(Some(Refusal::from(&failure))).await,
        }
    }
}

impl Sink for control::Sink {
    fn data(&self, line: String) {
        self.line(Stream::Data, line);
    }

    fn log(&self, line: String) {
        self.line(Stream::Log, line);
    }
}
