//! Bytes that know their own offset: any loss, repetition or exchange of bytes shows, and where.
//!
//! Each 8-byte word is a mix of the stream's seed and the word's index, so that no two streams and
//! no two places of one stream look alike.

use crate::failure::{Outcome, failed};

/// An endless stream of checkable bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Pattern {
    seed: u64,
}

/// What the game client sends.
pub const UP: Pattern = Pattern::new(0x7570);
/// What the game server sends.
pub const DOWN: Pattern = Pattern::new(0x646f_776e);

impl Pattern {
    /// The stream that belongs to `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// Writes the bytes from `offset` on into `buffer`.
    pub fn fill(self, offset: u64, buffer: &mut [u8]) {
        let mut word = offset / 8;
        let mut skip = usize::try_from(offset % 8).unwrap_or(0);
        let mut rest = buffer;
        while !rest.is_empty() {
            let bytes = self.word(word);
            let take = rest.len().min(8 - skip);
            let (now, later) = rest.split_at_mut(take);
            now.copy_from_slice(&bytes[skip..skip + take]);
            (rest, word, skip) = (later, word + 1, 0);
        }
    }

    /// `len` bytes from `offset` on.
    #[must_use]
    pub fn bytes(self, offset: u64, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.fill(offset, &mut bytes);
        bytes
    }

    /// Fails unless `bytes` are what stands at `offset`; says where the first difference is.
    pub fn check(self, offset: u64, bytes: &[u8]) -> Outcome {
        let mut expected = [0; 4096];
        let mut at = offset;
        for chunk in bytes.chunks(expected.len()) {
            let expected = &mut expected[..chunk.len()];
            self.fill(at, expected);
            if let Some(i) = (0..chunk.len()).find(|&i| chunk[i] != expected[i]) {
                let at = at + i as u64;
                return failed(format!("wrong byte at offset {at}"));
            }
            at += chunk.len() as u64;
        }
        Ok(())
    }

    /// The finalizer of splitmix64: cheap, and every bit of the index reaches every byte.
    const fn word(self, index: u64) -> [u8; 8] {
        let mut z = (self.seed ^ index).wrapping_add(index.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)).to_le_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_bytes_whatever_the_cut() {
        let whole = UP.bytes(0, 10_000);
        for (from, len) in [(0, 1), (1, 7), (3, 5000), (4095, 2), (9_999, 1)] {
            assert_eq!(
                UP.bytes(from, len),
                whole[usize::try_from(from).unwrap()..][..len],
                "{from}"
            );
        }
        UP.check(0, &whole).unwrap();
        UP.check(17, &whole[17..]).unwrap();
    }

    #[test]
    fn a_lost_a_repeated_and_a_foreign_byte_are_found() {
        let whole = UP.bytes(0, 9000);
        let mut lost = whole.clone();
        lost.remove(5000);
        let mut repeated = whole.clone();
        repeated.insert(7000, whole[7000]);
        assert!(UP.check(0, &lost).unwrap_err().to_string().contains("500"));
        assert!(
            UP.check(0, &repeated)
                .unwrap_err()
                .to_string()
                .contains("700")
        );
        assert!(DOWN.check(0, &whole).is_err());
    }
}
