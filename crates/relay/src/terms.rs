//! What a relay does at one time: where it leads and whom it trusts. It can be changed while the
//! relay runs; a session or flow keeps the terms under which it began.

use std::net::SocketAddr;
use std::sync::Arc;

use via6_core::addr::{HostPort, Network};

use crate::pipe::Splicing;
use crate::shared::Shared;

/// What can be changed while a relay runs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// What is dialled for each session and flow.
    pub upstream: HostPort,
    /// Other relays, behind which many players share an address: exempt from the bounds by
    /// address, as loopback peers are.
    pub trusted: Vec<Network>,
    /// When TCP bytes pass through pipes.
    pub splicing: Splicing,
}

impl Settings {
    /// Leads to `upstream`, and trusts nobody.
    #[must_use]
    pub fn new(upstream: HostPort) -> Self {
        Self {
            upstream,
            trusted: Vec::new(),
            splicing: Splicing::default(),
        }
    }
}

/// The settings of one relay at one time.
pub(crate) struct Terms {
    pub(crate) shared: Arc<Shared>,
    pub(crate) settings: Settings,
}

impl Terms {
    /// Whether they are `relay`'s.
    pub(crate) fn are_of(&self, relay: &Arc<Shared>) -> bool {
        Arc::ptr_eq(&self.shared, relay)
    }

    /// Loopback peers cannot be strangers, and a listed relay stands for many players.
    pub(crate) fn is_exempt(&self, peer: SocketAddr) -> bool {
        let ip = peer.ip();
        let is_listed = || self.settings.trusted.iter().any(|net| net.contains(ip));
        ip.is_loopback() || is_listed()
    }
}
