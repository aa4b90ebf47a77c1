//! All links of a host: which one an ATTACH is for, whose it is, and how many there may be.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Instant;

use super::{AttachError, Link, LinkLimits, Role};
use crate::frame::{ChannelId, Closed, Frame, LinkId, Refusal, Standing};
use crate::limits::{HOST_WINDOW_MAX, LINKS_MAX, LINKS_PER_IDENTITY};

/// A transport took over a link.
#[derive(Debug)]
pub struct TookOver {
    /// The answer to the joiner.
    pub frame: Frame<'static>,
    /// Links of the same identity that were silent, and ended for it. Their games get a reset.
    pub replaced: Vec<Link>,
}

/// The links of a host, each with the identity that it is bound to.
#[derive(Debug)]
pub struct Links<K> {
    limits: LinkLimits,
    most: usize,
    per_identity: usize,
    by_id: HashMap<LinkId, (K, Link)>,
}

impl<K: Clone + Eq + Hash> Default for Links<K> {
    fn default() -> Self {
        Self::new(LinkLimits::default(), LINKS_MAX, LINKS_PER_IDENTITY)
    }
}

impl<K: Clone + Eq + Hash> Links<K> {
    /// None yet.
    #[must_use]
    pub fn new(limits: LinkLimits, most: usize, per_identity: usize) -> Self {
        Self {
            limits,
            most,
            per_identity,
            by_id: HashMap::new(),
        }
    }

    /// `identity`, which was admitted, sent ATTACH.
    pub fn attach(
        &mut self,
        identity: &K,
        id: LinkId,
        generation: u64,
        (next, standings): (ChannelId, &[Standing]),
        now: Instant,
    ) -> Result<TookOver, AttachError> {
        if let Some((owner, link)) = self.by_id.get_mut(&id) {
            if owner != identity {
                return Err(AttachError::Refused(Refusal::Link));
            }
            let frame = link.on_attach(generation, next, standings, now)?;
            return Ok(TookOver {
                frame,
                replaced: Vec::new(),
            });
        }
        let own = || {
            self.by_id
                .iter()
                .filter(|(_, (owner, _))| owner == identity)
        };
        let silent: Vec<LinkId> = own()
            .filter(|(_, (_, link))| link.is_suspect(now))
            .map(|(id, _)| *id)
            .collect();
        let stay = self.by_id.len() - silent.len();
        if stay >= self.most || own().count() - silent.len() >= self.per_identity {
            return Err(AttachError::Refused(Refusal::Full));
        }
        let mut link = Link::new(Role::Host, id, self.limits, now);
        // The list is of a link that this host has forgotten.
        let frame = link.on_attach(generation, next, &[], now)?;
        let replaced = silent
            .into_iter()
            .filter_map(|id| self.end(id, Closed::Replaced, now));
        let replaced = replaced.collect();
        self.by_id.insert(id, (identity.clone(), link));
        self.share();
        Ok(TookOver { frame, replaced })
    }

    /// A live link.
    pub fn get_mut(&mut self, id: LinkId) -> Option<&mut Link> {
        self.by_id.get_mut(&id).map(|(_, link)| link)
    }

    /// Ends a link and hands it over, with what its games have yet to take.
    pub fn end(&mut self, id: LinkId, why: Closed, now: Instant) -> Option<Link> {
        let (_, mut link) = self.by_id.remove(&id)?;
        link.end(why, now);
        self.share();
        Some(link)
    }

    /// Ends all links of an identity: it was sent away.
    pub fn end_identity(&mut self, identity: &K, why: Closed, now: Instant) -> Vec<Link> {
        self.end_those(|owner, _| owner == identity, why, now)
    }

    /// Acts on what is due; the links whose hold time is over, or that ended otherwise.
    pub fn on_time(&mut self, now: Instant) -> Vec<Link> {
        for (_, link) in self.by_id.values_mut() {
            link.on_time(now);
        }
        self.end_those(|_, link| link.ended().is_some(), Closed::Hold, now)
    }

    fn end_those(
        &mut self,
        which: impl Fn(&K, &Link) -> bool,
        why: Closed,
        now: Instant,
    ) -> Vec<Link> {
        let those = self
            .by_id
            .iter()
            .filter(|(_, (owner, link))| which(owner, link));
        let ids: Vec<LinkId> = those.map(|(id, _)| *id).collect();
        ids.into_iter()
            .filter_map(|id| self.end(id, why, now))
            .collect()
    }

    /// Memory is for all alike: many links have less each.
    fn share(&mut self) {
        let share = HOST_WINDOW_MAX / self.by_id.len().max(1);
        for (_, link) in self.by_id.values_mut() {
            link.set_share(share);
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// None.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }
}
