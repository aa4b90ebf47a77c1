//! The file says anew what is to be there: what is as before is not touched, what is new or changed is
//! bound before anything is given up, and if any of it fails nothing has happened.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;

use via6_core::limits::RETIRE_TIMEOUT;
use via6_relay::{Change, Protocol};

use super::adding::{Host, Place, look_for_games, settings};
use super::bound::{Bound, Held, local_address};
use super::linking::Linked;
use super::placing::place;
use super::{Added, Asked, Carried, Instance};
use crate::announce::{announce, elsewhere};
use crate::entry::{Entry, Origin, Protocols};
use crate::failure::Failure;
use crate::link::Link;
use crate::narrator::Narrator;

/// What came of a reload, by name.
#[derive(Default)]
pub(crate) struct Applied {
    pub(crate) added: Vec<Added>,
    pub(crate) changed: Vec<String>,
    pub(crate) removed: Vec<String>,
    pub(crate) unchanged: usize,
    /// Listeners that were to stay and have ended meanwhile.
    pub(crate) missing: Vec<Held>,
}

/// What is to be done for one entry of the file.
enum Step {
    /// Nothing.
    Keep,
    /// The relay that there is is to be so, and to listen there.
    Change(Box<Carried>, Bound),
    /// There is none yet.
    Begin(Box<Place>),
}

/// What is to be told of an entry that is new or has changed, and where it is found.
type News<'a> = (&'a Entry, Bound, Arc<Narrator>);

impl Instance {
    /// Makes the entries of the file be these. Entries are matched by name and role; what other
    /// via6 processes have handed over stays. After an error everything is as it was.
    pub(crate) async fn apply(
        &self,
        wanted: &[Entry],
        asked: &Asked,
    ) -> Result<Applied, Vec<Failure>> {
        let one_at_a_time = self.0.changing.lock().await;
        let steps = self.plan(wanted).await?;
        let one = |failure| vec![failure];
        let carried_out = self.carry_out(wanted, steps, asked).await;
        let (applied, hosts) = carried_out.map_err(one)?;
        drop(one_at_a_time);
        look_for_games(hosts, self.shutdown()).await;
        Ok(applied)
    }

    /// Decides what is to be done, and binds what is new.
    async fn plan(&self, wanted: &[Entry]) -> Result<Vec<Step>, Vec<Failure>> {
        let is_theirs =
            |carried: &Carried| carried.origin == Origin::Command && !carried.running.is_draining();
        let free = self.free(is_theirs).await;
        let theirs = self.listeners_of(is_theirs).await;
        let current = self.of_file();
        let (mut steps, mut failures) = (Vec::new(), Vec::new());
        // The first of those that are shared by invite: its port is that of all.
        let mut host: Option<&Entry> = None;
        let find = |entry: &Entry| current.iter().find(|one| is_same(&one.entry, entry));
        let kept: Vec<_> = wanted
            .iter()
            .map(|entry| find(entry).map_or_else(Vec::new, |there| kept(entry, there)))
            .collect();
        for (at, entry) in wanted.iter().enumerate() {
            let there = find(entry);
            if there.is_some_and(|carried| carried.entry == *entry) {
                steps.push(Step::Keep);
                continue;
            }
            // The port of one that asked for any is known to nobody else.
            let others = kept.iter().enumerate().filter(|(of, _)| *of != at);
            let others: Vec<_> = others.flat_map(|(_, held)| held).collect();
            let mut free = free.clone();
            free.retain(|held| !others.contains(&held));
            let step = match &entry.link {
                Link::Open => self.step(entry, there, &free, &theirs),
                Link::Shared(_) => self.step_of_host(entry, there, host).await,
                Link::Invited(_) => {
                    let place = self.place_to_join(entry, Origin::File).await;
                    place.map(|place| Step::Begin(Box::new(place)))
                }
            };
            match step {
                Ok(step) => steps.push(step),
                Err(failure) => failures.push(failure),
            }
            if matches!(entry.link, Link::Shared(_)) {
                host = host.or(Some(entry));
            }
        }
        if failures.is_empty() {
            Ok(steps)
        } else {
            Err(failures)
        }
    }

