//! Rows about many sessions: descriptors that run out, thousands that sit idle, output that
//! nobody reads.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use via6_core::reason::CloseReason;

use crate::chain::Relays;
use crate::failure::{Outcome, ensure, failed};
use crate::pattern::UP;
use crate::process::{GOODBYE, Output, Start, Via6};
use crate::rows::Note;
use crate::scene::{self, Case, Scene};
use crate::system;
use crate::wire::{self, End};

/// Clients of the rows that exhaust descriptors.
const CLIENTS: usize = 200;

/// Idle sessions of the row `idle`.
pub const IDLE_SESSIONS: usize = 5000;

/// So many sessions end before the lab waits for their events: fewer than via6 queues lines, so
/// that none need be dropped.
const HEARD_OUT: usize = 250;

/// Short sessions of the rows whose output nobody reads.
const SHORT_SESSIONS: usize = 2000;

/// How long a via6 is watched for spinning, and the most processor time it may take meanwhile.
const WATCHED: Duration = Duration::from_secs(2);
const CALM: Duration = Duration::from_millis(400);

/// How soon sessions must work again once there are descriptors.
const RECOVERY: Duration = Duration::from_secs(5);

/// 200 clients at a via6 that may hold 64 descriptors: some are served, the rest are refused at
/// once; it stays calm and alive, and serves again when they are gone.
pub(super) fn descriptors(case: &Case<'_>) -> Outcome<Note> {
    system::raise_descriptors(1024)?;
    let start = Start {
        descriptors: Some(64),
        ..Start::default()
    };
    let game = EchoGame::start(case)?;
    let mut relays = scene::relays(case, game.address, start)?;
    let calm = Calm::watch(&relays)?;
    let clients = rush(&relays)?;
    let served = ensure_served_or_reset(&clients)?;
    ensure!(served >= 10, "only {served} of {CLIENTS} were served");
    let busiest = calm.ensure(&mut relays)?;
    drop(clients);
    recover(&relays)?;
    relays.via6s.iter_mut().try_for_each(Via6::stop)?;
    Ok(Note(format!(
        "{served} served, {} ms cpu",
        busiest.as_millis()
    )))
}

/// The limit drops below what via6 counted on while it runs: so that `accept` fails with EMFILE,
/// so that dialling does, and so that not even a descriptor held in reserve is of use. It stays
/// calm and alive, and with the limit back it serves again.
pub(super) fn descriptors_lost(case: &Case<'_>) -> Outcome<Note> {
    system::raise_descriptors(1024)?;
    // One session needs two.
    lose_descriptors(case, 2)?;
    lose_descriptors(case, 3)?;
    lose_reserve(case)
}

fn lose_descriptors(case: &Case<'_>, room: usize) -> Outcome<Note> {
    let game = EchoGame::start(case)?;
    let mut relays = scene::relays(case, game.address, Start::default())?;
    recover(&relays)?;
    for via6 in &relays.via6s {
        via6.events.wait_count(wire::PATIENCE, "session_ended", 1)?;
        system::leave_descriptors(via6.id(), room)?;
    }
    let calm = Calm::watch(&relays)?;
    let clients = rush(&relays)?;
    let served = ensure_served_or_reset(&clients)?;
    ensure!(
        served <= 1,
        "{served} served with {room} descriptors: the limit had no effect"
    );
    let busiest = calm.ensure(&mut relays)?;
    for via6 in &relays.via6s {
        system::limit_descriptors(via6.id(), 1024)?;
    }
    recover(&relays)?;
    drop(clients);
    relays.via6s.iter_mut().try_for_each(Via6::stop)?;
    Ok(Note(format!("{} ms cpu", busiest.as_millis())))
}

/// With a limit of one, every descriptor it gives up is lost to it. Clients can only wait in the
/// system's queue, and none of them may be lost.
fn lose_reserve(case: &Case<'_>) -> Outcome<Note> {
    let game = EchoGame::start(case)?;
    let mut relays = scene::relays(case, game.address, Start::default())?;
    let limit_all = |relays: &Relays, soft| {
        relays
            .via6s
            .iter()
            .try_for_each(|via6| system::limit_descriptors(via6.id(), soft))
    };
    limit_all(&relays, 1)?;
    let calm = Calm::watch(&relays)?;
    let clients = rush(&relays)?;
    let busiest = calm.ensure(&mut relays)?;
    limit_all(&relays, 1024)?;
    let served = ensure_served_or_reset(&clients)?;
    ensure!(
        served == CLIENTS,
        "{served} of {CLIENTS} clients that waited were served"
    );
    drop(clients);
    relays.via6s.iter_mut().try_for_each(Via6::stop)?;
    Ok(Note(format!("{} ms cpu", busiest.as_millis())))
}

