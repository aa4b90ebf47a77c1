//! Frames, for all inputs: what is written is read, in whatever pieces it comes; what cannot be read is a
//! typed error; and no bytes make the decoder panic or keep more than one frame.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: failing is its purpose"
)]

mod frame_values;

#[allow(unreachable_pub, reason = "shared with the fuzz target by path")]
#[path = "../../../fuzz/checks/frame.rs"]
mod check;

use frame_values::{datagram, on_stream};
use proptest::prelude::*;
use via6_core::frame::{
    ChannelId, Closed, Decoder, Fault, Frame, FrameError, Refusal, Reset, write_data,
};
use via6_core::limits::FRAME_BODY_MAX;

fn written(frame: &Frame<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    frame.write(&mut out).unwrap();
    out
}

fn read(bytes: &[u8]) -> Result<Option<String>, FrameError> {
    let (mut decoder, mut input) = (Decoder::default(), bytes);
    let frame = decoder.next(&mut input)?;
    Ok(frame.map(|frame| format!("{frame:?}")))
}

#[test]
fn a_length_above_the_limit_is_refused_before_anything_is_kept() {
    let too_long = u16::try_from(FRAME_BODY_MAX + 1).unwrap().to_be_bytes();
    let bytes = [0x11, too_long[0], too_long[1]];
    for cut in 0..3 {
        let (mut decoder, mut head) = (Decoder::default(), &bytes[..cut]);
        assert_eq!(decoder.next(&mut head), Ok(None));
        let mut tail = &bytes[cut..];
        let error = decoder.next(&mut tail).unwrap_err();
        assert_eq!(
            error,
            FrameError::Oversized {
                kind: 0x11,
                bytes: FRAME_BODY_MAX + 1
            }
        );
        assert!(decoder.kept() <= 8);
    }
}

#[test]
fn a_claimed_length_allocates_nothing() {
    let mut decoder = Decoder::default();
    assert_eq!(
        decoder.next(&mut [0x11, 0x40, 0x00, 1, 2].as_slice()),
        Ok(None)
    );
    assert!(decoder.kept() <= 16, "{}", decoder.kept());
}

#[test]
fn unknown_frames_are_skipped_or_refused_by_their_number() {
    assert_eq!(read(&[0x7f, 0, 0]), Err(FrameError::Unknown { kind: 0x7f }));
    let skipped = [
        &[0x80, 0, 2, 9, 9][..],
        &[0xff, 0, 0],
        &written(&Frame::Ping(7)),
    ]
    .concat();
    assert_eq!(read(&skipped), Ok(Some("Ping(7)".to_owned())));
    assert_eq!(Frame::read_datagram(&[0x99, 1]), Ok(None));
    assert_eq!(
        Frame::read_datagram(&[0x06, 1]),
        Err(FrameError::Place { kind: 0x06 })
    );
    assert_eq!(read(&[0x31, 0, 0]), Err(FrameError::Place { kind: 0x31 }));
    assert_eq!(Frame::read_datagram(&[]), Err(FrameError::Empty));
}

#[test]
fn only_the_frames_of_all_versions_may_have_grown() {
    let grown = |frame: &Frame<'_>| {
        let mut bytes = written(frame);
        bytes.push(0);
        bytes[2] += 1;
        read(&bytes)
    };
    let refused = Frame::Refused {
        code: Refusal::Version,
        message: "no",
    };
    assert_eq!(grown(&refused), Ok(Some(format!("{refused:?}"))));
    let long = FrameError::Body {
        kind: 6,
        fault: Fault::Long,
    };
    assert_eq!(grown(&Frame::Ping(1)), Err(long));
}

