//! Datagrams received several at a time.
//!
//! On Linux one call takes all that wait (recvmmsg(2)), and a call that comes back with fewer than
//! it had room for has emptied the queue: a lone datagram costs one call, not a second one that says
//! so. Elsewhere it is one datagram a call, until a call says `WouldBlock`.

use std::io;
use std::net::{IpAddr, SocketAddr};

use mio::net::UdpSocket;
use via6_core::limits::{DATAGRAM_BATCH, DATAGRAM_BUFFER};

/// One datagram that came in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival<'a> {
    pub(crate) payload: &'a [u8],
    pub(crate) from: SocketAddr,
    /// The address of ours it was sent to, where the socket was told to report it.
    pub(crate) to: Option<IpAddr>,
}

/// What a [`Batch`] keeps of one datagram beside its bytes.
#[derive(Clone, Copy, Debug)]
struct Label {
    len: usize,
    /// `None`: of no family that we know, which cannot be.
    from: Option<SocketAddr>,
    to: Option<IpAddr>,
}

/// Room for [`DATAGRAM_BATCH`] datagrams of any size: memory that is touched only as far as
/// datagrams fill it.
pub(crate) struct Batch {
    bytes: Box<[u8]>,
    labels: Vec<Label>,
    #[cfg(target_os = "linux")]
    places: places::Places,
}

impl Batch {
    pub(crate) fn new() -> Self {
        Self {
            bytes: vec![0; DATAGRAM_BATCH * DATAGRAM_BUFFER].into_boxed_slice(),
            #[cfg(target_os = "linux")]
            places: places::Places::new(),
            labels: Vec::with_capacity(DATAGRAM_BATCH),
        }
    }

    /// Takes what waits, as far as there is room. True: there may be more. Fails with `WouldBlock`
    /// when nothing waits.
    #[cfg(target_os = "linux")]
    pub(crate) fn receive(&mut self, socket: &UdpSocket) -> io::Result<bool> {
        self.labels.clear();
        self.places
            .receive(socket, &mut self.bytes, &mut self.labels)?;
        Ok(self.labels.len() == DATAGRAM_BATCH)
    }

    /// Takes one datagram; see above.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn receive(&mut self, socket: &UdpSocket) -> io::Result<bool> {
        self.labels.clear();
        #[cfg(target_os = "macos")]
        let (len, from, to) = super::pktinfo::recv(socket, &mut self.bytes)?;
        #[cfg(not(target_os = "macos"))]
        let (len, from, to) = socket
            .recv_from(&mut self.bytes)
            .map(|(len, from)| (len, from, None))?;
        let from = Some(from);
        self.labels.push(Label { len, from, to });
        Ok(true)
    }

    /// What the last call took, in order.
    pub(crate) fn arrivals(&self) -> impl Iterator<Item = Arrival<'_>> {
        let rooms = self.bytes.chunks_exact(DATAGRAM_BUFFER);
        rooms.zip(&self.labels).filter_map(|(room, label)| {
            Some(Arrival {
                payload: room.get(..label.len)?,
                from: label.from?,
                to: label.to,
            })
        })
    }
}

#[cfg(target_os = "linux")]
#[allow(
    unsafe_code,
    reason = "one system call whose headers no crate lets us use again"
)]
mod places {
    use std::io;
    use std::mem::{size_of, zeroed};
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
    use std::os::fd::AsRawFd;
    use std::ptr;

    use mio::net::UdpSocket;
    use via6_core::limits::{DATAGRAM_BATCH, DATAGRAM_BUFFER};

    use super::Label;

    /// Room for one `IP_PKTINFO` or `IPV6_PKTINFO`, aligned as the system wants it.
    #[derive(Clone, Copy)]
    #[repr(align(8))]
    struct Control([u8; 64]);

    /// Where recvmmsg(2) puts what it says of each datagram.
    pub(super) struct Places {
        names: Box<[libc::sockaddr_storage; DATAGRAM_BATCH]>,
        controls: Box<[Control; DATAGRAM_BATCH]>,
    }

    impl Places {
        pub(super) fn new() -> Self {
            Self {
                // SAFETY: plain integers and bytes, for which zero is a value.
                names: Box::new([unsafe { zeroed() }; DATAGRAM_BATCH]),
                controls: Box::new([Control([0; 64]); DATAGRAM_BATCH]),
            }
        }

