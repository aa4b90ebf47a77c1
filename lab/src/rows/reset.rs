//! Rows about ends that are not orderly: RST, a refused dial, a killed process.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use via6_core::reason::CloseReason;

use super::closing::joined;
use crate::chain::Chain;
use crate::failure::{During, Outcome, ensure, failed};
use crate::process::Start;
use crate::rows::Note;
use crate::scene::{self, Case, Ending, Scene, Side};
use crate::system;
use crate::wire::{self, End, MIB};

/// How soon a refused client must know, where a person would call it "at once".
const AT_ONCE: Duration = Duration::from_secs(1);

/// How long a slow reader waits for the reset before it begins to read.
const HOLD_BACK: Duration = Duration::from_millis(500);

/// After an exchange, one side resets; the other sees a reset, not an orderly end.
pub(super) fn reset(case: &Case<'_>) -> Outcome<Note> {
    let scene = Scene::new(case)?;
    let pair = scene.session()?;
    let (there, back) = (case.acting.pattern(), case.acting.other().pattern());
    wire::send(&pair.acting, there, 0..1000)?;
    wire::receive(&pair.other, there, 0..1000)?;
    wire::send(&pair.other, back, 0..1000)?;
    wire::receive(&pair.acting, back, 0..1000)?;
    wire::reset(pair.acting)?;
    wire::expect(&pair.other, there, 1000, 1000, End::Reset)?;
    scene.conclude(&Ending::reset(1000..=1000, 1000..=1000))?;
    Ok(Note::default())
}

/// One side sends 1 MiB and resets as soon as the first relay has it all, while the slow reader
/// still has most of it to come: all of it arrives, then the reset.
pub(super) fn reset_in_flight(case: &Case<'_>) -> Outcome<Note> {
    let scene = Scene::new(case)?;
    let pair = scene.session()?;
    let pattern = case.acting.pattern();
    let acting = pair.acting;
    let mut at_reset = None;
    thread::scope(|scope| {
        let (tell, told) = std::sync::mpsc::sync_channel(1);
        let sender = scope.spawn(move || {
            wire::send(&acting, pattern, 0..MIB)?;
            // What its own system still holds is lost by a reset, whoever the neighbour is.
            system::wait_for(wire::PATIENCE, "its bytes to be acknowledged", || {
                let left = system::unacknowledged(&acting).during("SIOCOUTQ")?;
                Ok((left == 0).then_some(()))
            })?;
            wire::reset(acting)?;
            let _ = tell.send(());
            Ok(())
        });
        // Reads nothing until the reset, unless the relays' buffers cannot hold it all.
        if told.recv_timeout(HOLD_BACK).is_ok() {
            at_reset = Some(0);
        }
        let seen = wire::receive_to_end(&pair.other, pattern, 0, |at| {
            if at_reset.is_none() && told.try_recv().is_ok() {
                at_reset = Some(at);
            }
            // Slow on purpose.
            thread::sleep(Duration::from_millis(10));
            Ok(())
        })?;
        joined(sender)?;
        ensure!(
            seen == (MIB, End::Reset),
            "expected 1 MiB, then Reset; saw {seen:?}"
        );
        Ok(())
    })?;
    scene.conclude(&Ending::reset(MIB..=MIB, 0..=0))?;
    let under_way = MIB - at_reset.unwrap_or(MIB);
    Ok(Note(format!("{} KiB under way", under_way / 1024)))
}

/// One side resets while the other writes without end: the writer's write fails with ECONNRESET,
/// and all that came before was right.
pub(super) fn reset_while_writing(case: &Case<'_>) -> Outcome<Note> {
    let scene = Scene::new(case)?;
    let pair = scene.session()?;
    let pattern = case.acting.other().pattern();
    let sent = thread::scope(|scope| {
        let writer = scope.spawn(|| Ok(wire::send_until_error(&pair.other, pattern)));
        wire::receive(&pair.acting, pattern, 0..4 * MIB)?;
        wire::reset(pair.acting)?;
        let (sent, end) = joined(writer)?;
        ensure!(end == End::Reset, "the writer saw {end:?}, expected Reset");
        Ok(sent)
    })?;
    scene.conclude(&Ending::reset(0..=0, 4 * MIB..=sent))?;
    Ok(Note::default())
}

