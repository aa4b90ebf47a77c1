//! Numbers as they stand in the view: short, of a bounded width, and no more exact than a glance.
//! The log has the exact ones.

use std::time::Duration;

/// An amount of data in at most 7 columns: `12 B`, `41.2 kB`, `312 MB`.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    #[allow(clippy::cast_precision_loss, reason = "three digits are shown")]
    let mut value = bytes as f64;
    let mut name = "B";
    for unit in UNITS {
        // What would be written as 1000.
        if value < 999.5 {
            break;
        }
        (value, name) = (value / 1000.0, unit);
    }
    if value < 99.95 {
        format!("{value:.1} {name}")
    } else {
        format!("{value:.0} {name}")
    }
}

/// Bytes per second in at most 9 columns.
pub(super) fn rate(bytes: u64) -> String {
    format!("{}/s", size(bytes))
}

/// How long something is there, in at most 6 columns: `45 s`, `72 min`, `5 h`.
pub(super) fn age(ms: u64) -> String {
    let secs = Duration::from_millis(ms).as_secs();
    match secs {
        0..60 => format!("{secs} s"),
        60..6000 => format!("{} min", secs / 60),
        6000..172_800 => format!("{} h", secs / 3600),
        _ => format!("{} d", (secs / 86_400).min(9999)),
    }
}

/// The same, of what is read alone: `1 h 12 min`.
pub(super) fn long_age(ms: u64) -> String {
    let secs = Duration::from_millis(ms).as_secs();
    match secs {
        0..3600 => age(ms),
        3600..86_400 => format!("{} h {} min", secs / 3600, secs / 60 % 60),
        _ => format!("{} d {} h", secs / 86_400, secs / 3600 % 24),
    }
}

/// A round trip in at most 6 columns: `0.3 ms`, `24 ms`, `1.2 s`.
pub(super) fn ping(us: u64) -> String {
    #[allow(clippy::cast_precision_loss, reason = "two or three digits are shown")]
    let ms = us as f64 / 1000.0;
    match us {
        0..9_950 => format!("{ms:.1} ms"),
        9_950..999_500 => format!("{ms:.0} ms"),
        999_500..99_950_000 => format!("{:.1} s", ms / 1000.0),
        _ => "long".into(),
    }
}

/// `1 session`, `2 sessions`.
pub(super) fn count(n: u64, what: &str) -> String {
    if n == 1 {
        format!("1 {what}")
    } else {
        format!("{n} {what}s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_never_outgrows_its_column() {
        let mut seen = 0;
        for exponent in 0..64 {
            for near in [-1, 0, 1] {
                for part in [1.0, 9.949, 9.951, 9.9949, 9.995, 9.9951] {
                    #[allow(
                        clippy::cast_possible_truncation,
                        clippy::cast_sign_loss,
                        reason = "any number will do"
                    )]
                    let n = (part * 10_f64.powi(exponent / 3)) as u64;
                    let n = n.saturating_add_signed(near).max(1 << exponent);
                    assert!(size(n).len() <= 7, "{n}: {}", size(n));
                    assert!(rate(n).len() <= 9, "{n}: {}", rate(n));
                    assert!(age(n).len() <= 6, "{n}: {}", age(n));
                    assert!(ping(n).len() <= 6, "{n}: {}", ping(n));
                    seen += 1;
                }
            }
        }
        assert!(seen > 1000);
    }

    #[test]
    fn amounts_read_as_a_person_says_them() {
        let sizes = [
            0,
            999,
            1000,
            41_249,
            99_949,
            99_950,
            999_499,
            999_500,
            u64::MAX,
        ];
        let texts = sizes.map(size);
        let wanted = [
            "0 B", "999 B", "1.0 kB", "41.2 kB", "99.9 kB", "100 kB", "999 kB", "1.0 MB", "18.4 EB",
        ];
        assert_eq!(texts, wanted);
        let ages = [
            0,
            59_999,
            60_000,
            4_320_000,
            6_000_000,
            18_000_000,
            200_000_000,
        ];
        assert_eq!(
            ages.map(age),
            ["0 s", "59 s", "1 min", "72 min", "1 h", "5 h", "2 d"]
        );
        assert_eq!(long_age(4_320_000), "1 h 12 min");
        assert_eq!(long_age(200_000_000), "2 d 7 h");
        let pings = [31, 812, 24_000, 240_400, 1_240_000];
        assert_eq!(
            pings.map(ping),
            ["0.0 ms", "0.8 ms", "24 ms", "240 ms", "1.2 s"]
        );
    }
}
