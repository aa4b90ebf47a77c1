//! Scrapers that are none: slow, greedy, silent or rude, over real sockets. Each leaves the endpoint as
//! it was for the next.

#![allow(
    clippy::disallowed_methods,
    reason = "the scraper, which stands outside of via6, and its clock"
)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream as Scraper};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio_util::sync::{CancellationToken, DropGuard};
use via6_relay::listen_tcp;

use super::*;

/// How long anything may take that is awaited, on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(20);

const REQUEST: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";

/// An endpoint on a thread of its own, until dropped.
struct Endpoint {
    at: SocketAddr,
    stop: Option<DropGuard>,
    thread: Option<JoinHandle<()>>,
}

impl Endpoint {
    /// Serves a page of so many bytes.
    fn start(bytes: usize) -> Self {
        let (tell, told) = std::sync::mpsc::sync_channel(1);
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let thread = thread::spawn(move || {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            let run = async {
                let listener = listen_tcp("127.0.0.1:0".parse().unwrap()).unwrap();
                tell.send(listener.local_addr().unwrap()).unwrap();
                let page = move || std::future::ready("x".repeat(bytes));
                stopped.run_until_cancelled(serve(listener, page)).await;
            };
            runtime.enable_all().build().unwrap().block_on(run);
        });
        Self {
            at: told.recv_timeout(PATIENCE).unwrap(),
            stop: Some(stop.drop_guard()),
            thread: Some(thread),
        }
    }

    fn connect(&self) -> Scraper {
        let scraper = Scraper::connect(self.at).unwrap();
        scraper.set_read_timeout(Some(PATIENCE)).unwrap();
        scraper
    }

    fn ask(&self, request: &[u8]) -> String {
        let mut scraper = self.connect();
        scraper.write_all(request).unwrap();
        rest(&mut scraper)
    }

    /// Whatever happened before, a scraper is served.
    fn is_well(&self) {
        let answer = self.ask(REQUEST);
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(ended.is_none_or(|ended| ended.is_ok()) || thread::panicking());
    }
}

/// What comes until the end, which must be no reset.
fn rest(scraper: &mut Scraper) -> String {
    let mut answer = String::new();
    scraper.read_to_string(&mut answer).unwrap();
    answer
}

