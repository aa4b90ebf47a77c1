//! How long something is to last, as people write it: `30m`, `12h`, `7d`, `1d 12h`, `2 weeks`.

use std::time::Duration;

/// The longest: ten years. Whoever wants more wants no end at all.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Reads it; an error says what is wrong, without the text itself.
pub(crate) fn lifetime(text: &str) -> Result<Duration, String> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err("it is empty".into());
    }
    let mut seconds = 0_u64;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, after) = rest.split_at(digits);
        if number.is_empty() {
            return Err("a number is missing".into());
        }
        let after = after.trim_start();
        let letters = after.len() - after.trim_start_matches(char::is_alphabetic).len();
        let (unit, after) = after.split_at(letters);
        let unit = match unit.to_lowercase().as_str() {
            "s" | "sec" | "secs" | "second" | "seconds" => 1,
            "m" | "min" | "mins" | "minute" | "minutes" => 60,
            "h" | "hour" | "hours" => 3600,
            "d" | "day" | "days" => 24 * 3600,
            "w" | "week" | "weeks" => 7 * 24 * 3600,
            "" if after.is_empty() => return Err("a unit is missing: s, m, h or d".into()),
            "" => return Err("it is a number and a unit: s, m, h or d".into()),
            _ => return Err(format!("{unit} is no unit: s, m, h or d")),
        };
        let part = number.parse().ok().and_then(|n: u64| n.checked_mul(unit));
        let sum = part.and_then(|part| seconds.checked_add(part));
        seconds = sum.unwrap_or(u64::MAX);
        rest = after.trim_start();
    }
    let span = Duration::from_secs(seconds);
    if span.is_zero() {
        Err("that is over at once".into())
    } else if span > LONGEST {
        Err("at most 3650d".into())
    } else {
        Ok(span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_say_how_long_in_many_ways() {
        const DAY: u64 = 24 * 3600;
        for (text, seconds) in [
            ("90s", 90),
            ("30m", 1800),
            ("12h", 12 * 3600),
            ("7d", 7 * DAY),
            (" 7 Days ", 7 * DAY),
            ("1d12h", DAY * 3 / 2),
            ("1 day 12 hours", DAY * 3 / 2),
            ("2w", 14 * DAY),
            ("3650d", 3650 * DAY),
        ] {
            assert_eq!(lifetime(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_told() {
        for (text, why) in [
            ("", "it is empty"),
            ("7", "a unit is missing: s, m, h or d"),
            ("d", "a number is missing"),
            ("-7d", "a number is missing"),
            ("1.5h", "it is a number and a unit: s, m, h or d"),
            ("7y", "y is no unit: s, m, h or d"),
            ("0m", "that is over at once"),
            ("3651d", "at most 3650d"),
            ("99999999999999999999d", "at most 3650d"),
            ("7d, 2h", "a number is missing"),
        ] {
            assert_eq!(lifetime(text), Err(why.into()), "{text}");
        }
    }
}
