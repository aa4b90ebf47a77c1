//! Transports that are not attached yet: who they are is not known, so there are only so many.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;
use via6_core::limits::{UNATTACHED_MAX, UNATTACHED_PER_PREFIX, UNATTACHED_TRUSTED};

/// See the module's own words.
#[derive(Clone, Default)]
pub(super) struct Anteroom(Arc<Mutex<VecDeque<Waiting>>>);

struct Waiting {
    home: [u8; 8],
    out: CancellationToken,
}

/// A place in the anteroom, while it is there.
pub(super) struct Place {
    room: Anteroom,
    out: CancellationToken,
}

impl Anteroom {
    /// One more comes in. If there are too many, of one home or in all, the one goes that came first.
    pub(super) fn enter(&self, from: IpAddr) -> Place {
        let (home, out) = (home(from), CancellationToken::new());
        let mut waiting = self.lock();
        let own = waiting.iter().filter(|one| one.home == home).count();
        let first = if own >= UNATTACHED_PER_PREFIX {
            waiting.iter().position(|one| one.home == home)
        } else if waiting.len() >= UNATTACHED_MAX {
            Some(0)
        } else {
            None
        };
        if let Some(gone) = first.and_then(|at| waiting.remove(at)) {
            gone.out.cancel();
        }
        waiting.push_back(Waiting {
            home,
            out: out.clone(),
        });
        drop(waiting);
        Place {
            room: self.clone(),
            out,
        }
    }

    /// So many are here that a newcomer has to show where it is.
    pub(super) fn is_busy(&self) -> bool {
        self.lock().len() >= UNATTACHED_TRUSTED
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Returns when it has to make room. Cancel safe.
    pub(super) async fn is_needed(&self) {
        self.out.cancelled().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Found by what it is told by, which is its own.
        self.out.cancel();
        self.room.lock().retain(|one| !one.out.is_cancelled());
    }
}

/// The /64 that an address is in, or the IPv4 address.
fn home(ip: IpAddr) -> [u8; 8] {
    let mut home = [0; 8];
    let octets = match ip {
        IpAddr::V6(ip) => ip.octets().to_vec(),
        IpAddr::V4(ip) => ip.octets().to_vec(),
    };
    for (place, octet) in home.iter_mut().zip(octets) {
        *place = octet;
    }
    home
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(home: u16, host: u16) -> IpAddr {
        IpAddr::from([0x2001, 0xdb8, 0, home, 0, 0, 0, host])
    }

    fn is_out(place: &Place) -> bool {
        place.out.is_cancelled()
    }

    #[test]
    fn a_crowd_from_one_home_pushes_out_its_own() {
        let room = Anteroom::default();
        let other = room.enter(address(1, 1));
        let first = room.enter(address(2, 1));
        let crowd: Vec<_> = (0..UNATTACHED_PER_PREFIX)
            .map(|n| room.enter(address(2, u16::try_from(n).unwrap())))
            .collect();
        assert!(is_out(&first) && !is_out(&other));
        assert!(!crowd.iter().any(is_out));
    }

    #[test]
    fn with_too_many_in_all_the_one_that_came_first_goes() {
        let room = Anteroom::default();
        let places: Vec<_> = (0..=UNATTACHED_MAX)
            .map(|n| room.enter(address(u16::try_from(n).unwrap(), 1)))
            .collect();
        assert!(is_out(&places[0]) && !places[1..].iter().any(is_out));
        assert!(room.is_busy());
        drop(places);
        assert!(!room.is_busy() && room.lock().is_empty());
    }
}
