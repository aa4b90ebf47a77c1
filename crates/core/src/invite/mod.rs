//! The invite of a sealed link: one word that says who the host is, where, and that its reader may play.
//!
//! ```text
//! via6:  1  header ‖ fingerprint ‖ secret ‖ port ‖ addresses ‖ name ‖ checksum     (base 32)
//!        └─ version
//! ```
//!
//! Five bits a character, so that case does not matter: 94 characters with one address, where six bits
//! would save 14 and be lost to the first phone that begins sentences with a capital. The header says how
//! long the whole is; so an invite is found in the middle of a message, put together again from several
//! lines, and one that was cut is told from one that was damaged.
//!
//! An invite lets people in: it is masked in `Debug`, has no `Display`, and no error repeats more of it
//! than one character. Drawing secrets and making fingerprints is not done here.

mod base32;
mod error;
mod found;
mod layout;

use std::fmt;
use std::net::Ipv6Addr;
use std::num::NonZeroU16;

use crate::addr::{DnsName, Scope, plain, scope};
use crate::limits::{INVITE_ADDRESSES_MAX, INVITE_NAME_MAX, INVITE_TEXT_MAX};

pub use error::InviteError;

/// What every invite begins with.
pub const PREFIX: &str = "via6:";

/// The version that is written, and the only one that is read.
pub const VERSION: u8 = 1;

/// The first half of SHA-256 of a host's key: no two hosts have the same, and nobody can make one that
/// has another's.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Fingerprint(pub [u8; 16]);

/// What proves that somebody was invited. Never shown.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct Secret(pub [u8; 16]);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Who the host is, where it is, and the secret that lets in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Invite {
    fingerprint: Fingerprint,
    secret: Secret,
    port: NonZeroU16,
    addresses: Vec<Ipv6Addr>,
    name: Option<DnsName>,
}

impl Invite {
    /// An invite to a host that is at `addresses`, or at whatever `name` stands for at the time.
    pub fn new(
        fingerprint: Fingerprint,
        secret: Secret,
        port: NonZeroU16,
        addresses: Vec<Ipv6Addr>,
        name: Option<DnsName>,
    ) -> Result<Self, InviteError> {
        if addresses.is_empty() && name.is_none() {
            return Err(InviteError::Nowhere);
        }
        if addresses.len() > INVITE_ADDRESSES_MAX {
            return Err(InviteError::TooManyAddresses {
                count: addresses.len(),
            });
        }
        if let Some(&ip) = addresses.iter().find(|ip| !can_be_dialled(**ip)) {
            return Err(InviteError::Address { ip });
        }
        if let Some(name) = &name
            && name.as_str().len() > INVITE_NAME_MAX
        {
            return Err(InviteError::LongName { name: name.clone() });
        }
        Ok(Self {
            fingerprint,
            secret,
            port,
            addresses,
            name,
        })
    }

    /// Finds the invite in what was pasted: alone, in quotes, in several lines, in a whole message, in
    /// another case, or without the `via6:` that a double click leaves out.
    pub fn parse(text: &str) -> Result<Self, InviteError> {
        if text.len() > INVITE_TEXT_MAX {
            return Err(InviteError::TooLong { bytes: text.len() });
        }
        let typed: String = text
            .chars()
            .filter(|c| !crate::addr::is_invisible(*c))
            .map(plain)
            .collect();
        found::search(&typed)
    }

    /// What the friend pastes. Whoever reads it may play.
    #[must_use]
    pub fn to_text(&self) -> String {
        layout::write(self)
    }

    /// Of the host's key.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// What the joiner proves to have.
    #[must_use]
    pub fn secret(&self) -> Secret {
        self.secret
    }

    /// Of both transports.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.get()
    }

    /// Where the host was when the invite was made, in the order to try.
    #[must_use]
    pub fn addresses(&self) -> &[Ipv6Addr] {
        &self.addresses
    }

    /// To be looked up at each attempt.
    #[must_use]
    pub fn name(&self) -> Option<&DnsName> {
        self.name.as_ref()
    }
}

/// Some machine may be there for a reader who is elsewhere. Private addresses may lead there too (a VPN),
/// and this machine's own are for trying things out.
fn can_be_dialled(ip: Ipv6Addr) -> bool {
    !matches!(
        scope(ip),
        Scope::LinkLocal | Scope::Multicast | Scope::Unspecified | Scope::V4Mapped
    )
}
