//! Why a host cannot be reached, in one paragraph: what was tried, what came of it, and what that most likely
//! means.

use std::io::ErrorKind;
use std::net::SocketAddr;

use via6_relay::route_to;
use via6_sealed::{Attempt, Failed};

/// Addresses that are named; the others are counted.
const NAMED_MAX: usize = 3;

/// What is said of attempts that have all failed.
pub(super) fn unreachable(attempts: &[Attempt]) -> String {
    if attempts.is_empty() {
        return "cannot reach the host: its name is not known here, and the invite has no address. It is \
                tried again; ask the host whether its DNS name is right"
            .into();
    }
    let tried = grouped(attempts);
    let port = attempts.first().map_or(0, |one| one.address.port());
    let cure = cure(attempts, port);
    format!("cannot reach the host: {tried}. {cure}. It is tried again")
}

/// `no answer from [2001:db8::1]:43325 (QUIC and TLS)`, one part for each result.
fn grouped(attempts: &[Attempt]) -> String {
    let mut results: Vec<(String, Vec<SocketAddr>)> = Vec::new();
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for attempt in attempts {
        if !addresses.contains(&attempt.address) {
            addresses.push(attempt.address);
        }
    }
    for address in addresses {
        let of_it = attempts.iter().filter(|one| one.address == address);
        let of_it: Vec<_> = of_it.collect();
        let mut words: Vec<String> = Vec::new();
        for attempt in &of_it {
            let same = of_it.iter().filter(|one| one.failure == attempt.failure);
            let kinds: Vec<_> = same.map(|one| one.kind.to_string()).collect();
            let word = format!("{} ({})", attempt.failure, kinds.join(" and "));
            if !words.contains(&word) {
                words.push(word);
            }
        }
        let result = words.join(", ");
        match results.iter_mut().find(|(known, _)| *known == result) {
            Some((_, all)) => all.push(address),
            None => results.push((result, vec![address])),
        }
    }
    let parts = results.into_iter().map(|(result, addresses)| {
        let more = addresses.len().saturating_sub(NAMED_MAX);
        let named = addresses.iter().take(NAMED_MAX).map(ToString::to_string);
        let named = named.collect::<Vec<_>>().join(", ");
        let more = match more {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        format!("{named}{more}: {result}")
    });
    parts.collect::<Vec<_>>().join("; ")
}

/// What it most likely is, and what to do.
fn cure(attempts: &[Attempt], port: u16) -> String {
    let has = |failure: &Failed| attempts.iter().any(|one| one.failure == *failure);
    if attempts.iter().all(|one| no_route(one.address)) {
        return "This computer has no IPv6, and without it there is no way to the host: look for IPv6 in \
                your router's settings; a phone's hotspot often has it"
            .into();
    }
    if has(&Failed::OtherHost) {
        return "Another via6 is there by now: the host's address has changed. Ask the host for a new invite"
            .into();
    }
    if has(&Failed::Foreign) {
        return "What answers there is no via6 that this one understands: ask the host whether it runs the \
                same version, and whether the invite is its newest"
            .into();
    }
    if has(&Failed::Refused) {
        return "The computer is there, and via6 is not running on it: ask the host to start it"
            .into();
    }
    format!(
        "Either via6 is not running there; or the host's router lets nothing in, where UDP and TCP port {port} \
         have to be let through to that computer; or the host's address has changed, and you need a new \
         invite"
    )
}

/// There is no address of ours to send from, or no way.
fn no_route(address: SocketAddr) -> bool {
    let error = route_to(address).err();
    error.is_some_and(|error| {
        matches!(
            error.kind(),
            ErrorKind::AddrNotAvailable
                | ErrorKind::NetworkUnreachable
                | ErrorKind::HostUnreachable
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use via6_sealed::Kind;

    fn attempt(address: &str, kind: Kind, failure: Failed) -> Attempt {
        Attempt {
            address: address.parse().unwrap(),
            kind,
            failure,
        }
    }

    #[test]
    fn what_was_tried_is_grouped_and_the_likely_cause_named() {
        let (one, two) = ("[::1]:5", "[::ffff:127.0.0.2]:5");
        let silent = |at| [Kind::Quic, Kind::Tls].map(|kind| attempt(at, kind, Failed::Silent));
        let both = [silent(one), silent(two)].concat();
        let told = unreachable(&both);
        assert!(
            told.starts_with(
                "cannot reach the host: [::1]:5, [::ffff:127.0.0.2]:5: no answer (QUIC and TLS). Either via6"
            ),
            "{told}"
        );
        let mut refused = silent(one);
        refused[1].failure = Failed::Refused;
        let told = unreachable(&refused);
        assert!(
            told.contains(
                "[::1]:5: no answer (QUIC), nothing listens there (TLS). The computer is there"
            ),
            "{told}"
        );
        for (failure, words) in [
            (Failed::OtherHost, "Ask the host for a new invite"),
            (Failed::Foreign, "the same version"),
        ] {
            let told = unreachable(&[attempt(one, Kind::Tls, failure)]);
            assert!(told.contains(words), "{told}");
        }
        assert!(unreachable(&[]).contains("DNS name"));
    }
}
