//! What can be wrong with the state folder, as the person reads it. Nothing here keeps anybody from
//! playing, so each is a warning, except for a command that is about the folder and nothing else.

use std::fmt;
use std::io;
use std::path::PathBuf;

use via6_relay::describe;

use super::lock::Holder;
use crate::failure::Failure;

/// The way out of most of it.
const ELSEWHERE: &str = "--state DIR names another folder";

/// Something is wrong with the state folder or a file in it.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The system knows no home of this user.
    Homeless,
    /// It cannot be made, or looked at.
    Folder { path: PathBuf, error: io::Error },
    /// Something else has its name.
    NotAFolder { path: PathBuf },
    /// Other users of this computer may write there: what is remembered might be theirs.
    #[cfg_attr(
        not(unix),
        allow(dead_code, reason = "Windows has access lists instead")
    )]
    WritableByOthers { path: PathBuf },
    /// It belongs to somebody else, who could not read what is written there as this user.
    #[cfg_attr(
        not(unix),
        allow(dead_code, reason = "Windows has access lists instead")
    )]
    SomebodyElses { path: PathBuf },
    /// Files cannot be made in it.
    Unwritable { path: PathBuf, error: io::Error },
    /// The lock cannot be had, for another reason than that somebody has it.
    Lock { path: PathBuf, error: io::Error },
    /// Another via6 has the lock and does not answer.
    Unanswered {
        path: PathBuf,
        holder: Option<Holder>,
    },
    /// The place to be asked at cannot be made.
    Control { path: PathBuf, error: io::Error },
    /// What is remembered cannot be read now; it stays as it is.
    Unreadable { path: PathBuf, error: io::Error },
    /// It was written by a via6 that knows more; it stays as it is.
    Newer { path: PathBuf, version: u64 },
    /// It was not what via6 writes, and was set aside.
    Damaged {
        path: PathBuf,
        cause: String,
        aside: Option<PathBuf>,
    },
    /// The key of this computer is there, and cannot be read. It is not replaced.
    Identity { path: PathBuf, cause: String },
    /// It could not be written.
    Unwritten { path: PathBuf, error: io::Error },
}

impl Trouble {
    /// The kind of warning, see `docs/reference/events.md`.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Homeless
            | Self::Folder { .. }
            | Self::NotAFolder { .. }
            | Self::WritableByOthers { .. }
            | Self::SomebodyElses { .. }
            | Self::Unwritable { .. }
            | Self::Lock { .. }
            | Self::Unanswered { .. } => "state-unusable",
            Self::Control { .. } => "control-unavailable",
            Self::Unreadable { .. } | Self::Identity { .. } => "state-unreadable",
            Self::Newer { .. } => "state-newer",
            Self::Damaged { .. } => "state-damaged",
            Self::Unwritten { .. } => "state-unwritten",
        }
    }

    /// For a command that can do nothing without the folder.
    pub(crate) fn failure(&self) -> Failure {
        let failure = Failure::runtime(self.to_string());
        match self {
            Self::Identity { .. } => failure
                .detail("the key of this computer is in it: every invite that you gave away names it")
                .hint(
                    "put a copy of the file back, if there is one; moving it away makes a new key, and \
                     then your friends need new invites",
                ),
            _ => failure,
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Homeless => write!(
                f,
                "cannot find a folder to remember things in: this user has no home; {ELSEWHERE}"
            ),
            Self::Folder { path, error } => write!(
                f,
                "cannot use the folder {}: {}; {ELSEWHERE}",
                path.display(),
                describe(error)
            ),
            Self::NotAFolder { path } => write!(
                f,
                "cannot use the folder {}: it is not a folder; {ELSEWHERE}",
                path.display()
            ),
            Self::WritableByOthers { path } => write!(
                f,
                "cannot use the folder {}: others may write there; `chmod go-w` it, or \
                 {ELSEWHERE}",
                path.display()
            ),
            Self::SomebodyElses { path } => write!(
                f,
                "cannot use the folder {}: it belongs to another user; {ELSEWHERE}",
                path.display()
            ),
            Self::Unwritable { path, error } => write!(
                f,
                "cannot write in the folder {}: {}; {ELSEWHERE}",
                path.display(),
                describe(error)
            ),
            Self::Lock { path, error } => write!(
                f,
                "cannot lock {}: {}; {ELSEWHERE}",
                path.display(),
                describe(error)
            ),
            Self::Unanswered { path, holder } => {
                f.write_str("another via6")?;
                if let Some(holder) = holder {
                    write!(f, " (process {})", holder.pid)?;
                }
                write!(
                    f,
                    " uses {} and does not answer; {ELSEWHERE}",
                    path.display()
                )
            }
            Self::Control { path, error } => write!(
                f,
                "cannot be asked by `via6 status`: {}: {}; {ELSEWHERE}",
                path.display(),
                describe(error)
            ),
            Self::Unreadable { path, error } => write!(
                f,
                "cannot read {}: {}; nothing is remembered this time",
                path.display(),
                describe(error)
            ),
            Self::Newer { path, version } => write!(
                f,
                "cannot read {}: a newer via6 wrote it (version {version}); it stays as it is, and \
                 nothing is remembered this time",
                path.display()
            ),
            Self::Damaged { path, cause, aside } => {
                write!(f, "cannot read {}: {cause}; ", path.display())?;
                match aside {
                    Some(aside) => write!(f, "it is kept as {}", aside.display()),
                    None => f.write_str("it stays as it is, and nothing is remembered this time"),
                }
            }
            Self::Identity { path, cause } => write!(f, "cannot read {}: {cause}", path.display()),
            Self::Unwritten { path, error } => write!(
                f,
                "cannot write {}: {}; this is not remembered",
                path.display(),
                describe(error)
            ),
        }
    }
}
