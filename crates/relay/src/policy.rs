//! How many may come, and how long things may take.

use std::time::Duration;

use via6_core::admission::AdmissionLimits;
use via6_core::flow::FlowLimits;
use via6_core::limits;

use crate::splice::Patience;

/// How many may come, and how long things may take. The default is that of [`limits`].
#[derive(Clone, Debug)]
pub struct Policy {
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
            admission: AdmissionLimits::default(),
            flows: FlowLimits::default(),
            patience: Patience::default(),
            drain_timeout: limits::DRAIN_TIMEOUT,
        }
    }
}
