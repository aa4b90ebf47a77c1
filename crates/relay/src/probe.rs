//! Is the game up? Asked before anybody plays, and so that the game does not notice.

use std::time::Duration;

use tokio::time::timeout;
use via6_core::addr::HostPort;

use crate::dial::{dial, resolve};
use crate::event::Protocol;
use crate::socket::is_taken;

/// How long a game on another machine, and before it the resolver, may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whether something serves `game`; `None` if that cannot be told.
///
/// A game on this machine's loopback is not connected to: whether its port is taken says enough,
/// and a game that admits one player would take the probe for it. Elsewhere TCP is dialled, and
/// UDP, which would need the game's own protocol, is not asked. Cancel safe.
pub async fn is_up(game: &HostPort, protocol: Protocol) -> Option<bool> {
    let addrs = timeout(PATIENCE, resolve(game)).await.ok()?.ok()?;
    let addr = *addrs.first()?;
    if addr.ip().is_loopback() {
        return is_taken(addr, protocol == Protocol::Udp);
    }
    match protocol {
        Protocol::Tcp => Some(matches!(timeout(PATIENCE, dial(game)).await, Ok(Ok(_)))),
        Protocol::Udp => None,
    }
}
