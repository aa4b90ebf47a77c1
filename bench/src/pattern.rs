//! The bytes of a transfer: what stands at an offset follows from the offset, so that a lost,
//! doubled or moved byte shows.
//!
//! In a timed transfer only the edges of each piece are compared: whatever slips moves all that
//! follows, and the comparison stays too cheap to be measured. Bytes changed in place are the
//! untimed check's to find, which compares them all.

use std::io::{Read, Write};
use std::sync::LazyLock;
use std::time::Instant;

use anyhow::{Context as _, bail, ensure};

/// Bytes after which the pattern repeats: a prime, so that no slip by a whole buffer goes unseen.
const PERIOD: usize = 65_521;

/// Bytes of one read or write.
const PIECE: usize = 128 * 1024;

/// Bytes compared at each edge of a piece in a timed transfer.
const EDGE: usize = 32;

static PATTERN: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let once: Vec<u8> = (0..PERIOD)
        .map(|_| {
            // xorshift64: any sequence without short repeats will do.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        })
        .collect();
    once.iter().copied().cycle().take(PERIOD + PIECE).collect()
});

/// How closely received bytes are looked at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Check {
    Every,
    Edges,
}

/// When a transfer is given up though bytes still come.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Until {
    /// Never: the other end decides.
    Done,
    Time(Instant),
}

impl Until {
    fn check(self) -> anyhow::Result<()> {
        match self {
            Self::Time(deadline) if Instant::now() >= deadline => bail!("the time limit is over"),
            _ => Ok(()),
        }
    }
}

/// The `length` bytes that stand at `offset`.
fn at(offset: u64, length: usize) -> &'static [u8] {
    let start = usize::try_from(offset % PERIOD as u64).unwrap_or(0);
    PATTERN
        .get(start..start + length.min(PIECE))
        .unwrap_or_default()
}

/// Sends `bytes` of the pattern from its beginning.
pub(crate) fn send(mut to: impl Write, bytes: u64, until: Until) -> anyhow::Result<()> {
    let mut offset = 0;
    while offset < bytes {
        until.check()?;
        let length = usize::try_from(bytes - offset).map_or(PIECE, |left| left.min(PIECE));
        let sent = to
            .write(at(offset, length))
            .with_context(|| format!("cannot send after {offset} of {bytes} bytes"))?;
        offset += sent as u64;
    }
    Ok(())
}

/// Receives exactly `bytes`, comparing them with the pattern.
pub(crate) fn receive(
    mut from: impl Read,
    bytes: u64,
    check: Check,
    until: Until,
) -> anyhow::Result<()> {
    let mut buffer = vec![0; PIECE];
    let mut offset = 0;
    while offset < bytes {
        until.check()?;
        let length = usize::try_from(bytes - offset).map_or(PIECE, |left| left.min(PIECE));
        let room = buffer.get_mut(..length).unwrap_or_default();
        let received = from
            .read(room)
            .with_context(|| format!("cannot receive after {offset} of {bytes} bytes"))?;
        ensure!(
            received > 0,
            "the stream ended after {offset} of {bytes} bytes"
        );
        let piece = buffer.get(..received).unwrap_or_default();
        if !matches(piece, at(offset, received), check) {
            bail!(
                "wrong bytes between {offset} and {}",
                offset + received as u64
            );
        }
        offset += received as u64;
    }
    Ok(())
}

fn matches(piece: &[u8], expected: &[u8], check: Check) -> bool {
    if check == Check::Every || piece.len() <= 2 * EDGE {
        return piece == expected;
    }
    piece.first_chunk::<EDGE>() == expected.first_chunk()
        && piece.last_chunk::<EDGE>() == expected.last_chunk()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(bytes: u64) -> Vec<u8> {
        let mut all = Vec::new();
        send(&mut all, bytes, Until::Done).unwrap();
        all
    }

    #[test]
    fn what_is_sent_is_received() {
        for bytes in [0, 1, 65_521, 1_000_003] {
            let all = sent(bytes);
            assert_eq!(all.len() as u64, bytes);
            receive(&all[..], bytes, Check::Every, Until::Done).unwrap();
            receive(&all[..], bytes, Check::Edges, Until::Done).unwrap();
        }
    }

    #[test]
    fn a_missing_doubled_or_short_byte_shows_even_at_the_edges_alone() {
        let all = sent(1_000_003);
        for cut in [0, 1, 131_072, 999_000] {
            let mut missing = all.clone();
            missing.remove(cut);
            missing.push(0);
            assert!(
                receive(&missing[..], 1_000_003, Check::Edges, Until::Done).is_err(),
                "{cut}"
            );
            let mut doubled = all.clone();
            doubled.insert(cut, all[cut] ^ 1);
            assert!(
                receive(&doubled[..], 1_000_003, Check::Edges, Until::Done).is_err(),
                "{cut}"
            );
        }
        let error = receive(&all[..999], 1000, Check::Edges, Until::Done).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the stream ended after 999 of 1000 bytes"
        );
    }

    #[test]
    fn a_byte_changed_in_place_shows_in_the_full_check() {
        let mut all = sent(300_000);
        all[100_000] ^= 1;
        assert!(receive(&all[..], 300_000, Check::Every, Until::Done).is_err());
        assert!(
            receive(&all[..], 300_000, Check::Edges, Until::Done).is_ok(),
            "known limit of the timed check"
        );
    }
}
