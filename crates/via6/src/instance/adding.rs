//! An entry begins.

use std::io::ErrorKind;
use std::sync::Arc;

use tokio::sync::{OwnedMutexGuard, oneshot};
use tokio::task::JoinSet;
use via6_relay::{Change, Policy, Relay, Running, Settings, Shutdown, Splicing, Totals, look};

use super::bound::{Bound, Held, local_address};
use super::placing::place;
use super::{Carried, Instance};
use crate::announce::{announce, elsewhere, look_for_game, moved};
use crate::args::Splice;
use crate::entry::{Entry, NAME_MAX, Origin};
use crate::failure::Failure;
use crate::narrator::{Narrator, Showing, Sink};

/// Who asked for an entry, and how it is to be told of.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) origin: Origin,
    pub(crate) sink: Arc<dyn Sink>,
    pub(crate) shown: Arc<Showing>,
    /// There are several: each line says whose it is.
    pub(crate) labelled: bool,
}

impl Asked {
    pub(crate) fn narrator(&self, entry: &Entry) -> Arc<Narrator> {
        let sink = Arc::clone(&self.sink);
        let narrator = Narrator::new(sink, Arc::clone(&self.shown), &entry.name, entry.role);
        Arc::new(if self.labelled {
            narrator.labelled()
        } else {
            narrator
        })
    }
}

/// An entry that has its listeners, and nothing else yet.
pub(crate) struct Prepared {
    pub(crate) entry: Entry,
    bound: Bound,
    any_port: bool,
    /// The port that it was to have, and that somebody else has.
    taken: Option<u16>,
    _one_at_a_time: OwnedMutexGuard<()>,
}

impl Prepared {
    /// What is to be remembered of it, and whether any port would have done: then it is the one that it
    /// has, since that is in the game's own list of servers from now on.
    pub(crate) fn to_be_remembered(&self) -> (Entry, bool) {
        let mut entry = self.entry.clone();
        let any_port = self.any_port || entry.listen.port == 0;
        if any_port {
            entry.listen.port = self.bound.addr.port();
        }
        (entry, any_port)
    }
}

/// An entry that has begun.
pub(crate) struct Added {
    /// What it is called: as it was asked to be, or with a number behind.
    pub(crate) name: String,
    pub(crate) running: Running,
    /// How it ended.
    pub(crate) ended: oneshot::Receiver<Result<(), Failure>>,
    host: Host,
}

/// Whose game is to be looked for.
pub(super) type Host = (Entry, Arc<Narrator>);

impl Added {
    /// Tells whether its game is there; or nothing, if it ends before. Nothing else may have to wait
    /// for that.
    pub(crate) fn look_for_game(&self) -> impl Future<Output = ()> + use<> {
        let (host, shutdown) = (self.host.clone(), self.running.shutdown().clone());
        async move { look_for_games(vec![host], &shutdown).await }
    }
}

/// Tells whether these games are there, of all at once.
pub(super) async fn look_for_games(hosts: Vec<Host>, shutdown: &Shutdown) {
    let mut looks = JoinSet::new();
    for (entry, narrator) in hosts {
        looks.spawn(async move { look_for_game(&entry, &narrator).await });
    }
    tokio::select! {
        _ = looks.join_all() => {}
        () = shutdown.draining() => {}
    }
}

impl Instance {
    /// Makes sure that there can be a relay for an entry, beside those there are. It gets another name
    /// if its own is taken. If `any_port`, its port is only one that was free the last time: where
    /// somebody else has that now, another one does. Until [`commit`](Self::commit) no other change is
    /// made.
    pub(crate) async fn prepare(
        &self,
        mut entry: Entry,
        any_port: bool,
        origin: Origin,
    ) -> Result<Prepared, Failure> {
        let one_at_a_time = Arc::clone(&self.0.changing).lock_owned().await;
        entry.name = self.free_name(&entry.name);
        // Only what is kept for its last flows alone can be taken over.
        let held = self.free(|carried| !carried.running.is_draining()).await;
        let mut at = local_address(&entry.listen)?;
        let mut taken = None;
        let bound = match Bound::new(at, entry.carried, &held) {
            Err(error) if any_port && is_taken(error.source.kind()) => {
                taken = Some(at.port());
                at.set_port(0);
                Bound::new(at, entry.carried, &held)
            }
            result => result,
        };
        let bound = bound.map_err(|error| Failure::bind(&error, &elsewhere(&entry, origin)))?;
        Ok(Prepared {
            entry,
            bound,
            any_port,
            taken,
            _one_at_a_time: one_at_a_time,
        })
    }

