//! The players that are known: finding one, and banning it.

use super::error::RosterError;
use super::names::{clean_name, is_same};
use super::{Identity, InviteState, PlayerRecord, Roster};
use crate::frame::Closed;

/// Digits of an identity that have to be said at least: as many as are shown.
const DIGITS_MIN: usize = 8;

/// A player was banned.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Banned {
    /// Whose links are to end.
    pub identity: Identity,
    /// What the host calls it.
    pub name: String,
    /// It was banned before.
    pub already: bool,
    /// The invite that it had come by, which now admits nobody new, if it did before.
    pub closed_invite: Option<String>,
}

impl Roster {
    /// The player with this name, whatever the case of its letters; or whose identity begins so, of which at
    /// least 8 digits are needed. A name that is the beginning of somebody else's identity names neither.
    pub fn find_player(&self, name: &str) -> Result<&PlayerRecord, RosterError> {
        let digits = name.to_ascii_lowercase();
        let is_meant = |player: &&PlayerRecord| {
            is_same(&player.name, name)
                || (digits.len() >= DIGITS_MIN && player.identity.to_string().starts_with(&digits))
        };
        let mut found = self.players.iter().filter(is_meant);
        match (found.next(), found.count()) {
            (None, _) => Err(RosterError::UnknownPlayer),
            (Some(player), 0) => Ok(player),
            (Some(_), others) => Err(RosterError::Ambiguous { count: 1 + others }),
        }
    }

    /// The player with this identity.
    #[must_use]
    pub fn player_of(&self, identity: &Identity) -> Option<&PlayerRecord> {
        let mut players = self.players.iter();
        players.find(|player| player.identity == *identity)
    }

    /// Bans a player: it is not admitted any more, by whatever invite. While it is banned, the invite that it
    /// came by admits nobody new, since it could come as somebody else; others who came by it may still play.
    pub fn ban(&mut self, name: &str, now_ms: u64) -> Result<Banned, RosterError> {
        let player = self.find_player(name)?;
        let (identity, name) = (player.identity, player.name.clone());
        let already = player.banned_ms.is_some();
        let invite = self.invite_of(player.invite);
        let open = invite.filter(|invite| self.state(invite, now_ms) == InviteState::Open);
        let closed_invite = open.map(|invite| invite.name.clone());
        if let Some(player) = self.player_mut(&identity)
            && !already
        {
            player.banned_ms = Some(now_ms);
        }
        Ok(Banned {
            identity,
            name,
            already,
            closed_invite,
        })
    }

    /// Takes a ban back: the player is admitted as before, and so is whoever comes by its invite, unless
    /// another of its players is banned. Returns what the player is called.
    pub fn unban(&mut self, name: &str) -> Result<String, RosterError> {
        let player = self.find_player(name)?;
        let (identity, name) = (player.identity, player.name.clone());
        if player.banned_ms.is_none() {
            return Err(RosterError::NotBanned { name });
        }
        if let Some(player) = self.player_mut(&identity) {
            player.banned_ms = None;
        }
        Ok(name)
    }

    /// Whether somebody who was admitted may go on playing, and if not, why its links end.
    pub fn standing(&self, identity: &Identity) -> Result<(), Closed> {
        match self.player_of(identity) {
            Some(player) if player.banned_ms.is_some() => Err(Closed::Banned),
            Some(player) if self.is_good(player.invite) => Ok(()),
            // Forgotten for want of room, which is no reason to go: it comes in again by its invite.
            None => Ok(()),
            Some(_) => Err(Closed::Revoked),
        }
    }

    /// Somebody who was admitted is here at this moment. To be said of all who have a link every minute or so,
    /// and when a link ends: then those who play are not the ones that are forgotten.
    pub fn seen(&mut self, identity: &Identity, now_ms: u64) {
        if let Some(player) = self.player_mut(identity) {
            player.last_seen_ms = player.last_seen_ms.max(now_ms);
        }
    }

    pub(super) fn player_mut(&mut self, identity: &Identity) -> Option<&mut PlayerRecord> {
        let mut players = self.players.iter_mut();
        players.find(|player| player.identity == *identity)
    }

    pub(super) fn check_new_player(&self, player: &PlayerRecord) -> Result<(), RosterError> {
        let twice = |what| Err(RosterError::Twice { what });
        let mut players = self.players.iter();
        if self.players.len() >= self.players_max {
            let most = self.players_max;
            Err(RosterError::LimitPlayers { most })
        } else if self.player_of(&player.identity).is_some() {
            twice("an identity")
        } else if players.any(|other| is_same(&other.name, &player.name)) {
            twice("the name of a player")
        } else if clean_name(&player.name) != player.name
            || clean_name(&player.asked_name) != player.asked_name
        {
            Err(RosterError::UnfitPlayer)
        } else {
            Ok(())
        }
    }
}
