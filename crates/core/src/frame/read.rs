//! From the body of a frame to its value.

use super::code::{Closed, Refusal, Reset};
use super::error::{Fault, FrameError};
use super::fields::Fields;
use super::{
    Admit, Admitted, Features, Frame, LaneItem, LinkId, Piece, SKIPPABLE, ServiceId, kind, lists,
};
use crate::limits::{LANE_COPY_MAX, LINK_CHANNELS_MAX, LINK_MESSAGE_MAX, LINK_NAME_MAX};

/// Items of a lane frame.
pub(super) const COPY: u8 = 1;
pub(super) const ACK: u8 = 2;

impl<'a> Frame<'a> {
    /// What came in a datagram: the type, and the body up to its end. `None` is to be skipped.
    pub fn read_datagram(datagram: &'a [u8]) -> Result<Option<Self>, FrameError> {
        let (&kind, body) = datagram.split_first().ok_or(FrameError::Empty)?;
        match kind {
            kind::FLOW | kind::LANE => body_of(kind, body),
            SKIPPABLE.. => Ok(None),
            _ => Err(FrameError::Place { kind }),
        }
    }
}

/// The frame of type `kind` on a stream. `None` is to be skipped.
pub(super) fn on_stream(kind: u8, body: &[u8]) -> Result<Option<Frame<'_>>, FrameError> {
    match kind {
        kind::LANE => Err(FrameError::Place { kind }),
        _ => body_of(kind, body),
    }
}

fn body_of(kind: u8, body: &[u8]) -> Result<Option<Frame<'_>>, FrameError> {
    let mut fields = Fields(body);
    let frame = match kind {
        kind::ADMIT..=kind::CLOSE => control(kind, &mut fields),
        kind::OPEN..=kind::RST => channel(kind, &mut fields),
        kind::SERVICES => lists::services(&mut fields).map(Frame::Services),
        kind::ADDRS => lists::addrs(&mut fields).map(Frame::Addrs),
        kind::FLOW => piece(&mut fields).map(Frame::Flow),
        kind::LANE => lane(&mut fields).map(Frame::Lane),
        SKIPPABLE.. => return Ok(None),
        _ => return Err(FrameError::Unknown { kind }),
    };
    let wrong = |fault| FrameError::Body { kind, fault };
    let frame = frame.map_err(wrong)?;
    // The frames that all versions have to understand may have grown.
    let may_have_more = matches!(kind, kind::ADMIT | kind::ADMITTED | kind::REFUSED);
    if fields.0.is_empty() || may_have_more {
        Ok(Some(frame))
    } else {
        Err(wrong(Fault::Long))
    }
}

fn control<'a>(kind: u8, fields: &mut Fields<'a>) -> Result<Frame<'a>, Fault> {
    Ok(match kind {
        kind::ADMIT => Frame::Admit(Admit {
            version_min: fields.u8()?,
            version_max: fields.u8()?,
            features: Features(fields.u32()?),
            invite: fields.array()?,
            proof: fields.array()?,
            name: fields.text(LINK_NAME_MAX)?,
        }),
        kind::ADMITTED => Frame::Admitted(Admitted {
            version: fields.u8()?,
            features: Features(fields.u32()?),
            hold_ms: fields.u32()?,
            name: fields.text(LINK_NAME_MAX)?,
        }),
        kind::REFUSED => Frame::Refused {
            code: Refusal::of(fields.u8()?),
            message: fields.text(LINK_MESSAGE_MAX)?,
        },
        kind::ATTACH => Frame::Attach {
            link: LinkId(fields.array()?),
            generation: fields.u64()?,
            next: fields.channel()?,
            standings: standings(fields)?,
        },
        kind::ATTACHED => Frame::Attached {
            generation: fields.u64()?,
            since: fields.u64()?,
            standings: standings(fields)?,
        },
        kind::PING => Frame::Ping(fields.u64()?),
        kind::PONG => Frame::Pong(fields.u64()?),
        _ => Frame::Close {
            code: Closed::of(fields.u8()?),
            message: fields.text(LINK_MESSAGE_MAX)?,
        },
    })
}

fn standings(fields: &mut Fields<'_>) -> Result<Vec<super::Standing>, Fault> {
    let count = usize::from(fields.u16()?);
    fields.list(count, LINK_CHANNELS_MAX, Fields::standing)
}

fn channel<'a>(kind: u8, fields: &mut Fields<'a>) -> Result<Frame<'a>, Fault> {
    if kind == kind::ACK {
        return fields.standing().map(Frame::Ack);
    }
    let channel = fields.channel()?;
    if kind == kind::OPEN {
        let service = ServiceId(fields.u16()?);
        return Ok(Frame::Open { channel, service });
    }
    let offset = fields.u64()?;
    Ok(match kind {
        kind::DATA => {
            let bytes = fields.rest();
            if bytes.is_empty() {
                return Err(Fault::Short);
            }
            Frame::Data {
                channel,
                offset,
                bytes,
            }
        }
        kind::FIN => Frame::Fin { channel, offset },
        _ => Frame::Rst {
            channel,
            offset,
            code: Reset::of(fields.u8()?),
        },
    })
}

fn piece<'a>(fields: &mut Fields<'a>) -> Result<Piece<'a>, Fault> {
    let piece = Piece {
        flow: fields.u32()?,
        service: ServiceId(fields.u16()?),
        datagram: fields.u16()?,
        index: fields.u8()?,
        count: fields.u8()?,
        bytes: fields.rest(),
    };
    if piece.index < piece.count {
        Ok(piece)
    } else {
        Err(Fault::Value)
    }
}

fn lane<'a>(fields: &mut Fields<'a>) -> Result<Vec<LaneItem<'a>>, Fault> {
    let mut items = Vec::new();
    while !fields.0.is_empty() {
        items.push(match fields.u8()? {
            COPY => {
                let (channel, offset) = (fields.channel()?, fields.u64()?);
                let len = usize::from(fields.u16()?);
                if len == 0 || len > LANE_COPY_MAX {
                    return Err(Fault::Value);
                }
                let bytes = fields.bytes(len)?;
                LaneItem::Copy {
                    channel,
                    offset,
                    bytes,
                }
            }
            ACK => LaneItem::Ack(fields.standing()?),
            _ => return Err(Fault::Value),
        });
    }
    Ok(items)
}
