//! The I/O shell around the flow table of `via6_core::flow`: receives, asks the table, performs
//! exactly what it says.
//!
//! One task receives what players send; each flow has a task that receives what the game answers.
//! Datagrams never wait here, except for the upstream name to be resolved.

mod flows;

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::{Instant, sleep, sleep_until};
use via6_core::limits::{ACCEPT_BACKOFF, ACCEPT_UNKNOWN_ERRORS_MAX};
use via6_core::reason::DropReason;

use self::flows::Flows;
use crate::buffer::with_buffer;
use crate::event::{Protocol, Warning};
use crate::shared::Shared;
use crate::socket::{DatagramListener, is_exhaustion, is_oversize};

/// Datagrams that one task handles before the others have their turn.
const TURN: usize = 32;

/// Receives from players until the relay ends. Returns the number of flows there were.
pub(crate) async fn run(shared: &Arc<Shared>, udp: Option<(SocketAddr, UdpSocket)>) -> u64 {
    let Some((addr, socket)) = udp else {
        return 0;
    };
    let flows = Flows::new(
        Arc::clone(shared),
        DatagramListener::new(socket, addr),
        addr,
    );
    let mut unknown = 0;
    let mut deadline = pin!(sleep(Duration::ZERO));
    loop {
        let next = flows.next_deadline();
        if let Some(next) = next
            .map(Instant::from_std)
            .filter(|next| *next != deadline.deadline())
        {
            deadline.as_mut().reset(next);
        }
        let turn = tokio::select! {
            ready = flows.listener.readable() => ready.and_then(|()| receive(&flows)),
            () = deadline.as_mut(), if next.is_some() => {
                flows.expire();
                continue;
            }
            () = shared.shutdown.ending() => break,
        };
        match turn {
            Ok(()) => unknown = 0,
            Err(error) => {
                let protocol = Protocol::Udp;
                unknown += u32::from(!is_exhaustion(&error));
                if unknown >= ACCEPT_UNKNOWN_ERRORS_MAX {
                    shared.listener_ended(addr, protocol, error);
                    break;
                }
                let warning = Warning::ListenerTroubled {
                    listener: addr,
                    protocol,
                    error: &error,
                };
                shared.notices.warn(&warning);
                sleep_until(Instant::now() + ACCEPT_BACKOFF.0 * unknown.max(1)).await;
            }
        }
        tokio::task::yield_now().await;
    }
    flows.end_all().await
}

/// Handles what has arrived at the listener, up to [`TURN`] datagrams. The error is one that we
/// do not know: those that concern one datagram or one player are dealt with here.
fn receive(flows: &Arc<Flows>) -> io::Result<()> {
    with_buffer(|buffer| {
        for _ in 0..TURN {
            match flows.listener.try_recv(buffer) {
                Ok(received) if flows.is_own(received.from) => {
                    flows.dropped(None, DropReason::OwnAddress);
                    flows.warn_dropped(DropReason::OwnAddress, received.from);
                }
                Ok(received) => {
                    let payload = buffer.get(..received.len).unwrap_or_default();
                    flows.player_sent(received.from, received.to, payload);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if concerns_one_player(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    })
}

/// Some player's port is closed or unreachable, reported on the socket of all (Windows 10054 and
/// 10052, Linux after ICMP with `IP_RECVERR`), or a datagram exceeded the largest there can be.
fn concerns_one_player(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    /// `WSAENETRESET`: a hop limit ran out.
    const NET_RESET: i32 = 10052;
    is_oversize(error)
        || (cfg!(windows) && error.raw_os_error() == Some(NET_RESET))
        || matches!(
            error.kind(),
            Kind::ConnectionReset
                | Kind::ConnectionRefused
                | Kind::HostUnreachable
                | Kind::NetworkUnreachable
                | Kind::NetworkDown
                | Kind::Interrupted
        )
}
