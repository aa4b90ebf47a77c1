//! `via6 run`: what a file asks for, until Ctrl-C, and again whenever the file changes.
//!
//! ```text
//! the file has changed ─┐
//! SIGHUP ───────────────┴─▶ read ─▶ Instance::apply ─▶ said what came of it
//!                            └─ a mistake ────▶ said, and all stays as it is
//! ```

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;
use tokio::task::JoinSet;
use via6_relay::Shutdown;

use super::alongside::{alongside, without_folder};
use crate::args::{Args, Place, Run as Typed};
use crate::config::{self, Overrides, Resolved};
use crate::control::{Claim, claim};
use crate::entry::{Entry, Origin};
use crate::failure::Failure;
use crate::instance::{Added, Applied, Asked, Instance};
use crate::metrics::{self, Served};
use crate::narrator::{Narrator, Showing, Sink};
use crate::output::Output;
use crate::reading::Sources;
use crate::state::{Folder, Home, Lock};
use crate::stop::{Hangup, Stop};
use crate::view::Screen;
use crate::watch::{Watch, whole};

/// A file that is carried out.
pub(super) struct Run<'a> {
    file: PathBuf,
    over: Overrides,
    place: &'a Place,
    output: &'a Arc<Output>,
}

/// It, while it runs.
struct Running<'a> {
    run: &'a Run<'a>,
    instance: &'a Instance,
    asked: Asked,
    process: Arc<Narrator>,
    /// What the file says, as far as it was carried out.
    now: Resolved,
    /// The metrics that it asks for.
    served: Option<Served>,
    /// Relays of the file that have not ended.
    endings: JoinSet<(String, Result<(), Failure>)>,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        typed: &Typed,
        args: &'a Args,
        sources: &Sources,
        output: &'a Arc<Output>,
    ) -> Result<Self, Failure> {
        Ok(Self {
            file: typed.file.path.clone(),
            over: Overrides::of(typed, args.shown, sources)?,
            place: &args.place,
            output,
        })
    }

    pub(super) async fn run(self) -> Result<(), Failure> {
        let cannot = |error| Failure::cannot_go_on(&error);
        let stop = Stop::but_hangup().map_err(cannot)?;
        let hangup = Hangup::listen().map_err(cannot)?;
        // Before it is read: what changes after that is to be noticed.
        let watch = Watch::new(self.file.clone()).await;
        let resolved = self.read().await?;
        let wish = Shutdown::new();
        tokio::select! {
            outcome = self.carry_out(resolved, watch, hangup, &wish) => outcome,
            never = stop.watch(&wish) => match never {},
        }
    }

    /// The file as it is now.
    async fn read(&self) -> Result<Resolved, Failure> {
        let (file, over) = (self.file.clone(), self.over.clone());
        // A file on another computer may take its time.
        let reading = tokio::task::spawn_blocking(move || {
            whole(&file, || config::load(&file))?.resolve(over)
        });
        reading
            .await
            .map_err(|error| Failure::runtime(format!("cannot read the file: {error}")))?
    }

    async fn carry_out(
        &self,
        resolved: Resolved,
        watch: Watch,
        hangup: Hangup,
        wish: &Shutdown,
    ) -> Result<(), Failure> {
        let shown = Showing::new(resolved.shown());
        let sink = Arc::clone(self.output) as Arc<dyn Sink>;
        let process = Arc::new(Narrator::of_process(Arc::clone(&sink), Arc::clone(&shown)));
        let held = tokio::select! {
            held = self.claim(&process) => held?,
            () = wish.draining() => return Ok(()),
        };
        let home = Home::open(
            held.as_ref()
                .map(|(folder, lock)| (folder, Arc::clone(lock))),
            Arc::clone(&process),
        );
        let instance = Instance::start(wish, Arc::clone(&home))?;
        let mut running = Running {
            run: self,
            instance: &instance,
            asked: Asked {
                origin: Origin::File,
                sink,
                shown,
                labelled: true,
            },
            process: Arc::clone(&process),
            now: resolved,
            served: None,
            endings: JoinSet::new(),
        };
        let carried = async {
            let outcome = running.carry(watch, hangup, wish).await;
            // Be it a failure: others may have handed work over meanwhile, and get it back.
            instance.close().await;
            outcome
        };
        let screen = Screen::of(self.output);
        alongside(&instance, &home, &process, screen, carried).await
    }

    /// The state folder, which no other via6 may have: two of them would not know of each other's
    /// relays.
    async fn claim(&self, process: &Narrator) -> Result<Option<(Folder, Arc<Lock>)>, Failure> {
        let troubled = |trouble: crate::state::Trouble| {
            without_folder(&trouble, process);
            Ok(None)
        };
        let folder = match Folder::open(self.place.state.as_deref()) {
            Ok(folder) => folder,
            Err(trouble) => return troubled(trouble),
        };
        match claim(&folder).await {
            Ok(Claim::Ours(lock)) => Ok(Some((folder, Arc::new(lock)))),
            Ok(Claim::Theirs(connection)) => {
                let holder = connection.holder();
                let who =
                    holder.map_or(String::new(), |holder| format!(" (process {})", holder.pid));
                Err(Failure::runtime(format!(
                    "cannot run {}: another via6{who} is running already",
                    self.file.display()
                ))
                .detail(format!(
                    "it has the state folder {}",
                    folder.path().display()
                ))
                .hint(format!(
                    "stop it with `via6 stop`, or give this one a folder of its own: \
                     via6 run --state DIR {}",
                    self.file.display()
                )))
            }
            Err(trouble) => troubled(trouble),
        }
    }
}

