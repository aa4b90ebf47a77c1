//! From a handshake that was won to a link that is carried: ADMIT, ATTACH and their answers.

use std::sync::Arc;

use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use via6_core::frame::{Admit, Closed, Features, Frame, Refusal, Standing, VERSION, fitting};
use via6_core::limits::{ADMIT_TIME, LINK_NAME_MAX};
use via6_core::link::LinkError;

use super::Inner;
use crate::cable::Cable;
use crate::event::Attempt;
use crate::proof::{invite_id, proof};
use crate::transport::{Broken, Transport};

/// A transport that has taken the link over.
pub(super) struct Attached {
    pub(super) transport: Transport,
    pub(super) generation: u64,
    pub(super) taken_over: CancellationToken,
}

/// Why there is no new transport.
pub(super) enum Missed {
    Unreachable(Vec<Attempt>),
    Refused(Refusal, String),
    /// Closed by the host before it was attached.
    Closed(Closed, String),
    /// Reached, and lost before it could be used; or what was there makes no sense.
    Broken(Broken),
    /// A newer one carries the link.
    Late,
}

impl From<Broken> for Missed {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

/// An answer of the host, as it is kept until it is acted on.
enum Answer {
    Admitted {
        hold_ms: u32,
        name: String,
    },
    Attached {
        generation: u64,
        since: u64,
        standings: Vec<Standing>,
    },
    Refused(Refusal, String),
    Closed(Closed, String),
    Nonsense,
}

impl Inner {
    /// Reaches the host and has a transport take the link over. Cancel safe: the link is then carried as it
    /// was before.
    pub(super) async fn reach(self: Arc<Self>, cable: Arc<Cable>) -> Result<Attached, Missed> {
        let is_urgent = cable.look(|link| link.channels().next().is_some());
        let raced = self.race(is_urgent.unwrap_or(false)).await;
        let transport = raced.map_err(Missed::Unreachable)?;
        let taken = timeout(ADMIT_TIME, self.take_over(transport, &cable)).await;
        taken.unwrap_or_else(|_| Err(Broken::Lost(std::io::ErrorKind::TimedOut.into()).into()))
    }

    async fn take_over(
        &self,
        mut transport: Transport,
        cable: &Arc<Cable>,
    ) -> Result<Attached, Missed> {
        let asked = self.ask(&mut transport, cable).await;
        if let Err(Missed::Broken(broken)) = &asked
            && broken.is_violation()
        {
            let (code, message) = (Closed::Protocol, &*broken.to_string());
            transport.say_last(&Frame::Close { code, message }).await;
        }
        // No wait from the answer to the token: the newest transport is the one that carries.
        Ok(Attached {
            generation: asked?,
            transport,
            taken_over: cable.take_over(),
        })
    }

    /// ADMIT and ATTACH, and what comes of them: the link is carried as this generation.
    async fn ask(&self, transport: &mut Transport, cable: &Arc<Cable>) -> Result<u64, Missed> {
        let asked = cable.look(via6_core::link::Link::attach);
        let (generation, attach) = asked.ok_or(Missed::Late)?;
        let mut bytes = Vec::new();
        let secret = self.invite.secret();
        let admit = Frame::Admit(Admit {
            version_min: VERSION,
            version_max: VERSION,
            features: Features::default(),
            invite: invite_id(&secret),
            proof: proof(
                &secret,
                &transport.exporter,
                transport.peer,
                self.identity.public(),
            ),
            name: fitting(&self.name, LINK_NAME_MAX),
        });
        admit.write(&mut bytes).map_err(Broken::from)?;
        attach.write(&mut bytes).map_err(Broken::from)?;
        transport.outlet.write(&bytes).await.map_err(Broken::from)?;
        let Answer::Admitted { hold_ms, name } = answer(transport).await? else {
            return Err(Broken::from(LinkError::Unexpected).into());
        };
        let Answer::Attached {
            generation: answered,
            since,
            standings,
        } = answer(transport).await?
        else {
            return Err(Broken::from(LinkError::Unexpected).into());
        };
        if answered != generation {
            return Err(Broken::from(LinkError::Unexpected).into());
        }
        let hold = std::time::Duration::from_millis(hold_ms.into());
        let now = Instant::now().into_std();
        let took = cable.with(|link| {
            link.set_hold(hold);
            let took = link.on_attached(answered, since, &standings, now);
            if took.is_err() {
                link.end(Closed::Protocol, now);
            }
            took
        });
        if !took.ok_or(Missed::Late)?.map_err(Broken::from)? {
            return Err(Missed::Late);
        }
        let mut state = self.now();
        state.called = Some(name);
        state.host = Some(transport.peer);
        Ok(generation)
    }
}

/// The next answer that is one.
async fn answer(transport: &mut Transport) -> Result<Answer, Missed> {
    let answer = transport.inlet.one(|frame| {
        Some(match frame {
            Frame::Admitted(admitted) if admitted.version == VERSION => Answer::Admitted {
                hold_ms: admitted.hold_ms,
                name: admitted.name.to_owned(),
            },
            Frame::Attached {
                generation,
                since,
                standings,
            } => Answer::Attached {
                generation,
                since,
                standings,
            },
            Frame::Refused { code, message } => Answer::Refused(code, message.to_owned()),
            Frame::Close { code, message } => Answer::Closed(code, message.to_owned()),
            _ => Answer::Nonsense,
        })
    });
    match answer.await? {
        Answer::Refused(code, message) => Err(Missed::Refused(code, message)),
        Answer::Closed(code, message) => Err(Missed::Closed(code, message)),
        answer => Ok(answer),
    }
}
