//! QUIC: one endpoint for each side, and what a connection has to be like.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{
    AsyncUdpSocket, ClientConfig, Connecting, Connection, Endpoint, EndpointConfig, Incoming,
    Runtime as _, ServerConfig, TokioRuntime, TransportConfig, VarInt,
};
use rustls::pki_types::CertificateDer;
use tokio::time::{sleep, timeout};
use via6_core::limits::{
    ADMIT_TIME, HANDSHAKE_TIME, QUIC_IDLE, QUIC_KEPT, QUIC_STREAM_WINDOW, QUIC_STREAMS,
    QUIC_WINDOW, UNATTACHED_MAX,
};

use super::fallback::Plain;
use super::{Inlet, Kind, Outlet, Transport};
use crate::identity::PublicKey;
use crate::proof::EXPORTER_LABEL;
use crate::tls::{self, SERVER_NAME};

/// Bytes of datagrams that wait to be sent: more would be most of a second of stale ones.
const DATAGRAMS_KEPT: usize = 32 * 1024;

/// Bytes kept of one connection before somebody takes it: its first flight, twice.
const INCOMING_KEPT: u64 = 8 * 1024;

/// Bytes of datagrams that wait to be read.
const DATAGRAMS_COME: usize = 256 * 1024;

/// A UDP socket that speaks QUIC, until it is closed.
pub(crate) struct Quic {
    endpoint: Mutex<Option<Endpoint>>,
    /// Gone when the system has the socket back.
    socket: Weak<dyn AsyncUdpSocket>,
}

impl Quic {
    /// A host's: takes connections.
    pub(crate) fn host(
        socket: std::net::UdpSocket,
        tls: Arc<rustls::ServerConfig>,
    ) -> io::Result<Self> {
        let server = server_config(tls)?;
        Self::over(wrap(socket)?, Some(server))
    }

    /// A joiner's.
    pub(crate) fn joiner(socket: std::net::UdpSocket) -> io::Result<Self> {
        Self::over(wrap(socket)?, None)
    }

    pub(super) fn over(
        socket: Arc<dyn AsyncUdpSocket>,
        server: Option<ServerConfig>,
    ) -> io::Result<Self> {
        let weak = Arc::downgrade(&socket);
        let config = EndpointConfig::default();
        let runtime = Arc::new(TokioRuntime);
        let endpoint = Endpoint::new_with_abstract_socket(config, server, socket, runtime)?;
        Ok(Self {
            endpoint: Mutex::new(Some(endpoint)),
            socket: weak,
        })
    }

    /// The next connection that somebody begins. `None`: it is closed.
    pub(crate) async fn accept(&self) -> Option<Incoming> {
        let endpoint = self.endpoint()?;
        endpoint.accept().await
    }

    /// Begins a connection. Nothing was sent when this fails.
    pub(crate) fn connect(
        &self,
        to: SocketAddr,
        tls: &Arc<rustls::ClientConfig>,
    ) -> io::Result<Connecting> {
        let crypto = QuicClientConfig::try_from(Arc::clone(tls)).map_err(io::Error::other)?;
        let mut client = ClientConfig::new(Arc::new(crypto));
        client.transport_config(Arc::new(transport_config(0)));
        let endpoint = self.endpoint().ok_or(io::ErrorKind::NotConnected)?;
        let connecting = endpoint.connect_with(client, to, SERVER_NAME);
        connecting.map_err(io::Error::other)
    }

    /// Closes it, and all connections with it; returns when the system has the socket back. Cancel safe.
    pub(crate) async fn close(&self) {
        let endpoint = self.lock().take();
        if let Some(endpoint) = endpoint {
            endpoint.close(VarInt::from_u32(0), b"");
            endpoint.wait_idle().await;
        }
        while self.socket.strong_count() > 0 {
            // quinn does not tell; its task for the socket has its turn meanwhile.
            sleep(Duration::from_millis(1)).await;
        }
    }

    fn endpoint(&self) -> Option<Endpoint> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Endpoint>> {
        self.endpoint.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// quinn's own socket, or where the system lacks what that asks for (Wine, old Windows) the plain one.
fn wrap(socket: std::net::UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
    let spare = socket.try_clone()?;
    match TokioRuntime.wrap_udp_socket(socket) {
        Ok(socket) => Ok(socket),
        Err(_) => Ok(Arc::new(Plain::new(spare)?)),
    }
}

/// Of a host, which takes all connections by hand.
pub(super) fn server_config(tls: Arc<rustls::ServerConfig>) -> io::Result<ServerConfig> {
    let crypto = QuicServerConfig::try_from(tls).map_err(io::Error::other)?;
    let mut server = ServerConfig::with_crypto(Arc::new(crypto));
    server.transport_config(Arc::new(transport_config(QUIC_STREAMS)));
    // Those that nobody has taken yet; the rest is bounded by who takes them.
    server
        .max_incoming(UNATTACHED_MAX)
        .incoming_buffer_size(INCOMING_KEPT)
        .incoming_buffer_size_total(INCOMING_KEPT * UNATTACHED_MAX as u64);
    Ok(server)
}

/// `streams`: how many bidirectional ones the other side may have.
fn transport_config(streams: u32) -> TransportConfig {
    let mut config = TransportConfig::default();
    let idle = quinn::IdleTimeout::try_from(QUIC_IDLE).ok();
    config
        .max_concurrent_bidi_streams(VarInt::from_u32(streams))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .stream_receive_window(VarInt::from_u32(QUIC_STREAM_WINDOW))
        .receive_window(VarInt::from_u32(QUIC_WINDOW))
        .send_window(QUIC_KEPT)
        .max_idle_timeout(idle)
        .datagram_receive_buffer_size(Some(DATAGRAMS_COME))
        .datagram_send_buffer_size(DATAGRAMS_KEPT)
        // Until a path is measured: most are far quicker than the 333 ms of RFC 9002 §6.2.2, and the first
        // loss in a handshake is waited for that long.
        .initial_rtt(Duration::from_millis(100));
    config
}

/// What a connection is once its handshake is over. The control stream is yet to come.
struct Met {
    peer: PublicKey,
    exporter: [u8; 32],
}

fn met(connection: &Connection) -> io::Result<Met> {
    let key = connection.peer_identity();
    let key = key.and_then(|key| key.downcast::<Vec<CertificateDer<'static>>>().ok());
    let peer = tls::peer_key(key.as_ref().map(|key| key.as_slice()))
        .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
    let mut exporter = [0; 32];
    connection
        .export_keying_material(&mut exporter, EXPORTER_LABEL, b"")
        .map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
    Ok(Met { peer, exporter })
}

/// Waits for the handshake and for the control stream, which the joiner opens.
pub(crate) async fn quic_transport(connecting: Connecting, is_host: bool) -> io::Result<Transport> {
    let handshake = timeout(HANDSHAKE_TIME, connecting);
    let connection = handshake.await.map_err(io::Error::from)??;
    let Met { peer, exporter } = met(&connection)?;
    let (send, receive) = if is_host {
        // Nobody is let in who says nothing.
        timeout(ADMIT_TIME, connection.accept_bi()).await??
    } else {
        connection.open_bi().await?
    };
    // Before all channels, whatever they have to send.
    let _ = send.set_priority(CONTROL_PRIORITY);
    Ok(Transport {
        kind: Kind::Quic,
        remote: connection.remote_address(),
        peer,
        exporter,
        inlet: Inlet::quic(receive),
        outlet: Outlet::quic(send),
        connection: Some(connection),
    })
}

/// Of the control stream; channels have 0 or less.
const CONTROL_PRIORITY: i32 = 1;
