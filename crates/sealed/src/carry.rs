//! A transport carries a link: what comes goes to the link, and what the link has to send goes out, until
//! the transport is lost, another takes over, or the link is closed.
//!
//! Over TLS one task reads. Over QUIC each stream has a task that reads; all of them end with the
//! connection. One task writes, whatever the transport, in the order that the link decides.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use quinn::{Connection, RecvStream, SendStream, VarInt};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use via6_core::frame::{ChannelId, Closed, Frame, fitting};
use via6_core::limits::{
    LAST_WORDS, LINK_MESSAGE_MAX, STANDING_DELAY, TURN_ROOM, TURN_ROOM_MIN, TURN_SLOW, TURN_SMALL,
    TURNS_SLOW,
};
use via6_core::link::{Carrier, LinkError};

use crate::cable::{Cable, Next};
use crate::transport::{Broken, Inlet, Outlet, Transport};

/// How a transport ended.
#[derive(Debug)]
pub(crate) enum Over {
    /// It was lost, or the other side broke the protocol on it.
    Broken(Broken),
    /// Another carries the link, or none any more.
    Superseded,
    /// The link was closed from this side, with these words.
    Closed(Closed, String),
}

/// Carries the link of `cable` as its `generation`, until that is over. Not cancel safe: the transport is
/// lost then.
pub(crate) async fn carry(
    cable: &Arc<Cable>,
    generation: u64,
    transport: Transport,
    taken_over: CancellationToken,
) -> Over {
    let Transport {
        mut inlet,
        outlet,
        connection,
        ..
    } = transport;
    let streams = connection
        .clone()
        .map(|connection| Streams::new(cable, generation, connection));
    let mut writer = Writer {
        cable: Arc::clone(cable),
        generation,
        outlet,
        streams: streams.clone(),
    };
    let over = {
        let control = inlet.each(|frame| match frame {
            // Bound to a stream of their own where there are several.
            Frame::Open { .. }
            | Frame::Data { .. }
            | Frame::Ack(_)
            | Frame::Fin { .. }
            | Frame::Rst { .. }
                if connection.is_some() =>
            {
                Err(LinkError::Unexpected.into())
            }
            frame => Ok(cable.on_frame(generation, frame)?),
        });
        let channels = async {
            match &streams {
                Some(streams) => streams.broken().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // That the link has ended is seen by all; why is to be said.
            biased;
            (code, message) = cable.closing() => Over::Closed(code, message),
            () = taken_over.cancelled() => Over::Superseded,
            broken = control => Over::Broken(broken),
            broken = channels => Over::Broken(broken),
            over = writer.run() => over,
        }
    };
    let words = match &over {
        Over::Broken(broken) if broken.is_violation() => {
            let now = Instant::now().into_std();
            cable.with(|link| link.end(Closed::Protocol, now));
            Some((Closed::Protocol, broken.to_string()))
        }
        Over::Broken(_) => None,
        Over::Superseded => Some((superseded(cable), String::new())),
        Over::Closed(code, message) => Some((*code, message.clone())),
    };
    if let Some((code, message)) = words {
        writer.last_words(code, &message).await;
        // Whoever does not end its side in this time may miss them.
        let _ = timeout(LAST_WORDS, inlet.drain()).await;
    }
    if let Some(connection) = connection {
        connection.close(VarInt::from_u32(0), b"");
    }
    over
}

/// Why a transport that is not lost carries nothing any more.
fn superseded(cable: &Cable) -> Closed {
    match cable.look(|link| link.ended()) {
        Some(Some(Closed::Hold)) => Closed::Hold,
        _ => Closed::Superseded,
    }
}

/// How much goes out in one piece over TLS: less where the line is slow.
struct Pace {
    piece: usize,
    /// Pieces in a row that were slow. One alone tells of a reader that was busy.
    slow: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            piece: TURN_ROOM,
            slow: 0,
        }
    }
}

impl Pace {
    fn took(&mut self, time: Duration) {
        if time < TURN_SLOW {
            self.slow = 0;
            if time < TURN_SLOW / 4 {
                self.piece = (self.piece * 2).min(TURN_ROOM);
            }
            return;
        }
        self.slow += 1;
        if self.slow >= TURNS_SLOW {
            self.slow = 0;
            self.piece = (self.piece / 2).max(TURN_ROOM_MIN);
        }
    }
}

