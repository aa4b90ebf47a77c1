//! The life of one TCP session: dial, splice, one [`SessionEnd`].

use std::net::SocketAddr;
use std::sync::atomic::Ordering;

use tokio::net::TcpStream;
use tokio::time::Instant;
use via6_core::reason::CloseReason;

use crate::dial::{DialError, dial};
use crate::event::{Event, SessionEnd, SessionId};
use crate::leg::Leg;
use crate::shared::Shared;
use crate::socket;
use crate::splice::{Traffic, splice};

/// Runs a session that was accepted from `downstream` until it is over or the relay ends.
///
/// Both sockets are closed when it returns: by FIN or RST, as their peers must see it.
pub(crate) async fn run(
    shared: &Shared,
    session: SessionId,
    stream: TcpStream,
    downstream: SocketAddr,
) -> SessionEnd {
    let (began, traffic) = (Instant::now(), Traffic::default());
    socket::tune(&stream, downstream.ip());
    let (reason, failure) = match connect(shared, session, &stream, began).await {
        Ok(upstream) => (carry(shared, &stream, &upstream, &traffic).await, None),
        Err((reason, failure)) => (reason, failure),
    };
    SessionEnd {
        downstream,
        reason,
        bytes_up: traffic.up.load(Ordering::Relaxed),
        bytes_down: traffic.down.load(Ordering::Relaxed),
        duration: began.elapsed(),
        failure,
    }
}

/// Dials for `down`; if that fails, `down` gets an RST. A clean end would look like a game server
/// that said nothing.
async fn connect(
    shared: &Shared,
    session: SessionId,
    down: &TcpStream,
    began: Instant,
) -> Result<TcpStream, (CloseReason, Option<DialError>)> {
    let failed = tokio::select! {
        dialled = dial(&shared.upstream) => match dialled {
            Ok((up, upstream)) => {
                let took = began.elapsed();
                shared.notices.tell(&Event::SessionDialled { session, upstream, took });
                return Ok(up);
            }
            Err(failure) => (CloseReason::DialFailed, Some(failure)),
        },
        // Nobody waits for the answer any more.
        () = down.failed() => (CloseReason::DownstreamReset, None),
        () = shared.shutdown.ending() => (CloseReason::Stopped, None),
    };
    socket::reset_on_close(down);
    Err(failed)
}

async fn carry(
    shared: &Shared,
    down: &TcpStream,
    up: &TcpStream,
    traffic: &Traffic,
) -> CloseReason {
    tokio::select! {
        reason = splice(down, up, traffic, shared.policy.patience) => reason,
        () = shared.shutdown.ending() => {
            socket::reset_on_close(down);
            socket::reset_on_close(up);
            CloseReason::Stopped
        }
    }
}