#[test]
fn what_could_not_be_read_is_not_written() {
    let long = "x".repeat(201);
    let mut out = vec![1, 2, 3];
    let close = Frame::Close {
        code: Closed::Protocol,
        message: &long,
    };
    assert!(matches!(
        close.write(&mut out),
        Err(FrameError::Body {
            fault: Fault::Text,
            ..
        })
    ));
    let bytes = vec![0; FRAME_BODY_MAX];
    let data = Frame::Data {
        channel: ChannelId(1),
        offset: 0,
        bytes: &bytes,
    };
    assert!(matches!(
        data.write(&mut out),
        Err(FrameError::Oversized { .. })
    ));
    assert!(matches!(
        Frame::Lane(Vec::new()).write(&mut out),
        Err(FrameError::Place { .. })
    ));
    write_data(&mut out, ChannelId(1), 0, [&bytes, &[]]);
    write_data(&mut out, ChannelId(1), 0, [&[], &[]]);
    assert_eq!(out, [1, 2, 3]);
}

#[test]
fn codes_are_distinct_words() {
    fn check(codes: &[(u8, &str)]) {
        assert!(codes.len() >= 8);
        for (index, (code, label)) in codes.iter().enumerate() {
            assert!(
                label.chars().all(|c| c.is_ascii_lowercase() || c == '-'),
                "{label}"
            );
            let same = |(c, l): &(u8, &str)| c == code || l == label;
            assert_eq!(codes.iter().position(same), Some(index), "{label}");
        }
    }
    check(
        &Refusal::ALL
            .iter()
            .map(|c| (c.code(), c.label()))
            .collect::<Vec<_>>(),
    );
    check(
        &Closed::ALL
            .iter()
            .map(|c| (c.code(), c.label()))
            .collect::<Vec<_>>(),
    );
    check(
        &Reset::ALL
            .iter()
            .map(|c| (c.code(), c.label()))
            .collect::<Vec<_>>(),
    );
    for code in 0..=255 {
        assert_eq!(Refusal::of(code).code(), code);
        assert_eq!(Closed::of(code).code(), code);
        assert_eq!(Reset::of(code).code(), code);
        assert_eq!(Reset::of(code).is_refusal(), code >= 16);
    }
}

proptest! {
    #[test]
    fn frames_survive_any_cutting(
        frames in proptest::collection::vec(on_stream(), 1..5),
        cuts in proptest::collection::vec(1_usize..20_000, 1..8),
        bytewise in any::<bool>(),
    ) {
        let stream: Vec<u8> = frames.iter().flat_map(written).collect();
        let (mut decoder, mut found, mut rest, mut turn) = (Decoder::default(), 0, &stream[..], 0);
        while !rest.is_empty() {
            let len = if bytewise { 1 + turn % 7 } else { cuts[turn % cuts.len()] };
            let (mut input, after) = rest.split_at(len.min(rest.len()));
            while let Some(frame) = decoder.next(&mut input).unwrap() {
                prop_assert_eq!(&frame, &frames[found]);
                found += 1;
            }
            prop_assert!(input.is_empty());
            prop_assert!(decoder.kept() <= 3 + FRAME_BODY_MAX);
            (rest, turn) = (after, turn + 1);
        }
        prop_assert_eq!(found, frames.len());
        prop_assert_eq!(decoder.next(&mut [].as_slice()), Ok(None));
        prop_assert!(decoder.kept() <= 256, "an idle stream keeps {}", decoder.kept());
    }

    #[test]
    fn datagrams_survive(frame in datagram()) {
        let mut out = Vec::new();
        frame.write_datagram(&mut out).unwrap();
        prop_assert_eq!(Frame::read_datagram(&out), Ok(Some(frame)));
    }

    #[test]
    fn a_damaged_frame_does_no_harm(
        frame in on_stream(),
        at in any::<prop::sample::Index>(),
        to in any::<u8>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = written(&frame);
        let at = at.index(bytes.len());
        bytes[at] = to;
        check::check(&bytes);
        bytes.truncate(cut.index(bytes.len()));
        check::check(&bytes);
    }

    #[test]
    fn no_bytes_do_harm(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        check::check(&bytes);
    }
}
