//! Where the state of a link is kept: with the joiner by itself, with a host among those of all players.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use via6_core::frame::{ChannelId, Closed, LinkId, Standing};
use via6_core::link::{AttachError, Link, Links, TookOver};

use crate::identity::PublicKey;

/// One link's state.
pub(crate) enum Books {
    Own(Box<Mutex<Link>>),
    Hosted(Arc<Registry>, LinkId),
}

impl Books {
    pub(crate) fn own(link: Link) -> Self {
        Self::Own(Box::new(Mutex::new(link)))
    }

    /// `None`: it is gone for good.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut Link) -> T) -> Option<T> {
        match self {
            Self::Own(link) => {
                let mut link = link.lock().unwrap_or_else(PoisonError::into_inner);
                Some(act(&mut link))
            }
            Self::Hosted(registry, id) => registry.with(*id, act),
        }
    }
}

/// The last holder of a hosted link is gone, and with it whatever its games had still to take.
impl Drop for Books {
    fn drop(&mut self) {
        if let Self::Hosted(registry, id) = self {
            registry.lock().over.remove(id);
        }
    }
}

/// All links of a host.
#[derive(Default)]
pub(crate) struct Registry(Mutex<Shelves>);

#[derive(Default)]
struct Shelves {
    live: Links<PublicKey>,
    /// Ended; their games have yet to take what came before.
    over: HashMap<LinkId, Link>,
}

impl Registry {
    fn with<T>(&self, id: LinkId, act: impl FnOnce(&mut Link) -> T) -> Option<T> {
        let mut shelves = self.lock();
        let Shelves { live, over } = &mut *shelves;
        live.get_mut(id).or_else(|| over.get_mut(&id)).map(act)
    }

    /// ATTACH came. The ids of links that ended for it.
    pub(crate) fn attach(
        &self,
        identity: PublicKey,
        (id, generation): (LinkId, u64),
        (next, standings): (ChannelId, &[Standing]),
        now: Instant,
    ) -> Result<(TookOver, Vec<LinkId>), AttachError> {
        let mut shelves = self.lock();
        let list = (next, standings);
        let mut took = shelves.live.attach(&identity, id, generation, list, now)?;
        let replaced = std::mem::take(&mut took.replaced);
        Ok((took, shelves.put_away(replaced)))
    }

    /// Ends what is due; which links have ended.
    pub(crate) fn on_time(&self, now: Instant) -> Vec<LinkId> {
        let mut shelves = self.lock();
        let ended = shelves.live.on_time(now);
        shelves.put_away(ended)
    }

    /// Ends one link. False if it has ended already.
    pub(crate) fn end(&self, id: LinkId, why: Closed, now: Instant) -> bool {
        let mut shelves = self.lock();
        let ended = shelves.live.end(id, why, now);
        !shelves.put_away(ended.into_iter().collect()).is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Shelves> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelves {
    fn put_away(&mut self, ended: Vec<Link>) -> Vec<LinkId> {
        let ids = ended.iter().map(Link::id).collect();
        self.over
            .extend(ended.into_iter().map(|link| (link.id(), link)));
        ids
    }
}
