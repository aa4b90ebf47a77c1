//! Fuzzes what people type or paste for an address. The check itself is shared with the replay of
//! the corpus in `crates/core/tests/corpus.rs`.

#![no_main]

#[path = "../checks/address.rs"]
mod address;

libfuzzer_sys::fuzz_target!(|input: &[u8]| address::check(input));
