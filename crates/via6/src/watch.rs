//! Notices that a file has changed, by looking at it now and then. The system could tell, each in its
//! own way, but not for files on other computers, and not reliably where editors put a new file in
//! the old one's place; a look costs one call.
//!
//! What is being written is left alone: a change counts once it has been the same at two looks.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tokio::time::sleep;
use via6_core::limits::{FILE_LOOK, FILE_READS};

/// What tells one state of a file from another. `None`: it is not there, or cannot be looked at.
type Stamp = Option<(Option<SystemTime>, u64, u64)>;

/// A file that is watched.
pub(crate) struct Watch {
    path: PathBuf,
    /// As it was when somebody was last told to read it.
    told: Stamp,
}

impl Watch {
    /// What changes from now on counts.
    pub(crate) async fn new(path: PathBuf) -> Self {
        let told = stamp(path.clone()).await;
        Self { path, told }
    }

    /// Waits until the file is another than it was at the last return, or at the start. Cancel safe.
    pub(crate) async fn changed(&mut self) {
        let mut before = self.told;
        loop {
            sleep(FILE_LOOK).await;
            let now = stamp(self.path.clone()).await;
            if now == before && now != self.told {
                self.told = now;
                return;
            }
            before = now;
        }
    }
}

/// Looks, without holding up anything else: the file may be far away.
async fn stamp(path: PathBuf) -> Stamp {
    // Fails only while the program ends.
    tokio::task::spawn_blocking(move || stamp_of(&path))
        .await
        .ok()
        .flatten()
}

fn stamp_of(path: &Path) -> Stamp {
    let found = fs::metadata(path).ok()?;
    Some((found.modified().ok(), found.len(), identity(&found)))
}

/// Reads a file that may be written meanwhile: once more, if it was. Waits for the disk.
pub(crate) fn whole<T>(path: &Path, read: impl Fn() -> T) -> T {
    for _ in 0..FILE_READS {
        let before = stamp_of(path);
        let read = read();
        if stamp_of(path) == before {
            return read;
        }
        // Whoever writes is given a moment.
        std::thread::sleep(FILE_LOOK / FILE_READS);
    }
    read()
}

/// Tells a new file in the place of the old one, of the same size and in the same moment.
#[cfg(unix)]
fn identity(found: &fs::Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt;
    found.ino()
}

/// Windows' is not to be had without opening the file.
#[cfg(not(unix))]
fn identity(_: &fs::Metadata) -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::timeout;

    const PATIENCE: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn a_change_is_told_once_however_it_is_made() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("file");
        fs::write(&path, "one").unwrap();
        let mut watch = Watch::new(path.clone()).await;
        let nothing = timeout(3 * FILE_LOOK, watch.changed()).await;
        assert!(nothing.is_err(), "nothing has changed");
        let changes: [&dyn Fn(); 4] = [
            &|| fs::write(&path, "another").unwrap(),
            // As editors do it: of the same size, maybe in the same moment.
            &|| {
                let new = home.path().join("new");
                fs::write(&new, "anothr!").unwrap();
                fs::rename(&new, &path).unwrap();
            },
            &|| fs::remove_file(&path).unwrap(),
            &|| fs::write(&path, "back").unwrap(),
        ];
        for change in changes {
            change();
            timeout(PATIENCE, watch.changed()).await.expect("a change");
        }
        let nothing = timeout(3 * FILE_LOOK, watch.changed()).await;
        assert!(nothing.is_err(), "it was told already");
    }
}
