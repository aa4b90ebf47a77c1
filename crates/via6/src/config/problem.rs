//! What is wrong with a file: every problem with its place, in the order of the file, as a report
//! for a person or as objects for a program. Finds nothing itself.

use std::fmt;
use std::ops::Range;

use serde_json::{Value, json};
use via6_core::limits::CONFIG_PROBLEMS_MAX;

use super::text::{Shown, Text, harmless};
use crate::failure::Failure;

/// One thing that is wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Problem {
    /// From 1.
    pub(crate) line: usize,
    /// In characters, from 1.
    pub(crate) column: usize,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    shown: Shown,
}

/// All that is wrong with one file; at least one thing.
#[derive(Debug)]
pub(crate) struct Problems {
    file: String,
    list: Vec<Problem>,
    /// How many more there are than are listed.
    more: usize,
}

impl Problems {
    pub(crate) fn file(&self) -> &str {
        &self.file
    }

    /// `2 problems in via6.toml`.
    pub(crate) fn title(&self) -> String {
        match self.list.len() + self.more {
            1 => format!("1 problem in {}", self.file),
            count => format!("{count} problems in {}", self.file),
        }
    }

    /// For `--json`.
    pub(crate) fn objects(&self) -> Vec<Value> {
        let object = |problem: &Problem| {
            json!({
                "file": self.file, "line": problem.line, "column": problem.column,
                "message": problem.message, "hint": problem.hint,
            })
        };
        self.list.iter().map(object).collect()
    }
}

impl Problems {
    /// Nothing was found, and yet it cannot be used: a fault of ours, which is no reason to go on.
    pub(super) fn unexplained(file: &str, text: &Text) -> Self {
        let mut found = Found::default();
        found.add(0..0, "this file cannot be used");
        found.finish(file, text).unwrap_or(Self {
            file: file.to_owned(),
            list: Vec::new(),
            more: 1,
        })
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.list.iter().enumerate() {
            let gap = if index == 0 { "" } else { "\n\n" };
            let Problem { line, column, .. } = problem;
            write!(f, "{gap}{}:{line}:{column}: {}", self.file, problem.message)?;
            let margin = format!("  {line} | ");
            let Shown { text, before, .. } = &problem.shown;
            write!(f, "\n{}", format!("{margin}{text}").trim_end())?;
            let mark = "^".repeat(problem.shown.marked);
            write!(f, "\n{:1$}{mark}", "", margin.len() + before)?;
            for hint in problem.hint.iter().flat_map(|hint| hint.lines()) {
                write!(f, "\n  {hint}")?;
            }
        }
        match self.more {
            0 => Ok(()),
            1 => f.write_str("\n\nand 1 more"),
            more => write!(f, "\n\nand {more} more"),
        }
    }
}

impl From<&Problems> for Failure {
    fn from(problems: &Problems) -> Self {
        Self::usage(problems.title()).report(problems.to_string())
    }
}

/// Problems while they are being found, in any order.
#[derive(Default)]
pub(super) struct Found(Vec<(Range<usize>, String, Option<String>)>);

impl Found {
    pub(super) fn add(&mut self, place: Range<usize>, message: impl Into<String>) {
        self.0.push((place, message.into(), None));
    }

    /// The same, with what to do about it.
    pub(super) fn hint(
        &mut self,
        place: Range<usize>,
        message: impl Into<String>,
        hint: impl Into<Option<String>>,
    ) {
        self.0.push((place, message.into(), hint.into()));
    }

    /// Sorted and placed; `None` if nothing was found.
    pub(super) fn finish(mut self, file: &str, text: &Text) -> Option<Problems> {
        self.0.sort_by_key(|(place, ..)| (place.start, place.end));
        let count = self.0.len();
        let placed = |(place, message, hint): (Range<usize>, String, Option<String>)| {
            let (line, column) = text.position(place.start);
            let harmless = |text: String| -> String {
                let lines: Vec<String> = text
                    .lines()
                    .map(|line| line.chars().map(harmless).collect())
                    .collect();
                lines.join("\n")
            };
            Problem {
                line,
                column,
                message: harmless(message),
                hint: hint.map(harmless),
                shown: text.shown(&place),
            }
        };
        let list: Vec<_> = self
            .0
            .into_iter()
            .take(CONFIG_PROBLEMS_MAX)
            .map(placed)
            .collect();
        let problems = Problems {
            file: file.to_owned(),
            more: count - list.len(),
            list,
        };
        (count > 0).then_some(problems)
    }
}
