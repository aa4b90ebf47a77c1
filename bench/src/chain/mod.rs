//! A chain: the relays between the load's two ends, as commands to run. What the relays are is
//! data; nothing here knows any of them by name except where to find via6 and the bare relays.

mod invite;
mod places;
mod relay;
mod running;
mod scratch;
mod template;

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context as _, bail, ensure};
use serde::Serialize;

pub(crate) use running::Running;
use template::CommandLine;
pub(crate) use template::is_installed;

use crate::args::Args;

/// The chains that are always known.
const BUILTIN: &str = include_str!("../../chains/builtin.chains");

/// What a chain carries.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Protocol {
    Tcp,
    Udp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

impl FromStr for Protocol {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        match text {
            "tcp" => Ok(Self::Tcp),
            "udp" => Ok(Self::Udp),
            other => bail!("{other:?} is neither tcp nor udp"),
        }
    }
}

/// Relays in a row for one protocol; none at all is the direct connection.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    pub(crate) name: String,
    pub(crate) protocol: Protocol,
    hops: Vec<CommandLine>,
    /// Where `{file:…}` is looked up, after the files that are built in.
    folder: PathBuf,
}

impl Chain {
    /// The measure of all things: client and server with nothing between them.
    pub(crate) fn is_direct(&self) -> bool {
        self.hops.is_empty()
    }

    /// Made of our own program, and so not a peer to compare it with.
    pub(crate) fn is_own(&self) -> bool {
        self.hops.iter().any(CommandLine::is_own)
    }

    /// Made of the bare relays: a measure for sealed links, not a peer that anybody uses.
    pub(crate) fn is_bare(&self) -> bool {
        self.hops.iter().any(CommandLine::is_bare)
    }

    /// Whether one of its commands takes an invite that another prints.
    pub(crate) fn is_sealed(&self) -> bool {
        self.hops.iter().any(CommandLine::needs_invite)
    }

    pub(crate) fn hop_count(&self) -> usize {
        self.hops.len()
    }

    /// The commands as they were written.
    pub(crate) fn commands(&self) -> Vec<String> {
        self.hops.iter().map(ToString::to_string).collect()
    }

    /// Why it cannot run on this machine, if so.
    pub(crate) fn missing(&self, via6: Option<&Path>) -> Option<String> {
        self.hops.iter().find_map(|hop| hop.missing(via6))
    }

    /// What its via6 says if it does not know sealed links, found out by starting it.
    pub(crate) fn refusal(&self, target: SocketAddr, via6: Option<&Path>) -> Option<String> {
        running::refusal(self, target, via6)
    }

    /// Whether its commands can be filled in.
    ///
    /// # Errors
    /// A placeholder or a file that there is not, or nothing that says where the load enters.
    pub(crate) fn check(&self, via6: Option<&Path>) -> anyhow::Result<()> {
        running::rehearse(self, via6).with_context(|| format!("in chain {:?}", self.name))
    }

    #[cfg(test)]
    fn parse_one(line: &str) -> anyhow::Result<Self> {
        template::parse(line, Path::new("."))
    }

    /// One line for each program in it: what it says its version is.
    pub(crate) fn versions(&self, via6: Option<&Path>) -> Vec<String> {
        let mut versions: Vec<_> = self
            .hops
            .iter()
            .filter_map(|hop| hop.version(via6))
            .collect();
        versions.dedup();
        versions
    }
}

/// All chains known to this run, in the order to run them.
pub(crate) fn catalogue(args: &Args) -> anyhow::Result<Vec<Chain>> {
    let here = Path::new(".");
    let mut chains = parse(BUILTIN, here).context("in the built-in chains")?;
    if let Some(path) = &args.chains_file {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let folder = path.parent().unwrap_or(here);
        chains.extend(parse(&text, folder).with_context(|| format!("in {}", path.display()))?);
    }
    for line in &args.extra {
        chains.extend(parse(line, here).context("in --chain")?);
    }
    for (index, chain) in chains.iter().enumerate() {
        let same = |other: &Chain| other.name == chain.name && other.protocol == chain.protocol;
        let taken = chains.iter().take(index).any(same);
        ensure!(!taken, "there are two chains named {:?}", chain.name);
    }
    if args.chains.is_empty() {
        return Ok(chains);
    }
    let mut chosen = Vec::new();
    for name in &args.chains {
        let named: Vec<_> = chains
            .iter()
            .filter(|chain| &chain.name == name)
            .cloned()
            .collect();
        if named.is_empty() {
            bail!("there is no chain named {name:?}; --list shows all");
        }
        chosen.extend(named);
    }
    Ok(chosen)
}

fn parse(text: &str, folder: &Path) -> anyhow::Result<Vec<Chain>> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| template::parse(line, folder).with_context(|| format!("in {line:?}")))
        .collect()
}

/// The via6 to measure: the one named, or the one built beside this program.
pub(crate) fn find_via6(args: &Args) -> anyhow::Result<Option<PathBuf>> {
    if let Some(path) = &args.via6 {
        ensure!(path.is_file(), "there is no program {}", path.display());
        return Ok(Some(path.clone()));
    }
    let beside = std::env::current_exe()
        .ok()
        .map(|program| program.with_file_name("via6"));
    Ok(beside.filter(|path| path.is_file()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    fn names(arguments: &[&str]) -> anyhow::Result<Vec<String>> {
        let args = Args::parse_from([&["via6-bench"], arguments].concat());
        Ok(catalogue(&args)?
            .into_iter()
            .map(|chain| chain.name)
            .collect())
    }

    #[test]
    fn the_built_in_chains_are_well_formed_and_compare_with_peers() {
        let chains = parse(BUILTIN, Path::new(".")).unwrap();
        for chain in chains.iter().filter(|chain| !chain.is_direct()) {
            chain.check(Some(Path::new("via6"))).unwrap();
        }
        assert!(chains.iter().any(Chain::is_direct));
        assert!(chains.iter().any(Chain::is_own));
        assert!(
            chains
                .iter()
                .filter(|chain| !chain.is_direct() && !chain.is_own() && !chain.is_bare())
                .count()
                >= 3
        );
        assert!(
            chains
                .iter()
                .any(|chain| chain.is_sealed() && chain.is_own())
        );
    }

    #[test]
    fn the_chains_of_the_readme_can_be_run() {
        let readme = include_str!("../../README.md");
        let (_, block) = readme.split_once("```chains\n").unwrap();
        let (block, _) = block.split_once("```").unwrap();
        let chains = parse(block, Path::new(".")).unwrap();
        assert!(chains.len() >= 3);
        for chain in chains {
            chain.check(Some(Path::new("via6"))).unwrap();
        }
    }

    #[test]
    fn chains_are_chosen_by_name_in_the_order_given() {
        let chain = ["--chain", "mine = relay {listen} {target}"];
        let chosen = names(&[&chain[..], &["--chains", "mine,haproxy"]].concat()).unwrap();
        assert_eq!(chosen, ["mine", "haproxy"]);
        assert!(
            names(&["--chains", "nobody"])
                .unwrap_err()
                .to_string()
                .contains("nobody")
        );
        assert!(
            names(&["--chain", "socat = socat"]).is_err(),
            "two of one name"
        );
    }

    #[test]
    fn a_program_that_is_not_installed_is_named() {
        let chain = parse("x = no-such-relay {listen} {target}", Path::new(".")).unwrap();
        assert!(chain[0].missing(None).unwrap().contains("no-such-relay"));
        let via6 = parse("x = {via6} join {listen}", Path::new(".")).unwrap();
        assert!(via6[0].missing(None).unwrap().contains("via6"));
    }
}