fn is_over(scraper: &mut Scraper) {
    // A reset is an end as well.
    let end = scraper.read(&mut [0; 16]);
    assert!(
        end.as_ref()
            .map_or_else(|error| !is_timeout(error), |bytes| *bytes == 0),
        "{end:?}"
    );
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

#[test]
fn each_answer_is_whole_and_says_that_it_is_the_last() {
    let endpoint = Endpoint::start(3);
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n\
         Content-Length: 3\r\nConnection: close\r\n\r\n";
    assert_eq!(endpoint.ask(REQUEST), format!("{head}xxx"));
    assert_eq!(endpoint.ask(b"HEAD /metrics HTTP/1.0\r\n\r\n"), head);
    let signpost = endpoint.ask(b"GET / HTTP/1.0\r\n\r\n");
    assert!(
        signpost.contains("\r\nContent-Type: text/html; charset=utf-8\r\n"),
        "{signpost}"
    );
    assert!(
        signpost.ends_with("<a href=\"/metrics\">/metrics</a>\n"),
        "{signpost}"
    );
    for (request, status, more) in [
        (
            "GET /x HTTP/1.0\r\n\r\n",
            "404 Not Found",
            "metrics are at /metrics\n",
        ),
        (
            "PUT / HTTP/1.0\r\n\r\n",
            "405 Method Not Allowed",
            "\r\nAllow: GET, HEAD\r\n",
        ),
        ("nonsense\r\n\r\n", "400 Bad Request", "no"),
        (
            "GET / HTTP/3\r\n\r\n",
            "505 HTTP Version Not Supported",
            "HTTP/1.1",
        ),
        (
            "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n",
            "403 Forbidden",
            "by address",
        ),
    ] {
        let answer = endpoint.ask(request.as_bytes());
        let line = format!("HTTP/1.1 {status}\r\n");
        assert!(
            answer.starts_with(&line) && answer.contains(more),
            "{answer}"
        );
    }
}

#[test]
fn a_request_in_pieces_is_one_request() {
    let endpoint = Endpoint::start(3);
    let mut scraper = endpoint.connect();
    scraper.set_nodelay(true).unwrap();
    for byte in REQUEST {
        scraper.write_all(&[*byte]).unwrap();
    }
    assert!(rest(&mut scraper).ends_with("\r\n\r\nxxx"));
}

#[test]
fn half_a_request_is_given_up_after_its_time() {
    let endpoint = Endpoint::start(3);
    let start = Instant::now();
    let mut scraper = endpoint.connect();
    scraper.write_all(&REQUEST[..20]).unwrap();
    let answer = rest(&mut scraper);
    assert!(
        answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"),
        "{answer}"
    );
    assert!(start.elapsed() >= METRICS_HEAD_TIMEOUT);
    endpoint.is_well();
}

#[test]
fn a_head_of_nine_kilobytes_is_refused_and_the_answer_arrives() {
    let endpoint = Endpoint::start(3);
    let mut request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nCookie: ".to_vec();
    request.resize(9 * 1024, b'c');
    request.extend(b"\r\n\r\n");
    let answer = endpoint.ask(&request);
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    endpoint.is_well();
}

/// Requests behind the first, a body, or anything: there is one answer, and it is not lost by a reset.
#[test]
fn garbage_behind_a_request_does_not_cost_its_answer() {
    let endpoint = Endpoint::start(3);
    for garbage in [REQUEST.repeat(500), vec![0xff; 20_000]] {
        let answer = endpoint.ask(&[REQUEST, &garbage].concat());
        assert!(answer.ends_with("\r\n\r\nxxx"), "{answer}");
        assert_eq!(answer.matches("HTTP/1.1").count(), 1);
    }
    endpoint.is_well();
}

/// Who never stops sending is cut off.
#[test]
fn an_endless_request_ends() {
    let endpoint = Endpoint::start(3);
    let mut scraper = endpoint.connect();
    let start = Instant::now();
    scraper.set_write_timeout(Some(PATIENCE)).unwrap();
    while scraper.write_all(&[b'a'; 4096]).is_ok() {
        assert!(start.elapsed() < PATIENCE, "it takes everything");
    }
    endpoint.is_well();
}

#[test]
fn beyond_the_bound_the_oldest_connection_makes_room() {
    let endpoint = Endpoint::start(3);
    let mut idle: Vec<_> = (0..METRICS_CONNECTIONS_MAX)
        .map(|_| endpoint.connect())
        .collect();
    let start = Instant::now();
    endpoint.is_well();
    assert!(start.elapsed() < METRICS_HEAD_TIMEOUT, "it had to wait");
    is_over(&mut idle[0]);
    // The others are as they were.
    let newest = idle.last_mut().unwrap();
    newest.write_all(REQUEST).unwrap();
    assert!(rest(newest).ends_with("\r\n\r\nxxx"));
}

#[test]
fn a_hundred_connections_that_say_nothing_keep_no_scraper_out() {
    let endpoint = Endpoint::start(3);
    let idle: Vec<_> = (0..100).map(|_| endpoint.connect()).collect();
    for _ in 0..3 {
        endpoint.is_well();
    }
    drop(idle);
    endpoint.is_well();
}

/// More than any system takes for one that does not read.
const ENDLESS: usize = 64 * 1024 * 1024;

#[test]
fn a_reader_that_does_not_read_is_given_up_and_holds_nobody_up() {
    let endpoint = Endpoint::start(ENDLESS);
    let start = Instant::now();
    let mut slow = endpoint.connect();
    slow.write_all(REQUEST).unwrap();
    slow.read_exact(&mut [0; 16]).unwrap();
    // Somebody else is served meanwhile.
    let mut head = [0; 15];
    let mut quick = endpoint.connect();
    quick.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    quick.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 200 OK");
    // Its connection ends though it has read nothing since: the system's buffers are all it gets.
    let waited = thread::spawn(move || {
        let left = METRICS_REPLY_TIMEOUT.saturating_sub(start.elapsed());
        // What is tested is that nothing is read for the whole time.
        thread::sleep(left + Duration::from_millis(500));
        let mut bytes = Vec::new();
        let end = slow.read_to_end(&mut bytes);
        (bytes.len(), end.is_err_and(|error| is_timeout(&error)))
    });
    let (bytes, still_open) = waited.join().unwrap();
    assert!(bytes < ENDLESS && !still_open, "{bytes}");
}
