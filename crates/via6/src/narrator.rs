//! Turns events into lines: sentences on standard error, or `--json` objects on standard output.
//!
//! One opened and one ended line a session; the level is by blame, so that a player's reset is
//! news and a full game server is a warning. `docs/reference/events.md` is the schema.

mod flows;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::Instant;
use via6_core::limits::DRAIN_TIMEOUT;
use via6_core::reason::CloseReason;
use via6_relay::{DialError, Event, Observer, Protocol, SessionEnd, Warning, describe};

use self::flows::FlowsTold;
use crate::args::Shown;
use crate::failure::Failure;

/// What a relay is for, which is how its two sides are called.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    Host,
    Join,
    Relay,
}

impl Role {
    /// The word of the command line and of `--json`.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Join => "join",
            Self::Relay => "relay",
        }
    }

    fn downstream(self) -> &'static str {
        match self {
            Self::Host => "the player",
            Self::Join => "your game",
            Self::Relay => "the connecting side",
        }
    }

    fn upstream(self) -> &'static str {
        match self {
            Self::Host => "the game server",
            Self::Join => "the host",
            Self::Relay => "the target",
        }
    }

    /// What to look at when the upstream side refuses.
    fn refused(self) -> &'static str {
        match self {
            Self::Host => "is the game running?",
            Self::Join => "is `via6 host` running there?",
            Self::Relay => "is anything running there?",
        }
    }
}

/// Takes the lines that are told of a relay. Never blocks, and may be called from any thread.
pub(crate) trait Sink: Send + Sync {
    /// What was asked for: the line a friend pastes, `--json` events.
    fn data(&self, line: String);

    /// What is told beside it.
    fn log(&self, line: String);
}

/// How much is told, which may change meanwhile.
pub(crate) struct Showing(Mutex<Shown>);

impl Showing {
    pub(crate) fn new(shown: Shown) -> Arc<Self> {
        Arc::new(Self(Mutex::new(shown)))
    }

    pub(crate) fn get(&self) -> Shown {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set(&self, shown: Shown) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = shown;
    }
}

/// The observer of one relay.
#[derive(Clone)]
pub(crate) struct Narrator {
    sink: Arc<dyn Sink>,
    shown: Arc<Showing>,
    /// None: it is about the whole process.
    name: Option<String>,
    role: Role,
    /// Says at the head of each line of an event whose it is.
    labelled: bool,
    flows: Arc<FlowsTold>,
}

impl Narrator {
    pub(crate) fn new(sink: Arc<dyn Sink>, shown: Arc<Showing>, name: &str, role: Role) -> Self {
        Self {
            sink,
            shown,
            name: Some(name.to_owned()),
            role,
            labelled: false,
            flows: Arc::default(),
        }
    }

    /// For what concerns no single relay.
    pub(crate) fn of_process(sink: Arc<dyn Sink>, shown: Arc<Showing>) -> Self {
        Self {
            sink,
            shown,
            name: None,
            // There is no word of a role to be said.
            role: Role::Relay,
            labelled: false,
            flows: Arc::default(),
        }
    }

    /// The same, for one of several relays whose lines stand under each other.
    pub(crate) fn labelled(mut self) -> Self {
        self.labelled = true;
        self
    }

    /// A sentence for the person, unless there is `--json`.
    pub(crate) fn say(&self, text: &str) {
        let shown = self.shown.get();
        if !shown.json && !shown.quiet {
            self.sink.log(text.to_owned());
        }
    }

    /// The same, saying whose it is where there are several.
    pub(crate) fn tell(&self, text: &str) {
        self.say(&format!("{}{text}", self.label()));
    }

    /// The same, though it be `--quiet`: something the person should act on.
    pub(crate) fn warn(&self, kind: &str, text: &str) {
        if self.shown.get().json {
            self.emit(json!({ "event": "warning", "kind": kind, "message": text }));
        } else {
            self.sink.log(format!("{}warning: {text}", self.label()));
        }
    }

