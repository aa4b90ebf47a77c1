//! Links between two homes behind firewalls, over a WAN that delays, loses and is cut. The scenarios
//! are in `lab/src/wan/scenarios.rs`; `via6-lab homes` runs them as often as you like.
//!
//! Needs root, for network namespaces; skipped without, except in CI, where it fails.

#![cfg(target_os = "linux")]

use std::path::Path;

use via6_lab::wan::link::{Link, OPEN};
use via6_lab::wan::runner;

fn check(scenario: &str, link: Link) {
    let program = Path::new(env!("CARGO_BIN_EXE_via6"));
    assert_eq!(runner::check(program, scenario, link), Ok(()));
}

mod open {
    use super::*;

    #[test]
    fn play_with_loss() {
        check("play", OPEN);
    }

    #[test]
    fn loss_in_bursts() {
        check("burst-loss", OPEN);
    }

    #[test]
    fn a_line_that_is_slow() {
        check("slow-line", OPEN);
    }

    /// The segments that via6 asks for fit through it.
    #[test]
    fn a_path_that_swallows_large_packets() {
        check("black-hole", OPEN);
    }

    #[test]
    fn a_cut_of_a_second() {
        check("cut-1s", OPEN);
    }

    #[test]
    fn a_name_that_leads_elsewhere_now() {
        check("redial-by-name", OPEN);
    }
}
