//! Who may come, and how long things may take.

use std::time::Duration;

use via6_core::addr::Network;
use via6_core::admission::AdmissionLimits;
use via6_core::flow::FlowLimits;
use via6_core::limits;

use crate::splice::Patience;

/// Who may come, and how long things may take. The default is that of [`limits`].
#[derive(Clone, Debug)]
pub struct Policy {
    /// Other relays, behind which many players share an address: exempt from the bounds by
    /// address, as loopback peers are.
    pub trusted: Vec<Network>,
    /// Bounds on sessions.
    pub admission: AdmissionLimits,
    /// Bounds on flows.
    pub flows: FlowLimits,
    /// Patience of a session.
    pub patience: Patience,
    /// How long a drain waits for live sessions.
    pub drain_timeout: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            trusted: Vec::new(),
            admission: AdmissionLimits::default(),
            flows: FlowLimits::default(),
            patience: Patience::default(),
            drain_timeout: limits::DRAIN_TIMEOUT,
        }
    }
}
