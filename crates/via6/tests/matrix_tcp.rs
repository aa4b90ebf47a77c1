//! The close and error matrix of TCP, each row through one hop and two, sides swapped, with bytes
//! that pass through pipes in bulk (as they do by default), always and never; a few repetitions of
//! what `via6-lab matrix` does hundreds of times. The rows are in `lab/src/rows`.

#![cfg(target_os = "linux")]

use std::path::Path;

use via6_lab::chain::Chain;
use via6_lab::matrix;
use via6_lab::process::Splice;
use via6_lab::scene::Side;

fn check(row: &str, chain: Chain, acting: Side, splice: Splice, times: u32) {
    let program = Path::new(env!("CARGO_BIN_EXE_via6"));
    let checked = matrix::check(program, row, chain, acting, splice, times);
    assert_eq!(checked, Ok(()));
}

macro_rules! rows {
    ($($name:ident: $row:literal;)+) => {
        $(mod $name {
            use super::*;

            mod sealed {
                use super::*;

                #[test]
                fn quic() {
                    check($row, Chain::Sealed, Side::Client, Splice::Default, 2);
                }

                #[test]
                fn quic_swapped() {
                    check($row, Chain::Sealed, Side::Server, Splice::Default, 2);
                }

                #[test]
                fn tls() {
                    check($row, Chain::SealedTls, Side::Client, Splice::Default, 2);
                }

                #[test]
                fn tls_swapped() {
                    check($row, Chain::SealedTls, Side::Server, Splice::Default, 2);
                }
            }

            cells!(adaptive: $row, Splice::Default, 2);
            cells!(always: $row, Splice::Always, 1);
            cells!(never: $row, Splice::Never, 1);
        })+
    };
}

macro_rules! cells {
    ($splice:ident: $row:literal, $how:expr, $times:literal) => {
        mod $splice {
            use super::*;

            #[test]
            fn one_hop() {
                check($row, Chain::Relay64, Side::Client, $how, $times);
            }

            #[test]
            fn one_hop_swapped() {
                check($row, Chain::Relay64, Side::Server, $how, $times);
            }

            #[test]
            fn two_hops() {
                check($row, Chain::JoinHost, Side::Client, $how, $times);
            }

            #[test]
            fn two_hops_swapped() {
                check($row, Chain::JoinHost, Side::Server, $how, $times);
            }
        }
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

/// Nobody but the client can be refused, so there is nothing to swap, and no byte passes: either hop
/// may be the one that finds nobody.
mod refused {
    use super::*;

    fn refused(through: Chain) {
        check("refused", through, Side::Client, Splice::Default, 2);
    }

    #[test]
    fn by_the_game_through_a_host() {
        refused(Chain::Relay64);
    }

    #[test]
    fn by_the_link_through_a_join() {
        refused(Chain::Relay46);
    }

    #[test]
    fn by_the_game_through_two_hops() {
        refused(Chain::JoinHost);
    }
}
