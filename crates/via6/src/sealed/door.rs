//! Who may play, by the roster of this computer.

use std::sync::Arc;

use via6_core::frame::Refusal;
use via6_core::roster::Identity;
use via6_sealed::{Applicant, Doorkeeper};

use crate::narrator::unix_ms;
use crate::state::Keeper;

/// Lets in whom the roster admits.
pub(crate) struct Door(pub(crate) Arc<Keeper>);

impl Doorkeeper for Door {
    fn admit(&self, applicant: &Applicant<'_>) -> Result<String, Refusal> {
        let identity = Identity(applicant.identity.0);
        let admitted = self.0.change(|roster| {
            roster.admit(
                identity,
                applicant.invite,
                applicant.name,
                unix_ms(),
                |secret| (applicant.knows)(secret),
            )
        });
        // On the disk it is soon; nobody waits for that.
        admitted.map(|(admitted, _)| admitted.name)
    }
}
