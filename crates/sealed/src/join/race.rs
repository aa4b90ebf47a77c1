//! Reaching a host: every address, by QUIC and by TLS, some time apart (RFC 8305). The first handshake to
//! finish wins, and the others are given up without having said anything.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use quinn::{ConnectionError, TransportErrorCode};
use tokio::time::{Instant, sleep_until, timeout_at};
use via6_core::addr::HostPort;
use via6_core::limits::{DIAL_STAGGER, HANDSHAKE_TIME, LINK_TARGETS_MAX, QUIC_GRACE, TLS_AFTER};
use via6_relay::{DialError, dial, look_up};

use super::Inner;
use crate::event::{Attempt, Failed};
use crate::tls::is_other_host;
use crate::transport::{Kind, Transport, dial_tls, quic_transport};

type Try = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// What came of one thing that was tried.
enum Outcome {
    /// A name stands for these addresses.
    Found(Vec<SocketAddr>),
    Won(Box<Transport>),
    Failed(Attempt),
}

/// The attempts of one race.
struct Race {
    joiner: Arc<Inner>,
    tries: Vec<Try>,
    tried: Vec<SocketAddr>,
    /// When the next address has its turn.
    next: Instant,
    /// Games wait.
    is_urgent: bool,
}

/// When QUIC and TLS are begun again at the same address while games wait: a handshake that has met a path
/// without a way through waits longer and longer before it says anything again, and the path may be back.
const AGAIN: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(7),
];

impl Inner {
    /// The first transport to the host whose handshake finishes; or what came of each attempt, once all have
    /// failed. `is_urgent`: games wait for it. Cancel safe: gives up all of them.
    pub(super) async fn race(self: &Arc<Self>, is_urgent: bool) -> Result<Transport, Vec<Attempt>> {
        let mut race = Race {
            joiner: Arc::clone(self),
            tries: Vec::new(),
            tried: Vec::new(),
            next: Instant::now(),
            is_urgent,
        };
        for (name, port) in self.places.names() {
            race.tries.push(Box::pin(async move {
                // A name that is not found is one place less; what else there is goes on.
                let found = look_up(&name, port).await.unwrap_or_default();
                Outcome::Found(found.into_iter().filter(SocketAddr::is_ipv6).collect())
            }));
        }
        race.enter(&self.places.addresses());
        let mut failed = Vec::new();
        let mut tls: Option<(Box<Transport>, Instant)> = None;
        while !race.tries.is_empty() {
            // A path that is there again is there for both, and QUIC is the better one.
            let outcome = match &tls {
                Some((_, until)) => timeout_at(*until, next(&mut race.tries)).await,
                None => Ok(next(&mut race.tries).await),
            };
            let Ok(outcome) = outcome else {
                break;
            };
            match outcome {
                Outcome::Found(addresses) => race.enter(&addresses),
                Outcome::Won(transport) if transport.kind == Kind::Quic => return Ok(*transport),
                Outcome::Won(transport) => {
                    let patience = if self.transports.has(Kind::Quic) {
                        QUIC_GRACE
                    } else {
                        Duration::ZERO
                    };
                    tls.get_or_insert((transport, Instant::now() + patience));
                }
                Outcome::Failed(attempt) => {
                    // One of each is enough to tell of.
                    failed.retain(|other| !is_same(other, &attempt));
                    failed.push(attempt);
                }
            }
        }
        tls.map(|(transport, _)| *transport).ok_or(failed)
    }

