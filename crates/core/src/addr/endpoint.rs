//! A host and a port: what `join`, `host` and `relay` are pointed at.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::error::{AddrError, Purpose};
use super::host::{Host, Zone, write_with_port};
use super::read::{Written, read};
use super::scope::{Scope, scope};
use crate::limits::DEFAULT_LINK_PORT;

/// A machine and a port on it.
///
/// Shown as `[2001:db8::1%eth0]:43325`, `127.0.0.1:25565`, `play.example.org:43325`, and read back
/// from that.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct HostPort {
    /// The machine.
    pub host: Host,
    /// The port; not 0 when it was parsed.
    pub port: u16,
}

impl HostPort {
    /// ADDR of `join`: the other end of a link, an IPv6 address or a name; without a port,
    /// [`DEFAULT_LINK_PORT`]. Also takes a whole pasted `via6 join` line.
    pub fn parse_link(text: &str) -> Result<Self, AddrError> {
        complete(Purpose::Link, read(Purpose::Link, text)?)
    }

    /// GAME of `host`: the game server, of any family. A port alone is one of 127.0.0.1.
    pub fn parse_game(text: &str) -> Result<Self, AddrError> {
        complete(Purpose::Game, read(Purpose::Game, text)?)
    }

    /// TARGET of `relay`: of any family, with its port.
    pub fn parse_target(text: &str) -> Result<Self, AddrError> {
        complete(Purpose::Target, read(Purpose::Target, text)?)
    }

    /// This very machine; see [`Host::is_loopback`].
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.host.is_loopback()
    }
}

/// A zone is kept by its number.
impl From<SocketAddr> for HostPort {
    fn from(addr: SocketAddr) -> Self {
        let (host, port) = (Host::from(addr.ip()), addr.port());
        match (host, addr) {
            (Host::V6(ip, _), SocketAddr::V6(v6)) if v6.scope_id() != 0 => Self {
                host: Host::V6(ip, Some(Zone::from(v6.scope_id()))),
                port,
            },
            (host, _) => Self { host, port },
        }
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_with_port(f, &self.host, self.port)
    }
}

/// Adds what the place on the command line implies, and refuses what it cannot use.
pub(super) fn complete(purpose: Purpose, written: Written) -> Result<HostPort, AddrError> {
    let Written { host, port, .. } = written;
    let host = match (host, port, purpose) {
        (None, None, _) => return Err(AddrError::Empty { purpose }),
        (host, _, Purpose::Network) => return Err(AddrError::NetworkPort { host }),
        (Some(Host::Name(name)), _, Purpose::Listen) => {
            return Err(AddrError::ListenName { name, port });
        }
        (Some(host), ..) => host,
        (None, Some(_), Purpose::Game) => Host::V4(Ipv4Addr::LOCALHOST),
        (None, Some(port), _) => return Err(AddrError::MissingHost { purpose, port }),
    };
    let port = match (port, purpose) {
        (Some(0), _) if purpose != Purpose::Listen => return Err(AddrError::PortZero),
        (Some(port), _) => port,
        (None, Purpose::Link) => DEFAULT_LINK_PORT,
        (None, _) => return Err(AddrError::MissingPort { purpose, host }),
    };
    match &host {
        Host::V4(ip) if purpose == Purpose::Link && stands_for_one(*ip) => {
            return Err(AddrError::Ipv4Link { ip: *ip, port });
        }
        Host::V4(ip) => check_v4(purpose, *ip, port)?,
        Host::V6(ip, zone) => check_v6(purpose, *ip, zone.is_some(), port)?,
        Host::Name(_) => {}
    }
    Ok(HostPort { host, port })
}

fn stands_for_one(ip: Ipv4Addr) -> bool {
    !ip.is_unspecified() && !ip.is_multicast() && !ip.is_broadcast()
}

fn check_v4(purpose: Purpose, ip: Ipv4Addr, port: u16) -> Result<(), AddrError> {
    if ip.is_broadcast() {
        return Err(AddrError::Broadcast { ip });
    }
    let ip = IpAddr::V4(ip);
    if ip.is_multicast() {
        return Err(AddrError::Multicast { ip });
    }
    if ip.is_unspecified() && purpose != Purpose::Listen {
        return Err(AddrError::Unspecified { purpose, ip, port });
    }
    Ok(())
}

fn check_v6(purpose: Purpose, ip: Ipv6Addr, has_zone: bool, port: u16) -> Result<(), AddrError> {
    match scope(ip) {
        Scope::Multicast => Err(AddrError::Multicast { ip: IpAddr::V6(ip) }),
        Scope::Unspecified if purpose != Purpose::Listen => Err(AddrError::Unspecified {
            purpose,
            ip: IpAddr::V6(ip),
            port,
        }),
        Scope::LinkLocal if !has_zone => Err(AddrError::LinkLocalZone { ip, port }),
        _ => Ok(()),
    }
}
