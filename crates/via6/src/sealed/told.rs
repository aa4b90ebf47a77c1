//! Tells what happens to links, to whoever hosts or joins by them, with repeats held back.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;
use tokio::time::Instant;
use via6_core::invite::Invite;
use via6_core::throttle::Throttle;
use via6_relay::{Event, Observer};
use via6_sealed::{LinkEvent, LinkObserver, PublicKey};

use super::located::Located;
use crate::announce;
use crate::narrator::{LinkKind, Narrator};

/// Who is to be told: asked at each event, since games of one host come and go.
type Listeners = Box<dyn Fn() -> Vec<Arc<Narrator>> + Send + Sync>;

/// See the module's own words.
pub(crate) struct Told {
    listeners: Listeners,
    repeats: Mutex<Throttle<LinkKind>>,
    /// This side says goodbye to everybody, and says so itself.
    parting: AtomicBool,
    /// Where newcomers are noted, if anywhere.
    come: Option<mpsc::Sender<PublicKey>>,
}

impl Told {
    pub(crate) fn new(listeners: impl Fn() -> Vec<Arc<Narrator>> + Send + Sync + 'static) -> Self {
        Self {
            listeners: Box::new(listeners),
            repeats: Mutex::default(),
            parting: AtomicBool::new(false),
            come: None,
        }
    }

    /// The same, that notes whoever has come.
    pub(super) fn and_who_comes(self, come: mpsc::Sender<PublicKey>) -> Self {
        let come = Some(come);
        Self { come, ..self }
    }

    /// From now on nobody leaves of his own accord.
    pub(super) fn part(&self) {
        self.parting.store(true, Ordering::Relaxed);
    }

    /// This computer is elsewhere. With the invite that says so, and whether somebody needs it: the one before
    /// has lost an address.
    pub(super) fn moved(&self, located: &Located, invite: &Invite, is_needed: bool) {
        for narrator in (self.listeners)() {
            announce::moved_house(located, (invite, is_needed), &narrator);
        }
    }
}

impl LinkObserver for Told {
    fn observe(&self, event: &LinkEvent<'_>) {
        if let (LinkEvent::Attached { peer, .. }, Some(come)) = (event, &self.come) {
            // With so many at once, the others are noted a minute later.
            let _ = come.try_send(*peer);
        }
        let held_back = match LinkKind::of(event) {
            // What a stranger or a network can repeat for ever.
            Some(kind) => {
                let now = Instant::now().into_std();
                let mut repeats = self.repeats.lock().unwrap_or_else(PoisonError::into_inner);
                repeats.admit(kind, now)
            }
            None => Some(0),
        };
        let is_own =
            matches!(event, LinkEvent::Ended { .. }) && self.parting.load(Ordering::Relaxed);
        for narrator in (self.listeners)() {
            if !is_own || narrator.is_for_scripts() {
                narrator.link(event, held_back);
            }
        }
    }
}

/// Of the relay that accepts for TLS: nothing but trouble. Its connections are no sessions.
impl Observer for Told {
    fn observe(&self, event: &Event<'_>) {
        if let Event::Warning { .. } = event {
            for narrator in (self.listeners)() {
                narrator.observe(event);
            }
        }
    }
}
