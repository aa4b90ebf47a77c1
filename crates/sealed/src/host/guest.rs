//! What a player's link brings: sessions of games, and its end.

use std::sync::{Arc, Weak};

use tokio::time::Instant;
use via6_core::frame::{ChannelId, Closed, LinkId, Reset, ServiceId};
use via6_core::limits::LINK_HOLD;
use via6_core::link::{Heard, LinkError};

use super::Inner;
use super::members::Member;
use crate::cable::{Cable, Owner};
use crate::event::LinkEvent;
use crate::identity::PublicKey;
use crate::session;

/// The owner of a player's link. The host has its links, and so is only known by them.
pub(super) struct Guest {
    pub(super) host: Weak<Inner>,
    pub(super) link: LinkId,
}

impl Owner for Guest {
    fn heard(&self, cable: &Arc<Cable>, heard: Heard<'_>) -> Result<(), LinkError> {
        let Some(host) = self.host.upgrade() else {
            return Ok(());
        };
        match heard {
            Heard::Opened { channel, service } => host.open(self.link, cable, channel, service),
            // Of one transport alone: the link goes on.
            Heard::Closed { code, message } if code != Closed::Superseded => {
                host.over(self.link, code, message);
            }
            // No feature that brings flows was agreed on.
            Heard::Flow(_) => return Err(LinkError::Unexpected),
            _ => {}
        }
        Ok(())
    }
}

impl Inner {
    /// A player's game has connected.
    fn open(
        self: &Arc<Self>,
        link: LinkId,
        cable: &Arc<Cable>,
        channel: ChannelId,
        service: ServiceId,
    ) {
        let remote = self.members.lock().get(&link).map(Member::remote);
        let game = {
            let shared = self.shared();
            let mut games = shared.games.iter();
            games
                .find_map(|(id, offer, relay)| (*id == service && offer.tcp).then(|| relay.clone()))
        };
        let arrived = match (remote, game) {
            (Some(remote), Some(game)) if !game.is_draining() => game
                .arrive(self.listener, remote)
                .map(|seat| (game.settings().upstream, seat))
                .map_err(|_| Reset::Channels),
            (Some(_), Some(_)) => Err(Reset::Draining),
            _ => Err(Reset::Service),
        };
        match arrived {
            Ok((upstream, seat)) => {
                let session = session::hosted(Arc::clone(cable), channel, upstream, seat);
                self.tasks.spawn(session);
            }
            Err(code) => {
                let now = Instant::now().into_std();
                cable.with(|link| link.refuse(channel, code, now));
            }
        }
    }

    /// A link has ended, for whatever reason; the first one told counts.
    pub(super) fn over(&self, link: LinkId, code: Closed, message: &str) {
        self.registry.end(link, code, Instant::now().into_std());
        let Some(member) = self.members.lock().remove(&link) else {
            return;
        };
        // Wakes its sessions, which find that it is over.
        let sessions = member.cable.with(|link| link.channels().count());
        self.observer.observe(&LinkEvent::Ended {
            peer: member.identity,
            player: &member.name,
            code,
            message,
            sessions: sessions.unwrap_or_default(),
        });
    }

    /// Ends the links of those devices, and says why. Returns how many.
    pub(super) fn send_away(
        &self,
        whose: impl Fn(PublicKey) -> bool,
        code: Closed,
        message: &str,
    ) -> usize {
        let those: Vec<_> = {
            let members = self.members.lock();
            let theirs = members.iter().filter(|(_, one)| whose(one.identity));
            theirs.map(|(id, _)| *id).collect()
        };
        for link in &those {
            self.dismiss(*link, code, message);
        }
        those.len()
    }

    /// Ends a link from this side, and says so to the other.
    pub(super) fn dismiss(&self, link: LinkId, code: Closed, message: &str) {
        let cable = self
            .members
            .lock()
            .get(&link)
            .map(|one| Arc::clone(&one.cable));
        // First the words: a transport that finds its link ended has to know them.
        if let Some(cable) = cable {
            cable.close(code, message);
        }
        self.over(link, code, "");
    }

    /// Tells, once each, of links that nothing is heard of.
    pub(super) fn tell_silent(&self, now: Instant) {
        for member in self.members.lock().values_mut() {
            let asked = member.cable.look(|link| {
                (
                    link.is_suspect(now.into_std()),
                    link.is_detached(),
                    link.channels().count(),
                )
            });
            let Some((is_suspect, is_detached, sessions)) = asked else {
                continue;
            };
            if !is_suspect {
                member.silent_since = None;
            } else if member.silent_since.is_none() {
                member.silent_since = Some(now);
                let cause = if is_detached {
                    "its connection was lost"
                } else {
                    "it fell silent"
                };
                // Without sessions nobody misses it.
                if sessions > 0 {
                    self.observer.observe(&LinkEvent::Lost {
                        peer: member.identity,
                        player: &member.name,
                        cause,
                        hold: LINK_HOLD,
                    });
                }
            }
        }
    }
}
