//! What the figures were measured on: without it a table is worth nothing.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::{SystemTime, UNIX_EPOCH};
use std::{fs, io};

use serde::Serialize;
use socket2::SockRef;

use crate::process::machine_cpus;

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cpus: u64,
    pub(crate) kernel: String,
    /// What a loopback connection uses; there bbr costs two to three times the CPU of cubic.
    pub(crate) congestion_control: String,
    /// Programs ready to run, averaged over a minute, before the first measurement.
    pub(crate) load: String,
}

impl Machine {
    pub(crate) fn this() -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let cpu = cpuinfo
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(key, _)| matches!(key.trim(), "model name" | "Model"))
            .map_or_else(
                || "unknown".to_owned(),
                |(_, value)| value.trim().to_owned(),
            );
        Self {
            cpu,
            cpus: machine_cpus(),
            kernel: first_word("/proc/sys/kernel/osrelease"),
            congestion_control: congestion_control().unwrap_or_else(|_| "unknown".to_owned()),
            load: first_word("/proc/loadavg"),
        }
    }
}

/// Asks a connection rather than the system: a route can say otherwise (`cubic.sh`).
fn congestion_control() -> io::Result<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let stream = TcpStream::connect(listener.local_addr()?)?;
    let name = SockRef::from(&stream).tcp_congestion()?;
    let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
    Ok(String::from_utf8_lossy(name).into_owned())
}

fn first_word(path: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.split_whitespace()
        .next()
        .unwrap_or("unknown")
        .to_owned()
}

/// Now, in UTC, as `2026-01-31 13:59`.
pub(crate) fn date() -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    date_of(now.as_secs())
}

fn date_of(seconds: u64) -> String {
    let (mut day, minutes) = (seconds / 86_400, seconds / 60 % 1440);
    let mut year = 1970;
    let leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    loop {
        let length = if leap(year) { 366 } else { 365 };
        if day < length {
            break;
        }
        (day, year) = (day - length, year + 1);
    }
    let february = if leap(year) { 29 } else { 28 };
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if day < length {
            break;
        }
        (day, month) = (day - length, month + 1);
    }
    let (hour, minute) = (minutes / 60, minutes % 60);
    format!("{year}-{month:02}-{:02} {hour:02}:{minute:02}", day + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_know_leap_years() {
        assert_eq!(date_of(0), "1970-01-01 00:00");
        assert_eq!(date_of(951_782_400), "2000-02-29 00:00");
        assert_eq!(date_of(1_709_251_199), "2024-02-29 23:59");
        assert_eq!(date_of(4_107_542_400), "2100-03-01 00:00");
    }

    #[test]
    fn this_machine_has_a_kernel_and_cpus() {
        let machine = Machine::this();
        assert!(machine.cpus > 0 && machine.kernel != "unknown");
        let known =
            fs::read_to_string("/proc/sys/net/ipv4/tcp_available_congestion_control").unwrap();
        assert!(
            known
                .split_whitespace()
                .any(|name| name == machine.congestion_control)
        );
    }
}
