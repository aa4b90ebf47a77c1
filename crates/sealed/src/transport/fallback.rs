//! A UDP socket for QUIC that asks nothing of the system but to send and to receive.
//!
//! quinn's own asks for segmentation, ECN and the destination of what came. Where the system has none of
//! that (Wine, some Windows), this one carries QUIC a datagram at a time, and slower.

use std::fmt;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, UdpPoller};
use tokio::net::UdpSocket;

/// Receives that may fail in a row before others on this thread have their turn.
const FAILURES_MAX: usize = 64;

/// See the module's own words.
pub(super) struct Plain(UdpSocket);

impl Plain {
    /// Must be called inside a tokio runtime.
    pub(super) fn new(socket: std::net::UdpSocket) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        UdpSocket::from_std(socket).map(Self)
    }
}

impl fmt::Debug for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl AsyncUdpSocket for Plain {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(Poller(self))
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let (bytes, to) = (transmit.contents, transmit.destination);
        match self.0.try_send_to(bytes, to) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(error),
            // No way there at the moment, or too large: lost, as on any path. QUIC sends again, and takes an
            // error for the end of the connection.
            _ => Ok(()),
        }
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let (Some(buffer), Some(meta)) = (buffers.first_mut(), metas.first_mut()) else {
            return Poll::Ready(Ok(0));
        };
        for _ in 0..FAILURES_MAX {
            ready!(self.0.poll_recv_ready(cx))?;
            // An error is of one datagram: Windows tells of one that is larger than the buffer (WSAEMSGSIZE), of
            // a port that is closed and a hop limit that ran out (WSAECONNRESET, WSAENETRESET). To QUIC it would
            // be the end of all connections.
            let Ok((len, addr)) = self.0.try_recv_from(buffer) else {
                continue;
            };
            *meta = RecvMeta {
                addr,
                len,
                stride: len,
                ..RecvMeta::default()
            };
            return Poll::Ready(Ok(1));
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    fn may_fragment(&self) -> bool {
        // Whether the system cuts large datagrams is not asked: QUIC then stays at a size that fits.
        true
    }
}

struct Poller(Arc<Plain>);

impl fmt::Debug for Poller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Poller")
    }
}

impl UdpPoller for Poller {
    fn poll_writable(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.0.poll_send_ready(cx)
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test makes its own sockets")]
mod tests {
    use std::future::poll_fn;
    use std::net::{Ipv4Addr, Ipv6Addr, UdpSocket as Socket};
    use std::time::Duration;

    use tokio::time::timeout;
    use via6_core::frame::Frame;

    use super::*;
    use crate::identity::Identity;
    use crate::tls;
    use crate::transport::quic::{Quic, server_config};
    use crate::transport::quic_transport;

    fn bound(ip: impl Into<std::net::IpAddr>) -> (Socket, SocketAddr) {
        let socket = Socket::bind((ip.into(), 0)).unwrap();
        let at = socket.local_addr().unwrap();
        (socket, at)
    }

    fn transmit(contents: &[u8], destination: SocketAddr) -> Transmit<'_> {
        Transmit {
            destination,
            ecn: None,
            contents,
            segment_size: None,
            src_ip: None,
        }
    }

    async fn received(socket: &Plain) -> (SocketAddr, Vec<u8>) {
        let mut bytes = [0; 64];
        let mut meta = [RecvMeta::default()];
        let receive =
            poll_fn(|cx| socket.poll_recv(cx, &mut [IoSliceMut::new(&mut bytes)], &mut meta));
        let count = timeout(Duration::from_secs(20), receive).await.unwrap();
        assert_eq!(count.unwrap(), 1);
        assert_eq!(meta[0].stride, meta[0].len);
        (meta[0].addr, bytes[..meta[0].len].to_vec())
    }

    #[tokio::test]
    async fn what_cannot_be_sent_is_lost_and_no_error() {
        let (socket, _) = bound(Ipv4Addr::LOCALHOST);
        let to_all = SocketAddr::from((Ipv4Addr::BROADCAST, 9));
        socket.send_to(b"x", to_all).unwrap_err();
        let plain = Plain::new(socket).unwrap();
        plain.0.writable().await.unwrap();
        plain.try_send(&transmit(b"x", to_all)).unwrap();
        let (other, at) = bound(Ipv4Addr::LOCALHOST);
        plain.0.writable().await.unwrap();
        plain.try_send(&transmit(b"hello", at)).unwrap();
        let mut heard = [0; 16];
        assert_eq!(other.recv(&mut heard).unwrap(), 5);
    }

    /// Linux tells a connected socket that the port is closed, as Windows tells any socket.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn what_could_not_be_received_does_not_hide_what_comes_next() {
        let (socket, own) = bound(Ipv4Addr::LOCALHOST);
        let (gone, at) = bound(Ipv4Addr::LOCALHOST);
        drop(gone);
        socket.connect(at).unwrap();
        socket.send(b"nobody is there").unwrap();
        let again = Socket::bind(at).unwrap();
        again.send_to(b"somebody", own).unwrap();
        let error = socket.take_error().unwrap();
        assert!(error.is_some(), "the system tells of it");
        drop(again);
        socket.send(b"nobody is there").unwrap();
        let again = Socket::bind(at).unwrap();
        let plain = Plain::new(socket).unwrap();
        assert_eq!(received(&plain).await, (at, b"somebody".to_vec()));
        again.send_to(b"still", own).unwrap();
        assert_eq!(received(&plain).await, (at, b"still".to_vec()));
    }

