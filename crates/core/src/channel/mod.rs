//! A channel: one TCP session of the game, as two byte streams that survive the loss of what carries them.
//!
//! Offsets are absolute. What was sent is kept until the other side says that it has it, so after any
//! loss both go on from what both know; what comes twice is recognised by its offset. A sender never goes
//! beyond the limit that the receiver gave, and stops taking from the game when it keeps too much.
//!
//! ```text
//!   game ── take ─▶ Outbound ── DATA, FIN, RST ──▶ Inbound ── readable, taken ─▶ game
//!                      ▲                              │
//!                      └────── standing: received, limit, ends ─┘
//!
//!   a direction, at its sender:    open ── finish ──▶ FIN ──┐ the other has it
//!                                    └──── reset ───▶ RST ──┴──▶ settled
//!   a side:   both settled ─▶ done (and says so) ── the other is done ─▶ forgotten
//! ```
//!
//! Each end is so remembered by one side until the other has it. RST comes after the bytes that the
//! game's system had accepted, and settles the opposite direction too: nobody is left to take it, and the
//! one whose game broke says so at once (*deaf*), so that a download to nobody stops.
//!
//! Not here: which transport carries it, which channel has its turn, sockets.

mod inbound;
mod outbound;

use std::time::{Duration, Instant};

use crate::frame::{ChannelId, Reset, Standing};
use crate::limits;

use inbound::Inbound;
use outbound::Outbound;

/// The bounds of a channel; by default those of [`limits`]. Both sides of a link have the same
/// [`window_first`](Self::window_first).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct ChannelLimits {
    /// Bytes kept until they are acknowledged.
    pub kept_max: usize,
    /// Bytes that may come before a limit was given.
    pub window_first: usize,
    /// Bytes that may come ahead of what the game takes.
    pub window_max: usize,
    /// A window grows if half of it is used within this time.
    pub grows_within: Duration,
    /// Bytes that came after which a standing is due at once.
    pub standing_bytes: usize,
    /// How long a standing waits otherwise.
    pub standing_delay: Duration,
}

impl Default for ChannelLimits {
    fn default() -> Self {
        Self {
            kept_max: limits::CHANNEL_KEPT_MAX,
            window_first: limits::CHANNEL_WINDOW_FIRST,
            window_max: limits::CHANNEL_WINDOW_MAX,
            grows_within: limits::WINDOW_GROWS_WITHIN,
            standing_bytes: limits::STANDING_BYTES,
            standing_delay: limits::STANDING_DELAY,
        }
    }
}

/// How a direction ends.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum End {
    /// The other side of the game has nothing more to say, and still listens.
    Fin,
    /// The session broke.
    Reset(Reset),
}

/// What the other side must not do. All but a gap ends the link.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Violation {
    /// Something before it is missing. On a stream that cannot be; in the fast lane it is nothing to
    /// worry about. The channel is as it was.
    #[error("bytes before it are missing")]
    Gap,
    /// More than the limit allows.
    #[error("bytes above the limit")]
    Limit,
    /// Bytes after an end, or an end before bytes that came.
    #[error("bytes and ends contradict each other")]
    End,
    /// It says to have what was never sent.
    #[error("an acknowledgement of what was not sent")]
    Acknowledgement,
}

/// One side of one channel.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Channel {
    id: ChannelId,
    limits: ChannelLimits,
    outbound: Outbound,
    inbound: Inbound,
    peer_done: bool,
    /// As it was last sent on this transport; `None`: not yet.
    told: Option<Standing>,
    /// When the standing has to go, if nothing takes it along before.
    tell_at: Option<Instant>,
}

impl Channel {
    /// Before anything was sent or came.
    #[must_use]
    pub fn new(id: ChannelId, limits: ChannelLimits) -> Self {
        let mut channel = Self {
            id,
            limits,
            outbound: Outbound::new(limits.window_first as u64),
            inbound: Inbound::new(limits.window_first),
            peer_done: false,
            told: None,
            tell_at: None,
        };
        // What a new channel has, the other side knows.
        channel.told = Some(channel.standing());
        channel
    }

