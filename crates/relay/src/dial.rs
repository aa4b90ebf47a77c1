//! Making an upstream connection: names are resolved at every dial, and the addresses race
//! 250 ms apart (RFC 8305), so that one dead address costs a quarter of a second and not a
//! time-out.

use std::fmt;
use std::io;
use std::net::{SocketAddr, SocketAddrV6, ToSocketAddrs};

use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout, timeout_at};
use via6_core::addr::{Host, HostPort};
use via6_core::limits::{DIAL_ADDRESSES_MAX, DIAL_STAGGER, DIAL_TIMEOUT, LOOKUPS_MAX};

use crate::socket::{connect_tcp, describe, zone_index};

/// Why the other side could not be dialled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DialError {
    /// The name has no address, or nobody could be asked.
    #[error("cannot find the address of {name}: {}", describe(source))]
    PeerUnknown {
        /// The name as it was looked up.
        name: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// The address names an interface that this computer does not have.
    #[error("cannot use {address}: this computer has no network interface {zone}")]
    LocalZoneUnknown {
        /// The address as it was given.
        address: String,
        /// The part behind `%`.
        zone: String,
    },
    /// Every address refused or stayed silent.
    #[error("cannot connect to {0}")]
    PeerUnreachable(Attempts),
}

impl DialError {
    /// True if some address answered with a refusal: the machine is there, the program is not.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.has(io::ErrorKind::ConnectionRefused)
    }

    /// True if some address took the connection and broke it off at once: a relay is there, and
    /// what it leads to is not.
    #[must_use]
    pub fn is_reset(&self) -> bool {
        self.has(io::ErrorKind::ConnectionReset)
    }

    fn has(&self, kind: io::ErrorKind) -> bool {
        match self {
            Self::PeerUnreachable(Attempts(tried)) => {
                tried.iter().any(|(_, error)| error.kind() == kind)
            }
            _ => false,
        }
    }
}

/// Each address that was tried, with what came of it.
#[derive(Debug)]
pub struct Attempts(pub Vec<(SocketAddr, io::Error)>);

impl fmt::Display for Attempts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (addr, error)) in self.0.iter().enumerate() {
            let separator = if i == 0 { "" } else { "; " };
            write!(f, "{separator}{addr}: {}", describe(error))?;
        }
        Ok(())
    }
}

/// The address of `to`, where no resolver and no interface has to be asked for it.
pub(crate) fn literal(to: &HostPort) -> Option<SocketAddr> {
    match &to.host {
        Host::V4(ip) => Some((*ip, to.port).into()),
        Host::V6(ip, None) => Some((*ip, to.port).into()),
        Host::V6(_, Some(_)) | Host::Name(_) => None,
    }
}

/// The addresses of `to`, at most [`DIAL_ADDRESSES_MAX`], IPv6 first and the families in turn
/// (RFC 8305 §4). Cancel safe.
pub(crate) async fn resolve(to: &HostPort) -> Result<Vec<SocketAddr>, DialError> {
    let found = match &to.host {
        Host::V4(ip) => return Ok(vec![SocketAddr::from((*ip, to.port))]),
        Host::V6(ip, zone) => {
            let scope = match zone {
                None => 0,
                Some(zone) => zone_index(zone).ok_or_else(|| DialError::LocalZoneUnknown {
                    address: to.to_string(),
                    zone: zone.as_str().to_owned(),
                })?,
            };
            return Ok(vec![SocketAddrV6::new(*ip, to.port, 0, scope).into()]);
        }
        Host::Name(name) => {
            let unknown = |source| DialError::PeerUnknown {
                name: name.to_string(),
                source,
            };
            let found = look_up(name.as_str(), to.port).await.map_err(unknown)?;
            if found.is_empty() {
                return Err(unknown(io::Error::other("it has none")));
            }
            found
        }
    };
    Ok(interleave(found))
}

