//! Reads the values of one table: each is there and right, not there, or a problem that is told.
//! Those that are addresses are in `addresses`; what values mean together is the business of `entries`.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use via6_core::addr::{Excerpt, Listen};
use via6_core::roster::clean_name;

use super::keys::{Key, Kind, Meant, TABLES, TOP, Takes};
use super::problem::Found;
use super::syntax::Broken;
use super::text::Text;
use super::{Source, Sourced};
use crate::args::{Protocol, Splice};
use crate::link::Transport;
use crate::suggest::nearest;

/// What all tables of a file are read with.
pub(super) struct Reader<'t> {
    pub(super) text: &'t Text,
    pub(super) broken: &'t Broken,
    pub(super) found: Found,
}

/// One table: the top of the file, or `[host.minecraft]`.
pub(super) struct Section<'t> {
    pub(super) kind: &'static Kind,
    /// `[host.minecraft]`; nothing at the top.
    pub(super) title: String,
    /// Where it is named.
    pub(super) place: Range<usize>,
    /// The lines it may reach over.
    pub(super) lines: Range<usize>,
    pub(super) table: &'t DeTable<'t>,
    /// Keys that were meant by others, which are unknown and were told.
    pub(super) meant: Vec<&'static str>,
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Placed<T> {
    pub(super) value: T,
    pub(super) place: Range<usize>,
}

impl<T> Placed<T> {
    pub(super) fn map<U>(self, map: impl FnOnce(T) -> U) -> Placed<U> {
        let Self { value, place } = self;
        Placed {
            value: map(value),
            place,
        }
    }
}

