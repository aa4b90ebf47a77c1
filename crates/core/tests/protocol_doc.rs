//! docs/reference/protocol.md says what the code does: its test vectors, its frame types, its codes, its
//! bounds.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: failing is its purpose"
)]

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZeroU16;
use std::path::Path;

use via6_core::addr::DnsName;
use via6_core::frame::{
    Addrs, Admit, Admitted, ChannelId, Closed, Decoder, Features, Frame, LaneItem, LinkId, Piece,
    Refusal, Reset, Service, ServiceId, Standing,
};
use via6_core::invite::{Fingerprint, Invite, Secret};
use via6_core::limits;

fn text() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/protocol.md");
    fs::read_to_string(path).unwrap()
}

/// The vectors of one kind, by name.
fn vectors(kind: &str) -> BTreeMap<String, String> {
    let text = text();
    let block = text.split("```vectors\n").nth(1).unwrap();
    let block = block.split("```").next().unwrap();
    let lines = block
        .lines()
        .filter_map(|line| line.strip_prefix(kind)?.strip_prefix(' '));
    lines
        .map(|line| line.split_once(" = ").unwrap())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    assert!(hex.len().is_multiple_of(2), "{hex}");
    let digits: Vec<u32> = hex.chars().map(|c| c.to_digit(16).unwrap()).collect();
    digits
        .chunks(2)
        .map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap())
        .collect()
}

fn counting<const N: usize>(from: u8) -> [u8; N] {
    std::array::from_fn(|i| from + u8::try_from(i).unwrap())
}

fn standing(received: u64, limit: u64, fin: bool, done: bool) -> Standing {
    let channel = ChannelId(7);
    Standing {
        channel,
        received,
        limit,
        fin,
        reset: false,
        done,
        deaf: false,
    }
}

fn control_frames() -> Vec<(&'static str, Frame<'static>)> {
    let name = "alice";
    vec![
        (
            "ADMIT",
            Frame::Admit(Admit {
                version_min: 1,
                version_max: 1,
                features: Features(3),
                invite: counting(0x40),
                proof: counting(0x50),
                name,
            }),
        ),
        (
            "ADMITTED",
            Frame::Admitted(Admitted {
                version: 1,
                features: Features::LANE,
                hold_ms: 25_000,
                name,
            }),
        ),
        (
            "REFUSED",
            Frame::Refused {
                code: Refusal::UsedUp,
                message: "used up",
            },
        ),
        (
            "ATTACH",
            Frame::Attach {
                link: LinkId(counting(0x20)),
                generation: 3,
                next: ChannelId(8),
                standings: vec![standing(1000, 33_768, false, false)],
            },
        ),
        (
            "ATTACHED",
            Frame::Attached {
                generation: 3,
                since: 1,
                standings: vec![standing(500, 33_268, true, false)],
            },
        ),
        ("PING", Frame::Ping(9)),
        ("PONG", Frame::Pong(9)),
        (
            "CLOSE",
            Frame::Close {
                code: Closed::Stopped,
                message: "",
            },
        ),
    ]
}

fn other_frames() -> Vec<(&'static str, Frame<'static>)> {
    let channel = ChannelId(7);
    let service = ServiceId(1);
    let game = Service {
        id: service,
        tcp: true,
        udp: true,
        port: 25_565,
        name: "minecraft",
    };
    let piece = Piece {
        flow: 5,
        service,
        datagram: 8,
        index: 0,
        count: 1,
        bytes: b"ping",
    };
    vec![
        ("OPEN", Frame::Open { channel, service }),
        (
            "DATA",
            Frame::Data {
                channel,
                offset: 1000,
                bytes: b"hello",
            },
        ),
        ("ACK", Frame::Ack(standing(1005, 33_773, true, true))),
        (
            "FIN",
            Frame::Fin {
                channel,
                offset: 1005,
            },
        ),
        (
            "RST",
            Frame::Rst {
                channel,
                offset: 1005,
                code: Reset::Game,
            },
        ),
        ("SERVICES", Frame::Services(vec![game])),
        (
            "ADDRS",
            Frame::Addrs(Addrs {
                number: 2,
                addresses: vec!["[2001:db8::1234]:43325".parse().unwrap()],
                name: "home.example.org",
                signature: counting(0),
            }),
        ),
        ("FLOW", Frame::Flow(piece)),
    ]
}

