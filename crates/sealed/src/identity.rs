//! Who a device is: an Ed25519 key pair that it keeps, and what others see of it.
//!
//! Keeping it is not done here: it comes in as a seed.

use std::fmt;

use ring::digest;
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{self, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use rustls::pki_types::PrivatePkcs8KeyDer;
use via6_core::invite::Fingerprint;

/// What stands before the 32 bytes of a key in a `SubjectPublicKeyInfo` (RFC 8410 §4).
const SPKI_PREFIX: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// What stands before the seed in a PKCS #8 document (RFC 8410 §7).
const PKCS8_PREFIX: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// A device's key pair. Never shown.
pub struct Identity {
    pair: Ed25519KeyPair,
    public: PublicKey,
    seed: [u8; 32],
}

/// The public half of an [`Identity`]: the only name that a device has.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PublicKey(pub [u8; 32]);

/// The system gives no random bytes, or makes no key of them.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("this computer gives no random numbers")]
pub struct NoRandomness;

/// Random bytes for secrets and link ids, from the system.
pub fn random<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map(|()| bytes).map_err(|_| NoRandomness)
}

impl Identity {
    /// The pair that belongs to a seed, which is 32 random bytes that are kept.
    pub fn from_seed(seed: [u8; 32]) -> Result<Self, NoRandomness> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| NoRandomness)?;
        let public = pair.public_key().as_ref().try_into();
        let public = PublicKey(public.map_err(|_| NoRandomness)?);
        Ok(Self { pair, public, seed })
    }

    /// What others see.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        self.public
    }

    /// Ed25519, RFC 8032.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        let signature = self.pair.sign(message);
        // An Ed25519 signature has 64 bytes, always.
        signature.as_ref().try_into().unwrap_or([0; 64])
    }

    /// For rustls.
    pub(crate) fn private(&self) -> PrivatePkcs8KeyDer<'static> {
        [&PKCS8_PREFIX[..], &self.seed].concat().into()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.public)
    }
}

impl PublicKey {
    /// As it goes over the wire (RFC 7250, RFC 8410).
    #[must_use]
    pub fn to_spki(self) -> [u8; 44] {
        let mut spki = [0; 44];
        for (place, byte) in spki.iter_mut().zip(SPKI_PREFIX.iter().chain(&self.0)) {
            *place = *byte;
        }
        spki
    }

    /// `None`: no Ed25519 key.
    #[must_use]
    pub fn from_spki(spki: &[u8]) -> Option<Self> {
        let key = spki.strip_prefix(&SPKI_PREFIX)?;
        key.try_into().ok().map(Self)
    }

    /// What an invite has of it.
    #[must_use]
    pub fn fingerprint(self) -> Fingerprint {
        let hash = digest::digest(&digest::SHA256, &self.to_spki());
        let mut first = [0; 16];
        for (place, byte) in first.iter_mut().zip(hash.as_ref()) {
            *place = *byte;
        }
        Fingerprint(first)
    }

    /// Whether this key has signed the message.
    #[must_use]
    pub fn has_signed(self, message: &[u8], signature: &[u8; 64]) -> bool {
        let key = UnparsedPublicKey::new(&signature::ED25519, &self.0);
        key.verify(message, signature).is_ok()
    }
}

/// The first eight digits, to tell devices apart by eye.
impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = self.0.iter().take(4);
        first
            .into_iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_makes_the_same_identity_each_time() {
        let (one, same) = (Identity::from_seed([7; 32]), Identity::from_seed([7; 32]));
        let (one, same) = (one.unwrap(), same.unwrap());
        assert_eq!(one.public(), same.public());
        assert_ne!(Identity::from_seed([8; 32]).unwrap().public(), one.public());
    }

    #[test]
    fn a_signature_is_of_one_message_and_one_key() {
        let (signer, other) = (Identity::from_seed([1; 32]), Identity::from_seed([2; 32]));
        let (signer, other) = (signer.unwrap().sign(b"here"), other.unwrap().public());
        let own = Identity::from_seed([1; 32]).unwrap().public();
        assert!(own.has_signed(b"here", &signer));
        assert!(!own.has_signed(b"there", &signer));
        assert!(!other.has_signed(b"here", &signer));
    }

    /// RFC 8410 §10.1 has a key in this form.
    #[test]
    fn a_key_is_read_back_from_its_wire_form_only() {
        let key = Identity::from_seed([3; 32]).unwrap().public();
        assert_eq!(PublicKey::from_spki(&key.to_spki()), Some(key));
        assert_eq!(PublicKey::from_spki(&key.to_spki()[1..]), None);
        assert_eq!(PublicKey::from_spki(&key.0), None);
    }

    #[test]
    fn nothing_of_the_secret_half_is_shown() {
        let identity = Identity::from_seed([0xab; 32]).unwrap();
        let shown = format!("{identity:?}");
        assert!(!shown.contains("abab") && shown.len() < 30, "{shown}");
    }
}
