//! Replays the fuzz corpus through the very checks that the fuzz targets run, on any toolchain.
//!
//! A finding of the fuzzer becomes a file in `fuzz/corpus/<target>` and is a regression test from
//! then on.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "test code: failing is its purpose"
)]
#![allow(
    unreachable_pub,
    reason = "the modules are shared with the fuzz targets by path"
)]

use std::fs;
use std::path::Path;

#[path = "../../../fuzz/checks/address.rs"]
mod address;
#[path = "../../../fuzz/checks/flow_ops.rs"]
mod flow_ops;
#[path = "../../../fuzz/checks/frame.rs"]
mod frame;
#[path = "../../../fuzz/checks/invite.rs"]
mod invite;

use flow_ops::flow_model::{Seen, assert_saw_every_kind};

/// Calls `check` with every file of the target's corpus.
fn replay(target: &str, mut check: impl FnMut(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(target);
    let mut files = 0;
    for entry in fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
        let path = entry.unwrap().path();
        // Shown only if the check panics.
        println!("{}", path.display());
        check(&fs::read(&path).unwrap());
        files += 1;
    }
    assert!(files >= 12, "only {files} files in {}", folder.display());
}

#[test]
fn addresses() {
    replay("address", address::check);
}

#[test]
fn frames() {
    replay("frame", frame::check);
}

#[test]
fn invites() {
    replay("invite", invite::check);
}

#[test]
fn flow_operations() {
    let mut seen = Seen::new();
    replay("flow_ops", |input| {
        for (kind, count) in flow_ops::check(input) {
            *seen.entry(kind).or_default() += count;
        }
    });
    assert_saw_every_kind(&seen, 1);
}
