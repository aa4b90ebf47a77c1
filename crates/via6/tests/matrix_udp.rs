//! The UDP rows of the matrix, each through one hop and two, sides swapped. The rows are in
//! `lab/src/rows`.

#![cfg(target_os = "linux")]

use std::path::Path;

use via6_lab::chain::Chain;
use via6_lab::matrix;
use via6_lab::process::Splice;
use via6_lab::scene::Side;

fn check(row: &str, chain: Chain, acting: Side, times: u32) {
    let program = Path::new(env!("CARGO_BIN_EXE_via6"));
    assert_eq!(
        matrix::check(program, row, chain, acting, Splice::Default, times),
        Ok(())
    );
}

macro_rules! rows {
    ($($name:ident: $row:literal;)+) => {
        $(mod $name {
            use super::*;

            #[test]
            fn one_hop() {
                check($row, Chain::Relay64, Side::Client, 3);
            }

            #[test]
            fn one_hop_swapped() {
                check($row, Chain::Relay64, Side::Server, 3);
            }

            #[test]
            fn two_hops() {
                check($row, Chain::JoinHost, Side::Client, 3);
            }

            #[test]
            fn two_hops_swapped() {
                check($row, Chain::JoinHost, Side::Server, 3);
            }
        })+
    };
}

rows! {
    isolation: "udp-isolation";
    sizes: "udp-sizes";
    restart: "udp-restart";
}

macro_rules! client_rows {
    ($($name:ident: $row:literal, $one_hop:expr, $times:literal;)+) => {
        $(mod $name {
            use super::*;

            #[test]
            fn one_hop() {
                check($row, $one_hop, Side::Client, $times);
            }

            #[test]
            fn two_hops() {
                check($row, Chain::JoinHost, Side::Client, $times);
            }
        })+
    };
}

client_rows! {
    late_game: "udp-late-game", Chain::Relay64, 3;
    crowd: "udp-crowd", Chain::Relay64, 2;
    flood: "udp-flood", Chain::Host, 1;
}
