//! The live flows of one listener: the table's decisions, performed on real sockets.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep};
use tokio_util::task::TaskTracker;
use via6_core::flow::{Admit, Direction, FlowEnd, FlowId, FlowTable};
use via6_core::limits::{ACCEPT_BACKOFF, FLOW_NAME_FRESH, FLOWS_PENDING_BYTES};
use via6_core::reason::{DropReason, FlowEndReason};

use super::TURN;
use crate::buffer::with_buffer;
use crate::descriptors::Lease;
use crate::dial::{Attempts, DialError, literal, resolve};
use crate::event::{Event, Warning};
use crate::shared::Shared;
use crate::socket::{DatagramListener, UpstreamSocket, is_exhaustion, is_ours, is_oversize};

/// All flows of one listener.
pub(super) struct Flows {
    pub(super) listener: DatagramListener,
    addr: SocketAddr,
    shared: Arc<Shared>,
    state: Mutex<State>,
    tasks: TaskTracker,
    /// The last answer to the upstream name, and when it came; `None` in it: there was none.
    looked_up: tokio::sync::Mutex<Option<(Instant, Option<Vec<SocketAddr>>)>>,
}

struct State {
    table: FlowTable,
    live: HashMap<FlowId, Live>,
    /// Bytes that wait for the upstream name in all.
    pending_bytes: usize,
    ended: u64,
}

/// What a flow holds beside its entry in the table.
struct Live {
    player: SocketAddr,
    /// The address of ours that the player dialled last; replies leave from there.
    reply_from: Option<IpAddr>,
    /// `None` while the upstream name is being resolved; `pending` then waits for it.
    socket: Option<Arc<UpstreamSocket>>,
    pending: Vec<Box<[u8]>>,
    task: AbortHandle,
}

impl Flows {
    pub(super) fn new(
        shared: Arc<Shared>,
        listener: DatagramListener,
        addr: SocketAddr,
    ) -> Arc<Self> {
        let mut limits = shared.policy.flows;
        // Where descriptors are few, unproven flows make room before TCP goes without.
        limits.flows_max = limits
            .flows_max
            .min(shared.descriptors.capacity() / 2)
            .max(1);
        let table = FlowTable::new(limits, Instant::now().into_std());
        let state = State {
            table,
            live: HashMap::new(),
            pending_bytes: 0,
            ended: 0,
        };
        let tasks = TaskTracker::new();
        Arc::new(Self {
            listener,
            addr,
            shared,
            state: Mutex::new(state),
            tasks,
            looked_up: tokio::sync::Mutex::default(),
        })
    }

    pub(super) fn next_deadline(&self) -> Option<std::time::Instant> {
        self.lock().table.next_deadline()
    }

    /// Claims to come from this very listener: answering it would answer ourselves, for ever.
    pub(super) fn is_own(&self, player: SocketAddr) -> bool {
        player.port() == self.addr.port() && is_ours(player.ip())
    }

    /// A datagram came from `player` to our address `to`.
    pub(super) fn player_sent(
        self: &Arc<Self>,
        player: SocketAddr,
        to: Option<IpAddr>,
        payload: &[u8],
    ) {
        let exempt = self.shared.is_exempt(player);
        let mut state = self.lock();
        if self.shared.shutdown.is_draining() && !state.table.knows(player) {
            // Like a connection while draining: nobody takes it.
            return;
        }
        let now = Instant::now().into_std();
        match state
            .table
            .on_downstream(player, payload.len(), exempt, now)
        {
            Admit::Forward(id) => {
                if let Some(live) = state.live.get_mut(&id) {
                    live.reply_from = to;
                    if let Some(socket) = live.socket.clone() {
                        self.send_up(&mut state, id, &socket, payload);
                    }
                }
            }
            Admit::Queue(id) => self.queue(&mut state, id, to, payload),
            Admit::Drop(reason) => self.warn_dropped(reason, player),
            Admit::Open { id, evicted } => {
                if let Some(end) = evicted {
                    self.ended(&mut state, &end);
                }
                self.open(&mut state, id, player, to, payload);
            }
        }
    }

