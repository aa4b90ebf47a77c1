//! An in-memory wire with FIN, RST and acknowledgements, of a chosen capacity down to one byte.
//!
//! [`line`] gives its two ends: a [`Leg`] for `splice`, and a [`Peer`] for the test to play the
//! game with.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex,
};
use tokio::time::timeout;
use via6_core::liveness::Vitals;
use via6_relay::Leg;

/// In paused time: longer than any pause of a test.
const PATIENCE: Duration = Duration::from_secs(7200);

#[derive(Default)]
struct State {
    peer_reset: AtomicBool,
    /// Who wants to know of that.
    watcher: Mutex<Option<Waker>>,
    /// The error went to a write; a later read says EOF, as on Linux.
    error_taken: AtomicBool,
    leg_resets: AtomicBool,
    /// FIN went out, from the leg and from the peer.
    leg_finished: AtomicBool,
    peer_finished: AtomicBool,
    written: AtomicUsize,
    acknowledged: AtomicUsize,
    /// Read from the peer so far.
    taken: AtomicUsize,
    /// The peer's system answers nothing any more.
    dead: AtomicBool,
    looks: AtomicU32,
}

/// The side that `splice` holds.
pub(crate) struct LineLeg {
    io: Mutex<DuplexStream>,
    state: Arc<State>,
}

/// The side that plays.
pub(crate) struct Peer {
    io: DuplexStream,
    state: Arc<State>,
}

/// A wire that holds `capacity` bytes each way.
pub(crate) fn line(capacity: usize) -> (LineLeg, Peer) {
    let (near, far) = duplex(capacity);
    let state = Arc::new(State::default());
    (
        LineLeg {
            io: Mutex::new(near),
            state: Arc::clone(&state),
        },
        Peer { io: far, state },
    )
}

impl LineLeg {
    /// What the peer would see if the leg were dropped now: an RST.
    pub(crate) fn resets(&self) -> bool {
        self.state.leg_resets.load(Ordering::SeqCst)
    }

    fn error(&self) -> io::Result<usize> {
        if self.state.error_taken.swap(true, Ordering::SeqCst) {
            Ok(0)
        } else {
            Err(io::ErrorKind::ConnectionReset.into())
        }
    }
}

impl Leg for LineLeg {
    fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut io = self.io.lock().unwrap();
        let mut into = ReadBuf::new(buffer);
        let polled = Pin::new(&mut *io).poll_read(cx, &mut into);
        let got = into.filled().len();
        self.state.taken.fetch_add(got, Ordering::SeqCst);
        match polled {
            Poll::Ready(Ok(())) if got > 0 => Poll::Ready(Ok(got)),
            _ if self.state.peer_reset.load(Ordering::SeqCst) => Poll::Ready(self.error()),
            polled => polled.map_ok(|()| 0),
        }
    }

    fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.state.peer_reset.load(Ordering::SeqCst) {
            self.state.error_taken.store(true, Ordering::SeqCst);
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let polled = Pin::new(&mut *self.io.lock().unwrap()).poll_write(cx, bytes);
        if let Poll::Ready(Ok(written)) = polled {
            self.state.written.fetch_add(written, Ordering::SeqCst);
        }
        polled
    }

    fn shutdown_write(&self) -> io::Result<()> {
        self.state.leg_finished.store(true, Ordering::SeqCst);
        let mut cx = Context::from_waker(Waker::noop());
        match Pin::new(&mut *self.io.lock().unwrap()).poll_shutdown(&mut cx) {
            Poll::Ready(result) => result,
            Poll::Pending => panic!("an in-memory shutdown is immediate"),
        }
    }

    fn poll_failed(&self, cx: &mut Context<'_>) -> Poll<()> {
        // Noted before it is asked, so that no reset slips through between.
        *self.state.watcher.lock().unwrap() = Some(cx.waker().clone());
        if self.state.peer_reset.load(Ordering::SeqCst) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    fn vitals(&self) -> Option<Vitals> {
        let is = |flag: &AtomicBool| flag.load(Ordering::SeqCst);
        self.state.looks.fetch_add(1, Ordering::SeqCst);
        let written = self.state.written.load(Ordering::SeqCst);
        let unsent = written - self.state.acknowledged.load(Ordering::SeqCst);
        let dead = self.state.dead.load(Ordering::SeqCst);
        Some(Vitals {
            unsent,
            // A live system has received what its program does not read: the window is closed.
            unacked: u32::from(dead && unsent > 0),
            since_ack: if dead {
                Duration::from_secs(3600)
            } else {
                Duration::ZERO
            },
            probes: 0,
            // As Linux says of TIME_WAIT: whatever still waits to be read.
            closed: is(&self.state.peer_reset)
                || (is(&self.state.leg_finished) && is(&self.state.peer_finished) && unsent == 0),
        })
    }

    fn reset_on_close(&self) {
        self.state.leg_resets.store(true, Ordering::SeqCst);
    }
}

impl Peer {
    /// The bare wire, for reading and writing at once; nothing is acknowledged.
    pub(crate) fn io(&mut self) -> &mut DuplexStream {
        &mut self.io
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.io.write_all(bytes).await.unwrap();
    }

    pub(crate) async fn finish(&mut self) {
        self.state.peer_finished.store(true, Ordering::SeqCst);
        self.io.shutdown().await.unwrap();
    }

    /// Reads `len` bytes, which acknowledges them.
    pub(crate) async fn receive(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        for byte in &mut bytes {
            *byte = self.io.read_u8().await.unwrap();
            self.state.acknowledged.fetch_add(1, Ordering::SeqCst);
        }
        bytes
    }

    /// Reads up to the FIN.
    pub(crate) async fn receive_all(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        let mut chunk = [0; 4096];
        loop {
            let reading = timeout(PATIENCE, self.io.read(&mut chunk));
            let got = reading.await.expect("bytes or a FIN").unwrap();
            if got == 0 {
                return all;
            }
            self.state.acknowledged.fetch_add(got, Ordering::SeqCst);
            all.extend_from_slice(&chunk[..got]);
        }
    }

    /// RST: what was sent before can still be read on the other side.
    pub(crate) fn reset(&self) {
        self.state.peer_reset.store(true, Ordering::SeqCst);
        if let Some(watcher) = self.state.watcher.lock().unwrap().take() {
            watcher.wake();
        }
    }

    /// From now on the peer's machine is gone.
    pub(crate) fn die(&self) {
        self.state.dead.store(true, Ordering::SeqCst);
    }

    /// How much of what was sent the relay has taken off the wire.
    pub(crate) fn taken(&self) -> usize {
        self.state.taken.load(Ordering::SeqCst)
    }

    /// How often the relay has asked the system about this peer.
    pub(crate) fn looks(&self) -> u32 {
        self.state.looks.load(Ordering::SeqCst)
    }
}
