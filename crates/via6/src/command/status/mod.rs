//! `via6 status`: asks the running via6, and shows what it says.

mod table;

use std::sync::Arc;

use super::columns::width;
use crate::args::Args;
use crate::control::connect;
use crate::failure::Failure;
use crate::output::Output;
use crate::state::Folder;

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

#[cfg(test)]
mod schema_tests;
