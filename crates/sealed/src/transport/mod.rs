//! A transport: one QUIC or TLS connection, both of whose ends have proven their keys, and the frames on
//! its control stream. Over TLS that is the only stream there is.

mod fallback;
mod quic;
mod tcp;

use std::fmt;
use std::io;
use std::net::SocketAddr;

use quinn::{Connection, RecvStream, SendStream};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::time::timeout;
use via6_core::frame::{Decoder, Frame, FrameError};
use via6_core::limits::{LAST_WORDS, TURN_ROOM};
use via6_core::link::LinkError;

pub(crate) use self::quic::{Quic, quic_transport};
use self::tcp::Tls;
pub(crate) use self::tcp::{accept_tls, dial_tls};
use crate::identity::PublicKey;
use crate::proof::Exporter;

/// How a link is carried.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Kind {
    /// QUIC over UDP.
    Quic,
    /// TLS 1.3 over TCP.
    Tls,
}

impl Kind {
    /// The word used in events and in `--transport`.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Quic => "quic",
            Self::Tls => "tls",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Quic => "QUIC",
            Self::Tls => "TLS",
        })
    }
}

/// Why a transport is of no more use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    /// It was lost, or the other side closed it.
    #[error("{0}")]
    Lost(#[from] io::Error),
    /// What came makes no sense.
    #[error("{0}")]
    Frame(#[from] FrameError),
    /// The same, as the link sees it.
    #[error("{0}")]
    Link(#[from] LinkError),
}

impl Broken {
    /// Whether the other side is to blame, and to be told.
    pub(crate) fn is_violation(&self) -> bool {
        !matches!(self, Self::Lost(_))
    }

    pub(crate) fn ended() -> Self {
        Self::Lost(io::ErrorKind::UnexpectedEof.into())
    }
}

/// See the module's own words.
pub(crate) struct Transport {
    pub(crate) kind: Kind,
    pub(crate) remote: SocketAddr,
    pub(crate) peer: PublicKey,
    pub(crate) exporter: Exporter,
    pub(crate) inlet: Inlet,
    pub(crate) outlet: Outlet,
    /// For the streams of channels.
    pub(crate) connection: Option<Connection>,
}

impl Transport {
    /// The last frame on it.
    pub(crate) async fn say_last(&mut self, frame: &Frame<'_>) {
        let said = async {
            if self.outlet.send(frame).await.is_ok() {
                self.outlet.finish().await;
                self.inlet.drain().await;
            }
        };
        // Who does not take it finds the transport closed.
        let _ = timeout(LAST_WORDS, said).await;
    }
}

enum Source {
    Quic(RecvStream),
    Tls(ReadHalf<Tls>, Box<[u8]>),
}

/// Bytes taken from a QUIC stream at once: a part of a window, so that other streams have their turn.
const CHUNK: usize = 64 * 1024;

/// The frames that come on one stream.
pub(crate) struct Inlet {
    source: Source,
    decoder: Decoder,
    /// Came with a frame that was asked for alone.
    rest: Vec<u8>,
}

impl Inlet {
    pub(crate) fn quic(stream: RecvStream) -> Self {
        Self::new(Source::Quic(stream))
    }

    fn tls(half: ReadHalf<Tls>) -> Self {
        Self::new(Source::Tls(half, vec![0; TURN_ROOM].into_boxed_slice()))
    }

    fn new(source: Source) -> Self {
        Self {
            source,
            decoder: Decoder::default(),
            rest: Vec::new(),
        }
    }

    /// What `take` makes of the next frame; `None` from it: that frame is skipped. Not cancel safe.
    pub(crate) async fn one<T>(
        &mut self,
        mut take: impl FnMut(Frame<'_>) -> Option<T>,
    ) -> Result<T, Broken> {
        loop {
            let rest = std::mem::take(&mut self.rest);
            let mut input = rest.as_slice();
            while let Some(frame) = self.decoder.next(&mut input)? {
                if let Some(taken) = take(frame) {
                    self.rest = input.to_vec();
                    return Ok(taken);
                }
            }
            let rest = &mut self.rest;
            read(&mut self.source, |bytes| {
                rest.extend_from_slice(bytes);
                Ok(())
            })
            .await?;
        }
    }

    /// Reads what still comes, for nobody, until the other side has ended too: TCP throws away what was said
    /// last if it is closed with something unread.
    pub(crate) async fn drain(&mut self) {
        if matches!(self.source, Source::Tls(..)) {
            while read(&mut self.source, |_| Ok(())).await.is_ok() {}
        }
    }

    /// Hands every frame to `take`, until that or the stream ends. Not cancel safe.
    pub(crate) async fn each(
        &mut self,
        mut take: impl FnMut(Frame<'_>) -> Result<(), Broken>,
    ) -> Broken {
        let (source, decoder) = (&mut self.source, &mut self.decoder);
        let mut feed = |mut input: &[u8]| {
            while let Some(frame) = decoder.next(&mut input)? {
                take(frame)?;
            }
            Ok(())
        };
        let rest = std::mem::take(&mut self.rest);
        if let Err(broken) = feed(&rest) {
            return broken;
        }
        loop {
            if let Err(broken) = read(source, &mut feed).await {
                return broken;
            }
        }
    }
}

/// Reads once. The end of the stream is an error.
async fn read(
    source: &mut Source,
    mut feed: impl FnMut(&[u8]) -> Result<(), Broken>,
) -> Result<(), Broken> {
    match source {
        Source::Quic(stream) => {
            let chunk = stream.read_chunk(CHUNK, true).await;
            let chunk = chunk.map_err(io::Error::from)?.ok_or_else(Broken::ended)?;
            feed(&chunk.bytes)
        }
        Source::Tls(half, buffer) => match half.read(buffer).await? {
            0 => Err(Broken::ended()),
            count => feed(buffer.get(..count).unwrap_or_default()),
        },
    }
}

enum Sink {
    Quic(SendStream),
    Tls(WriteHalf<Tls>),
}

/// Where frames go.
pub(crate) struct Outlet {
    sink: Sink,
    /// Of a write that was given up. Goes first: after half a frame nothing would make sense.
    left: Vec<u8>,
}

/// A write on its way. What it has not written when it is given up is left for the next one.
struct Writing<'a> {
    rest: &'a [u8],
    left: &'a mut Vec<u8>,
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.left.extend_from_slice(self.rest);
    }
}

impl Outlet {
    fn new(sink: Sink) -> Self {
        let left = Vec::new();
        Self { sink, left }
    }

    pub(crate) fn quic(stream: SendStream) -> Self {
        Self::new(Sink::Quic(stream))
    }

    fn tls(half: WriteHalf<Tls>) -> Self {
        Self::new(Sink::Tls(half))
    }

    /// Hands all of it to the system; over QUIC to the connection, which knows of priorities. Cancel safe:
    /// what is left goes with the next.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Self { sink, left } = self;
        let mut all = std::mem::take(left);
        let rest = if all.is_empty() {
            bytes
        } else {
            all.extend_from_slice(bytes);
            &all
        };
        let mut writing = Writing { rest, left };
        while !writing.rest.is_empty() {
            let count = match sink {
                Sink::Quic(stream) => stream.write(writing.rest).await?,
                Sink::Tls(half) => half.write(writing.rest).await?,
            };
            writing.rest = writing.rest.get(count..).unwrap_or_default();
        }
        match sink {
            Sink::Quic(_) => Ok(()),
            // Else rustls would keep several records, for a game message to wait behind.
            Sink::Tls(half) => half.flush().await,
        }
    }

    /// Writes one frame, at once.
    pub(crate) async fn send(&mut self, frame: &Frame<'_>) -> Result<(), Broken> {
        let mut bytes = Vec::new();
        frame.write(&mut bytes)?;
        Ok(self.write(&bytes).await?)
    }

    /// Nothing more comes. Over QUIC, returns when the other side has what was written, or is gone; over TLS,
    /// [`Inlet::drain`] does that.
    pub(crate) async fn finish(&mut self) {
        // Whatever goes wrong here, the transport is over all the same.
        match &mut self.sink {
            Sink::Quic(stream) => {
                let _ = stream.finish();
                let _ = stream.stopped().await;
            }
            Sink::Tls(half) => {
                let _ = half.shutdown().await;
            }
        }
    }
}
