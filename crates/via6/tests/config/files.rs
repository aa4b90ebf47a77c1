//! What is no file, or none that can be read: exact words, and exit code 1 where it is the computer's
//! doing, 2 where it is a mistake.

use crate::{Folder, via6};

const RIGHT: &str = "[host.minecraft]\ngame = 25565\nopen = true\n";

#[test]
fn a_right_file_is_counted() {
    let folder = Folder::with(RIGHT);
    let ended = folder.run("via6 config check via6.toml");
    assert_eq!(ended.stdout, "via6.toml is fine: 1 host\n");
    assert_eq!((ended.stderr.as_str(), ended.code), ("", Some(0)));
    folder.write(
        "many.toml",
        RIGHT.to_owned()
            + "[join.a]\nhost = \"::1\"\n[join.b]\nhost = \"::1\"\nlisten = \"127.0.0.1:0\"\n\
               [relay.c]\nprotocol = \"udp\"\nlisten = \"[::]:0\"\ntarget = \"[::1]:5\"\n",
    );
    let ended = folder.run("via6 config check many.toml");
    assert_eq!(
        ended.stdout,
        "many.toml is fine: 1 host, 2 joins, 1 relay\n"
    );
    let ended = folder.run("via6 config check many.toml --json");
    let object: serde_json::Value = serde_json::from_str(&ended.stdout).expect("an object");
    let expected = serde_json::json!({
        "file": "many.toml", "problems": [], "hosts": 1, "joins": 2, "relays": 1,
    });
    assert_eq!(object, expected);
    let ended = folder.run("via6 config check many.toml --quiet");
    assert_eq!((ended.stdout.as_str(), ended.code), ("", Some(0)));
}

#[test]
fn a_variable_names_the_file() {
    let ended = Folder::with(RIGHT).run("VIA6_FILE=via6.toml via6 config check");
    assert_eq!(ended.stdout, "via6.toml is fine: 1 host\n");
}

#[test]
fn a_file_that_is_not_there_is_described() {
    let folder = Folder::new();
    for command in ["run", "config check", "config show"] {
        let ended = folder.run(&format!("via6 {command} via6.toml"));
        assert_eq!(
            ended.stderr,
            "error: cannot read via6.toml: there is no such file\n\n\
             hint: write one; the least it needs is\n\n  \
             [host.minecraft]\n  game = 25565\n\n\
             and `via6 config check via6.toml` says whether all is well\n"
        );
        assert_eq!(ended.code, Some(1));
    }
}

/// Notepad adds an ending that Windows then hides.
#[test]
fn a_file_with_another_ending_is_found() {
    let folder = Folder::new();
    folder.write("via6.toml.txt", RIGHT);
    let ended = folder.run("via6 config check via6.toml");
    let hint = "hint: there is via6.toml.txt: did you mean that?\n";
    assert!(ended.stderr.ends_with(hint), "{ended:?}");
    let ended = folder.run("via6 config check via6");
    assert!(ended.stderr.ends_with(hint), "{ended:?}");
}

#[test]
fn a_folder_is_no_file() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("conf")).expect("a folder");
    let ended = folder.run("via6 config check conf");
    let inside = std::path::Path::new("conf").join("via6.toml");
    assert_eq!(
        ended.stderr,
        format!(
            "error: cannot read conf: it is a folder\n\n\
             hint: name the file in it, for instance {}\n",
            inside.display()
        )
    );
    assert_eq!(ended.code, Some(2));
}

#[cfg(unix)]
#[test]
fn a_device_is_not_read_for_ever() {
    let ended = via6("via6 config check /dev/zero").end();
    assert_eq!(
        ended.stderr,
        "error: cannot read /dev/zero: it is not a file\n\n\
         hint: write it to a file first: via6 may have to read it again\n"
    );
    assert_eq!(ended.code, Some(2));
}

#[test]
fn a_file_that_is_far_too_large_is_refused() {
    let limit = via6_core::limits::CONFIG_BYTES_MAX;
    let folder = Folder::with(RIGHT.to_owned() + &"#".repeat(limit - RIGHT.len()));
    let ended = folder.run("via6 config check via6.toml");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    folder.write("via6.toml", RIGHT.to_owned() + &"#".repeat(limit));
    let ended = folder.run("via6 config check via6.toml");
    assert_eq!(
        ended.stderr,
        "error: cannot read via6.toml: it is larger than 256 KiB\n\n\
         hint: is it the right file? One of via6 has a few lines\n"
    );
    assert_eq!(ended.code, Some(2));
}

/// As PowerShell writes it with `>`.
#[test]
fn utf16_is_explained() {
    let units = std::iter::once(0xfeff).chain(RIGHT.encode_utf16());
    let bytes: Vec<u8> = units.flat_map(u16::to_le_bytes).collect();
    let ended = Folder::with(bytes).run("via6 config check via6.toml");
    assert_eq!(
        ended.stderr,
        "error: cannot read via6.toml: it is UTF-16, not UTF-8\n\n\
         hint: save it as UTF-8: in Notepad, File, Save as, Encoding; in PowerShell, write it with \
         `Set-Content -Encoding utf8` instead of `>`\n"
    );
    assert_eq!(ended.code, Some(2));
}

#[test]
fn an_old_encoding_is_explained() {
    let ended = Folder::with(b"# f\xfcr Anna\n").run("via6 config check via6.toml");
    let error = "error: cannot read via6.toml: line 1 is not UTF-8\n\nhint: save it as UTF-8: in";
    assert!(ended.stderr.starts_with(error), "{ended:?}");
    assert_eq!(ended.code, Some(2));
}

/// A file of nothing but mistakes is answered in time and in bounds.
#[test]
fn a_large_file_without_sense_is_given_up() {
    let limit = via6_core::limits::CONFIG_BYTES_MAX;
    for line in [
        "x\n",
        "x = [\n",
        "[host.a\n",
        "[[[[\n",
        "x = \"\"\"\n",
        "\u{0}\n",
        "{ \n",
        "a = 1\n",
        "[host.a]\n",
    ] {
        let folder = Folder::with(line.repeat(limit / line.len()));
        let ended = via6("via6 config check via6.toml")
            .within(folder.0.path())
            .start()
            .ended(crate::support::PATIENCE);
        assert_eq!(ended.code, Some(2), "{line:?}");
        assert!(
            ended.stderr.len() < 20_000,
            "{line:?}: {}",
            ended.stderr.len()
        );
    }
}
