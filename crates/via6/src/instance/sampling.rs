//! What the relays are doing, with rates: two looks, some time apart.

use std::collections::HashMap;
use std::process;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};
use via6_core::counts::Counts;
use via6_core::flow::FlowView;
use via6_core::limits::{STATUS_LIVE_MAX, STATUS_PAUSE_MAX, STATUS_RATE_MAX, STATUS_RATE_MIN};
use via6_core::reason::Reason;
use via6_relay::{Look, Protocol, SessionLook, Totals as Done, look};
use via6_sealed::PlayerLook;

use super::linking::Linked;
use super::{Carried, Instance};
use crate::narrator::{ms, protocol_label, unix_ms};
use crate::status::{
    CarrierStatus, Dials, EntryStatus, FlowStatus, GuestStatus, ListenerStatus, SessionStatus,
    Status, Totals,
};

/// Bytes up and down.
type Bytes = (u64, u64);

/// The last looks that rates can be told from.
#[derive(Default)]
pub(super) struct Sampler {
    before: Option<Sample>,
    last: Option<Sample>,
}

/// What had been carried at one moment.
struct Sample {
    at: Instant,
    bytes: HashMap<Of, Bytes>,
}

/// Whose bytes: of a relay, by its serial, or of one of its sessions or flows.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
enum Of {
    Relay(u64),
    Session(u64, u64),
    Flow(u64, u64),
}

impl Instance {
    /// How everything is now. Waits for a moment if the last look is too long ago to tell rates from.
    /// Cancel safe.
    pub(crate) async fn status(&self) -> Status {
        if !self.has_recent_sample() {
            let relays = self.all();
            let looks = self.looks(&relays).await;
            self.sampler().take(&relays, &looks);
            sleep(STATUS_RATE_MIN).await;
        }
        let relays = self.all();
        let looks = self.looks(&relays).await;
        let rates = self.sampler().take(&relays, &looks);
        self.described(&relays, &looks, &rates)
    }

    /// The same as sums alone, without rates and without sessions and flows one by one. One look,
    /// which waits for nothing. Cancel safe.
    pub(crate) async fn totals(&self) -> Status {
        let relays = self.all();
        let running: Vec<_> = relays.iter().map(|one| one.running.clone()).collect();
        let looks = look(&running, 0).await;
        self.described(&relays, &looks, &Rates::none())
    }

    fn described(&self, relays: &[Carried], looks: &[Look], rates: &Rates) -> Status {
        let entries = relays.iter().zip(looks);
        let hosting = self.hosting();
        let players = hosting.map_or_else(Vec::new, |hosting| hosting.players());
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: process::id(),
            time_ms: unix_ms(),
            up_ms: ms(self.0.began.elapsed()),
            entries: entries
                .map(|(carried, look)| {
                    let mut status = entry_status(carried, look, rates);
                    add_link(&mut status, &carried.linked, &players);
                    status
                })
                .collect(),
            players: players.iter().map(guest).collect(),
        }
    }

    /// Takes a look, once a pause of nine times the last one's length is over: who asks for the status
    /// again and again gets a tenth of the engine's time, and players the rest.
    async fn looks(&self, relays: &[Carried]) -> Vec<Look> {
        let mut next = self.0.next_look.lock().await;
        sleep_until(*next).await;
        let running: Vec<_> = relays.iter().map(|one| one.running.clone()).collect();
        let began = Instant::now();
        let looks = look(&running, STATUS_LIVE_MAX).await;
        let took = began.elapsed();
        *next = Instant::now() + (9 * took).min(STATUS_PAUSE_MAX);
        looks
    }

    fn has_recent_sample(&self) -> bool {
        let sampler = self.sampler();
        let age = sampler.last.as_ref().map(|last| last.at.elapsed());
        age.is_some_and(|age| age < STATUS_RATE_MAX)
    }

    fn sampler(&self) -> std::sync::MutexGuard<'_, Sampler> {
        self.0
            .sampler
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes per second since an earlier look.
struct Rates {
    now: HashMap<Of, Bytes>,
    before: HashMap<Of, Bytes>,
    over: Duration,
}

