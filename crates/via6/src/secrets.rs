//! What nobody must guess, and what is made of it: random bytes, the id of an invite, the fingerprint of a
//! key. The one place where the program itself computes with keys; nothing is kept here.

use std::fmt::{self, Write};
use std::io;

use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair};
use ring::{digest, hmac};
use via6_core::invite::{Fingerprint, Secret};
use via6_core::roster::{Drawn, InviteId};

/// An Ed25519 public key as `SubjectPublicKeyInfo` (RFC 8410) begins so; then come its 32 bytes.
const KEY_INFO: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// What an Ed25519 key pair is made of. Never shown.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) struct Seed(pub(crate) [u8; 32]);

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(…)")
    }
}

impl Seed {
    /// A new one.
    pub(crate) fn draw() -> io::Result<Self> {
        random().map(Self)
    }

    /// Of its public key, as it stands in invites.
    pub(crate) fn fingerprint(&self) -> io::Result<Fingerprint> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&self.0)
            .map_err(|_| io::Error::other("the key is refused"))?;
        let mut info = digest::Context::new(&digest::SHA256);
        info.update(&KEY_INFO);
        info.update(pair.public_key().as_ref());
        first(info.finish().as_ref()).map(Fingerprint)
    }
}

/// A secret for a new invite, with its id.
pub(crate) fn draw_invite() -> io::Result<Drawn> {
    let secret = Secret(random()?);
    let id = invite_id(&secret)?;
    Ok(Drawn { id, secret })
}

/// What a joiner says to name the invite with this secret.
fn invite_id(secret: &Secret) -> io::Result<InviteId> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &secret.0);
    first(hmac::sign(&key, b"via6 invite").as_ref())
}

/// Bytes from the system, which nobody can foresee.
fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| io::Error::other("the system has no random numbers"))?;
    Ok(bytes)
}

fn first<const N: usize>(of: &[u8]) -> io::Result<[u8; N]> {
    let first = of.first_chunk().copied();
    first.ok_or_else(|| io::Error::other("a digest is too short"))
}

/// Bytes as hexadecimal digits, as they stand in files.
pub(crate) fn digits(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Exactly so many bytes, out of hexadecimal digits.
pub(crate) fn of_digits<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != 2 * N || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed by other programs: `openssl dgst -sha256 -mac HMAC`, and for the key that of RFC 8032 §7.1,
    /// TEST 1, with its public key through `sha256sum`.
    #[test]
    fn ids_and_fingerprints_are_those_of_the_protocol() {
        let secret = Secret(std::array::from_fn(|at| 0x10 + u8::try_from(at).unwrap()));
        assert_eq!(digits(&invite_id(&secret).unwrap()), "acbb8cbc6f0a66bb");
        let seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
        let seed = Seed(of_digits(seed).unwrap());
        assert_eq!(
            digits(&seed.fingerprint().unwrap().0),
            "06e3fd8fda29bb60ab59557de61edb0a"
        );
        assert_eq!(format!("{seed:?}"), "Seed(…)");
    }

    #[test]
    fn no_two_draws_are_the_same() {
        let (one, other) = (draw_invite().unwrap(), draw_invite().unwrap());
        assert!(one.secret != other.secret && one.id != other.id);
        assert_ne!(Seed::draw().unwrap(), Seed::draw().unwrap());
    }

    #[test]
    fn digits_are_exactly_so_many() {
        assert_eq!(of_digits::<2>("0aF0"), Some([0x0a, 0xf0]));
        for wrong in ["", "0", "0af", "0af01", "+af0", "0ag0", "éé"] {
            assert_eq!(of_digits::<2>(wrong), None, "{wrong}");
        }
    }
}
