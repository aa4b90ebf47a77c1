//! A path between joiner and host that can be cut: one port of UDP and TCP that leads to another.

use std::collections::HashMap;
use std::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::watch;

/// Forwards to a host until it is told not to.
pub struct Path {
    pub port: u16,
    udp_passes: Arc<AtomicBool>,
    /// Counts how often TCP connections were broken; odd: none is taken.
    tcp_cuts: watch::Sender<u32>,
}

impl Path {
    pub fn to(host: SocketAddr) -> Self {
        let (tcp, udp) = super::both_on(0);
        let port = udp.local_addr().unwrap().port();
        let udp_passes = Arc::new(AtomicBool::new(true));
        let tcp_cuts = watch::Sender::new(0);
        tokio::spawn(forward_udp(Arc::new(udp), host, Arc::clone(&udp_passes)));
        tokio::spawn(forward_tcp(tcp, host, tcp_cuts.subscribe()));
        Self {
            port,
            udp_passes,
            tcp_cuts,
        }
    }

    /// Datagrams vanish, or pass again.
    pub fn pass_udp(&self, passes: bool) {
        self.udp_passes.store(passes, Ordering::Relaxed);
    }

    /// Connections are reset, and no new ones taken; or they are again.
    pub fn pass_tcp(&self, passes: bool) {
        self.tcp_cuts.send_modify(|cuts| {
            if (*cuts % 2 == 0) != passes {
                *cuts += 1;
            }
        });
    }
}

async fn forward_udp(outside: Arc<UdpSocket>, host: SocketAddr, passes: Arc<AtomicBool>) {
    let mut inside: HashMap<SocketAddr, Arc<UdpSocket>> = HashMap::new();
    let mut buffer = vec![0; 65_536];
    while let Ok((count, from)) = outside.recv_from(&mut buffer).await {
        let known = inside.get(&from).cloned();
        let to_host = if let Some(known) = known {
            known
        } else {
            let socket = Arc::new(UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).await.unwrap());
            socket.connect(host).await.unwrap();
            let (back, outside) = (Arc::clone(&socket), Arc::clone(&outside));
            tokio::spawn(send_back(back, outside, from, Arc::clone(&passes)));
            inside.insert(from, Arc::clone(&socket));
            socket
        };
        if passes.load(Ordering::Relaxed) {
            let _ = to_host.send(&buffer[..count]).await;
        }
    }
}

async fn forward_tcp(listener: TcpListener, host: SocketAddr, cuts: watch::Receiver<u32>) {
    while let Ok((mut near, _)) = listener.accept().await {
        let mut cut = cuts.clone();
        if *cut.borrow_and_update() % 2 == 1 {
            let _ = near.set_zero_linger();
            continue;
        }
        tokio::spawn(async move {
            let Ok(mut far) = TcpStream::connect(host).await else {
                return;
            };
            tokio::select! {
                _ = copy_bidirectional(&mut near, &mut far) => {}
                _ = cut.changed() => {
                    let _ = near.set_zero_linger();
                    let _ = far.set_zero_linger();
                }
            }
        });
    }
}

async fn send_back(
    inside: Arc<UdpSocket>,
    outside: Arc<UdpSocket>,
    to: SocketAddr,
    passes: Arc<AtomicBool>,
) {
    let mut buffer = vec![0; 65_536];
    loop {
        // An error is the host's port being closed for a moment.
        let Ok(count) = inside.recv(&mut buffer).await else {
            tokio::task::yield_now().await;
            continue;
        };
        if passes.load(Ordering::Relaxed) {
            let _ = outside.send_to(&buffer[..count], to).await;
        }
    }
}
