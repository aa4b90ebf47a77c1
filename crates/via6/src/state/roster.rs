//! The roster of a host from one run to the next: its invites and players. One JSON file, a [`Document`].
//! Holds secrets; nothing of it is printed from here.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use via6_core::invite::Secret;
use via6_core::roster::{Identity, InviteRecord, PlayerRecord, Roster};

use super::document::{Document, Kind, overlay};
use super::folder::Folder;
use super::lock::Lock;
use super::trouble::Trouble;
use crate::secrets::{digits, of_digits};

pub(super) const KIND: Kind = Kind {
    file: "players.json",
    version: 1,
};

/// The file. What it holds is with whoever opened it.
#[derive(Debug)]
pub(crate) struct RosterFile(Document);

#[derive(Deserialize, Serialize)]
struct Invite {
    name: String,
    #[serde(serialize_with = "shown", deserialize_with = "read")]
    id: [u8; 8],
    #[serde(serialize_with = "shown", deserialize_with = "read")]
    secret: [u8; 16],
    created_ms: u64,
    #[serde(default)]
    expires_ms: Option<u64>,
    #[serde(default)]
    uses: Option<u32>,
    #[serde(default)]
    used: u32,
    #[serde(default)]
    revoked_ms: Option<u64>,
    #[serde(default)]
    default: bool,
}

#[derive(Deserialize, Serialize)]
struct Player {
    #[serde(serialize_with = "shown", deserialize_with = "read")]
    identity: [u8; 32],
    name: String,
    asked_name: String,
    #[serde(serialize_with = "shown", deserialize_with = "read")]
    invite: [u8; 8],
    first_seen_ms: u64,
    last_seen_ms: u64,
    #[serde(default)]
    banned_ms: Option<u64>,
}

#[derive(Default, Deserialize)]
struct Known {
    #[serde(default)]
    invites: Vec<Invite>,
    #[serde(default)]
    players: Vec<Player>,
}

impl RosterFile {
    /// Reads it; nobody is in it, if there is a trouble with it. With the lock, what is damaged is set aside.
    pub(crate) fn open(folder: &Folder, lock: Option<&Lock>) -> (Self, Roster, Option<Trouble>) {
        let (document, roster, trouble) = Document::open(folder, KIND, lock, restore);
        (Self(document), roster.unwrap_or_default(), trouble)
    }

    /// Makes it hold this roster; waits for the disk. A file that must not be touched, of which
    /// [`open`](Self::open) told, stays as it is.
    pub(crate) fn save(&mut self, _: &Lock, roster: &Roster) -> Result<(), Trouble> {
        let invites = roster.invites().iter().map(Invite::from);
        self.put("invites", "id", invites.collect())?;
        let players = roster.players().iter().map(Player::from);
        self.put("players", "identity", players.collect())?;
        self.0.save()
    }

    /// Puts a list into the document, each over what stood there of the same `key`.
    fn put<T: Serialize>(&mut self, list: &str, key: &str, all: Vec<T>) -> Result<(), Trouble> {
        let old = self.0.whole.remove(list);
        let keyed = |one: Value| Some((one.get(key)?.as_str()?.to_ascii_lowercase(), one));
        let old = match old {
            Some(Value::Array(old)) => old.into_iter().filter_map(keyed).collect(),
            _ => Map::new(),
        };
        let mut new = Vec::new();
        for one in all {
            let one = self.0.value_of(&one)?;
            let before = one.get(key).and_then(Value::as_str);
            let mut kept = before
                .and_then(|key| old.get(key))
                .cloned()
                .unwrap_or_default();
            overlay(&mut kept, &one);
            new.push(kept);
        }
        self.0.whole.insert(list.into(), Value::Array(new));
        Ok(())
    }
}

fn restore(whole: &Map<String, Value>) -> Result<Roster, String> {
    // Its message would repeat what stands there, be it a secret.
    let known = Known::deserialize(whole).map_err(|_| "it has something else than players")?;
    let invites = known.invites.into_iter().map(InviteRecord::from);
    let players = known.players.into_iter().map(PlayerRecord::from);
    Roster::restore(invites.collect(), players.collect()).map_err(|error| error.to_string())
}

impl From<&InviteRecord> for Invite {
    fn from(one: &InviteRecord) -> Self {
        Self {
            name: one.name.clone(),
            id: one.id,
            secret: one.secret.0,
            created_ms: one.created_ms,
            expires_ms: one.expires_ms,
            uses: one.uses,
            used: one.used,
            revoked_ms: one.revoked_ms,
            default: one.is_default,
        }
    }
}

impl From<Invite> for InviteRecord {
    fn from(one: Invite) -> Self {
        Self {
            name: one.name,
            id: one.id,
            secret: Secret(one.secret),
            created_ms: one.created_ms,
            expires_ms: one.expires_ms,
            uses: one.uses,
            used: one.used,
            revoked_ms: one.revoked_ms,
            is_default: one.default,
        }
    }
}

impl From<&PlayerRecord> for Player {
    fn from(one: &PlayerRecord) -> Self {
        Self {
            identity: one.identity.0,
            name: one.name.clone(),
            asked_name: one.asked_name.clone(),
            invite: one.invite,
            first_seen_ms: one.first_seen_ms,
            last_seen_ms: one.last_seen_ms,
            banned_ms: one.banned_ms,
        }
    }
}

impl From<Player> for PlayerRecord {
    fn from(one: Player) -> Self {
        Self {
            identity: Identity(one.identity),
            name: one.name,
            asked_name: one.asked_name,
            invite: one.invite,
            first_seen_ms: one.first_seen_ms,
            last_seen_ms: one.last_seen_ms,
            banned_ms: one.banned_ms,
        }
    }
}

fn shown<S: Serializer, const N: usize>(bytes: &[u8; N], to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&digits(bytes))
}

fn read<'de, D: Deserializer<'de>, const N: usize>(from: D) -> Result<[u8; N], D::Error> {
    let text = String::deserialize(from)?;
    of_digits(&text).ok_or_else(|| D::Error::custom("hexadecimal digits are wrong"))
}

#[cfg(test)]
#[path = "roster_tests.rs"]
mod tests;
