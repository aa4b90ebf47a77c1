//! The state folder: where via6 keeps what it remembers, and what shows others that it runs.
//!
//! ```text
//! via6.lock       held for the life of a process: it alone writes here, and answers
//! running.json    which process that is, for messages; the lock is the truth
//! state.json      what is remembered (`memory`)
//! players.json    invites and players of a sealed host (`roster`)
//! identity.json   the key of this computer (`identity`)
//! hosts.json      where hosts are that were joined, and their games here (`hosts`)
//! control.sock    where the running via6 answers (`crate::control`); Windows has a pipe instead
//! ```
//!
//! None of it is needed to play. Whatever is wrong with the folder is a [`Trouble`], told once, and
//! the relay goes on without memory and control.

mod document;
mod folder;
mod home;
mod hosts;
mod identity;
mod keeper;
mod lock;
mod memory;
mod roster;
#[cfg(test)]
mod test_home;
mod trouble;

pub(crate) use folder::Folder;
pub(crate) use home::Home;
pub(crate) use hosts::Hosts;
pub(crate) use keeper::{Keeper, Unsettled};
pub(crate) use lock::{Holder, Lock, Untaken};
pub(crate) use memory::{Joined, Memory};
pub(crate) use roster::RosterFile;
pub(crate) use trouble::Trouble;
