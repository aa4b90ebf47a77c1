//! The live flows of one listener: the table's decisions, performed on real sockets.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use tokio_util::task::task_tracker::TaskTrackerToken;
use via6_core::flow::{Admit, ByFlow, Direction, FlowEnd, FlowId, FlowTable, FlowView};
use via6_core::limits::{DATAGRAM_BATCH, DATAGRAM_TURN, FLOWS_PENDING_BYTES};
use via6_core::reason::{DropReason, FlowEndReason};

use super::Lent;
use super::name::Name;
use crate::descriptors::Lease;
use crate::dial::{Attempts, DialError, literal};
use crate::engine::Concern;
use crate::event::{Event, Warning};
use crate::socket::{Batch, DatagramListener, UpstreamSocket, is_exhaustion, is_ours, is_oversize};
use crate::terms::Terms;

/// All flows of one listener.
pub(crate) struct Flows {
    /// Of whoever it receives for now.
    pub(crate) terms: Arc<Terms>,
    /// It admits nobody new, and is closed when its last flow has ended.
    pub(crate) retiring: bool,
    pub(super) listener: DatagramListener,
    pub(crate) address: SocketAddr,
    pub(super) table: FlowTable,
    live: ByFlow<Live>,
    /// Bytes that wait for the upstream name in all.
    pending_bytes: usize,
    pub(super) name: Name,
    /// Errors that we do not know, in a row.
    pub(super) unknown: u32,
    /// When to look at the deadlines of flows, or to receive again.
    pub(crate) timer: Option<Instant>,
    /// Receives nothing until then, after an error.
    pub(crate) paused_until: Option<Instant>,
}

/// What a flow holds beside its entry in the table.
struct Live {
    /// Those under which it began.
    terms: Arc<Terms>,
    player: SocketAddr,
    /// The address of ours that the player dialled last; replies leave from there.
    reply_from: Option<IpAddr>,
    /// `None` while the upstream name is being resolved; `pending` then waits for it.
    upstream: Option<Upstream>,
    pending: Vec<Box<[u8]>>,
    _lease: Lease,
    /// A relay that retires waits for it.
    _awaited: TaskTrackerToken,
}

struct Upstream {
    socket: UpstreamSocket,
    /// Where the engine finds the flow by its socket's events.
    route: usize,
}

impl Flows {
    pub(super) fn with(
        terms: Arc<Terms>,
        listener: DatagramListener,
        address: SocketAddr,
        now: Instant,
    ) -> Self {
        let shared = &terms.shared;
        let mut limits = shared.policy.flows;
        // Where descriptors are few, unproven flows make room before TCP goes without.
        limits.flows_max = limits
            .flows_max
            .min(shared.descriptors.capacity() / 2)
            .max(1);
        let mut table = FlowTable::new(limits, now);
        table.ids_after(shared.last_flow.load(Ordering::Relaxed));
        Self {
            table,
            terms,
            retiring: false,
            listener,
            address,
            live: ByFlow::default(),
            pending_bytes: 0,
            name: Name::default(),
            unknown: 0,
            timer: None,
            paused_until: None,
        }
    }

    /// Claims to come from this very listener: answering it would answer ourselves, for ever.
    pub(super) fn is_own(&self, player: SocketAddr) -> bool {
        player.port() == self.address.port() && is_ours(player.ip())
    }

    /// A datagram came from `player` to our address `to`.
    pub(super) fn player_sent(
        &mut self,
        player: SocketAddr,
        to: Option<IpAddr>,
        payload: &[u8],
        lent: &mut Lent<'_>,
    ) {
        let exempt = self.terms.is_exempt(player);
        match self
            .table
            .on_downstream(player, payload.len(), exempt, lent.now)
        {
            Admit::Forward(id) => {
                if let Some(live) = self.live.get_mut(&id) {
                    live.reply_from = to;
                }
                self.send_up(id, payload);
            }
            Admit::Queue(id) => self.queue(id, to, payload),
            Admit::Drop(reason) => self.warn_dropped(reason, player),
            Admit::Open { id, evicted } => {
                if let Some(end) = evicted {
                    self.ended(&end, lent);
                }
                self.open(id, player, to, payload, lent);
            }
        }
    }

    /// Lets a datagram wait for the upstream name, if there is room.
    fn queue(&mut self, id: FlowId, to: Option<IpAddr>, payload: &[u8]) {
        let Some(live) = self.live.get_mut(&id) else {
            return;
        };
        live.reply_from = to;
        if self.pending_bytes + payload.len() <= FLOWS_PENDING_BYTES {
            self.pending_bytes += payload.len();
            live.pending.push(payload.into());
        } else {
            let (player, reason) = (live.player, DropReason::PendingFull);
            self.table
                .on_send_failed(id, Direction::Up, payload.len(), reason);
            self.warn_dropped(reason, player);
        }
    }

