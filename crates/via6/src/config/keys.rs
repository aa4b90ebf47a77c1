//! The words of a file: every key with what it takes, and what was probably meant by another word.
//! `docs/reference/config.md` has the same keys, and a test that compares the two.

use super::foreign;
use crate::suggest::{nearest, plain};

/// What the value of a key is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Takes {
    YesNo,
    Level,
    Port,
    Game,
    /// The other end of a link.
    Link,
    Listen,
    Target,
    Metrics,
    Networks,
    Protocol,
    Splice,
    /// The invite of a host: a secret.
    Invite,
    /// A DNS name.
    Name,
    /// What somebody is called.
    Player,
    Transport,
}

impl Takes {
    /// Completes "`key` is …".
    pub(super) fn described(self) -> &'static str {
        match self {
            Self::YesNo => "true or false",
            Self::Level => "a number from 0 to 2",
            Self::Port => "a number from 1 to 65535",
            Self::Game => "a port, or \"HOST:PORT\" in quotes",
            Self::Link => "an address in quotes",
            Self::Listen => "an address and port in quotes",
            Self::Target => "host and port in quotes",
            Self::Metrics => "a port, or \"ADDR:PORT\" in quotes",
            Self::Networks => "an address in quotes, or a list of them",
            Self::Protocol => "\"tcp\" or \"udp\"",
            Self::Splice => "\"auto\", \"always\" or \"never\"",
            Self::Invite => "an invite in quotes",
            Self::Name => "a DNS name in quotes",
            Self::Player => "a name in quotes",
            Self::Transport => "\"auto\", \"quic\" or \"tls\"",
        }
    }

    /// True if it is a text in quotes, but for what [`or_number`](Self::or_number) says.
    pub(super) fn is_text(self) -> bool {
        !matches!(self, Self::YesNo | Self::Level | Self::Port)
    }

    /// A text that may be a port alone, without quotes.
    pub(super) fn or_number(self) -> bool {
        matches!(self, Self::Game | Self::Metrics)
    }
}

/// One key of a table.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) takes: Takes,
    /// A value for it, as it is written.
    pub(super) example: &'static str,
}

const fn key(name: &'static str, takes: Takes, example: &'static str) -> Key {
    Key {
        name,
        takes,
        example,
    }
}

/// A table, and what may stand in it.
#[derive(Debug)]
pub(super) struct Kind {
    pub(super) keys: &'static [Key],
    /// What other programs call it, and the key or the advice in its place.
    foreign: foreign::Words,
}

const SPLICE: Key = key("splice", Takes::Splice, "\"never\"");
const TRUST: Key = key("trust-relay", Takes::Networks, "\"2001:db8::1\"");
const TCP: Key = key("tcp", Takes::YesNo, "true");
const UDP: Key = key("udp", Takes::YesNo, "true");

/// The tables below the top, each with entries by name.
pub(super) const TABLES: [&str; 3] = ["host", "join", "relay"];

pub(super) const TOP: Kind = Kind {
    keys: &[
        key("verbose", Takes::Level, "1"),
        key("quiet", Takes::YesNo, "true"),
        key("json", Takes::YesNo, "true"),
        key("plain", Takes::YesNo, "true"),
        key("metrics", Takes::Metrics, "\"127.0.0.1:9646\""),
        SPLICE,
    ],
    foreign: foreign::TOP,
};

pub(super) const HOST: Kind = Kind {
    keys: &[
        key("game", Takes::Game, "25565"),
        key("open", Takes::YesNo, "true"),
        key("dns-name", Takes::Name, "\"play.example.org\""),
        key("port", Takes::Port, "43326"),
        key("listen", Takes::Listen, "\"[::]:43326\""),
        TCP,
        UDP,
        TRUST,
        SPLICE,
    ],
    foreign: foreign::HOST,
};

pub(super) const JOIN: Kind = Kind {
    keys: &[
        key("invite", Takes::Invite, "\"via6:1…\""),
        key("host", Takes::Link, "\"[2001:db8::1234]:43325\""),
        key("as", Takes::Player, "\"Alice\""),
        key("transport", Takes::Transport, "\"tls\""),
        key("listen", Takes::Listen, "\"127.0.0.1:46667\""),
        TCP,
        UDP,
        SPLICE,
    ],
    foreign: foreign::JOIN,
};

