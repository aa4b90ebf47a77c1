//! Many sessions at once: descriptors that run out, thousands that sit idle, output that nobody
//! reads. The rows are in `lab/src/rows/crowd.rs`.
//!
//! They measure processor time and memory, so they run one after another.

#![cfg(target_os = "linux")]

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use via6_lab::chain::Chain;
use via6_lab::matrix;
use via6_lab::process::Splice;
use via6_lab::scene::Side;

static ALONE: Mutex<()> = Mutex::new(());

fn check(row: &str, chain: Chain, acting: Side) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let program = Path::new(env!("CARGO_BIN_EXE_via6"));
    assert_eq!(
        matrix::check(program, row, chain, acting, Splice::Default, 1),
        Ok(())
    );
}

macro_rules! rows {
    ($($name:ident: $row:literal, $acting:expr;)+) => {
        $(mod $name {
            use super::*;

            #[test]
            fn one_hop() {
                check($row, Chain::Relay64, $acting);
            }

            #[test]
            fn two_hops() {
                check($row, Chain::JoinHost, $acting);
            }
        })+
    };
}

rows! {
    descriptors_run_out: "descriptors", Side::Client;
    descriptors_are_lost_while_running: "descriptors-lost", Side::Client;
    idle_sessions: "idle", Side::Client;
    idle_sessions_ended_by_the_game: "idle", Side::Server;
    output_nobody_reads: "unread-output", Side::Client;
    log_nobody_reads: "unread-log", Side::Client;
    output_with_its_reader_gone: "closed-output", Side::Client;
}
