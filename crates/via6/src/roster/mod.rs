//! Invites and players, as a person asks about them: `via6 invite …`, `players`, `kick`, `ban`, `unban`.
//!
//! ```text
//!  command ──▶ a via6 runs ──▶ control ──▶ Desk ──▶ answer: Keeper (memory, then disk) + Doors (live links)
//!          └─▶ none does ───────────────────────▶ answer_alone: the file, under the lock
//! ```
//!
//! The rules are `via6_core::roster`'s. What is said to people is the command's.

mod answering;
mod asked;
mod deciding;
mod doors;
mod lifetime;
mod sealed;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod typed;

pub(crate) use answering::{answer, answer_alone};
pub(crate) use asked::{Answer, Answered, Ask, InviteStatus, LinkStatus, NewInvite, PlayerStatus};
pub(crate) use doors::Doors;
pub(crate) use lifetime::lifetime;
pub(crate) use sealed::OpenDoors;
