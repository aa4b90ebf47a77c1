//! Cuts a stream of bytes into frames, however it comes in pieces.
//!
//! A frame that is whole in what was received is read where it lies. Only one that has come in part is
//! copied, and no more of it than has come: an idle stream keeps nothing, and no length that a peer
//! claims makes us allocate.

use super::error::FrameError;
use super::{Frame, HEADER, read};
use crate::limits::FRAME_BODY_MAX;

/// Bytes of a partial frame that stay allocated between frames. Frames of control are smaller.
const KEPT: usize = 256;

/// The frames of one stream.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct Decoder {
    /// The beginning of a frame that has come in part.
    partial: Vec<u8>,
    /// The frame in `partial` was given out: it goes at the next call.
    is_spent: bool,
}

impl Decoder {
    /// The next frame; takes what it read off the front of `input`. `None` when all of it is taken and no
    /// frame is whole. After an error the stream makes no more sense.
    pub fn next<'s, 'i: 's>(
        &'s mut self,
        input: &mut &'i [u8],
    ) -> Result<Option<Frame<'s>>, FrameError> {
        self.forget_spent();
        while self.partial.is_empty() {
            let Some((kind, whole)) = header(input)? else {
                break;
            };
            let Some((frame, rest)) = input.split_at_checked(whole) else {
                break;
            };
            *input = rest;
            if let Some(frame) = read::on_stream(kind, frame.get(HEADER..).unwrap_or_default())? {
                return Ok(Some(frame));
            }
        }
        while let Some(kind) = self.complete(input)? {
            // Skipped, so it need not be looked at; asking for the frame itself would borrow it for good.
            if is_skipped(kind) {
                self.partial.clear();
                continue;
            }
            self.is_spent = true;
            return read::on_stream(kind, self.partial.get(HEADER..).unwrap_or_default());
        }
        Ok(None)
    }

    /// Bytes that it keeps.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.partial.capacity()
    }

    fn forget_spent(&mut self) {
        if self.is_spent {
            self.is_spent = false;
            self.partial.clear();
            self.partial.shrink_to(KEPT);
        }
    }

    /// Takes what the partial frame still lacks, no more; its type when it is whole.
    fn complete(&mut self, input: &mut &[u8]) -> Result<Option<u8>, FrameError> {
        self.take(input, HEADER);
        let Some((kind, whole)) = header(&self.partial)? else {
            return Ok(None);
        };
        self.take(input, whole);
        Ok((self.partial.len() == whole).then_some(kind))
    }

    fn take(&mut self, input: &mut &[u8], up_to: usize) {
        let lacking = up_to.saturating_sub(self.partial.len()).min(input.len());
        let (taken, rest) = input.split_at_checked(lacking).unwrap_or_default();
        let len = self.partial.len() + taken.len();
        if len > self.partial.capacity() {
            // Doubling, so that a byte at a time is not quadratic, but never above the frame's own length.
            let room = len.max(up_to.min(2 * len));
            self.partial.reserve_exact(room - self.partial.len());
        }
        self.partial.extend_from_slice(taken);
        *input = rest;
    }
}

fn is_skipped(kind: u8) -> bool {
    kind >= super::SKIPPABLE
}

/// The type of the frame at the beginning of `bytes`, and its length with the header.
fn header(bytes: &[u8]) -> Result<Option<(u8, usize)>, FrameError> {
    let Some(&[kind, high, low]) = bytes.first_chunk::<HEADER>() else {
        return Ok(None);
    };
    let bytes = usize::from(u16::from_be_bytes([high, low]));
    if bytes > FRAME_BODY_MAX {
        return Err(FrameError::Oversized { kind, bytes });
    }
    Ok(Some((kind, HEADER + bytes)))
}
