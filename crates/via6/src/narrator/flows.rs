//! Which flows are told of in sentences. Whoever forges addresses opens hundreds a second, and two
//! lines for each would fill a disk and hide what matters; so beyond a pace they are counted, and the
//! next one told says how many. A flow is told of whole: its end if its beginning was.
//!
//! It is about sentences alone: `--json` tells scripts of every flow, and `-vv` a person.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use via6_core::limits::FLOW_LINES;
use via6_core::rate::TokenBucket;

/// What has been told of the flows of one relay.
#[derive(Debug, Default)]
pub(super) struct FlowsTold(Mutex<Told>);

#[derive(Debug, Default)]
struct Told {
    /// From the first flow on.
    pace: Option<TokenBucket>,
    /// Live flows that were not told of. Each that opened ends, so there are no more than live ones.
    untold: HashSet<u64>,
    /// How many were not, since the last that was.
    held_back: u64,
}

impl FlowsTold {
    /// `Some(n)`: tell of this flow, which has opened; `n` before it were not told of.
    pub(super) fn opened(&self, flow: u64, every: bool, now: Instant) -> Option<u64> {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let pace = told
            .pace
            .get_or_insert_with(|| TokenBucket::new(FLOW_LINES, now));
        if pace.take(1, now) || every {
            Some(std::mem::take(&mut told.held_back))
        } else {
            told.held_back += 1;
            told.untold.insert(flow);
            None
        }
    }

    /// Whether to tell of this flow, which has ended.
    pub(super) fn ended(&self, flow: u64, every: bool) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        !told.untold.remove(&flow) || every
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_flood_of_flows_is_counted_and_told_of_at_a_pace() {
        let (told, start) = (FlowsTold::default(), tokio::time::Instant::now().into_std());
        let flows: Vec<u64> = (1..=1000).collect();
        let burst = FLOW_LINES.burst as usize;
        let shown = |every, now| -> Vec<_> {
            let opened = flows.iter().map(|flow| told.opened(*flow, every, now));
            opened.collect()
        };
        let first = shown(false, start);
        assert!(first[..burst].iter().all(|told| *told == Some(0)));
        assert!(first[burst..].iter().all(Option::is_none));
        let ended: Vec<_> = flows.iter().map(|flow| told.ended(*flow, false)).collect();
        assert!(ended[..burst].iter().all(|told| *told));
        assert!(ended[burst..].iter().all(|told| !told));
        assert!(told.0.lock().unwrap().untold.is_empty(), "all have ended");

        let next = shown(false, start + Duration::from_secs(1));
        let held_back = (flows.len() - burst) as u64;
        assert_eq!(next[0], Some(held_back));
        assert_eq!(next[FLOW_LINES.per_second as usize], None);
    }

    #[test]
    fn who_wants_every_flow_has_it() {
        let (told, now) = (FlowsTold::default(), tokio::time::Instant::now().into_std());
        let hidden = 100_000;
        for number in 1..=1000 {
            assert!(told.opened(number, true, now).is_some());
        }
        assert_eq!(told.opened(hidden, false, now), None);
        assert!(told.ended(hidden, true), "asked for meanwhile");
    }
}
