//! Every way in which a small link can go: all interleavings of what both games do, of frames that come
//! late, twice, in another order or never, of cuts, and of two generations, each side learning of them
//! when it may.
//!
//! One channel, with at most a byte each way, each end a FIN or an RST. At most three frames are under
//! way at a time, and any of them may be the next to come. That is more than a transport does, which
//! keeps the order of a stream: frames that so come with a gap before them must leave everything as it
//! was. From every state that can be reached, two ends over a transport that works must come to the end
//! of it all.

#![allow(clippy::print_stdout, reason = "test code: failing is its purpose")]

mod link_states;

use std::collections::HashSet;
use std::time::Instant;

use link_states::{Script, State};

/// Goes through all states; how many there are.
fn search(script: &Script, now: Instant) -> usize {
    let is_full = is_full();
    let start = State::new(now);
    let (mut seen, mut open) = (HashSet::from([start.key()]), vec![start]);
    while let Some(state) = open.pop() {
        // From one state in 16 shows what is wrong as well, if later.
        if is_full || state.key().is_multiple_of(16) {
            state.check_progress(script, now);
        }
        for next in state.next(script, now) {
            if seen.insert(next.key()) {
                open.push(next);
            }
        }
    }
    seen.len()
}

/// `VIA6_SEARCH=full` also has the longer scripts, and takes minutes.
#[allow(
    clippy::disallowed_methods,
    reason = "the knobs of a test, not of the program"
)]
fn is_full() -> bool {
    std::env::var("VIA6_SEARCH").is_ok_and(|value| value == "full")
}

#[allow(
    clippy::disallowed_methods,
    reason = "an Instant has no other beginning"
)]
fn search_all(scripts: &[([u64; 2], [bool; 2])]) {
    let now = Instant::now();
    for &(bytes, resets) in scripts {
        let script = Script { bytes, resets };
        let states = search(&script, now);
        println!("{script:?}: {states} states, {:?}", now.elapsed());
        assert!(states > 10_000, "{script:?}: only {states} states");
    }
}

#[test]
fn every_way_of_a_session_that_ends_in_order_ends_well() {
    search_all(&[([1, 0], [false, false])]);
    if is_full() {
        search_all(&[([1, 1], [false, false])]);
    }
}

#[test]
fn every_way_of_a_session_that_breaks_ends_well() {
    search_all(&[([1, 0], [true, false]), ([0, 0], [true, true])]);
    if is_full() {
        let longer = [[true, false], [false, true], [true, true]];
        search_all(&longer.map(|resets| ([1, 1], resets)));
    }
}
