//! How a joiner proves that it was invited, to the host that invited it and to nobody else.

use ring::hmac;
use via6_core::invite::Secret;

use crate::identity::PublicKey;

/// The label of the TLS exporter (RFC 8446 §7.5).
pub(crate) const EXPORTER_LABEL: &[u8] = b"EXPORTER-via6-admission";

/// What one transport has that no other has: both ends know it, and nobody else.
pub(crate) type Exporter = [u8; 32];

const INVITE_LABEL: &[u8] = b"via6 invite";
const ADMIT_LABEL: &[u8] = b"via6 admit";

/// Names an invite without showing its secret.
#[must_use]
pub fn invite_id(secret: &Secret) -> [u8; 8] {
    let tag = hmac::sign(&key(secret), INVITE_LABEL);
    let mut id = [0; 8];
    for (place, byte) in id.iter_mut().zip(tag.as_ref()) {
        *place = *byte;
    }
    id
}

/// That the one with this key, on this transport to that host, has the secret.
pub(crate) fn proof(
    secret: &Secret,
    exporter: &Exporter,
    host: PublicKey,
    joiner: PublicKey,
) -> [u8; 32] {
    let tag = hmac::sign(&key(secret), &message(exporter, host, joiner));
    // HMAC-SHA256 has 32 bytes, always.
    tag.as_ref().try_into().unwrap_or([0; 32])
}

/// Checks a proof, in a time that does not tell how much of it is right.
pub(crate) fn is_proven(
    secret: &Secret,
    exporter: &Exporter,
    (host, joiner): (PublicKey, PublicKey),
    proof: &[u8; 32],
) -> bool {
    hmac::verify(&key(secret), &message(exporter, host, joiner), proof).is_ok()
}

fn key(secret: &Secret) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, &secret.0)
}

fn message(exporter: &Exporter, host: PublicKey, joiner: PublicKey) -> Vec<u8> {
    [ADMIT_LABEL, exporter, &host.0, &joiner.0].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: PublicKey = PublicKey([1; 32]);
    const JOINER: PublicKey = PublicKey([2; 32]);

    #[test]
    fn a_proof_is_of_one_secret_one_transport_and_two_keys() {
        let (secret, exporter) = (Secret([3; 16]), [4; 32]);
        let right = proof(&secret, &exporter, HOST, JOINER);
        assert!(is_proven(&secret, &exporter, (HOST, JOINER), &right));
        assert!(!is_proven(
            &Secret([9; 16]),
            &exporter,
            (HOST, JOINER),
            &right
        ));
        assert!(!is_proven(&secret, &[9; 32], (HOST, JOINER), &right));
        assert!(!is_proven(&secret, &exporter, (JOINER, HOST), &right));
        assert!(!is_proven(&secret, &exporter, (HOST, JOINER), &[0; 32]));
    }

    #[test]
    fn an_invite_is_named_by_its_secret() {
        assert_eq!(invite_id(&Secret([3; 16])), invite_id(&Secret([3; 16])));
        assert_ne!(invite_id(&Secret([3; 16])), invite_id(&Secret([4; 16])));
    }
}
