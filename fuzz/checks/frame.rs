//! Whatever comes over a stream or in a datagram: it is frames, and each is written again as a frame that
//! reads the same; or it is a typed error. No more is kept than one frame.
//!
//! The first byte says how the rest is cut into pieces, and whether it is a datagram.

use via6_core::frame::{Decoder, Frame, HEADER};
use via6_core::limits::FRAME_BODY_MAX;

/// Panics if the above does not hold.
pub fn check(input: &[u8]) {
    let Some((&how, bytes)) = input.split_first() else {
        return;
    };
    if how == 0 {
        if let Ok(Some(frame)) = Frame::read_datagram(bytes) {
            let mut again = Vec::new();
            frame.write_datagram(&mut again).unwrap();
            assert_eq!(Frame::read_datagram(&again), Ok(Some(frame)));
        }
        return;
    }
    let whole = frames(bytes, bytes.len().max(1));
    let pieces = frames(bytes, usize::from(how));
    assert_eq!(whole, pieces, "cutting changes what is read");
}

/// Every frame, as it is shown, up to the first error.
fn frames(bytes: &[u8], piece: usize) -> Vec<String> {
    let (mut decoder, mut found) = (Decoder::default(), Vec::new());
    for mut input in bytes.chunks(piece) {
        loop {
            match decoder.next(&mut input) {
                Ok(None) => break,
                Ok(Some(frame)) => {
                    check_again(&frame);
                    found.push(format!("{frame:?}"));
                }
                Err(error) => {
                    found.push(error.to_string());
                    return found;
                }
            }
        }
        assert!(input.is_empty(), "something is left over");
        assert!(decoder.kept() <= HEADER + FRAME_BODY_MAX);
    }
    found
}

fn check_again(frame: &Frame<'_>) {
    let mut again = Vec::new();
    frame.write(&mut again).unwrap();
    assert_eq!(
        Decoder::default().next(&mut again.as_slice()),
        Ok(Some(frame.clone()))
    );
}
