//! Bytes as operations on a flow table, run beside the shadow model of `crates/core/tests`.
//!
//! The first [`LIMITS_BYTES`] bytes choose the limits, then every [`OP_BYTES`] bytes are one
//! operation; a remainder is ignored. Fixed sizes keep an operation in its place when the fuzzer
//! changes another.

use std::time::Duration;

use via6_core::flow::FlowLimits;
use via6_core::limits::Rate;

#[path = "../../crates/core/tests/flow_model/mod.rs"]
pub mod flow_model;

use flow_model::{Op, Pair, Player, Seen};

const LIMITS_BYTES: usize = 10;
const OP_BYTES: usize = 5;

/// The shadow answers every question by going through all it has seen: longer runs take too long.
const OPS_MAX: usize = 600;

/// Panics if the table and its shadow disagree, or if the table breaks one of its own invariants.
/// Returns which kinds of answers came.
pub fn check(input: &[u8]) -> Seen {
    let Some((limits, ops)) = input.split_first_chunk::<LIMITS_BYTES>() else {
        return Seen::new();
    };
    let mut pair = Pair::new(decode_limits(*limits));
    for bytes in ops.chunks_exact(OP_BYTES).take(OPS_MAX) {
        if let Ok(bytes) = bytes.try_into() {
            pair.apply(decode_op(bytes));
        }
    }
    pair.finish().0
}

fn decode_limits(bytes: [u8; LIMITS_BYTES]) -> FlowLimits {
    let [
        flows,
        per_prefix,
        idle,
        unproven,
        pending,
        bytes,
        proof,
        allowance,
        rates,
        prefixes,
    ] = bytes;
    // A quarter each of the byte: total, per prefix, reply bytes (in thousands).
    let rate = |shift: u8, unit: u32| Rate {
        per_second: u32::from((rates >> shift) & 3) * unit + 1,
        burst: (u32::from((rates >> shift) & 3) * 2 + 1) * unit,
    };
    FlowLimits {
        flows_max: usize::from(flows % 16),
        flows_per_prefix: u32::from(per_prefix % 6),
        rate: rate(0, 8),
        rate_per_prefix: rate(2, 2),
        idle: Duration::from_millis(u64::from(idle) * 40),
        idle_unproven: Duration::from_millis(u64::from(unproven) * 20),
        pending_max: usize::from(pending % 8),
        pending_bytes: usize::from(bytes) * 16,
        proof_datagrams: u32::from(proof % 4),
        unproven_factor: u64::from(proof >> 6),
        unproven_allowance: u64::from(allowance) * 16,
        unproven_rate_per_prefix: rate(4, 1000),
        prefixes_max: usize::from(prefixes % 5),
    }
}

fn decode_op([code, a, b, c, d]: [u8; OP_BYTES]) -> Op {
    let pick = u16::from(a);
    let len = u16::from_be_bytes([c, d]);
    let nanos = u64::from(u32::from_be_bytes([a, b, c, d]));
    match code % 16 {
        0..=4 => Op::Datagram {
            player: Player {
                household: a % 16,
                host: b % 16,
                spelling: b >> 4,
            },
            len,
        },
        5 | 6 => Op::Opened { pick },
        7..=9 => Op::Reply { pick, len },
        10 => Op::SendFailed { pick, reason: b },
        11 => match b % 2 {
            0 => Op::Dropped { pick, reason: c },
            _ => Op::OpenFailed { pick },
        },
        // Up to 4.3 s.
        12 => Op::Advance {
            by: Duration::from_nanos(nanos),
        },
        // Up to 4.3 ms.
        13 => Op::Skew {
            by: Duration::from_nanos(nanos / 1000),
        },
        14 => match a % 8 {
            0 => Op::EndAll,
            _ => Op::Expire,
        },
        _ => Op::ExpireNext,
    }
}
