//! A `via6 run` with its file and its state folder.

use std::path::PathBuf;

use serde_json::Value;

use crate::support::{Ended, PATIENCE, Running, via6};

pub(crate) struct Filed {
    pub via6: Running,
    pub(crate) path: PathBuf,
    home: String,
    folder: tempfile::TempDir,
}

impl Filed {
    /// Runs this file.
    pub(crate) fn start(text: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("via6.toml");
        std::fs::write(&path, text).expect("writing the file");
        let home = folder.path().join("state");
        let home = home.to_str().expect("a path in UTF-8").to_owned();
        let via6 = via6(&format!("via6 run {} --json", path.display()))
            .with("VIA6_STATE", &home)
            .start();
        let all = text.matches("\n[").count() + usize::from(text.starts_with('['));
        via6.until("all of the file", |events| {
            let listening = events.iter().filter(|event| event["event"] == "listening");
            let names: std::collections::BTreeSet<_> =
                listening.map(|event| event["name"].to_string()).collect();
            (names.len() == all).then_some(())
        });
        Self {
            via6,
            path,
            home,
            folder,
        }
    }

    /// Its state folder.
    pub(crate) fn home(&self) -> &str {
        &self.home
    }

    /// Puts this into the file.
    pub(crate) fn write(&self, text: &str) {
        std::fs::write(&self.path, text).expect("writing the file");
    }

    /// The same, as editors do: a new file in the place of the old one.
    pub(crate) fn replace(&self, text: &str) {
        let new = self.folder.path().join("new");
        std::fs::write(&new, text).expect("writing a file");
        std::fs::rename(&new, &self.path).expect("putting it there");
    }

    /// Has it read its file, and waits for the answer.
    pub(crate) fn reload(&self) -> Value {
        let before = self.answered().len();
        self.via6.signal("SIGHUP");
        self.via6.until("an answer to a reload", |events| {
            let mut answers = events.iter().filter(|event| is_answer(event)).skip(before);
            answers.next().cloned()
        })
    }

    fn answered(&self) -> Vec<Value> {
        let events = self.via6.events().into_iter();
        events.filter(is_answer).collect()
    }

    /// What `via6 status` tells of its relays.
    pub(crate) fn status(&self) -> Vec<Value> {
        let ended = self.ask("status --json");
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let status: Value = serde_json::from_str(&ended.stdout).expect("a status");
        status["entries"].as_array().expect("entries").clone()
    }

    /// Runs a command that asks it.
    pub(crate) fn ask(&self, command: &str) -> Ended {
        via6(&format!("via6 {command}"))
            .with("VIA6_STATE", self.home())
            .start()
            .ended(PATIENCE)
    }
}

fn is_answer(event: &Value) -> bool {
    event["event"] == "reloaded" || event["event"] == "reload_failed"
}