/// 5,000 sessions that sit idle, one more that works, and then all end in order.
pub(super) fn idle(case: &Case<'_>) -> Outcome<Note> {
    system::raise_descriptors(2 * IDLE_SESSIONS as u64 + 1000)?;
    let mut scene = Scene::new(case)?;
    let before = memory(&scene.relays)?;
    let mut pairs = Vec::new();
    for _ in 0..IDLE_SESSIONS {
        pairs.push(scene.session()?);
    }
    let each = memory(&scene.relays)?.saturating_sub(before) / IDLE_SESSIONS as u64;
    let busiest = Calm::watch(&scene.relays)?.ensure(&mut scene.relays)?;
    pairs.push(scene.session()?);
    for pair in &pairs[IDLE_SESSIONS - 1..] {
        wire::send(&pair.acting, case.acting.pattern(), 0..1000)?;
        wire::receive(&pair.other, case.acting.pattern(), 0..1000)?;
    }
    let moved = 1000 * (pairs.len() - IDLE_SESSIONS + 1);
    for (index, pair) in pairs.into_iter().enumerate() {
        drop(pair.acting);
        let from = if index + 1 < IDLE_SESSIONS { 0 } else { 1000 };
        wire::expect(&pair.other, case.acting.pattern(), from, from, End::Fin)?;
        drop(pair.other);
        if index % HEARD_OUT == 0 || index == IDLE_SESSIONS {
            for via6 in &scene.relays.via6s {
                via6.events
                    .wait_count(wire::PATIENCE, "session_ended", index + 1)?;
            }
        }
    }
    let sessions = IDLE_SESSIONS + 1;
    for via6 in &mut scene.relays.via6s {
        via6.stop()?;
        let ended = via6.events.of("session_ended");
        ensure!(
            ended.len() == sessions,
            "{} endings of {sessions} sessions",
            ended.len()
        );
        let odd = ended
            .iter()
            .find(|event| event["reason"] != CloseReason::Finished.label());
        ensure!(odd.is_none(), "an idle session did not finish: {odd:?}");
        let bytes = |key: &str| {
            ended
                .iter()
                .filter_map(|event| event[key].as_u64())
                .sum::<u64>()
        };
        let counted = bytes("bytes_up") + bytes("bytes_down");
        ensure!(
            counted == moved as u64,
            "{counted} bytes counted, {moved} moved"
        );
    }
    Ok(Note(format!(
        "{each} B a session, {} ms cpu",
        busiest.as_millis()
    )))
}

/// Nobody reads stdout or stderr while thousands of sessions are told of there: traffic flows,
/// and SIGTERM still ends the program.
pub(super) fn unread_output(case: &Case<'_>) -> Outcome<Note> {
    short_sessions(case, Output::UnreadEvents)
}

/// The same without `--json`, so that it is the log on stderr that fills up.
pub(super) fn unread_log(case: &Case<'_>) -> Outcome<Note> {
    short_sessions(case, Output::UnreadLog)
}

/// The same with the readers gone: every write fails with EPIPE.
pub(super) fn closed_output(case: &Case<'_>) -> Outcome<Note> {
    short_sessions(case, Output::Gone)
}

fn short_sessions(case: &Case<'_>, output: Output) -> Outcome<Note> {
    let game = EchoGame::start(case)?;
    let start = Start {
        output,
        verbose: true,
        ..Start::default()
    };
    let mut relays = scene::relays(case, game.address, start)?;
    let begin = Instant::now();
    let entry = relays.entry;
    thread::scope(|scope| {
        let clients: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(move || {
                    for _ in 0..SHORT_SESSIONS / 4 {
                        let client = wire::connect(entry)?;
                        wire::send(&client, UP, 0..1000)?;
                        wire::receive(&client, UP, 0..1000)?;
                    }
                    Ok(())
                })
            })
            .collect();
        clients.into_iter().try_for_each(super::closing::joined)
    })?;
    let took = begin.elapsed();
    for via6 in &mut relays.via6s {
        let status = via6.terminate(GOODBYE)?;
        ensure!(status.code().is_some(), "{} ended with {status}", via6.name);
    }
    Ok(Note(format!(
        "{} sessions a second",
        SHORT_SESSIONS * 1000 / took.as_millis().max(1) as usize
    )))
}

