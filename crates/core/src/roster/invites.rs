//! Making invites and taking them back, and what state one is in.

use super::error::RosterError;
use super::names::{check_invite_name, is_same, unique};
use super::{Identity, InviteId, InviteRecord, Roster};
use crate::invite::Secret;

/// The name of the invite that a host prints when it starts.
const DEFAULT: &str = "everyone";

/// The name of one that was asked for without a name.
const NAMELESS: &str = "friends";

/// A secret that was drawn for an invite, and the id that the protocol makes of it.
#[derive(Clone, Copy, Debug)]
pub struct Drawn {
    /// Names the invite.
    pub id: InviteId,
    /// 16 bytes that nobody can guess.
    pub secret: Secret,
}

/// What an invite is to be like.
#[derive(Clone, Copy, Debug, Default)]
pub struct InviteWanted<'a> {
    /// Its name; without one, `friends`, and a number behind it if there is one already.
    pub name: Option<&'a str>,
    /// How many identities it admits in all; without, any number.
    pub uses: Option<u32>,
    /// From when on it admits nobody new, in milliseconds since 1970.
    pub expires_ms: Option<u64>,
}

/// Whether an invite admits somebody new.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum InviteState {
    /// It does.
    Open,
    /// It was taken back; it does not admit those either whom it admitted before.
    Revoked,
    /// A player that it admitted is banned: whoever that is has the invite, and could come as somebody else.
    Closed,
    /// Its time is over.
    Expired,
    /// It has admitted as many as it was for.
    UsedUp,
}

impl InviteState {
    /// The word for it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Revoked => "revoked",
            Self::Closed => "closed",
            Self::Expired => "expired",
            Self::UsedUp => "used-up",
        }
    }
}

/// An invite was taken back.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Revoked {
    /// Its name.
    pub name: String,
    /// Those it had admitted, whose links are to end.
    pub identities: Vec<Identity>,
}

impl Roster {
    /// Makes an invite. At the bound the one that was revoked longest ago makes room; without any, an expired
    /// one that nobody came by; without any, it is refused.
    pub fn invite(
        &mut self,
        drawn: Drawn,
        wanted: InviteWanted<'_>,
        now_ms: u64,
    ) -> Result<&InviteRecord, RosterError> {
        let name = match wanted.name {
            Some(name) => name.to_owned(),
            None => self.free_name(NAMELESS),
        };
        self.add(InviteRecord {
            name,
            id: drawn.id,
            secret: drawn.secret,
            created_ms: now_ms,
            expires_ms: wanted.expires_ms,
            uses: wanted.uses,
            used: 0,
            revoked_ms: None,
            is_default: false,
        })
    }

    /// The invite that the host prints when it starts: the first default one that is still open.
    #[must_use]
    pub fn default_invite(&self, now_ms: u64) -> Option<&InviteRecord> {
        let open = |invite: &&InviteRecord| {
            invite.is_default && self.state(invite, now_ms) == InviteState::Open
        };
        self.invites.iter().find(open)
    }

    /// Makes an invite to be the default one: for anybody, at any time. It is called `everyone`, with a number
    /// behind it if one that is no longer open has that name.
    pub fn make_default_invite(
        &mut self,
        drawn: Drawn,
        now_ms: u64,
    ) -> Result<&InviteRecord, RosterError> {
        let name = self.free_name(DEFAULT);
        self.add(InviteRecord {
            name,
            id: drawn.id,
            secret: drawn.secret,
            created_ms: now_ms,
            expires_ms: None,
            uses: None,
            used: 0,
            revoked_ms: None,
            is_default: true,
        })
    }

    /// Takes an invite back: it admits nobody any more, nor those whom it admitted before.
    pub fn revoke(&mut self, name: &str, now_ms: u64) -> Result<Revoked, RosterError> {
        let invite = self.find_invite(name)?;
        if invite.revoked_ms.is_some() {
            return Err(RosterError::AlreadyRevoked);
        }
        let (id, name) = (invite.id, invite.name.clone());
        for invite in self.invites.iter_mut().filter(|invite| invite.id == id) {
            invite.revoked_ms = Some(now_ms);
        }
        let players = self.players.iter();
        let came_by_it = players.filter(|player| player.invite == id && player.banned_ms.is_none());
        let identities = came_by_it.map(|player| player.identity).collect();
        Ok(Revoked { name, identities })
    }

