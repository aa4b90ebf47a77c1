//! Where the running via6 is asked: a socket in the state folder, or a pipe on Windows. Both are for
//! this user alone. What is said there is `server`'s and `connection`'s.
//!
//! The socket is made by whoever holds the lock, who may therefore remove one that a killed process
//! left. It is removed again before the lock is given back.

use std::io;

use interprocess::local_socket::tokio::prelude::*;
use interprocess::local_socket::tokio::{Listener, Stream};
use interprocess::local_socket::{GenericFilePath, ListenerOptions, Name};

use super::lines::{Reading, Writing};
use crate::state::{Folder, Lock};

/// Both directions of a conversation.
pub(super) fn split<S>(stream: S) -> (Reading, Writing)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + 'static,
{
    let (reading, writing) = tokio::io::split(stream);
    (Box::new(reading), Box::new(writing))
}

/// The place of a running via6.
#[derive(Debug)]
pub(super) struct Place {
    listener: Listener,
    #[cfg(unix)]
    socket: unix::Socket,
}

impl Place {
    pub(super) async fn accept(&self) -> io::Result<Stream> {
        self.listener.accept().await
    }
}

#[cfg(unix)]
pub(super) use unix::dial;
#[cfg(windows)]
pub(super) use windows::dial;

#[cfg(unix)]
mod unix {
    use std::fs::{File, Permissions};
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::path::PathBuf;

    use interprocess::local_socket::ConnectOptions;

    use super::*;

    const SOCKET: &str = "control.sock";

    /// Bytes of a path that a socket may have: `sun_path` less its final 0, see unix(7).
    const PATH_BYTES_MAX: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

    /// The file of a socket of ours.
    #[derive(Debug)]
    pub(super) struct Socket {
        path: PathBuf,
        /// Who we are, for the system.
        owner: u32,
    }

    impl Drop for Socket {
        fn drop(&mut self) {
            // One that stays answers nobody, and is removed by whoever has the lock next.
            let _ = std::fs::remove_file(&self.path);
        }
    }

    impl Place {
        pub(in super::super) fn new(lock: &Lock) -> io::Result<Self> {
            let way = Way::to(lock.folder())?;
            let path = lock.folder().join(SOCKET);
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let options = ListenerOptions::new().name(way.name()?).reclaim_name(false);
            let listener = options.create_tokio()?;
            let mut socket = Socket { path, owner: 0 };
            std::fs::set_permissions(&socket.path, Permissions::from_mode(0o600))?;
            socket.owner = std::fs::symlink_metadata(&socket.path)?.uid();
            Ok(Self { listener, socket })
        }

        /// True if it is this user who asks, or the administrator. Others have no way through the
        /// permissions of the socket; this holds where a system does not look at those.
        pub(in super::super) fn is_ours(&self, stream: &Stream) -> bool {
            const ADMINISTRATOR: u32 = 0;
            let user = stream.peer_creds().ok().and_then(|peer| peer.euid());
            user.is_some_and(|user| user == self.socket.owner || user == ADMINISTRATOR)
        }
    }

    /// A path to the socket that the system takes.
    struct Way {
        path: PathBuf,
        /// What the path leads through.
        _folder: Option<File>,
    }

    impl Way {
        fn to(folder: &Folder) -> io::Result<Self> {
            let path = folder.join(SOCKET);
            if path.as_os_str().len() <= PATH_BYTES_MAX {
                return Ok(Self {
                    path,
                    _folder: None,
                });
            }
            Self::around(folder)
        }

        /// Past the length of the folder's name, through a descriptor of it.
        #[cfg(target_os = "linux")]
        fn around(folder: &Folder) -> io::Result<Self> {
            use std::os::fd::AsRawFd;
            let opened = File::open(folder.path())?;
            let path = format!("/proc/self/fd/{}/{SOCKET}", opened.as_raw_fd());
            Ok(Self {
                path: path.into(),
                _folder: Some(opened),
            })
        }

        #[cfg(not(target_os = "linux"))]
        fn around(_: &Folder) -> io::Result<Self> {
            Err(io::Error::new(
                io::ErrorKind::InvalidFilename,
                "its name is too long for a socket",
            ))
        }

        fn name(&self) -> io::Result<Name<'_>> {
            self.path.as_path().to_fs_name::<GenericFilePath>()
        }
    }

    /// Reaches whoever answers in this folder.
    pub(in super::super) async fn dial(folder: &Folder) -> io::Result<(Reading, Writing)> {
        let way = Way::to(folder)?;
        let options = ConnectOptions::new().name(way.name()?);
        Ok(split(options.connect_tokio().await?))
    }
}

#[cfg(windows)]
mod windows {
    use std::ffi::OsStr;

    use interprocess::os::windows::ToWtf16;
    use interprocess::os::windows::local_socket::ListenerOptionsExt;
    use interprocess::os::windows::security_descriptor::SecurityDescriptor;
    use tokio::net::windows::named_pipe::ClientOptions;
    use via6_core::limits::CONTROL_RETRY;

    use super::*;
    use crate::state::Holder;

    /// Everything (GA) for the owner of the pipe (OW), nothing inherited (P) and so nothing for
    /// anybody else, in Windows' security descriptor string format.
    const OWNER_ALONE: &str = "D:P(A;;GA;;;OW)";

    /// All instances of a pipe are taken, for the moment; see CreateFile.
    const PIPE_BUSY: i32 = 231;

    impl Place {
        pub(in super::super) fn new(lock: &Lock) -> io::Result<Self> {
            let pipe = lock.holder().pipe.as_deref();
            let pipe = pipe.ok_or(io::ErrorKind::NotFound)?;
            let text = OsStr::new(OWNER_ALONE).to_wtf_16();
            let text = text.map_err(|_| io::ErrorKind::InvalidInput)?;
            // Clients of other computers are refused unless they are asked for.
            let options = ListenerOptions::new()
                .name(name(pipe)?)
                .security_descriptor(SecurityDescriptor::deserialize(&text)?);
            let listener = options.create_tokio()?;
            Ok(Self { listener })
        }

        /// The pipe itself admits nobody else.
        #[allow(clippy::unused_self, reason = "other systems look at what they hold")]
        pub(in super::super) fn is_ours(&self, _: &Stream) -> bool {
            true
        }
    }

    fn name(pipe: &str) -> io::Result<Name<'_>> {
        OsStr::new(pipe).to_fs_name::<GenericFilePath>()
    }

    /// Reaches whoever answers in this folder. Tokio's own client: it lets the other side see who
    /// we are, but not act as us.
    pub(in super::super) async fn dial(folder: &Folder) -> io::Result<(Reading, Writing)> {
        let pipe = Holder::read(folder).and_then(|holder| holder.pipe);
        // A name that somebody else wrote there must not lead to another computer.
        let pipe = pipe.filter(|pipe| pipe.starts_with(Holder::PIPE));
        let pipe = pipe.ok_or(io::ErrorKind::NotFound)?;
        loop {
            match ClientOptions::new().open(&pipe) {
                Err(error) if error.raw_os_error() == Some(PIPE_BUSY) => {}
                opened => return opened.map(split),
            }
            tokio::time::sleep(CONTROL_RETRY).await;
        }
    }
}
