//! Sealed links: the invite and what it leads to, and on the other side where a game finds the host's games.

use std::net::SocketAddr;

use serde_json::json;
use via6_core::invite::Invite;
use via6_relay::Running;

use super::host::notice;
use super::join::{dialled, no_route};
use crate::entry::Entry;
use crate::global_address::Reach;
use crate::link::{Link, first_place};
use crate::narrator::Narrator;
use crate::sealed::{Hosting, Located};

/// A game of a host, and where it is found on this computer.
pub(crate) struct Found<'a> {
    pub(crate) at: SocketAddr,
    pub(crate) name: &'a str,
    /// The port that it has on the host's side.
    pub(crate) port: u16,
}

/// The line that a friend pastes. Letters, digits and one colon: no shell makes anything of them.
fn line(invite: &Invite) -> String {
    format!("via6 join {}", invite.to_text())
}

/// Tells what is shared, with whom, and what a friend needs.
pub(crate) fn announce_invite(
    entry: &Entry,
    hosting: &Hosting,
    invite: &Invite,
    narrator: &Narrator,
) {
    let (game, listener) = (&entry.upstream, hosting.listener());
    for protocol in ["udp", "tcp"] {
        narrator.emit(json!({
            "event": "listening", "role": entry.role.label(), "protocol": protocol,
            "address": listener.to_string(), "upstream": game.to_string(), "link": "sealed",
        }));
    }
    narrator.tell(&format!(
        "sharing {game} (TCP) on {listener}, with whoever has the invite"
    ));
    if entry.carried.udp {
        narrator.say(&format!(
            "Sealed links carry TCP only so far. For a game that uses UDP as well: via6 host --open {}",
            super::local_game(entry)
        ));
    }
    give(invite, &hosting.located(), narrator);
    if !hosting.is_kept() {
        narrator.warn(
            "invite-not-kept",
            "there is no folder to keep the key of this computer in: the invite above is worth nothing after \
             the next start. --state DIR names a folder",
        );
    }
}

/// The line, where it leads, and how far.
fn give(invite: &Invite, located: &Located, narrator: &Narrator) {
    tell_scripts(invite, narrator);
    narrator.say("\nYour friend installs via6 and pastes this line:\n");
    narrator.give(&format!("  {}", line(invite)));
    narrator.say("");
    narrator.say(&leads_to(invite, located));
    if let Some((kind, text)) = located.reach.and_then(notice) {
        narrator.warn(kind, text);
    }
}

fn tell_scripts(invite: &Invite, narrator: &Narrator) {
    let addresses: Vec<_> = invite.addresses().iter().map(ToString::to_string).collect();
    narrator.emit(json!({
        "event": "invite", "invite": invite.to_text(), "line": line(invite),
        "addresses": addresses, "dns_name": invite.name().map(ToString::to_string),
        "port": invite.port(),
    }));
}

/// Which addresses are in it, and why these.
fn leads_to(invite: &Invite, located: &Located) -> String {
    let port = invite.port();
    let names = invite.name().map(ToString::to_string);
    let addresses = invite.addresses().iter().map(ToString::to_string);
    let places: Vec<_> = names.into_iter().chain(addresses).collect();
    let kind = match (located.reach, invite.addresses().len()) {
        (Some(Reach::Global), 1) => ", a lasting address of this computer",
        (Some(Reach::Global), 2..) => {
            ", lasting addresses of this computer, one for each network that it is in"
        }
        (Some(Reach::Temporary), 1..) => ", the addresses that this computer has for now",
        (Some(Reach::Home), 1..) => ", this computer within your own network",
        (Some(Reach::Nowhere), 1..) => ", this computer itself",
        _ => "",
    };
    format!(
        "It leads to {}{kind}; your router has to let UDP and TCP port {port} through to it.\n\
         Whoever has the line can play, and reaches nothing else here.",
        places.join(", ")
    )
}

/// Tells that this computer is elsewhere, and the invite for that if the one before is worth less now.
pub(crate) fn moved_house(
    located: &Located,
    (invite, is_needed): (&Invite, bool),
    narrator: &Narrator,
) {
    tell_scripts(invite, narrator);
    let addresses: Vec<_> = located.addresses.iter().map(ToString::to_string).collect();
    let now = if addresses.is_empty() {
        "this computer has no IPv6 address any more".to_owned()
    } else {
        format!(
            "the addresses of this computer have changed: {}",
            addresses.join(", ")
        )
    };
    narrator.tell(&format!(
        "{now}. Friends who are in have been told, and stay in"
    ));
    if !is_needed {
        return;
    }
    narrator
        .say("An address in the invite is gone; for whoever is not in yet this is the new line:\n");
    narrator.give(&format!("  {}", line(invite)));
    narrator.say("");
    if let Some((kind, text)) = located.reach.and_then(notice) {
        narrator.warn(kind, text);
    }
}

/// Tells that a host is being reached. What its games are is not known yet.
pub(crate) fn joining(entry: &Entry, narrator: &Narrator) {
    let Link::Invited(invited) = &entry.link else {
        return;
    };
    let place = first_place(&invited.invite);
    narrator.tell(&format!("joining {place} by invite"));
    let without = invited.invite.name().is_none();
    if let Some(cause) =
        no_route(&place).filter(|_| without && invited.invite.addresses().len() == 1)
    {
        let text = format!(
            "this computer cannot reach {place}: {cause}. Without IPv6 there is no way to this host; a phone's \
             hotspot often has it"
        );
        narrator.warn("no-route", &text);
    }
}

/// Tells where games are found that were not there before; `total`: how many there are now.
pub(crate) fn found(found: &[Found<'_>], total: usize, relay: &Running, narrator: &Narrator) {
    let upstream = relay.settings().upstream.to_string();
    for game in found {
        narrator.emit(json!({
            "event": "listening", "role": "join", "protocol": "tcp",
            "address": game.at.to_string(), "upstream": upstream, "link": "sealed",
            "service": game.name, "service_port": game.port,
        }));
    }
    let Some(first) = found.first() else { return };
    if total == 1 {
        narrator.say("\nIn your game, connect to this address:\n");
        narrator.give(&format!("  {}", dialled(first.at)));
    } else {
        narrator.say("\nIn your game, connect to the address of what you play:\n");
        let width = found.iter().map(|game| game.name.chars().count()).max();
        for Found { at, name, port } in found {
            let gap = " ".repeat(width.unwrap_or(0).saturating_sub(name.chars().count()));
            let there = if at.port() == *port {
                String::new()
            } else {
                format!("   (port {port} there)")
            };
            narrator.give(&format!("  {name}{gap}   {}{there}", dialled(*at)));
        }
    }
    narrator.say("");
}
