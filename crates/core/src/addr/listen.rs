//! Where to listen: an address of this machine and a port, 0 for any free one.
//!
//! Never a name: it may stand for several addresses, or for another one tomorrow. Never a port
//! alone: other programs disagree on whether that means IPv4, IPv6, both, or this machine only.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::endpoint::{HostPort, complete};
use super::error::{AddrError, Purpose};
use super::host::{Host, Zone, write_with_port};
use super::read::read;

/// An address of this machine, or `::` or `0.0.0.0` for all of a family, and a port.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Listen {
    /// The address; never a v4-mapped one when it was parsed.
    pub ip: IpAddr,
    /// Which network a link-local address is on.
    pub zone: Option<Zone>,
    /// The port; 0 for any free one.
    pub port: u16,
}

impl Listen {
    /// LISTEN of `relay`, and `--listen`.
    pub fn parse(text: &str) -> Result<Self, AddrError> {
        let HostPort { host, port } = complete(Purpose::Listen, read(Purpose::Listen, text)?)?;
        match host {
            Host::V4(ip) => Ok(Self {
                ip: IpAddr::V4(ip),
                zone: None,
                port,
            }),
            Host::V6(ip, zone) => Ok(Self {
                ip: IpAddr::V6(ip),
                zone,
                port,
            }),
            Host::Name(name) => Err(AddrError::ListenName {
                name,
                port: Some(port),
            }),
        }
    }
}

/// A zone is kept by its number.
impl From<SocketAddr> for Listen {
    fn from(addr: SocketAddr) -> Self {
        let HostPort { host, port } = HostPort::from(addr);
        let ip = addr.ip().to_canonical();
        let zone = match host {
            Host::V6(_, zone) => zone,
            Host::V4(_) | Host::Name(_) => None,
        };
        Self { ip, zone, port }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = match Host::from(self.ip) {
            Host::V6(ip, _) => Host::V6(ip, self.zone.clone()),
            host => host,
        };
        write_with_port(f, &host, self.port)
    }
}
