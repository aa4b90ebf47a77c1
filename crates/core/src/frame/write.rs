//! From the value of a frame to its bytes. What could not be read back is refused.

use super::error::{Fault, FrameError};
use super::fields::{put_standing, put_text};
use super::read::{ACK, COPY};
use super::{ChannelId, Frame, HEADER, LaneItem, Piece, Standing, kind, lists};
use crate::limits::{
    FRAME_BODY_MAX, LANE_COPY_MAX, LINK_CHANNELS_MAX, LINK_MESSAGE_MAX, LINK_NAME_MAX,
};

/// Channel and offset, before the bytes of a DATA frame.
const DATA_FIELDS: usize = 4 + 8;

/// Bytes that one DATA frame carries at most.
pub(crate) const DATA_MAX: usize = FRAME_BODY_MAX - DATA_FIELDS;

/// Bytes of a DATA frame besides those it carries.
pub(crate) const DATA_OVERHEAD: usize = HEADER + DATA_FIELDS;

impl Frame<'_> {
    /// Appends it as it goes on a stream. On an error `out` is as it was.
    pub fn write(&self, out: &mut Vec<u8>) -> Result<(), FrameError> {
        let kind = self.kind();
        if kind == kind::LANE {
            return Err(FrameError::Place { kind });
        }
        let start = out.len();
        out.extend_from_slice(&[kind, 0, 0]);
        let written = self.put_body(out);
        let bytes = out.len() - start - HEADER;
        let len = u16::try_from(bytes)
            .ok()
            .filter(|_| bytes <= FRAME_BODY_MAX);
        let failed = match (written, len) {
            (Err(fault), _) => FrameError::Body { kind, fault },
            (Ok(()), None) => FrameError::Oversized { kind, bytes },
            (Ok(()), Some(len)) => {
                for (place, byte) in out.iter_mut().skip(start + 1).zip(len.to_be_bytes()) {
                    *place = byte;
                }
                return Ok(());
            }
        };
        out.truncate(start);
        Err(failed)
    }

    /// Appends it as it goes in a datagram, which the caller knows the room of.
    pub fn write_datagram(&self, out: &mut Vec<u8>) -> Result<(), FrameError> {
        let kind = self.kind();
        if !matches!(kind, kind::FLOW | kind::LANE) {
            return Err(FrameError::Place { kind });
        }
        let start = out.len();
        out.push(kind);
        self.put_body(out).map_err(|fault| {
            out.truncate(start);
            FrameError::Body { kind, fault }
        })
    }

    fn kind(&self) -> u8 {
        match self {
            Self::Admit(_) => kind::ADMIT,
            Self::Admitted(_) => kind::ADMITTED,
            Self::Refused { .. } => kind::REFUSED,
            Self::Attach { .. } => kind::ATTACH,
            Self::Attached { .. } => kind::ATTACHED,
            Self::Ping(_) => kind::PING,
            Self::Pong(_) => kind::PONG,
            Self::Close { .. } => kind::CLOSE,
            Self::Open { .. } => kind::OPEN,
            Self::Data { .. } => kind::DATA,
            Self::Ack(_) => kind::ACK,
            Self::Fin { .. } => kind::FIN,
            Self::Rst { .. } => kind::RST,
            Self::Services(_) => kind::SERVICES,
            Self::Addrs(_) => kind::ADDRS,
            Self::Flow(_) => kind::FLOW,
            Self::Lane(_) => kind::LANE,
        }
    }

    fn put_body(&self, out: &mut Vec<u8>) -> Result<(), Fault> {
        match self {
            Self::Admit(admit) => {
                out.extend_from_slice(&[admit.version_min, admit.version_max]);
                out.extend_from_slice(&admit.features.0.to_be_bytes());
                out.extend_from_slice(&admit.invite);
                out.extend_from_slice(&admit.proof);
                put_text(out, admit.name, LINK_NAME_MAX)
            }
            Self::Admitted(admitted) => {
                out.push(admitted.version);
                out.extend_from_slice(&admitted.features.0.to_be_bytes());
                out.extend_from_slice(&admitted.hold_ms.to_be_bytes());
                put_text(out, admitted.name, LINK_NAME_MAX)
            }
            Self::Refused { code, message } => {
                out.push(code.code());
                put_text(out, message, LINK_MESSAGE_MAX)
            }
            Self::Attach {
                link,
                generation,
                next,
                standings,
            } => {
                out.extend_from_slice(&link.0);
                out.extend_from_slice(&generation.to_be_bytes());
                out.extend_from_slice(&next.0.to_be_bytes());
                put_standings(out, standings)
            }
            Self::Attached {
                generation,
                since,
                standings,
            } => {
                out.extend_from_slice(&generation.to_be_bytes());
                out.extend_from_slice(&since.to_be_bytes());
                put_standings(out, standings)
            }
            Self::Ping(number) | Self::Pong(number) => {
                out.extend_from_slice(&number.to_be_bytes());
                Ok(())
            }
            Self::Close { code, message } => {
                out.push(code.code());
                put_text(out, message, LINK_MESSAGE_MAX)
            }
            Self::Services(services) => lists::put_services(out, services),
            Self::Addrs(addrs) => addrs.put(out),
            Self::Flow(piece) => put_piece(out, piece),
            Self::Lane(items) => items.iter().try_for_each(|item| put_item(out, item)),
            Self::Open { .. }
            | Self::Data { .. }
            | Self::Ack(_)
            | Self::Fin { .. }
            | Self::Rst { .. } => self.put_channel(out),
        }
    }

    fn put_channel(&self, out: &mut Vec<u8>) -> Result<(), Fault> {
        match self {
            Self::Open { channel, service } => {
                out.extend_from_slice(&channel.0.to_be_bytes());
                out.extend_from_slice(&service.0.to_be_bytes());
            }
            Self::Data {
                channel,
                offset,
                bytes,
            } => {
                if bytes.is_empty() {
                    return Err(Fault::Short);
                }
                put_place(out, *channel, *offset);
                out.extend_from_slice(bytes);
            }
            Self::Fin { channel, offset } => put_place(out, *channel, *offset),
            Self::Rst {
                channel,
                offset,
                code,
            } => {
                put_place(out, *channel, *offset);
                out.push(code.code());
            }
            Self::Ack(standing) => put_standing(out, standing),
            _ => {}
        }
        Ok(())
    }
}

