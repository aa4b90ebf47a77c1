//! No frame that a peer can send does harm: a link that hears any frames, in any order and of any
//! generation, never panics, keeps its invariants, and answers within its bounds.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "test code: failing is its purpose"
)]

mod frame_values;
mod link_pair;

use frame_values::{channel_frame, datagram, on_stream};
use link_pair::{ID, SECOND, clock, drain, pair, small_limits};
use proptest::prelude::*;
use via6_core::frame::{Closed, Frame, Reset, ServiceId};
use via6_core::link::Heard;

fn any_frame() -> impl Strategy<Value = Frame<'static>> {
    prop_oneof![3 => channel_frame(), 1 => on_stream()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_frames_do_harm(
        is_host in any::<bool>(),
        frames in proptest::collection::vec((any_frame(), datagram(), 0_u8..20), 1..40),
    ) {
        let now = clock();
        let (mut joiner, mut host) = pair(small_limits(), now);
        joiner.open(ServiceId(1), now).unwrap();
        let link = if is_host { &mut host } else { &mut joiner };
        let mut now = now;
        for (frame, datagram, what) in frames {
            let generation = u64::from(what != 0);
            let heard = match frame {
                Frame::Attach { generation, next, standings, .. } => {
                    let _refused_or_not = link.on_attach(generation % 9, next, &standings, now);
                    Ok(Heard::Nothing)
                }
                Frame::Attached { generation, since, standings } => {
                    link.on_attached(generation % 9, since, &standings, now).map(|_| Heard::Nothing)
                }
                frame => link.on_frame(generation.max(link.generation()), frame, now),
            };
            if let Frame::Lane(items) = datagram {
                let _harmless = link.on_lane(link.generation(), &items, now);
            }
            if let Ok(Heard::Opened { channel, .. }) = heard {
                link.take(channel, b"welcome");
            }
            match what {
                1 => link.taken(ID, 1000, now),
                2 => link.finish(ID),
                3 => link.reset(ID, Reset::Game),
                4 => link.release(ID, now),
                5 => link.on_cut(link.generation()),
                6 => now += SECOND,
                7 => link.abort(ID, Reset::Dead),
                _ => {}
            }
            link.on_time(now);
            drain(link, now);
            link.check_invariants().unwrap();
        }
        link.end(Closed::Protocol, now);
        let all: Vec<_> = link.channels().collect();
        for id in all {
            link.release(id, now);
        }
        prop_assert_eq!(link.channels().count(), 0);
    }
}
