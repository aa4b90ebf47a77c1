//! Fuzzes what people paste for an invite. The check itself is shared with the replay of the corpus in
//! `crates/core/tests/corpus.rs`.

#![no_main]

#[path = "../checks/invite.rs"]
mod invite;

libfuzzer_sys::fuzz_target!(|input: &[u8]| invite::check(input));
