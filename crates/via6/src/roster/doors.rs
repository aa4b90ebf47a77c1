//! The sealed host of this process, as far as players and invites go.

use via6_core::frame::Closed;
use via6_core::invite::Secret;
use via6_core::roster::Identity;

use super::asked::LinkStatus;

/// A live link, and whose it is.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) identity: Identity,
    pub(crate) status: LinkStatus,
}

/// A sealed host that runs. What is asked of it is answered at once, without waiting for anything.
pub(crate) trait Doors: Send + Sync {
    /// Everybody's links.
    fn links(&self) -> Vec<Link>;

    /// Ends all links of a player. Returns how many there were.
    fn end(&self, identity: &Identity, why: Closed) -> u64;

    /// The invite with this secret, as a friend pastes it; `None` if this host has no address to put in.
    fn invite_text(&self, secret: &Secret) -> Option<String>;
}
