//! Times and amounts, as programs and as people say them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Whole milliseconds.
pub(crate) fn ms(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// Milliseconds since 1970, UTC.
#[allow(
    clippy::disallowed_methods,
    reason = "the one place that tells the time of day"
)]
pub(crate) fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, ms)
}

/// A duration as a person says it: `85 µs`, `3.2 s`, `2 min 5 s`.
pub(crate) fn span(span: Duration) -> String {
    let secs = span.as_secs();
    if span < Duration::from_millis(1) {
        format!("{} µs", span.as_micros())
    } else if span < Duration::from_secs(1) {
        format!("{:.1} ms", span.as_secs_f64() * 1e3)
    } else if secs < 60 {
        format!("{:.1} s", span.as_secs_f64())
    } else if secs < 3600 {
        format!("{} min {} s", secs / 60, secs % 60)
    } else {
        format!("{} h {} min", secs / 3600, secs / 60 % 60)
    }
}

/// An amount of data as a person says it: `12 B`, `3.4 kB`, `1.2 GB`.
pub(crate) fn size(bytes: u64) -> String {
    const STEPS: [(u64, &str); 3] = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1000, "kB")];
    for (unit, name) in STEPS {
        if bytes >= unit {
            #[allow(clippy::cast_precision_loss, reason = "one decimal is shown")]
            return format!("{:.1} {name}", bytes as f64 / unit as f64);
        }
    }
    format!("{bytes} B")
}