    /// Both ends have this socket, while somebody throws other things at them.
    #[tokio::test]
    async fn a_connection_is_carried_whatever_else_comes() {
        let [host, device] = [[1; 32], [2; 32]].map(|seed| Identity::from_seed(seed).unwrap());
        let [(ours, at), (theirs, from), (foe, _)] = [(); 3].map(|()| bound(Ipv6Addr::LOCALHOST));
        let plain = |socket| Arc::new(Plain::new(socket).unwrap());
        let server = server_config(tls::server(&host).unwrap()).unwrap();
        let hosting = Quic::over(plain(ours), Some(server)).unwrap();
        let joining = Quic::over(plain(theirs), None).unwrap();
        let config = tls::client(&device, host.public().fingerprint()).unwrap();
        let throw = || {
            for (size, to) in [0, 1, 30, 1200, 9000].into_iter().zip([at, from].repeat(3)) {
                foe.send_to(&vec![0xC3; size], to).unwrap();
            }
        };
        throw();
        let hosted = async {
            let incoming = hosting.accept().await.unwrap().accept().unwrap();
            let mut transport = quic_transport(incoming, true).await.unwrap();
            let is_ping = |frame: Frame<'_>| matches!(frame, Frame::Ping(6)).then_some(());
            transport.inlet.one(is_ping).await.unwrap();
            let connection = transport.connection.clone().unwrap();
            let (mut send, mut receive) = connection.accept_bi().await.unwrap();
            tokio::io::copy(&mut receive, &mut send).await.unwrap();
            send.finish().unwrap();
            assert_eq!(send.stopped().await.unwrap(), None);
            assert_eq!(transport.remote, from);
        };
        let joined = async {
            let connecting = joining.connect(at, &config).unwrap();
            let mut transport = quic_transport(connecting, false).await.unwrap();
            transport.outlet.send(&Frame::Ping(6)).await.unwrap();
            let connection = transport.connection.clone().unwrap();
            let (mut send, mut receive) = connection.open_bi().await.unwrap();
            for turn in 0..40_u8 {
                throw();
                let bulk: Vec<u8> = (0..50_000_u32).map(|n| n.to_le_bytes()[0] ^ turn).collect();
                let mut heard = vec![0; bulk.len()];
                let (up, down) =
                    tokio::join!(send.write_all(&bulk), receive.read_exact(&mut heard));
                up.unwrap();
                down.unwrap();
                assert!(heard == bulk, "in turn {turn}");
            }
            send.finish().unwrap();
            assert!(receive.read_to_end(1).await.unwrap().is_empty());
        };
        let both = async { tokio::join!(hosted, joined) };
        timeout(Duration::from_secs(60), both).await.unwrap();
        tokio::join!(joining.close(), hosting.close());
    }
}
