//! An entry begins.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::{OwnedMutexGuard, oneshot};
use tokio::task::JoinSet;
use via6_relay::{
    Change, Ending, Listening, Policy, Relay, Running, Settings, Shutdown, Splicing, Totals, look,
};

use super::bound::{Bound, Held, local_address};
use super::linking::Linked;
use super::placing::place;
use super::{Carried, Instance};
use crate::announce::{announce, announce_invite, elsewhere, joining, look_for_game, moved};
use crate::args::Splice;
use crate::entry::{Entry, NAME_MAX, Origin, Protocols};
use crate::failure::Failure;
use crate::link::Link;
use crate::narrator::{Narrator, Showing, Sink};
use crate::sealed::{Joining, Opened};

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
    place: Place,
    any_port: bool,
    /// The port that it was to have, and that somebody else has.
    taken: Option<u16>,
    _one_at_a_time: OwnedMutexGuard<()>,
}

/// Where an entry is found.
pub(super) enum Place {
    Bound(Bound),
    /// On the port of the host, a new one if there was none.
    Shared(Option<Opened>),
    /// Where its games find it, as far as that is known; and where that is to be.
    Joined(Option<Bound>, SocketAddr),
}

impl Place {
    /// The address that it has now, if it is its own.
    fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Bound(bound) => Some(bound.addr),
            Self::Shared(opened) => opened.as_ref().map(|opened| opened.bound.addr),
            Self::Joined(..) => None,
        }
    }
}

impl Prepared {
    /// What is to be remembered of it, and whether any port would have done: then it is the one that it
    /// has, since that is in the game's own list of servers from now on.
    pub(crate) fn to_be_remembered(&self) -> (Entry, bool) {
        let mut entry = self.entry.clone();
        let Some(address) = self.place.address() else {
            return (entry, false);
        };
        let any_port = self.any_port || entry.listen.port == 0;
        if any_port {
            entry.listen.port = address.port();
        }
        (entry, any_port)
    }
}

