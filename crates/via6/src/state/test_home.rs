//! A state folder for the tests of its files.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use super::document::{Kind, damaged};
use super::folder::Folder;
use super::lock::Lock;

pub(super) struct Home {
    pub(super) folder: Folder,
    pub(super) lock: Arc<Lock>,
    _place: tempfile::TempDir,
}

impl Home {
    pub(super) fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(Some(place.path())).unwrap();
        let lock = Arc::new(Lock::take(&folder).unwrap());
        Self {
            folder,
            lock,
            _place: place,
        }
    }

    /// With this in the file.
    pub(super) fn with(file: &str, text: impl AsRef<[u8]>) -> Self {
        let home = Self::new();
        fs::write(home.join(file), text).unwrap();
        home
    }

    pub(super) fn join(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }

    pub(super) fn bytes(&self, file: &str) -> Vec<u8> {
        fs::read(self.join(file)).unwrap()
    }

    /// The damaged files of this kind, the oldest first.
    pub(super) fn aside(&self, kind: Kind) -> Vec<Vec<u8>> {
        let mut times = damaged(&self.folder, kind);
        times.sort_unstable();
        let read = |time| self.bytes(&format!("{}{time}", kind.damaged()));
        times.into_iter().map(read).collect()
    }

    /// Permissions of the file, see chmod(2).
    #[cfg(unix)]
    pub(super) fn mode(&self, file: &str) -> u32 {
        use std::os::unix::fs::PermissionsExt;
        let found = fs::metadata(self.join(file)).unwrap();
        found.permissions().mode() & 0o777
    }
}
