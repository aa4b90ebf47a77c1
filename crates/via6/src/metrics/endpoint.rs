//! The web server of the metrics: as much of HTTP/1.1 as a scraper needs, and bounds for those who are
//! none.
//!
//! ```text
//! accept ─▶ head (5 s, 8 KiB) ─▶ one answer (5 s) ─▶ FIN ─▶ what still comes is read away ─▶ close
//!    └─ beyond 16 connections the oldest makes room: a scraper takes milliseconds, so that one is stuck
//! ```
//! It knows nothing of relays: what it serves is a text that it asks for. It says nothing either: a
//! scraper that fails knows that itself, and one that does harm must not fill a log.

use std::collections::VecDeque;
use std::future::Future;
use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};
use via6_core::limits::{
    ACCEPT_BACKOFF, METRICS_CONNECTIONS_MAX, METRICS_HEAD_MAX, METRICS_HEAD_TIMEOUT,
    METRICS_LEFTOVER_MAX, METRICS_REPLY_TIMEOUT,
};

use super::exposition::CONTENT_TYPE;
use super::request::{Answer, Hosts, Refusal, What, answer};

/// Serves what `page` gives, for ever; ends everything when dropped. No error of a connection or of
/// accepting ends it.
pub(super) async fn serve<P, F>(listener: TcpListener, page: P)
where
    P: Fn() -> F + Clone + Send + Sync + 'static,
    F: Future<Output = String> + Send + 'static,
{
    // Unknown: the stricter.
    let here_alone = listener
        .local_addr()
        .map_or(true, |at| at.ip().is_loopback());
    let hosts = if here_alone { Hosts::Local } else { Hosts::Any };
    let mut connections = Connections::default();
    let mut pause = ACCEPT_BACKOFF.0;
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            pause = ACCEPT_BACKOFF.0;
            connections.begin(converse(stream, page.clone(), hosts));
        } else {
            // Of one connection, or no descriptors are left; players' listeners tell of those.
            sleep(pause).await;
            pause = (pause * 2).min(ACCEPT_BACKOFF.1);
        }
    }
}

/// The conversations there are, the oldest first.
#[derive(Default)]
struct Connections {
    tasks: JoinSet<()>,
    order: VecDeque<AbortHandle>,
}

impl Connections {
    fn begin(&mut self, conversation: impl Future<Output = ()> + Send + 'static) {
        while self.tasks.try_join_next().is_some() {}
        self.order.retain(|task| !task.is_finished());
        if self.order.len() >= METRICS_CONNECTIONS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            oldest.abort();
        }
        self.order.push_back(self.tasks.spawn(conversation));
    }
}

async fn converse<P, F>(mut stream: TcpStream, page: P, hosts: Hosts)
where
    P: Fn() -> F,
    F: Future<Output = String>,
{
    let asked = timeout(METRICS_HEAD_TIMEOUT, read(&mut stream, hosts)).await;
    let answer = match asked {
        Ok(Ok(Some(answer))) => answer,
        Err(_) => Refusal::TooSlow.into(),
        // It has gone, or never said anything, as a probe of the port does.
        Ok(Ok(None) | Err(_)) => return,
    };
    let reply = async {
        let body = match answer.what {
            What::Metrics => page().await,
            _ => String::new(),
        };
        stream.write_all(response(answer, body).as_bytes()).await?;
        stream.shutdown().await?;
        read_away(&mut stream).await
    };
    // Whoever does not take an answer in time, or has gone, does without the rest.
    let _ = timeout(METRICS_REPLY_TIMEOUT, reply).await;
}

/// Reads until the head of the request is there. None if it ends before.
async fn read(stream: &mut TcpStream, hosts: Hosts) -> io::Result<Option<Answer>> {
    let mut head = Vec::with_capacity(1024);
    let mut room = stream.take(METRICS_HEAD_MAX as u64);
    while room.read_buf(&mut head).await? > 0 {
        if let Some(answer) = answer(&head, hosts) {
            return Ok(Some(answer));
        }
    }
    Ok(None)
}

/// Closing with unread bytes sends a reset, which may overtake the answer (RFC 9112 §9.6).
async fn read_away(stream: &mut TcpStream) -> io::Result<()> {
    let mut leftover = stream.take(METRICS_LEFTOVER_MAX);
    let mut buffer = [0; 1024];
    while leftover.read(&mut buffer).await? > 0 {}
    Ok(())
}

/// The whole response, `body` being that of the metrics.
fn response(answer: Answer, body: String) -> String {
    const PLAIN: &str = "text/plain; charset=utf-8";
    let (status, kind, allow, body) = match answer.what {
        What::Metrics => ("200 OK", CONTENT_TYPE, "", body),
        What::Signpost => {
            let link = "via6: metrics are at <a href=\"/metrics\">/metrics</a>\n".to_owned();
            ("200 OK", "text/html; charset=utf-8", "", link)
        }
        What::Refusal(refusal) => {
            let (status, sentence) = refusal.words();
            let allow = match refusal {
                Refusal::Method => "Allow: GET, HEAD\r\n",
                _ => "",
            };
            (status, PLAIN, allow, format!("{sentence}\n"))
        }
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n{allow}\
         Connection: close\r\n\r\n",
        body.len()
    );
    if answer.head_only { head } else { head + &body }
}

#[cfg(test)]
#[path = "endpoint_tests.rs"]
mod tests;
