//! `via6 run`: many relays from one file.

use crate::args::{Run, Shown};
use crate::config::{Overrides, Resolved, load};
use crate::failure::Failure;
use crate::reading::Sources;

pub(super) fn run(typed: &Run, shown: Shown, sources: &Sources) -> Result<(), Failure> {
    let overrides = Overrides::of(typed, shown, sources)?;
    let resolved: Resolved = load(&typed.file.path)?.resolve(overrides)?;
    let _ = (resolved.shown(), resolved.metrics(), resolved.entries());
    Err(Failure::runtime("cannot run a file yet"))
}
