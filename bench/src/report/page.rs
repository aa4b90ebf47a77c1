//! The page for the documentation: what was measured, on what, by which command, how to read it
//! and what it does not show. Its text is a file of its own (`page.template`); every figure and
//! fact about this run is filled in.

use std::fmt::Write as _;

use super::{Report, Skipped};

/// The page with its gaps, `<!-- NAME -->` on lines of their own.
const TEMPLATE: &str = include_str!("../../page.template");

impl Report {
    /// The page; `picture` is where it finds the picture.
    pub(crate) fn page(&self, picture: &str) -> String {
        let mut page = String::new();
        for line in TEMPLATE.lines() {
            match line
                .strip_prefix("<!-- ")
                .and_then(|rest| rest.strip_suffix(" -->"))
            {
                Some("machine") => page.push_str(&self.machine_lines().join("\n")),
                Some("relays") => page.push_str(&self.relay_lines().join("\n")),
                Some("reading") => page.push_str(&self.reading()),
                Some("picture") => {
                    let text = "Bars for each relay and figure; the tables below hold the same";
                    // Writing to a String cannot fail.
                    let _ = write!(page, "![{text}]({picture})");
                }
                Some("sealed") => page.push_str(&self.sealed_lines().join("\n")),
                Some("tables") => page.push_str(&self.tables("###").join("\n")),
                _ => page.push_str(line),
            }
            page.push('\n');
        }
        page
    }

    fn sealed_lines(&self) -> Vec<String> {
        let table = self.sealed_table();
        if table.is_empty() {
            return vec!["*Neither sealed links nor bare relays were measured.*".to_owned()];
        }
        table
    }

    /// Each relay with its version, then the commands they were run with.
    fn relay_lines(&self) -> Vec<String> {
        let mut lines = vec!["| relay | version |".to_owned(), "| --- | --- |".to_owned()];
        let mut commands = vec![String::new(), "```text".to_owned()];
        for chain in self
            .chains
            .iter()
            .filter(|chain| !chain.commands.is_empty())
        {
            let (name, protocol) = (&chain.name, chain.protocol);
            let version = chain.versions.join(", ").replace('|', "\\|");
            let line = format!("| {name} | {version} |");
            if !lines.contains(&line) {
                lines.push(line);
            }
            commands.push(format!("{name} {protocol}"));
            commands.extend(chain.commands.iter().map(|command| format!("  {command}")));
        }
        for skipped in &self.skipped {
            let Skipped {
                name,
                protocol,
                reason,
            } = skipped;
            lines.push(format!(
                "| {name} ({protocol}) | *not measured: {reason}* |"
            ));
        }
        commands.push("```".to_owned());
        lines.extend(commands);
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::super::picture::tests::report;
    use super::*;

    #[test]
    fn every_gap_of_the_page_is_filled() {
        let gaps = TEMPLATE.matches("<!-- ").count();
        assert_eq!(gaps, 6, "a gap that nothing fills would stay empty");
        let page = report().page("picture.svg");
        assert!(!page.contains("<!-- "), "{page}");
        for text in [
            "](picture.svg)",
            "### pingpong",
            "| via6 |",
            "Linux",
            "- `via6-bench",
            "Neither sealed links nor",
        ] {
            assert!(page.contains(text), "{text}: {page}");
        }
        let titles = |text: &str| text.lines().filter(|line| line.starts_with("# ")).count();
        assert_eq!(titles(&page), 1);
    }
}
