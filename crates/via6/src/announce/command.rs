//! An entry as the command that asks for it, to be shown and typed. Nothing is run from here.

use std::net::{Ipv4Addr, Ipv6Addr};

use via6_core::addr::Listen;
use via6_core::limits::{DEFAULT_JOIN_PORT, DEFAULT_LINK_PORT};

use super::carried_flags;
use crate::args::Splice;
use crate::entry::Entry;
use crate::link::{Link, Shared, Transport};
use crate::narrator::Role;

/// The command, without what would be so anyway.
pub(crate) fn command(entry: &Entry) -> String {
    let usual = match entry.role {
        Role::Host => (Ipv6Addr::UNSPECIFIED.into(), DEFAULT_LINK_PORT),
        // The games' own ports.
        Role::Join if !entry.link.is_open() => (Ipv4Addr::LOCALHOST.into(), 0),
        Role::Join => (Ipv4Addr::LOCALHOST.into(), DEFAULT_JOIN_PORT),
        Role::Relay => return command_at(entry, Some(&entry.listen)),
    };
    let listen = &entry.listen;
    let is_usual = (listen.ip, listen.port) == usual && listen.zone.is_none();
    command_at(entry, (!is_usual).then_some(listen))
}

/// The command that listens there, or at its usual place.
pub(super) fn command_at(entry: &Entry, listen: Option<&Listen>) -> String {
    let (upstream, flags) = (&entry.upstream, flags(entry));
    match entry.role {
        Role::Host => {
            let place = match listen {
                None => String::new(),
                // `--port 0` is refused.
                Some(at) if at.ip.is_unspecified() && at.ip.is_ipv6() && at.port != 0 => {
                    format!(" --port {}", at.port)
                }
                Some(at) => format!(" --listen '{at}'"),
            };
            let link = if entry.link.is_open() { " --open" } else { "" };
            format!("via6 host{link}{flags}{place} {}", local_game(entry))
        }
        Role::Join => {
            let place = listen.map(|at| format!(" --listen '{at}'"));
            let host = match entry.link {
                // The last host, without its invite: that is for whoever has it.
                Link::Invited(_) => String::new(),
                _ => format!(" '{upstream}'"),
            };
            format!("via6 join{host}{flags}{}", place.unwrap_or_default())
        }
        Role::Relay => {
            let protocol = if entry.carried.tcp { "tcp" } else { "udp" };
            let listen = listen.unwrap_or(&entry.listen);
            format!("via6 relay{flags} {protocol} '{listen}' '{upstream}'")
        }
    }
}

fn flags(entry: &Entry) -> String {
    let mut flags = match entry.role {
        Role::Host | Role::Join => carried_flags(entry.carried).to_owned(),
        Role::Relay => String::new(),
    };
    for network in &entry.trusted {
        flags = flags + " --trust-relay " + &network.to_string();
    }
    flags += match entry.splice {
        Splice::Auto => "",
        Splice::Always => " --splice always",
        Splice::Never => " --splice never",
    };
    match &entry.link {
        Link::Shared(Shared { name: Some(name) }) => flags = format!("{flags} --dns-name {name}"),
        Link::Invited(invited) if invited.transport != Transport::Auto => {
            flags = format!("{flags} --transport {}", invited.transport.label());
        }
        _ => {}
    }
    flags
}

/// The game of a host as a person types it.
pub(crate) fn local_game(entry: &Entry) -> String {
    let game = entry.upstream.to_string();
    match game.strip_prefix("127.0.0.1:") {
        Some(port) => port.to_owned(),
        None => game,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Args, Command};
    use crate::entry::{Origin, Protocols};
    use clap::Parser;
    use via6_core::addr::{HostPort, Network};

    fn entry(role: Role, listen: &str, upstream: &str) -> Entry {
        Entry {
            name: role.label().into(),
            role,
            listen: Listen::parse(listen).unwrap(),
            upstream: HostPort::parse_target(upstream).unwrap(),
            carried: Protocols::BOTH,
            trusted: Vec::new(),
            splice: Splice::Auto,
            link: Link::Open,
        }
    }

    #[test]
    fn what_is_usual_is_left_out() {
        for (role, listen, upstream, expected) in [
            (
                Role::Host,
                "[::]:43325",
                "127.0.0.1:25565",
                "via6 host --open 25565",
            ),
            (
                Role::Host,
                "[::]:5",
                "192.168.1.20:7777",
                "via6 host --open --port 5 192.168.1.20:7777",
            ),
            (
                Role::Host,
                "[::]:0",
                "127.0.0.1:1",
                "via6 host --open --listen '[::]:0' 1",
            ),
            (
                Role::Host,
                "[::1]:43325",
                "[::1]:1",
                "via6 host --open --listen '[::1]:43325' [::1]:1",
            ),
            (
                Role::Join,
                "127.0.0.1:46666",
                "[2001:db8::1]:5",
                "via6 join '[2001:db8::1]:5'",
            ),
            (
                Role::Join,
                "127.0.0.1:5",
                "a.example:5",
                "via6 join 'a.example:5' --listen '127.0.0.1:5'",
            ),
        ] {
            assert_eq!(command(&entry(role, listen, upstream)), expected);
        }
    }

    #[test]
    fn what_is_not_usual_is_said() {
        let mut host = entry(Role::Host, "[::]:43325", "127.0.0.1:25565");
        host.carried.udp = false;
        host.splice = Splice::Never;
        host.trusted = vec![Network::parse("2001:db8::/64").unwrap()];
        assert_eq!(
            command(&host),
            "via6 host --open --tcp --trust-relay 2001:db8::/64 --splice never 25565"
        );
        let mut join = entry(Role::Join, "[::1]:5", "[fe80::1%eth0]:5");
        join.carried.tcp = false;
        assert_eq!(
            command(&join),
            "via6 join '[fe80::1%eth0]:5' --udp --listen '[::1]:5'"
        );
        let mut relay = entry(Role::Relay, "0.0.0.0:5", "[::1]:6");
        relay.carried.tcp = false;
        relay.splice = Splice::Always;
        assert_eq!(
            command(&relay),
            "via6 relay --splice always udp '0.0.0.0:5' '[::1]:6'"
        );
        let other = super::super::elsewhere(&join, Origin::Command);
        assert_eq!(
            other,
            "via6 join '[fe80::1%eth0]:5' --udp --listen '[::1]:40005'"
        );
    }

    #[test]
    fn the_command_is_one() {
        let host = entry(Role::Host, "[::1]:5", "[::1]:25565");
        let words = command(&host).replace('\'', "");
        let args = Args::try_parse_from(words.split(' ')).unwrap();
        let Some(Command::Host(typed)) = args.command else {
            panic!("{words}");
        };
        assert_eq!(
            (&typed.game[..], typed.listen.as_deref()),
            ("[::1]:25565", Some("[::1]:5"))
        );
    }
}