    /// Starts a flow whose first datagram is `payload`.
    fn open(
        &mut self,
        id: FlowId,
        player: SocketAddr,
        to: Option<IpAddr>,
        payload: &[u8],
        lent: &mut Lent<'_>,
    ) {
        let Some(lease) = self.terms.shared.descriptors.lease(1) else {
            // Nobody was told that it began, so nobody is told that it ended.
            let reason = DropReason::DescriptorsFull;
            self.table
                .on_send_failed(id, Direction::Up, payload.len(), reason);
            let _ = self.table.on_open_failed(id, lent.now);
            self.warn_dropped(reason, player);
            return;
        };
        let terms = Arc::clone(&self.terms);
        // On this thread alone.
        terms.shared.last_flow.store(id.into(), Ordering::Relaxed);
        terms.shared.notices.tell(&Event::FlowOpened {
            flow: id,
            listener: self.address,
            downstream: player,
            upstream: &terms.settings.upstream,
        });
        self.pending_bytes += payload.len();
        let upstream = literal(&terms.settings.upstream);
        let live = Live {
            _awaited: terms.shared.flows.token(),
            terms,
            player,
            reply_from: to,
            upstream: None,
            pending: vec![payload.into()],
            _lease: lease,
        };
        self.live.insert(id, live);
        match upstream {
            Some(peer) => self.dial(id, &[peer], lent),
            None => self.wait_for_name(id, lent),
        }
    }

    /// Gives a flow its socket, to the first of these addresses that there is a route to, and sends
    /// what has waited for it.
    pub(super) fn dial(&mut self, id: FlowId, peers: &[SocketAddr], lent: &mut Lent<'_>) {
        let mut tried = Vec::new();
        for &peer in peers {
            match self.connect(id, peer, lent) {
                Ok(()) => return,
                Err(error) => tried.push((peer, error)),
            }
        }
        let failure = DialError::PeerUnreachable(Attempts(tried));
        self.dial_failed(id, &failure, lent);
    }

    fn connect(&mut self, id: FlowId, peer: SocketAddr, lent: &mut Lent<'_>) -> io::Result<()> {
        let mut socket = UpstreamSocket::open(peer)?;
        let route = lent.routes.vacant_key();
        socket.register(lent.registry, Concern::FlowUpstream(route).token())?;
        let Some(live) = self.live.get_mut(&id) else {
            return Ok(());
        };
        lent.routes.insert((lent.key.entry, id));
        live.upstream = Some(Upstream { socket, route });
        let pending = std::mem::take(&mut live.pending);
        self.pending_bytes -= pending.iter().map(|payload| payload.len()).sum::<usize>();
        self.table.on_opened(id);
        for payload in pending {
            self.send_up(id, &payload);
        }
        Ok(())
    }

    pub(super) fn dial_failed(&mut self, id: FlowId, failure: &DialError, lent: &mut Lent<'_>) {
        if let Some(live) = self.live.get(&id) {
            let notices = &live.terms.shared.notices;
            notices.warn(&Warning::FlowDialFailed { failure });
        }
        if let Some(end) = self.table.on_open_failed(id, lent.now) {
            self.ended(&end, lent);
        }
    }

    /// Flows that wait for the upstream name.
    pub(super) fn waiting(&self) -> Vec<FlowId> {
        let waiting = self.live.iter().filter(|(_, live)| live.upstream.is_none());
        waiting.map(|(&id, _)| id).collect()
    }

    /// Hands on what the game has answered, up to [`DATAGRAM_TURN`] datagrams. True: there may be
    /// more.
    pub(crate) fn carry_replies(&mut self, id: FlowId, batch: &mut Batch, now: Instant) -> bool {
        for _ in 0..DATAGRAM_TURN / DATAGRAM_BATCH {
            let Some(Upstream { socket, .. }) =
                self.live.get(&id).and_then(|live| live.upstream.as_ref())
            else {
                return false;
            };
            match socket.receive(batch) {
                Ok(more) => {
                    for arrival in batch.arrivals() {
                        self.upstream_sent(id, arrival.from, arrival.payload, now);
                    }
                    if !more {
                        return false;
                    }
                }
                Err(error) if is_closed_port(&error) => self.upstream_silent(id),
                // Nothing waits; or it says nothing about one datagram, and the next event will
                // tell whether it lasts.
                Err(_) => return false,
            }
        }
        true
    }

    fn upstream_sent(&mut self, id: FlowId, from: SocketAddr, payload: &[u8], now: Instant) {
        let Some(live) = self.live.get(&id) else {
            return;
        };
        let Some(upstream) = &live.upstream else {
            return;
        };
        if !upstream.socket.is_peer(from) {
            self.table.on_dropped(Some(id), DropReason::WrongSource);
            return;
        }
        match self.table.on_upstream(id, payload.len(), now) {
            Ok(player) => {
                if let Err(error) = self.listener.send(payload, player, live.reply_from) {
                    let reason = drop_reason(&error);
                    self.table
                        .on_send_failed(id, Direction::Down, payload.len(), reason);
                    self.warn_dropped(reason, player);
                }
            }
            Err(DropReason::FlowEnded) => {}
            Err(reason) => self.warn_dropped(reason, live.player),
        }
    }

