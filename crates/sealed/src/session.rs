//! One session of a game over a channel: the game's socket on one side, the link on the other.

use std::net::SocketAddr;
use std::sync::Arc;

use via6_core::addr::HostPort;
use via6_core::frame::{ChannelId, Reset};
use via6_core::limits::{LINK_HOLD, RESET_FLUSH_MAX};
use via6_core::reason::CloseReason;
use via6_relay::{Leg, Patience, Seat, Stream, dial, splice};

use crate::cable::Cable;
use crate::port::Port;

/// A joiner's side: the game client has connected, and the channel is open.
pub(crate) async fn joined(
    cable: Arc<Cable>,
    channel: ChannelId,
    game: Stream,
    host: SocketAddr,
    seat: Seat,
) {
    let port = Port::new(&cable, channel);
    let reason = {
        let carried = splice(&game, &port, seat.traffic(), patience(&seat));
        tokio::select! {
            reason = carried => reason,
            () = dialled(&port, &seat, host) => CloseReason::Stopped,
            () = seat.cut() => CloseReason::Stopped,
        }
    };
    let reason = match reason {
        CloseReason::UpstreamReset => told(&port, reason, CloseReason::UpstreamDead),
        reason => reason,
    };
    close(
        &game,
        &port,
        reason,
        CloseReason::DownstreamReset,
        CloseReason::DownstreamDead,
    );
    drop((game, port));
    seat.end(reason, None);
}

/// A host's side: a channel was opened, and the game server is to be dialled for it.
pub(crate) async fn hosted(cable: Arc<Cable>, channel: ChannelId, to: HostPort, seat: Seat) {
    let port = Port::new(&cable, channel);
    let dialled = tokio::select! {
        dialled = dial(&to) => dialled,
        () = seat.cut() => return port.abort(Reset::Stopped),
        () = port.failed() => {
            drop(port);
            return seat.end(CloseReason::DownstreamReset, None);
        }
    };
    let (game, address) = match dialled {
        Ok((stream, address)) => (Stream::new(stream), address),
        Err(failure) => {
            port.abort(Reset::Dial);
            drop(port);
            return seat.end(CloseReason::DialFailed, Some(failure));
        }
    };
    seat.dialled(address);
    let reason = {
        let carried = splice(&port, &game, seat.traffic(), patience(&seat));
        tokio::select! {
            reason = carried => reason,
            () = seat.cut() => CloseReason::Stopped,
        }
    };
    let reason = match reason {
        CloseReason::DownstreamReset => told(&port, reason, CloseReason::DownstreamDead),
        reason => reason,
    };
    close(
        &game,
        &port,
        reason,
        CloseReason::UpstreamReset,
        CloseReason::UpstreamDead,
    );
    drop((game, port));
    seat.end(reason, None);
}

/// What is left of a broken session waits for the link, which may be away for as long as it is held.
fn patience(seat: &Seat) -> Patience {
    Patience {
        reset_flush: LINK_HOLD,
        reset_flush_max: RESET_FLUSH_MAX.max(LINK_HOLD),
        ..seat.patience()
    }
}

/// Tells the relay that the host has answered, once it has; never returns.
async fn dialled(port: &Port, seat: &Seat, host: SocketAddr) {
    port.heard().await;
    seat.dialled(host);
    std::future::pending::<()>().await;
}

/// What the other via6 says of a session that it reset: more than that it did.
fn told(port: &Port, reset: CloseReason, dead: CloseReason) -> CloseReason {
    match port.reset() {
        _ if port.is_cut_off() => CloseReason::LinkLost,
        Some(Reset::Dial | Reset::Service | Reset::Channels | Reset::Draining) => {
            CloseReason::DialFailed
        }
        Some(Reset::Dead) => dead,
        Some(Reset::Linger) => CloseReason::LingerTimeout,
        Some(Reset::Stopped) => CloseReason::LinkLost,
        _ => reset,
    }
}

/// Makes the end of the session known on both sides. `reset`, `dead`: what the reason is if the game's
/// connection is the one that broke.
fn close(game: &Stream, port: &Port, reason: CloseReason, reset: CloseReason, dead: CloseReason) {
    let code = match reason {
        CloseReason::Finished => return,
        CloseReason::LingerTimeout => Reset::Linger,
        reason if reason == reset => Reset::Game,
        reason if reason == dead => Reset::Dead,
        _ => Reset::Stopped,
    };
    game.reset_on_close();
    port.abort(code);
}
