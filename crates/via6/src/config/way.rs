//! Where an entry leads and by which link: the keys of a host or a join that say so.

use via6_core::addr::HostPort;
use via6_core::invite::Invite;

use super::addresses::Asked;
use super::section::{Placed, Reader, Section};
use super::{Origins, Source};
use crate::link::{Invited, Link, Shared, Transport, first_place};
use crate::narrator::Role;
use crate::reading;

pub(super) type Upstream = Option<Placed<HostPort>>;

/// Where the entry leads, and how.
pub(super) struct Way {
    pub(super) upstream: Upstream,
    /// Which protocols a pasted line asks for.
    pub(super) pasted: Option<Asked>,
    pub(super) link: Option<Link>,
    pub(super) origins: Origins,
}

pub(super) fn way(reader: &mut Reader<'_>, role: Role, section: &Section<'_>) -> Way {
    let mut origins = Origins::default();
    let (mut pasted, mut link) = (None, Some(Link::Open));
    let upstream = match role {
        Role::Host => {
            link = Some(shared(reader, section, &mut origins));
            reader.game(section)
        }
        Role::Join if is_by_invite(reader, section) => {
            check_one_host(reader, section);
            let invite = reader.invite(section);
            link = None;
            invite.map(|invite| {
                let place = invite.place.clone();
                let value = first_place(&invite.value);
                link = Some(invited(reader, section, invite.value, &mut origins));
                Placed { value, place }
            })
        }
        Role::Join => {
            check_sealed_keys(reader, section);
            let found = reader.link(section);
            found.map(|(host, asked)| {
                pasted = asked;
                host
            })
        }
        Role::Relay => reader.target(section),
    };
    Way {
        upstream,
        pasted,
        link,
        origins,
    }
}

/// The link of a host: sealed, unless it says that anybody may come.
fn shared(reader: &mut Reader<'_>, section: &Section<'_>, origins: &mut Origins) -> Link {
    let open = reader.yes_no(section, "open");
    let name = reader.dns_name(section);
    let is_open = open.as_ref().is_some_and(|open| open.value);
    if let Some(open) = open {
        origins.open = reader.sourced(open).source;
    }
    if let (true, Some((key, _))) = (is_open, section.table.get_key_value("dns-name")) {
        let message = "`dns-name` is for invites, and an open host has none";
        let hint = "friends can type the name: via6 join NAME".to_owned();
        reader.found.hint(key.span(), message, hint);
    }
    if is_open {
        return Link::Open;
    }
    let name = name.map(|name| reader.sourced(name));
    origins.dns_name = name.as_ref().map_or(Source::Default, |name| name.source);
    Link::Shared(Shared {
        name: name.map(|name| name.value),
    })
}

fn invited(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    invite: Invite,
    origins: &mut Origins,
) -> Link {
    let player = reader.player(section).map(|name| reader.sourced(name));
    let transport = reader.transport(section);
    let transport = transport.map(|transport| reader.sourced(transport));
    origins.player = player.as_ref().map_or(Source::Default, |name| name.source);
    origins.transport = transport.map_or(Source::Default, |one| one.source);
    Link::Invited(Box::new(Invited {
        invite,
        player: player.map_or_else(reading::login_name, |name| name.value),
        transport: transport.map_or_else(Transport::default, |one| one.value),
    }))
}

/// Whether a join has an invite, be it in a line that cannot be read.
fn is_by_invite(reader: &Reader<'_>, section: &Section<'_>) -> bool {
    let has = |key| section.table.contains_key(key);
    has("invite") || (!has("host") && reader.has(section, "invite"))
}

/// A join leads to one host.
fn check_one_host(reader: &mut Reader<'_>, section: &Section<'_>) {
    if let Some((key, _)) = section.table.get_key_value("host") {
        let message = "`invite` and `host` cannot be used together";
        let hint = "the invite says where the host is; leave `host` out".to_owned();
        reader.found.hint(key.span(), message, hint);
    }
}

/// What is said of an invite's link says nothing of an open one.
fn check_sealed_keys(reader: &mut Reader<'_>, section: &Section<'_>) {
    if !section.table.contains_key("host") {
        return;
    }
    for name in ["as", "transport"] {
        if let Some((key, _)) = section.table.get_key_value(name) {
            let message = format!("`{name}` is for invites, and {} has none", section.title);
            let hint = format!("leave `{name}` out");
            reader.found.hint(key.span(), message, hint);
        }
    }
}
