//! Several UDP flows at once, driven by one thread: what is sent is numbered, what comes back is
//! checked. The loads that use it say when to send.

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use crate::client::{datagrams, is_timeout, make_room};

/// Bytes of a datagram: a game's usual.
pub(super) const SIZE: usize = 200;

/// Datagrams of each flow before the timed ones: every hop sets it up.
const WARM_UP: u64 = 20;

/// What is not back by then counts as lost.
pub(super) const LOST_AFTER: Duration = Duration::from_millis(200);

/// Added to the numbers of datagrams sent before the timed ones: late ones are passed over.
const UNTIMED: u64 = 1 << 63;

pub(super) struct Flows<'a> {
    each: Vec<Flow<'a>>,
    buffer: [u8; SIZE + 1],
    pub(super) sent: u64,
    /// Datagrams that have come back.
    pub(super) back: u64,
}

struct Flow<'a> {
    socket: &'a UdpSocket,
    /// For each datagram sent, whether it has come back.
    back: Vec<bool>,
}

/// Sockets for as many flows, each of which has carried a datagram there and back.
pub(super) fn open(entrance: SocketAddr, flows: u16) -> anyhow::Result<Vec<UdpSocket>> {
    (0..flows)
        .map(|flow| warmed_up(entrance).with_context(|| format!("flow {flow}")))
        .collect()
}

fn warmed_up(entrance: SocketAddr) -> anyhow::Result<UdpSocket> {
    let socket = datagrams(entrance, LOST_AFTER)?;
    make_room(&socket)?;
    let mut back = 0;
    for number in 0..WARM_UP {
        socket.send(&datagram(UNTIMED + number))?;
        match socket.recv(&mut [0; SIZE]) {
            Ok(_) => back += 1,
            Err(error) if is_lost(&error) => {}
            Err(error) => return Err(error).context("cannot receive a datagram"),
        }
    }
    ensure!(back > 0, "of the first {WARM_UP} datagrams none came back");
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// No room at this end or nobody at the other: the datagram is lost, the flow goes on.
fn is_lost(error: &std::io::Error) -> bool {
    let no_buffers = error.raw_os_error() == Some(nix::errno::Errno::ENOBUFS as i32);
    is_timeout(error) || no_buffers || error.kind() == ErrorKind::ConnectionRefused
}

fn datagram(number: u64) -> [u8; SIZE] {
    let mut datagram = [0x42; SIZE];
    if let Some(head) = datagram.first_chunk_mut() {
        *head = number.to_le_bytes();
    }
    datagram
}

impl<'a> Flows<'a> {
    pub(super) fn new(sockets: &'a [UdpSocket]) -> Self {
        let flow = |socket| Flow {
            socket,
            back: Vec::new(),
        };
        Self {
            each: sockets.iter().map(flow).collect(),
            buffer: [0; SIZE + 1],
            sent: 0,
            back: 0,
        }
    }

    /// Sends the next datagram of a flow.
    pub(super) fn send(&mut self, index: usize) -> anyhow::Result<()> {
        let flow = self.each.get_mut(index).context("there is no such flow")?;
        let number = flow.back.len() as u64;
        flow.back.push(false);
        self.sent += 1;
        match flow.socket.send(&datagram(number)) {
            Err(error) if !is_lost(&error) => Err(error).context("cannot send a datagram"),
            _ => Ok(()),
        }
    }

    /// The number, within its flow, of a datagram that has come back; none when there is none.
    pub(super) fn receive(&mut self, index: usize) -> anyhow::Result<Option<u64>> {
        let flow = self.each.get_mut(index).context("there is no such flow")?;
        loop {
            let length = match flow.socket.recv(&mut self.buffer) {
                Ok(length) => length,
                Err(error) if is_timeout(&error) => return Ok(None),
                Err(error) if is_lost(&error) => continue,
                Err(error) => return Err(error).context("cannot receive a datagram"),
            };
            let received = self.buffer.get(..length).unwrap_or_default();
            let number = received
                .first_chunk()
                .map_or(0, |head| u64::from_le_bytes(*head));
            ensure!(received == datagram(number), "a datagram has other bytes");
            if number & UNTIMED != 0 {
                continue;
            }
            let back = usize::try_from(number)
                .ok()
                .and_then(|number| flow.back.get_mut(number))
                .context("a datagram came back that this flow had not sent")?;
            ensure!(!*back, "a datagram came back twice");
            *back = true;
            self.back += 1;
            return Ok(Some(number));
        }
    }

    pub(super) fn count(&self) -> usize {
        self.each.len()
    }

    pub(super) fn all_back(&self) -> bool {
        self.back == self.sent
    }

    pub(super) fn lost_percent(&self) -> f64 {
        (self.sent - self.back) as f64 * 100.0 / self.sent.max(1) as f64
    }
}

/// The moment after which nothing is waited for any more.
pub(super) fn grace(after: Instant, deadline: Instant) -> Instant {
    (after + LOST_AFTER).min(deadline)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::Server;

    fn receive_soon(flows: &mut Flows<'_>, index: usize) -> anyhow::Result<u64> {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            if let Some(number) = flows.receive(index)? {
                return Ok(number);
            }
            ensure!(Instant::now() < deadline, "nothing came back");
            std::thread::yield_now();
        }
    }

    #[test]
    fn datagrams_are_numbered_within_their_flow() {
        let server = Server::udp().unwrap();
        let sockets = open(server.address(), 2).unwrap();
        let mut flows = Flows::new(&sockets);
        for index in [0, 1, 1] {
            flows.send(index).unwrap();
        }
        assert!(!flows.all_back() && flows.lost_percent() > 99.0);
        assert_eq!(receive_soon(&mut flows, 0).unwrap(), 0);
        assert_eq!(receive_soon(&mut flows, 1).unwrap(), 0);
        assert_eq!(receive_soon(&mut flows, 1).unwrap(), 1);
        assert!(flows.all_back() && flows.lost_percent() == 0.0);
    }

    #[test]
    fn what_comes_twice_or_changed_or_unasked_is_an_error() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let socket = datagrams(server.local_addr().unwrap(), LOST_AFTER).unwrap();
        socket.set_nonblocking(true).unwrap();
        let client = socket.local_addr().unwrap();
        let sockets = [socket];
        let answers = |bytes: &[&[u8]]| {
            let mut flows = Flows::new(&sockets);
            flows.send(0).unwrap();
            for bytes in bytes {
                server.send_to(bytes, client).unwrap();
            }
            bytes
                .iter()
                .try_for_each(|_| receive_soon(&mut flows, 0).map(drop))
        };
        let right = datagram(0);
        answers(&[&right]).unwrap();
        for wrong in [&[&right[..], &right][..], &[&right[1..]], &[&datagram(1)]] {
            assert!(answers(wrong).is_err());
        }
    }
}
