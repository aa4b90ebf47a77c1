//! A process that carries relays answers others meanwhile: `via6 status`, `via6 stop`, and those that
//! hand their work over.

use std::sync::Arc;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use via6_core::limits::CONTROL_REPLY_TIME;

use crate::control;
use crate::instance::{Desk, Instance};
use crate::narrator::Narrator;
use crate::state::Home;

/// Does `work`, and answers as long as that takes, if there is a folder to be asked in.
pub(super) async fn answering<T>(
    instance: &Instance,
    home: &Arc<Home>,
    process: &Narrator,
    work: impl Future<Output = T>,
) -> T {
    let over = CancellationToken::new();
    let server = home.lock().and_then(|lock| {
        let desk = Desk::new(instance.clone(), Arc::clone(home));
        control::serve(lock, Arc::new(desk), over.clone())
            .inspect_err(|trouble| process.warn(trouble.kind(), &trouble.to_string()))
            .ok()
    });
    let Some(server) = server else {
        return work.await;
    };
    let mut answers = std::pin::pin!(server.run());
    let mut work = std::pin::pin!(work);
    let done = tokio::select! {
        done = &mut work => done,
        // It ends only when told to.
        () = &mut answers => return work.await,
    };
    over.cancel();
    // Those who wait for the end are told; how long that takes is bounded by the server itself.
    let _ = timeout(CONTROL_REPLY_TIME, answers).await;
    done
}
