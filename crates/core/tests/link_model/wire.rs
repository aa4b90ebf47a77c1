//! Transports: streams that keep their order, may be cut at any byte in each direction, and may live on
//! beside their successors; and datagrams that are lost, doubled and swapped.

use std::collections::BTreeMap;

use via6_core::frame::{Decoder, Frame, LaneItem};
use via6_core::link::Carrier;

use super::rng::Rng;

/// One stream in one direction.
#[derive(Default)]
pub struct Pipe {
    bytes: Vec<u8>,
    pub decoder: Decoder,
}

/// All that goes one way.
#[derive(Default)]
pub struct Way {
    /// By channel; the control stream, and over TLS everything, is `None`.
    pipes: BTreeMap<Option<u32>, Pipe>,
    lane: Vec<Vec<u8>>,
    is_cut: bool,
}

impl Way {
    pub fn send(&mut self, is_quic: bool, carrier: Carrier, bytes: &[u8]) {
        let key = match carrier {
            Carrier::Channel(id) if is_quic => Some(id.0),
            _ => None,
        };
        if !self.is_cut {
            self.pipes
                .entry(key)
                .or_default()
                .bytes
                .extend_from_slice(bytes);
        }
    }

    /// Copies of the small frames in `bytes`, for the fast lane.
    pub fn copy(&mut self, bytes: &[u8]) {
        let (mut decoder, mut input, mut items) = (Decoder::default(), bytes, Vec::new());
        // The frames borrow from the decoder only if they come in pieces, and these do not.
        while let Ok(Some(frame)) = decoder.next(&mut input) {
            let item = match frame {
                Frame::Data {
                    channel,
                    offset,
                    bytes,
                } if bytes.len() <= 1200 => LaneItem::Copy {
                    channel,
                    offset,
                    bytes,
                },
                Frame::Ack(standing) => LaneItem::Ack(standing),
                _ => continue,
            };
            let mut out = Vec::new();
            Frame::Lane(vec![item]).write_datagram(&mut out).unwrap();
            items.push(out);
        }
        if !self.is_cut {
            self.lane.extend(items);
        }
    }

    /// Some bytes of some stream, for the decoder of that stream.
    pub fn take(&mut self, rng: &mut Rng) -> Option<(Vec<u8>, &mut Decoder)> {
        let full: Vec<_> = self
            .pipes
            .iter()
            .filter(|(_, p)| !p.bytes.is_empty())
            .map(|(k, _)| *k)
            .collect();
        if full.is_empty() {
            return None;
        }
        let pipe = self.pipes.get_mut(&rng.choose(&full))?;
        let all = pipe.bytes.len();
        let count = match rng.below(4) {
            0 => 1 + usize::from(rng.small(all as u64)),
            1 => all.min(1 + usize::from(rng.small(20))),
            _ => all,
        };
        let bytes = pipe.bytes.drain(..count.min(all)).collect();
        Some((bytes, &mut pipe.decoder))
    }

    /// A datagram, in no order; it may come again.
    pub fn take_datagram(&mut self, rng: &mut Rng) -> Option<Vec<u8>> {
        if self.lane.is_empty() {
            return None;
        }
        let at = usize::from(rng.small(self.lane.len() as u64));
        match rng.below(3) {
            0 => Some(self.lane[at].clone()),
            1 => Some(self.lane.swap_remove(at)),
            _ => {
                self.lane.swap_remove(at);
                None
            }
        }
    }

    /// What is under way is lost, from some byte of each stream on, and nothing more gets through.
    pub fn cut(&mut self, rng: &mut Rng) {
        self.is_cut = true;
        for pipe in self.pipes.values_mut() {
            let keep = usize::from(rng.small(pipe.bytes.len() as u64 + 1));
            pipe.bytes.truncate(keep);
        }
    }

    pub fn is_cut(&self) -> bool {
        self.is_cut
    }
}

/// One QUIC or TLS connection.
pub struct Transport {
    pub generation: u64,
    pub is_quic: bool,
    pub up: Way,
    pub down: Way,
    /// Each side has noticed that it is gone: joiner, host.
    pub noticed: [bool; 2],
}

impl Transport {
    pub fn is_cut(&self) -> bool {
        self.up.is_cut() || self.down.is_cut()
    }
}