    // The game's side.

    /// How many bytes of the game it would take now. 0: do not read the game's socket.
    #[must_use]
    pub fn can_take(&self) -> usize {
        self.outbound.room(self.limits.kept_max)
    }

    /// Takes bytes of the game, at most [`can_take`](Self::can_take); how many.
    pub fn take(&mut self, bytes: &[u8]) -> usize {
        self.outbound.take(bytes, self.limits.kept_max)
    }

    /// The game has ended its direction.
    pub fn finish(&mut self) {
        self.outbound.end(End::Fin);
    }

    /// The game's connection broke, and all it had sent was taken.
    pub fn reset(&mut self, code: Reset) {
        if !self.is_done() {
            // A refusal would say that there is nothing to acknowledge.
            let code = if code.is_refusal() {
                Reset::Stopped
            } else {
                code
            };
            self.outbound.end(End::Reset(code));
            self.inbound.discard();
        }
    }

    /// The game's socket is gone. If it had not come to its end in both directions, that is a reset.
    pub fn release(&mut self) {
        let is_over = self.outbound.has_ended() && self.inbound.was_ended();
        if !is_over {
            self.reset(Reset::Stopped);
        }
    }

    /// The same as [`reset`](Self::reset), for when the other side no longer takes anything: what was
    /// never sent is given up.
    pub fn abort(&mut self, code: Reset) {
        self.reset(code);
        self.outbound.give_up_unsent();
    }

    /// The other side no longer knows the channel, or is gone: for the game that is a reset.
    pub fn lose(&mut self, code: Reset) {
        if !self.is_done() {
            self.inbound.lose(code);
            self.outbound.abandon();
        }
        self.forget();
    }

    /// Bytes for the game, in order, in the two pieces that a ring has.
    #[must_use]
    pub fn readable(&self) -> [&[u8]; 2] {
        self.inbound.readable()
    }

    /// The game took `count` of them. The window may grow by `may_grow`; by how much it did.
    pub fn taken(&mut self, count: usize, may_grow: usize, now: Instant) -> usize {
        self.inbound.taken(count);
        self.inbound.extend(&self.limits, may_grow, now)
    }

    /// How the direction to the game ended, once everything before it was taken.
    #[must_use]
    pub fn end(&self) -> Option<End> {
        self.inbound.end()
    }

