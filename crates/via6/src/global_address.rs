//! The IPv6 address of this machine that a friend should dial.
//!
//! Stable global addresses come before temporary ones (RFC 8981: those change daily), a global one
//! before one that only works at home, and an address that is on its way out (RFC 4862
//! "deprecated") or not yet proven unique is never given away.

use std::net::Ipv6Addr;

use netdev::interface::ipv6_addr_flags::Ipv6AddrFlags;
use netdev::prelude::Ipv6Net;
use via6_core::addr::{Scope, scope};

/// How far an address reaches; the better, the greater.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Reach {
    /// Only this home's own network.
    Home,
    /// The Internet, until the address changes within a day or so.
    Temporary,
    /// The Internet.
    Global,
}

/// The best address of this machine, asked from the system now.
pub(crate) fn best() -> Option<(Ipv6Addr, Reach)> {
    let interfaces = netdev::get_interfaces();
    let candidates = interfaces
        .iter()
        .filter(|interface| interface.is_up())
        .flat_map(|interface| {
            let flags = interface.ipv6_addr_flags.iter().copied().map(Some);
            let flags = flags.chain(std::iter::repeat(None));
            interface.ipv6.iter().map(Ipv6Net::addr).zip(flags)
        });
    choose(candidates)
}

fn choose(
    candidates: impl Iterator<Item = (Ipv6Addr, Option<Ipv6AddrFlags>)>,
) -> Option<(Ipv6Addr, Reach)> {
    let mut best: Option<(Ipv6Addr, Reach)> = None;
    for (ip, flags) in candidates {
        let Some(reach) = reach(ip, flags.as_ref()) else {
            continue;
        };
        if best.is_none_or(|(_, known)| reach > known) {
            best = Some((ip, reach));
        }
    }
    best
}

fn reach(ip: Ipv6Addr, flags: Option<&Ipv6AddrFlags>) -> Option<Reach> {
    let is = |test: fn(&Ipv6AddrFlags) -> bool| flags.is_some_and(test);
    if is(|flags| flags.deprecated || flags.tentative || flags.duplicated) {
        return None;
    }
    match scope(ip) {
        Scope::Global if is(|flags| flags.temporary) => Some(Reach::Temporary),
        Scope::Global => Some(Reach::Global),
        Scope::UniqueLocal => Some(Reach::Home),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(set: impl Fn(&mut Ipv6AddrFlags)) -> Ipv6AddrFlags {
        let mut flags = Ipv6AddrFlags::default();
        set(&mut flags);
        flags
    }

    #[test]
    fn stable_before_temporary_before_home_and_never_deprecated() {
        let ip = |text: &str| text.parse::<Ipv6Addr>().unwrap();
        let home = (ip("fd00::2"), Some(flags(|_| {})));
        let temporary = (ip("2a00:1::ffff"), Some(flags(|f| f.temporary = true)));
        let old = (ip("2a00:2::1"), Some(flags(|f| f.deprecated = true)));
        let unproven = (ip("2a00:3::1"), Some(flags(|f| f.tentative = true)));
        let link = (ip("fe80::1"), Some(flags(|_| {})));
        let stable = (ip("2a00:1::1"), None);
        let best = |list: &[(Ipv6Addr, Option<Ipv6AddrFlags>)]| choose(list.iter().copied());
        assert_eq!(
            best(&[link, home, temporary, stable, old]),
            Some((ip("2a00:1::1"), Reach::Global))
        );
        assert_eq!(
            best(&[home, old, temporary]),
            Some((ip("2a00:1::ffff"), Reach::Temporary))
        );
        assert_eq!(best(&[old, home]), Some((ip("fd00::2"), Reach::Home)));
        assert_eq!(best(&[old, unproven, link]), None);
    }
}
