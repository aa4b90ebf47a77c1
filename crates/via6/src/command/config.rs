//! `via6 config`: whether a file is right, and what it comes to. Starts nothing.

use serde_json::json;

use crate::args::{ConfigAction, File, Run, Shown};
use crate::config::{Config, Overrides, Problems, read};
use crate::failure::Failure;
use crate::narrator::Role;
use crate::output::Output;
use crate::reading::Sources;

pub(super) fn run(
    action: &ConfigAction,
    shown: Shown,
    sources: &Sources,
    output: &Output,
) -> Result<(), Failure> {
    match action {
        ConfigAction::Check(file) => check(file, shown, output),
        ConfigAction::Show(run) => show(run, shown, sources, output),
    }
}

fn check(file: &File, shown: Shown, output: &Output) -> Result<(), Failure> {
    let config = right(read(&file.path)?, shown, output)?;
    if shown.json {
        let object = json!({
            "file": config.file(), "problems": [], "hosts": config.count_of(Role::Host),
            "joins": config.count_of(Role::Join), "relays": config.count_of(Role::Relay),
        });
        output.data(object.to_string());
    } else if !shown.quiet {
        output.data(format!("{} is fine: {}", config.file(), config.count()));
    }
    Ok(())
}

fn show(run: &Run, shown: Shown, sources: &Sources, output: &Output) -> Result<(), Failure> {
    let overrides = Overrides::of(run, shown, sources)?;
    let config = right(read(&run.file.path)?, shown, output)?;
    let resolved = config.resolve(overrides)?;
    output.data(if shown.json {
        resolved.to_json().to_string()
    } else {
        resolved.to_toml()
    });
    Ok(())
}

/// The file, or its problems in the form that was asked for.
fn right(read: Result<Config, Problems>, shown: Shown, output: &Output) -> Result<Config, Failure> {
    read.map_err(|problems| {
        if shown.json {
            let object = json!({ "file": problems.file(), "problems": problems.objects() });
            output.data(object.to_string());
            return Failure::usage(problems.title());
        }
        Failure::from(&problems)
    })
}
