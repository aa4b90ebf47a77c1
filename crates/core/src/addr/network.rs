//! Which peers are trusted relays: one address, or all that share a prefix.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::error::{AddrError, Purpose};
use super::host::Host;
use super::read::{Written, read};

/// An address and how many of its leading bits count.
///
/// The others are zero: `192.168.1.5/24` is `192.168.1.0/24`.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Network {
    first: IpAddr,
    length: u8,
}

impl Network {
    /// `--trust-relay ADDR[/LEN]`; without a length, that one address.
    pub fn parse(text: &str) -> Result<Self, AddrError> {
        let Written { host, length, port } = read(Purpose::Network, text)?;
        match host {
            host if port.is_some() => Err(AddrError::NetworkPort { host }),
            None => Err(AddrError::Empty {
                purpose: Purpose::Network,
            }),
            Some(Host::Name(name)) => Err(AddrError::NetworkName { name }),
            Some(Host::V6(ip, Some(_))) => Err(AddrError::NetworkZone { ip }),
            Some(Host::V6(ip, None)) => Ok(Self::v6(ip, length.unwrap_or(128))),
            Some(Host::V4(ip)) => Ok(Self::v4(ip, length.unwrap_or(32))),
        }
    }

    /// Is `ip` in it? A v4-mapped address counts as the IPv4 address it stands for.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        let masked = match ip.to_canonical() {
            IpAddr::V4(ip) => Self::v4(ip, self.length),
            IpAddr::V6(ip) => Self::v6(ip, self.length),
        };
        masked.first == self.first
    }

    fn v4(ip: Ipv4Addr, length: u8) -> Self {
        let mask = u32::MAX
            .checked_shl(32 - u32::from(length.min(32)))
            .unwrap_or(0);
        Self {
            first: Ipv4Addr::from_bits(ip.to_bits() & mask).into(),
            length,
        }
    }

    fn v6(ip: Ipv6Addr, length: u8) -> Self {
        let mask = u128::MAX
            .checked_shl(128 - u32::from(length.min(128)))
            .unwrap_or(0);
        Self {
            first: Ipv6Addr::from_bits(ip.to_bits() & mask).into(),
            length,
        }
    }
}

/// `2001:db8::/64`, `192.0.2.7`.
impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = if self.first.is_ipv4() { 32 } else { 128 };
        match self.length {
            length if length == whole => write!(f, "{}", self.first),
            length => write!(f, "{}/{length}", self.first),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trusts(network: &str, ip: &str) -> bool {
        Network::parse(network)
            .unwrap()
            .contains(ip.parse().unwrap())
    }

    #[test]
    fn only_the_leading_bits_count() {
        assert!(trusts("192.168.1.5/24", "192.168.1.250"));
        assert!(!trusts("192.168.1.5/24", "192.168.2.5"));
        assert!(trusts("10.0.0.0/9", "10.127.255.255"));
        assert!(!trusts("10.0.0.0/9", "10.128.0.0"));
        assert!(trusts("192.0.2.7", "192.0.2.7"));
        assert!(!trusts("192.0.2.7", "192.0.2.6"));
        assert!(trusts("2001:db8::1/33", "2001:db8:7fff::"));
        assert!(!trusts("2001:db8::1/33", "2001:db8:8000::"));
        assert!(trusts("2001:db8::1", "2001:db8::1"));
        assert!(!trusts("2001:db8::1", "2001:db8::"));
    }

    #[test]
    fn a_v4_mapped_peer_is_an_ipv4_peer() {
        assert!(trusts("192.0.2.0/24", "::ffff:192.0.2.7"));
        assert!(trusts("::ffff:192.0.2.0/120", "192.0.2.7"));
        assert!(!trusts("::ffff:192.0.2.0/120", "192.0.3.7"));
        assert!(!trusts("::/0", "::ffff:192.0.2.7"));
    }

    #[test]
    fn a_length_of_0_is_all_of_one_family() {
        assert!(trusts("::/0", "2001:db8::1") && !trusts("::/0", "0.0.0.0"));
        assert!(trusts("0.0.0.0/0", "192.0.2.7") && !trusts("0.0.0.0/0", "::"));
    }
}
