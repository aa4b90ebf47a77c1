//! Where a host may be: what the invite says, what its name stands for now, and what it said itself.

use std::net::{SocketAddr, SocketAddrV6};
use std::sync::{Mutex, MutexGuard, PoisonError};

use via6_core::invite::Invite;
use via6_core::limits::LINK_TARGETS_MAX;

use super::Known;

/// See the module's own words.
pub(super) struct Places {
    invited: Vec<SocketAddr>,
    name: Option<String>,
    port: u16,
    heard: Mutex<Heard>,
}

#[derive(Default)]
struct Heard {
    known: Known,
    /// Where it was reached last.
    last: Option<SocketAddr>,
}

impl Places {
    pub(super) fn new(invite: &Invite, known: &Known) -> Self {
        let port = invite.port();
        let invited = invite.addresses().iter();
        Self {
            invited: invited.map(|ip| SocketAddr::from((*ip, port))).collect(),
            name: invite.name().map(ToString::to_string),
            port,
            heard: Mutex::new(Heard {
                known: known.clone(),
                last: None,
            }),
        }
    }

    /// The host says where it is. False if it has said as much before.
    pub(super) fn hear(&self, known: &Known) -> bool {
        let mut heard = self.lock();
        let is_news = known.number > heard.known.number;
        if is_news {
            heard.known.clone_from(known);
        }
        is_news
    }

    pub(super) fn reached(&self, at: SocketAddr) {
        self.lock().last = Some(at);
    }

    /// The addresses there are, the likeliest first: where it was last, where it says it is, the invite.
    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        let heard = self.lock();
        let said: Vec<_> = heard.known.addresses.iter().map(|at| plain(*at)).collect();
        // It says that it is no longer there.
        let is_gone = |last: &SocketAddr| !said.is_empty() && !said.contains(last);
        let last = heard.last.filter(|last| !is_gone(last));
        let all = last
            .into_iter()
            .chain(said.clone())
            .chain(self.invited.iter().copied());
        distinct(all.chain(heard.last))
    }

    /// The names to look up, each with its port.
    pub(super) fn names(&self) -> Vec<(String, u16)> {
        let heard = self.lock();
        let mut names: Vec<_> = self
            .name
            .iter()
            .map(|name| (name.clone(), self.port))
            .collect();
        if !heard.known.name.is_empty() {
            let port = heard
                .known
                .addresses
                .first()
                .map_or(self.port, SocketAddrV6::port);
            names.push((heard.known.name.clone(), port));
        }
        names.dedup();
        names
    }

    /// Whether the host says that it is no longer at this address.
    pub(super) fn is_left(&self, address: SocketAddr) -> bool {
        let heard = self.lock();
        let mut said = heard.known.addresses.iter().map(|at| plain(*at));
        heard.known.number > 0 && !said.any(|at| at == address)
    }

    /// One of them, to be shown.
    pub(super) fn first(&self) -> SocketAddr {
        let heard = self.lock();
        let known = heard.known.addresses.first().map(|at| plain(*at));
        let invited = self.invited.first().copied();
        let nowhere = SocketAddr::from((std::net::Ipv6Addr::UNSPECIFIED, self.port));
        heard.last.or(invited).or(known).unwrap_or(nowhere)
    }

    fn lock(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn plain(at: SocketAddrV6) -> SocketAddr {
    SocketAddr::from((*at.ip(), at.port()))
}

/// Each once, and no more than are tried.
fn distinct(places: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let mut distinct = Vec::new();
    for place in places {
        if !distinct.contains(&place) && distinct.len() < LINK_TARGETS_MAX {
            distinct.push(place);
        }
    }
    distinct
}