    /// Lets a datagram wait for the upstream name, if there is room.
    fn queue(&self, state: &mut State, id: FlowId, to: Option<IpAddr>, payload: &[u8]) {
        let Some(live) = state.live.get_mut(&id) else {
            return;
        };
        live.reply_from = to;
        if state.pending_bytes + payload.len() <= FLOWS_PENDING_BYTES {
            state.pending_bytes += payload.len();
            live.pending.push(payload.into());
        } else {
            let (player, reason) = (live.player, DropReason::PendingFull);
            state
                .table
                .on_send_failed(id, Direction::Up, payload.len(), reason);
            self.warn_dropped(reason, player);
        }
    }

    /// Starts a flow whose first datagram is `payload`.
    fn open(
        self: &Arc<Self>,
        state: &mut State,
        id: FlowId,
        player: SocketAddr,
        to: Option<IpAddr>,
        payload: &[u8],
    ) {
        let now = Instant::now().into_std();
        let Some(lease) = self.shared.descriptors.lease(1) else {
            // Nobody was told that it began, so nobody is told that it ended.
            let reason = DropReason::DescriptorsFull;
            state
                .table
                .on_send_failed(id, Direction::Up, payload.len(), reason);
            let _ = state.table.on_open_failed(id, now);
            self.warn_dropped(reason, player);
            return;
        };
        let (listener, upstream) = (self.addr, &self.shared.upstream);
        let opened = Event::FlowOpened {
            flow: id,
            listener,
            downstream: player,
            upstream,
        };
        self.shared.notices.tell(&opened);
        let socket = match literal(upstream).map(UpstreamSocket::open) {
            Some(Ok(socket)) => Some(Arc::new(socket)),
            Some(Err(error)) => {
                let peer = literal(upstream).unwrap_or(player);
                let failure = DialError::PeerUnreachable(Attempts(vec![(peer, error)]));
                self.dial_failed(state, id, &failure);
                return;
            }
            None => None,
        };
        let task = self
            .tasks
            .spawn(Arc::clone(self).serve(id, socket.clone(), lease))
            .abort_handle();
        let mut pending = Vec::new();
        if socket.is_none() {
            state.pending_bytes += payload.len();
            pending.push(payload.into());
        }
        let live = Live {
            player,
            reply_from: to,
            socket: socket.clone(),
            pending,
            task,
        };
        state.live.insert(id, live);
        if let Some(socket) = socket {
            state.table.on_opened(id);
            self.send_up(state, id, &socket, payload);
        }
    }

    /// The task of one flow: dial if that is still to be done, then carry replies until aborted.
    async fn serve(self: Arc<Self>, id: FlowId, socket: Option<Arc<UpstreamSocket>>, lease: Lease) {
        // Given back when this task is gone, and its socket with it.
        let _lease = lease;
        let socket = match socket {
            Some(socket) => socket,
            None => match self.dial().await {
                Ok(socket) => {
                    let socket = Arc::new(socket);
                    self.opened(id, &socket);
                    socket
                }
                Err(failure) => {
                    let mut state = self.lock();
                    return self.dial_failed(&mut state, id, &failure);
                }
            },
        };
        loop {
            let troubled = socket.readable().await.is_err() || !self.carry_replies(id, &socket);
            if troubled {
                sleep(ACCEPT_BACKOFF.0).await;
            }
            tokio::task::yield_now().await;
        }
    }

    /// A socket to the first address of the upstream name that there is a route to. Cancel safe.
    async fn dial(&self) -> Result<UpstreamSocket, DialError> {
        let mut tried = Vec::new();
        for addr in self.look_up().await? {
            match UpstreamSocket::open(addr) {
                Ok(socket) => return Ok(socket),
                Err(error) => tried.push((addr, error)),
            }
        }
        Err(DialError::PeerUnreachable(Attempts(tried)))
    }

    /// The upstream's addresses. One look-up serves all flows that open meanwhile: who forges
    /// players' addresses must not be able to keep the resolver busy.
    async fn look_up(&self) -> Result<Vec<SocketAddr>, DialError> {
        let mut looked_up = self.looked_up.lock().await;
        if let Some((at, answer)) = &*looked_up
            && at.elapsed() < FLOW_NAME_FRESH
        {
            let name = self.shared.upstream.host.to_string();
            let source = io::Error::other("a moment ago it had none");
            return answer
                .clone()
                .ok_or(DialError::PeerUnknown { name, source });
        }
        let answer = resolve(&self.shared.upstream).await;
        *looked_up = Some((Instant::now(), answer.as_ref().ok().cloned()));
        answer
    }

