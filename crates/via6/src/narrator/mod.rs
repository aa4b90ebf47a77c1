//! Turns events into lines: sentences on standard error, or `--json` objects on standard output.
//!
//! One opened and one ended line a session; the level is by blame, so that a player's reset is
//! news and a full game server is a warning. `docs/reference/events.md` is the schema.

mod amounts;
mod flows;
mod link;
mod object;
mod role;
mod sentence;
mod unreachable;

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use tokio::time::Instant;
use via6_relay::{Event, Observer};
use via6_sealed::LinkEvent;

pub(crate) use self::amounts::{ms, size, span, unix_ms};
use self::flows::FlowsTold;
pub(crate) use self::link::LinkKind;
use self::link::Tone;
use self::object::object;
pub(crate) use self::object::protocol_label;
pub(crate) use self::role::Role;
pub(crate) use self::sentence::live;
use self::sentence::{sentence, warning_text};
use crate::args::Shown;
use crate::failure::Failure;

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

    /// For what concerns all games of a host, and no single one: told where this is told.
    pub(crate) fn of_host(&self) -> Self {
        Self {
            name: None,
            labelled: false,
            flows: Arc::default(),
            ..self.clone()
        }
    }

    /// Whether both tell the same people.
    pub(crate) fn tells_where(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.sink, &other.sink)
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

    /// Whether it tells events, and no sentences.
    pub(crate) fn is_for_scripts(&self) -> bool {
        self.shown.get().json
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

    /// Tells of a link. `Some(n)`: n of its kind were held back before it; `None`: a repeat, for those who
    /// want every single one.
    pub(crate) fn link(&self, event: &LinkEvent<'_>, held_back: Option<u64>) {
        let shown = self.shown.get();
        if held_back.is_none() && shown.verbose < 2 {
            return;
        }
        if shown.json {
            return self.emit(link::object(event, self.role));
        }
        let more = match held_back {
            None | Some(0) => String::new(),
            Some(more) => format!(" (and {more} more)"),
        };
        match link::sentence(event, self.role) {
            Some((Tone::Warning, text)) => {
                self.sink
                    .log(format!("{}warning: {text}{more}", self.label()));
            }
            Some((Tone::News, text)) => self.tell(&format!("{text}{more}")),
            None => {}
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
