//! A plain relay of another kind on either side: socat, and a small threaded script with `select`
//! and 4 KiB reads (`lab/peers/plain_relay.py`), TCP and UDP.
//!
//! Rows about resets are not run here: both turn a reset into an ordinary end, whoever the
//! neighbour is. Half-close is not run with the script, which closes both directions at once.

#![cfg(target_os = "linux")]

use std::path::Path;

use via6_lab::chain::Chain;
use via6_lab::matrix;
use via6_lab::process::Splice;
use via6_lab::scene::Side;

fn check(row: &str, chain: Chain, acting: Side) {
    let program = Path::new(env!("CARGO_BIN_EXE_via6"));
    assert_eq!(
        matrix::check(program, row, chain, acting, Splice::Default, 2),
        Ok(())
    );
}

macro_rules! neighbours {
    ($($name:ident: $chain:expr, [$($row:ident = $label:literal),+];)+) => {
        $(mod $name {
            use super::*;

            $(mod $row {
                use super::*;

                #[test]
                fn client_acts() {
                    check($label, $chain, Side::Client);
                }

                #[test]
                fn server_acts() {
                    check($label, $chain, Side::Server);
                }
            })+
        })+
    };
}

neighbours! {
    socat_on_the_friends_side: Chain::SocatHost, [
        conversation = "conversation", half_close = "half-close", slow_reader = "slow-reader",
        pausing_reader = "pausing-reader", udp_isolation = "udp-isolation",
        udp_sizes = "udp-sizes", udp_restart = "udp-restart"
    ];
    socat_on_the_hosts_side: Chain::JoinSocat, [
        conversation = "conversation", half_close = "half-close", slow_reader = "slow-reader",
        pausing_reader = "pausing-reader", udp_isolation = "udp-isolation",
        udp_sizes = "udp-sizes", udp_restart = "udp-restart"
    ];
    script_on_the_friends_side: Chain::ScriptHost, [
        conversation = "conversation", slow_reader = "slow-reader",
        pausing_reader = "pausing-reader", udp_isolation = "udp-isolation",
        udp_sizes = "udp-sizes", udp_restart = "udp-restart"
    ];
    script_on_the_hosts_side: Chain::JoinScript, [
        conversation = "conversation", slow_reader = "slow-reader",
        pausing_reader = "pausing-reader", udp_isolation = "udp-isolation",
        udp_sizes = "udp-sizes", udp_restart = "udp-restart"
    ];
}
