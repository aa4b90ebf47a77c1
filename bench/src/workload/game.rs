//! Players of a game server that many of them are on: each has a TCP session of its own, sends at a
//! steady rate and is answered with a message that is larger. An open loop (`schedule`).
//!
//! One thread plays all players. Its answers are timed twice: from when the message was meant to be
//! sent, which is what a player would feel, and from when it was ("wire"), which leaves out that
//! this thread may itself have been late.

use std::collections::VecDeque;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use super::readiness::Readiness;
use super::schedule::Schedule;
use super::{Measured, Stage, Workload};
use crate::client::{SILENCE_LIMIT, ask, check_every_byte, connect_through, is_timeout};
use crate::figures::{Metric, Times};
use crate::server::{extended, request};

/// Bytes of a player's message: a movement, with its headers.
const MESSAGE: usize = 64;

/// Bytes of its answer: what has changed around the player.
const ANSWER: usize = 200;

/// Messages of each player before the timed ones.
const WARM_UP: u64 = 10;

pub(super) struct Game {
    pub(super) players: u16,
    /// Messages that each player sends in a second.
    pub(super) hz: u16,
    pub(super) duration: Duration,
}

impl Workload for Game {
    fn name(&self) -> String {
        "game".to_owned()
    }

    fn describe(&self) -> String {
        let (players, hz, seconds) = (self.players, self.hz, self.duration.as_secs_f32());
        format!(
            "{players} players with a TCP session each send {MESSAGE} B at {hz} Hz for {seconds} s \
             and are answered with {ANSWER} B; timed from when a message was meant to be sent, \
             “wire” from when it was"
        )
    }

    fn server_threads(&self) -> usize {
        usize::from(self.players)
    }

    fn metrics(&self) -> &'static [Metric] {
        const METRICS: &[Metric] = &[
            Metric::lower("p50_us", "p50 µs", 1)
                .against_direct()
                .against_peer(),
            Metric::lower("p99_us", "p99 µs", 1)
                .against_direct()
                .against_peer(),
            Metric::lower("p999_us", "p99.9 µs", 1),
            Metric::lower("wire_p50_us", "wire p50 µs", 1),
            Metric::lower("wire_p99_us", "wire p99 µs", 1),
            Metric::lower("relay_us", "relay CPU µs/message", 1).against_peer(),
            Metric::lower("total_us", "all CPU µs/message", 1).against_direct(),
        ];
        METRICS
    }

    fn run(&self, stage: &mut Stage<'_>) -> anyhow::Result<Measured> {
        let entrance = stage.running.entrance();
        check_every_byte(entrance).context("byte check")?;
        let streams: Vec<TcpStream> = (0..self.players)
            .map(|_| join(entrance))
            .collect::<anyhow::Result<_>>()?;
        let mut crowd = Crowd::new(&streams)?;
        let meter = stage.meter();
        let per_second = u64::from(self.players) * u64::from(self.hz);
        let schedule = Schedule::start(per_second, self.duration);
        crowd.play(&schedule, stage.deadline)?;
        let usage = meter.stop();
        let count = schedule.total() as f64;
        let Crowd {
            mut times,
            mut wire,
            ..
        } = crowd;
        Ok(Measured::new(
            &usage,
            [
                ("p50_us", times.quantile_us(500).unwrap_or_default()),
                ("p99_us", times.quantile_us(990).unwrap_or_default()),
                ("p999_us", times.quantile_us(999).unwrap_or_default()),
                ("wire_p50_us", wire.quantile_us(500).unwrap_or_default()),
                ("wire_p99_us", wire.quantile_us(990).unwrap_or_default()),
                ("relay_us", usage.relay_ns as f64 / 1e3 / count),
                ("total_us", usage.total_ns as f64 / 1e3 / count),
                ("messages", count),
            ],
        ))
    }
}

/// A session that has carried some messages there and back.
fn join(entrance: SocketAddr) -> anyhow::Result<TcpStream> {
    let stream = connect_through(entrance)?;
    ask(&stream, request::ECHO, extended(MESSAGE, ANSWER))?;
    let mut answer = [0; ANSWER];
    for number in 0..WARM_UP {
        (&stream).write_all(&message(number))?;
        (&stream)
            .read_exact(&mut answer)
            .context("cannot receive an answer")?;
        check(number, &answer)?;
    }
    stream.set_nonblocking(true)?;
    Ok(stream)
}

/// Each differs from every other by its number.
fn message(number: u64) -> [u8; MESSAGE] {
    let mut message = [0x42; MESSAGE];
    if let Some(head) = message.first_chunk_mut() {
        *head = number.to_le_bytes();
    }
    message
}

