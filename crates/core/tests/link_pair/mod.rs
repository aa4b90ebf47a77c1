//! A joiner and a host that are attached to each other, and what tests do with both.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    reason = "test code, of which each program uses a part"
)]

use std::time::{Duration, Instant};

use via6_core::frame::{ChannelId, Decoder, Frame, LinkId};
use via6_core::link::{Carrier, Link, LinkLimits, Role};

pub const ID: ChannelId = ChannelId(0);
pub const SECOND: Duration = Duration::from_secs(1);

#[allow(
    clippy::disallowed_methods,
    reason = "an Instant has no other beginning"
)]
pub fn clock() -> Instant {
    Instant::now()
}

pub fn small_limits() -> LinkLimits {
    LinkLimits {
        channels_max: 4,
        ..LinkLimits::default()
    }
}

/// A joiner and a host that are attached to each other.
pub fn pair(limits: LinkLimits, now: Instant) -> (Link, Link) {
    let mut joiner = Link::new(Role::Joiner, LinkId([1; 16]), limits, now);
    let mut host = Link::new(Role::Host, LinkId([1; 16]), limits, now);
    attach(&mut joiner, &mut host, now);
    (joiner, host)
}

pub fn attach(joiner: &mut Link, host: &mut Link, now: Instant) {
    let (generation, frame) = joiner.attach();
    let Frame::Attach {
        next, standings, ..
    } = frame
    else {
        panic!("{frame:?}");
    };
    let answer = host.on_attach(generation, next, &standings, now).unwrap();
    let Frame::Attached {
        since, standings, ..
    } = answer
    else {
        panic!("{answer:?}");
    };
    assert_eq!(
        joiner.on_attached(generation, since, &standings, now),
        Ok(true)
    );
}

/// Everything that `link` has to send, with the stream it is for.
pub fn drain(link: &mut Link, now: Instant) -> Vec<(Carrier, Vec<u8>)> {
    let mut all = Vec::new();
    let mut out = Vec::new();
    while let Some(carrier) = link.transmit(20_000, now, &mut out) {
        all.push((carrier, std::mem::take(&mut out)));
        assert!(all.len() < 10_000, "it never stops");
    }
    all
}

/// Whose turn it was, again and again.
pub fn turns(link: &mut Link, now: Instant) -> Vec<Carrier> {
    let sent = drain(link, now).into_iter().map(|(carrier, _)| carrier);
    sent.filter(|carrier| *carrier != Carrier::Control)
        .collect()
}

pub fn hear_all(to: &mut Link, sent: &[(Carrier, Vec<u8>)], now: Instant) {
    let generation = to.generation();
    for (_, bytes) in sent {
        let (mut decoder, mut input) = (Decoder::default(), &bytes[..]);
        while let Some(frame) = decoder.next(&mut input).unwrap() {
            let _heard = to.on_frame(generation, frame, now).unwrap();
        }
    }
}
