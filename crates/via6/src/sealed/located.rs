//! Where this computer is found from elsewhere: what goes into an invite, and what friends are told when that
//! changes.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};

use via6_core::limits::{HOST_ADDRESSES_MAX, INVITE_ADDRESSES_MAX};

use crate::global_address::{self, Reach};

/// The addresses of a host at one moment, the likeliest first.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Located {
    pub(crate) addresses: Vec<Ipv6Addr>,
    /// How far they reach; `None`: it listens on one that was said.
    pub(crate) reach: Option<Reach>,
}

impl Located {
    /// Of a host that listens on this address. Asks the system, which takes some milliseconds.
    pub(crate) fn now(listener: SocketAddr) -> Self {
        match listener.ip() {
            IpAddr::V6(ip) if !ip.is_unspecified() => Self {
                addresses: vec![ip],
                reach: None,
            },
            _ => {
                let (addresses, reach) = global_address::all();
                let reach = Some(reach);
                Self { addresses, reach }
            }
        }
    }

    /// Those for an invite. Without any, this computer's own: to try things out.
    pub(crate) fn invited(&self) -> Vec<Ipv6Addr> {
        if self.addresses.is_empty() {
            return vec![Ipv6Addr::LOCALHOST];
        }
        let addresses = self.addresses.iter().copied();
        addresses.take(INVITE_ADDRESSES_MAX).collect()
    }

    /// Those that friends who are in are told.
    pub(crate) fn told(&self, port: u16) -> Vec<SocketAddrV6> {
        let all = if self.addresses.is_empty() {
            vec![Ipv6Addr::LOCALHOST]
        } else {
            self.addresses.clone()
        };
        let all = all.into_iter().take(HOST_ADDRESSES_MAX);
        all.map(|ip| SocketAddrV6::new(ip, port, 0, 0)).collect()
    }
}
