//! The lab's commands: the matrix many times, scenarios between two homes, a WAN on its own.
//!
//! It knows nothing of the rows and scenarios; the library does.

#![allow(
    clippy::print_stdout,
    reason = "a table on stdout is what this program is for"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "the bans are for via6 itself, not for its lab"
)]

#[cfg(not(target_os = "linux"))]
fn main() -> Result<(), &'static str> {
    Err("the lab needs Linux: it reads /proc and makes network namespaces")
}

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    soak::main()
}

#[cfg(target_os = "linux")]
mod soak {
    use std::path::PathBuf;
    use std::process::ExitCode;
    use std::time::Instant;

    use clap::error::ErrorKind;
    use clap::{CommandFactory, Parser};
    use via6_lab::chain::Chain;
    use via6_lab::matrix::{self, Cell, LONG_PAUSE, PAUSE, Plan};
    use via6_lab::process::Splice;
    use via6_lab::rows::ROWS;
    use via6_lab::wan;

    /// The lab of via6.
    #[derive(Parser)]
    #[command(name = "via6-lab")]
    enum Command {
        /// Runs the close and error matrix against a via6 program.
        Matrix(Matrix),
        /// Plays between two homes, and does to their link what happens to links.
        Homes(wan::command::Homes),
        /// Joins two network namespaces by an emulated WAN, until the end of standard input.
        Wan(wan::command::Wan),
    }

    #[derive(clap::Args)]
    struct Matrix {
        /// The program under test; beside this one unless given.
        #[arg(long, value_name = "PATH")]
        via6: Option<PathBuf>,
        /// Repetitions of each cell.
        #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
        times: u32,
        /// Only this row; may be given several times.
        #[arg(long, value_name = "NAME")]
        row: Vec<String>,
        /// Only this chain; may be given several times. Without: one hop (relay-64), two hops
        /// (join-host), and those with another relay on either side.
        #[arg(long, value_name = "NAME")]
        chain: Vec<String>,
        /// Start every via6 with this --splice: auto, always, never, or all of them one after the
        /// other; may be given several times. Without: no such flag, so what the program does by
        /// default.
        #[arg(long, value_name = "WHEN")]
        splice: Vec<String>,
        /// Readers pause for two minutes instead of two seconds.
        #[arg(long)]
        long: bool,
        /// How many repetitions run beside each other, of rows that do not measure the processor.
        #[arg(long, default_value_t = 8, value_name = "N")]
        beside: usize,
    }

    pub(super) fn main() -> ExitCode {
        let passed = match Command::parse() {
            Command::Matrix(arguments) => return soak(arguments),
            Command::Homes(homes) => homes.run(&beside_this_one()),
            Command::Wan(wan) => match wan.run() {
                Ok(()) => true,
                Err(failure) => {
                    println!("{failure}");
                    false
                }
            },
        };
        if passed {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }

    fn soak(arguments: Matrix) -> ExitCode {
        let known: Vec<_> = ROWS.iter().map(|row| (row.name, row)).collect();
        let rows = choose("row", &arguments.row, &known, |_| true);
        let known: Vec<_> = Chain::ALL
            .iter()
            .map(|&chain| (chain.label(), chain))
            .collect();
        let usual =
            |chain: Chain| matches!(chain, Chain::Relay64 | Chain::JoinHost) || chain.is_mixed();
        let chains = choose("chain", &arguments.chain, &known, usual);
        let splices = choose_splices(&arguments.splice);
        let program = arguments.via6.unwrap_or_else(beside_this_one);
        let plan = Plan {
            program: &program,
            times: arguments.times,
            pause: if arguments.long { LONG_PAUSE } else { PAUSE },
            beside: arguments.beside.max(1),
        };
        let start = Instant::now();
        println!(
            "{:20} {:12} {:7} {:7} {:>6} {:>9}",
            "row", "chain", "acting", "splice", "passed", "mean"
        );
        let cells = matrix::run(&plan, matrix::cells(&rows, &chains, &splices), print);
        let sum = |of: fn(&Cell) -> u32| cells.iter().map(of).sum::<u32>();
        let (passed, failed) = (sum(|cell| cell.passed), sum(|cell| cell.failed));
        let skipped = match sum(|cell| cell.skipped) {
            0 => String::new(),
            skipped => format!(", {skipped} SKIPPED"),
        };
        let took = start.elapsed().as_secs();
        println!(
            "{passed} passed, {failed} failed{skipped} in {} min {} s",
            took / 60,
            took % 60
        );
        if failed > 0 || passed == 0 {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        }
    }

    /// The named ones of `known`, or the usual ones if none is named.
    fn choose<T: Copy>(
        kind: &str,
        names: &[String],
        known: &[(&str, T)],
        usual: impl Fn(T) -> bool,
    ) -> Vec<T> {
        let all = known.iter().map(|&(_, one)| one);
        if names.is_empty() {
            return all.filter(|&one| usual(one)).collect();
        }
        if let Some(wrong) = names
            .iter()
            .find(|name| !known.iter().any(|(is, _)| is == name))
        {
            let known: Vec<_> = known.iter().map(|(name, _)| *name).collect();
            let message = format!("no {kind} is called '{wrong}'; known: {}", known.join(", "));
            Command::command()
                .error(ErrorKind::InvalidValue, message)
                .exit()
        }
        let chosen = known
            .iter()
            .filter(|(name, _)| names.iter().any(|wanted| wanted == name));
        chosen.map(|&(_, one)| one).collect()
    }

    /// The named ways to move bytes; the program's own if none is named.
    fn choose_splices(names: &[String]) -> Vec<Splice> {
        if names.is_empty() {
            return vec![Splice::Default];
        }
        if names.iter().any(|name| name == "all") {
            return Splice::ASKED.to_vec();
        }
        let known = Splice::ASKED.iter().map(|&splice| (splice.label(), splice));
        choose("splice", names, &known.collect::<Vec<_>>(), |_| true)
    }

    fn beside_this_one() -> PathBuf {
        std::env::current_exe().map_or_else(|_| "via6".into(), |own| own.with_file_name("via6"))
    }

    fn print(cell: &Cell) {
        let runs = cell.passed + cell.failed + cell.skipped;
        let mean = cell.time / runs.max(1);
        let score = format!("{}/{runs}", cell.passed);
        println!(
            "{:20} {:12} {:7} {:7} {score:>6} {:>6} ms  {}",
            cell.row.name,
            cell.chain,
            cell.side.label(),
            cell.splice,
            mean.as_millis(),
            cell.note.0,
        );
        if let Some(trouble) = &cell.trouble {
            let kind = if cell.failed > 0 { "FAILED" } else { "SKIPPED" };
            println!("    {kind} {}: {trouble}", cell.failed + cell.skipped);
        }
    }
}
