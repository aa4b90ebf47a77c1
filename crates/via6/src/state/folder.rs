//! Which folder it is, and whether it is fit to be trusted: ours, and written by nobody else.
//! What the files in it hold is not decided here.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::path::{Path, PathBuf};

use directories::BaseDirs;

use super::trouble::Trouble;

/// The name of our folder within that of the system.
const OWN: &str = "via6";

/// How files that are not finished yet begin and end. One whose process was killed is removed by
/// the next that has the lock.
pub(super) const UNFINISHED: (&str, &str) = (".via6-", ".tmp");

/// The state folder. It was there when this was made; its files may not be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// To write in: the one that was `given`, else the system's usual place. Made if it is missing,
    /// for this user alone.
    pub(crate) fn open(given: Option<&Path>) -> Result<Self, Trouble> {
        let path = locate(given)?;
        match fs::metadata(&path) {
            Ok(found) if !found.is_dir() => return Err(Trouble::NotAFolder { path }),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make(&path).map_err(|error| Trouble::Folder {
                    path: path.clone(),
                    error,
                })?;
            }
            Err(error) => return Err(Trouble::Folder { path, error }),
        }
        let folder = Self(path);
        folder.check_trust()?;
        Ok(folder)
    }

    /// To look into, without making or writing anything.
    pub(crate) fn find(given: Option<&Path>) -> Result<Self, Trouble> {
        locate(given).map(Self)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn join(&self, file: &str) -> PathBuf {
        self.0.join(file)
    }

    /// A new file that becomes one of the folder's when it is finished; for this user alone.
    pub(super) fn unfinished(&self) -> io::Result<tempfile::NamedTempFile> {
        let (begins, ends) = UNFINISHED;
        tempfile::Builder::new()
            .prefix(begins)
            .suffix(ends)
            .tempfile_in(&self.0)
            .map_err(|error| plain(&error))
    }

    /// Makes `name` hold `bytes`: all of them or, whatever happens meanwhile, what it held before.
    /// Waits for the disk.
    pub(super) fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        use std::io::Write;
        let mut file = self.unfinished()?;
        file.write_all(bytes)?;
        // Without it a power cut may leave the new name with none of the bytes.
        file.as_file().sync_all()?;
        file.persist(self.join(name)).map_err(|error| error.error)?;
        // The rename itself. Not every file system can (nor Windows, where a folder is not opened
        // so); then the old content may be back after a power cut, which is whole as well.
        let _ = File::open(&self.0).and_then(|folder| folder.sync_all());
        Ok(())
    }

    fn check_trust(&self) -> Result<(), Trouble> {
        let path = || self.0.clone();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            /// Write permission of group and others, see chmod(2).
            const OTHERS_WRITE: u32 = 0o022;
            let found = fs::metadata(&self.0);
            let found = found.map_err(|error| Trouble::Folder {
                path: path(),
                error,
            })?;
            if found.permissions().mode() & OTHERS_WRITE != 0 {
                return Err(Trouble::WritableByOthers { path: path() });
            }
        }
        let made = self.unfinished();
        let made = made.map_err(|error| Trouble::Unwritable {
            path: path(),
            error,
        })?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            // Whose files we make is who we are, also where users are mapped (containers, NFS).
            let owner = |read: io::Result<fs::Metadata>| {
                read.map(|found| found.uid())
                    .map_err(|error| Trouble::Folder {
                        path: path(),
                        error,
                    })
            };
            if owner(fs::metadata(&self.0))? != owner(made.as_file().metadata())? {
                return Err(Trouble::SomebodyElses { path: path() });
            }
        }
        drop(made);
        Ok(())
    }
}

/// The system's error without the file name that `tempfile` wraps it with.
fn plain(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::from(error.kind()),
    }
}

fn locate(given: Option<&Path>) -> Result<PathBuf, Trouble> {
    if let Some(path) = given {
        // What is asked of it later must not depend on where a process stands.
        return std::path::absolute(path).map_err(|error| Trouble::Folder {
            path: path.to_owned(),
            error,
        });
    }
    let system = BaseDirs::new().ok_or(Trouble::Homeless)?;
    let parent = system.state_dir().unwrap_or(system.data_local_dir());
    Ok(parent.join(OWN))
}

/// With its parents.
fn make(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_made_with_its_parents_and_a_relative_one_is_absolute() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a/b/c");
        assert_eq!(Folder::open(Some(&path)).unwrap().path(), path);
        assert!(path.is_dir());
        // Once more, now that it is there.
        Folder::open(Some(&path)).unwrap();
        let relative = Folder::find(Some(Path::new("here"))).unwrap();
        assert!(relative.path().is_absolute());
        assert!(!relative.path().exists(), "looking makes nothing");
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_and_its_files_are_for_this_user_alone() {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::open(Some(&home.path().join("a/b"))).unwrap();
        assert_eq!(mode(folder.path()), 0o700);
        assert_eq!(mode(&home.path().join("a")), 0o700);
        folder.replace("file", b"text").unwrap();
        assert_eq!(mode(&folder.join("file")), 0o600);
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_others_may_write_in_is_not_used() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().unwrap();
        for mode in [0o777, 0o770, 0o702] {
            fs::set_permissions(home.path(), fs::Permissions::from_mode(mode)).unwrap();
            let trouble = Folder::open(Some(home.path())).unwrap_err();
            assert!(
                matches!(trouble, Trouble::WritableByOthers { .. }),
                "{trouble}"
            );
            assert!(trouble.to_string().contains("chmod go-w"), "{trouble}");
        }
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
        Folder::open(Some(home.path())).unwrap();
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_folder_of_somebody_else_is_not_used() {
        let home = tempfile::tempdir().unwrap();
        if std::os::unix::fs::chown(home.path(), Some(12_345), None).is_err() {
            // Only the administrator can give a folder away.
            return;
        }
        let trouble = Folder::open(Some(home.path())).unwrap_err();
        assert!(
            matches!(trouble, Trouble::SomebodyElses { .. }),
            "{trouble}"
        );
    }

    #[test]
    fn a_file_in_the_way_is_named() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("file");
        fs::write(&file, "").unwrap();
        let trouble = Folder::open(Some(&file)).unwrap_err();
        assert!(matches!(trouble, Trouble::NotAFolder { .. }), "{trouble}");
        let trouble = Folder::open(Some(&file.join("below"))).unwrap_err();
        let told = trouble.to_string();
        assert!(
            told.contains(&*file.to_string_lossy()) && told.contains("--state DIR"),
            "{told}"
        );
    }

    /// The administrator may write everywhere but where the system has nothing to write to.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_folder_that_cannot_be_written_in_is_told() {
        let trouble = Folder::open(Some(Path::new("/proc/self"))).unwrap_err();
        assert!(matches!(trouble, Trouble::Unwritable { .. }), "{trouble}");
        assert_eq!(trouble.kind(), "state-unusable");
        let trouble = Folder::open(Some(Path::new("/proc/via6"))).unwrap_err();
        assert!(matches!(trouble, Trouble::Folder { .. }), "{trouble}");
    }

    #[test]
    fn what_is_replaced_leaves_nothing_else_behind() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::open(Some(home.path())).unwrap();
        for text in ["one", "two"] {
            folder.replace("file", text.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(folder.join("file")).unwrap(), text);
        }
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
        // In the way of the new name: the file stays unfinished, and is taken away.
        fs::create_dir_all(folder.join("folder/below")).unwrap();
        folder.replace("folder", b"text").unwrap_err();
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 2);
    }
}
