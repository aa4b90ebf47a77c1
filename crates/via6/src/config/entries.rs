//! The tables below the top, each a relay with a name: what is written in it, what a default fills
//! in, and where either comes from. Whether two of them get along is the business of `clash`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use via6_core::addr::{Excerpt, HostPort, Listen, Network};
use via6_core::limits::{CONFIG_ENTRIES_MAX, DEFAULT_JOIN_PORT, DEFAULT_LINK_PORT};

use super::addresses::Asked;
use super::keys::{HOST, JOIN, Kind, RELAY};
use super::line::is_bare;
use super::section::{Placed, Reader, Section};
use super::syntax::body_end;
use super::way::{Way, way};
use super::{Origins, Settings, Source, Sourced};
use crate::args::{Protocol, Splice};
use crate::entry::{Entry, Protocols, check_name};
use crate::link::Link;
use crate::narrator::Role;

/// An entry as far as it could be read.
pub(super) struct Draft {
    pub(super) title: String,
    /// Where it begins.
    pub(super) place: Range<usize>,
    name_place: Range<usize>,
    pub(super) line: usize,
    pub(super) name: String,
    pub(super) role: Role,
    pub(super) listen: Option<Placed<Listen>>,
    pub(super) upstream: Option<Placed<HostPort>>,
    pub(super) carried: Protocols,
    /// `listen` was given as a port alone, or may be.
    pub(super) by_port: bool,
    trusted: Vec<Network>,
    splice: Splice,
    /// `None`: it could not be read, which was told.
    pub(super) link: Option<Link>,
    origins: Origins,
}

impl Draft {
    /// The file says where it listens.
    pub(super) fn says_where(&self) -> bool {
        self.origins.listen != Source::Default
    }

    /// Complete, or something is missing that was told as a problem.
    pub(super) fn finish(self) -> Option<Settings> {
        let entry = Entry {
            name: self.name,
            role: self.role,
            listen: self.listen?.value,
            upstream: self.upstream?.value,
            carried: self.carried,
            trusted: self.trusted,
            splice: self.splice,
            link: self.link?,
        };
        Some(Settings {
            entry,
            line: self.line,
            by_port: self.by_port,
            origins: self.origins,
        })
    }
}

const ROLES: [(Role, &Kind); 3] = [
    (Role::Host, &HOST),
    (Role::Join, &JOIN),
    (Role::Relay, &RELAY),
];

/// All entries, in the order of the file.
pub(super) fn read(reader: &mut Reader<'_>, top: &DeTable<'_>) -> Vec<Draft> {
    let mut drafts = Vec::new();
    for (role, kind) in ROLES {
        let Some((key, value)) = top.get_key_value(role.label()) else {
            continue;
        };
        match value.get_ref() {
            DeValue::Table(entries) => {
                read_role(reader, role, kind, key.span(), entries, &mut drafts);
            }
            _ if reader.is_broken(&key.span()) => {}
            _ => no_name(reader, role, key.span()),
        }
    }
    drafts.sort_by_key(|draft| draft.place.start);
    if let Some(draft) = drafts.get(CONFIG_ENTRIES_MAX) {
        let message = format!("a file has at most {CONFIG_ENTRIES_MAX} entries");
        let hint = "write the others in a second file, and run that as well".to_owned();
        reader.found.hint(draft.place.clone(), message, hint);
    }
    check_names(reader, &drafts);
    share_one_port(&mut drafts);
    drafts
}

/// Those that are shared by invite go through one port: where one says it, the others go along.
fn share_one_port(drafts: &mut [Draft]) {
    let says = |draft: &&Draft| draft.is_shared() && draft.says_where();
    let Some(listen) = drafts.iter().find(says).and_then(|one| one.listen.clone()) else {
        return;
    };
    for draft in drafts {
        if draft.is_shared() && !draft.says_where() {
            let place = draft.place.clone();
            let value = listen.value.clone();
            draft.listen = Some(Placed { value, place });
        }
    }
}

fn no_name(reader: &mut Reader<'_>, role: Role, place: Range<usize>) {
    let role = role.label();
    let message = format!("each {role} has a name, and a table of its own");
    let hint = format!("for instance: [{role}.minecraft]");
    reader.found.hint(place, message, hint);
}

