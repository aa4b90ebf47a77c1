//! Fuzzes what comes over a sealed link. The check itself is shared with the replay of the corpus in
//! `crates/core/tests/corpus.rs`.

#![no_main]

#[path = "../checks/frame.rs"]
mod frame;

libfuzzer_sys::fuzz_target!(|input: &[u8]| frame::check(input));