impl Rates {
    /// Of what nobody asks the rates of.
    fn none() -> Self {
        Self {
            now: HashMap::new(),
            before: HashMap::new(),
            over: STATUS_RATE_MIN,
        }
    }

    fn of(&self, of: Of) -> Bytes {
        let (up, down) = self.now.get(&of).copied().unwrap_or_default();
        // What was not there then has carried all of it since.
        let (up_then, down_then) = self.before.get(&of).copied().unwrap_or_default();
        let per_second = |bytes: u64| {
            let bytes = u128::from(bytes) * 1000 / self.over.as_millis().max(1);
            u64::try_from(bytes).unwrap_or(u64::MAX)
        };
        (
            per_second(up.saturating_sub(up_then)),
            per_second(down.saturating_sub(down_then)),
        )
    }
}

impl Sampler {
    /// Takes note of what was just seen, and tells the rates since what was seen long enough before.
    fn take(&mut self, relays: &[Carried], looks: &[Look]) -> Rates {
        let now = Sample {
            at: Instant::now(),
            bytes: relays.iter().zip(looks).flat_map(bytes_of).collect(),
        };
        let is_older = |sample: &&Sample| now.at.duration_since(sample.at) >= STATUS_RATE_MIN;
        let reference = self.last.as_ref().filter(is_older);
        let reference = reference.or(self.before.as_ref());
        let rates = Rates {
            now: now.bytes.clone(),
            // Without an earlier look nothing is known to move.
            before: reference.map_or_else(|| now.bytes.clone(), |then| then.bytes.clone()),
            over: reference.map_or(STATUS_RATE_MIN, |then| now.at.duration_since(then.at)),
        };
        if self.last.as_ref().is_none_or(|last| is_older(&last)) {
            self.before = self.last.replace(now);
        }
        rates
    }
}

fn bytes_of((carried, look): (&Carried, &Look)) -> Vec<(Of, Bytes)> {
    let serial = carried.serial;
    let totals = &look.totals;
    let all = (
        totals.session_bytes_up + totals.flow_bytes_up,
        totals.session_bytes_down + totals.flow_bytes_down,
    );
    let sessions = look.sessions.iter().map(|session| {
        let bytes = (session.bytes_up, session.bytes_down);
        (Of::Session(serial, session.session.0), bytes)
    });
    let flows = look.flows.iter().map(|flow| {
        let bytes = (flow.bytes_up, flow.bytes_down);
        (Of::Flow(serial, flow.id.into()), bytes)
    });
    std::iter::once((Of::Relay(serial), all))
        .chain(sessions)
        .chain(flows)
        .collect()
}

/// What is known of a relay's sealed link.
fn add_link(status: &mut EntryStatus, linked: &Linked, players: &[PlayerLook]) {
    match linked {
        Linked::Open => {}
        Linked::Shared(hosting) => {
            let listener = |protocol: Protocol| ListenerStatus {
                protocol: protocol_label(protocol).to_owned(),
                address: hosting.listener().to_string(),
            };
            if !status.draining {
                status.listeners = [Protocol::Tcp, Protocol::Udp].map(listener).to_vec();
            }
            for session in &mut status.sessions {
                let mut players = players.iter();
                let who = players.find(|one| one.remote.to_string() == session.downstream);
                session.round_trip_down_us = who.and_then(|one| one.round_trip).map(micros);
            }
        }
        Linked::Joined(joining) => {
            let look = joining.look();
            let round_trip_us = look.round_trip.map(micros);
            status.carrier = look.carried.map(|(kind, address)| CarrierStatus {
                player: look.name,
                transport: kind.label().to_owned(),
                address: address.to_string(),
                round_trip_us,
                suspect: look.is_suspect,
            });
            for session in &mut status.sessions {
                session.round_trip_up_us = round_trip_us;
            }
        }
    }
}

