//! The examples of the documentation, and the file in the reference.

use crate::{Folder, examples};

#[test]
fn the_examples_are_right_and_say_who_they_are_for() {
    for path in examples() {
        let text = std::fs::read_to_string(&path).expect("an example");
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.expect("a name");
        assert!(text.starts_with("# For you, if "), "{name}");
        let typed = format!("\n#     via6 run {name}\n");
        assert!(text.contains(&typed), "{name} does not say what to type");
        let folder = Folder::new();
        folder.write(name, &text);
        let ended = folder.run(&format!("via6 config check {name}"));
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(ended.stdout.starts_with(&format!("{name} is fine: ")));
    }
}

#[test]
fn the_files_in_the_reference_are_right() {
    let text = include_str!("../../../../docs/reference/config.md");
    let blocks = text.split("```toml\n").skip(1);
    let files: Vec<_> = blocks
        .filter_map(|block| block.split("```").next())
        .collect();
    assert!(!files.is_empty());
    for file in files {
        let ended = Folder::with(file).run("via6 config check via6.toml");
        assert_eq!(ended.code, Some(0), "{file}\n{ended:?}");
    }
}
