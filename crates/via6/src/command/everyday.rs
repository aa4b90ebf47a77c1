//! `host`, `join` and `relay`: one entry, until Ctrl-C. The via6 that runs already carries it, if there
//! is one; else this process does, for itself and for those that come after it. Whoever carries it, it
//! looks the same here, and it goes on when the other one ends.

use std::sync::Arc;

use serde_json::json;
use tokio::time::{Instant, sleep};
use via6_core::addr::Listen;
use via6_core::limits::{
    CONTROL_PATIENCE, CONTROL_REPLY_TIME, CONTROL_RETRY, DRAIN_TIMEOUT, STOP_MARGIN,
};
use via6_relay::Shutdown;

use super::alongside::{alongside, without_folder};
use crate::args::{Place, Shown};
use crate::control::{
    Carry, Claim, Connection, Refusal, Stream, Told, Unreachable, claim, connect,
};
use crate::entry::{Entry, Origin};
use crate::failure::Failure;
use crate::instance::{Asked, Instance};
use crate::metrics;
use crate::narrator::{Narrator, Role, Showing, Sink};
use crate::output::Output;
use crate::state::{Folder, Home, Lock};
use crate::status::Status;
use crate::stop::Stop;
use crate::view::Screen;

/// What is to be done, and how it is to be told of.
pub(super) struct Everyday<'a> {
    pub(super) entry: Entry,
    /// Its port is only one that was free the last time: where it is taken, another one does.
    pub(super) any_port: bool,
    pub(super) metrics: Option<Listen>,
    pub(super) shown: Shown,
    pub(super) place: &'a Place,
    pub(super) output: &'a Arc<Output>,
}

/// What comes after another via6 has been asked.
enum Then {
    /// It carried the work to its end.
    Done(Result<(), Failure>),
    /// It is about to end, and has not begun: the work is to be claimed anew.
    Again,
    /// It has carried the work, and ends: the same.
    HandedBack,
    /// It has no room, at least for the moment.
    Busy(Refusal),
    /// It cannot be talked with.
    Alone(Unreachable),
}

