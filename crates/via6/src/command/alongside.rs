//! What a process does beside carrying relays: it answers `via6 status`, `via6 stop` and those that hand
//! their work over, and it shows on a terminal what goes on.

use std::sync::Arc;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use via6_core::limits::{CONTROL_DESCRIPTORS, CONTROL_REPLY_TIME};

use crate::control;
use crate::instance::{Desk, Instance};
use crate::narrator::Narrator;
use crate::state::{Home, Trouble};
use crate::status::Status;
use crate::view::Screen;

/// Does `work`, and all that beside it: answers if there is a folder to be asked in, and shows if there
/// is a screen.
pub(super) async fn alongside<T>(
    instance: &Instance,
    home: &Arc<Home>,
    process: &Narrator,
    screen: Option<Screen>,
    work: impl Future<Output = T>,
) -> T {
    let over = CancellationToken::new();
    let server = home.lock().and_then(|lock| {
        let desk = Desk::new(instance.clone(), Arc::clone(home));
        control::serve(lock, Arc::new(desk), over.clone())
            .inspect_err(|trouble| process.warn(trouble.kind(), &trouble.to_string()))
            .ok()
    });
    let _descriptors = server
        .is_some()
        .then(|| instance.spare(CONTROL_DESCRIPTORS));
    let answering = async {
        match server {
            Some(server) => server.run().await,
            None => over.cancelled().await,
        }
    };
    let viewing = async {
        match screen {
            Some(screen) => {
                let live = async || {
                    if process.is_live() {
                        instance.status().await
                    } else {
                        // Nothing to show, and nothing is drawn.
                        Status::default()
                    }
                };
                screen.run(live).await
            }
            None => std::future::pending().await,
        }
    };
    let beside = async {
        tokio::select! {
            () = answering => {}
            never = viewing => match never {},
        }
    };
    let (mut work, mut beside) = (std::pin::pin!(work), std::pin::pin!(beside));
    let done = tokio::select! {
        done = &mut work => {
            over.cancel();
            // Those who wait for the end are told; how long that takes is bounded by the server itself.
            let _ = timeout(CONTROL_REPLY_TIME, beside).await;
            done
        }
        // It ends only when told to.
        () = &mut beside => work.await,
    };
    home.close().await;
    done
}

/// Says why there is no state folder, and what that means to who wants to play.
pub(super) fn without_folder(trouble: &Trouble, process: &Narrator) {
    let text = format!(
        "{trouble}. Playing works without it; `via6 status` and `via6 stop` do not find this one"
    );
    process.warn(trouble.kind(), &text);
}
