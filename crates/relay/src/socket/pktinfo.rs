//! Datagrams with the local address they were sent to, and replies from that same address
//! (ip(7) `IP_PKTINFO`; RFC 3542 §6). Without it, a host with several addresses answers from one
//! that the player's game has never heard of.

use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;

use mio::net::UdpSocket;
use nix::libc::{in_addr, in_pktinfo, in6_addr, in6_pktinfo};
use nix::sys::socket::{ControlMessage, MsgFlags, SockaddrIn, SockaddrIn6, sendmsg};

#[cfg(target_os = "macos")]
pub(super) use self::one::recv;

/// Sends one datagram from an address of ours.
pub(super) fn send(
    socket: &UdpSocket,
    payload: &[u8],
    to: SocketAddr,
    from: IpAddr,
) -> io::Result<()> {
    let (fd, slices) = (socket.as_raw_fd(), [IoSlice::new(payload)]);
    match (to, from) {
        (SocketAddr::V4(to), IpAddr::V4(from)) => {
            let info = in_pktinfo {
                ipi_ifindex: 0,
                ipi_spec_dst: in_addr {
                    s_addr: u32::from(from).to_be(),
                },
                ipi_addr: in_addr { s_addr: 0 },
            };
            let control = [ControlMessage::Ipv4PacketInfo(&info)];
            sendmsg(
                fd,
                &slices,
                &control,
                MsgFlags::empty(),
                Some(&SockaddrIn::from(to)),
            )?;
        }
        (SocketAddr::V6(to), IpAddr::V6(from)) => {
            // The interface stays open: a link-local destination names its own in `to`.
            let info = in6_pktinfo {
                ipi6_addr: in6_addr {
                    s6_addr: from.octets(),
                },
                ipi6_ifindex: 0,
            };
            let control = [ControlMessage::Ipv6PacketInfo(&info)];
            sendmsg(
                fd,
                &slices,
                &control,
                MsgFlags::empty(),
                Some(&SockaddrIn6::from(to)),
            )?;
        }
        _ => return Err(io::ErrorKind::InvalidInput.into()),
    }
    Ok(())
}

/// Receiving one at a time. On Linux a [`Batch`](super::Batch) does it.
#[cfg(target_os = "macos")]
mod one {
    use std::io::{self, IoSliceMut};
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
    use std::os::fd::AsRawFd;

    use mio::net::UdpSocket;
    use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg};

    /// Room for one control message of either family, aligned as the system wants it.
    #[repr(align(8))]
    struct ControlBuffer([u8; 128]);

    /// Takes one datagram: its length, who sent it, and which address of ours it was sent to.
    pub(crate) fn recv(
        socket: &UdpSocket,
        buffer: &mut [u8],
    ) -> io::Result<(usize, SocketAddr, Option<IpAddr>)> {
        let mut control = ControlBuffer([0; 128]);
        let mut slices = [IoSliceMut::new(buffer)];
        let message = recvmsg::<SockaddrStorage>(
            socket.as_raw_fd(),
            &mut slices,
            Some(&mut control.0),
            MsgFlags::empty(),
        )?;
        let from = message
            .address
            .as_ref()
            .and_then(std_address)
            .ok_or_else(|| io::Error::other("a datagram without a sender"))?;
        let to = message.cmsgs()?.find_map(|message| match message {
            ControlMessageOwned::Ipv4PacketInfo(info) => {
                // macOS fills only the destination; Linux' own choice differs from it for broadcasts.
                let ours = if cfg!(target_os = "macos") {
                    info.ipi_addr
                } else {
                    info.ipi_spec_dst
                };
                Some(Ipv4Addr::from(u32::from_be(ours.s_addr)).into())
            }
            ControlMessageOwned::Ipv6PacketInfo(info) => {
                Some(Ipv6Addr::from(info.ipi6_addr.s6_addr).into())
            }
            _ => None,
        });
        Ok((message.bytes, from, to))
    }

    fn std_address(address: &SockaddrStorage) -> Option<SocketAddr> {
        let v4 = || {
            address
                .as_sockaddr_in()
                .map(|v4| SocketAddrV4::from(*v4).into())
        };
        address
            .as_sockaddr_in6()
            .map(|v6| SocketAddrV6::from(*v6).into())
            .or_else(v4)
    }
}