/// What goes out.
struct Writer {
    cable: Arc<Cable>,
    generation: u64,
    outlet: Outlet,
    streams: Option<Arc<Streams>>,
}

impl Writer {
    async fn run(&mut self) -> Over {
        match self.write_all().await {
            Ok(()) => Over::Superseded,
            Err(error) => Over::Broken(Broken::Lost(error)),
        }
    }

    /// Ends without an error when this transport carries nothing any more.
    async fn write_all(&mut self) -> io::Result<()> {
        let mut out = Vec::with_capacity(TURN_ROOM);
        let mut pace = Pace::default();
        let mut timer = std::pin::pin!(sleep_until(Instant::now()));
        // Something has been going on since the timer last fired.
        let mut is_lively = false;
        loop {
            let room = pace.piece.saturating_sub(out.len());
            match (
                self.cable.next(self.generation, room, &mut out),
                &self.streams,
            ) {
                (Next::Send(Carrier::Channel(id)), Some(streams)) => {
                    streams.write(id, &out).await?;
                    out.clear();
                }
                // One stream for all: several turns go out in one piece.
                (Next::Send(_), None) if out.len() + TURN_SMALL < pace.piece => {}
                (Next::Send(_), _) => self.write(&mut out, &mut pace).await?,
                (Next::Wait(_), _) if !out.is_empty() => {
                    self.write(&mut out, &mut pace).await?;
                }
                (Next::Wait(until), _) => {
                    // While things go on, a look at each standing's delay saves setting the timer, and being
                    // woken to set it, with every message.
                    let look = is_lively.then(|| Instant::now() + STANDING_DELAY);
                    let until = until.into_iter().chain(look).min();
                    if let Some(until) = until
                        && (timer.is_elapsed() || until < timer.deadline())
                    {
                        timer.as_mut().reset(until);
                    }
                    self.cable.sleeps_until(timer.deadline());
                    tokio::select! {
                        () = self.cable.has_more() => is_lively = true,
                        () = timer.as_mut(), if until.is_some() => is_lively = false,
                    }
                }
                (Next::Over, _) => return Ok(()),
            }
        }
    }

    /// Writes a piece.
    async fn write(&mut self, out: &mut Vec<u8>, pace: &mut Pace) -> io::Result<()> {
        let began = Instant::now();
        self.outlet.write(out).await?;
        out.clear();
        pace.took(began.elapsed());
        Ok(())
    }

    /// Says why it ends, as far as that gets out in time.
    async fn last_words(&mut self, code: Closed, message: &str) {
        let message = fitting(message, LINK_MESSAGE_MAX);
        let outlet = &mut self.outlet;
        // A transport that is lost takes no last words; the other side finds out by silence.
        let _ = timeout(LAST_WORDS, async {
            let said = outlet.send(&Frame::Close { code, message }).await;
            if said.is_ok() {
                outlet.finish().await;
            }
        })
        .await;
    }
}

/// The QUIC streams of the channels of one connection.
struct Streams {
    cable: Arc<Cable>,
    generation: u64,
    connection: Connection,
    sending: Mutex<HashMap<ChannelId, Sending>>,
    readers: TaskTracker,
    failed: Mutex<Option<Broken>>,
    has_failed: Notify,
}

/// A stream for a channel, while nobody writes to it.
struct Sending {
    stream: SendStream,
    /// It has more to send than a game message.
    is_bulk: bool,
}

impl Streams {
    fn new(cable: &Arc<Cable>, generation: u64, connection: Connection) -> Arc<Self> {
        let streams = Arc::new(Self {
            cable: Arc::clone(cable),
            generation,
            connection,
            sending: Mutex::default(),
            readers: TaskTracker::new(),
            failed: Mutex::default(),
            has_failed: Notify::new(),
        });
        // A joiner's host opens none: QUIC itself would refuse them.
        let accepting = Arc::clone(&streams);
        streams
            .readers
            .spawn(async move { accepting.accept().await });
        streams
    }

    /// Takes the streams that the joiner opens, until the connection ends.
    async fn accept(self: Arc<Self>) {
        while let Ok((send, receive)) = self.connection.accept_bi().await {
            self.read(Some(send), receive, None);
        }
    }

