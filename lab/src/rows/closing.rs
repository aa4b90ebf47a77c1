//! Rows about orderly ends and slow readers: not a byte is lost, however late it is read.

use std::thread;
use std::time::Duration;

use crate::failure::{Outcome, ensure};
use crate::rows::Note;
use crate::scene::{Case, Ending, Scene};
use crate::system;
use crate::wire::{self, End, MIB};

/// How long the reply to a half-closed side lets it wait: longer than the half second after which
/// common relays cut it off.
const REPLY_AFTER: Duration = Duration::from_secs(1);

/// Memory that one via6 may take for one session beyond its idle state, in bytes: the buffers of
/// both directions, tasks, and what the allocator rounds up. A relay that queues what a slow
/// reader does not take would need 32 MiB here.
pub const SESSION_MEMORY: u64 = 2 * MIB;

/// The same of a session on a sealed link, which keeps a megabyte until the other side has it, and takes one
/// ahead of the game; QUIC has buffers of its own for both.
const SEALED_MEMORY: u64 = 6 * MIB;

/// One side says it is done (FIN) and still gets an 8 MiB answer that begins a second later.
pub(super) fn half_close(case: &Case<'_>) -> Outcome<Note> {
    let scene = Scene::new(case)?;
    let pair = scene.session()?;
    let (request, reply) = (case.acting.pattern(), case.acting.other().pattern());
    wire::send(&pair.acting, request, 0..MIB / 16)?;
    wire::finish(&pair.acting)?;
    wire::expect(&pair.other, request, 0, MIB / 16, End::Fin)?;
    // Not waiting for anything: the silence itself is what the row is about.
    thread::sleep(REPLY_AFTER);
    thread::scope(|scope| {
        let sender = scope.spawn(|| {
            wire::send(&pair.other, reply, 0..8 * MIB)?;
            wire::finish(&pair.other)
        });
        wire::expect(&pair.acting, reply, 0, 8 * MIB, End::Fin)?;
        joined(sender)
    })?;
    drop(pair);
    scene.conclude(&Ending::finished(MIB / 16, 8 * MIB))?;
    Ok(Note::default())
}

/// Both sides talk at once, in small and large pieces, and end in turn. The row for chains with
/// relays that know no half-close: the side that ends has received everything before.
pub(super) fn conversation(case: &Case<'_>) -> Outcome<Note> {
    let scene = Scene::new(case)?;
    let pair = scene.session()?;
    let (there, back) = (case.acting.pattern(), case.acting.other().pattern());
    for at in 0..100 {
        wire::send(&pair.acting, there, at..at + 1)?;
        wire::receive(&pair.other, there, at..at + 1)?;
        wire::send(&pair.other, back, at..at + 1)?;
        wire::receive(&pair.acting, back, at..at + 1)?;
    }
    thread::scope(|scope| {
        let one = scope.spawn(|| wire::send(&pair.acting, there, 100..4 * MIB));
        let two = scope.spawn(|| wire::send(&pair.other, back, 100..4 * MIB));
        let three = scope.spawn(|| wire::receive(&pair.other, there, 100..4 * MIB));
        wire::receive(&pair.acting, back, 100..4 * MIB)?;
        [one, two, three].into_iter().try_for_each(joined)
    })?;
    wire::finish(&pair.acting)?;
    wire::expect(&pair.other, there, 4 * MIB, 4 * MIB, End::Fin)?;
    wire::finish(&pair.other)?;
    wire::expect(&pair.acting, back, 4 * MIB, 4 * MIB, End::Fin)?;
    drop(pair);
    scene.conclude(&Ending::finished(4 * MIB, 4 * MIB))?;
    Ok(Note::default())
}

/// 32 MiB to a reader that takes 64 KiB a millisecond at most; via6 holds [`SESSION_MEMORY`],
/// on a sealed link [`SEALED_MEMORY`].
pub(super) fn slow_reader(case: &Case<'_>) -> Outcome<Note> {
    let scene = Scene::new(case)?;
    let pair = scene.session()?;
    let pattern = case.acting.pattern();
    let idle = memory(&scene)?;
    let mut peak = vec![0; idle.len()];
    let mut sampled = 0;
    thread::scope(|scope| {
        let sender = scope.spawn(|| {
            wire::send(&pair.acting, pattern, 0..32 * MIB)?;
            wire::finish(&pair.acting)
        });
        let seen = wire::receive_to_end(&pair.other, pattern, 0, |at| {
            // Slow on purpose.
            thread::sleep(Duration::from_millis(1));
            if at - sampled >= MIB {
                sampled = at;
                let now = memory(&scene)?;
                peak.iter_mut()
                    .zip(now)
                    .for_each(|(peak, now)| *peak = now.max(*peak));
            }
            Ok(())
        })?;
        ensure!(
            seen == (32 * MIB, End::Fin),
            "expected 32 MiB, then FIN; saw {seen:?}"
        );
        joined(sender)
    })?;
    let grown = peak
        .iter()
        .zip(&idle)
        .map(|(peak, idle)| peak.saturating_sub(*idle));
    let grown = grown.max().unwrap_or(0);
    let bound = if case.chain.is_sealed() {
        SEALED_MEMORY
    } else {
        SESSION_MEMORY
    };
    ensure!(
        grown <= bound,
        "memory grew by {grown} bytes, bound {bound}"
    );
    drop(pair);
    scene.conclude(&Ending::finished(32 * MIB, 0))?;
    Ok(Note(format!("memory +{} KiB", grown / 1024)))
}

/// 32 MiB to a reader that reads nothing for the case's pause and then everything. What it sends
/// itself meanwhile goes through at once (but not through the script, which then waits to write).
pub(super) fn pausing_reader(case: &Case<'_>) -> Outcome<Note> {
    let scene = Scene::new(case)?;
    let pair = scene.session()?;
    let (there, back) = (case.acting.pattern(), case.acting.other().pattern());
    let meanwhile = if case.chain.has_script() { 0 } else { 1024 };
    wire::be_patient(&pair.acting, case.pause + wire::PATIENCE)?;
    thread::scope(|scope| {
        let sender = scope.spawn(|| {
            wire::send(&pair.acting, there, 0..32 * MIB)?;
            wire::finish(&pair.acting)
        });
        for part in 0..8 {
            let range = part * meanwhile..(part + 1) * meanwhile;
            wire::send(&pair.other, back, range.clone())?;
            wire::receive(&pair.acting, back, range)?;
            thread::sleep(case.pause / 8);
        }
        wire::expect(&pair.other, there, 0, 32 * MIB, End::Fin)?;
        joined(sender)
    })?;
    drop(pair);
    scene.conclude(&Ending::finished(32 * MIB, 8 * meanwhile))?;
    Ok(Note::default())
}

/// Memory of every via6 of the scene now.
fn memory(scene: &Scene) -> Outcome<Vec<u64>> {
    scene
        .relays
        .via6s
        .iter()
        .map(|via6| system::memory(via6.id()))
        .collect()
}

/// What a thread came to; its panic goes on here.
pub(super) fn joined<T>(thread: thread::ScopedJoinHandle<'_, Outcome<T>>) -> Outcome<T> {
    match thread.join() {
        Ok(outcome) => outcome,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}
