//! One QUIC connection for all sessions of a joiner, a stream for each.

use std::net::{Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{
    ClientConfig, Connection, Endpoint, EndpointConfig, ServerConfig, TokioRuntime,
    TransportConfig, VarInt,
};
use socket2::SockRef;

use crate::{copying, keys};

/// Sessions of a joiner at once; later ones wait for an earlier one's end. quinn has room for each
/// from the start, some 70 bytes at the host.
const STREAMS: u32 = 1024;

/// Bytes that a stream, and a connection, may have on their way: more than loopback ever holds.
const WINDOW: u32 = 8 << 20;

/// Bytes asked of the system for a socket's buffers. It gives less where it must (`rmem_max`).
const SOCKET_BUFFER: usize = 4 << 20;

/// Well within quinn's idle limit of 30 s.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// The host may still be starting when the first Initial goes out, and quinn's own guess of a path
/// waits a second before it sends another.
const FIRST_GUESS: Duration = Duration::from_millis(20);

pub(crate) async fn join(listen: SocketAddr, dial: SocketAddr) -> anyhow::Result<()> {
    let mut config = ClientConfig::new(Arc::new(QuicClientConfig::try_from(keys::joiner()?)?));
    config.transport_config(Arc::new(transport()));
    let mut endpoint = endpoint((Ipv6Addr::LOCALHOST, 0).into(), None)?;
    endpoint.set_default_client_config(config);
    let listener = copying::listen(listen).await?;
    let mut link: Option<Connection> = None;
    loop {
        let downstream = copying::accept(&listener).await?;
        let alive = link.take().filter(|link| link.close_reason().is_none());
        let connection = match alive {
            Some(connection) => connection,
            None => match endpoint.connect(dial, keys::HOST)?.await {
                Ok(connection) => connection,
                // The host is not there: this session ends, the next one tries again.
                Err(_) => continue,
            },
        };
        link = Some(connection.clone());
        copying::beside(async move {
            let (sending, receiving) = connection.open_bi().await?;
            copying::both_ways(downstream, tokio::io::join(receiving, sending)).await
        });
    }
}

pub(crate) async fn host(listen: SocketAddr, dial: SocketAddr) -> anyhow::Result<()> {
    let crypto = QuicServerConfig::try_from(keys::host()?)?;
    let mut config = ServerConfig::with_crypto(Arc::new(crypto));
    config.transport_config(Arc::new(transport()));
    let endpoint = endpoint(listen, Some(config))?;
    while let Some(incoming) = endpoint.accept().await {
        copying::beside(async move {
            let connection = incoming.await?;
            loop {
                let (sending, receiving) = connection.accept_bi().await?;
                copying::beside(async move {
                    let upstream = copying::dial(dial).await?;
                    copying::both_ways(tokio::io::join(receiving, sending), upstream).await
                });
            }
        });
    }
    Ok(())
}

fn transport() -> TransportConfig {
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(STREAMS))
        .stream_receive_window(VarInt::from_u32(WINDOW))
        .send_window(u64::from(WINDOW))
        .initial_rtt(FIRST_GUESS)
        .keep_alive_interval(Some(KEEP_ALIVE));
    transport
}

fn endpoint(address: SocketAddr, server: Option<ServerConfig>) -> anyhow::Result<Endpoint> {
    let socket = udp(address).with_context(|| format!("cannot listen on {address}"))?;
    let config = EndpointConfig::default();
    Ok(Endpoint::new(
        config,
        server,
        socket,
        Arc::new(TokioRuntime),
    )?)
}

#[allow(
    clippy::disallowed_methods,
    reason = "a bare relay opens its sockets the way quinn's users do"
)]
fn udp(address: SocketAddr) -> std::io::Result<UdpSocket> {
    let socket = UdpSocket::bind(address)?;
    SockRef::from(&socket).set_recv_buffer_size(SOCKET_BUFFER)?;
    SockRef::from(&socket).set_send_buffer_size(SOCKET_BUFFER)?;
    Ok(socket)
}
