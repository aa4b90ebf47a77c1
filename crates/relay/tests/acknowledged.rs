//! The system is asked twice how far a peer is, and the peer does not wait between the questions.

use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use via6_core::liveness::Vitals;
use via6_core::reason::CloseReason;
use via6_relay::{Leg, Patience, Traffic, splice};

/// A peer that has said FIN, and that acknowledges our last bytes after the first question.
struct Quick;

impl Leg for Quick {
    fn poll_read(&self, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(0))
    }

    fn poll_write(&self, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn shutdown_write(&self) -> io::Result<()> {
        Ok(())
    }

    fn poll_failed(&self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }

    fn unsent(&self) -> Option<usize> {
        Some(1000)
    }

    /// Both FINs are acknowledged, so the system has closed the connection.
    fn vitals(&self) -> Option<Vitals> {
        Some(Vitals {
            unsent: 0,
            unacked: 0,
            since_ack: Duration::ZERO,
            probes: 0,
            closed: true,
        })
    }

    fn reset_on_close(&self) {}
}

#[tokio::test]
async fn a_normal_end_that_is_acknowledged_meanwhile_is_no_reset() {
    let ended = splice(Quick, Quick, &Traffic::default(), Patience::default()).await;
    assert_eq!(ended, CloseReason::Finished);
}