/// Connects many clients that each say one byte and stay. `None` is one whose connection was
/// reset before it could say anything.
fn rush(relays: &Relays) -> Outcome<Vec<Option<TcpStream>>> {
    (0..CLIENTS).map(|_| knock(relays)).collect()
}

fn knock(relays: &Relays) -> Outcome<Option<TcpStream>> {
    let connected = TcpStream::connect_timeout(&relays.entry, wire::PATIENCE);
    let said = connected.and_then(|mut client| client.write(&[1]).map(|_| client));
    match said {
        Ok(client) => {
            wire::be_patient(&client, wire::PATIENCE)?;
            Ok(Some(client))
        }
        Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(None),
        Err(error) => failed(format!("a client could not even connect: {error}")),
    }
}

/// Fails if a client hangs or sees an orderly end; how many were served.
fn ensure_served_or_reset(clients: &[Option<TcpStream>]) -> Outcome<usize> {
    let mut served = 0;
    for mut client in clients.iter().flatten() {
        match client.read(&mut [0]).map_err(End::from) {
            Ok(1) => served += 1,
            Err(End::Reset) => {}
            other => return failed(format!("a client was neither served nor reset: {other:?}")),
        }
    }
    Ok(served)
}

/// Processor time of every via6 from a certain moment on.
struct Calm(Vec<Duration>);

impl Calm {
    fn watch(relays: &Relays) -> Outcome<Self> {
        let used = relays.via6s.iter().map(|via6| system::cpu_time(via6.id()));
        Ok(Self(used.collect::<Outcome<_>>()?))
    }

    /// Watches for a while longer, then fails if one has ended or was busy: the most processor
    /// time that one took.
    fn ensure(self, relays: &mut Relays) -> Outcome<Duration> {
        // Not waiting for anything: this is the time over which the processor time is taken.
        thread::sleep(WATCHED);
        let after = Self::watch(relays)?.0;
        relays.via6s.iter_mut().try_for_each(Via6::ensure_alive)?;
        let busy = after
            .iter()
            .zip(self.0)
            .map(|(after, before)| after.saturating_sub(before));
        let busiest = busy.max().unwrap_or_default();
        ensure!(
            busiest <= CALM,
            "a via6 used {busiest:?} of processor in {WATCHED:?}"
        );
        Ok(busiest)
    }
}

/// Waits until a new session is served.
fn recover(relays: &Relays) -> Outcome {
    system::wait_for(RECOVERY, "a session to be served again", || {
        let Some(mut client) = knock(relays)? else {
            return Ok(None);
        };
        wire::be_patient(&client, Duration::from_secs(1))?;
        Ok(matches!(client.read(&mut [0]), Ok(1)).then_some(()))
    })
}

/// Memory of all via6 together.
fn memory(relays: &Relays) -> Outcome<u64> {
    relays
        .via6s
        .iter()
        .map(|via6| system::memory(via6.id()))
        .sum()
}

/// A game server that sends back what it gets, to any number of clients.
struct EchoGame {
    address: SocketAddr,
    stopping: Arc<AtomicBool>,
    acceptor: Option<JoinHandle<()>>,
}

impl EchoGame {
    fn start(case: &Case<'_>) -> Outcome<Self> {
        let (socket, address) = wire::reserve(SocketAddr::new(case.chain.game_ip(), 0))?;
        let listener = wire::start_listening(socket)?;
        let stopping = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&stopping);
        let acceptor = thread::spawn(move || Self::accept(&listener, &stop));
        Ok(Self {
            address,
            stopping,
            acceptor: Some(acceptor),
        })
    }

    fn accept(listener: &TcpListener, stop: &AtomicBool) {
        while let Ok((player, _)) = listener.accept() {
            if stop.load(Ordering::Relaxed) {
                return;
            }
            // Ends with its connection, whose other end the row drops.
            thread::spawn(move || std::io::copy(&mut &player, &mut &player));
        }
    }
}

impl Drop for EchoGame {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
        // Wakes the acceptor; if it has ended already, there is nobody to wake.
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}