/// An entry that has begun.
pub(crate) struct Added {
    /// What it is called: as it was asked to be, or with a number behind.
    pub(crate) name: String,
    serial: u64,
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
        let (place, taken) = match entry.link {
            Link::Open => {
                let (bound, taken) = self.bind(&entry, any_port, origin).await?;
                (Place::Bound(bound), taken)
            }
            Link::Shared(_) => match self.open_port(&entry, None, any_port, origin).await? {
                Some((opened, taken)) => (Place::Shared(Some(opened)), taken),
                None => (Place::Shared(None), None),
            },
            Link::Invited(_) => (self.place_to_join(&entry, origin).await?, None),
        };
        Ok(Prepared {
            entry,
            place,
            any_port,
            taken,
            _one_at_a_time: one_at_a_time,
        })
    }

    /// Listens for an entry, on another port than it was to have if that is somebody else's and does not
    /// matter. Returns the one that it was to have then.
    async fn bind(
        &self,
        entry: &Entry,
        any_port: bool,
        origin: Origin,
    ) -> Result<(Bound, Option<u16>), Failure> {
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
        let bound = bound.map_err(|error| Failure::bind(&error, &elsewhere(entry, origin)))?;
        Ok((bound, taken))
    }

    /// Listens where a sealed join was told to; else its games say where, once they are known.
    pub(super) async fn place_to_join(
        &self,
        entry: &Entry,
        origin: Origin,
    ) -> Result<Place, Failure> {
        let at = local_address(&entry.listen)?;
        if at.port() == 0 {
            return Ok(Place::Joined(None, at));
        }
        let held = self.free(|carried| !carried.running.is_draining()).await;
        let bound = Bound::new(at, Protocols::TCP, &held);
        let bound = bound.map_err(|error| Failure::bind(&error, &elsewhere(entry, origin)))?;
        Ok(Place::Joined(Some(bound), at))
    }

    /// Says where it is, and begins to relay.
    pub(crate) async fn commit(&self, prepared: Prepared, asked: &Asked) -> Result<Added, Failure> {
        let Prepared {
            entry,
            place: found,
            taken,
            ..
        } = prepared;
        let narrator = asked.narrator(&entry);
        if let Place::Bound(bound) = &found {
            announce(&entry, bound, &narrator);
        }
        if let (Some(port), Some(address)) = (taken, found.address()) {
            moved(&entry, port, address, &narrator);
        }
        let settings = settings(&entry);
        let (added, listeners) = self.begin_at(entry, found, asked.origin, narrator).await?;
        if listeners.is_empty() {
            return Ok(added);
        }
        let change = Change {
            relay: added.running.clone(),
            settings,
            listeners,
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

    /// Has the engine relay for an entry, which listens nowhere yet; with the listeners that it is to have. To
    /// be called while no other change is made.
    pub(super) async fn begin_at(
        &self,
        entry: Entry,
        found: Place,
        origin: Origin,
        narrator: Arc<Narrator>,
    ) -> Result<(Added, Vec<Listening>), Failure> {
        match found {
            Place::Bound(bound) => {
                let added = self.begin(entry, bound.without_listeners(), origin, narrator)?;
                Ok((added, bound.listeners))
            }
            Place::Shared(opened) => {
                let hosting = self.host_for(&entry, opened)?;
                let linked = Linked::Shared(Arc::clone(&hosting));
                let (shared, told) = (entry.clone(), Arc::clone(&narrator));
                let added = self.begin_linked(entry, Vec::new(), linked, origin, narrator)?;
                let offered = hosting.share(added.serial, &shared, added.running.clone());
                let invite = offered.and_then(|()| hosting.invite());
                let invite = invite.inspect_err(|_| added.running.shutdown().now())?;
                announce_invite(&shared, &hosting, &invite, &told);
                Ok((added, Vec::new()))
            }
            Place::Joined(bound, at) => {
                let Link::Invited(invited) = &entry.link else {
                    return Err(Failure::runtime("cannot join without an invite"));
                };
                let link = Joining::start(invited, at, &self.0.home, &narrator).await?;
                joining(&entry, &narrator);
                let held = bound.as_ref().map_or_else(Vec::new, Bound::held);
                let listeners = bound.map_or_else(Vec::new, |bound| bound.listeners);
                let linked = Linked::Joined(link);
                let added = self.begin_linked(entry, held, linked, origin, narrator)?;
                Ok((added, listeners))
            }
        }
    }

    /// Has the engine relay for an entry with an open link. To be called while no other change is made.
    pub(crate) fn begin(
        &self,
        entry: Entry,
        bound: Bound,
        origin: Origin,
        narrator: Arc<Narrator>,
    ) -> Result<Added, Failure> {
        let held = bound.held();
        let relay = self.relay(&entry, bound.listeners, &narrator);
        let begun = relay.start(&self.0.shutdown);
        let (running, ending) = begun.map_err(|error| Failure::cannot_go_on(&error))?;
        let carried = self.carry(entry, (held, Linked::Open), origin, (running, narrator));
        Ok(self.add(carried, ending))
    }

    /// The same for one with a sealed link, which listens nowhere yet.
    fn begin_linked(
        &self,
        entry: Entry,
        held: Vec<Held>,
        linked: Linked,
        origin: Origin,
        narrator: Arc<Narrator>,
    ) -> Result<Added, Failure> {
        let relay = self.relay(&entry, Vec::new(), &narrator);
        let begun = match &linked {
            Linked::Joined(joining) => relay.start_to(joining.way(), &self.0.shutdown),
            Linked::Open | Linked::Shared(_) => relay.start(&self.0.shutdown),
        };
        let (running, ending) = begun.map_err(|error| Failure::cannot_go_on(&error))?;
        let carried = self.carry(entry, (held, linked), origin, (running, narrator));
        Ok(self.add(carried, ending))
    }

    fn relay(&self, entry: &Entry, listeners: Vec<Listening>, narrator: &Arc<Narrator>) -> Relay {
        Relay {
            listeners,
            settings: settings(entry),
            engine: self.0.engine.clone(),
            policy: Policy::default(),
            descriptors: self.0.descriptors.clone(),
            observer: Arc::clone(narrator) as _,
        }
    }

    fn carry(
        &self,
        entry: Entry,
        (held, linked): (Vec<Held>, Linked),
        origin: Origin,
        (running, narrator): (Running, Arc<Narrator>),
    ) -> Carried {
        Carried {
            serial: self.next_serial(),
            entry,
            origin,
            running,
            narrator,
            held,
            linked,
            before: Totals::default(),
        }
    }

    fn add(&self, carried: Carried, ending: Ending) -> Added {
        let ended = self.watch(&carried, ending);
        let added = Added {
            name: carried.entry.name.clone(),
            serial: carried.serial,
            running: carried.running.clone(),
            ended,
            host: (carried.entry.clone(), Arc::clone(&carried.narrator)),
        };
        self.carried().push(carried);
        added
    }

    /// The listeners of this process but for those that the relays keep which `keeps` names.
    pub(super) async fn free(&self, keeps: impl Fn(&Carried) -> bool) -> Vec<Held> {
        let kept = self.listeners_of(keeps).await;
        let mut all = self.0.engine.listeners().await;
        // That of the host belongs to all of its games.
        let host = self.hosting().map(|hosting| hosting.listener());
        all.retain(|held| !kept.contains(held) && Some(held.1) != host);
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
pub(super) fn is_taken(kind: ErrorKind) -> bool {
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
