//! The transcript of `via6 config check`: files with their problems, word for word.

use std::fmt::Write;

use crate::Folder;

/// A file and what is said of it.
struct Case {
    title: &'static str,
    file: String,
    answer: String,
}

fn cases() -> Vec<Case> {
    let text = include_str!("mistakes.txt");
    let cases = text.split("\n=== ").skip(1).map(|case| {
        let (title, rest) = case.split_once('\n').expect("a title");
        let (file, answer) = rest.split_once("---\n").expect("a line of dashes");
        Case {
            title,
            file: file.to_owned(),
            answer: answer.trim_end().to_owned() + "\n",
        }
    });
    let cases: Vec<_> = cases.collect();
    assert!(cases.len() >= 35, "only {} cases", cases.len());
    cases
}

#[test]
fn each_mistake_in_a_file_gets_its_answer() {
    let mut wrong = String::new();
    for Case {
        title,
        file,
        answer,
    } in cases()
    {
        let ended = Folder::with(&file).run("via6 config check via6.toml");
        let code = ended.code.expect("an end that no signal made");
        let seen = format!("{}{}[exit {code}]\n", ended.stdout, ended.stderr);
        if seen != answer {
            write!(wrong, "\n=== {title}\n{file}---\n{seen}").expect("text");
        }
    }
    assert!(wrong.is_empty(), "these are answered otherwise:\n{wrong}");
}

/// Windows' editors end lines in their own way, and begin a file with a mark.
#[test]
fn a_file_of_notepad_gets_the_same_answers() {
    for Case {
        title,
        file,
        answer,
    } in cases()
    {
        let file = format!("\u{feff}{}", file.replace('\n', "\r\n"));
        let ended = Folder::with(&file).run("via6 config check via6.toml");
        let code = ended.code.expect("an end that no signal made");
        let seen = format!("{}{}[exit {code}]\n", ended.stdout, ended.stderr);
        assert_eq!(seen, answer, "{title}");
    }
}

/// `via6 run` starts nothing of a file with a mistake, and says the same.
#[test]
fn run_and_show_tell_the_same_mistakes() {
    let case = &cases()[0];
    let folder = Folder::with(&case.file);
    for command in ["run", "config show"] {
        let ended = folder.run(&format!("via6 {command} via6.toml"));
        let seen = format!("{}[exit 2]\n", ended.stderr);
        assert_eq!((seen, ended.code), (case.answer.clone(), Some(2)));
        assert_eq!(ended.stdout, "");
    }
}

#[test]
fn an_editor_gets_the_problems_as_objects() {
    let folder = Folder::with("[host.a]\ngame = 5\nopen = true\nprot = 6\n");
    let ended = folder.run("via6 config check via6.toml --json");
    assert_eq!(ended.code, Some(2));
    let object: serde_json::Value = serde_json::from_str(&ended.stdout).expect("an object");
    let expected = serde_json::json!({
        "file": "via6.toml",
        "problems": [{
            "file": "via6.toml", "line": 4, "column": 1,
            "message": "unknown key `prot` in [host.a]", "hint": "did you mean `port`?",
        }],
    });
    assert_eq!(object, expected);
    assert_eq!(ended.stderr, "error: 1 problem in via6.toml\n");
}
