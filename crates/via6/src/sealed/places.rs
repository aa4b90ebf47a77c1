//! Where the games of a host are found on this computer. Listening there is not done
//! here: [`Places::take`] says what is new and what is gone.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use via6_core::frame::ServiceId;
use via6_relay::{Arrival, Outlet};
use via6_sealed::{Joiner, Shared};

/// The games that are there, by where they are found.
#[derive(Default)]
pub(super) struct Places(Mutex<BTreeMap<SocketAddr, Game>>);

/// A game of the host, as it was shared last.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Game {
    pub(super) id: ServiceId,
    pub(super) name: String,
    pub(super) port: u16,
}

impl Game {
    pub(super) fn of(shared: &Shared) -> Self {
        Self {
            id: shared.id,
            name: shared.name.clone(),
            port: shared.port,
        }
    }

    /// The same game, be it under another number: those are new when a host starts anew.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        (&self.name, self.port) == (&other.name, other.port)
    }
}

impl Places {
    /// Takes the newest list. Returns what is no longer shared, and what is new and needs a place.
    pub(super) fn take(&self, shared: &[Game]) -> (Vec<Game>, Vec<Game>) {
        let mut places = self.lock();
        let mut gone = Vec::new();
        places.retain(|_, game| {
            let now = shared.iter().find(|one| one.is_same(game));
            match now {
                Some(now) => game.id = now.id,
                None => gone.push(game.clone()),
            }
            now.is_some()
        });
        let has_place = |game: &&Game| !places.values().any(|known| known.is_same(game));
        let new = shared.iter().filter(has_place).cloned().collect();
        (gone, new)
    }

    /// From now on the game is found there.
    pub(super) fn put(&self, at: SocketAddr, game: Game) {
        self.lock().insert(at, game);
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<(SocketAddr, Game)> {
        let places = self.lock();
        places
            .iter()
            .map(|(at, game)| (*at, game.clone()))
            .collect()
    }

    fn at(&self, at: SocketAddr) -> Option<ServiceId> {
        self.lock().get(&at).map(|game| game.id)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<SocketAddr, Game>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where connections of local games go.
pub(super) struct Way {
    pub(super) joiner: Joiner,
    pub(super) places: Arc<Places>,
}

impl Outlet for Way {
    fn take(&self, arrival: Arrival) {
        match self.places.at(arrival.listener) {
            Some(service) => self.joiner.carry(arrival, service),
            // It is not known yet what is played here, or no longer.
            None => arrival.refuse(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn game(id: u16, name: &str, port: u16) -> Game {
        Game {
            id: ServiceId(id),
            name: name.into(),
            port,
        }
    }

    #[test]
    fn a_game_keeps_its_place_whatever_its_number() {
        let places = Places::default();
        let at = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
        let (one, two) = (game(1, "one", 5), game(2, "two", 6));
        assert_eq!(
            places.take(&[one.clone(), two.clone()]),
            (vec![], vec![one.clone(), two.clone()])
        );
        places.put(at(5), one.clone());
        places.put(at(6), two);
        // The host has started anew, without the first one and with another.
        let (again, new) = (game(1, "two", 6), game(2, "two", 7));
        assert_eq!(
            places.take(&[again.clone(), new.clone()]),
            (vec![one], vec![new])
        );
        assert_eq!(places.at(at(5)), None);
        assert_eq!(places.at(at(6)), Some(ServiceId(1)));
        assert_eq!(places.all(), [(at(6), again)]);
    }
}
