//! An entry that is wanted now, with what else is known of the wish. What comes of it is not known here.

use via6_core::addr::Listen;

use crate::entry::Entry;
use crate::state::Joined;

/// A relay that somebody asks for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Wanted {
    pub(crate) entry: Entry,
    /// Its port is only one that was free the last time: where it is taken, another one does.
    pub(crate) any_port: bool,
    /// Where metrics are to be served, if anywhere.
    pub(crate) metrics: Option<Listen>,
    /// What the person should know before it begins.
    pub(crate) note: Option<String>,
}

impl Wanted {
    /// Nothing but this.
    pub(crate) fn new(entry: Entry) -> Self {
        Self {
            entry,
            any_port: false,
            metrics: None,
            note: None,
        }
    }

    /// As it was the last time, but under the name that the first of its kind has.
    pub(crate) fn again(last: &Joined) -> Self {
        let mut entry = last.entry.clone();
        entry.role.label().clone_into(&mut entry.name);
        Self {
            any_port: last.any_port,
            ..Self::new(entry)
        }
    }
}
