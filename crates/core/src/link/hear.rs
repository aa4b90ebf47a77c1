//! What comes from the other side, over the transport of the current generation.

use std::time::Instant;

use super::state::{Answer, Gate};
use super::{Heard, Link, LinkError, Role};
use crate::channel::{Channel, Violation};
use crate::frame::{ChannelId, Closed, Frame, LaneItem, Reset, ServiceId};
use crate::limits::ENDS_TOGETHER;

impl Link {
    /// A frame came on a stream of the transport of `generation`. An error ends the link.
    pub fn on_frame<'a>(
        &mut self,
        generation: u64,
        frame: Frame<'a>,
        now: Instant,
    ) -> Result<Heard<'a>, LinkError> {
        if !self.is_current(generation) {
            return Ok(Heard::Stale);
        }
        self.watch.heard(now);
        let is_joiner = self.role == Role::Joiner;
        match frame {
            Frame::Open { channel, service } if !is_joiner => {
                return self.on_open(channel, service, now);
            }
            Frame::Data {
                channel,
                offset,
                bytes,
            } => {
                self.on_channel(channel, true, now, |c| {
                    c.on_data(offset, bytes, now).map(|_| ())
                })?;
            }
            Frame::Ack(standing) => {
                self.on_channel(standing.channel, true, now, |c| c.on_standing(&standing))?;
            }
            Frame::Fin { channel, offset } => {
                self.on_channel(channel, true, now, |c| c.on_fin(offset))?;
            }
            Frame::Rst {
                channel,
                offset,
                code,
            } => {
                self.on_channel(channel, true, now, |c| c.on_rst(offset, code))?;
            }
            Frame::Ping(number) => self.pong = Some(number),
            Frame::Pong(_) => {}
            Frame::Close { code, message } => {
                // Of the transport alone: the answer that a newer one carries the link is still under way.
                if code == Closed::Superseded {
                    self.on_cut(generation);
                } else {
                    self.end(code, now);
                }
                return Ok(Heard::Closed { code, message });
            }
            Frame::Services(services) if is_joiner => return Ok(Heard::Services(services)),
            Frame::Addrs(addrs) if is_joiner => return Ok(Heard::Addrs(addrs)),
            Frame::Flow(piece) => return Ok(Heard::Flow(piece)),
            _ => return Err(LinkError::Unexpected),
        }
        Ok(Heard::Nothing)
    }

    /// A lane frame came in a datagram of the transport of `generation`: copies, which may come at any
    /// time or never, and so may have gaps before them.
    pub fn on_lane(
        &mut self,
        generation: u64,
        items: &[LaneItem<'_>],
        now: Instant,
    ) -> Result<(), LinkError> {
        if !self.is_current(generation) {
            return Ok(());
        }
        self.watch.heard(now);
        for item in items {
            let heard = match *item {
                LaneItem::Copy {
                    channel,
                    offset,
                    bytes,
                } => self.on_channel(channel, false, now, |c| {
                    c.on_data(offset, bytes, now).map(|_| ())
                }),
                LaneItem::Ack(standing) => {
                    self.on_channel(standing.channel, false, now, |c| c.on_standing(&standing))
                }
            };
            match heard {
                Err(LinkError::Channel {
                    violation: Violation::Gap | Violation::Limit,
                    ..
                }) => {}
                other => other?,
            }
        }
        Ok(())
    }

    fn is_current(&self, generation: u64) -> bool {
        self.is_attached && generation == self.generation
    }

    fn on_open(
        &mut self,
        channel: ChannelId,
        service: ServiceId,
        now: Instant,
    ) -> Result<Heard<'static>, LinkError> {
        if self.slots.contains_key(&channel) {
            return Ok(Heard::Nothing);
        }
        if self.has_room() {
            self.insert(channel, service, now);
            return Ok(Heard::Opened { channel, service });
        }
        self.answers
            .insert(channel, Answer::Refused(Reset::Channels));
        if self.answers.len() > self.limits.channels_max {
            return Err(LinkError::Flood);
        }
        Ok(Heard::Nothing)
    }

    /// What is not known is over, or was refused: not worth an error.
    fn on_channel(
        &mut self,
        id: ChannelId,
        by_stream: bool,
        now: Instant,
        act: impl FnOnce(&mut Channel) -> Result<(), Violation>,
    ) -> Result<(), LinkError> {
        let is_known = |slot: &super::state::Slot| !slot.channel.is_forgotten();
        if !self.slots.get(&id).is_some_and(is_known) {
            return Ok(());
        }
        let heard = self.with(id, |slot| {
            slot.is_opened = true;
            if by_stream {
                slot.gate = Gate::Open;
            }
            let heard = act(&mut slot.channel);
            let has_ended = slot.channel.note_ends(now);
            (heard, slot.channel.deadline(), has_ended)
        });
        let (heard, deadline, has_ended) = heard.unwrap_or((Ok(()), None, false));
        self.untold_ends += usize::from(has_ended);
        if self.untold_ends >= ENDS_TOGETHER {
            self.tell_ends(now);
        }
        self.tell_at = [self.tell_at, deadline].into_iter().flatten().min();
        self.touched.insert(id);
        self.sweep(id, now);
        heard.map_err(|violation| LinkError::Channel {
            channel: id,
            violation,
        })
    }
}