#[test]
fn the_vectors_of_frames_are_what_the_code_writes_and_reads() {
    let vectors = vectors("frame");
    let mut frames = control_frames();
    frames.extend(other_frames());
    assert_eq!(frames.len(), vectors.len());
    for (name, frame) in frames {
        let expected = bytes(&vectors[name]);
        let mut written = Vec::new();
        frame.write(&mut written).unwrap();
        assert_eq!(written, expected, "{name}");
        assert_eq!(
            Decoder::default().next(&mut expected.as_slice()),
            Ok(Some(frame)),
            "{name}"
        );
        let row = format!("| {:#04x} | {name} |", written[0]);
        assert!(text().contains(&row), "{row}");
    }
    let lane = bytes(&crate::vectors("datagram")["LANE"]);
    let copy = LaneItem::Copy {
        channel: ChannelId(7),
        offset: 1000,
        bytes: b"hello",
    };
    let items = vec![copy, LaneItem::Ack(standing(500, 33_268, false, false))];
    assert_eq!(Frame::read_datagram(&lane), Ok(Some(Frame::Lane(items))));
}

#[test]
fn what_a_host_signs_is_its_addresses_and_nothing_else() {
    let frame = bytes(&vectors("frame")["ADDRS"]);
    let (mut decoder, mut input) = (Decoder::default(), &frame[..]);
    let Ok(Some(Frame::Addrs(addrs))) = decoder.next(&mut input) else {
        panic!("not ADDRS");
    };
    let body = &frame[3..frame.len() - 64];
    assert_eq!(addrs.signed().unwrap(), [b"via6 addrs", body].concat());
}

#[test]
fn features_are_those_that_both_have() {
    let all = Features::LANE.0 | Features::FLOWS.0 | 0x8000;
    let common = Features(all).and(Features::FLOWS);
    assert!(common.has(Features::FLOWS) && !common.has(Features::LANE));
    for (bit, name) in [
        (Features::LANE, "fast lane"),
        (Features::FLOWS, "UDP flows"),
    ] {
        let row = format!("| {} | {name} |", bit.0);
        assert!(text().contains(&row), "{row}");
    }
}

#[test]
fn the_vectors_of_invites_are_what_the_code_writes_and_reads() {
    let vectors = vectors("invite");
    assert_eq!(vectors.len(), 3);
    let name = || Some(DnsName::parse("home.example.org").unwrap());
    for (which, addresses, name) in [
        ("one-address", vec!["2001:db8::1234"], None),
        (
            "three-addresses-and-a-name",
            vec!["2001:db8::1234", "2001:db8:1::7", "fd00::7"],
            name(),
        ),
        ("a-name", vec![], name()),
    ] {
        let invite = Invite::new(
            Fingerprint(counting(0)),
            Secret(counting(0x10)),
            NonZeroU16::new(43_325).unwrap(),
            addresses.iter().map(|ip| ip.parse().unwrap()).collect(),
            name,
        );
        let invite = invite.unwrap();
        assert_eq!(invite.to_text(), vectors[which], "{which}");
        assert_eq!(invite.fingerprint(), Fingerprint(counting(0)));
        assert_eq!(
            (invite.secret(), invite.port()),
            (Secret(counting(0x10)), 43_325)
        );
        assert_eq!(invite.addresses().len(), addresses.len());
        assert_eq!(Invite::parse(&vectors[which]), Ok(invite), "{which}");
    }
}