    /// What is to be done for an entry with an open link.
    fn step(
        &self,
        entry: &Entry,
        there: Option<&Carried>,
        free: &[Held],
        theirs: &[Held],
    ) -> Result<Step, Failure> {
        let host = self.hosting().map(|hosting| hosting.listener());
        let bound = bind(entry, there, free, (theirs, host))?;
        Ok(match there {
            Some(carried) => Step::Change(Box::new(carried.clone()), bound),
            None => Step::Begin(Box::new(Place::Bound(bound))),
        })
    }

    /// The same for a game that is shared by invite. `host`: one before it in the file.
    async fn step_of_host(
        &self,
        entry: &Entry,
        there: Option<&Carried>,
        host: Option<&Entry>,
    ) -> Result<Step, Failure> {
        let opened = self.open_port(entry, host, false, Origin::File).await?;
        let opened = opened.map(|(opened, _)| opened);
        let (Some(there), Some(hosting)) = (there, self.hosting()) else {
            return Ok(Step::Begin(Box::new(Place::Shared(opened))));
        };
        let bound = Bound {
            addr: hosting.listener(),
            carried: Protocols::TCP,
            listeners: Vec::new(),
        };
        Ok(Step::Change(Box::new(there.clone()), bound))
    }

    async fn carry_out(
        &self,
        wanted: &[Entry],
        steps: Vec<Step>,
        asked: &Asked,
    ) -> Result<(Applied, Vec<Host>), Failure> {
        let mut applied = Applied::default();
        let (mut changes, mut news_of) = (Vec::new(), Vec::<News<'_>>::new());
        let (mut offered, mut hosts) = (Vec::new(), Vec::new());
        let removed = self.of_file().into_iter();
        let removed: Vec<_> = removed
            .filter(|carried| !wanted.iter().any(|entry| is_same(&carried.entry, entry)))
            .collect();
        for carried in &removed {
            changes.push(Change {
                relay: carried.running.clone(),
                settings: carried.running.settings(),
                listeners: Vec::new(),
            });
        }
        let mut updates = Vec::new();
        for (entry, step) in wanted.iter().zip(steps) {
            let (bound, relay) = match step {
                Step::Keep => {
                    applied.unchanged += 1;
                    continue;
                }
                Step::Change(carried, bound) => {
                    applied.changed.push(entry.name.clone());
                    if let Linked::Shared(hosting) = &carried.linked {
                        updates.push((carried.serial, entry.clone(), Vec::new()));
                        offered.push((Arc::clone(hosting), carried.clone(), entry));
                    } else {
                        updates.push((carried.serial, entry.clone(), bound.held()));
                    }
                    if !says_the_same(&carried.entry, entry) {
                        news_of.push((
                            entry,
                            bound.without_listeners(),
                            Arc::clone(&carried.narrator),
                        ));
                    }
                    (bound, carried.running)
                }
                Step::Begin(place) => {
                    let narrator = asked.narrator(entry);
                    let news = match &*place {
                        Place::Bound(bound) => Some(bound.without_listeners()),
                        // Those tell of themselves.
                        Place::Shared(_) | Place::Joined(..) => None,
                    };
                    let told = Arc::clone(&narrator);
                    let begun = self.begin_at(entry.clone(), *place, asked.origin, narrator);
                    let begun = begun.await.inspect_err(|_| take_back(&applied));
                    let (added, listeners) = begun?;
                    let relay = added.running.clone();
                    match news {
                        Some(bound) => news_of.push((entry, bound, told)),
                        None => hosts.push((entry.clone(), told)),
                    }
                    applied.added.push(added);
                    changes.push(Change {
                        relay,
                        settings: settings(entry),
                        listeners,
                    });
                    continue;
                }
            };
            changes.push(Change {
                relay,
                settings: settings(entry),
                listeners: bound.listeners,
            });
        }
        let settled = place(changes).await;
        applied.missing = settled
            .inspect_err(|_| take_back(&applied))
            .map_err(|error| Failure::cannot_go_on(&error))?;
        self.note(updates);
        for carried in removed {
            carried.running.retire(RETIRE_TIMEOUT);
            applied.removed.push(carried.entry.name);
        }
        for (hosting, carried, entry) in offered {
            // Another port, or another name: friends see it as another game.
            hosting.withdraw(carried.serial);
            hosting.share(carried.serial, entry, carried.running)?;
        }
        for (entry, bound, narrator) in news_of {
            announce(entry, &bound, &narrator);
            hosts.push((entry.clone(), narrator));
        }
        Ok((applied, hosts))
    }

    /// The live entries of the file.
    fn of_file(&self) -> Vec<Carried> {
        let mut all = self.all();
        all.retain(|carried| carried.origin == Origin::File && !carried.running.is_draining());
        all
    }

    fn note(&self, updates: Vec<(u64, Entry, Vec<Held>)>) {
        let mut carried = self.carried();
        for (serial, entry, held) in updates {
            if let Some(one) = carried.iter_mut().find(|one| one.serial == serial) {
                (one.entry, one.held) = (entry, held);
            }
        }
    }
}

/// Whether they are the same entry, be it changed. The link of a join cannot be: it is another one then.
fn is_same(one: &Entry, other: &Entry) -> bool {
    let is_named = one.name == other.name && one.role == other.role;
    is_named
        && match (&one.link, &other.link) {
            (Link::Open, Link::Open) | (Link::Shared(_), Link::Shared(_)) => true,
            (Link::Invited(_), Link::Invited(_)) => one == other,
            _ => false,
        }
}

/// What an entry has already and keeps.
fn kept(entry: &Entry, there: &Carried) -> Vec<Held> {
    let mut kept = there.held.clone();
    kept.retain(|(protocol, _)| match protocol {
        Protocol::Tcp => entry.carried.tcp,
        Protocol::Udp => entry.carried.udp,
    });
    if entry.listen != there.entry.listen {
        kept.clear();
    }
    kept
}

/// Nothing has changed that was announced.
fn says_the_same(one: &Entry, other: &Entry) -> bool {
    (&one.listen, &one.upstream, one.carried) == (&other.listen, &other.upstream, other.carried)
}

/// Has the listeners that an entry is to have: bound, or taken over from a relay of the file.
fn bind(
    entry: &Entry,
    there: Option<&Carried>,
    free: &[Held],
    (theirs, host): (&[Held], Option<SocketAddr>),
) -> Result<Bound, Failure> {
    let mut at = local_address(&entry.listen)?;
    // Any port, and there is one already.
    if let Some(there) = there.filter(|there| there.entry.listen == entry.listen)
        && let Some((_, held)) = there.held.first()
    {
        at = *held;
    }
    Bound::new(at, entry.carried, free).map_err(|error| {
        if theirs.iter().any(|(_, address)| *address == at) {
            return Failure::runtime(error.to_string())
                .detail("this via6 carries it for another one, which was started with a command")
                .hint(format!("pick another: {}", elsewhere(entry, Origin::File)));
        }
        // To change over without a moment in which nobody is there, both would have to be.
        let of_protocol = |(protocol, _): &&Held| protocol.to_string() == error.protocol;
        let own = free.iter().filter(of_protocol).map(|(_, own)| *own);
        let own = own.chain(host).find(|own| overlap(own, &at));
        if let Some(own) = own.filter(|_| error.source.kind() == ErrorKind::AddrInUse) {
            return Failure::runtime(error.to_string())
                .detail(format!(
                    "this via6 listens on {own} itself, which has to end before"
                ))
                .hint(format!(
                    "stop via6 and start it again, or pick another: {}",
                    elsewhere(entry, Origin::File)
                ));
        }
        Failure::bind(&error, &elsewhere(entry, Origin::File))
    })
}

/// Whether the system takes one address for the other: one of them is any address.
fn overlap(one: &SocketAddr, other: &SocketAddr) -> bool {
    let is_any = one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() == other.port() && (one.ip() == other.ip() || is_any)
}

/// Ends what has just been begun.
fn take_back(applied: &Applied) {
    for added in &applied.added {
        added.running.shutdown().now();
    }
}