/// The game is not running: the client sees a reset at once. Once it runs, sessions work.
pub(super) fn refused(case: &Case<'_>) -> Outcome<Note> {
    let (reserved, game) = wire::reserve(SocketAddr::new(case.chain.game_ip(), 0))?;
    let mut relays = scene::relays(case, game, Start::default())?;
    let start = Instant::now();
    let end = match TcpStream::connect(relays.entry) {
        Ok(client) => {
            wire::be_patient(&client, wire::PATIENCE)?;
            let seen = wire::receive_to_end(&client, Side::Server.pattern(), 0, |_| Ok(()))?;
            seen.1
        }
        // The SYN itself was refused, or the reset overtook the end of connect().
        Err(error) if case.chain == Chain::Direct => match error.kind() {
            std::io::ErrorKind::ConnectionRefused => End::Reset,
            _ => return failed(format!("connecting: {error}")),
        },
        Err(error) => error.into(),
    };
    let took = start.elapsed();
    ensure!(end == End::Reset, "expected Reset, saw {end:?}");
    ensure!(took < AT_ONCE, "the reset took {took:?}");
    let listener = wire::start_listening(reserved)?;
    let client = wire::connect(relays.entry)?;
    let server = wire::accept(&listener, wire::PATIENCE)?;
    wire::send(&client, Side::Client.pattern(), 0..1000)?;
    wire::receive(&server, Side::Client.pattern(), 0..1000)?;
    drop((client, server));
    let last = relays.via6s.len().saturating_sub(1);
    for (index, via6) in relays.via6s.iter_mut().enumerate() {
        via6.events.wait_count(wire::PATIENCE, "session_ended", 2)?;
        via6.stop()?;
        let ended = via6.events.of("session_ended");
        ensure!(
            ended.len() == 2,
            "{} told of {} endings",
            via6.name,
            ended.len()
        );
        let is = |at: usize, reason: CloseReason| ended[at]["reason"] == reason.label();
        // A hop before the last had a connection, unless the reset came before it had noticed.
        let refused =
            is(0, CloseReason::DialFailed) || (index < last && is(0, CloseReason::UpstreamReset));
        ensure!(
            refused,
            "expected dial-failed or upstream-reset; event: {}",
            ended[0]
        );
        ensure!(
            is(1, CloseReason::Finished),
            "expected finished; event: {}",
            ended[1]
        );
    }
    Ok(Note(format!("{} ms", took.as_millis())))
}

/// The acting side's process is killed while it sends: what its system took arrives whole, then
/// FIN, which is what the system sends for it.
pub(super) fn killed_sending(case: &Case<'_>) -> Outcome<Note> {
    let scene = Scene::new(case)?;
    let pair = scene.session()?;
    let pattern = case.acting.pattern();
    let mut victim = Victim::start(&["cat"], pair.acting)?;
    let Some(mut feed) = victim.0.stdin.take() else {
        return failed("a child without stdin");
    };
    let received = thread::scope(|scope| {
        scope.spawn(move || {
            let mut at = 0;
            // Ends with EPIPE when the victim is dead.
            while feed.write_all(&pattern.bytes(at, 4096)).is_ok() {
                at += 4096;
            }
        });
        wire::receive(&pair.other, pattern, 0..4 * MIB)?;
        victim.kill()?;
        let (received, end) = wire::receive_to_end(&pair.other, pattern, 4 * MIB, |_| Ok(()))?;
        ensure!(
            end == End::Fin,
            "expected Fin after {received} bytes, saw {end:?}"
        );
        Ok(received)
    })?;
    drop(pair.other);
    scene.conclude(&Ending::finished(received, 0))?;
    Ok(Note::default())
}

/// The acting side's process is killed while the other sends to it and bytes wait there unread:
/// the system resets the connection, and the sender must see that.
pub(super) fn killed_receiving(case: &Case<'_>) -> Outcome<Note> {
    let scene = Scene::new(case)?;
    let pair = scene.session()?;
    let pattern = case.acting.other().pattern();
    let sent = thread::scope(|scope| {
        let writer = scope.spawn(|| Ok(wire::send_until_error(&pair.other, pattern)));
        wire::receive(&pair.acting, pattern, 0..4 * MIB)?;
        pair.acting
            .peek(&mut [0])
            .during("waiting for bytes to be unread")?;
        // From here on another process holds the connection, and reads nothing more.
        Victim::start(&["sleep", "600"], pair.acting)?.kill()?;
        let (sent, end) = joined(writer)?;
        ensure!(end == End::Reset, "the sender saw {end:?}, expected Reset");
        Ok(sent)
    })?;
    scene.conclude(&Ending::reset(0..=0, 4 * MIB..=sent))?;
    Ok(Note::default())
}

/// A child process that alone holds one end of a session, as its stdout.
struct Victim(Child);

impl Victim {
    fn start(command: &[&str], connection: TcpStream) -> Outcome<Self> {
        let mut process = Command::new(command[0]);
        process.args(&command[1..]).stdin(Stdio::piped());
        // The command owns this side's copy of the socket, and closes it when it is dropped here.
        process
            .stdout(OwnedFd::from(connection))
            .stderr(Stdio::null());
        Ok(Self(process.spawn().during(command[0])?))
    }

    fn kill(&mut self) -> Outcome {
        self.0.kill().during("killing the victim")?;
        self.0.wait().during("waiting for the victim")?;
        Ok(())
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        // Fails only when it has ended already, which is what is wanted.
        let _ = self.kill();
    }
}
