//! The players who are in: each link with what is shown of it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use quinn::Connection;
use tokio::time::Instant;
use via6_core::frame::LinkId;

use super::PlayerLook;
use crate::cable::Cable;
use crate::identity::PublicKey;
use crate::transport::Kind;

/// One player's link.
pub(super) struct Member {
    pub(super) cable: Arc<Cable>,
    pub(super) identity: PublicKey,
    pub(super) name: String,
    pub(super) kind: Kind,
    /// Where it came from.
    pub(super) remote: SocketAddr,
    pub(super) connection: Option<Connection>,
    pub(super) began: Instant,
    /// Since when it is silent, once that was told.
    pub(super) silent_since: Option<Instant>,
}

/// See the module's own words.
#[derive(Default)]
pub(super) struct Members(Mutex<HashMap<LinkId, Member>>);

impl Members {
    pub(super) fn lock(&self) -> MutexGuard<'_, HashMap<LinkId, Member>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn cables(&self) -> Vec<Arc<Cable>> {
        let members = self.lock();
        members.values().map(|one| Arc::clone(&one.cable)).collect()
    }

    /// Those who have been here longest come first.
    pub(super) fn look(&self) -> Vec<PlayerLook> {
        let now = Instant::now();
        let mut players: Vec<_> = self.lock().values().map(|one| one.look(now)).collect();
        players.sort_by_key(|player| std::cmp::Reverse(player.age));
        players
    }
}

impl Member {
    /// Where the player is now: QUIC goes along when an address changes.
    pub(super) fn remote(&self) -> SocketAddr {
        let connection = self.connection.as_ref();
        connection.map_or(self.remote, Connection::remote_address)
    }

    fn look(&self, now: Instant) -> PlayerLook {
        let asked = self.cable.look(|link| {
            let is_suspect = link.is_suspect(now.into_std());
            (link.channels().count(), is_suspect)
        });
        let (sessions, is_suspect) = asked.unwrap_or((0, true));
        PlayerLook {
            identity: self.identity,
            name: self.name.clone(),
            kind: self.kind,
            remote: self.remote(),
            round_trip: self.connection.as_ref().map(Connection::rtt),
            sessions,
            age: now.duration_since(self.began),
            is_suspect,
        }
    }
}
