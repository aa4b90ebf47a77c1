//! Who has the state folder: one process at a time, for as long as it lives. The system gives the
//! lock back when a process ends, however it ends, so there is nothing to tidy up after a crash.
//!
//! The file of the lock is empty and stays where it is: were it removed, two processes might lock
//! two files of that name. Who holds it stands beside it, since Windows lets nobody read a locked
//! file; that is for messages, and for Windows' pipe, and may be out of date.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read};

use serde::{Deserialize, Serialize};

use super::folder::Folder;
use super::trouble::Trouble;

const LOCK: &str = "via6.lock";
const RUNNING: &str = "running.json";

/// Bytes of [`RUNNING`] that are read; it has some hundred.
const RUNNING_BYTES_MAX: u64 = 4096;

/// Who has, or had, the lock.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Holder {
    pub(crate) pid: u32,
    pub(crate) version: String,
    /// The name of the pipe that it answers on, where there are no sockets in folders: on Windows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pipe: Option<String>,
}

impl Holder {
    /// How the name of each pipe of ours begins.
    #[cfg(any(windows, test))]
    pub(crate) const PIPE: &str = r"\\.\pipe\via6-";

    /// Who says to have the lock. `None` if nobody does, or what is said makes no sense.
    pub(crate) fn read(folder: &Folder) -> Option<Self> {
        let mut text = String::new();
        let file = File::open(folder.join(RUNNING)).ok()?;
        file.take(RUNNING_BYTES_MAX)
            .read_to_string(&mut text)
            .ok()?;
        serde_json::from_str(&text).ok()
    }

    fn this() -> Self {
        Self {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pipe: cfg!(windows).then(unguessable_pipe),
        }
    }
}

/// A new name each time: nobody can be waiting under it to be taken for us.
fn unguessable_pipe() -> String {
    use std::hash::{BuildHasher, RandomState};
    // Keyed by the system's randomness.
    let random = || RandomState::new().hash_one(std::process::id());
    format!(r"\\.\pipe\via6-{:016x}{:016x}", random(), random())
}

/// The right to write in the state folder and to answer there.
#[derive(Debug)]
pub(crate) struct Lock {
    folder: Folder,
    holder: Holder,
    /// Unlocked when it is closed.
    _file: File,
}

/// Why the lock was not taken.
#[derive(Debug)]
pub(crate) enum Untaken {
    /// Another via6 has it, the one that is named if it could be read.
    Held(Option<Holder>),
    Trouble(Trouble),
}

impl Lock {
    /// Takes it if nobody has it. Never waits.
    pub(crate) fn take(folder: &Folder) -> Result<Self, Untaken> {
        let path = folder.join(LOCK);
        let trouble = |error| Untaken::Trouble(Trouble::Lock { path, error });
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600);
        }
        let file = match options.open(folder.join(LOCK)) {
            Ok(file) => file,
            Err(error) => return Err(trouble(error)),
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Untaken::Held(Holder::read(folder))),
            Err(TryLockError::Error(error)) => return Err(trouble(error)),
        }
        let lock = Self {
            folder: folder.clone(),
            holder: Holder::this(),
            _file: file,
        };
        match lock.tell() {
            Ok(()) => Ok(lock),
            Err(error) => Err(trouble(error)),
        }
    }

    fn tell(&self) -> io::Result<()> {
        let line = serde_json::to_string(&self.holder)? + "\n";
        self.folder.replace(RUNNING, line.as_bytes())
    }

    /// Who this is. The pipe's name is in it.
    #[cfg(any(windows, test))]
    pub(crate) fn holder(&self) -> &Holder {
        &self.holder
    }

    pub(crate) fn folder(&self) -> &Folder {
        &self.folder
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // If it stays, it names a process that is gone, as after a crash: nobody trusts it.
        let _ = std::fs::remove_file(self.folder.join(RUNNING));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, Folder) {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::open(Some(home.path())).unwrap();
        (home, folder)
    }

    #[test]
    fn the_second_is_told_who_was_first() {
        let (_home, folder) = folder();
        let first = Lock::take(&folder).unwrap();
        let Err(Untaken::Held(Some(holder))) = Lock::take(&folder) else {
            panic!("taken twice");
        };
        assert_eq!(holder.pid, std::process::id());
        assert_eq!(&holder, first.holder());
        drop(first);
        assert_eq!(Holder::read(&folder), None);
        Lock::take(&folder).unwrap();
    }

    /// After a crash there is a file that names a process, and no lock.
    #[test]
    fn what_a_killed_process_left_behind_keeps_nobody_out() {
        let (_home, folder) = folder();
        std::fs::write(folder.join(LOCK), "").unwrap();
        std::fs::write(folder.join(RUNNING), r#"{"pid":1,"version":"0.0.1"}"#).unwrap();
        let lock = Lock::take(&folder).unwrap();
        assert_eq!(Holder::read(&folder).as_ref(), Some(lock.holder()));
    }

    #[test]
    fn a_holder_that_cannot_be_read_is_still_a_holder() {
        let (_home, folder) = folder();
        let _first = Lock::take(&folder).unwrap();
        for nonsense in [&b"\xff\xfe"[..], b"", b"[]", b"{\"pid\":-1}"] {
            std::fs::write(folder.join(RUNNING), nonsense).unwrap();
            assert!(matches!(Lock::take(&folder), Err(Untaken::Held(None))));
        }
    }

    #[test]
    fn a_folder_in_the_way_of_the_lock_is_told() {
        let (_home, folder) = folder();
        std::fs::create_dir(folder.join(LOCK)).unwrap();
        let Err(Untaken::Trouble(trouble)) = Lock::take(&folder) else {
            panic!("locked a folder");
        };
        assert!(trouble.to_string().contains(LOCK), "{trouble}");
    }

    #[test]
    fn pipes_have_names_that_nobody_can_wait_under() {
        assert_ne!(unguessable_pipe(), unguessable_pipe());
        assert!(unguessable_pipe().starts_with(Holder::PIPE));
    }
}