    fn send_up(&mut self, id: FlowId, payload: &[u8]) {
        let Some(live) = self.live.get(&id) else {
            return;
        };
        let Some(upstream) = &live.upstream else {
            return;
        };
        let mut sent = upstream.socket.send(payload);
        if sent.as_ref().is_err_and(is_closed_port) {
            // The answer to an *earlier* datagram: the system reports it once instead of sending.
            self.upstream_silent(id);
            sent = upstream.socket.send(payload);
        }
        if let Err(error) = sent {
            let (player, reason) = (live.player, drop_reason(&error));
            self.table
                .on_send_failed(id, Direction::Up, payload.len(), reason);
            if reason != DropReason::Refused {
                self.warn_dropped(reason, player);
            }
        }
    }

    /// When something is to be done by itself next.
    pub(crate) fn next_timer(&self) -> Option<Instant> {
        let deadline = self.table.next_deadline();
        self.paused_until.into_iter().chain(deadline).min()
    }

    /// Ends the flows that have been silent too long.
    pub(crate) fn expire(&mut self, lent: &mut Lent<'_>) {
        for end in self.table.expire(lent.now) {
            self.ended(&end, lent);
        }
    }

    /// Ends the flows whose terms `which` names.
    pub(crate) fn end_those(&mut self, which: impl Fn(&Terms) -> bool, lent: &mut Lent<'_>) {
        let live = &self.live;
        let those = |id| live.get(&id).is_none_or(|live| which(&live.terms));
        let ends = self
            .table
            .end_those(those, FlowEndReason::Stopped, lent.now);
        for end in ends {
            self.ended(&end, lent);
        }
    }

    /// From now on newcomers come under these terms. What waits for the name of the other side that
    /// no longer counts is ended: a player's next datagram opens a flow anew.
    pub(crate) fn come_under(&mut self, terms: &Arc<Terms>, lent: &mut Lent<'_>) {
        self.tell_drops();
        if self.terms.settings.upstream != terms.settings.upstream {
            let waiting = self.waiting();
            let those = |id| waiting.contains(&id);
            let ends = self
                .table
                .end_those(those, FlowEndReason::Stopped, lent.now);
            for end in ends {
                self.ended(&end, lent);
            }
            self.name = Name::default();
        }
        let last = terms.shared.last_flow.load(Ordering::Relaxed);
        self.table.ids_after(last);
        self.terms = Arc::clone(terms);
        self.retiring = false;
    }

    /// Puts what was dropped since on the relay's account.
    pub(crate) fn tell_drops(&mut self) {
        let tally = &self.terms.shared.notices.tally;
        tally.dropped(&self.table.take_drops());
    }

    /// Nobody is left whose datagrams it would hear.
    pub(crate) fn is_done(&self) -> bool {
        self.retiring && self.table.is_empty()
    }

    /// Each live flow, and its terms.
    pub(crate) fn views(&self, now: Instant) -> impl Iterator<Item = (&Arc<Terms>, FlowView)> {
        let terms_of = |view: &FlowView| self.live.get(&view.id).map(|live| &live.terms);
        self.table
            .views(now)
            .filter_map(move |view| Some((terms_of(&view)?, view)))
    }

    fn ended(&mut self, end: &FlowEnd, lent: &mut Lent<'_>) {
        // Of each flow that there was news of.
        let Some(live) = self.live.remove(&end.id) else {
            return;
        };
        let waited = live.pending.iter().map(|payload| payload.len());
        self.pending_bytes -= waited.sum::<usize>();
        if let Some(upstream) = live.upstream {
            lent.routes.try_remove(upstream.route);
        }
        live.terms.shared.notices.tell(&Event::FlowEnded { end });
    }

    fn upstream_silent(&self, id: FlowId) {
        if let Some(Live { terms, .. }) = self.live.get(&id) {
            let upstream = &terms.settings.upstream;
            let silent = Warning::UpstreamSilent { upstream };
            terms.shared.notices.warn(&silent);
        }
    }

    pub(super) fn warn_dropped(&self, reason: DropReason, player: SocketAddr) {
        self.terms
            .shared
            .notices
            .warn(&Warning::Dropped { reason, player });
    }
}

/// ICMP said that nothing listens on the upstream port.
fn is_closed_port(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset
    )
}

fn drop_reason(error: &io::Error) -> DropReason {
    match error.kind() {
        io::ErrorKind::WouldBlock => DropReason::QueueFull,
        // macOS, and some queues on Linux, say so instead.
        _ if is_exhaustion(error) => DropReason::QueueFull,
        _ if is_oversize(error) => DropReason::Oversize,
        _ if is_closed_port(error) => DropReason::Refused,
        _ => DropReason::Unreachable,
    }
}
