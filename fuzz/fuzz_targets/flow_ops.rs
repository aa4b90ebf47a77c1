//! Fuzzes the flow table against its shadow model. The check itself is shared with the replay of
//! the corpus in `crates/core/tests/corpus.rs`.

#![no_main]

#[path = "../checks/flow_ops.rs"]
mod flow_ops;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    flow_ops::check(input);
});
