//! A TUN device: what the system routes into it can be read here, packet by packet, and what is
//! written here arrives from it.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;

use crate::failure::{During, Outcome, skipped};
use crate::system;

const DEVICE: &str = "/dev/net/tun";

/// Packets that may wait in the device until they are read. The system's own 500 would be full after
/// some milliseconds of bulk, and lose packets by another chance than the seed's.
const QUEUE: u32 = 20_000;

/// A device in the network namespace of the thread that opened it. It goes when this is dropped.
#[derive(Debug)]
pub struct Tun(File);

impl Tun {
    /// Makes a device of this name here. It is up, without addresses.
    pub fn open(name: &str) -> Outcome<Self> {
        let opened = File::options()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(DEVICE);
        let file = match opened {
            Ok(file) => file,
            Err(error) => return skipped(format!("cannot open {DEVICE}: {error}")),
        };
        become_device(&file, name).during(format!("making the device {name}"))?;
        system::ip(&format!("link set {name} txqueuelen {QUEUE} up"))?;
        Ok(Self(file))
    }

    /// Reads one packet; `None` if none waits.
    pub(super) fn read(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        match (&self.0).read(buffer) {
            Ok(len) => Ok(Some(len)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Lets a packet arrive.
    pub(super) fn write(&self, packet: &[u8]) -> io::Result<()> {
        (&self.0).write(packet).map(drop)
    }
}

impl AsFd for Tun {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[allow(unsafe_code, reason = "no safe wrapper of this ioctl exists")]
fn become_device(file: &File, name: &str) -> io::Result<()> {
    // SAFETY: a structure of integers and arrays of them, for which zeros are valid.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    if name.len() >= request.ifr_name.len() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = libc::c_char::from_ne_bytes([from]);
    }
    // Bare IP packets, without the kernel's own header. The flags are small constants.
    request.ifr_ifru.ifru_flags =
        libc::c_short::try_from(libc::IFF_TUN | libc::IFF_NO_PI).map_err(io::Error::other)?;
    // SAFETY: TUNSETIFF reads and writes one `ifreq` through a valid pointer, and the descriptor is
    // open as long as `file` is borrowed.
    let result = unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, &raw mut request) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
