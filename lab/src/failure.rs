//! How a row ends when it does not pass: it failed, or this machine cannot run it.
//!
//! Deliberately text: a failure is read by a person, who wants what was expected and what was seen.

use std::fmt::{self, Display};
use std::io;

/// Why a row did not pass.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Failure {
    /// Something was not as it must be: what was expected and what was seen.
    Failed(String),
    /// This machine lacks what the row needs.
    Skipped(String),
}

/// What a row, or a part of one, comes to.
pub type Outcome<T = ()> = Result<T, Failure>;

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(what) => f.write_str(what),
            Self::Skipped(why) => write!(f, "skipped: {why}"),
        }
    }
}

/// A failure with this text, as a result.
pub fn failed<T>(what: impl Into<String>) -> Outcome<T> {
    Err(Failure::Failed(what.into()))
}

/// A skip with this reason, as a result.
pub fn skipped<T>(why: impl Into<String>) -> Outcome<T> {
    Err(Failure::Skipped(why.into()))
}

/// Says what was being done when an error came.
pub trait During<T> {
    /// Turns the error into a failure: `WHAT: error`.
    fn during(self, what: impl Display) -> Outcome<T>;
}

impl<T> During<T> for io::Result<T> {
    fn during(self, what: impl Display) -> Outcome<T> {
        self.map_err(|error| Failure::Failed(format!("{what}: {error}")))
    }
}

impl<T> During<T> for Outcome<T> {
    fn during(self, what: impl Display) -> Self {
        self.map_err(|failure| match failure {
            Failure::Failed(why) => Failure::Failed(format!("{what}: {why}")),
            skip @ Failure::Skipped(_) => skip,
        })
    }
}

/// Fails with a formatted message unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return $crate::failure::failed(format!($($message)+));
        }
    };
}
pub(crate) use ensure;
