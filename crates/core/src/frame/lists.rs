//! What a host tells of itself: the games it shares, and where it is.

use std::net::{Ipv6Addr, SocketAddrV6};

use super::ServiceId;
use super::error::Fault;
use super::fields::{Fields, put_text};
use crate::limits::{HOST_ADDRESSES_MAX, INVITE_NAME_MAX, LINK_NAME_MAX, SERVICES_MAX};

/// Bits of what a service carries.
const TCP: u8 = 1;
const UDP: u8 = 2;

/// What a signature of [`Addrs`] begins with, so that it can be no signature of anything else.
const ADDRS_LABEL: &[u8] = b"via6 addrs";

/// A game that the host shares.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Service<'a> {
    /// Its number in OPEN.
    pub id: ServiceId,
    /// It has TCP sessions.
    pub tcp: bool,
    /// It has UDP flows.
    pub udp: bool,
    /// The game's own port, which the joiner offers it on.
    pub port: u16,
    /// For people.
    pub name: &'a str,
}

/// Where the host is now, in its own words.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Addrs<'a> {
    /// Rises with each change.
    pub number: u64,
    /// In the order to try.
    pub addresses: Vec<SocketAddrV6>,
    /// A DNS name, or nothing.
    pub name: &'a str,
    /// By the host's key, over [`Self::signed`].
    pub signature: [u8; 64],
}

impl Addrs<'_> {
    /// What the signature is over. Checking it is for who has the key.
    pub fn signed(&self) -> Result<Vec<u8>, Fault> {
        let mut out = ADDRS_LABEL.to_vec();
        self.put_unsigned(&mut out)?;
        Ok(out)
    }

    fn put_unsigned(&self, out: &mut Vec<u8>) -> Result<(), Fault> {
        if self.addresses.len() > HOST_ADDRESSES_MAX {
            return Err(Fault::Count);
        }
        out.extend_from_slice(&self.number.to_be_bytes());
        out.push(u8::try_from(self.addresses.len()).map_err(|_| Fault::Count)?);
        for address in &self.addresses {
            out.extend_from_slice(&address.ip().octets());
            out.extend_from_slice(&address.port().to_be_bytes());
        }
        put_text(out, self.name, INVITE_NAME_MAX)
    }

    pub(super) fn put(&self, out: &mut Vec<u8>) -> Result<(), Fault> {
        self.put_unsigned(out)?;
        out.extend_from_slice(&self.signature);
        Ok(())
    }
}

pub(super) fn addrs<'a>(fields: &mut Fields<'a>) -> Result<Addrs<'a>, Fault> {
    let number = fields.u64()?;
    let count = usize::from(fields.u8()?);
    let addresses = fields.list(count, HOST_ADDRESSES_MAX, |fields| {
        let ip = Ipv6Addr::from(fields.array::<16>()?);
        Ok(SocketAddrV6::new(ip, fields.u16()?, 0, 0))
    })?;
    Ok(Addrs {
        number,
        addresses,
        name: fields.text(INVITE_NAME_MAX)?,
        signature: fields.array()?,
    })
}

pub(super) fn services<'a>(fields: &mut Fields<'a>) -> Result<Vec<Service<'a>>, Fault> {
    let count = usize::from(fields.u8()?);
    fields.list(count, SERVICES_MAX, |fields| {
        let (id, carried, port) = (ServiceId(fields.u16()?), fields.u8()?, fields.u16()?);
        if carried & !(TCP | UDP) != 0 {
            return Err(Fault::Value);
        }
        Ok(Service {
            id,
            tcp: carried & TCP != 0,
            udp: carried & UDP != 0,
            port,
            name: fields.text(LINK_NAME_MAX)?,
        })
    })
}

pub(super) fn put_services(out: &mut Vec<u8>, services: &[Service<'_>]) -> Result<(), Fault> {
    if services.len() > SERVICES_MAX {
        return Err(Fault::Count);
    }
    out.push(u8::try_from(services.len()).map_err(|_| Fault::Count)?);
    for service in services {
        let carried = u8::from(service.tcp) * TCP + u8::from(service.udp) * UDP;
        out.extend_from_slice(&service.id.0.to_be_bytes());
        out.push(carried);
        out.extend_from_slice(&service.port.to_be_bytes());
        put_text(out, service.name, LINK_NAME_MAX)?;
    }
    Ok(())
}