    /// What the person must know, though it be `--quiet`; `--json` has an event for it.
    pub(crate) fn log(&self, text: &str) {
        self.sink.log(text.to_owned());
    }

    /// Something that was asked for cannot be done, and the program goes on.
    pub(crate) fn fail(&self, whose: &str, failure: &Failure) {
        self.sink.log(format!("{whose}{failure}"));
    }

    /// What the command was for: the line to paste, the address to type.
    pub(crate) fn give(&self, text: &str) {
        if !self.shown.get().json {
            self.sink.data(text.to_owned());
        }
    }

    /// Whether a terminal may show a live view.
    pub(crate) fn is_live(&self) -> bool {
        self.shown.get().is_live()
    }

    /// `Some(n)`: tell of this event; `n` of its kind were not told of.
    fn held_back(&self, event: &Event<'_>, shown: Shown) -> Option<u64> {
        let every = shown.verbose > 1;
        match event {
            Event::FlowOpened { flow, .. } => {
                let now = Instant::now().into_std();
                self.flows.opened((*flow).into(), every, now)
            }
            Event::FlowEnded { end } => self.flows.ended(end.id.into(), every).then_some(0),
            _ => Some(0),
        }
    }

    fn label(&self) -> String {
        match &self.name {
            Some(name) if self.labelled => format!("{name}: "),
            _ => String::new(),
        }
    }

    /// An event object with the time added, if there is `--json`.
    pub(crate) fn emit(&self, mut event: Value) {
        if self.shown.get().json {
            if let Some(fields) = event.as_object_mut() {
                if let Some(name) = &self.name {
                    fields.insert("name".into(), name.as_str().into());
                }
                fields.insert("time_ms".into(), unix_ms().into());
            }
            self.sink.data(event.to_string());
        }
    }
}

impl Observer for Narrator {
    fn observe(&self, event: &Event<'_>) {
        let wanted = match event {
            Event::SessionDialled { .. } => 1,
            Event::Warning {
                held_back: None, ..
            } => 2,
            _ => 0,
        };
        let shown = self.shown.get();
        if shown.verbose < wanted {
            return;
        }
        if shown.json {
            self.emit(object(event, self.role));
        } else if let Event::Warning { warning, held_back } = event {
            let text = warning_text(warning, *held_back, self.role);
            self.sink.log(format!("{}warning: {text}", self.label()));
        } else if !shown.quiet
            && let Some(held_back) = self.held_back(event, shown)
            && let Some(text) = sentence(event, shown.verbose, self.role)
        {
            let more = match held_back {
                0 => String::new(),
                more => format!(" (and {more} more)"),
            };
            self.sink.log(format!("{}{text}{more}", self.label()));
        }
    }
}

fn sentence(event: &Event<'_>, verbose: u8, role: Role) -> Option<String> {
    Some(match event {
        Event::SessionOpened {
            session,
            downstream,
            upstream,
            ..
        } => {
            format!("session {session} opened: {downstream} to {upstream}")
        }
        Event::SessionDialled {
            session,
            upstream,
            took,
        } => {
            format!(
                "session {session} connected to {upstream} in {}",
                span(*took)
            )
        }
        Event::SessionEnded { session, end } => {
            format!("session {session} ended: {}", session_text(end, role))
        }
        Event::FlowOpened {
            flow,
            downstream,
            upstream,
            ..
        } => {
            format!("flow {flow} opened: {downstream} to {upstream} (UDP)")
        }
        Event::FlowEnded { end } => {
            let counts = format!(
                "{} datagrams up, {} down",
                end.datagrams_up, end.datagrams_down
            );
            let dropped = match end.dropped {
                0 => String::new(),
                n => format!(", {n} dropped"),
            };
            let took = if verbose > 0 {
                format!(", {}", span(end.duration))
            } else {
                String::new()
            };
            format!(
                "flow {} ended ({}): {counts}{dropped}{took}",
                end.id, end.reason
            )
        }
        Event::Draining {
            sessions,
            flows,
            retiring,
        } => draining_text(*sessions, *flows, *retiring)?,
        _ => return None,
    })
}