fn check(number: u64, answer: &[u8; ANSWER]) -> anyhow::Result<()> {
    let rest = answer.strip_prefix(&message(number));
    let as_sent = rest.is_some_and(|rest| rest.iter().all(|&byte| byte == request::EXTENSION));
    ensure!(as_sent, "the answer to message {number} has other bytes");
    Ok(())
}

/// All players, and how long their messages took.
struct Crowd<'a> {
    players: Vec<Player<'a>>,
    readiness: Readiness<'a>,
    times: Times,
    wire: Times,
}

struct Player<'a> {
    stream: &'a TcpStream,
    /// Messages without an answer yet: their numbers and when they were sent.
    waiting: VecDeque<(u64, Instant)>,
    answer: [u8; ANSWER],
    filled: usize,
}

impl<'a> Crowd<'a> {
    fn new(streams: &'a [TcpStream]) -> anyhow::Result<Self> {
        let player = |stream| Player {
            stream,
            waiting: VecDeque::new(),
            answer: [0; ANSWER],
            filled: 0,
        };
        Ok(Self {
            players: streams.iter().map(player).collect(),
            readiness: Readiness::of(streams)?,
            times: Times::default(),
            wire: Times::default(),
        })
    }

    /// Sends every message in its time, late or not, and takes all answers.
    fn play(&mut self, schedule: &Schedule, deadline: Instant) -> anyhow::Result<()> {
        let give_up = deadline.min(schedule.end() + SILENCE_LIMIT);
        let total = schedule.total();
        let mut next = 0;
        while (self.times.len() as u64) < total {
            let now = Instant::now();
            ensure!(
                now < give_up,
                "{} of {total} messages were not answered",
                total - self.times.len() as u64
            );
            while next < total && schedule.intended(next) <= now {
                self.send(next)?;
                next += 1;
            }
            let wake = if next < total {
                schedule.intended(next)
            } else {
                give_up
            };
            for index in self.readiness.wait(wake)? {
                self.receive(index, schedule)?;
            }
        }
        Ok(())
    }

    fn send(&mut self, number: u64) -> anyhow::Result<()> {
        let turn = usize::try_from(number % self.players.len() as u64)?;
        let player = self.players.get_mut(turn).context("there is no player")?;
        player.waiting.push_back((number, Instant::now()));
        // A socket that takes nothing any more holds seconds of messages that are not answered.
        (&mut &*player.stream)
            .write_all(&message(number))
            .with_context(|| format!("cannot send message {number}"))
    }

    /// Takes what there is, up to the end of one answer.
    fn receive(&mut self, index: usize, schedule: &Schedule) -> anyhow::Result<()> {
        let player = self.players.get_mut(index).context("there is no player")?;
        let room = player.answer.get_mut(player.filled..).unwrap_or_default();
        match (&mut &*player.stream).read(room) {
            Ok(0) => anyhow::bail!("a session ended while its player was there"),
            Ok(length) => player.filled += length,
            Err(error) if is_timeout(&error) => return Ok(()),
            Err(error) => return Err(error).context("cannot receive an answer"),
        }
        if player.filled == ANSWER {
            let (number, sent) = (player.waiting.pop_front())
                .context("there was an answer that nobody had asked for")?;
            self.times.push(schedule.since_intended(number));
            self.wire.push(sent.elapsed());
            player.filled = 0;
            check(number, &player.answer)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::Server;

    /// Longer than any message takes, far shorter than the schedule.
    const STALL: Duration = Duration::from_millis(100);

    /// One late sender delays all the messages behind it: counted from when they were meant to be
    /// sent, each of them is late.
    #[test]
    fn a_stall_counts_for_every_message_it_has_delayed() {
        let server = Server::tcp(2).unwrap();
        let streams = [
            join(server.address()).unwrap(),
            join(server.address()).unwrap(),
        ];
        let mut crowd = Crowd::new(&streams).unwrap();
        let schedule = Schedule::start(1000, 2 * STALL);
        while Instant::now() < schedule.intended(0) + STALL {
            std::thread::yield_now();
        }
        let deadline = Instant::now() + SILENCE_LIMIT;
        crowd.play(&schedule, deadline).unwrap();
        assert_eq!(crowd.times.len(), 200);
        let late = crowd.times.quantile_us(750).unwrap();
        assert!(late >= 40_000.0, "{late} µs");
        assert_eq!(crowd.wire.len(), 200);
    }

    #[test]
    fn an_answer_with_a_changed_byte_is_not_an_answer() {
        let mut answer = [request::EXTENSION; ANSWER];
        answer[..MESSAGE].copy_from_slice(&message(7));
        check(7, &answer).unwrap();
        assert!(check(8, &answer).is_err());
        answer[ANSWER - 1] ^= 1;
        assert!(check(7, &answer).is_err());
    }
}
