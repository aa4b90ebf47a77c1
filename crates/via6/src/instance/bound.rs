//! The listeners of an entry, bound or taken over.

use std::net::SocketAddr;

use via6_core::addr::Listen;
use via6_relay::{BindError, Listening, Protocol, listen_tcp, listen_udp, zone_index};

use crate::entry::Protocols;
use crate::failure::Failure;

/// A listener that a relay of this process has: a name for it.
pub(crate) type Held = (Protocol, SocketAddr);

/// Listeners on one address: of both protocols, on the same port, if both are carried.
pub(crate) struct Bound {
    pub(crate) addr: SocketAddr,
    pub(crate) carried: Protocols,
    pub(crate) listeners: Vec<Listening>,
}

impl Bound {
    /// Listens on `at` for what is `carried`. What is among `held` is taken over, not bound again.
    pub(crate) fn new(
        at: SocketAddr,
        carried: Protocols,
        held: &[Held],
    ) -> Result<Self, BindError> {
        // A port that is free for TCP may be taken for UDP: with port 0, look for another.
        let mut tries = if at.port() == 0 && carried == Protocols::BOTH {
            16
        } else {
            1
        };
        loop {
            tries -= 1;
            match Self::once(at, carried, held) {
                Err(_) if tries > 0 => {}
                result => return result,
            }
        }
    }

    fn once(at: SocketAddr, carried: Protocols, held: &[Held]) -> Result<Self, BindError> {
        let local = |protocol, read: std::io::Result<SocketAddr>| {
            read.map_err(|source| BindError {
                addr: at,
                protocol,
                source,
            })
        };
        let (mut addr, mut listeners) = (at, Vec::new());
        if carried.tcp {
            listeners.push(if held.contains(&(Protocol::Tcp, addr)) {
                Listening::Held(Protocol::Tcp, addr)
            } else {
                let tcp = listen_tcp(addr)?;
                addr = local("TCP", tcp.local_addr())?;
                Listening::Tcp(tcp)
            });
        }
        if carried.udp {
            listeners.push(if held.contains(&(Protocol::Udp, addr)) {
                Listening::Held(Protocol::Udp, addr)
            } else {
                let udp = listen_udp(addr)?;
                addr = local("UDP", udp.local_addr())?;
                Listening::Udp(udp)
            });
        }
        Ok(Self {
            addr,
            carried,
            listeners,
        })
    }

    /// The same place, with nothing there.
    pub(crate) fn without_listeners(&self) -> Self {
        Self {
            addr: self.addr,
            carried: self.carried,
            listeners: Vec::new(),
        }
    }

    /// The protocols, TCP first.
    pub(crate) fn protocols(&self) -> impl Iterator<Item = Protocol> + use<> {
        self.carried.each()
    }

    /// What it holds from now on.
    pub(crate) fn held(&self) -> Vec<Held> {
        let addr = self.addr;
        self.protocols().map(|protocol| (protocol, addr)).collect()
    }
}

/// The address of this computer that `listen` means.
pub(crate) fn local_address(listen: &Listen) -> Result<SocketAddr, Failure> {
    let mut addr = SocketAddr::new(listen.ip, listen.port);
    if let (SocketAddr::V6(v6), Some(zone)) = (&mut addr, &listen.zone) {
        let index = zone_index(zone).ok_or_else(|| {
            Failure::usage(format!(
                "cannot listen on {listen}: no network interface {zone}"
            ))
            .hint("list them with `ip link`, on Windows with `netsh interface ipv6 show interface`")
        })?;
        v6.set_scope_id(index);
    }
    Ok(addr)
}
