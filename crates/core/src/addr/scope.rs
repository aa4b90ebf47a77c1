//! What an IPv6 address is good for: whether a friend elsewhere can dial it.

use std::fmt;
use std::net::Ipv6Addr;

/// The kind of an IPv6 address, after IANA's special-purpose registry (RFC 6890).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Scope {
    /// `2000::/3` less the blocks below: reachable from everywhere, firewalls permitting.
    Global,
    /// `fc00::/7` (RFC 4193): one site or one VPN.
    UniqueLocal,
    /// `fe80::/10`: one link; needs a zone.
    LinkLocal,
    /// `fec0::/10`: one site; withdrawn by RFC 3879.
    SiteLocal,
    /// `::1`.
    Loopback,
    /// `::`.
    Unspecified,
    /// `ff00::/8`.
    Multicast,
    /// `2001:db8::/32` and `3fff::/20` (RFC 9637): for examples.
    Documentation,
    /// `2002::/16`: tunnelled over IPv4; the public relays are gone (RFC 7526).
    SixToFour,
    /// `2001::/32`: tunnelled over IPv4; the public servers are gone.
    Teredo,
    /// `64:ff9b::/96` and `64:ff9b:1::/48`: an IPv4 address behind a translator.
    Nat64,
    /// `::ffff:0:0/96`: an IPv4 address. [`Host`](super::Host) never holds one.
    V4Mapped,
    /// Everything else: benchmarks, discarding, identifiers, and what IANA has not handed out.
    Reserved,
}

/// The kind of `ip`.
#[must_use]
pub fn scope(ip: Ipv6Addr) -> Scope {
    let [first, second, third, rest @ ..] = ip.segments();
    match (first, second, third) {
        _ if ip.is_unspecified() => Scope::Unspecified,
        _ if ip.is_loopback() => Scope::Loopback,
        _ if ip.to_ipv4_mapped().is_some() => Scope::V4Mapped,
        (0xff00..=0xffff, ..) => Scope::Multicast,
        (0xfe80..=0xfebf, ..) => Scope::LinkLocal,
        (0xfec0..=0xfeff, ..) => Scope::SiteLocal,
        (0xfc00..=0xfdff, ..) => Scope::UniqueLocal,
        (0x64, 0xff9b, 0) if rest.starts_with(&[0, 0, 0]) => Scope::Nat64,
        (0x64, 0xff9b, 1) => Scope::Nat64,
        (0x2001, 0xdb8, _) | (0x3fff, 0..=0xfff, _) => Scope::Documentation,
        (0x2001, 0, _) => Scope::Teredo,
        // 2001:2::/48 benchmarks; 2001:10::/28, 2001:20::/28 and 2001:30::/28 are identifiers.
        (0x2001, 2, 0) | (0x2001, 0x10..=0x3f, _) => Scope::Reserved,
        (0x2002, ..) => Scope::SixToFour,
        (0x2000..=0x3fff, ..) => Scope::Global,
        _ => Scope::Reserved,
    }
}

impl Scope {
    /// A friend elsewhere can dial it, firewalls permitting.
    #[must_use]
    pub const fn is_global(self) -> bool {
        matches!(self, Self::Global)
    }

    /// Why a friend elsewhere will not get through to it: completes "that address is …". `None` if
    /// nothing is known against it.
    #[must_use]
    pub const fn concern(self) -> Option<&'static str> {
        Some(match self {
            Self::Global => return None,
            Self::UniqueLocal | Self::SiteLocal => {
                "a private address: it works only inside its own network or VPN"
            }
            Self::LinkLocal => "a link-local address: it works only inside the same house",
            Self::Loopback => "this machine itself: nobody else can reach it",
            Self::Unspecified => "the address that stands for all of a machine's addresses",
            Self::Multicast => "a multicast address: it stands for many machines",
            Self::Documentation => "an address for examples: no machine has it",
            Self::SixToFour => "a 6to4 address: these tunnels no longer work reliably",
            Self::Teredo => "a Teredo address: these tunnels no longer work",
            Self::Nat64 => {
                "an IPv4 address behind a NAT64 translator: nobody can dial in through it"
            }
            Self::V4Mapped => "an IPv4 address",
            Self::Reserved => "not an address of the public Internet",
        })
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Global => "global",
            Self::UniqueLocal => "unique-local",
            Self::LinkLocal => "link-local",
            Self::SiteLocal => "site-local",
            Self::Loopback => "loopback",
            Self::Unspecified => "unspecified",
            Self::Multicast => "multicast",
            Self::Documentation => "documentation",
            Self::SixToFour => "6to4",
            Self::Teredo => "teredo",
            Self::Nat64 => "nat64",
            Self::V4Mapped => "v4-mapped",
            Self::Reserved => "reserved",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_block_has_its_scope_up_to_its_edges() {
        for (text, expected) in [
            ("::", Scope::Unspecified),
            ("::1", Scope::Loopback),
            ("::2", Scope::Reserved),
            ("::ffff:192.0.2.7", Scope::V4Mapped),
            ("::192.0.2.7", Scope::Reserved),
            ("64:ff9b::192.0.2.7", Scope::Nat64),
            ("64:ff9b:0:0:0:1::", Scope::Reserved),
            ("64:ff9b:1:2::1", Scope::Nat64),
            ("64:ff9b:2::1", Scope::Reserved),
            ("100::1", Scope::Reserved),
            ("1fff:ffff::1", Scope::Reserved),
            ("2000::1", Scope::Global),
            ("2001::1", Scope::Teredo),
            ("2001:1::1", Scope::Global),
            ("2001:2::1", Scope::Reserved),
            ("2001:2:1::1", Scope::Global),
            ("2001:f::1", Scope::Global),
            ("2001:10::1", Scope::Reserved),
            ("2001:20::1", Scope::Reserved),
            ("2001:40::1", Scope::Global),
            ("2001:db7:ffff::1", Scope::Global),
            ("2001:db8::1", Scope::Documentation),
            ("2001:db9::1", Scope::Global),
            ("2002:c000:207::1", Scope::SixToFour),
            ("2003::1", Scope::Global),
            ("2a01:4f8::1", Scope::Global),
            ("3fff:fff:ffff::1", Scope::Documentation),
            ("3fff:1000::1", Scope::Global),
            ("4000::1", Scope::Reserved),
            ("fbff::1", Scope::Reserved),
            ("fc00::1", Scope::UniqueLocal),
            ("fdff:ffff::1", Scope::UniqueLocal),
            ("fe00::1", Scope::Reserved),
            ("fe80::1", Scope::LinkLocal),
            ("febf:ffff::1", Scope::LinkLocal),
            ("fec0::1", Scope::SiteLocal),
            ("ff02::1", Scope::Multicast),
        ] {
            let found = scope(text.parse().unwrap());
            assert_eq!(found, expected, "{text}");
            assert_eq!(found.is_global(), found.concern().is_none(), "{text}");
        }
    }
}
