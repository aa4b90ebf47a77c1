//! Takes fields off the front of a body, and puts them at the end of one. Never reads past an end.

use super::error::Fault;
use super::{ChannelId, Standing};

/// Flags of a standing.
const FIN: u8 = 1;
const RESET: u8 = 2;
const DONE: u8 = 4;
const DEAF: u8 = 8;

/// What is left of a body.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (field, rest) = self.0.split_first_chunk().ok_or(Fault::Short)?;
        self.0 = rest;
        Ok(*field)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Fault> {
        self.array().map(u8::from_be_bytes)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Fault> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Fault> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Fault> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn channel(&mut self) -> Result<ChannelId, Fault> {
        self.u32().map(ChannelId)
    }

    pub(super) fn bytes(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let (field, rest) = self.0.split_at_checked(count).ok_or(Fault::Short)?;
        self.0 = rest;
        Ok(field)
    }

    pub(super) fn text(&mut self, max: usize) -> Result<&'a str, Fault> {
        let len = usize::from(self.u8()?);
        if len > max {
            return Err(Fault::Text);
        }
        std::str::from_utf8(self.bytes(len)?).map_err(|_| Fault::Text)
    }

    /// All that is left.
    pub(super) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    pub(super) fn standing(&mut self) -> Result<Standing, Fault> {
        let (channel, received, limit) = (self.channel()?, self.u64()?, self.u64()?);
        let flags = self.u8()?;
        if flags & !(FIN | RESET | DONE | DEAF) != 0 {
            return Err(Fault::Value);
        }
        Ok(Standing {
            channel,
            received,
            limit,
            fin: flags & FIN != 0,
            reset: flags & RESET != 0,
            done: flags & DONE != 0,
            deaf: flags & DEAF != 0,
        })
    }

    /// As many entries as it says, at most `max`.
    pub(super) fn list<T>(
        &mut self,
        count: usize,
        max: usize,
        mut entry: impl FnMut(&mut Self) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Fault> {
        if count > max {
            return Err(Fault::Count);
        }
        // Each entry has a byte at least: what is allocated is bounded by what came, not by what it says.
        if count > self.0.len() {
            return Err(Fault::Short);
        }
        (0..count).map(|_| entry(self)).collect()
    }
}

/// As much of a text as fits `most` bytes, for what comes from people and is not refused for its length.
#[must_use]
pub fn fitting(text: &str, most: usize) -> &str {
    let ends = (0..=most.min(text.len())).rev();
    let end = ends.into_iter().find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}

pub(super) fn put_text(out: &mut Vec<u8>, text: &str, max: usize) -> Result<(), Fault> {
    let len = u8::try_from(text.len()).map_err(|_| Fault::Text)?;
    if text.len() > max {
        return Err(Fault::Text);
    }
    out.push(len);
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

pub(super) fn put_standing(out: &mut Vec<u8>, standing: &Standing) {
    let flag = |set, bit| if set { bit } else { 0 };
    let flags = flag(standing.fin, FIN)
        | flag(standing.reset, RESET)
        | flag(standing.done, DONE)
        | flag(standing.deaf, DEAF);
    out.extend_from_slice(&standing.channel.0.to_be_bytes());
    out.extend_from_slice(&standing.received.to_be_bytes());
    out.extend_from_slice(&standing.limit.to_be_bytes());
    out.push(flags);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters_only() {
        assert_eq!(fitting("alice", 9), "alice");
        assert_eq!(fitting("alice", 3), "ali");
        assert_eq!(fitting("aéé", 2), "a");
        assert_eq!(fitting("aéé", 3), "aé");
        assert_eq!(fitting("é", 1), "");
        assert_eq!(fitting("", 0), "");
    }
}
