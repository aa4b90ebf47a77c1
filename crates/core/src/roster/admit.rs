//! Admission: whether somebody who has proven an identity may play, and what it is called.
//!
//! ```text
//!  known ──▶ banned? ──▶ its invite is there and not revoked? ──yes──▶ admitted
//!    │                                  no
//!    └── not known ────────────────────┴──▶ the invite it shows: proof, state, room ──▶ admitted, counted
//! ```

use super::names::{clean_name, unique};
use super::{Identity, InviteId, InviteState, PlayerRecord, Roster};
use crate::frame::Refusal;
use crate::invite::Secret;

/// Somebody may play.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AdmittedAs {
    /// What the host calls it.
    pub name: String,
    /// It was not known before.
    pub is_new: bool,
}

impl Roster {
    /// Somebody with this identity, which its transport has proven, asks to be let in, by the invite of this id
    /// if it has one. `proves` says whether the proof that came with it is made with that secret.
    ///
    /// Who knows no secret learns nothing about invites: what state one is in is told only to whoever has
    /// proven to have it. A player of a revoked invite that brings no other is told that, since it has proven
    /// who it is.
    pub fn admit(
        &mut self,
        identity: Identity,
        invite: InviteId,
        asked_name: &str,
        now_ms: u64,
        proves: impl FnOnce(&Secret) -> bool,
    ) -> Result<AdmittedAs, Refusal> {
        let asked_name = clean_name(asked_name);
        let Some(known) = self.player_of(&identity) else {
            self.check_invite(invite, now_ms, proves)?;
            return self.take_in(identity, invite, asked_name, now_ms);
        };
        if known.banned_ms.is_some() {
            return Err(Refusal::Banned);
        }
        if !self.is_good(known.invite) {
            let shown = self.check_invite(invite, now_ms, proves);
            shown.map_err(|refusal| match refusal {
                Refusal::Invite => Refusal::Revoked,
                other => other,
            })?;
            if let Some(known) = self.player_mut(&identity) {
                known.invite = invite;
            }
            self.count_use(invite);
        }
        self.seen(&identity, now_ms);
        Ok(AdmittedAs {
            name: self.rename(&identity, asked_name),
            is_new: false,
        })
    }

    /// Does it still admit those whom it has admitted?
    pub(super) fn is_good(&self, invite: InviteId) -> bool {
        self.invite_of(invite)
            .is_some_and(|invite| invite.revoked_ms.is_none())
    }

    /// Does it admit somebody new?
    fn check_invite(
        &self,
        id: InviteId,
        now_ms: u64,
        proves: impl FnOnce(&Secret) -> bool,
    ) -> Result<(), Refusal> {
        let invite = self.invite_of(id).ok_or(Refusal::Invite)?;
        if !proves(&invite.secret) {
            return Err(Refusal::Invite);
        }
        match self.state(invite, now_ms) {
            InviteState::Open => Ok(()),
            // As far as somebody new is concerned it was taken back.
            InviteState::Revoked | InviteState::Closed => Err(Refusal::Revoked),
            InviteState::Expired => Err(Refusal::Expired),
            InviteState::UsedUp => Err(Refusal::UsedUp),
        }
    }

    /// Somebody new.
    fn take_in(
        &mut self,
        identity: Identity,
        invite: InviteId,
        asked_name: String,
        now_ms: u64,
    ) -> Result<AdmittedAs, Refusal> {
        if self.players.len() >= self.players_max && !self.forget_a_player(now_ms) {
            return Err(Refusal::Full);
        }
        let taken = self.players.iter().map(|player| player.name.as_str());
        let name = unique(&asked_name, taken);
        self.players.push(PlayerRecord {
            identity,
            name: name.clone(),
            asked_name,
            invite,
            first_seen_ms: now_ms,
            last_seen_ms: now_ms,
            banned_ms: None,
        });
        self.count_use(invite);
        Ok(AdmittedAs { name, is_new: true })
    }

    fn count_use(&mut self, id: InviteId) {
        for invite in self.invites.iter_mut().filter(|invite| invite.id == id) {
            invite.used = invite.used.saturating_add(1);
        }
    }

    /// Gives a player the name that it asks for, if that is another one than the last time: so a number that it
    /// got stays, whoever comes and goes. Returns what it is called now.
    fn rename(&mut self, identity: &Identity, asked_name: String) -> String {
        let Some(player) = self.player_of(identity) else {
            return asked_name;
        };
        if player.asked_name == asked_name {
            return player.name.clone();
        }
        let others = self.players.iter().filter(|one| one.identity != *identity);
        let name = unique(&asked_name, others.map(|other| other.name.as_str()));
        if let Some(player) = self.player_mut(identity) {
            player.name.clone_from(&name);
            player.asked_name = asked_name;
        }
        name
    }

    /// Makes room for one more player: forgets the one seen longest ago of those whom that changes nothing for.
    /// They could not play anyhow, since their invite is gone; or they come in again by theirs, which admits
    /// anybody. So whoever makes up identities by the thousand, with an invite that admits so many, pushes out
    /// nobody who could not come back, and no ban is ever forgotten before its invite. Returns whether there is
    /// room now.
    fn forget_a_player(&mut self, now_ms: u64) -> bool {
        // With a banned player an invite is not open.
        let can_be_forgotten = |player: &&PlayerRecord| match self.invite_of(player.invite) {
            Some(invite) if invite.revoked_ms.is_none() => {
                let admits_anybody = invite.uses.is_none() && invite.expires_ms.is_none();
                admits_anybody && self.state(invite, now_ms) == InviteState::Open
            }
            _ => true,
        };
        let candidates = self.players.iter().filter(can_be_forgotten);
        let oldest = candidates.min_by_key(|player| {
            let is_out = !self.is_good(player.invite);
            (player.banned_ms.is_some(), !is_out, player.last_seen_ms)
        });
        let Some(identity) = oldest.map(|player| player.identity) else {
            return false;
        };
        self.players.retain(|player| player.identity != identity);
        true
    }
}
