//! Which versions of its libraries this program was built with, from the lock file.

use std::sync::LazyLock;

/// The libraries whose cost it shows.
const LIBRARIES: &[&str] = &["quinn", "rustls", "tokio-rustls", "ring"];

const LOCK_FILE: &str = include_str!("../../../../Cargo.lock");

static VERSIONS: LazyLock<String> = LazyLock::new(|| {
    let known: Vec<String> = LIBRARIES
        .iter()
        .filter_map(|library| Some(format!("{library} {}", version(library)?)))
        .collect();
    known.join(", ")
});

pub(crate) fn versions() -> &'static str {
    VERSIONS.as_str()
}

fn version(library: &str) -> Option<&str> {
    let (_, entry) = LOCK_FILE.split_once(&format!("\nname = \"{library}\"\nversion = \""))?;
    Some(entry.split_once('"')?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_library_has_a_version() {
        let text = versions();
        for library in LIBRARIES {
            assert!(text.contains(&format!("{library} 0.")), "{text}");
        }
    }
}