    /// The invite of this name, whatever the case of its letters: one that was not revoked, else the last one
    /// that was.
    pub fn find_invite(&self, name: &str) -> Result<&InviteRecord, RosterError> {
        let named = || {
            let invites = self.invites.iter();
            invites.filter(|invite| is_same(&invite.name, name))
        };
        let alive = named().find(|invite| invite.revoked_ms.is_none());
        let last = || named().max_by_key(|invite| invite.revoked_ms);
        alive.or_else(last).ok_or(RosterError::UnknownInvite)
    }

    /// The invite with this id.
    #[must_use]
    pub fn invite_of(&self, id: InviteId) -> Option<&InviteRecord> {
        self.invites.iter().find(|invite| invite.id == id)
    }

    /// Whether it admits somebody new, and if not, why. Of several reasons, the one that lasts longest.
    #[must_use]
    pub fn state(&self, invite: &InviteRecord, now_ms: u64) -> InviteState {
        if invite.revoked_ms.is_some() {
            InviteState::Revoked
        } else if invite.expires_ms.is_some_and(|expires| now_ms >= expires) {
            InviteState::Expired
        } else if self
            .players
            .iter()
            .any(|player| player.banned_ms.is_some() && player.invite == invite.id)
        {
            InviteState::Closed
        } else if invite.uses.is_some_and(|uses| invite.used >= uses) {
            InviteState::UsedUp
        } else {
            InviteState::Open
        }
    }

    fn free_name(&self, name: &str) -> String {
        let alive = self.invites.iter().filter(|one| one.revoked_ms.is_none());
        unique(name, alive.map(|one| one.name.as_str()))
    }

    /// The invite of this name, unless it was revoked.
    fn is_name_of_invite(&self, name: &str) -> Option<&InviteRecord> {
        let mut invites = self.invites.iter();
        invites.find(|invite| invite.revoked_ms.is_none() && is_same(&invite.name, name))
    }

    fn add(&mut self, invite: InviteRecord) -> Result<&InviteRecord, RosterError> {
        if self.invites.len() >= self.invites_max {
            self.check_names(&invite)?;
            self.forget_an_invite(invite.created_ms)?;
        }
        self.check_new_invite(&invite)?;
        let at = self.invites.len();
        self.invites.push(invite);
        // It is there.
        self.invites.get(at).ok_or(RosterError::UnknownInvite)
    }

    pub(super) fn check_new_invite(&self, invite: &InviteRecord) -> Result<(), RosterError> {
        if self.invites.len() >= self.invites_max {
            let most = self.invites_max;
            return Err(RosterError::LimitInvites { most });
        }
        self.check_names(invite)
    }

    fn check_names(&self, invite: &InviteRecord) -> Result<(), RosterError> {
        check_invite_name(&invite.name).map_err(|fault| RosterError::Name { fault })?;
        if self.invite_of(invite.id).is_some() {
            let what = "the id of an invite";
            return Err(RosterError::Twice { what });
        }
        match self.is_name_of_invite(&invite.name) {
            Some(other) if invite.revoked_ms.is_none() => Err(RosterError::NameTaken {
                name: other.name.clone(),
            }),
            _ => Ok(()),
        }
    }

    /// Makes room for one more, at a moment when there is none. Players of a revoked invite stay as they are:
    /// to be of an invite that is not known any more is the same as to be of one that was revoked.
    fn forget_an_invite(&mut self, now_ms: u64) -> Result<(), RosterError> {
        let revoked = self.invites.iter().filter(|one| one.revoked_ms.is_some());
        let revoked = revoked.min_by_key(|one| one.revoked_ms).map(|one| one.id);
        let unused = || {
            let expired = self.invites.iter().filter(|one| {
                let is_of_it = |id: InviteId| id == one.id;
                let players = &mut self.players.iter();
                self.state(one, now_ms) == InviteState::Expired
                    && !players.any(|player| is_of_it(player.invite))
            });
            expired.min_by_key(|one| one.expires_ms).map(|one| one.id)
        };
        let most = self.invites_max;
        let id = revoked.or_else(unused);
        let id = id.ok_or(RosterError::LimitInvites { most })?;
        self.invites.retain(|invite| invite.id != id);
        Ok(())
    }
}