        /// Receives into `bytes`, one datagram to each [`DATAGRAM_BUFFER`] of them, and says what
        /// came.
        pub(super) fn receive(
            &mut self,
            socket: &UdpSocket,
            bytes: &mut [u8],
            labels: &mut Vec<Label>,
        ) -> io::Result<()> {
            let name_len = libc::socklen_t::try_from(size_of::<libc::sockaddr_storage>());
            let name_len = name_len.unwrap_or(0);
            // SAFETY: plain integers and pointers, for which zero is a value.
            let mut rooms: [libc::iovec; DATAGRAM_BATCH] = unsafe { zeroed() };
            // SAFETY: as above.
            let mut headers: [libc::mmsghdr; DATAGRAM_BATCH] = unsafe { zeroed() };
            let parts = headers
                .iter_mut()
                .zip(&mut rooms)
                .zip(self.names.iter_mut().zip(self.controls.iter_mut()));
            for (((header, room), (name, control)), bytes) in
                parts.zip(bytes.chunks_exact_mut(DATAGRAM_BUFFER))
            {
                room.iov_base = bytes.as_mut_ptr().cast();
                room.iov_len = bytes.len();
                header.msg_hdr.msg_iov = room;
                header.msg_hdr.msg_iovlen = 1;
                header.msg_hdr.msg_name = ptr::from_mut(name).cast();
                header.msg_hdr.msg_namelen = name_len;
                header.msg_hdr.msg_control = control.0.as_mut_ptr().cast();
                header.msg_hdr.msg_controllen = control.0.len();
            }
            // SAFETY: every header points to a place of its own, as long as it says: parts of
            // `self` and of `bytes`, borrowed mutably until the call returns. (One that found no
            // place among the bytes has no room at all.) The descriptor is open meanwhile.
            let count = unsafe {
                libc::recvmmsg(
                    socket.as_raw_fd(),
                    headers.as_mut_ptr(),
                    libc::c_uint::try_from(DATAGRAM_BATCH).unwrap_or(0),
                    libc::MSG_DONTWAIT,
                    ptr::null_mut(),
                )
            };
            let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
            let told = self.names.iter().zip(self.controls.iter());
            labels.extend(
                headers
                    .iter()
                    .zip(told)
                    .take(count)
                    .map(|(header, (name, control))| Label {
                        len: header.msg_len as usize,
                        from: sender(name),
                        to: destination(control, header.msg_hdr.msg_controllen),
                    }),
            );
            Ok(())
        }
    }

    fn sender(name: &libc::sockaddr_storage) -> Option<SocketAddr> {
        match libc::c_int::from(name.ss_family) {
            libc::AF_INET => {
                // SAFETY: the family says which of its forms the storage has; it is larger and more
                // aligned than any.
                let v4 = unsafe { &*ptr::from_ref(name).cast::<libc::sockaddr_in>() };
                let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
                Some(SocketAddrV4::new(ip, u16::from_be(v4.sin_port)).into())
            }
            libc::AF_INET6 => {
                // SAFETY: as above.
                let v6 = unsafe { &*ptr::from_ref(name).cast::<libc::sockaddr_in6>() };
                let (ip, port) = (v6.sin6_addr.s6_addr.into(), u16::from_be(v6.sin6_port));
                Some(SocketAddrV6::new(ip, port, v6.sin6_flowinfo, v6.sin6_scope_id).into())
            }
            _ => None,
        }
    }

    /// Which address of ours it was sent to (ip(7) `IP_PKTINFO`, RFC 3542 §6.2), if that was asked.
    fn destination(control: &Control, filled: usize) -> Option<IpAddr> {
        /// Where the data of the first message begins, and so the least that tells anything.
        // SAFETY: only computes.
        const DATA: usize = unsafe { libc::CMSG_LEN(0) } as usize;

        let filled = control.0.get(..filled)?;
        let data = filled.get(DATA..)?;
        // SAFETY: `filled` is longer than a header, which is plain integers.
        let head = unsafe { filled.as_ptr().cast::<libc::cmsghdr>().read_unaligned() };
        match (head.cmsg_level, head.cmsg_type) {
            (libc::IPPROTO_IP, libc::IP_PKTINFO) if data.len() >= size_of::<libc::in_pktinfo>() => {
                // SAFETY: it is that long, and plain integers.
                let info = unsafe { data.as_ptr().cast::<libc::in_pktinfo>().read_unaligned() };
                // Not `ipi_addr`: of a broadcast that is no address to answer from.
                Some(Ipv4Addr::from(u32::from_be(info.ipi_spec_dst.s_addr)).into())
            }
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO)
                if data.len() >= size_of::<libc::in6_pktinfo>() =>
            {
                // SAFETY: as above.
                let info = unsafe { data.as_ptr().cast::<libc::in6_pktinfo>().read_unaligned() };
                Some(Ipv6Addr::from(info.ipi6_addr.s6_addr).into())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(at: &str) -> (UdpSocket, UdpSocket) {
        let bind = || UdpSocket::bind(at.parse().unwrap()).unwrap();
        let (near, far) = (bind(), bind());
        near.connect(far.local_addr().unwrap()).unwrap();
        (near, far)
    }

    /// One batch for both families, larger and smaller datagrams by turns: nothing of one call shows
    /// in the next.
    #[test]
    fn each_datagram_comes_whole_with_its_sender_however_often_the_batch_is_used() {
        let mut batch = Batch::new();
        let pairs = [pair("127.0.0.1:0"), pair("[::1]:0")];
        for round in 0..5_u8 {
            for (near, far) in &pairs {
                let sizes = [0, 1, 65_000, 3, usize::from(round)];
                for size in sizes {
                    near.send(&vec![round; size]).unwrap();
                }
                let mut heard = Vec::new();
                while heard.len() < sizes.len() {
                    batch.receive(far).unwrap();
                    for arrival in batch.arrivals() {
                        assert_eq!(arrival.from, near.local_addr().unwrap());
                        assert!(arrival.payload.iter().all(|&byte| byte == round));
                        heard.push(arrival.payload.len());
                    }
                }
                assert_eq!(heard, sizes);
                let error = batch.receive(far).unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
            }
        }
    }

    #[test]
    fn a_full_batch_says_that_there_may_be_more() {
        let (near, far) = pair("127.0.0.1:0");
        let mut batch = Batch::new();
        for _ in 0..=DATAGRAM_BATCH {
            near.send(b"x").unwrap();
        }
        assert!(batch.receive(&far).unwrap());
        let more = batch.receive(&far).unwrap();
        assert_eq!(more, cfg!(not(target_os = "linux")));
    }
}
