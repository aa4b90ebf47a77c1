//! A channel of a link as one side of a [`splice`](via6_relay::splice): the session's place at the link.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::sync::Notify;
use tokio::time::Instant;
use via6_core::channel::End;
use via6_core::frame::{ChannelId, Reset};
use via6_core::link::Link;
use via6_core::liveness::Vitals;
use via6_relay::Leg;

use crate::cable::{Cable, For};

/// A session's end of a channel. When it goes, the channel ends: as it had ended, or by a reset.
pub(crate) struct Port {
    cable: Arc<Cable>,
    channel: ChannelId,
    /// Something came: the other side has the channel.
    is_heard: AtomicBool,
    has_come: Notify,
}

impl Port {
    pub(crate) fn new(cable: &Arc<Cable>, channel: ChannelId) -> Self {
        Self {
            cable: Arc::clone(cable),
            channel,
            is_heard: AtomicBool::new(false),
            has_come: Notify::new(),
        }
    }

    /// Returns when the other side has sent something. Cancel safe.
    pub(crate) async fn heard(&self) {
        let has_come = self.has_come.notified();
        if !self.is_heard.load(Ordering::Relaxed) {
            has_come.await;
        }
    }

    /// Returns when the session is broken. Cancel safe.
    pub(crate) async fn failed(&self) {
        std::future::poll_fn(|cx| self.poll_failed(cx)).await;
    }

    /// The session is over on this side for this reason, unless both sides had finished.
    pub(crate) fn abort(&self, code: Reset) {
        self.cable.with(|link| link.abort(self.channel, code));
    }

    /// How the other side ended the session.
    pub(crate) fn reset(&self) -> Option<Reset> {
        let end = self.cable.look(|link| link.end_of(self.channel)).flatten();
        match end {
            Some(End::Reset(code)) => Some(code),
            _ => None,
        }
    }

    /// Whether the whole link is over.
    pub(crate) fn is_cut_off(&self) -> bool {
        let ended = self.cable.look(|link| link.ended().is_some());
        ended.unwrap_or(true)
    }

    /// Copies what came for the game.
    fn read(&self, link: &mut Link, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut count = 0;
        let mut rest = buffer;
        for piece in link.readable(self.channel) {
            let fits = piece.len().min(rest.len());
            let (now, later) = rest.split_at_mut(fits);
            now.copy_from_slice(piece.get(..fits).unwrap_or_default());
            count += fits;
            rest = later;
        }
        if count > 0 {
            link.taken(self.channel, count, Instant::now().into_std());
            return Poll::Ready(Ok(count));
        }
        match link.end_of(self.channel) {
            Some(End::Fin) => Poll::Ready(Ok(0)),
            Some(End::Reset(_)) => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            None => Poll::Pending,
        }
    }
}

impl Leg for Port {
    fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let ask = |link: &mut Link| self.read(link, buffer);
        let polled = self.cable.wait(self.channel, For::Bytes, cx, ask);
        if polled.is_ready() && !self.is_heard.swap(true, Ordering::Relaxed) {
            self.has_come.notify_waiters();
        }
        polled
    }

    fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let ask = |link: &mut Link| match link.take(self.channel, bytes) {
            0 if link.is_broken(self.channel) => {
                Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
            }
            0 => Poll::Pending,
            count => Poll::Ready(Ok(count)),
        };
        self.cable.wait(self.channel, For::Room, cx, ask)
    }

    fn shutdown_write(&self) -> io::Result<()> {
        self.cable.with(|link| link.finish(self.channel));
        Ok(())
    }

    fn poll_failed(&self, cx: &mut Context<'_>) -> Poll<()> {
        let ask = |link: &mut Link| {
            if link.is_broken(self.channel) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        };
        self.cable.wait(self.channel, For::Failure, cx, ask)
    }

    /// What the other via6 has not acknowledged. Whether that is there at all is the link's business.
    fn vitals(&self) -> Option<Vitals> {
        let ask = |link: &mut Link| (link.kept(self.channel), link.is_broken(self.channel));
        let (unsent, closed) = self.cable.look(ask).unwrap_or((0, true));
        Some(Vitals {
            unsent,
            closed,
            ..Vitals::default()
        })
    }

    /// Who ends the session says why, by [`abort`](Self::abort).
    fn reset_on_close(&self) {}
}

impl Drop for Port {
    fn drop(&mut self) {
        let now = Instant::now().into_std();
        self.cable.with(|link| link.release(self.channel, now));
        self.cable.leave(self.channel);
    }
}