/// What a name stands for now, as the system's resolver says within [`DIAL_TIMEOUT`]. Cancel safe.
pub async fn look_up(name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let asked = timeout(DIAL_TIMEOUT, ask_resolver(name.to_owned(), port));
    asked
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Asks on a thread that the resolver may hold for longer than anybody waits: its permit stays with it, so
/// that silent resolvers hold [`LOOKUPS_MAX`] threads and no more.
async fn ask_resolver(name: String, port: u16) -> io::Result<Vec<SocketAddr>> {
    static PERMITS: Semaphore = Semaphore::const_new(LOOKUPS_MAX);
    let permit = PERMITS.acquire().await.map_err(io::Error::other)?;
    let look_up = move || {
        let _permit = permit;
        (name.as_str(), port)
            .to_socket_addrs()
            .map(Iterator::collect)
    };
    tokio::task::spawn_blocking(look_up)
        .await
        .map_err(io::Error::other)?
}

/// Connects to the first address of `to` that answers, within [`DIAL_TIMEOUT`] in all.
///
/// Cancel safe: dropping the future gives up every attempt.
pub async fn dial(to: &HostPort) -> Result<(TcpStream, SocketAddr), DialError> {
    let deadline = Instant::now() + DIAL_TIMEOUT;
    let addrs = resolve(to).await?;
    if let [addr] = addrs[..] {
        return match timeout_at(deadline, connect_tcp(addr)).await {
            Ok(Ok(stream)) => Ok((stream, addr)),
            Ok(Err(error)) => Err(DialError::PeerUnreachable(Attempts(vec![(addr, error)]))),
            Err(_) => Err(silent(vec![addr], Vec::new())),
        };
    }
    race(addrs, deadline).await
}

/// Starts one attempt after the other, [`DIAL_STAGGER`] apart or as soon as one fails; the first
/// to connect wins.
async fn race(
    addrs: Vec<SocketAddr>,
    deadline: Instant,
) -> Result<(TcpStream, SocketAddr), DialError> {
    let mut waiting = addrs.into_iter();
    let mut running = Running::default();
    let mut failed = Vec::new();
    let mut next_start = Instant::now();
    loop {
        if Instant::now() >= next_start
            && let Some(addr) = waiting.next()
        {
            running.0.push((addr, Box::pin(connect_tcp(addr))));
            next_start = Instant::now() + DIAL_STAGGER;
        }
        if running.0.is_empty() {
            return Err(DialError::PeerUnreachable(Attempts(failed)));
        }
        let wake_at = if waiting.len() == 0 {
            deadline
        } else {
            next_start.min(deadline)
        };
        match timeout_at(wake_at, running.next()).await {
            Ok((addr, Ok(stream))) => return Ok((stream, addr)),
            Ok((addr, Err(error))) => {
                failed.push((addr, error));
                next_start = Instant::now();
            }
            Err(_) if Instant::now() >= deadline => {
                let unanswered = running.0.into_iter().map(|(addr, _)| addr).collect();
                return Err(silent(unanswered, failed));
            }
            // Time for the next address.
            Err(_) => {}
        }
    }
}

type Attempt = std::pin::Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>;

/// The attempts under way, at most [`DIAL_ADDRESSES_MAX`].
#[derive(Default)]
struct Running(Vec<(SocketAddr, Attempt)>);

impl Running {
    /// The next attempt that is decided. Cancel safe.
    async fn next(&mut self) -> (SocketAddr, io::Result<TcpStream>) {
        std::future::poll_fn(|cx| {
            for i in 0..self.0.len() {
                let Some((addr, attempt)) = self.0.get_mut(i) else {
                    break;
                };
                if let std::task::Poll::Ready(result) = attempt.as_mut().poll(cx) {
                    let addr = *addr;
                    drop(self.0.swap_remove(i));
                    return std::task::Poll::Ready((addr, result));
                }
            }
            std::task::Poll::Pending
        })
        .await
    }
}

fn silent(addrs: Vec<SocketAddr>, mut failed: Vec<(SocketAddr, io::Error)>) -> DialError {
    let timed_out = |addr| (addr, io::Error::from(io::ErrorKind::TimedOut));
    failed.extend(addrs.into_iter().map(timed_out));
    DialError::PeerUnreachable(Attempts(failed))
}

fn interleave(found: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let (v6, v4): (Vec<_>, Vec<_>) = found.into_iter().partition(SocketAddr::is_ipv6);
    let (mut v6, mut v4) = (v6.into_iter(), v4.into_iter());
    let mut mixed = Vec::new();
    while mixed.len() < DIAL_ADDRESSES_MAX {
        let (a, b) = (v6.next(), v4.next());
        if a.is_none() && b.is_none() {
            break;
        }
        mixed.extend(a.into_iter().chain(b));
    }
    mixed.truncate(DIAL_ADDRESSES_MAX);
    mixed
}

#[cfg(test)]
#[allow(
    clippy::disallowed_methods,
    reason = "a test makes its own game servers"
)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns_and_the_list_is_bounded() {
        let v6 = |n: u16| SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, n], 1));
        let v4 = |n: u8| SocketAddr::from(([192, 0, 2, n], 1));
        assert_eq!(
            interleave(vec![v4(1), v4(2), v6(1), v4(3)]),
            [v6(1), v4(1), v4(2), v4(3)]
        );
        assert_eq!(
            interleave((0..50).map(v4).collect()).len(),
            DIAL_ADDRESSES_MAX
        );
    }

    #[tokio::test]
    async fn a_refusing_address_hands_over_to_the_next_at_once() {
        let game = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let there = game.local_addr().unwrap();
        let closed: Vec<SocketAddr> = (2..5)
            .map(|n| SocketAddr::from(([127, 0, 0, n], there.port())))
            .collect();
        let addrs = closed.iter().copied().chain([there]).collect();
        let deadline = Instant::now() + DIAL_STAGGER;
        let (_, winner) = race(addrs, deadline).await.unwrap();
        assert_eq!(winner, there);
    }

    #[tokio::test]
    async fn every_address_that_failed_is_named() {
        let gone: Vec<SocketAddr> = {
            let taken: Vec<_> = (0..2)
                .map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap())
                .collect();
            taken
                .iter()
                .map(|listener| listener.local_addr().unwrap())
                .collect()
        };
        let error = race(gone.clone(), Instant::now() + DIAL_TIMEOUT)
            .await
            .unwrap_err();
        assert!(error.is_refused());
        let text = error.to_string();
        for addr in gone {
            assert!(
                text.contains(&format!("{addr}: connection refused")),
                "{text}"
            );
        }
    }
}
