//! The fields of an invite in order: how long it is by its first byte, writing it, and reading it once
//! its checksum is right.

use std::net::Ipv6Addr;
use std::num::NonZeroU16;

use super::base32::{crc32, symbol, to_values};
use super::error::InviteError;
use super::{Fingerprint, Invite, PREFIX, Secret, VERSION};
use crate::addr::DnsName;
use crate::limits::INVITE_NAME_MAX;

/// Bits of the header: how many addresses, and whether there is a name.
const ADDRESSES: u8 = 0b011;
const NAME: u8 = 0b100;

/// Header, fingerprint, secret and port.
const FIXED: usize = 1 + 16 + 16 + 2;
const ADDRESS: usize = 16;
const CHECKSUM: usize = 4;

/// What the beginning of an invite says about its length.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Length {
    /// In bytes, of all of it.
    Known(usize),
    /// The byte that says it is not there.
    Unknown,
    /// No invite begins so.
    Impossible,
}

/// How many bytes an invite has that begins with `bytes`.
pub(super) fn length(bytes: &[u8]) -> Length {
    let Some(&header) = bytes.first() else {
        return Length::Unknown;
    };
    if header & !(ADDRESSES | NAME) != 0 || header == 0 {
        return Length::Impossible;
    }
    let before_name = FIXED + ADDRESS * usize::from(header & ADDRESSES);
    if header & NAME == 0 {
        return Length::Known(before_name + CHECKSUM);
    }
    match bytes.get(before_name).map(|len| usize::from(*len)) {
        None => Length::Unknown,
        Some(len) if len == 0 || len > INVITE_NAME_MAX => Length::Impossible,
        Some(len) => Length::Known(before_name + 1 + len + CHECKSUM),
    }
}

/// Does the checksum at the end of `bytes` fit the rest?
pub(super) fn is_intact(bytes: &[u8]) -> bool {
    bytes
        .split_last_chunk::<CHECKSUM>()
        .is_some_and(|(body, sum)| checksum(body) == u32::from_be_bytes(*sum))
}

fn checksum(body: &[u8]) -> u32 {
    crc32(std::iter::once(symbol(VERSION) as u8).chain(body.iter().copied()))
}

/// All of it, with the prefix.
pub(super) fn write(invite: &Invite) -> String {
    let name = invite.name.as_ref().map(DnsName::as_str);
    let count = u8::try_from(invite.addresses.len()).unwrap_or_default();
    let mut bytes = vec![count | if name.is_some() { NAME } else { 0 }];
    bytes.extend(invite.fingerprint.0);
    bytes.extend(invite.secret.0);
    bytes.extend(invite.port.get().to_be_bytes());
    for ip in &invite.addresses {
        bytes.extend(ip.octets());
    }
    if let Some(name) = name {
        bytes.push(u8::try_from(name.len()).unwrap_or_default());
        bytes.extend(name.as_bytes());
    }
    let sum = checksum(&bytes);
    bytes.extend(sum.to_be_bytes());
    let mut text = String::from(PREFIX);
    text.push(symbol(VERSION));
    text.extend(to_values(&bytes).into_iter().map(symbol));
    text
}

/// The invite in `bytes`, whose length and checksum are right. What is wrong now was written so.
pub(super) fn read(bytes: &[u8]) -> Result<Invite, InviteError> {
    parts(bytes).unwrap_or(Err(InviteError::Damaged { at: None }))
}

fn parts(bytes: &[u8]) -> Option<Result<Invite, InviteError>> {
    let (header, rest) = bytes.split_first()?;
    let (fingerprint, rest) = rest.split_first_chunk()?;
    let (secret, rest) = rest.split_first_chunk()?;
    let (port, mut rest) = rest.split_first_chunk()?;
    let port = NonZeroU16::new(u16::from_be_bytes(*port))?;
    let mut addresses = Vec::new();
    for _ in 0..header & ADDRESSES {
        let (ip, after) = rest.split_first_chunk::<ADDRESS>()?;
        addresses.push(Ipv6Addr::from(*ip));
        rest = after;
    }
    let name = if header & NAME == 0 {
        None
    } else {
        let (len, after) = rest.split_first()?;
        let name = std::str::from_utf8(after.get(..usize::from(*len))?).ok()?;
        Some(DnsName::parse(name).ok()?)
    };
    let (fingerprint, secret) = (Fingerprint(*fingerprint), Secret(*secret));
    Some(Invite::new(fingerprint, secret, port, addresses, name))
}
