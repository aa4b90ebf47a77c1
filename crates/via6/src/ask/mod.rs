//! "Host or join?": what a bare `via6` on a terminal asks, and what it makes of the answers.
//!
//! ```text
//! stdin ─ typed ─▶ lines ─ dialogue ─▶ the next question, or what is wanted
//!                             └─ paste ─ words: the address or the `via6 join` line in text from a chat
//! ```
//!
//! Nothing here waits, prints or starts anything: `command::asking` does.

mod dialogue;
mod paste;
mod typed;
mod words;

pub(crate) use dialogue::{Dialogue, Known, Next, Reader, Said};
pub(crate) use paste::Grammar;
pub(crate) use typed::Typed;

#[cfg(test)]
mod tests;