    /// Says where it is, and begins to relay.
    pub(crate) async fn commit(&self, prepared: Prepared, asked: &Asked) -> Result<Added, Failure> {
        let Prepared {
            entry,
            bound,
            taken,
            ..
        } = prepared;
        let narrator = asked.narrator(&entry);
        announce(&entry, &bound, &narrator);
        if let Some(port) = taken {
            moved(&entry, port, &bound, &narrator);
        }
        let (nowhere, settings) = (bound.without_listeners(), settings(&entry));
        let added = self.begin(entry, nowhere, asked.origin, narrator)?;
        let change = Change {
            relay: added.running.clone(),
            settings,
            listeners: bound.listeners,
        };
        let lost = place(vec![change]).await;
        let lost = lost.inspect_err(|_| added.running.shutdown().now());
        let lost = lost.map_err(|error| Failure::cannot_go_on(&error))?;
        let Some((protocol, address)) = lost.first() else {
            return Ok(added);
        };
        added.running.shutdown().now();
        Err(Failure::runtime(format!(
            "cannot listen on {address} ({protocol}): somebody else has just taken it"
        )))
    }

    /// Has the engine relay for an entry. To be called while no other change is made.
    pub(crate) fn begin(
        &self,
        entry: Entry,
        bound: Bound,
        origin: Origin,
        narrator: Arc<Narrator>,
    ) -> Result<Added, Failure> {
        let held = bound.held();
        let relay = Relay {
            listeners: bound.listeners,
            settings: settings(&entry),
            engine: self.0.engine.clone(),
            policy: Policy::default(),
            descriptors: self.0.descriptors.clone(),
            observer: Arc::clone(&narrator) as _,
        };
        let (running, ending) = relay
            .start(&self.0.shutdown)
            .map_err(|error| Failure::cannot_go_on(&error))?;
        let carried = Carried {
            serial: self.next_serial(),
            entry,
            origin,
            running: running.clone(),
            narrator,
            held,
            before: Totals::default(),
        };
        let ended = self.watch(&carried, ending);
        let host = (carried.entry.clone(), Arc::clone(&carried.narrator));
        let name = carried.entry.name.clone();
        self.carried().push(carried);
        Ok(Added {
            name,
            running,
            ended,
            host,
        })
    }

    /// The listeners of this process but for those that the relays keep which `keeps` names.
    pub(super) async fn free(&self, keeps: impl Fn(&Carried) -> bool) -> Vec<Held> {
        let kept = self.listeners_of(keeps).await;
        let mut all = self.0.engine.listeners().await;
        all.retain(|held| !kept.contains(held));
        all
    }

    /// Where those relays listen that `which` names.
    pub(super) async fn listeners_of(&self, which: impl Fn(&Carried) -> bool) -> Vec<Held> {
        let those: Vec<_> = self
            .all()
            .into_iter()
            .filter(which)
            .map(|carried| carried.running)
            .collect();
        let looks = look(&those, 0).await;
        looks.into_iter().flat_map(|look| look.listeners).collect()
    }

    fn free_name(&self, wanted: &str) -> String {
        let carried = self.carried();
        let is_free = |name: &String| {
            let mut live = carried.iter().filter(|one| !one.running.is_draining());
            live.all(|one| one.entry.name != *name)
        };
        let numbered = (2..).map(|number| {
            let suffix = format!("-{number}");
            let kept = NAME_MAX.saturating_sub(suffix.len());
            wanted.chars().take(kept).collect::<String>() + &suffix
        });
        std::iter::once(wanted.to_owned())
            .chain(numbered)
            .find(is_free)
            .unwrap_or_else(|| wanted.to_owned())
    }
}

/// Windows says of a port that another program has for itself that it is not permitted
/// (`SO_EXCLUSIVEADDRUSE`).
fn is_taken(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::AddrInUse | ErrorKind::PermissionDenied)
}

/// What the library has to know of an entry.
pub(super) fn settings(entry: &Entry) -> Settings {
    Settings {
        upstream: entry.upstream.clone(),
        trusted: entry.trusted.clone(),
        splicing: match entry.splice {
            Splice::Auto => Splicing::Adaptive,
            Splice::Always => Splicing::Always,
            Splice::Never => Splicing::Never,
        },
    }
}
