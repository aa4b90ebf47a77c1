//! Links between two homes behind firewalls, over a WAN that delays, loses and is cut. The scenarios
//! are in `lab/src/wan/scenarios.rs`; `via6-lab homes` runs them as often as you like.
//!
//! Needs root, for network namespaces; skipped without, except in CI, where it fails.

#![cfg(target_os = "linux")]
#![allow(clippy::panic, reason = "a test may panic")]

use std::path::Path;

use via6_lab::wan::link::{Link, OPEN, SEALED, SEALED_TLS};
use via6_lab::wan::runner;

/// So many times on each of these links, all beside each other: they wait more than they work.
fn check(scenario: &str, links: &[Link], times: u32) {
    let program = Path::new(env!("CARGO_BIN_EXE_via6"));
    if let Err(why) = runner::check(program, scenario, links, times) {
        // As it is: it has what both sides said, a line each.
        panic!("{why}");
    }
}

mod open {
    use super::*;

    #[test]
    fn play_with_loss() {
        check("play", &[OPEN], 1);
    }

    #[test]
    fn loss_in_bursts() {
        check("burst-loss", &[OPEN], 1);
    }

    #[test]
    fn a_line_that_is_slow() {
        check("slow-line", &[OPEN], 1);
    }

    /// The segments that via6 asks for fit through it.
    #[test]
    fn a_path_that_swallows_large_packets() {
        check("black-hole", &[OPEN], 1);
    }

    #[test]
    fn a_cut_of_a_second() {
        check("cut-1s", &[OPEN], 1);
    }

    #[test]
    fn a_name_that_leads_elsewhere_now() {
        check("redial-by-name", &[OPEN], 1);
    }
}

/// Every byte comes once and in turn, and no game's connection is closed, but in the last one.
mod sealed {
    use super::*;

    const BOTH: &[Link] = &[SEALED, SEALED_TLS];

    #[test]
    fn play_with_loss() {
        check("play", BOTH, 1);
    }

    #[test]
    fn loss_in_bursts() {
        check("burst-loss", BOTH, 1);
    }

    #[test]
    fn a_path_that_swallows_large_packets() {
        check("black-hole", BOTH, 1);
    }

    #[test]
    fn a_cut_of_four_seconds_with_routers_that_forget() {
        check("cut-4s", BOTH, 2);
    }

    #[test]
    fn a_joiner_whose_address_changes() {
        check("joiner-moves", BOTH, 2);
    }

    /// It is carried by TLS from then on.
    #[test]
    fn udp_that_is_blocked_midway() {
        check("udp-blocked", &[SEALED], 3);
    }

    #[test]
    fn a_host_that_hears_of_its_new_prefix_before_the_old_one_goes() {
        check("prefix-announced", BOTH, 2);
    }

    #[test]
    fn a_host_that_is_found_by_its_name_once_its_prefix_is_gone() {
        check("prefix-named", BOTH, 2);
    }

    /// One transport carries the link from the beginning to the end.
    #[test]
    fn a_relay_that_is_the_only_way() {
        check("relayed", BOTH, 1);
    }

    /// Games are reset after the hold time, the friend reads what can be done, and the host has a new
    /// invite.
    #[test]
    fn a_host_that_nothing_can_find_any_more() {
        check("prefix-lost", BOTH, 2);
    }
}