fn read_role(
    reader: &mut Reader<'_>,
    role: Role,
    kind: &'static Kind,
    place: Range<usize>,
    entries: &DeTable<'_>,
    drafts: &mut Vec<Draft>,
) {
    let is_table = |value: &Spanned<DeValue<'_>>| matches!(value.get_ref(), DeValue::Table(_));
    let stray = entries.iter().any(|(_, value)| !is_table(value));
    if (stray || entries.is_empty()) && !reader.is_broken(&place) {
        no_name(reader, role, place);
    }
    for (name, value) in entries {
        let DeValue::Table(table) = value.get_ref() else {
            continue;
        };
        let line = reader.text.line_at(name.span().start);
        // The whole of a header, if it has one.
        let headed = reader.text.as_str().get(value.span());
        let headed = headed.is_some_and(|text| text.starts_with('['));
        let mut section = Section {
            kind,
            title: header(role, name.get_ref()),
            place: if headed { value.span() } else { name.span() },
            lines: line..body_end(reader.text, line),
            table,
            meant: Vec::new(),
        };
        reader.check_keys(&mut section);
        let draft = read_one(reader, role, name.get_ref(), line, &section);
        drafts.push(Draft {
            name_place: name.span(),
            ..draft
        });
    }
}

fn read_one(
    reader: &mut Reader<'_>,
    role: Role,
    name: &str,
    line: usize,
    section: &Section<'_>,
) -> Draft {
    let required: &[&str] = match role {
        Role::Host => &["game"],
        Role::Join if reader.has(section, "host") => &[],
        Role::Join => &["invite"],
        Role::Relay => &["protocol", "listen", "target"],
    };
    reader.check_missing(section, required);
    let Way {
        upstream,
        pasted,
        link,
        mut origins,
    } = way(reader, role, section);
    let (listen, by_port, listen_source) = listen(reader, role, section, link.as_ref());
    let (tcp, udp) = match role {
        Role::Relay => protocol(reader, section),
        Role::Host | Role::Join => carried(reader, section, pasted),
    };
    let is_open = link.as_ref().is_some_and(Link::is_open);
    if !is_open && !tcp.value {
        let message = format!(
            "{} carries UDP alone, and sealed links carry TCP only so far",
            section.title
        );
        let hint = match role {
            Role::Host => "share it with anyone who knows the address: open = true",
            Role::Join | Role::Relay => "ask the host to share the game with open = true",
        };
        let place = section.table.get("udp").or(section.table.get("tcp"));
        let place = place.map_or(section.place.clone(), Spanned::span);
        reader.found.hint(place, message, hint.to_owned());
    }
    let trusted = reader
        .networks(section)
        .map(|networks| reader.sourced(networks))
        .unwrap_or_default();
    let splice = reader.splice(section).map_or(
        Sourced {
            value: Splice::Auto,
            source: Source::Default,
        },
        |splice| reader.sourced(splice),
    );
    origins.upstream = upstream.as_ref().map_or(Source::Default, |upstream| {
        reader.sourced(upstream.clone()).source
    });
    origins.listen = listen_source;
    (origins.tcp, origins.udp) = (tcp.source, udp.source);
    (origins.trusted, origins.splice) = (trusted.source, splice.source);
    Draft {
        title: section.title.clone(),
        place: section.place.clone(),
        name_place: section.place.clone(),
        line,
        name: name.to_owned(),
        role,
        listen,
        upstream,
        carried: Protocols {
            tcp: tcp.value,
            udp: udp.value,
        },
        by_port,
        trusted: trusted.value,
        splice: splice.value,
        link,
        origins,
    }
}

fn listen(
    reader: &mut Reader<'_>,
    role: Role,
    section: &Section<'_>,
    link: Option<&Link>,
) -> (Option<Placed<Listen>>, bool, Source) {
    let has = |key| section.table.contains_key(key);
    if role == Role::Host && has("port") {
        let port = reader.port(section);
        if let (Some(port), Some((key, _))) = (&port, section.table.get_key_value("listen")) {
            let message = "`port` and `listen` cannot be used together";
            let hint = format!(
                "listen = \"[::]:{}\" says both; leave `port` out",
                port.value
            );
            reader.found.hint(key.span(), message, hint);
        }
        let listen = port.map(|port| port.map(|port| at(Ipv6Addr::UNSPECIFIED.into(), port)));
        let source = source(reader, listen.as_ref());
        return (listen, true, source);
    }
    if has("listen") {
        let listen = reader.listen(section);
        let source = source(reader, listen.as_ref());
        return (listen, false, source);
    }
    let default = match role {
        Role::Host => at(Ipv6Addr::UNSPECIFIED.into(), DEFAULT_LINK_PORT),
        Role::Join => match link {
            Some(Link::Open) => at(Ipv4Addr::LOCALHOST.into(), DEFAULT_JOIN_PORT),
            // The games' own ports.
            _ => at(Ipv4Addr::LOCALHOST.into(), 0),
        },
        Role::Relay => return (None, false, Source::Default),
    };
    // What it says of that cannot be read, and was told.
    let unread = ["listen", "port"]
        .iter()
        .any(|key| reader.has(section, key));
    let listen = (!unread).then(|| Placed {
        value: default,
        place: section.place.clone(),
    });
    (listen, role == Role::Host, Source::Default)
}

