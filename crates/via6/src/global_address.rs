//! The IPv6 addresses of this machine that a friend should dial.
//!
//! Stable global addresses come before temporary ones (RFC 8981: those change daily), a global one
//! before one that only works at home, and an address that is on its way out (RFC 4862
//! "deprecated") or not yet proven unique is never given away.

use std::net::Ipv6Addr;

use netdev::interface::ipv6_addr_flags::Ipv6AddrFlags;
use netdev::prelude::Ipv6Net;
use via6_core::addr::{Scope, scope};

/// How far an address reaches; the better, the greater.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Reach {
    /// There is none.
    #[default]
    Nowhere,
    /// Only this home's own network.
    Home,
    /// The Internet, until the address changes within a day or so.
    Temporary,
    /// The Internet.
    Global,
}

/// The best address of this machine, asked from the system now.
pub(crate) fn best() -> Option<(Ipv6Addr, Reach)> {
    let (addresses, reach) = all();
    Some((*addresses.first()?, reach))
}

/// All of the best kind that there is, one for each network (/64), asked from the system now.
pub(crate) fn all() -> (Vec<Ipv6Addr>, Reach) {
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
) -> (Vec<Ipv6Addr>, Reach) {
    let mut best = (Vec::<Ipv6Addr>::new(), Reach::Nowhere);
    for (ip, flags) in candidates {
        let Some(reach) = reach(ip, flags.as_ref()) else {
            continue;
        };
        if reach > best.1 {
            best = (vec![ip], reach);
        } else if reach == best.1 && !best.0.iter().any(|other| network(*other) == network(ip)) {
            best.0.push(ip);
        }
    }
    best
}

/// The /64 that it is in.
fn network(ip: Ipv6Addr) -> u64 {
    let bits = u128::from(ip) >> 64;
    u64::try_from(bits).unwrap_or_default()
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
            (vec![ip("2a00:1::1")], Reach::Global)
        );
        assert_eq!(
            best(&[home, old, temporary]),
            (vec![ip("2a00:1::ffff")], Reach::Temporary)
        );
        assert_eq!(best(&[old, home]), (vec![ip("fd00::2")], Reach::Home));
        assert_eq!(best(&[old, unproven, link]), (vec![], Reach::Nowhere));
    }

    #[test]
    fn each_network_has_one_in_the_order_of_the_system() {
        let ip = |text: &str| text.parse::<Ipv6Addr>().unwrap();
        let list = [
            "2a00:2::5",
            "fd00::2",
            "2a00:1::9",
            "2a00:2::6",
            "2a00:1::1",
        ];
        let list = list.map(|text| (ip(text), None));
        assert_eq!(
            choose(list.into_iter()),
            (vec![ip("2a00:2::5"), ip("2a00:1::9")], Reach::Global)
        );
    }
}