/// The rows `| code | `label` | …` below the heading of one table.
fn code_rows(heading: &str) -> Vec<(u8, String)> {
    let text = text();
    let start = text
        .find(&format!("| code | {heading} |"))
        .unwrap_or_else(|| panic!("{heading}"));
    let table = &text[start..];
    let rows = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let mut cells = row.split('|').skip(1).map(str::trim);
        let code = cells.next().unwrap().parse().unwrap();
        (code, cells.next().unwrap().trim_matches('`').to_owned())
    })
    .collect()
}

#[test]
fn the_codes_are_those_of_the_code() {
    let list = |codes: Vec<(u8, &str)>| -> Vec<(u8, String)> {
        codes
            .into_iter()
            .map(|(code, label)| (code, label.to_owned()))
            .collect()
    };
    let refusals = Refusal::ALL.iter().map(|c| (c.code(), c.label())).collect();
    assert_eq!(code_rows("REFUSED"), list(refusals));
    let closed = Closed::ALL.iter().map(|c| (c.code(), c.label())).collect();
    assert_eq!(code_rows("CLOSE"), list(closed));
    let resets = Reset::ALL.iter().map(|c| (c.code(), c.label())).collect();
    assert_eq!(code_rows("RST"), list(resets));
}

#[test]
fn the_bounds_are_those_of_the_code() {
    let text = text();
    let thousands = |number: usize| {
        let digits = number.to_string();
        let groups = digits.as_bytes().rchunks(3).rev();
        groups
            .map(|g| String::from_utf8_lossy(g).into_owned())
            .collect::<Vec<_>>()
            .join(",")
    };
    let bytes = |what: &str, number: usize| format!("| {what} | {} bytes |", thousands(number));
    for row in [
        bytes("body of a frame", limits::FRAME_BODY_MAX),
        bytes(
            "a partial frame, for each stream",
            limits::FRAME_BODY_MAX + 3,
        ),
        bytes("first limit of a channel", limits::CHANNEL_WINDOW_FIRST),
        bytes(
            "received and not taken by the game, of a channel",
            limits::CHANNEL_WINDOW_MAX,
        ),
        bytes("the same, of a link", limits::LINK_WINDOW_MAX),
        bytes(
            "sent and not acknowledged, of a channel",
            limits::CHANNEL_KEPT_MAX,
        ),
        format!(
            "| the same, of all links of a host | {} bytes,",
            thousands(limits::HOST_WINDOW_MAX)
        ),
        format!("| channels of a link | {} |", limits::LINK_CHANNELS_MAX),
        format!("| links of an identity | {} |", limits::LINKS_PER_IDENTITY),
        format!("| links of a host | {} |", limits::LINKS_MAX),
    ] {
        assert!(text.contains(&row), "{row}");
    }
    let counts = format!(
        "at most {} standings, {} services, {} addresses",
        limits::LINK_CHANNELS_MAX,
        limits::SERVICES_MAX,
        limits::HOST_ADDRESSES_MAX
    );
    assert!(text.contains(&counts), "{counts}");
    for max in [
        limits::LINK_NAME_MAX,
        limits::LINK_MESSAGE_MAX,
        limits::INVITE_NAME_MAX,
    ] {
        assert!(text.contains(&format!("`text({max})`")), "text({max})");
    }
    assert!(text.contains(&format!("(1 to {})", thousands(limits::LANE_COPY_MAX))));
    assert_eq!(limits::LINK_KEPT_MAX, limits::LINK_WINDOW_MAX);
    for (time, said) in [
        (limits::LINK_HOLD, "is 25 s by default"),
        (limits::LINK_SUSPECT, "3 s without anything heard"),
        (limits::LINK_PING, "a PING each second"),
        (limits::LINK_PING_IDLE, "without, each 15 s"),
        (limits::STANDING_DELAY, "within 100 ms"),
    ] {
        let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains(said), "{time:?}: {said}");
    }
}
