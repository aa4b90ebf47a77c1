//! Crockford's base 32 and the checksum over it: bytes as letters and digits that survive being read
//! aloud, capitalised, and typed by hand.

/// The 32 characters, in the order of their values. Without `i`, `l` and `o`, which are read as digits,
/// and `u`.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Bits of one character.
const BITS: usize = 5;

/// The character of a value below 32.
pub(super) fn symbol(value: u8) -> char {
    ALPHABET
        .get(usize::from(value))
        .map_or('0', |c| char::from(*c))
}

/// The value of a character; what looks like a digit is one.
pub(super) fn value(c: char) -> Option<u8> {
    let c = match c.to_ascii_lowercase() {
        'o' => '0',
        'i' | 'l' => '1',
        c => c,
    };
    let at = ALPHABET.iter().position(|a| char::from(*a) == c)?;
    u8::try_from(at).ok()
}

/// How many characters `bytes` bytes take.
pub(super) const fn symbols_of(bytes: usize) -> usize {
    (bytes * 8).div_ceil(BITS)
}

/// Values of five bits, the highest bits first; the last one is filled up with zeros.
pub(super) fn to_values(bytes: &[u8]) -> Vec<u8> {
    let mut values = Vec::with_capacity(symbols_of(bytes.len()));
    let (mut held, mut bits) = (0_u16, 0);
    for &byte in bytes {
        held = (held << 8) | u16::from(byte);
        bits += 8;
        while bits >= BITS {
            bits -= BITS;
            values.push(low5(held >> bits));
        }
    }
    if bits > 0 {
        values.push(low5(held << (BITS - bits)));
    }
    values
}

/// The whole bytes in `values`, and whether the bits left over are all zero.
pub(super) fn to_bytes(values: &[u8]) -> (Vec<u8>, bool) {
    let mut bytes = Vec::with_capacity(values.len() * BITS / 8);
    let (mut held, mut bits) = (0_u16, 0);
    for &value in values {
        held = (held << BITS) | u16::from(value);
        bits += BITS;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from((held >> bits) & 0xff).unwrap_or_default());
            held &= (1 << bits) - 1;
        }
    }
    (bytes, held == 0)
}

fn low5(bits: u16) -> u8 {
    u8::try_from(bits & 31).unwrap_or_default()
}

/// CRC-32 as of zlib and PNG (ISO-HDLC). It finds every damage within 32 bits in a row; nothing here
/// defends against somebody who wants to deceive, who could make a whole invite of his own.
pub(super) fn crc32(bytes: impl IntoIterator<Item = u8>) -> u32 {
    const POLYNOMIAL: u32 = 0xedb8_8320;
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (POLYNOMIAL & (crc & 1).wrapping_neg());
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_checksum_is_the_one_that_zlib_computes() {
        assert_eq!(crc32(*b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32([]), 0);
    }

    #[test]
    fn characters_that_look_alike_are_the_same() {
        for (typed, meant) in [
            ('O', '0'),
            ('o', '0'),
            ('I', '1'),
            ('l', '1'),
            ('L', '1'),
            ('Z', 'z'),
        ] {
            assert_eq!(value(typed), value(meant), "{typed}");
        }
        for c in ['u', 'U', 'é', '-', ' ', '\0'] {
            assert_eq!(value(c), None, "{c}");
        }
        for at in 0..32 {
            assert_eq!(value(symbol(at)), Some(at));
        }
    }

    proptest! {
        #[test]
        fn bytes_survive(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let values = to_values(&bytes);
            prop_assert_eq!(values.len(), symbols_of(bytes.len()));
            prop_assert_eq!(to_bytes(&values), (bytes, true));
        }
    }
}
