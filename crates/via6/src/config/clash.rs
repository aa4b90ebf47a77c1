//! What is wrong with entries together: two that listen in one place, and those that lead back to
//! themselves. What only the system knows, such as a port that another program has, shows when
//! they are started.

use via6_core::addr::{Host, HostPort, Listen};

use super::entries::Draft;
use super::section::{Placed, Reader};
use crate::entry::Protocols;
use crate::link::Link;
use crate::narrator::Role;

/// Something that listens.
pub(super) struct Place<'e> {
    pub(super) listen: &'e Listen,
    pub(super) carried: Protocols,
}

/// Where metrics are served: over TCP.
pub(super) const METRICS: Protocols = Protocols {
    tcp: true,
    udp: false,
};

impl Place<'_> {
    /// The protocols for which the system would refuse to listen in both places.
    pub(super) fn in_common(&self, other: &Self) -> Option<Protocols> {
        let (one, two) = (self.listen, other.listen);
        // Any free port is never taken. `[::]` is IPv6 alone, everywhere.
        if one.port == 0 || one.port != two.port || one.ip.is_ipv4() != two.ip.is_ipv4() {
            return None;
        }
        let everywhere = one.ip.is_unspecified() || two.ip.is_unspecified();
        if !everywhere && (one.ip, &one.zone) != (two.ip, &two.zone) {
            return None;
        }
        let common = Protocols {
            tcp: self.carried.tcp && other.carried.tcp,
            udp: self.carried.udp && other.carried.udp,
        };
        (common.tcp || common.udp).then_some(common)
    }
}

/// What listens for an entry: a sealed host has its one port for both transports.
pub(super) fn listens_for(link: &Link, carried: Protocols) -> Protocols {
    match link {
        Link::Open => carried,
        Link::Shared(_) => Protocols::BOTH,
        Link::Invited(_) => Protocols::TCP,
    }
}

impl Draft {
    fn place(&self) -> Option<Place<'_>> {
        Some(Place {
            listen: &self.listen.as_ref()?.value,
            carried: listens_for(self.link.as_ref()?, self.carried),
        })
    }

    pub(super) fn is_shared(&self) -> bool {
        matches!(self.link, Some(Link::Shared(_)))
    }
}

/// Tells of all of it.
pub(super) fn check(reader: &mut Reader<'_>, drafts: &[Draft], metrics: Option<&Placed<Listen>>) {
    for (index, draft) in drafts.iter().enumerate() {
        let before = drafts.get(..index).unwrap_or_default();
        check_one_port(reader, draft, before);
        check_listening(reader, draft, before, drafts, metrics);
        check_circle(reader, drafts, index);
    }
    let Some(metrics) = metrics else { return };
    let place = Place {
        listen: &metrics.value,
        carried: METRICS,
    };
    let taken = |draft: &&Draft| {
        draft
            .place()
            .is_some_and(|at| at.in_common(&place).is_some())
    };
    if let Some(draft) = drafts.iter().find(taken) {
        let message = format!(
            "metrics on {}, where {} in line {} listens",
            metrics.value, draft.title, draft.line
        );
        let free = with_port(&metrics.value, free_port(metrics.value.port, drafts, None));
        let hint = format!("metrics = \"{free}\"");
        reader.found.hint(metrics.place.clone(), message, hint);
    }
}

/// All games of a host are shared on one port, under one name. Who says nothing goes along.
fn check_one_port(reader: &mut Reader<'_>, draft: &Draft, before: &[Draft]) {
    let mut hosts = before.iter().filter(|other| other.is_shared());
    let (true, Some(first)) = (draft.is_shared(), hosts.next()) else {
        return;
    };
    if let (Some(own), Some(other)) = (&draft.listen, &first.listen)
        && own.value != other.value
    {
        let message = format!(
            "{} is shared on {}, and {} in line {} on {}: all games of a host go through one port",
            draft.title, own.value, first.title, first.line, other.value
        );
        let hint = "leave `port` and `listen` out of all but the first".to_owned();
        reader.found.hint(own.place.clone(), message, hint);
    }
    if let (Some(Link::Shared(own)), Some(Link::Shared(other))) = (&draft.link, &first.link)
        && let (Some(own), Some(other)) = (&own.name, &other.name)
        && own != other
    {
        let message = format!(
            "a host has one name, and {} in line {} calls it {other}",
            first.title, first.line
        );
        let hint = "leave `dns-name` out of all but the first".to_owned();
        reader.found.hint(draft.place.clone(), message, hint);
    }
}

