//! Any frame there can be, for the property tests of frames and of links.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "test code, of which each program uses a part"
)]

use std::net::{Ipv6Addr, SocketAddrV6};

use proptest::prelude::*;
use via6_core::frame::{
    Addrs, Admit, Admitted, ChannelId, Closed, Features, Frame, LaneItem, LinkId, Piece, Refusal,
    Reset, Service, ServiceId, Standing,
};
use via6_core::limits::{
    FRAME_BODY_MAX, HOST_ADDRESSES_MAX, LANE_COPY_MAX, LINK_CHANNELS_MAX, SERVICES_MAX,
};

/// Frames borrow; a strategy has to own. What is leaked is a test's.
fn leak<T>(value: Vec<T>) -> &'static [T] {
    Box::leak(value.into_boxed_slice())
}

fn text(max: usize) -> impl Strategy<Value = &'static str> {
    proptest::collection::vec(prop_oneof![any::<char>(), Just('ä'), Just('x')], 0..=max).prop_map(
        move |chars| {
            let mut text: String = chars.into_iter().collect();
            while text.len() > max {
                text.pop();
            }
            &*text.leak()
        },
    )
}

fn bytes(range: std::ops::RangeInclusive<usize>) -> impl Strategy<Value = &'static [u8]> {
    let (low, high) = (*range.start(), *range.end());
    let len = prop_oneof![8 => low..=high.min(40), 1 => low..=high, 1 => Just(high)];
    (len, any::<u8>()).prop_map(|(len, seed)| {
        leak(
            (0..len)
                .map(|i| seed.wrapping_add(i.to_be_bytes()[7]))
                .collect(),
        )
    })
}

/// Channels and offsets that meet often, so that a link has something to do with them.
fn channel() -> impl Strategy<Value = ChannelId> {
    prop_oneof![9 => 0_u32..5, 1 => any::<u32>()].prop_map(ChannelId)
}

fn offset() -> impl Strategy<Value = u64> {
    prop_oneof![4 => Just(0), 4 => 0_u64..100, 2 => any::<u64>(), 1 => Just(u64::MAX)]
}

pub fn standing() -> impl Strategy<Value = Standing> {
    (channel(), offset(), offset(), any::<[bool; 4]>()).prop_map(
        |(channel, received, limit, [fin, reset, done, deaf])| Standing {
            channel,
            received,
            limit,
            fin,
            reset,
            done,
            deaf,
        },
    )
}

fn standings() -> impl Strategy<Value = Vec<Standing>> {
    prop_oneof![
        9 => proptest::collection::vec(standing(), 0..5),
        1 => proptest::collection::vec(standing(), LINK_CHANNELS_MAX),
    ]
}

fn control() -> impl Strategy<Value = Frame<'static>> {
    let admit = (
        any::<[u8; 2]>(),
        any::<u32>(),
        any::<[u8; 8]>(),
        any::<[u8; 32]>(),
        text(32),
    )
        .prop_map(
            |([version_min, version_max], features, invite, proof, name)| {
                let features = Features(features);
                Frame::Admit(Admit {
                    version_min,
                    version_max,
                    features,
                    invite,
                    proof,
                    name,
                })
            },
        );
    let admitted = (any::<u8>(), any::<u32>(), any::<u32>(), text(32)).prop_map(
        |(version, features, hold_ms, name)| {
            let features = Features(features);
            Frame::Admitted(Admitted {
                version,
                features,
                hold_ms,
                name,
            })
        },
    );
    let attach = (any::<[u8; 16]>(), any::<u64>(), channel(), standings()).prop_map(
        |(link, generation, next, standings)| Frame::Attach {
            link: LinkId(link),
            generation,
            next,
            standings,
        },
    );
    let attached =
        (any::<u64>(), any::<u64>(), standings()).prop_map(|(generation, since, standings)| {
            Frame::Attached {
                generation,
                since,
                standings,
            }
        });
    prop_oneof![
        admit,
        admitted,
        attach,
        attached,
        (any::<u8>(), text(200)).prop_map(|(code, message)| Frame::Refused {
            code: Refusal::of(code),
            message
        }),
        (any::<u8>(), text(200)).prop_map(|(code, message)| Frame::Close {
            code: Closed::of(code),
            message
        }),
        any::<u64>().prop_map(Frame::Ping),
        any::<u64>().prop_map(Frame::Pong),
    ]
}

/// The frames of channels.
pub fn channel_frame() -> impl Strategy<Value = Frame<'static>> {
    let data = bytes(1..=FRAME_BODY_MAX - 12);
    prop_oneof![
        (channel(), any::<u16>()).prop_map(|(channel, id)| Frame::Open {
            channel,
            service: ServiceId(id)
        }),
        (channel(), offset(), data).prop_map(|(channel, offset, bytes)| Frame::Data {
            channel,
            offset,
            bytes
        }),
        standing().prop_map(Frame::Ack),
        (channel(), offset()).prop_map(|(channel, offset)| Frame::Fin { channel, offset }),
        (channel(), offset(), any::<u8>()).prop_map(|(channel, offset, code)| Frame::Rst {
            channel,
            offset,
            code: Reset::of(code)
        }),
    ]
}

fn told() -> impl Strategy<Value = Frame<'static>> {
    let service = (any::<u16>(), any::<[bool; 2]>(), any::<u16>(), text(32)).prop_map(
        |(id, [tcp, udp], port, name)| Service {
            id: ServiceId(id),
            tcp,
            udp,
            port,
            name,
        },
    );
    let address = (any::<u128>(), any::<u16>())
        .prop_map(|(ip, port)| SocketAddrV6::new(Ipv6Addr::from_bits(ip), port, 0, 0));
    let addresses = proptest::collection::vec(address, 0..=HOST_ADDRESSES_MAX);
    let addrs = (any::<u64>(), addresses, text(100), any::<[u8; 32]>()).prop_map(
        |(number, addresses, name, half)| {
            let signature = [half, half].concat().try_into().unwrap();
            Frame::Addrs(Addrs {
                number,
                addresses,
                name,
                signature,
            })
        },
    );
    prop_oneof![
        proptest::collection::vec(service, 0..=SERVICES_MAX).prop_map(Frame::Services),
        addrs,
    ]
}

/// A frame that may come in a datagram.
pub fn datagram() -> impl Strategy<Value = Frame<'static>> {
    let piece = (
        any::<u32>(),
        any::<u16>(),
        any::<u16>(),
        0..u8::MAX,
        any::<u8>(),
        bytes(0..=1200),
    )
        .prop_map(|(flow, id, datagram, index, more, bytes)| {
            let count = index.saturating_add(more).max(index + 1);
            Frame::Flow(Piece {
                flow,
                service: ServiceId(id),
                datagram,
                index,
                count,
                bytes,
            })
        });
    let copy =
        (channel(), offset(), bytes(1..=LANE_COPY_MAX)).prop_map(|(channel, offset, bytes)| {
            LaneItem::Copy {
                channel,
                offset,
                bytes,
            }
        });
    let item = prop_oneof![copy, standing().prop_map(LaneItem::Ack)];
    prop_oneof![
        piece,
        proptest::collection::vec(item, 0..4).prop_map(Frame::Lane)
    ]
}

/// Any frame that may come on a stream.
pub fn on_stream() -> impl Strategy<Value = Frame<'static>> {
    let flow = datagram().prop_filter("not on streams", |frame| !matches!(frame, Frame::Lane(_)));
    prop_oneof![2 => control(), 3 => channel_frame(), 1 => told(), 1 => flow]
}
