//! What a scraper, or somebody with a browser, asks for: the head of an HTTP/1.1 request, and the
//! answer it gets. Pure: bytes in, a decision out.
//!
//! There is one page to read, so bodies are not looked at and connections are not kept (RFC 9112 §9.6).

use std::net::{Ipv4Addr, Ipv6Addr};

use httparse::{EMPTY_HEADER, Error, Request, Status};
use via6_core::limits::{METRICS_HEAD_MAX, METRICS_HEADERS_MAX};

/// What is to be answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Answer {
    pub(super) what: What,
    /// The head alone.
    pub(super) head_only: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum What {
    Metrics,
    /// Where the metrics are.
    Signpost,
    Refusal(Refusal),
}

/// Why somebody gets nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Refusal {
    Malformed,
    ForeignHost,
    NoSuchPage,
    Method,
    TooSlow,
    TooLarge,
    Version,
}

impl Refusal {
    /// The status line's end and a sentence (RFC 9110 §15).
    pub(super) const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Malformed => ("400 Bad Request", "this is not an HTTP request"),
            Self::ForeignHost => (
                "403 Forbidden",
                "metrics of this computer alone are asked for by address or as localhost",
            ),
            Self::NoSuchPage => ("404 Not Found", "metrics are at /metrics"),
            Self::Method => ("405 Method Not Allowed", "metrics can be read: GET or HEAD"),
            Self::TooSlow => ("408 Request Timeout", "the request did not come in time"),
            Self::TooLarge => (
                "431 Request Header Fields Too Large",
                "the head of the request is too long",
            ),
            Self::Version => ("505 HTTP Version Not Supported", "HTTP/1.1 is spoken here"),
        }
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        Self {
            what: What::Refusal(refusal),
            head_only: false,
        }
    }
}

/// Who may be asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Hosts {
    Any,
    /// Addresses and `localhost`. On loopback any other name is a web page's whose name has been made
    /// to lead here (DNS rebinding), so that it could read what is meant for this computer alone.
    Local,
}

/// Reads what has come so far. None: the head is not complete.
pub(super) fn answer(so_far: &[u8], hosts: Hosts) -> Option<Answer> {
    let mut headers = [EMPTY_HEADER; METRICS_HEADERS_MAX];
    let mut request = Request::new(&mut headers);
    match request.parse(so_far) {
        Ok(Status::Complete(length)) if length <= METRICS_HEAD_MAX => {
            Some(decide(&request, hosts).unwrap_or_else(Answer::from))
        }
        Ok(Status::Partial) if so_far.len() < METRICS_HEAD_MAX => None,
        Ok(_) | Err(Error::TooManyHeaders) => Some(Refusal::TooLarge.into()),
        Err(Error::Version) => Some(Refusal::Version.into()),
        Err(_) => Some(Refusal::Malformed.into()),
    }
}

fn decide(request: &Request<'_, '_>, hosts: Hosts) -> Result<Answer, Refusal> {
    let target = request.path.unwrap_or_default();
    let (authority, path) = split(target);
    let host = host(request)?;
    // The target's own wins over the header (RFC 9112 §3.2.2).
    if let (Hosts::Local, Some(asked)) = (hosts, authority.or(host))
        && !is_local(asked)
    {
        return Err(Refusal::ForeignHost);
    }
    let head_only = match request.method {
        Some("GET") => false,
        Some("HEAD") => true,
        _ => return Err(Refusal::Method),
    };
    let what = match path {
        "/metrics" => What::Metrics,
        "/" => What::Signpost,
        _ => What::Refusal(Refusal::NoSuchPage),
    };
    Ok(Answer { what, head_only })
}

/// The authority of a target that has one, and its path without the query.
fn split(target: &str) -> (Option<&str>, &str) {
    const SCHEME: &str = "http://";
    let target = target.split(['?', '#']).next().unwrap_or_default();
    let scheme = target.get(..SCHEME.len());
    let rest = scheme
        .filter(|scheme| scheme.eq_ignore_ascii_case(SCHEME))
        .and_then(|_| target.get(SCHEME.len()..));
    match rest.map(|rest| rest.split_at(rest.find('/').unwrap_or(rest.len()))) {
        Some((authority, "")) => (Some(authority), "/"),
        Some((authority, path)) => (Some(authority), path),
        None => (None, target),
    }
}

/// The one `Host`: HTTP/1.1 requires it, and two are a way past whoever checks only one of them
/// (RFC 9112 §3.2).
fn host<'h>(request: &Request<'h, '_>) -> Result<Option<&'h str>, Refusal> {
    let mut hosts = request
        .headers
        .iter()
        .filter(|header| header.name.eq_ignore_ascii_case("host"));
    let host = match (hosts.next(), hosts.next()) {
        (Some(one), None) => one.value,
        (None, _) if request.version == Some(0) => return Ok(None),
        _ => return Err(Refusal::Malformed),
    };
    let host = str::from_utf8(host).map_err(|_| Refusal::Malformed)?;
    Ok(Some(host.trim()))
}

