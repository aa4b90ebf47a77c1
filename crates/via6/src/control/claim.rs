//! Who does the work: this process, which then has the lock of the state folder, or the one that has
//! it already. In between there are moments when one holds the lock and does not answer: it has just
//! begun, or is about to end.

use tokio::time::{Instant, sleep};
use via6_core::limits::{CONTROL_CLAIM_PATIENCE, CONTROL_RETRY};

use super::connection::{Connection, Unreachable, connect};
use crate::state::{Folder, Lock, Trouble, Untaken};

/// Who does the work.
pub(crate) enum Claim {
    /// This process.
    Ours(Lock),
    /// The one that is reached here.
    Theirs(Connection),
}

/// Takes the lock, or reaches whoever has it, within [`CONTROL_CLAIM_PATIENCE`].
pub(crate) async fn claim(folder: &Folder) -> Result<Claim, Trouble> {
    let deadline = Instant::now() + CONTROL_CLAIM_PATIENCE;
    loop {
        let holder = match Lock::take(folder) {
            Ok(lock) => return Ok(Claim::Ours(lock)),
            Err(Untaken::Trouble(trouble)) => return Err(trouble),
            Err(Untaken::Held(holder)) => holder,
        };
        let waits = match connect(folder).await {
            Ok(connection) => return Ok(Claim::Theirs(connection)),
            Err(Unreachable::Nobody) => Instant::now() < deadline,
            Err(_) => false,
        };
        if !waits {
            let path = folder.path().to_owned();
            return Err(Trouble::Unanswered { path, holder });
        }
        sleep(CONTROL_RETRY).await;
    }
}