fn guest(look: &PlayerLook) -> GuestStatus {
    GuestStatus {
        player: look.name.clone(),
        identity: look.identity.to_string(),
        transport: look.kind.label().to_owned(),
        address: look.remote.to_string(),
        age_ms: ms(look.age),
        sessions: look.sessions as u64,
        round_trip_us: look.round_trip.map(micros),
        suspect: look.is_suspect,
    }
}

fn entry_status(carried: &Carried, look: &Look, rates: &Rates) -> EntryStatus {
    let (entry, serial) = (&carried.entry, carried.serial);
    let (rate_up, rate_down) = rates.of(Of::Relay(serial));
    let listeners = look
        .listeners
        .iter()
        .map(|(protocol, address)| ListenerStatus {
            protocol: protocol_label(*protocol).to_owned(),
            address: address.to_string(),
        });
    let sessions = look.sessions.iter();
    let flows = look.flows.iter();
    let mut done = carried.before.clone();
    done.add_all(&look.totals);
    EntryStatus {
        name: entry.name.clone(),
        role: entry.role,
        draining: carried.running.is_draining(),
        listeners: listeners.collect(),
        upstream: entry.upstream.to_string(),
        link: entry.link.label().to_owned(),
        carrier: None,
        sessions_live: look.sessions_live as u64,
        sessions: sessions
            .map(|session| {
                session_status(session, rates.of(Of::Session(serial, session.session.0)))
            })
            .collect(),
        flows_live: look.flows_live as u64,
        flows: flows
            .map(|flow| flow_status(flow, rates.of(Of::Flow(serial, flow.id.into()))))
            .collect(),
        rate_up,
        rate_down,
        totals: totals(&done),
    }
}

fn session_status(session: &SessionLook, (rate_up, rate_down): Bytes) -> SessionStatus {
    SessionStatus {
        session: session.session.0,
        state: session.state.label().to_owned(),
        downstream: session.downstream.to_string(),
        upstream: session.upstream.map(|upstream| upstream.to_string()),
        age_ms: ms(session.age),
        bytes_up: session.bytes_up,
        bytes_down: session.bytes_down,
        rate_up,
        rate_down,
        round_trip_down_us: session.round_trip_down.map(micros),
        round_trip_up_us: session.round_trip_up.map(micros),
    }
}

fn flow_status(flow: &FlowView, (rate_up, rate_down): Bytes) -> FlowStatus {
    FlowStatus {
        flow: flow.id.into(),
        downstream: flow.player.to_string(),
        proven: flow.proven,
        age_ms: ms(flow.age),
        idle_ms: ms(flow.idle),
        bytes_up: flow.bytes_up,
        bytes_down: flow.bytes_down,
        datagrams_up: flow.datagrams_up,
        datagrams_down: flow.datagrams_down,
        dropped: flow.dropped,
        rate_up,
        rate_down,
    }
}

fn totals(done: &Done) -> Totals {
    Totals {
        sessions_opened: done.sessions_opened,
        sessions_ended: by_label(&done.sessions_ended),
        session_bytes_up: done.session_bytes_up,
        session_bytes_down: done.session_bytes_down,
        flows_opened: done.flows_opened,
        flows_ended: by_label(&done.flows_ended),
        flow_bytes_up: done.flow_bytes_up,
        flow_bytes_down: done.flow_bytes_down,
        datagrams_up: done.datagrams_up,
        datagrams_down: done.datagrams_down,
        shed: by_label(&done.shed),
        dropped: by_label(&done.dropped),
        accept_errors: by_label(&done.accept_troubles),
        dials: Dials {
            buckets: done
                .dials
                .ranges()
                .map(|(bound, count)| (micros(bound), count))
                .collect(),
            count: done.dials.count(),
            sum_us: micros(done.dials.sum()),
        },
    }
}

fn by_label<R: Reason>(counts: &Counts<R>) -> std::collections::BTreeMap<String, u64> {
    let counted = counts.iter();
    counted
        .map(|(reason, count)| (reason.label().to_owned(), count))
        .collect()
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
