//! Every flag and every `VIA6_…` variable does what its help says: each has a test here that sees
//! its effect, on the wire where it has one.

#![cfg(target_os = "linux")]
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stands outside of via6: it is the game, the player and the clock, and may panic"
)]

mod support;

#[path = "flags/carried.rs"]
mod carried;
#[path = "flags/demo.rs"]
mod demo;
#[path = "flags/hosting.rs"]
mod hosting;
#[path = "flags/inviting.rs"]
mod inviting;
#[path = "flags/metrics.rs"]
mod metrics;
#[path = "flags/plain.rs"]
mod plain;
#[path = "flags/splicing.rs"]
mod splicing;
#[path = "flags/state.rs"]
mod state;
#[path = "flags/stopping.rs"]
mod stopping;
#[path = "flags/told.rs"]
mod told;
#[path = "flags/trusted.rs"]
mod trusted;
#[path = "flags/variables.rs"]
mod variables;

use support::via6;

/// The tests of this program, and those of `config show`, which tells of each value where it is from.
const TESTS: &[&str] = &[
    include_str!("config/files.rs"),
    include_str!("config/shown.rs"),
    include_str!("flags/carried.rs"),
    include_str!("flags/demo.rs"),
    include_str!("flags/hosting.rs"),
    include_str!("flags/inviting.rs"),
    include_str!("flags/metrics.rs"),
    include_str!("flags/plain.rs"),
    include_str!("flags/splicing.rs"),
    include_str!("flags/state.rs"),
    include_str!("flags/stopping.rs"),
    include_str!("flags/told.rs"),
    include_str!("flags/trusted.rs"),
    include_str!("flags/variables.rs"),
    include_str!("sealed/flags.rs"),
    include_str!("sealed/play.rs"),
];

/// A flag that is added without a test fails here.
#[test]
fn every_flag_and_variable_is_used_by_a_test() {
    let mut seen = 0;
    let commands = [
        "host",
        "join",
        "relay",
        "run",
        "config check",
        "config show",
        "demo",
        "status",
        "invite new",
        "invite list",
        "invite show",
        "invite revoke",
        "players",
        "kick",
        "ban",
        "unban",
        "stop",
    ];
    for command in commands {
        let help = via6(&format!("via6 {command} --help")).end().stdout;
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let words = help.split(|c| !is_part(c));
        let named = words.filter(|word| word.starts_with("--") || word.starts_with("VIA6_"));
        for word in named.filter(|word| *word != "--help") {
            seen += 1;
            let used = TESTS.iter().any(|test| test.contains(word));
            assert!(used, "no test uses {word} of `via6 {command}`");
        }
    }
    assert!(seen > 30, "only {seen} flags and variables in the help");
}