    /// The name was resolved: what waited for it goes out.
    fn opened(&self, id: FlowId, socket: &Arc<UpstreamSocket>) {
        let mut state = self.lock();
        state.table.on_opened(id);
        let Some(live) = state.live.get_mut(&id) else {
            return;
        };
        live.socket = Some(Arc::clone(socket));
        let pending = std::mem::take(&mut live.pending);
        state.pending_bytes -= pending.iter().map(|payload| payload.len()).sum::<usize>();
        for payload in pending {
            self.send_up(&mut state, id, socket, &payload);
        }
    }

    fn dial_failed(&self, state: &mut State, id: FlowId, failure: &DialError) {
        self.shared
            .notices
            .warn(&Warning::FlowDialFailed { failure });
        if let Some(end) = state.table.on_open_failed(id, Instant::now().into_std()) {
            self.ended(state, &end);
        }
    }

    /// Hands on what the game has answered, up to [`TURN`] datagrams. False: an error that says
    /// nothing about one datagram.
    fn carry_replies(&self, id: FlowId, socket: &UpstreamSocket) -> bool {
        with_buffer(|buffer| {
            for _ in 0..TURN {
                match socket.try_recv(buffer) {
                    Ok(Some(len)) => self.upstream_sent(id, buffer.get(..len).unwrap_or_default()),
                    Ok(None) => self.dropped(Some(id), DropReason::WrongSource),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) if is_closed_port(&error) => self.upstream_silent(),
                    Err(_) => return false,
                }
            }
            true
        })
    }

    fn upstream_sent(&self, id: FlowId, payload: &[u8]) {
        let mut state = self.lock();
        let now = Instant::now().into_std();
        match state.table.on_upstream(id, payload.len(), now) {
            Ok(player) => {
                let reply_from = state.live.get(&id).and_then(|live| live.reply_from);
                if let Err(error) = self.listener.try_send(payload, player, reply_from) {
                    let reason = drop_reason(&error);
                    state
                        .table
                        .on_send_failed(id, Direction::Down, payload.len(), reason);
                    self.warn_dropped(reason, player);
                }
            }
            Err(DropReason::FlowEnded) => {}
            Err(reason) => {
                if let Some(live) = state.live.get(&id) {
                    self.warn_dropped(reason, live.player);
                }
            }
        }
    }

    fn send_up(&self, state: &mut State, id: FlowId, socket: &UpstreamSocket, payload: &[u8]) {
        let mut sent = socket.try_send(payload);
        if sent.as_ref().is_err_and(is_closed_port) {
            // The answer to an *earlier* datagram: the system reports it once instead of sending.
            self.upstream_silent();
            sent = socket.try_send(payload);
        }
        if let Err(error) = sent {
            let reason = drop_reason(&error);
            state
                .table
                .on_send_failed(id, Direction::Up, payload.len(), reason);
            if reason != DropReason::Refused
                && let Some(live) = state.live.get(&id)
            {
                self.warn_dropped(reason, live.player);
            }
        }
    }

    pub(super) fn expire(&self) {
        let mut state = self.lock();
        for end in state.table.expire(Instant::now().into_std()) {
            self.ended(&mut state, &end);
        }
    }

    /// Ends every flow, and returns how many there were in all.
    pub(super) async fn end_all(&self) -> u64 {
        let ended = {
            let mut state = self.lock();
            let now = Instant::now().into_std();
            for end in state.table.end_all(FlowEndReason::Stopped, now) {
                self.ended(&mut state, &end);
            }
            state.ended
        };
        self.tasks.close();
        self.tasks.wait().await;
        ended
    }

    fn ended(&self, state: &mut State, end: &FlowEnd) {
        state.ended += 1;
        if let Some(live) = state.live.remove(&end.id) {
            live.task.abort();
            state.pending_bytes -= live
                .pending
                .iter()
                .map(|payload| payload.len())
                .sum::<usize>();
        }
        self.shared.notices.tell(&Event::FlowEnded { end });
    }

    pub(super) fn dropped(&self, id: Option<FlowId>, reason: DropReason) {
        self.lock().table.on_dropped(id, reason);
    }

    fn upstream_silent(&self) {
        self.shared.notices.warn(&Warning::UpstreamSilent {
            upstream: &self.shared.upstream,
        });
    }

    pub(super) fn warn_dropped(&self, reason: DropReason, player: SocketAddr) {
        self.shared
            .notices
            .warn(&Warning::Dropped { reason, player });
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
