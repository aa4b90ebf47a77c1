//! The key of this computer: who it is to the hosts that it joins, and what the invites of its own host name.
//! Made once. Unlike all else in the folder it is never replaced, whatever is wrong with it: with a new key
//! every invite that somebody holds would lead nowhere.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};

use serde_json::{Value, json};

use super::folder::Folder;
use super::lock::Lock;
use super::trouble::Trouble;
use crate::secrets::{Seed, digits, of_digits};

const FILE: &str = "identity.json";

/// Rises when an older via6 could not read the file.
const VERSION: u64 = 1;

/// Bytes of the file that are read; it has some two hundred. A larger one is not ours.
const BYTES_MAX: u64 = 4096;

/// The key that is kept, or a new one if there is none. Waits for the disk.
pub(crate) fn load_or_create(folder: &Folder, _: &Lock) -> Result<Seed, Trouble> {
    match load(folder)? {
        Some(seed) => Ok(seed),
        None => create(folder).map_err(|error| Trouble::Unwritten {
            path: folder.join(FILE),
            error,
        }),
    }
}

/// The key that is kept, if there is one.
pub(crate) fn load(folder: &Folder) -> Result<Option<Seed>, Trouble> {
    let path = folder.join(FILE);
    let lost = |cause: String| {
        let path = folder.join(FILE);
        Trouble::Identity { path, cause }
    };
    match fs::metadata(&path) {
        // A link that leads nowhere is there, and leads somewhere tomorrow.
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return match fs::symlink_metadata(&path) {
                Err(_) => Ok(None),
                Ok(_) => Err(lost("it is a link that leads nowhere".into())),
            };
        }
        Err(error) => return Err(lost(via6_relay::describe(&error))),
        // To open a named pipe would wait for somebody at its other end.
        Ok(found) if !found.is_file() => return Err(lost("it is not a file".into())),
        Ok(_) => {}
    }
    let mut bytes = Vec::new();
    File::open(&path)
        .and_then(|file| file.take(BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(|error| lost(via6_relay::describe(&error)))?;
    read(&bytes).map(Some).map_err(lost)
}

/// No word of it is repeated in an error.
fn read(bytes: &[u8]) -> Result<Seed, String> {
    let damaged = || "it is damaged".to_owned();
    let whole: Value = serde_json::from_slice(bytes).map_err(|_| damaged())?;
    match whole.get("version").and_then(Value::as_u64) {
        Some(VERSION) => {}
        Some(version) if version > VERSION => {
            return Err(format!("a newer via6 wrote it (version {version})"));
        }
        _ => return Err(damaged()),
    }
    let field = |name| whole.get(name).and_then(Value::as_str).unwrap_or_default();
    let seed = of_digits(field("seed")).map(Seed).ok_or_else(damaged)?;
    // One wrong digit would be another key, and nobody would know why no invite leads here.
    let fingerprint = seed.fingerprint().map_err(|_| damaged())?;
    if of_digits(field("fingerprint")) == Some(fingerprint.0) {
        Ok(seed)
    } else {
        Err(damaged())
    }
}

fn create(folder: &Folder) -> io::Result<Seed> {
    let seed = Seed::draw().map_err(io::Error::other)?;
    let fingerprint = seed.fingerprint().map_err(io::Error::other)?;
    let whole = json!({
        "version": VERSION,
        "seed": digits(&seed.0),
        "fingerprint": digits(&fingerprint.0),
    });
    let mut file = folder.unfinished()?;
    file.write_all(format!("{whole:#}\n").as_bytes())?;
    file.as_file().sync_all()?;
    // Never over one that is there, whoever put it there meanwhile.
    file.persist_noclobber(folder.join(FILE))
        .map_err(|error| error.error)?;
    // As in `Folder::replace`: not every system can.
    let _ = File::open(folder.path()).and_then(|folder| folder.sync_all());
    Ok(seed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::test_home::Home;

    fn key(home: &Home) -> Result<Seed, Trouble> {
        load_or_create(&home.folder, &home.lock)
    }

    #[test]
    fn a_key_is_made_once_and_is_the_same_ever_after() {
        let home = Home::new();
        assert_eq!(load(&home.folder).unwrap(), None);
        let seed = key(&home).unwrap();
        assert_eq!(key(&home).unwrap(), seed);
        assert_eq!(load(&home.folder).unwrap(), Some(seed));
        assert_ne!(key(&Home::new()).unwrap(), seed);
        #[cfg(unix)]
        assert_eq!(home.mode(FILE), 0o600);
    }

    #[test]
    fn a_damaged_key_is_told_and_never_replaced() {
        let whole = {
            let home = Home::new();
            key(&home).unwrap();
            fs::read_to_string(home.join(FILE)).unwrap()
        };
        let seed_at = whole.find("seed\": \"").unwrap() + 8;
        let mut texts: Vec<String> = vec![
            String::new(),
            "\0".repeat(100),
            "{}".into(),
            "[".repeat(10_000),
            whole.replace("\"seed\"", "\"sead\""),
            whole.replace("\"version\": 1", "\"version\": 0"),
            whole.clone() + "x",
        ];
        // Each digit of the seed, changed, is a key as good as any; it is not this one.
        for at in seed_at..seed_at + 64 {
            let mut changed = whole.clone().into_bytes();
            changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
            texts.push(String::from_utf8(changed).unwrap());
        }
        for text in texts {
            let home = Home::with(FILE, &text);
            let trouble = key(&home).unwrap_err();
            let failure = trouble.failure().to_string();
            assert!(failure.contains("it is damaged"), "{failure}");
            assert!(failure.contains("\nhint: "), "{failure}");
            assert!(
                !failure.contains(&whole[seed_at..seed_at + 64]),
                "{failure}"
            );
            assert_eq!(fs::read_to_string(home.join(FILE)).unwrap(), text);
        }
    }

    #[test]
    fn a_key_of_a_newer_via6_is_left_alone() {
        let text = r#"{ "version": 2, "key": "other" }"#;
        let home = Home::with(FILE, text);
        let told = key(&home).unwrap_err().to_string();
        assert!(told.contains("a newer via6 wrote it (version 2)"), "{told}");
        assert_eq!(fs::read_to_string(home.join(FILE)).unwrap(), text);
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_cannot_be_read_now_is_not_replaced() {
        let home = Home::new();
        let file = home.join(FILE);
        // On a disk that is not there at the moment, and in a circle.
        for target in [home.join("unplugged/identity.json"), file.clone()] {
            std::os::unix::fs::symlink(target, &file).unwrap();
            let trouble = key(&home).unwrap_err();
            assert!(matches!(trouble, Trouble::Identity { .. }), "{trouble:?}");
            assert!(fs::symlink_metadata(&file).unwrap().is_symlink());
            fs::remove_file(&file).unwrap();
        }
        fs::create_dir(&file).unwrap();
        key(&home).unwrap_err();
    }
}