fn draining_text(sessions: usize, flows: usize, retiring: Option<Duration>) -> Option<String> {
    let Some(within) = retiring else {
        return (sessions > 0).then(|| {
            format!(
                "stopping: {} may finish within {} s; Ctrl-C again ends at once",
                live(sessions as u64, 0),
                DRAIN_TIMEOUT.as_secs()
            )
        });
    };
    Some(if sessions + flows == 0 {
        "no longer listening".into()
    } else {
        format!(
            "no longer listening; {} may go on for {} at most",
            live(sessions as u64, flows as u64),
            span(within)
        )
    })
}

/// `2 sessions and 1 flow`, without what there is none of.
pub(crate) fn live(sessions: u64, flows: u64) -> String {
    let count = |n: u64, one: &str, more: &str| match n {
        0 => None,
        1 => Some(format!("1 {one}")),
        n => Some(format!("{n} {more}")),
    };
    let sessions = count(sessions, "session", "sessions");
    let flows = count(flows, "flow", "flows");
    match (sessions, flows) {
        (Some(sessions), Some(flows)) => format!("{sessions} and {flows}"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => "nothing".into(),
    }
}

fn session_text(end: &SessionEnd, role: Role) -> String {
    if let Some(failure) = &end.failure {
        return explained(failure, role);
    }
    let (down, up) = (role.downstream(), role.upstream());
    let why = match end.reason {
        CloseReason::Finished => "both sides finished".into(),
        CloseReason::DownstreamReset => format!("{down} broke it off (reset)"),
        CloseReason::UpstreamReset if end.bytes_down == 0 && role == Role::Join => {
            format!("{up} broke it off at once ({GAME_DOWN})")
        }
        CloseReason::UpstreamReset => format!("{up} broke it off (reset)"),
        CloseReason::DownstreamDead => format!("{down} no longer answers"),
        CloseReason::UpstreamDead => format!("{up} no longer answers"),
        CloseReason::LingerTimeout => "one side had finished and the other fell silent".into(),
        CloseReason::DialFailed => format!("{up} could not be reached"),
        CloseReason::Stopped => "via6 was stopped".into(),
    };
    let (up, down) = (size(end.bytes_up), size(end.bytes_down));
    format!("{why}; {up} up, {down} down, {}", span(end.duration))
}

/// What a host means that takes a connection and resets it.
const GAME_DOWN: &str = "its game is probably not running";

fn explained(failure: &DialError, role: Role) -> String {
    if failure.is_refused() {
        format!("{failure} ({})", role.refused())
    } else if failure.is_reset() && role == Role::Join {
        format!("{failure} ({GAME_DOWN})")
    } else {
        failure.to_string()
    }
}

fn warning_text(warning: &Warning<'_>, held_back: Option<u64>, role: Role) -> String {
    let text = match warning {
        Warning::Shed { reason, downstream } => {
            format!("refused a connection from {downstream}: {reason}")
        }
        Warning::Dropped { reason, player } => {
            format!("dropped a datagram of {player}: {reason}")
        }
        Warning::UpstreamSilent { upstream } => {
            format!("nothing listens for UDP on {upstream} ({})", role.refused())
        }
        Warning::FlowDialFailed { failure } => explained(failure, role),
        Warning::AcceptExhausted { listener, error } => format!(
            "cannot accept on {listener}: {}; new connections are refused until others end",
            describe(error)
        ),
        Warning::ListenerTroubled {
            listener,
            protocol,
            error,
        } => {
            format!("trouble on {listener} ({protocol}): {}", describe(error))
        }
        Warning::ListenerEnded {
            listener,
            protocol,
            error,
        } => format!(
            "gave up listening on {listener} ({protocol}) after repeated errors: {}",
            describe(error)
        ),
        _ => warning.kind().to_owned(),
    };
    match held_back {
        None | Some(0) => text,
        Some(more) => format!("{text} (and {more} more)"),
    }
}

fn object(event: &Event<'_>, role: Role) -> Value {
    match event {
        Event::SessionOpened {
            session,
            listener,
            downstream,
            upstream,
        } => json!({
            "event": "session_opened", "session": session.0, "listener": text(listener),
            "downstream": text(downstream), "upstream": text(upstream),
        }),
        Event::SessionDialled {
            session,
            upstream,
            took,
        } => json!({
            "event": "session_dialled", "session": session.0, "upstream": text(upstream),
            "took_ms": ms(*took),
        }),
        Event::SessionEnded { session, end } => {
            let mut object = json!({
                "event": "session_ended", "session": session.0,
                "downstream": text(&end.downstream), "reason": end.reason.label(),
                "bytes_up": end.bytes_up, "bytes_down": end.bytes_down,
                "duration_ms": ms(end.duration),
            });
            if let (Some(failure), Some(fields)) = (&end.failure, object.as_object_mut()) {
                fields.insert("error".into(), failure.to_string().into());
            }
            object
        }
        Event::FlowOpened {
            flow,
            listener,
            downstream,
            upstream,
        } => json!({
            "event": "flow_opened", "flow": u64::from(*flow), "listener": text(listener),
            "downstream": text(downstream), "upstream": text(upstream),
        }),
        Event::FlowEnded { end } => json!({
            "event": "flow_ended", "flow": u64::from(end.id), "downstream": text(&end.player),
            "reason": end.reason.label(), "bytes_up": end.bytes_up, "bytes_down": end.bytes_down,
            "datagrams_up": end.datagrams_up, "datagrams_down": end.datagrams_down,
            "dropped": end.dropped, "duration_ms": ms(end.duration),
        }),
        Event::Warning { warning, held_back } => json!({
            "event": "warning", "kind": warning.kind(), "reason": warning.reason(),
            "message": warning_text(warning, None, role), "held_back": held_back.unwrap_or(0),
        }),
        Event::Draining {
            sessions,
            flows,
            retiring,
        } => json!({
            "event": "draining", "sessions": sessions, "flows": flows,
            "retiring_ms": retiring.map(ms),
        }),
        _ => json!({ "event": "unknown" }),
    }
}

/// The word for a protocol in `--json`.
pub(crate) fn protocol_label(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    }
}