fn check_listening(
    reader: &mut Reader<'_>,
    draft: &Draft,
    before: &[Draft],
    all: &[Draft],
    metrics: Option<&Placed<Listen>>,
) {
    let (Some(place), Some(written)) = (draft.place(), &draft.listen) else {
        return;
    };
    // Those of one host have one port, which is looked at by itself.
    let others = before.iter();
    let mut others = others.filter(|other| !(draft.is_shared() && other.is_shared()));
    let taken = others.find_map(|other| {
        let at = other.place()?;
        Some((place.in_common(&at)?, other, at.listen))
    });
    let Some((common, other, other_listen)) = taken else {
        return;
    };
    let listen = &written.value;
    let wider = if listen == other_listen {
        String::new()
    } else {
        format!(" on {other_listen}")
    };
    let message = format!(
        "{} listens on {listen} ({common}), where {} in line {} does already{wider}",
        draft.title, other.title, other.line
    );
    let port = free_port(listen.port, all, metrics);
    let hint = if draft.by_port {
        format!("port = {port}")
    } else {
        format!("listen = \"{}\"", with_port(listen, port))
    };
    reader.found.hint(written.place.clone(), message, hint);
}

/// A port near this one that no entry has.
fn free_port(port: u16, drafts: &[Draft], metrics: Option<&Placed<Listen>>) -> u16 {
    let of_entries = drafts.iter().filter_map(|draft| draft.listen.as_ref());
    let taken: Vec<_> = of_entries
        .chain(metrics)
        .map(|listen| listen.value.port)
        .collect();
    // Those below are kept for the administrator.
    let first = if port < 1024 { port + 40_000 } else { port };
    let mut near = (first..=u16::MAX).skip(1).chain(1024..=first);
    near.find(|port| !taken.contains(port)).unwrap_or(port)
}

fn with_port(listen: &Listen, port: u16) -> Listen {
    Listen {
        port,
        ..listen.clone()
    }
}

/// Whether what is dialled there comes out here.
fn leads_into(upstream: &HostPort, listen: &Listen) -> bool {
    if listen.port == 0 || upstream.port != listen.port {
        return false;
    }
    match &upstream.host {
        Host::V4(ip) => {
            listen.ip == *ip
                || (listen.ip.is_unspecified() && listen.ip.is_ipv4() && ip.is_loopback())
        }
        Host::V6(ip, zone) => {
            let same = listen.ip == *ip && listen.zone == *zone;
            same || (listen.ip.is_unspecified() && listen.ip.is_ipv6() && ip.is_loopback())
        }
        // What a name stands for is known when it is dialled.
        Host::Name(_) => false,
    }
}

/// Follows the entry at `index` from one to the next; if that ends where it began, a player's first
/// byte would go round for ever.
fn check_circle(reader: &mut Reader<'_>, drafts: &[Draft], index: usize) {
    for wanted in [
        Protocols {
            tcp: true,
            udp: false,
        },
        Protocols {
            tcp: false,
            udp: true,
        },
    ] {
        let carries =
            |draft: &Draft| (wanted.tcp && draft.carried.tcp) || (wanted.udp && draft.carried.udp);
        let next = |from: usize| {
            let upstream = &drafts.get(from)?.upstream.as_ref()?.value;
            let is_next = |draft: &Draft| {
                let listen = draft.listen.as_ref();
                carries(draft) && listen.is_some_and(|at| leads_into(upstream, &at.value))
            };
            drafts.iter().position(is_next)
        };
        let mut way = vec![index];
        while let Some(to) = way.last().and_then(|last| next(*last)) {
            if to == index {
                // Each circle is told once, at its first entry.
                if way.iter().min() == Some(&index) {
                    tell_circle(reader, drafts, &way);
                    return;
                }
                break;
            }
            if way.contains(&to) {
                break;
            }
            way.push(to);
        }
    }
}

fn tell_circle(reader: &mut Reader<'_>, drafts: &[Draft], way: &[usize]) {
    let mut drafts = way.iter().filter_map(|index| drafts.get(*index));
    let Some(first) = drafts.next() else { return };
    let Some(upstream) = &first.upstream else {
        return;
    };
    let target = &upstream.value;
    let key = match first.role {
        Role::Host => "game",
        Role::Join if first.link != Some(Link::Open) => "invite",
        Role::Join => "host",
        Role::Relay => "target",
    };
    let others: Vec<_> = drafts
        .map(|draft| format!("{} in line {}", draft.title, draft.line))
        .collect();
    let (message, hint) = if others.is_empty() {
        (
            format!("cannot relay {target} to itself"),
            format!(
                "`listen` is where this {} is found, `{key}` is where the game is",
                first.role.label()
            ),
        )
    } else {
        (
            format!(
                "cannot relay {} to itself: {target} leads to {}, and that back here",
                first.title,
                others.join(", then ")
            ),
            "one of them has to lead to the game".to_owned(),
        )
    };
    reader.found.hint(upstream.place.clone(), message, hint);
}
