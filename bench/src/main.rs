//! The program `via6-bench`: arguments in, table out. Everything else is in the library, which is
//! empty where there is no `/proc`.

use std::process::ExitCode;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    use clap::Parser as _;
    use std::io::Write as _;
    use via6_bench::{Args, Verdict, run};

    match run(&Args::parse()) {
        Ok(Verdict::AllMeasured) => ExitCode::SUCCESS,
        Ok(Verdict::SomeFailed) => ExitCode::from(1),
        Err(error) => {
            // Nothing is left to tell it to when stderr is closed.
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::from(2)
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    use std::io::Write as _;

    let _ = writeln!(
        std::io::stderr(),
        "error: cannot measure on this system: via6-bench reads /proc, which is Linux's"
    );
    ExitCode::from(2)
}