fn source(reader: &Reader<'_>, listen: Option<&Placed<Listen>>) -> Source {
    listen.map_or(Source::Default, |listen| {
        reader.sourced(listen.clone()).source
    })
}

pub(super) fn at(ip: IpAddr, port: u16) -> Listen {
    Listen {
        ip,
        zone: None,
        port,
    }
}

/// What a host or join carries. What is said of one protocol alone says the opposite of the other,
/// as `--tcp` does; nothing said is both.
fn carried(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    pasted: Option<Asked>,
) -> (Sourced<bool>, Sourced<bool>) {
    let tcp = reader.yes_no(section, "tcp");
    let udp = reader.yes_no(section, "udp");
    let default = |value| Sourced {
        value,
        source: Source::Default,
    };
    match (tcp, udp) {
        (Some(tcp), Some(udp)) => {
            if !tcp.value && !udp.value {
                let message = format!("{} carries nothing: neither tcp nor udp", section.title);
                let hint = "leave both out to carry both".to_owned();
                reader.found.hint(udp.place.clone(), message, hint);
            }
            (reader.sourced(tcp), reader.sourced(udp))
        }
        (Some(tcp), None) => (reader.sourced(tcp.clone()), default(!tcp.value)),
        (None, Some(udp)) => (default(!udp.value), reader.sourced(udp)),
        (None, None) => match (pasted, section.table.get("host")) {
            (Some((tcp, udp)), Some(host)) => {
                let placed = |value| Placed {
                    value,
                    place: host.span(),
                };
                (reader.sourced(placed(tcp)), reader.sourced(placed(udp)))
            }
            _ => (default(true), default(true)),
        },
    }
}

/// What a relay carries.
fn protocol(reader: &mut Reader<'_>, section: &Section<'_>) -> (Sourced<bool>, Sourced<bool>) {
    let protocol = reader.protocol(section).unwrap_or(Placed {
        value: Protocol::Tcp,
        place: section.place.clone(),
    });
    let carries = |wanted: bool| protocol.clone().map(|_| wanted);
    let tcp = matches!(protocol.value, Protocol::Tcp);
    (reader.sourced(carries(tcp)), reader.sourced(carries(!tcp)))
}

/// A name has its form, and is there once: `via6 stop NAME` has to be clear.
fn check_names(reader: &mut Reader<'_>, drafts: &[Draft]) {
    let mut seen = std::collections::BTreeMap::<&str, &Draft>::new();
    for draft in drafts {
        if reader.is_broken(&draft.place) {
            continue;
        }
        let (name, role) = (draft.name.as_str(), draft.role);
        if let Err(why) = check_name(name) {
            let shown = Excerpt::of(name);
            let message = format!("cannot call a {} `{shown}`: {why}", role.label());
            let hint = format!("for instance: {}", header(role, &proper(name)));
            reader.found.hint(draft.name_place.clone(), message, hint);
        } else if let Some(first) = seen.get(name) {
            let message = format!(
                "the name `{name}` is taken by {}, in line {}",
                first.title, first.line
            );
            let other: String = name.chars().take(crate::entry::NAME_MAX - 2).collect();
            let hint = format!("for instance: {}", header(role, &(other + "-2")));
            reader.found.hint(draft.name_place.clone(), message, hint);
        } else {
            seen.insert(name, draft);
        }
    }
}

/// A name that resembles this one and is right.
fn proper(name: &str) -> String {
    let fits = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    let joined = name.chars().map(|c| if fits(c) { c } else { '-' });
    let joined: String = joined
        .skip_while(|c| !c.is_alphanumeric())
        .take(crate::entry::NAME_MAX)
        .collect();
    match joined.trim_end_matches('-') {
        "" => "minecraft".into(),
        name => name.into(),
    }
}

/// `[host.minecraft]`, with the name in quotes if TOML asks for them.
pub(super) fn header(role: Role, name: &str) -> String {
    let role = role.label();
    match check_name(name) {
        Ok(()) if name.chars().all(is_bare) => format!("[{role}.{name}]"),
        Ok(()) => format!("[{role}.\"{name}\"]"),
        Err(_) => format!("[{role}.\"{}\"]", Excerpt::of(name)),
    }
}
