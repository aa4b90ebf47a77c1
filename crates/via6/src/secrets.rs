//! What nobody must guess, as the program draws and writes it: the seed of this computer's key, the secret of an
//! invite. What is computed with them is `via6_sealed`'s; nothing is kept here.

use std::fmt::{self, Write};

use via6_core::invite::{Fingerprint, Secret};
use via6_core::roster::Drawn;
use via6_sealed::{Identity, NoRandomness, invite_id, random};

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
    pub(crate) fn draw() -> Result<Self, NoRandomness> {
        random().map(Self)
    }

    /// Of its public key, as it stands in invites.
    pub(crate) fn fingerprint(&self) -> Result<Fingerprint, NoRandomness> {
        Ok(Identity::from_seed(self.0)?.public().fingerprint())
    }
}

/// A secret for a new invite, with its id.
pub(crate) fn draw_invite() -> Result<Drawn, NoRandomness> {
    let secret = Secret(random()?);
    let id = invite_id(&secret);
    Ok(Drawn { id, secret })
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

    /// Computed by another program; the key is that of RFC 8032 §7.1, TEST 1.
    #[test]
    fn ids_and_fingerprints_are_those_of_the_protocol() {
        let secret = Secret(std::array::from_fn(|at| 0x10 + u8::try_from(at).unwrap()));
        assert_eq!(digits(&invite_id(&secret)), "acbb8cbc6f0a66bb");
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
