//! What a joiner keeps of each host, by the host's key: where that has said it is, and where on this computer
//! its games were, so that the game's own list of servers stays right. One JSON file, a [`Document`].

use std::net::{SocketAddr, SocketAddrV6};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use via6_core::invite::Fingerprint;
use via6_core::limits::{SERVICES_MAX, STATE_JOINED_MAX};
use via6_sealed::Known;

use super::document::{Document, Kind};
use super::folder::Folder;
use super::lock::Lock;
use super::trouble::Trouble;
use crate::secrets::{digits, of_digits};

const KIND: Kind = Kind {
    file: "hosts.json",
    version: 1,
};

/// The hosts that are remembered, the one joined last first.
#[derive(Debug)]
pub(crate) struct Hosts {
    hosts: Vec<Host>,
    document: Document,
}

/// One host.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct Host {
    fingerprint: String,
    /// The newest that it has said: 0, if nothing.
    #[serde(default)]
    number: u64,
    #[serde(default)]
    addresses: Vec<SocketAddrV6>,
    #[serde(default)]
    dns_name: String,
    #[serde(default)]
    games: Vec<Game>,
}

/// Where a game of a host is found on this computer.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
struct Game {
    name: String,
    port: u16,
    local: SocketAddr,
}

#[derive(Default, Deserialize)]
struct File {
    #[serde(default)]
    hosts: Vec<Host>,
}

impl Hosts {
    /// Reads what is remembered; nothing, if there is a trouble with it.
    pub(crate) fn open(folder: &Folder, lock: Option<&Lock>) -> (Self, Option<Trouble>) {
        let (document, known, trouble) = Document::open(folder, KIND, lock, read);
        let hosts = known.map(|file| file.hosts).unwrap_or_default();
        (Self { hosts, document }, trouble)
    }

    /// Where a host has said it is.
    pub(crate) fn known(&self, host: Fingerprint) -> Known {
        let name = digits(&host.0);
        let found = self.hosts.iter().find(|one| one.fingerprint == name);
        found.map_or_else(Known::default, |host| Known {
            number: host.number,
            addresses: host.addresses.clone(),
            name: host.dns_name.clone(),
        })
    }

    /// Where a game of a host was on this computer.
    pub(crate) fn local(&self, host: Fingerprint, game: (&str, u16)) -> Option<SocketAddr> {
        let name = digits(&host.0);
        let host = self.hosts.iter().find(|one| one.fingerprint == name)?;
        let mut games = host.games.iter();
        let found = games.find(|one| (one.name.as_str(), one.port) == game)?;
        Some(found.local)
    }

    /// Remembers where a host says it is; waits for the disk.
    pub(crate) fn hear(
        &mut self,
        _: &Lock,
        host: Fingerprint,
        known: &Known,
    ) -> Result<(), Trouble> {
        let host = self.first(host);
        host.number = known.number;
        host.addresses.clone_from(&known.addresses);
        host.dns_name.clone_from(&known.name);
        self.save()
    }

    /// Remembers where a game of a host is; waits for the disk.
    pub(crate) fn place(
        &mut self,
        _: &Lock,
        host: Fingerprint,
        (name, port): (&str, u16),
        local: SocketAddr,
    ) -> Result<(), Trouble> {
        let host = self.first(host);
        host.games
            .retain(|one| (one.name.as_str(), one.port) != (name, port));
        let name = name.to_owned();
        host.games.insert(0, Game { name, port, local });
        host.games.truncate(SERVICES_MAX);
        self.save()
    }

    /// Puts it first; the one that was joined longest ago makes room.
    fn first(&mut self, host: Fingerprint) -> &mut Host {
        let name = digits(&host.0);
        let at = self.hosts.iter().position(|one| one.fingerprint == name);
        let host = at.map(|at| self.hosts.remove(at));
        let host = host.unwrap_or_else(|| Host {
            fingerprint: name,
            ..Host::default()
        });
        self.hosts.truncate(STATE_JOINED_MAX - 1);
        self.hosts.insert(0, host);
        #[allow(clippy::indexing_slicing, reason = "it has just been put there")]
        &mut self.hosts[0]
    }

    fn save(&mut self) -> Result<(), Trouble> {
        let hosts = self.document.value_of(&self.hosts)?;
        self.document.whole.insert("hosts".into(), hosts);
        self.document.save()
    }
}

fn read(whole: &Map<String, Value>) -> Result<File, String> {
    let file = File::deserialize(whole).map_err(|error| error.to_string())?;
    let is_one = |host: &Host| of_digits::<16>(&host.fingerprint).is_some();
    if file.hosts.iter().all(is_one) {
        Ok(file)
    } else {
        Err("a fingerprint in it is none".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_host_and_its_games_are_known_again() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(Some(place.path())).unwrap();
        let lock = Lock::take(&folder).unwrap();
        let (mut hosts, trouble) = Hosts::open(&folder, Some(&lock));
        assert!(trouble.is_none());
        let (one, other) = (Fingerprint([1; 16]), Fingerprint([2; 16]));
        let known = Known {
            number: 7,
            addresses: vec!["[2001:db8::1]:43325".parse().unwrap()],
            name: "play.example.org".into(),
        };
        hosts.hear(&lock, one, &known).unwrap();
        for port in [5, 6] {
            let local = at(&format!("127.0.0.1:{port}"));
            hosts
                .place(&lock, one, ("minecraft", 25565), local)
                .unwrap();
        }
        hosts
            .place(&lock, one, ("other", 25565), at("[::1]:9"))
            .unwrap();
        let (again, trouble) = Hosts::open(&folder, Some(&lock));
        assert!(trouble.is_none(), "{trouble:?}");
        for hosts in [&hosts, &again] {
            assert_eq!(hosts.known(one), known);
            assert_eq!(hosts.known(other), Known::default());
            let local = |host, name| hosts.local(host, (name, 25565));
            assert_eq!(local(one, "minecraft"), Some(at("127.0.0.1:6")));
            assert_eq!(local(one, "other"), Some(at("[::1]:9")));
            assert_eq!(local(other, "other"), None);
        }
    }

    #[test]
    fn only_so_many_are_kept_and_what_is_damaged_is_set_aside() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(Some(place.path())).unwrap();
        let lock = Lock::take(&folder).unwrap();
        let (mut hosts, _) = Hosts::open(&folder, Some(&lock));
        let host = |at: usize| Fingerprint([u8::try_from(at).unwrap(); 16]);
        for number in 0..=STATE_JOINED_MAX {
            let known = Known {
                number: 1,
                ..Known::default()
            };
            hosts.hear(&lock, host(number), &known).unwrap();
        }
        assert_eq!(hosts.known(host(0)).number, 0);
        assert_eq!(hosts.known(host(1)).number, 1);
        fs::write(
            folder.join(KIND.file),
            r#"{"version":1,"hosts":[{"fingerprint":"x"}]}"#,
        )
        .unwrap();
        let (hosts, trouble) = Hosts::open(&folder, Some(&lock));
        assert!(matches!(
            trouble,
            Some(Trouble::Damaged { aside: Some(_), .. })
        ));
        assert_eq!(hosts.known(host(1)).number, 0);
    }
}