    /// It came to a reset, on whichever side.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.inbound.was_reset() || self.outbound.is_abandoned()
    }

    // The other side.

    /// Bytes came. Returns how many of them are new.
    pub fn on_data(&mut self, offset: u64, bytes: &[u8], now: Instant) -> Result<usize, Violation> {
        let new = self.inbound.on_data(offset, bytes)?;
        if new > 0 && self.tell_at.is_none() {
            self.tell_at = now.checked_add(self.limits.standing_delay);
        }
        Ok(new)
    }

    /// FIN came.
    pub fn on_fin(&mut self, offset: u64) -> Result<(), Violation> {
        self.inbound.on_fin(offset)
    }

    /// RST came.
    pub fn on_rst(&mut self, offset: u64, code: Reset) -> Result<(), Violation> {
        if code.is_refusal() {
            self.lose(code);
            return Ok(());
        }
        self.inbound.on_rst(offset, code)?;
        self.outbound.abandon();
        Ok(())
    }

    /// The other side says what it has. Nothing that it says goes back.
    pub fn on_standing(&mut self, standing: &Standing) -> Result<(), Violation> {
        // Of a side that is done, deaf says that the other has forgotten the channel, and nothing of a game.
        let was_done = self.is_done();
        self.outbound.on_standing(standing)?;
        if standing.deaf && !was_done {
            self.outbound.abandon();
        }
        self.peer_done |= standing.done;
        Ok(())
    }

    /// What this side has.
    #[must_use]
    pub fn standing(&self) -> Standing {
        Standing {
            channel: self.id,
            done: self.is_done(),
            ..self.inbound.standing(self.id)
        }
    }

    // The transport.

    /// A new transport carries it: everything that is not acknowledged goes again.
    pub fn attach(&mut self) {
        self.outbound.rewind();
        self.told = None;
    }

    /// Is there anything to send now?
    #[must_use]
    pub fn has_something(&self, now: Instant) -> bool {
        self.must_tell(now) || self.outbound.has_something()
    }

    /// Bytes that may be sent now.
    #[must_use]
    pub fn sendable(&self) -> usize {
        self.outbound.sendable()
    }

    /// When a standing is due that nothing took along.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.tell_at
    }

    /// Appends the next frame, a standing in front of it where there is news, with at most `max` bytes of
    /// the game. False if there is nothing to send.
    pub fn transmit(&mut self, max: usize, now: Instant, out: &mut Vec<u8>) -> bool {
        let before = out.len();
        let tells = self.must_tell(now) || (self.outbound.has_something() && self.has_news());
        if tells {
            self.tell(out);
        }
        self.outbound.transmit(self.id, max, out);
        out.len() > before
    }

    fn tell(&mut self, out: &mut Vec<u8>) {
        let standing = self.standing();
        // Writing a standing cannot fail: all its fields have their width.
        if crate::frame::Frame::Ack(standing).write(out).is_ok() {
            self.told = Some(standing);
            self.tell_at = None;
        }
    }

    fn has_news(&self) -> bool {
        self.told != Some(self.standing())
    }

    /// An end that has come is yet to be told of. If nothing takes that along, it goes when a standing
    /// would, or when [`hurry`](Self::hurry) says so. False: nothing new.
    pub fn note_ends(&mut self, now: Instant) -> bool {
        let is_new = self.tell_at.is_none() && self.has_untold_end();
        if is_new {
            self.tell_at = now.checked_add(self.limits.standing_delay);
        }
        is_new
    }

    /// Tells of an end now that would wait. False: there is none.
    pub fn hurry(&mut self, now: Instant) -> bool {
        let waits = self.has_untold_end();
        if waits {
            self.tell_at = Some(now);
        }
        waits
    }

    fn has_untold_end(&self) -> bool {
        let standing = self.standing();
        let ends = |s: &Standing| (s.fin, s.done);
        self.told.is_some_and(|told| ends(&told) != ends(&standing))
    }

    /// What the other side waits for, a lot of bytes, half of the window, or simply its time. Nobody waits
    /// for the word that FIN has come, or that all is done.
    fn must_tell(&self, now: Instant) -> bool {
        let Some(told) = self.told else {
            return true;
        };
        let standing = self.standing();
        let ends = |s: &Standing| (s.reset, s.deaf);
        ends(&told) != ends(&standing)
            || standing.received - told.received >= self.limits.standing_bytes as u64
            || standing.limit - told.limit >= (self.inbound.window() as u64).div_ceil(2)
            || self.tell_at.is_some_and(|at| at <= now)
    }

    // The end of it.

    /// Both directions are settled.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.outbound.is_settled() && self.inbound.is_settled()
    }

    /// Both sides are done, and the other was told so: nothing more is said about this channel. The
    /// game may still have bytes to take.
    #[must_use]
    pub fn is_forgotten(&self) -> bool {
        self.is_done() && self.peer_done && self.told.is_some_and(|told| told.done)
    }

    /// The other side was never told, and does not know the channel either.
    pub fn forget(&mut self) {
        self.peer_done = true;
        self.told = Some(self.standing());
    }

    /// Bytes that wait for the other side.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.outbound.kept()
    }

    /// Bytes that the other side may send ahead of the game.
    #[must_use]
    pub fn window(&self) -> usize {
        self.inbound.window()
    }

    /// Bytes of memory besides itself. For tests.
    #[doc(hidden)]
    #[must_use]
    pub fn allocated(&self) -> usize {
        self.outbound.allocated() + self.inbound.allocated()
    }

    /// Checks what must always hold. For tests.
    #[doc(hidden)]
    pub fn check_invariants(&self) -> Result<(), &'static str> {
        self.outbound.check_invariants(&self.limits)?;
        self.inbound.check_invariants(&self.limits)
    }
}