impl Running<'_> {
    async fn carry(
        &mut self,
        mut watch: Watch,
        mut hangup: Hangup,
        wish: &Shutdown,
    ) -> Result<(), Failure> {
        let entries: Vec<_> = self.now.entries().cloned().collect();
        let metrics = bound(&self.now)?;
        let applied = self.instance.apply(&entries, &self.asked).await;
        let applied = applied.map_err(|failures| self.first_of(failures))?;
        self.attend(applied.added);
        self.serve(metrics);
        self.process.say(&format!(
            "\nRunning {} of {}; edit it to change them. Press Ctrl-C to stop.",
            self.now.count(),
            &self.now.file
        ));
        let mut failed = Vec::new();
        while !self.endings.is_empty() {
            tokio::select! {
                () = wish.draining() => break,
                () = watch.changed() => self.reload_unless(wish, false).await,
                closed = hangup.next() => {
                    if closed {
                        wish.now();
                    } else {
                        self.reload_unless(wish, true).await;
                    }
                }
                Some(Ok((name, outcome))) = self.endings.join_next() => {
                    if let Err(failure) = outcome {
                        self.process.fail(&format!("{name}: "), &failure);
                        failed.push(name);
                    }
                }
            }
        }
        if failed.is_empty() {
            return Ok(());
        }
        let names = failed.join(", ");
        Err(Failure::runtime(format!(
            "{names} could not go on, for the reason above"
        )))
    }

    /// The same, unless everything is to stop: a file far away may keep it waiting.
    async fn reload_unless(&mut self, wish: &Shutdown, asked_for: bool) {
        tokio::select! {
            () = self.reload(asked_for) => {}
            () = wish.draining() => {}
        }
    }

    /// Reads the file, and makes it so; or says why that cannot be, and all stays as it is.
    async fn reload(&mut self, asked_for: bool) {
        let resolved = match self.run.read().await {
            Ok(resolved) => resolved,
            Err(failure) => return self.stays(&[failure]),
        };
        let entries: Vec<Entry> = resolved.entries().cloned().collect();
        let has_moved = resolved.metrics() != self.now.metrics();
        let metrics = match has_moved.then(|| bound(&resolved)).transpose() {
            Ok(metrics) => metrics,
            Err(failure) => return self.stays(&[failure]),
        };
        match self.instance.apply(&entries, &self.asked).await {
            Ok(applied) => {
                self.asked.shown.set(resolved.shown());
                self.now = resolved;
                self.tell(&applied, asked_for);
                self.attend(applied.added);
                if let Some(metrics) = metrics {
                    self.serve(metrics);
                }
            }
            Err(failures) => self.stays(&failures),
        }
    }

    fn serve(&mut self, metrics: Option<metrics::Bound>) {
        self.served = metrics.map(|bound| bound.serve(self.instance, &self.asked));
    }

    fn stays(&self, failures: &[Failure]) {
        for failure in failures {
            self.process.fail("", failure);
        }
        let file = &self.now.file;
        self.process
            .emit(json!({ "event": "reload_failed", "file": file }));
        self.process
            .log(&format!("{file} was not taken over: all goes on as it was"));
    }

    fn tell(&self, applied: &Applied, asked_for: bool) {
        let Applied {
            changed,
            removed,
            unchanged,
            missing,
            ..
        } = applied;
        let added: Vec<_> = applied.added.iter().map(|one| one.name.clone()).collect();
        for (protocol, address) in missing {
            let text = format!("cannot go on listening on {address} ({protocol}): it has ended");
            self.process.warn("listener-ended", &text);
        }
        if added.is_empty() && changed.is_empty() && removed.is_empty() && !asked_for {
            // A comment, say.
            return;
        }
        let file = &self.now.file;
        self.process.emit(json!({
            "event": "reloaded", "file": file, "added": added, "changed": changed,
            "removed": removed, "unchanged": unchanged,
        }));
        let of = |what: &str, names: &[String]| {
            (!names.is_empty()).then(|| format!("{what} {}", names.join(", ")))
        };
        let parts = [
            of("added", &added),
            of("changed", changed),
            of("removed", removed),
            (*unchanged > 0).then(|| format!("{unchanged} as before")),
        ];
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        self.process
            .say(&format!("{file} was read again: {}", parts.join("; ")));
    }

    fn attend(&mut self, added: Vec<Added>) {
        for Added { name, ended, .. } in added {
            self.endings.spawn(async move {
                // Its end is told before the sender goes.
                (name, ended.await.unwrap_or(Ok(())))
            });
        }
    }

    /// The one to end with; the others are told.
    fn first_of(&self, failures: Vec<Failure>) -> Failure {
        let mut failures = failures.into_iter();
        let first = failures.next();
        for failure in failures {
            self.process.fail("", &failure);
        }
        first.unwrap_or_else(|| Failure::runtime("cannot run the file"))
    }
}

/// Listens for the metrics that are asked for, if any are.
fn bound(resolved: &Resolved) -> Result<Option<metrics::Bound>, Failure> {
    let at = resolved.metrics();
    at.map(|at| metrics::Bound::new(at, Origin::File, resolved.entries()))
        .transpose()
}
