//! `via6 config`: what is said of files that are wrong, in the exact words (`config/mistakes.txt`), what
//! a right file comes to, and that the examples of the documentation are right.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stands outside of via6: it is the game, the player and the clock, and may panic"
)]

mod support;

#[path = "config/examples.rs"]
mod examples;
#[path = "config/files.rs"]
mod files;
#[path = "config/mistakes.rs"]
mod mistakes;
#[path = "config/shown.rs"]
mod shown;

use std::path::{Path, PathBuf};

use support::{Ended, via6};

/// A folder of its own, gone at the end.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    /// The same with a `via6.toml` in it.
    fn with(content: impl AsRef<[u8]>) -> Self {
        let folder = Self::new();
        folder.write("via6.toml", content);
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).expect("writing a file");
    }

    /// Runs a command in it.
    fn run(&self, line: &str) -> Ended {
        via6(line).within(self.0.path()).end()
    }
}

/// The examples of the documentation.
fn examples() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/examples");
    let files = std::fs::read_dir(folder).expect("the examples");
    let paths = files.map(|file| file.expect("an example").path());
    let examples: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|ending| ending == "toml"))
        .collect();
    assert!(examples.len() >= 6, "{examples:?}");
    examples
}
