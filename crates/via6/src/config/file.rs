//! From a path to a text: what stands on the disk may be a folder, far too large, or saved by an
//! editor that has its own idea of letters. What the text means is not looked at.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use via6_core::limits::CONFIG_BYTES_MAX;
use via6_relay::describe;

use crate::failure::Failure;

/// The least that a file has to say.
pub(super) const LEAST: &str = "[host.minecraft]\ngame = 25565";

const SAVE_AS_UTF8: &str = "save it as UTF-8: in Notepad, File, Save as, Encoding; in PowerShell, \
                            write it with `Set-Content -Encoding utf8` instead of `>`";

/// A path as it is shown: without anything that would move a terminal's cursor.
pub(crate) fn shown(path: &Path) -> String {
    let text = path.to_string_lossy();
    text.chars().map(super::text::harmless).collect()
}

/// All bytes of a file.
///
/// Only a plain file is read: a pipe could be read only once, and might never end.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let name = shown(path);
    let cannot = |why: &str| format!("cannot read {name}: {why}");
    let metadata = std::fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    if metadata.is_dir() {
        let inside = shown(&path.join("via6.toml"));
        return Err(Failure::usage(cannot("it is a folder"))
            .hint(format!("name the file in it, for instance {inside}")));
    }
    if !metadata.is_file() {
        return Err(Failure::usage(cannot("it is not a file"))
            .hint("write it to a file first: via6 may have to read it again"));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    file.take(CONFIG_BYTES_MAX as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(path, &error))?;
    if bytes.len() > CONFIG_BYTES_MAX {
        let most = CONFIG_BYTES_MAX >> 10;
        return Err(
            Failure::usage(cannot(&format!("it is larger than {most} KiB")))
                .hint("is it the right file? One of via6 has a few lines"),
        );
    }
    Ok(bytes)
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    let name = shown(path);
    let cause = match error.kind() {
        ErrorKind::NotFound => "there is no such file".to_owned(),
        _ => describe(error),
    };
    let failure = Failure::runtime(format!("cannot read {name}: {cause}"));
    match error.kind() {
        ErrorKind::NotFound => failure.hint(instead(path, &name)),
        ErrorKind::PermissionDenied => failure.hint("its permissions keep you from reading it"),
        _ => failure,
    }
}

/// What to do where there is no such file.
fn instead(path: &Path, name: &str) -> String {
    if let Some(other) = similar(path) {
        return format!("there is {}: did you mean that?", shown(&other));
    }
    let least = LEAST.replace('\n', "\n  ");
    format!(
        "write one; the least it needs is\n\n  {least}\n\nand `via6 config check {name}` says \
         whether all is well"
    )
}

/// Editors add an ending, and people leave it out.
fn similar(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_os_string();
    let with = |ending: &str| {
        let mut name = name.clone();
        name.push(ending);
        path.with_file_name(name)
    };
    [".toml", ".txt", ".toml.txt"]
        .map(with)
        .into_iter()
        .find(|other| other.is_file())
}

/// The text in `bytes`; a byte order mark, which Windows' editors write, goes.
pub(super) fn decode(name: &str, bytes: Vec<u8>) -> Result<String, Failure> {
    if is_utf16(&bytes) {
        return Err(
            Failure::usage(format!("cannot read {name}: it is UTF-16, not UTF-8"))
                .hint(SAVE_AS_UTF8),
        );
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let place = error.utf8_error().valid_up_to();
        let before = error.as_bytes().get(..place).unwrap_or_default();
        // An empty piece for each line feed, and one behind the last.
        let line = before.split(|byte| *byte == b'\n').count();
        Failure::usage(format!("cannot read {name}: line {line} is not UTF-8")).hint(SAVE_AS_UTF8)
    })?;
    Ok(match text.strip_prefix('\u{feff}') {
        Some(text) => text.to_owned(),
        None => text,
    })
}

/// It says so itself, or every second byte of its beginning is 0, as in a text of plain letters.
fn is_utf16(bytes: &[u8]) -> bool {
    let marked = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
    let unmarked = matches!(bytes, [a, 0, b, 0, ..] | [0, a, 0, b, ..] if *a > 0 && *b > 0);
    marked || unmarked
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(bytes: &[u8]) -> String {
        decode("f", bytes.to_vec()).unwrap_err().to_string()
    }

    #[test]
    fn a_text_of_notepad_is_read_and_utf16_is_explained() {
        let marked = "\u{feff}quiet = true\r\n".as_bytes().to_vec();
        assert_eq!(decode("f", marked).unwrap(), "quiet = true\r\n");
        let utf16 = |bytes: fn(u16) -> [u8; 2], mark: bool| -> Vec<u8> {
            let mark = mark.then_some(0xfeff);
            let units = mark.into_iter().chain("port = 1".encode_utf16());
            units.flat_map(bytes).collect()
        };
        for bytes in [u16::to_le_bytes, u16::to_be_bytes] {
            for mark in [true, false] {
                assert!(answer(&utf16(bytes, mark)).contains("it is UTF-16"));
            }
        }
    }

    #[test]
    fn a_text_in_an_old_encoding_says_in_which_line() {
        let text = answer(b"# one\n# gr\xfc\xdfe\n");
        assert!(text.contains("line 2 is not UTF-8"), "{text}");
    }
}
