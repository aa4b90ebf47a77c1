//! The upstream's name, looked up once for all flows that open meanwhile: who forges players'
//! addresses must not be able to keep the resolver busy.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use tokio_util::task::AbortOnDropHandle;
use via6_core::flow::FlowId;
use via6_core::limits::FLOW_NAME_FRESH;

use super::{Flows, Lent};
use crate::dial::{DialError, resolve};

/// What is known of the name.
#[derive(Debug, Default)]
pub(super) struct Name {
    /// The last answer, and when it came; `None` in it: there was none.
    answer: Option<(Instant, Option<Vec<SocketAddr>>)>,
    /// The runtime is asking.
    asking: Option<AbortOnDropHandle<()>>,
}

/// What the runtime has found out.
pub(crate) type Answer = Result<Vec<SocketAddr>, DialError>;

impl Flows {
    /// Dials with the last answer, if that is fresh, or else has the runtime ask.
    pub(super) fn wait_for_name(&mut self, id: FlowId, lent: &mut Lent<'_>) {
        if let Some((at, answer)) = &self.name.answer
            && lent.now.duration_since(*at) < FLOW_NAME_FRESH
        {
            match answer.clone() {
                Some(peers) => self.dial(id, &peers, lent),
                None => self.dial_failed(id, &self.unknown_a_moment_ago(), lent),
            }
            return;
        }
        if self.name.asking.is_none() {
            let (terms, inbox, key) = (Arc::clone(&self.terms), Arc::clone(lent.inbox), lent.key);
            let runtime = terms.shared.runtime.clone();
            let ask = async move { inbox.looked_up(key, resolve(&terms.settings.upstream).await) };
            self.name.asking = Some(AbortOnDropHandle::new(runtime.spawn(ask)));
        }
    }

    /// The runtime has asked: whoever waited can go on.
    pub(crate) fn looked_up(&mut self, answer: Answer, lent: &mut Lent<'_>) {
        self.name.asking = None;
        let (found, mut failure) = match answer {
            Ok(found) => (Some(found), None),
            Err(failure) => (None, Some(failure)),
        };
        self.name.answer = Some((lent.now, found.clone()));
        for id in self.waiting() {
            if let Some(peers) = &found {
                self.dial(id, peers, lent);
            } else {
                // The first one tells what the resolver said.
                let failure = failure
                    .take()
                    .unwrap_or_else(|| self.unknown_a_moment_ago());
                self.dial_failed(id, &failure, lent);
            }
        }
    }

    fn unknown_a_moment_ago(&self) -> DialError {
        DialError::PeerUnknown {
            name: self.terms.settings.upstream.host.to_string(),
            source: io::Error::other("a moment ago it had none"),
        }
    }
}
