//! Where a host may be: what the invite says, what its name stands for now, and what it said itself.

use std::net::{SocketAddr, SocketAddrV6};
use std::sync::{Mutex, MutexGuard, PoisonError};

use via6_core::invite::Invite;
use via6_core::limits::LINK_TARGETS_MAX;

use super::Known;

/// So often the joiner looks for another way because the host has left the address that it is reached at.
/// When it comes out there again, a packet of the handshake elsewhere was lost, or nothing is let through to
/// there: one such look a second would go on for ever. After the last the address is as good as any, until
/// there is news.
const LEFT_LOOKS_MAX: u32 = 4;

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
    /// Where it has been, as it said, and no longer is; and how often it was reached there all the same.
    left: Vec<(SocketAddr, u32)>,
    /// Where it was reached last.
    last: Option<SocketAddr>,
}

impl Heard {
    fn has_left(&self, address: SocketAddr) -> bool {
        self.left.iter().any(|(left, _)| *left == address)
    }
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
                ..Heard::default()
            }),
        }
    }

    /// The host says where it is. False if it has said as much before.
    pub(super) fn hear(&self, known: &Known) -> bool {
        let mut heard = self.lock();
        let is_news = known.number > heard.known.number;
        if is_news {
            let is_there = |at: &SocketAddr| known.addresses.iter().any(|new| plain(*new) == *at);
            let before = heard.known.addresses.iter().map(|at| plain(*at));
            let left = before.chain(heard.left.iter().map(|(at, _)| *at));
            let left = distinct(left.filter(|at| !is_there(at)));
            heard.left = left.into_iter().map(|at| (at, 0)).collect();
            heard.known.clone_from(known);
        }
        is_news
    }

    /// It was reached there.
    pub(super) fn reached(&self, at: SocketAddr) {
        let mut heard = self.lock();
        heard.left.retain_mut(|(left, times)| {
            *times += u32::from(*left == at);
            *times < LEFT_LOOKS_MAX
        });
        heard.last = Some(at);
    }

    /// The addresses there are, the likeliest first: where it was last, where it says it is, the invite.
    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        let heard = self.lock();
        let said = heard.known.addresses.iter().map(|at| plain(*at));
        let last = heard.last.filter(|last| !heard.has_left(*last));
        let all = last
            .into_iter()
            .chain(said)
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

    /// Whether the host was at this address, and says that it no longer is. One that it has never named may
    /// be a relay's, or what the outside sees of it, and is as good as any.
    pub(super) fn is_left(&self, address: SocketAddr) -> bool {
        self.lock().has_left(address)
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

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use via6_core::invite::Secret;

    use super::*;

    fn at(number: u16) -> SocketAddrV6 {
        let ip = std::net::Ipv6Addr::new(0x2001, 0xdb8, number, 0, 0, 0, 0, 1);
        SocketAddrV6::new(ip, 43_325, 0, 0)
    }

    fn said(number: u64, addresses: &[u16]) -> Known {
        Known {
            number,
            addresses: addresses.iter().map(|one| at(*one)).collect(),
            name: String::new(),
        }
    }

    /// Of an invite to the first address.
    fn places(known: &Known) -> Places {
        let key = crate::Identity::from_seed([3; 32]).unwrap();
        let invite = Invite::new(
            key.public().fingerprint(),
            Secret([7; 16]),
            NonZeroU16::new(43_325).unwrap(),
            vec![*at(1).ip()],
            None,
        );
        Places::new(&invite.unwrap(), known)
    }

    /// It would be left for itself again and again: its host never says that it is there.
    #[test]
    fn an_address_that_the_host_has_never_named_is_not_left() {
        let places = places(&Known::default());
        let relay = plain(at(9));
        places.reached(relay);
        assert!(places.hear(&said(1, &[1])) && places.hear(&said(2, &[2])));
        assert!(!places.is_left(relay));
        assert!(places.is_left(plain(at(1))) && !places.is_left(plain(at(2))));
        assert_eq!(places.addresses().first(), Some(&relay));
    }

    #[test]
    fn an_address_is_left_until_the_host_is_there_again() {
        let places = places(&said(5, &[1, 2]));
        let [one, two] = [1, 2].map(|number| plain(at(number)));
        places.reached(one);
        assert!(!places.hear(&said(4, &[2])) && !places.is_left(one));
        assert!(places.hear(&said(6, &[2])) && places.is_left(one));
        // More news does not make it forgotten.
        assert!(places.hear(&said(7, &[2, 3])) && places.is_left(one));
        assert_eq!(places.addresses(), [two, plain(at(3)), one]);
        assert!(places.hear(&said(8, &[1])) && !places.is_left(one));
        assert!(places.is_left(two));
        assert_eq!(places.addresses().first(), Some(&one));
    }

    /// The new address is not let through to, say.
    #[test]
    fn an_address_that_is_reached_again_and_again_is_no_longer_left() {
        let places = places(&said(5, &[1]));
        let one = plain(at(1));
        for number in [6, 8] {
            assert!(places.hear(&said(number, &[2])));
            for _ in 0..LEFT_LOOKS_MAX {
                assert!(places.is_left(one));
                assert_eq!(places.addresses(), [plain(at(2)), one]);
                places.reached(one);
            }
            assert!(!places.is_left(one));
            assert_eq!(places.addresses().first(), Some(&one));
            // Only news of its absence counts.
            assert!(places.hear(&said(number + 1, &[1])));
        }
    }
}
