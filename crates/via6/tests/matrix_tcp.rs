//! The close and error matrix of TCP, each row through one hop and two, sides swapped; a few
//! repetitions of what `via6-lab matrix` does hundreds of times. The rows are in `lab/src/rows`.

#![cfg(target_os = "linux")]

use std::path::Path;

use via6_lab::chain::Chain;
use via6_lab::matrix;
use via6_lab::scene::Side;

fn check(row: &str, chain: Chain, acting: Side) {
    let program = Path::new(env!("CARGO_BIN_EXE_via6"));
    assert_eq!(matrix::check(program, row, chain, acting, 2), Ok(()));
}

macro_rules! rows {
    ($($name:ident: $row:literal;)+) => {
        $(mod $name {
            use super::*;

            #[test]
            fn one_hop() {
                check($row, Chain::Relay64, Side::Client);
            }

            #[test]
            fn one_hop_swapped() {
                check($row, Chain::Relay64, Side::Server);
            }

            #[test]
            fn two_hops() {
                check($row, Chain::JoinHost, Side::Client);
            }

            #[test]
            fn two_hops_swapped() {
                check($row, Chain::JoinHost, Side::Server);
            }
        })+
    };
}

rows! {
    conversation: "conversation";
    half_close: "half-close";
    slow_reader: "slow-reader";
    pausing_reader: "pausing-reader";
    reset: "reset";
    reset_in_flight: "reset-in-flight";
    reset_while_writing: "reset-while-writing";
    killed_sending: "killed-sending";
    killed_receiving: "killed-receiving";
}

/// Nobody but the client can be refused, so there is nothing to swap: either hop may be the one
/// that finds nobody.
mod refused {
    use super::*;

    #[test]
    fn by_the_game_through_a_host() {
        check("refused", Chain::Relay64, Side::Client);
    }

    #[test]
    fn by_the_link_through_a_join() {
        check("refused", Chain::Relay46, Side::Client);
    }

    #[test]
    fn by_the_game_through_two_hops() {
        check("refused", Chain::JoinHost, Side::Client);
    }
}
