//! `via6 status`: asks the running via6, and shows what it says.

mod table;

use std::io::IsTerminal;
use std::sync::Arc;

use crate::args::Args;
use crate::control::connect;
use crate::failure::Failure;
use crate::output::Output;
use crate::state::Folder;

/// Columns of a table that goes to a file or pipe: what an e-mail or a small terminal shows.
const USUAL_WIDTH: usize = 80;

/// Columns below which a table is no easier to read; a terminal may say that it has none.
const SMALLEST_WIDTH: usize = 40;

pub(super) async fn run(args: &Args, output: &Arc<Output>) -> Result<(), Failure> {
    let folder = Folder::find(args.place.state.as_deref()).map_err(|trouble| trouble.failure())?;
    let asked = async { connect(&folder).await?.status().await };
    let status = asked.await.map_err(|error| error.failure(&folder))?;
    if args.shown.json {
        let line = serde_json::to_string(&status)
            .map_err(|error| Failure::runtime(format!("cannot show the status: {error}")))?;
        output.data(line);
        return Ok(());
    }
    for line in table::lines(&status, args.shown.verbose > 0, width()) {
        output.data(line);
    }
    Ok(())
}

/// Columns there are on standard output.
fn width() -> usize {
    if !std::io::stdout().is_terminal() {
        return USUAL_WIDTH;
    }
    let terminal = terminal_size::terminal_size_of(std::io::stdout());
    terminal.map_or(USUAL_WIDTH, |(width, _)| {
        usize::from(width.0).max(SMALLEST_WIDTH)
    })
}

#[cfg(test)]
mod schema_tests;
