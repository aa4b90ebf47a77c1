//! What goes over transports: turns, bytes, frames, and the answers of a shell to them.

use via6_core::frame::{ChannelId, Decoder, Frame, LinkId, Refusal, Reset, ServiceId, Standing};
use via6_core::link::{AttachError, Carrier, Heard};

use super::game::Game;
use super::{HOST, JOINER, UNKNOWN, World};

impl World {
    /// Moves something over some transport.
    pub fn carry(&mut self) {
        let Some(at) = self.pick_transport() else {
            return;
        };
        match self.rng.below(8) {
            0..=2 => self.send(JOINER, at),
            3..=5 => self.send(HOST, at),
            6 => self.datagram(at),
            _ => {}
        }
        self.receive(at);
    }

    fn send(&mut self, side: usize, at: usize) {
        let generation = self.transports[at].generation;
        let (link, now) = (self.link, self.now);
        let room = self.rng.choose(&[60, 100, 2_000, 40_000]);
        let Some(end) = self
            .side(side, link)
            .filter(|end| end.generation() == generation)
        else {
            return;
        };
        let mut out = Vec::new();
        let Some(carrier) = end.transmit(room, now, &mut out) else {
            return;
        };
        assert!(
            !out.is_empty() && out.len() <= room,
            "a turn of {} bytes",
            out.len()
        );
        let lane = self.rng.one_in(2);
        let transport = &mut self.transports[at];
        let is_quic = transport.is_quic;
        let way = if side == JOINER {
            &mut transport.up
        } else {
            &mut transport.down
        };
        way.send(is_quic, carrier, &out);
        if is_quic && lane {
            way.copy(&out);
        }
    }

    fn receive(&mut self, at: usize) {
        let side = self.rng.below(2) as usize;
        let transport = &mut self.transports[at];
        let generation = transport.generation;
        let way = if side == HOST {
            &mut transport.up
        } else {
            &mut transport.down
        };
        let Some((bytes, decoder)) = way.take(&mut self.rng) else {
            return;
        };
        let mut decoder_of_stream = std::mem::take(decoder);
        let mut input = &bytes[..];
        let frames = owned(&mut decoder_of_stream, &mut input);
        *decoder = decoder_of_stream;
        for bytes in frames {
            let (mut whole, mut input) = (Decoder::default(), &bytes[..]);
            let frame = whole.next(&mut input).unwrap().unwrap();
            self.on_frame(side, generation, frame);
        }
    }

    fn datagram(&mut self, at: usize) {
        let side = self.rng.below(2) as usize;
        let transport = &mut self.transports[at];
        let generation = transport.generation;
        let way = if side == HOST {
            &mut transport.up
        } else {
            &mut transport.down
        };
        let Some(datagram) = way.take_datagram(&mut self.rng) else {
            return;
        };
        let Ok(Some(Frame::Lane(items))) = Frame::read_datagram(&datagram) else {
            panic!("not a lane frame");
        };
        let (link, now) = (self.link, self.now);
        if let Some(end) = self.side(side, link) {
            end.on_lane(generation, &items, now).unwrap();
        }
        self.note("lane");
    }

    fn on_frame(&mut self, side: usize, generation: u64, frame: Frame<'_>) {
        match frame {
            Frame::Attach {
                link,
                next,
                standings,
                ..
            } => self.on_attach(link, generation, next, &standings),
            Frame::Attached {
                since, standings, ..
            } => {
                let resumed = since <= self.joiner.generation();
                self.note(if resumed { "resumed" } else { "fresh" });
                let is_forgotten = !resumed && self.joiner.generation() > 0;
                if is_forgotten {
                    self.lose_all();
                }
                let (now, link) = (self.now, self.link);
                // ATTACHED of an earlier link of this joiner cannot come: its transports are gone.
                let took = self.joiner.on_attached(generation, since, &standings, now);
                assert!(took.is_ok(), "{took:?} on link {link}");
            }
            Frame::Refused { code, .. } => {
                assert!(
                    matches!(code, Refusal::Generation | Refusal::Full),
                    "{code}"
                );
                self.note(if code == Refusal::Full {
                    "refused full"
                } else {
                    "refused generation"
                });
            }
            frame => {
                let (link, now) = (self.link, self.now);
                let Some(end) = self.side(side, link) else {
                    return;
                };
                let heard = end.on_frame(generation, frame, now).unwrap();
                if let Heard::Opened { channel, service } = heard {
                    self.opened(channel, service);
                } else if heard == Heard::Stale {
                    self.note("stale");
                }
            }
        }
    }

    fn on_attach(&mut self, id: LinkId, generation: u64, next: ChannelId, standings: &[Standing]) {
        let answer = self
            .hosts
            .attach(&7, id, generation, (next, standings), self.now);
        let frame = match answer {
            Ok(took) => {
                self.host_lost(took.replaced);
                took.frame
            }
            Err(AttachError::Refused(code)) => Frame::Refused { code, message: "" },
            Err(AttachError::Broken(error)) => panic!("{error}"),
        };
        let mut bytes = Vec::new();
        frame.write(&mut bytes).unwrap();
        let transport = self
            .transports
            .iter_mut()
            .find(|t| t.generation == generation);
        transport
            .unwrap()
            .down
            .send(false, Carrier::Control, &bytes);
    }

    fn opened(&mut self, channel: ChannelId, service: ServiceId) {
        let (link, now) = (self.link, self.now);
        let key = (link, channel.0);
        if service == UNKNOWN {
            self.host(link)
                .unwrap()
                .refuse(channel, Reset::Service, now);
            self.sessions.get_mut(&key).unwrap().was_refused = Some(Reset::Service);
            self.note("refused service");
        } else {
            let game = Game::new(&mut self.rng, self.most);
            let session = self.sessions.get_mut(&key).unwrap();
            assert!(session.ends[HOST].is_none(), "{channel} was opened twice");
            session.ends[HOST] = Some(game);
        }
    }
}

/// The frames in `input`, each as its bytes.
fn owned(decoder: &mut Decoder, input: &mut &[u8]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    while let Some(frame) = decoder.next(input).unwrap() {
        let mut bytes = Vec::new();
        frame.write(&mut bytes).unwrap();
        frames.push(bytes);
    }
    frames
}
