//! Sealed links as the program has them: the one port of a process that hosts, and the links of those that
//! join. How links work is `via6-sealed`'s; here they get their keys, addresses and listeners, and what
//! happens to them is told.
//!
//! ```text
//!  entries of hosts ──share──▶ Hosting ── Host ═══ link ═══ Joiner ── Joining ◀── an entry of a join
//!                                │  invite, addresses          │  a listener for each game, where it was
//!                  key, roster ◀┴──── state folder ───────────┘
//! ```

mod ended;
mod hosting;
mod joining;
mod located;
mod places;
mod told;

pub(crate) use hosting::{Hosting, Opened};
pub(crate) use joining::Joining;
pub(crate) use located::Located;
pub(crate) use told::Told;