pub(super) const RELAY: Kind = Kind {
    keys: &[
        key("protocol", Takes::Protocol, "\"tcp\""),
        key("listen", Takes::Listen, "\"[::]:43325\""),
        key("target", Takes::Target, "\"127.0.0.1:64871\""),
        TRUST,
        SPLICE,
    ],
    foreign: foreign::RELAY,
};

/// What to say of an unknown word.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Meant {
    /// This word of ours.
    Word(&'static str),
    /// This sentence.
    Advice(&'static str),
}

impl std::fmt::Display for Meant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Word(word) => write!(f, "did you mean `{word}`?"),
            Self::Advice(advice) => f.write_str(advice),
        }
    }
}

/// What a key of this name takes, in whichever table knows it.
pub(super) fn anywhere(name: &str) -> Option<&'static Key> {
    let kinds: [&Kind; 4] = [&HOST, &JOIN, &RELAY, &TOP];
    kinds.iter().find_map(|kind| kind.key(name))
}

impl Kind {
    pub(super) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// What was probably meant by a key that is not one of these, nor one of the `others` that could
    /// stand here too.
    pub(super) fn meant(&self, word: &str, others: &[&'static str]) -> Option<Meant> {
        let known = || self.keys.iter().map(|key| key.name);
        let same = plain(word);
        if let Some(name) = known().find(|name| *name == same) {
            return Some(Meant::Word(name));
        }
        let mut foreign = self.foreign.iter();
        if let Some((ours, _)) =
            foreign.find(|(_, words)| words.split(' ').any(|word| word == same))
        {
            return Some(if ours.contains(' ') {
                Meant::Advice(ours)
            } else {
                Meant::Word(ours)
            });
        }
        nearest(word, known().chain(others.iter().copied())).map(Meant::Word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// The keys between backticks that begin the rows of a section.
    fn documented(heading: &str) -> BTreeSet<&'static str> {
        let text = include_str!("../../../../docs/reference/config.md");
        let mut sections = text.split("\n## ");
        let section = sections.find(|section| section.starts_with(heading));
        let rows = section.expect(heading).lines();
        rows.filter_map(|row| row.strip_prefix("| `")?.split('`').next())
            .collect()
    }

    #[test]
    fn the_reference_has_every_key_and_no_others() {
        for (heading, kind) in [
            ("At the top", &TOP),
            ("`[host.NAME]`", &HOST),
            ("`[join.NAME]`", &JOIN),
            ("`[relay.NAME]`", &RELAY),
        ] {
            let known: BTreeSet<_> = kind.keys.iter().map(|key| key.name).collect();
            assert!(known.len() >= 5);
            assert_eq!(documented(heading), known, "{heading}");
        }
    }

    #[test]
    fn no_word_of_another_program_is_one_of_ours_or_stands_for_nothing() {
        for kind in [&TOP, &HOST, &JOIN, &RELAY] {
            let mut seen = BTreeSet::new();
            for (ours, words) in kind.foreign {
                assert!(
                    ours.contains([' ', '[']) || kind.key(ours).is_some(),
                    "{ours}"
                );
                for word in words.split(' ') {
                    assert!(kind.key(word).is_none(), "{word} is a key");
                    assert_eq!(plain(word), word);
                    assert!(seen.insert(word), "{word} is there twice");
                }
            }
        }
    }

    #[test]
    fn what_is_meant_is_proposed() {
        for (kind, word, advice) in [
            (&HOST, "prot", "did you mean `port`?"),
            (&HOST, "Server", "did you mean `game`?"),
            (&HOST, "trust_relay", "did you mean `trust-relay`?"),
            (&JOIN, "local_addr", "did you mean `listen`?"),
            (&RELAY, "proto", "did you mean `protocol`?"),
            (&RELAY, "colour", "-"),
            (&TOP, "services", "did you mean `[host.NAME]`?"),
        ] {
            let seen = kind.meant(word, &[]);
            let seen = seen.map_or("-".to_owned(), |meant| meant.to_string());
            assert_eq!(seen, advice, "{word}");
        }
    }
}