/// Appends a DATA frame whose bytes are in two pieces, as a ring has them. They are 1 to 16,372 together,
/// or nothing is written.
pub fn write_data(out: &mut Vec<u8>, channel: ChannelId, offset: u64, [first, second]: [&[u8]; 2]) {
    let bytes = first.len() + second.len();
    if bytes == 0 || bytes > DATA_MAX {
        return;
    }
    let Ok(len) = u16::try_from(DATA_FIELDS + bytes) else {
        return;
    };
    out.reserve(DATA_OVERHEAD + bytes);
    out.push(kind::DATA);
    out.extend_from_slice(&len.to_be_bytes());
    put_place(out, channel, offset);
    out.extend_from_slice(first);
    out.extend_from_slice(second);
}

fn put_place(out: &mut Vec<u8>, channel: ChannelId, offset: u64) {
    out.extend_from_slice(&channel.0.to_be_bytes());
    out.extend_from_slice(&offset.to_be_bytes());
}

fn put_standings(out: &mut Vec<u8>, standings: &[Standing]) -> Result<(), Fault> {
    if standings.len() > LINK_CHANNELS_MAX {
        return Err(Fault::Count);
    }
    let count = u16::try_from(standings.len()).map_err(|_| Fault::Count)?;
    out.extend_from_slice(&count.to_be_bytes());
    for standing in standings {
        put_standing(out, standing);
    }
    Ok(())
}

fn put_piece(out: &mut Vec<u8>, piece: &Piece<'_>) -> Result<(), Fault> {
    if piece.index >= piece.count {
        return Err(Fault::Value);
    }
    out.extend_from_slice(&piece.flow.to_be_bytes());
    out.extend_from_slice(&piece.service.0.to_be_bytes());
    out.extend_from_slice(&piece.datagram.to_be_bytes());
    out.extend_from_slice(&[piece.index, piece.count]);
    out.extend_from_slice(piece.bytes);
    Ok(())
}

fn put_item(out: &mut Vec<u8>, item: &LaneItem<'_>) -> Result<(), Fault> {
    match item {
        LaneItem::Copy {
            channel,
            offset,
            bytes,
        } => {
            if bytes.is_empty() || bytes.len() > LANE_COPY_MAX {
                return Err(Fault::Value);
            }
            let len = u16::try_from(bytes.len()).map_err(|_| Fault::Value)?;
            out.push(COPY);
            put_place(out, *channel, *offset);
            out.extend_from_slice(&len.to_be_bytes());
            out.extend_from_slice(bytes);
        }
        LaneItem::Ack(standing) => {
            out.push(ACK);
            put_standing(out, standing);
        }
    }
    Ok(())
}