    /// Reads a stream in a task of its own. `channel`: which it is, if that is known already.
    fn read(
        self: &Arc<Self>,
        mut send: Option<SendStream>,
        receive: RecvStream,
        mut channel: Option<ChannelId>,
    ) {
        let this = Arc::clone(self);
        self.readers.spawn(async move {
            let broken = Inlet::quic(receive)
                .each(|frame| {
                    let id = belongs(&frame, &mut channel)?;
                    if let Some(stream) = send.take() {
                        this.put(
                            id,
                            Sending {
                                stream,
                                is_bulk: false,
                            },
                        );
                    }
                    this.cable.on_frame(this.generation, frame)?;
                    this.finish_forgotten(id);
                    Ok(())
                })
                .await;
            // The end of a stream is none of the link, nor is one that a lost connection took along.
            if broken.is_violation() {
                *this.failed() = Some(broken);
                this.has_failed.notify_one();
            }
        });
    }

    /// Writes one turn of a channel; the first on this connection opens its stream.
    async fn write(self: &Arc<Self>, id: ChannelId, frames: &[u8]) -> io::Result<()> {
        let known = self.sending().remove(&id);
        let mut sending = match known {
            Some(sending) => sending,
            // The joiner opens all streams. That of a channel which still has something to say is there.
            None if self.connection.side().is_server() => return Ok(()),
            None => {
                let (stream, receive) = self.connection.open_bi().await?;
                self.read(None, receive, Some(id));
                Sending {
                    stream,
                    is_bulk: false,
                }
            }
        };
        // QUIC sends streams in this order as well; a lot may wait in it.
        let is_bulk = frames.len() > 2 * TURN_SMALL;
        if is_bulk != sending.is_bulk {
            sending.is_bulk = is_bulk;
            // Fails only for a stream that is gone, which the next call says.
            let _ = sending.stream.set_priority(if is_bulk { -1 } else { 0 });
        }
        sending.stream.write_all(frames).await?;
        self.put(id, sending);
        self.finish_forgotten(id);
        Ok(())
    }

    fn put(&self, id: ChannelId, sending: Sending) {
        self.sending().insert(id, sending);
    }

    /// A stream ends when its channel is forgotten.
    fn finish_forgotten(&self, id: ChannelId) {
        let is_forgotten = self
            .cable
            .look(|link| link.is_forgotten(id) && !link.has_answer(id));
        if is_forgotten.unwrap_or(true)
            && let Some(mut sending) = self.sending().remove(&id)
        {
            // Fails only for a stream that is gone.
            let _ = sending.stream.finish();
        }
    }

    /// The first violation on any stream. Cancel safe.
    async fn broken(&self) -> Broken {
        loop {
            if let Some(broken) = self.failed().take() {
                return broken;
            }
            self.has_failed.notified().await;
        }
    }

    fn failed(&self) -> MutexGuard<'_, Option<Broken>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sending(&self) -> MutexGuard<'_, HashMap<ChannelId, Sending>> {
        self.sending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which channel the stream is for: the first frame says it, and no other may come after.
fn belongs(frame: &Frame<'_>, channel: &mut Option<ChannelId>) -> Result<ChannelId, Broken> {
    let (named, may_begin) = match frame {
        Frame::Open { channel, .. } => (*channel, true),
        Frame::Ack(standing) => (standing.channel, true),
        Frame::Data { channel, .. } | Frame::Fin { channel, .. } | Frame::Rst { channel, .. } => {
            (*channel, false)
        }
        _ => return Err(LinkError::Unexpected.into()),
    };
    match channel {
        None if may_begin => Ok(*channel.insert(named)),
        Some(known) if *known == named => Ok(named),
        _ => Err(LinkError::Unexpected.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_small_on_a_line_that_is_slow_for_good_and_only_there() {
        let mut pace = Pace::default();
        for _ in 0..100 {
            // A reader that is busy now and then.
            (1..TURNS_SLOW).for_each(|_| pace.took(TURN_SLOW));
            pace.took(Duration::ZERO);
            assert_eq!(pace.piece, TURN_ROOM);
        }
        (0..100).for_each(|_| pace.took(TURN_SLOW));
        assert_eq!(pace.piece, TURN_ROOM_MIN);
        (0..10).for_each(|_| pace.took(Duration::ZERO));
        assert_eq!(pace.piece, TURN_ROOM);
    }
}
