//! Entries with sealed links: where they find a place, how they begin, and how they end.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError};

use via6_core::addr::DnsName;
use via6_relay::{Change, Ending, Listening, Protocol, Report, Running};

use super::bound::{Bound, local_address};
use super::placing::place;
use super::{Inner, Instance};
use crate::announce::elsewhere;
use crate::entry::{Entry, Origin, Protocols};
use crate::failure::Failure;
use crate::link::Link;
use crate::narrator::Narrator;
use crate::sealed::{Hosting, Joining, Opened, Told};

/// The link of a relay that runs.
#[derive(Clone)]
pub(super) enum Linked {
    Open,
    /// A game of the host.
    Shared(Arc<Hosting>),
    Joined(Joining),
}

impl Instance {
    /// The host of this process, if it has one.
    pub(crate) fn hosting(&self) -> Option<Arc<Hosting>> {
        let hosting = self.0.hosting.lock();
        hosting.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sees that the game of an entry can be shared: on the port that there is, or on a new one, which is then
    /// returned. `others`: that of a host that is about to begin. To be called while no other change is made.
    pub(super) async fn open_port(
        &self,
        entry: &Entry,
        others: Option<&Entry>,
        any_port: bool,
        origin: Origin,
    ) -> Result<Option<(Opened, Option<u16>)>, Failure> {
        let hosting = self.hosting();
        let port_of = |hosting: &Arc<Hosting>| hosting.listener();
        if let Some(hosting) = &hosting {
            let name = hosting.name();
            check_port(entry, hosting.listen(), port_of(hosting).port(), origin)?;
            check_name(entry, name.as_ref())?;
            return Ok(None);
        }
        if let Some(other) = others {
            check_port(entry, &other.listen, other.listen.port, origin)?;
            check_name(entry, name_of(other))?;
            return Ok(None);
        }
        let mut at = local_address(&entry.listen)?;
        if at.ip().is_ipv4() {
            return Err(Failure::usage(format!(
                "cannot listen on {at} for sealed links: they go over IPv6"
            ))
            .hint("leave the address out, or say an IPv6 one: --listen '[::]:43325'"));
        }
        let mut taken = None;
        let bound = match Bound::new(at, Protocols::BOTH, &[]) {
            Err(error) if any_port && super::adding::is_taken(error.source.kind()) => {
                taken = Some(at.port());
                at.set_port(0);
                Bound::new(at, Protocols::BOTH, &[])
            }
            result => result,
        };
        let bound = bound.map_err(|error| Failure::bind(&error, &elsewhere(entry, origin)))?;
        let opened = Opened {
            identity: self.0.home.identity().await?,
            keeper: self.0.home.keeper().await,
            bound,
            listen: entry.listen.clone(),
        };
        Ok(Some((opened, taken)))
    }

    /// The host, begun if need be. To be called while no other change is made.
    pub(super) fn host_for(
        &self,
        entry: &Entry,
        opened: Option<Opened>,
    ) -> Result<Arc<Hosting>, Failure> {
        let name = name_of(entry).cloned();
        let Some(opened) = opened else {
            let hosting = self.hosting().ok_or_else(|| {
                Failure::runtime(format!(
                    "cannot share {}: the host has ended",
                    entry.upstream
                ))
            })?;
            if let Some(name) = name
                && hosting.name().is_none()
            {
                hosting.call(name);
            }
            return Ok(hosting);
        };
        let instance = Arc::downgrade(&self.0);
        let listeners = move || {
            instance
                .upgrade()
                .map_or_else(Vec::new, |inner| hosts(&inner))
        };
        let means = (self.0.engine.clone(), self.0.descriptors.clone());
        let hosting = Hosting::start(opened, name, means, Told::new(listeners))?;
        self.0.home.set_doors(Some(hosting.doors()));
        let mut now = self
            .0
            .hosting
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *now = Some(Arc::clone(&hosting));
        Ok(hosting)
    }

    /// Has the relay of a join listen there: on what is `held` already, and on what is new. Returns what of it
    /// has ended meanwhile.
    pub(crate) async fn listen(
        &self,
        relay: &Running,
        held: BTreeSet<SocketAddr>,
        new: Vec<Listening>,
    ) -> Vec<SocketAddr> {
        let _one_at_a_time = self.0.changing.lock().await;
        let held = held
            .into_iter()
            .map(|at| Listening::Held(Protocol::Tcp, at));
        let change = Change {
            relay: relay.clone(),
            settings: relay.settings(),
            listeners: held.chain(new).collect(),
        };
        let lost = place(vec![change]).await.unwrap_or_default();
        lost.into_iter().map(|(_, at)| at).collect()
    }

    /// Waits for the end of a relay, with that of its link; and says how that ended.
    pub(super) async fn end_of(
        &self,
        serial: u64,
        (linked, running): (Linked, Running),
        ending: Ending,
        narrator: &Narrator,
    ) -> (Report, Result<(), Failure>) {
        match linked {
            Linked::Open => (ending.wait().await, Ok(())),
            Linked::Shared(hosting) => {
                running.shutdown().draining().await;
                // A host that ends, and may be back in a moment, has its friends keep their places.
                if !self.shutdown().is_draining() {
                    hosting.withdraw(serial);
                }
                let report = ending.wait().await;
                self.unshare(serial, &hosting).await;
                (report, Ok(()))
            }
            Linked::Joined(joining) => {
                let relayed = async {
                    let report = ending.wait().await;
                    joining.close();
                    report
                };
                let linked = async {
                    let means = (self, &*self.0.home);
                    let outcome = joining.run(&running, means, narrator).await;
                    // Without a link there is nothing to be relayed.
                    running.shutdown().now();
                    outcome
                };
                tokio::join!(relayed, linked)
            }
        }
    }

    /// A game is over; with the last one the host is.
    async fn unshare(&self, serial: u64, hosting: &Arc<Hosting>) {
        let _one_at_a_time = self.0.changing.lock().await;
        if !hosting.forget(serial) {
            return;
        }
        {
            let mut now = self
                .0
                .hosting
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            now.take_if(|now| Arc::ptr_eq(now, hosting));
        }
        self.0.home.set_doors(None);
        hosting.close().await;
    }
}

/// Whom the events of the host concern: everybody who shares a game, once.
fn hosts(inner: &Inner) -> Vec<Arc<Narrator>> {
    let mut narrators: Vec<Arc<Narrator>> = Vec::new();
    let carried = inner.carried.lock().unwrap_or_else(PoisonError::into_inner);
    for one in carried.iter() {
        let is_host = matches!(one.linked, Linked::Shared(_));
        if is_host
            && !narrators
                .iter()
                .any(|known| known.tells_where(&one.narrator))
        {
            narrators.push(Arc::new(one.narrator.of_host()));
        }
    }
    narrators
}

fn name_of(entry: &Entry) -> Option<&DnsName> {
    match &entry.link {
        Link::Shared(shared) => shared.name.as_ref(),
        _ => None,
    }
}

/// All games of a host go through one port.
fn check_port(
    entry: &Entry,
    listen: &via6_core::addr::Listen,
    port: u16,
    origin: Origin,
) -> Result<(), Failure> {
    let wanted = &entry.listen;
    // What nobody said goes along.
    let is_usual = IpAddr::is_unspecified(&wanted.ip)
        && wanted.port == via6_core::limits::DEFAULT_LINK_PORT
        && wanted.ip.is_ipv6();
    let same_place = (wanted.ip, &wanted.zone) == (listen.ip, &listen.zone);
    if is_usual || (same_place && [0, port].contains(&wanted.port)) {
        return Ok(());
    }
    let at = via6_core::addr::Listen {
        port,
        ..listen.clone()
    };
    let message = format!(
        "cannot share {} on {wanted}: all games of a host go through one port, and that is {at} here",
        entry.upstream
    );
    let hint = match origin {
        Origin::Command => {
            let game = crate::announce::local_game(entry);
            format!("leave the port out: via6 host {game}")
        }
        Origin::File => "leave `port` and `listen` out of all hosts but the first".to_owned(),
    };
    Err(Failure::usage(message).hint(hint))
}

/// And have one name.
fn check_name(entry: &Entry, name: Option<&DnsName>) -> Result<(), Failure> {
    match (name_of(entry), name) {
        (Some(wanted), Some(name)) if wanted != name => Err(Failure::usage(format!(
            "cannot call this host {wanted}: all games of a host have one name, and that is {name} here"
        ))
        .hint("leave --dns-name out")),
        _ => Ok(()),
    }
}