    async fn attempt(
        self: Arc<Self>,
        address: SocketAddr,
        kind: Kind,
        at: Instant,
    ) -> Result<Transport, Attempt> {
        sleep_until(at).await;
        let shaken = async {
            match kind {
                Kind::Quic => {
                    let connecting = self.quic.connect(address, &self.tls);
                    let connecting = connecting.map_err(|error| of_system(&error))?;
                    let shaken = quic_transport(connecting, false).await;
                    shaken.map_err(|error| of_quic(&error))
                }
                Kind::Tls => {
                    let dialled = dial(&HostPort::from(address)).await;
                    let (stream, _) = dialled.map_err(|error| of_dial(&error))?;
                    let shaken = dial_tls(stream, &self.tls).await;
                    shaken.map_err(|error| of_tls(&error))
                }
            }
        };
        let shaken = timeout_at(at + HANDSHAKE_TIME, shaken).await;
        shaken
            .unwrap_or(Err(Failed::Silent))
            .map_err(|failure| Attempt {
                address,
                kind,
                failure,
            })
    }
}

impl Race {
    /// More addresses, each some time after the one before.
    fn enter(&mut self, addresses: &[SocketAddr]) {
        let transports = self.joiner.transports;
        // Alone it need not wait for the other.
        let tls_after = if transports.has(Kind::Quic) {
            TLS_AFTER
        } else {
            Duration::ZERO
        };
        for &address in addresses {
            if self.tried.contains(&address) || self.tried.len() >= LINK_TARGETS_MAX {
                continue;
            }
            self.tried.push(address);
            let at = self.next.max(Instant::now());
            self.next = at + DIAL_STAGGER;
            let again: &[Duration] = if self.is_urgent { &AGAIN } else { &[] };
            for (kind, after) in [(Kind::Quic, Duration::ZERO), (Kind::Tls, tls_after)] {
                if !transports.has(kind) {
                    continue;
                }
                for again in std::iter::once(&Duration::ZERO).chain(again) {
                    let joiner = Arc::clone(&self.joiner);
                    let at = at + after + *again;
                    self.tries.push(Box::pin(async move {
                        match joiner.attempt(address, kind, at).await {
                            Ok(transport) => Outcome::Won(Box::new(transport)),
                            Err(attempt) => Outcome::Failed(attempt),
                        }
                    }));
                }
            }
        }
    }
}

fn is_same(one: &Attempt, other: &Attempt) -> bool {
    one.address == other.address && one.kind == other.kind
}

/// The next one that is decided.
async fn next(tries: &mut Vec<Try>) -> Outcome {
    std::future::poll_fn(|cx| {
        for at in 0..tries.len() {
            let Some(attempt) = tries.get_mut(at) else {
                break;
            };
            if let Poll::Ready(result) = attempt.as_mut().poll(cx) {
                drop(tries.swap_remove(at));
                return Poll::Ready(result);
            }
        }
        Poll::Pending
    })
    .await
}

fn of_quic(error: &io::Error) -> Failed {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    match inner {
        // QUIC keeps the alert alone: unknown_ca (RFC 8446 §6) is what our own check says of another key.
        Some(ConnectionError::TransportError(error))
            if error.code == TransportErrorCode::crypto(48) =>
        {
            Failed::OtherHost
        }
        Some(ConnectionError::TransportError(_)) => Failed::Foreign,
        Some(ConnectionError::TimedOut) => Failed::Silent,
        Some(ConnectionError::VersionMismatch | ConnectionError::ConnectionClosed(_)) => {
            Failed::Foreign
        }
        _ => of_system(error),
    }
}

fn of_tls(error: &io::Error) -> Failed {
    let inner = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(error) if is_other_host(error) => Failed::OtherHost,
        Some(_) => Failed::Foreign,
        None if error.kind() == io::ErrorKind::UnexpectedEof => Failed::Foreign,
        None => of_system(error),
    }
}

fn of_dial(error: &DialError) -> Failed {
    match error {
        DialError::PeerUnreachable(attempts) => match attempts.0.first() {
            Some((_, error)) => of_system(error),
            None => Failed::Silent,
        },
        error => Failed::System(error.to_string()),
    }
}

fn of_system(error: &io::Error) -> Failed {
    match error.kind() {
        io::ErrorKind::TimedOut => Failed::Silent,
        io::ErrorKind::ConnectionRefused => Failed::Refused,
        _ => Failed::System(via6_relay::describe(error)),
    }
}