impl Everyday<'_> {
    pub(super) async fn run(self, stop: Stop) -> Result<(), Failure> {
        let wish = Shutdown::new();
        tokio::select! {
            outcome = self.carry_out(&wish) => outcome,
            never = stop.watch(&wish) => match never {},
        }
    }

    async fn carry_out(&self, wish: &Shutdown) -> Result<(), Failure> {
        let folder = match Folder::open(self.place.state.as_deref()) {
            Ok(folder) => folder,
            Err(trouble) => {
                without_folder(&trouble, &self.narrator());
                return self.carry_here(None, wish).await;
            }
        };
        // One that ends keeps the lock until its sessions have.
        let mut until = None;
        let mut room_until = None;
        while !wish.is_draining() {
            let claimed = tokio::select! {
                claimed = claim(&folder) => claimed,
                () = wish.draining() => break,
            };
            let connection = match claimed {
                Ok(Claim::Ours(lock)) => {
                    return self.carry_here(Some((&folder, Arc::new(lock))), wish).await;
                }
                Ok(Claim::Theirs(connection)) => connection,
                Err(trouble) => {
                    without_folder(&trouble, &self.narrator());
                    return self.carry_here(None, wish).await;
                }
            };
            match self.hand_over(&folder, connection, wish).await {
                Then::Done(outcome) => return outcome,
                Then::Again => {
                    let patience = DRAIN_TIMEOUT + STOP_MARGIN;
                    let until = *until.get_or_insert_with(|| Instant::now() + patience);
                    if Instant::now() >= until {
                        return self.carry_here(None, wish).await;
                    }
                    sleep(CONTROL_RETRY).await;
                }
                // Maybe hours later: what was waited for before is over.
                Then::HandedBack => (until, room_until) = (None, None),
                Then::Busy(refusal) => {
                    let until =
                        *room_until.get_or_insert_with(|| Instant::now() + CONTROL_PATIENCE);
                    if Instant::now() >= until {
                        return self.carry_alone(&refusal.message, wish).await;
                    }
                    sleep(CONTROL_RETRY).await;
                }
                Then::Alone(error) => return self.carry_alone(&error.to_string(), wish).await,
            }
        }
        Ok(())
    }

    /// Carries it beside another via6.
    async fn carry_alone(&self, why: &str, wish: &Shutdown) -> Result<(), Failure> {
        let text = format!("{why}; this one runs beside it, unknown to `via6 status`");
        self.narrator().warn("control-unavailable", &text);
        self.carry_here(None, wish).await
    }

    /// Has the other via6 carry it, and tells what that tells.
    async fn hand_over(&self, folder: &Folder, connection: Connection, wish: &Shutdown) -> Then {
        let carry = Carry {
            entry: self.entry.clone(),
            any_port: self.any_port,
            shown: self.shown,
            metrics: self.metrics.clone(),
        };
        let answer = tokio::select! {
            answer = connection.carry(carry) => answer,
            // The other side sees that nobody waits for it any more.
            () = wish.draining() => return Then::Done(Ok(())),
        };
        let mut carried = match answer {
            Ok(carried) => carried,
            Err(Unreachable::Refused(refusal)) if refusal.busy => return Then::Busy(refusal),
            Err(Unreachable::Refused(refusal)) => return Then::Done(Err(refusal.into())),
            Err(Unreachable::Ending | Unreachable::Gone) => return Then::Again,
            Err(error) => return Then::Alone(error),
        };
        let narrator = self.narrator();
        let (pid, name) = (carried.pid(), carried.name().to_owned());
        narrator.emit(json!({ "event": "handed_over", "pid": pid, "as": name }));
        narrator.say(&format!(
            "The via6 that runs already (process {pid}) carries this as well, as {name}.\n\
             Press Ctrl-C to stop this one alone."
        ));
        let screen = Screen::of(self.output);
        let mut viewing = std::pin::pin!(async {
            match screen {
                Some(screen) => screen.run(async || status_there(folder, &name).await).await,
                None => std::future::pending().await,
            }
        });
        let (mut drains, mut ends) = (false, false);
        loop {
            let told = tokio::select! {
                told = carried.next() => told,
                never = &mut viewing => match never {},
                () = wish.draining(), if !drains => {
                    drains = true;
                    carried.drain().await;
                    continue;
                }
                () = wish.ending(), if !ends => {
                    ends = true;
                    carried.now().await;
                    continue;
                }
                // It was told to end at once, and says nothing.
                () = sleep(CONTROL_REPLY_TIME), if ends => return Then::Done(Ok(())),
            };
            match told {
                Ok(Told::Line(Stream::Data, line)) => self.output.data(line),
                Ok(Told::Line(Stream::Log, line)) => self.output.log(line),
                Ok(Told::Missed(lines)) => self.output.missed(lines),
                Ok(Told::Ended(None)) => return Then::Done(Ok(())),
                Ok(Told::Ended(Some(refusal))) => return Then::Done(Err(refusal.into())),
                // Whoever wanted the end has it.
                Ok(Told::HandedBack) | Err(_) if drains => return Then::Done(Ok(())),
                Ok(Told::HandedBack) | Err(_) => {
                    narrator.emit(json!({ "event": "handed_back", "pid": pid }));
                    narrator.say(&format!(
                        "The via6 that carried this (process {pid}) ends; this one goes on with it."
                    ));
                    return Then::HandedBack;
                }
            }
        }
    }

    /// Carries it, and what others hand over meanwhile.
    async fn carry_here(
        &self,
        held: Option<(&Folder, Arc<Lock>)>,
        wish: &Shutdown,
    ) -> Result<(), Failure> {
        let process = Arc::new(self.narrator());
        let home = Home::open(held, Arc::clone(&process));
        let instance = Instance::start(wish, Arc::clone(&home))?;
        // Before anything is announced that would then not come about.
        let metrics = self.metrics.as_ref();
        let metrics = metrics
            .map(|at| metrics::Bound::new(at, Origin::Command, [&self.entry]))
            .transpose()?;
        let asked = Asked {
            origin: Origin::Command,
            sink: Arc::clone(self.output) as Arc<dyn Sink>,
            shown: Showing::new(self.shown),
            labelled: false,
        };
        let carried = async {
            let outcome = self.carry_one(&instance, &home, metrics, &asked).await;
            // Be it a failure: others may have handed work over meanwhile, and get it back.
            instance.close().await;
            outcome
        };
        let screen = Screen::of(self.output);
        alongside(&instance, &home, &process, screen, carried).await
    }

    /// Carries it to its own end.
    async fn carry_one(
        &self,
        instance: &Instance,
        home: &Home,
        metrics: Option<metrics::Bound>,
        asked: &Asked,
    ) -> Result<(), Failure> {
        let entry = self.entry.clone();
        let prepared = instance
            .prepare(entry, self.any_port, Origin::Command)
            .await?;
        let (entry, any_port) = prepared.to_be_remembered();
        home.remember(entry, any_port);
        let added = instance.commit(prepared, asked).await?;
        added.look_for_game().await;
        let _served = metrics.map(|bound| bound.serve(instance, asked));
        if self.entry.role != Role::Relay {
            self.narrator().say("Press Ctrl-C to stop.");
        }
        // Its end is told before the sender goes.
        added.ended.await.unwrap_or(Ok(()))
    }

    /// For what concerns no relay.
    fn narrator(&self) -> Narrator {
        let sink = Arc::clone(self.output) as Arc<dyn Sink>;
        Narrator::of_process(sink, Showing::new(self.shown))
    }
}

/// How the relay of this name is, which the via6 that runs carries; nothing, if that does not say.
async fn status_there(folder: &Folder, name: &str) -> Status {
    let asked = async { connect(folder).await?.status().await };
    let mut status = asked
        .await
        .unwrap_or_else(|_: Unreachable| Status::default());
    status.entries.retain(|entry| entry.name == name);
    status
}
