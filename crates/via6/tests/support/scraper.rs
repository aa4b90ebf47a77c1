//! Reads a page of metrics over HTTP, as a scraper does.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::{PATIENCE, Running};

/// Between two looks at something that is not there yet.
pub const PACE: Duration = Duration::from_millis(20);

/// Where a running via6 has its metrics.
pub fn metrics_of(via6: &Running) -> SocketAddr {
    let event = via6.event("metrics");
    let address = event["address"].as_str().expect("an address");
    address.parse().expect("a socket address")
}

/// The body of what `at` answers to a GET, if that is 200.
pub fn get(at: SocketAddr, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(at).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.starts_with("HTTP/1.1 200 ").then(|| body.to_owned())
}

/// A page, by series: `via6_sessions{relay="host",role="host"}`.
#[derive(Clone, Debug)]
pub struct Page(pub BTreeMap<String, String>);

impl Page {
    /// Takes one.
    pub fn of(at: SocketAddr) -> Self {
        let text = get(at, "/metrics").expect("a page of metrics");
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let samples = samples.map(|line| line.rsplit_once(' ').expect("a sample"));
        let samples = samples.map(|(series, value)| (series.to_owned(), value.to_owned()));
        Self(samples.collect())
    }

    /// The value of a series of the only relay, called after its `role`: `sessions` or
    /// `sessions_ended_total reason finished`.
    pub fn value(&self, role: &str, series: &str) -> &str {
        let mut words = series.split(' ');
        let name = words.next().unwrap_or_default();
        let more = match (words.next(), words.next()) {
            (Some(label), Some(value)) => format!(",{label}=\"{value}\""),
            _ => String::new(),
        };
        let series = format!("via6_{name}{{relay=\"{role}\",role=\"{role}\"{more}}}");
        let value = self.0.get(&series);
        value.unwrap_or_else(|| panic!("no {series} in {self:#?}"))
    }

    /// Takes pages until all of these have their values.
    pub fn until(at: SocketAddr, role: &str, wanted: &[(&str, &str)]) -> Self {
        let start = Instant::now();
        loop {
            let page = Self::of(at);
            let differs = |(series, value): &&(&str, &str)| page.value(role, series) != *value;
            let differing: Vec<_> = wanted.iter().filter(differs).collect();
            if differing.is_empty() {
                return page;
            }
            assert!(
                start.elapsed() < PATIENCE,
                "still not {differing:?} in {page:#?}"
            );
            thread::sleep(PACE);
        }
    }
}