/// `127.0.0.1:9646`, `[::1]:9646`, `localhost`.
fn is_local(authority: &str) -> bool {
    if let Some((address, _)) = authority
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
    {
        return address.parse::<Ipv6Addr>().is_ok();
    }
    let host = authority.split(':').next().unwrap_or_default();
    host.eq_ignore_ascii_case("localhost") || host.parse::<Ipv4Addr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(head: &str) -> Option<Answer> {
        answer(head.as_bytes(), Hosts::Local)
    }

    fn got(what: What) -> Answer {
        let head_only = false;
        Answer { what, head_only }
    }

    fn refused(refusal: Refusal) -> Answer {
        got(What::Refusal(refusal))
    }

    #[test]
    fn the_page_is_found_however_it_is_asked_for() {
        for target in [
            "/metrics",
            "/metrics?x=1",
            "http://[::1]:9/metrics",
            "HTTP://localhost/metrics?",
        ] {
            let head = format!("GET {target} HTTP/1.1\r\nhOST: 127.0.0.1:9\r\n\r\n");
            assert_eq!(asked(&head), Some(got(What::Metrics)), "{target}");
        }
        assert_eq!(
            asked("GET /metrics HTTP/1.0\r\n\r\n"),
            Some(got(What::Metrics))
        );
        for target in ["/", "http://localhost", "http://localhost?x", "/?"] {
            let head = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
            assert_eq!(asked(&head), Some(got(What::Signpost)), "{target}");
        }
        let head = asked("HEAD /metrics HTTP/1.1\r\nHost: [::1]\r\n\r\nmore");
        let what = What::Metrics;
        let head_only = true;
        assert_eq!(head, Some(Answer { what, head_only }));
    }

    #[test]
    fn what_is_no_request_for_it_is_refused_for_its_own_reason() {
        for (head, refusal) in [
            (
                "GET /metrics/ HTTP/1.1\r\nHost: ::\r\n\r\n",
                Refusal::ForeignHost,
            ),
            (
                "GET /metrics/ HTTP/1.1\r\nHost: 127.1.2.3\r\n\r\n",
                Refusal::NoSuchPage,
            ),
            (
                "POST /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n",
                Refusal::Method,
            ),
            (
                "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
                Refusal::Method,
            ),
            ("GET /metrics HTTP/1.1\r\n\r\n", Refusal::Malformed),
            (
                "GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
                Refusal::Malformed,
            ),
            (
                "GET /metrics HTTP/1.1\r\nHost: localhost\r\n: x\r\n\r\n",
                Refusal::Malformed,
            ),
            ("\u{16}\u{3}\u{1}\u{2}\0\u{1}", Refusal::Malformed),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Refusal::Version),
        ] {
            assert_eq!(asked(head), Some(refused(refusal)), "{head}");
        }
    }

    /// A web page that has its own name resolve to 127.0.0.1.
    #[test]
    fn a_name_that_leads_here_is_refused_unless_names_are_usual() {
        for host in [
            "evil.example",
            "localhost.evil.example:9646",
            "127.0.0.1.evil.example",
            "",
        ] {
            let head = format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n");
            assert_eq!(asked(&head), Some(refused(Refusal::ForeignHost)), "{host}");
            assert_eq!(
                answer(head.as_bytes(), Hosts::Any),
                Some(got(What::Metrics))
            );
            let absolute = format!("GET http://{host}/metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
            assert_eq!(
                asked(&absolute),
                Some(refused(Refusal::ForeignHost)),
                "{host}"
            );
        }
    }

    #[test]
    fn a_head_is_awaited_as_long_as_it_may_be_and_no_longer() {
        let start = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: ";
        for end in 0..start.len() {
            assert_eq!(asked(&start[..end]), None, "{end}");
        }
        let fill =
            |length: usize| format!("{start}{}\r\n\r\n", "x".repeat(length - start.len() - 4));
        assert_eq!(asked(&fill(METRICS_HEAD_MAX)), Some(got(What::Metrics)));
        assert_eq!(
            asked(&fill(METRICS_HEAD_MAX + 1)),
            Some(refused(Refusal::TooLarge))
        );
        let partial = &fill(METRICS_HEAD_MAX + 1)[..METRICS_HEAD_MAX];
        assert_eq!(asked(partial), Some(refused(Refusal::TooLarge)));
        let many = "a: b\r\n".repeat(METRICS_HEADERS_MAX);
        let head = format!("GET /metrics HTTP/1.1\r\nHost: localhost\r\n{many}\r\n");
        assert_eq!(asked(&head), Some(refused(Refusal::TooLarge)));
    }
}
