//! Where the results go: the table to stdout, and everything else to the files that were named.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use anyhow::Context as _;

use crate::args::Args;
use crate::instructions::Record;
use crate::report::Report;

/// Names of the two files of `--docs`; the page shows the picture.
const PAGE: &str = "benchmarks.md";
const PICTURE: &str = "benchmarks.svg";

pub(crate) fn deliver(report: &Report, args: &Args) -> anyhow::Result<()> {
    let table = report.markdown();
    print(&table)?;
    if let Some(path) = &args.markdown {
        write(path, &table)?;
    }
    if let Some(path) = &args.json {
        write(path, &(serde_json::to_string_pretty(report)? + "\n"))?;
    }
    if let Some(path) = &args.plot {
        write(path, &report.picture())?;
    }
    if let Some(folder) = &args.docs {
        write(&folder.join(PAGE), &report.page(PICTURE))?;
        write(&folder.join(PICTURE), &report.picture())?;
    }
    if let Some(path) = &args.record {
        Record::of(report).write(path)?;
    }
    Ok(())
}

fn print(table: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(table.as_bytes())
        .and_then(|()| stdout.flush())
        .context("cannot write to stdout")
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