impl Reader<'_> {
    /// The value with its line as its source.
    pub(super) fn sourced<T>(&self, placed: Placed<T>) -> Sourced<T> {
        let Placed { value, place } = placed;
        let line = self.text.line_at(place.start);
        Sourced {
            value,
            source: Source::File { line },
        }
    }

    /// Tells of every key that does not belong into this table.
    pub(super) fn check_keys(&mut self, section: &mut Section<'_>) {
        for (key, value) in section.table {
            let (name, place) = (key.get_ref().as_ref(), key.span());
            let top = section.title.is_empty();
            let is_table = top && TABLES.contains(&name);
            if is_table || section.kind.key(name).is_some() || self.is_broken(&place) {
                continue;
            }
            let is_below = matches!(value.get_ref(), DeValue::Table(_) | DeValue::Array(_));
            let others: &[&'static str] = if top { &TABLES } else { &[] };
            let meant = section.kind.meant(name, others);
            let hint = if !top && TOP.key(name).is_some() {
                let above = "belongs to the top of the file, above the first `[…]`";
                Some(format!("`{name}` {above}"))
            } else if top && is_below {
                misplaced_table(name, value.get_ref())
            } else {
                if let Some(Meant::Word(word)) = meant {
                    section.meant.push(word);
                }
                meant.map(|meant| meant.to_string())
            };
            let what = if top && is_below { "table" } else { "key" };
            let within = match &*section.title {
                "" => String::new(),
                title => format!(" in {title}"),
            };
            let shown = Excerpt::of(name);
            self.found
                .hint(place, format!("unknown {what} `{shown}`{within}"), hint);
        }
    }

    /// Whether the table says something of `key`, be it in a line that could not be read or by
    /// another word.
    pub(super) fn has(&self, section: &Section<'_>, key: &str) -> bool {
        section.table.contains_key(key)
            || section.meant.contains(&key)
            || self.broken.may_be(key, self.text, &section.lines)
    }

    /// Tells which of the keys that it needs are missing.
    pub(super) fn check_missing(&mut self, section: &Section<'_>, required: &[&str]) {
        let keys = section.kind.keys.iter();
        let missing: Vec<_> = keys
            .filter(|key| required.contains(&key.name) && !self.has(section, key.name))
            .collect();
        if missing.is_empty() || self.is_broken(&section.place) {
            return;
        }
        let names: Vec<_> = missing
            .iter()
            .map(|key| format!("`{}`", key.name))
            .collect();
        let message = format!("{} has no {}", section.title, names.join(", no "));
        let examples = missing
            .iter()
            .map(|key| format!("{} = {}", key.name, key.example));
        let examples: Vec<_> = examples.collect();
        let gap = if examples.len() > 1 { "\n" } else { " " };
        let hint = format!("for instance:{gap}{}", examples.join("\n"));
        self.found.hint(section.place.clone(), message, hint);
    }

    /// Whether what stands here was put there in place of what could not be read.
    pub(super) fn is_broken(&self, place: &Range<usize>) -> bool {
        self.broken.has(self.text.line_at(place.start))
    }

    pub(super) fn wrong_type(
        &mut self,
        key: &str,
        takes: Takes,
        value: &Spanned<DeValue<'_>>,
        hint: String,
    ) {
        let message = match value.get_ref() {
            // The type is right, but not the value.
            DeValue::Integer(_) if !takes.is_text() && takes != Takes::YesNo => {
                format!("`{key}` is {}", takes.described())
            }
            value => format!("`{key}` is {}, not {}", takes.described(), type_of(value)),
        };
        self.found.hint(value.span(), message, hint);
    }

    pub(super) fn yes_no(&mut self, section: &Section<'_>, key: &str) -> Option<Placed<bool>> {
        let value = section.table.get(key)?;
        if let DeValue::Boolean(yes) = value.get_ref() {
            return Some(placed(*yes, value));
        }
        let yes = match value.get_ref() {
            DeValue::String(text) => !matches!(&*text.to_lowercase(), "false" | "no" | "off" | "0"),
            DeValue::Integer(number) => number.as_str() != "0",
            _ => true,
        };
        self.wrong_type(key, Takes::YesNo, value, format!("{key} = {yes}"));
        None
    }

    pub(super) fn level(&mut self, section: &Section<'_>) -> Option<Placed<u8>> {
        let value = section.table.get("verbose")?;
        match number(value) {
            Some(level @ 0..=2) => Some(placed(u8::try_from(level).ok()?, value)),
            Some(_) => {
                self.wrong_type("verbose", Takes::Level, value, "verbose = 2".into());
                None
            }
            None => {
                let level = match value.get_ref() {
                    DeValue::Boolean(false) => "0",
                    DeValue::String(text) if matches!(&**text, "0" | "1" | "2") => text,
                    _ => "1",
                };
                self.wrong_type("verbose", Takes::Level, value, format!("verbose = {level}"));
                None
            }
        }
    }

    pub(super) fn port(&mut self, section: &Section<'_>) -> Option<Placed<u16>> {
        let value = section.table.get("port")?;
        let right = number(value).and_then(|number| u16::try_from(number).ok());
        match (right, value.get_ref()) {
            (Some(0), _) => {
                let message = "cannot read `port`: a friend cannot dial port 0";
                let hint = "for any free port: listen = \"[::]:0\"".to_owned();
                self.found.hint(value.span(), message, hint);
                return None;
            }
            (Some(port), _) => return Some(placed(port, value)),
            (None, DeValue::String(text)) if text.parse::<u16>().is_ok() => {
                self.wrong_type("port", Takes::Port, value, format!("port = {text}"));
            }
            (None, DeValue::String(text)) if Listen::parse(text).is_ok() => {
                let hint = format!("with an address it is `listen`: listen = \"{text}\"");
                self.wrong_type("port", Takes::Port, value, hint);
            }
            _ => {
                let hint = "for instance: port = 43325".into();
                self.wrong_type("port", Takes::Port, value, hint);
            }
        }
        None
    }

    /// A text in quotes; where `bare` is true a number is one too.
    pub(super) fn text(
        &mut self,
        section: &Section<'_>,
        key: &str,
        bare: bool,
    ) -> Option<Placed<String>> {
        let value = section.table.get(key)?;
        let takes = section.kind.key(key)?.takes;
        match value.get_ref() {
            DeValue::String(text) => Some(placed(text.to_string(), value)),
            DeValue::Integer(_) if bare && is_port(value) => {
                Some(placed(number(value)?.to_string(), value))
            }
            DeValue::Integer(number) if bare => {
                let message = format!("cannot read `{key}`: {number} is not a port");
                let hint = "a port is a number from 1 to 65535".to_owned();
                self.found.hint(value.span(), message, hint);
                None
            }
            DeValue::Integer(number) if takes == Takes::Listen => {
                let hint = match section.kind.key("port") {
                    Some(_) => format!("for a port alone: port = {number}"),
                    None => format!("for this computer alone: {key} = \"127.0.0.1:{number}\""),
                };
                self.wrong_type(key, takes, value, hint);
                None
            }
            _ => {
                let example = section.kind.key(key)?.example;
                let hint = format!("for instance: {key} = {example}");
                self.wrong_type(key, takes, value, hint);
                None
            }
        }
    }

    pub(super) fn protocol(&mut self, section: &Section<'_>) -> Option<Placed<Protocol>> {
        let words = [("tcp", Protocol::Tcp), ("udp", Protocol::Udp)];
        let both = |text: &str| {
            let text = text.to_lowercase();
            text.contains("both") || (text.contains("tcp") && text.contains("udp"))
        };
        let value = section.table.get("protocol")?;
        let list = matches!(value.get_ref(), DeValue::Array(_));
        if list || matches!(value.get_ref(), DeValue::String(text) if both(text)) {
            let message = "a relay carries one protocol, \"tcp\" or \"udp\"";
            let hint = "for both write two relays".to_owned();
            self.found.hint(value.span(), message, hint);
            return None;
        }
        self.word(section, "protocol", &words)
    }

    pub(super) fn splice(&mut self, section: &Section<'_>) -> Option<Placed<Splice>> {
        let words = [
            ("auto", Splice::Auto),
            ("always", Splice::Always),
            ("never", Splice::Never),
        ];
        self.word(section, "splice", &words)
    }

    pub(super) fn transport(&mut self, section: &Section<'_>) -> Option<Placed<Transport>> {
        let words = [Transport::Auto, Transport::Quic, Transport::Tls];
        let words = words.map(|transport| (transport.label(), transport));
        self.word(section, "transport", &words)
    }

    /// What a player is called: cleaned, never refused.
    pub(super) fn player(&mut self, section: &Section<'_>) -> Option<Placed<String>> {
        let text = self.text(section, "as", false)?;
        Some(text.map(|text| clean_name(&text)))
    }

    /// One of a few words.
    fn word<T: Copy>(
        &mut self,
        section: &Section<'_>,
        key: &'static str,
        words: &[(&'static str, T)],
    ) -> Option<Placed<T>> {
        let value = section.table.get(key)?;
        let Key { takes, example, .. } = section.kind.key(key)?;
        let hint = format!("for instance: {key} = {example}");
        let DeValue::String(text) = value.get_ref() else {
            self.wrong_type(key, *takes, value, hint);
            return None;
        };
        let lower = text.trim().to_ascii_lowercase();
        if let Some((_, word)) = words.iter().find(|(word, _)| *word == lower) {
            return Some(placed(*word, value));
        }
        let shown = Excerpt::of(text);
        let message = format!("`{key}` is {}, not `{shown}`", takes.described());
        let meant = nearest(text, words.iter().map(|(word, _)| *word));
        let hint = meant.map_or(hint, |word| format!("did you mean \"{word}\"?"));
        self.found.hint(value.span(), message, hint);
        None
    }
}

/// A table at the top that is none of ours: perhaps an entry without its role before it.
fn misplaced_table(name: &str, value: &DeValue<'_>) -> Option<String> {
    let mut below = "NAME";
    if let DeValue::Table(table) = value {
        for (key, role) in [
            ("game", "host"),
            ("invite", "join"),
            ("host", "join"),
            ("target", "relay"),
        ] {
            if table.contains_key(key) {
                return Some(format!("did you mean `[{role}.{name}]`?"));
            }
        }
        let is_table = |value: &DeValue<'_>| matches!(value, DeValue::Table(_));
        let mut entries = table.iter().filter(|(_, value)| is_table(value.get_ref()));
        below = entries.next().map_or(below, |(name, _)| name.get_ref());
    }
    let near = nearest(name, TABLES);
    let meant = near.map(|table| format!("did you mean `[{table}.NAME]`?"));
    let meant = meant.or_else(|| Some(TOP.meant(name, &[])?.to_string()));
    Some(meant?.replace("NAME", below))
}

pub(super) fn placed<T>(value: T, at: &Spanned<DeValue<'_>>) -> Placed<T> {
    Placed {
        value,
        place: at.span(),
    }
}

fn number(value: &Spanned<DeValue<'_>>) -> Option<i64> {
    match value.get_ref() {
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).ok(),
        _ => None,
    }
}

fn is_port(value: &Spanned<DeValue<'_>>) -> bool {
    number(value).is_some_and(|number| u16::try_from(number).is_ok())
}

fn type_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text in quotes",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a number with a point",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