fn text(value: &impl ToString) -> String {
    value.to_string()
}

/// Whole milliseconds.
pub(crate) fn ms(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// Milliseconds since 1970, UTC.
#[allow(
    clippy::disallowed_methods,
    reason = "the one place that tells the time of day"
)]
pub(crate) fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, ms)
}

/// A duration as a person says it: `85 µs`, `3.2 s`, `2 min 5 s`.
pub(crate) fn span(span: Duration) -> String {
    let secs = span.as_secs();
    if span < Duration::from_millis(1) {
        format!("{} µs", span.as_micros())
    } else if span < Duration::from_secs(1) {
        format!("{:.1} ms", span.as_secs_f64() * 1e3)
    } else if secs < 60 {
        format!("{:.1} s", span.as_secs_f64())
    } else if secs < 3600 {
        format!("{} min {} s", secs / 60, secs % 60)
    } else {
        format!("{} h {} min", secs / 3600, secs / 60 % 60)
    }
}

/// An amount of data as a person says it: `12 B`, `3.4 kB`, `1.2 GB`.
pub(crate) fn size(bytes: u64) -> String {
    const STEPS: [(u64, &str); 3] = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1000, "kB")];
    for (unit, name) in STEPS {
        if bytes >= unit {
            #[allow(clippy::cast_precision_loss, reason = "one decimal is shown")]
            return format!("{:.1} {name}", bytes as f64 / unit as f64);
        }
    }
    format!("{bytes} B")
}
