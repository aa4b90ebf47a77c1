//! A game, the relays before it, and an account of what they told. Also what this process holds:
//! descriptors, pipes, threads.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use via6_core::addr::HostPort;
use via6_core::reason::CloseReason;
use via6_relay::{
    Descriptors, Engine, Event, Listening, Observer, Policy, Relay, Report, Settings, Shutdown,
    Splicing, listen_tcp,
};

use crate::wire::{PATIENCE, be_patient};

/// How bytes may pass.
pub const MODES: [Splicing; 3] = [Splicing::Adaptive, Splicing::Always, Splicing::Never];

/// More than any test here needs.
pub const DESCRIPTORS: usize = 2000;

static HELD: RwLock<()> = RwLock::new(());

/// To be held by a test that counts what the process has; by now that is nobody else's.
pub fn alone() -> RwLockWriteGuard<'static, ()> {
    let alone = HELD.write().unwrap_or_else(PoisonError::into_inner);
    #[cfg(target_os = "linux")]
    wait_for("the engines of other tests to end", || {
        (engines() == 0).then_some(())
    });
    alone
}

/// To be held by all other tests.
pub fn beside_others() -> RwLockReadGuard<'static, ()> {
    HELD.read().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until `look` finds something.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain for {what}");
        // Between two looks.
        thread::sleep(Duration::from_millis(2));
    }
}

/// What a relay has told of a session's end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ended {
    /// Counts from 1, in the order in which players came.
    pub session: u64,
    pub reason: CloseReason,
    pub up: u64,
    pub down: u64,
}

/// What a relay has told so far.
#[derive(Debug, Default)]
pub struct Seen {
    pub opened: usize,
    pub dialled: usize,
    pub ended: Vec<Ended>,
}

/// Takes note of what a relay tells.
#[derive(Debug, Default)]
pub struct Log {
    seen: Mutex<Seen>,
    changed: Condvar,
}

impl Log {
    /// Waits until `enough` has been told.
    pub fn wait(&self, what: &str, mut enough: impl FnMut(&Seen) -> bool) {
        let seen = self.seen.lock().unwrap();
        let waited = self
            .changed
            .wait_timeout_while(seen, PATIENCE, |seen| !enough(seen))
            .unwrap();
        assert!(!waited.1.timed_out(), "no {what}: {:?}", *waited.0);
    }

    /// Waits for so many ends, and gives them in the order of their sessions. None may come twice.
    pub fn ends(&self, count: usize) -> Vec<Ended> {
        self.wait(&format!("{count} ends"), |seen| seen.ended.len() >= count);
        let mut ended = self.seen.lock().unwrap().ended.clone();
        ended.sort_by_key(|end| end.session);
        let sessions: Vec<_> = ended.iter().map(|end| end.session).collect();
        assert_eq!(sessions, (1..=count as u64).collect::<Vec<_>>());
        ended
    }
}

impl Observer for Log {
    fn observe(&self, event: &Event<'_>) {
        let mut seen = self.seen.lock().unwrap();
        match event {
            Event::SessionOpened { .. } => seen.opened += 1,
            Event::SessionDialled { .. } => seen.dialled += 1,
            Event::SessionEnded { session, end } => seen.ended.push(Ended {
                session: session.0,
                reason: end.reason,
                up: end.bytes_up,
                down: end.bytes_down,
            }),
            _ => return,
        }
        drop(seen);
        self.changed.notify_all();
    }
}

/// To lead to `upstream`.
pub fn settings(upstream: &str, splicing: Splicing) -> Settings {
    Settings {
        splicing,
        ..Settings::new(HostPort::parse_target(upstream).unwrap())
    }
}

/// A relay that runs in a thread of its own. Told to stop when dropped.
pub struct Running {
    pub at: SocketAddr,
    pub log: Arc<Log>,
    pub shutdown: Shutdown,
    abort: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Option<io::Result<Report>>>>,
}

impl Running {
    pub fn start(
        engine: Engine,
        descriptors: Descriptors,
        settings: Settings,
        policy: Policy,
    ) -> Self {
        let (log, shutdown) = (Arc::new(Log::default()), Shutdown::new());
        let (abort, aborted) = oneshot::channel::<()>();
        let (tell, told) = sync_channel(1);
        let (observer, stop) = (Arc::clone(&log), shutdown.clone());
        let relaying = async move {
            let tcp = listen_tcp("127.0.0.1:0".parse().unwrap()).unwrap();
            tell.send(tcp.local_addr().unwrap()).unwrap();
            let relay = Relay {
                listeners: vec![Listening::Tcp(tcp)],
                settings,
                engine,
                policy,
                descriptors,
                observer,
            };
            tokio::select! {
                report = relay.run(&stop) => Some(report),
                Ok(()) = aborted => None,
            }
        };
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            let report = runtime.block_on(relaying);
            // As the program does: a name look-up may go on for long.
            runtime.shutdown_background();
            report
        });
        Self {
            at: told.recv().unwrap(),
            log,
            shutdown,
            abort: Some(abort),
            thread: Some(thread),
        }
    }

    /// Has it drain, and waits for its report.
    pub fn drained(self) -> Report {
        self.shutdown.drain();
        self.report()
    }

    /// Waits for its report.
    pub fn report(mut self) -> Report {
        let thread = self.thread.take().unwrap();
        wait_for("a relay to stop", || thread.is_finished().then_some(()));
        thread.join().unwrap().expect("a report").unwrap()
    }

    /// Drops its future in the middle.
    pub fn abort(mut self) {
        self.abort.take().unwrap().send(()).unwrap();
        let thread = self.thread.take().unwrap();
        assert!(thread.join().unwrap().is_none());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shutdown.now();
    }
}

/// The two ends of a session.
pub struct Pair {
    pub player: TcpStream,
    pub game: TcpStream,
}

/// A game behind one relay or several in a row, all carried by one engine.
pub struct Stage {
    /// The last of them first.
    pub relays: Vec<Running>,
    game: TcpListener,
    engine: Engine,
    descriptors: Descriptors,
    splicing: Splicing,
}

impl Stage {
    pub fn new(splicing: Splicing, relays: usize) -> Self {
        Self::with(splicing, relays, &Policy::default())
    }

    pub fn with(splicing: Splicing, relays: usize, policy: &Policy) -> Self {
        let descriptors = Descriptors::new(DESCRIPTORS);
        let engine = Engine::start(&descriptors).unwrap();
        Self::on(engine, descriptors, splicing, relays, policy)
    }

    /// With one relay that may hold so many descriptors.
    pub fn with_descriptors(splicing: Splicing, limit: usize) -> Self {
        let descriptors = Descriptors::new(limit);
        let engine = Engine::start(&descriptors).unwrap();
        Self::on(engine, descriptors, splicing, 1, &Policy::default())
    }

    /// Another one, whose relay is carried by the same engine.
    pub fn beside(other: &Self) -> Self {
        let (engine, descriptors) = (other.engine.clone(), other.descriptors.clone());
        Self::on(engine, descriptors, other.splicing, 1, &Policy::default())
    }

    fn on(
        engine: Engine,
        descriptors: Descriptors,
        splicing: Splicing,
        relays: usize,
        policy: &Policy,
    ) -> Self {
        let mut stage = Self {
            relays: Vec::new(),
            game: TcpListener::bind("127.0.0.1:0").unwrap(),
            engine,
            descriptors,
            splicing,
        };
        for _ in 0..relays {
            let settings = settings(&stage.entry().to_string(), splicing);
            let (engine, descriptors) = (stage.engine.clone(), stage.descriptors.clone());
            let relay = Running::start(engine, descriptors, settings, policy.clone());
            stage.relays.push(relay);
        }
        stage
    }

    /// Where players come in.
    pub fn entry(&self) -> SocketAddr {
        let last = self.relays.last().map(|relay| relay.at);
        last.unwrap_or_else(|| self.game.local_addr().unwrap())
    }

    /// One more session.
    pub fn pair(&self) -> Pair {
        let player = TcpStream::connect(self.entry()).unwrap();
        be_patient(&player);
        let game = self.accept();
        Pair { player, game }
    }

    /// Every relay knows that every session so far has an upstream.
    pub fn is_dialled(&self) {
        for relay in &self.relays {
            let all = |seen: &Seen| seen.dialled == seen.opened;
            relay.log.wait("upstream of each session", all);
        }
    }

    /// The game's end of the next session.
    pub fn accept(&self) -> TcpStream {
        // A player who was refused does not hold the test up.
        self.game.set_nonblocking(true).unwrap();
        let game = wait_for("a player to reach the game", || self.game.accept().ok()).0;
        game.set_nonblocking(false).unwrap();
        be_patient(&game);
        game
    }

    /// Every relay tells of so many ends, and these are right; then it stops with nothing left.
    pub fn conclude(self, count: usize, mut is_right: impl FnMut(&Ended) -> bool) {
        for relay in &self.relays {
            for end in relay.log.ends(count) {
                assert!(is_right(&end), "{end:?}");
            }
        }
        for relay in self.relays {
            let report = relay.drained();
            assert!(report.failed.is_none());
            assert_eq!((report.sessions, report.cut), (count as u64, 0));
        }
    }
}

/// Descriptors of this process.
#[cfg(target_os = "linux")]
pub fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// How many of them are ends of pipes.
#[cfg(target_os = "linux")]
pub fn pipes() -> usize {
    let entries = std::fs::read_dir("/proc/self/fd").unwrap();
    let targets = entries.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    let is_pipe = |target: &std::path::PathBuf| target.to_string_lossy().starts_with("pipe:[");
    targets.filter(is_pipe).count()
}

/// Engines' threads of this process.
#[cfg(target_os = "linux")]
pub fn engines() -> usize {
    let entries = std::fs::read_dir("/proc/self/task").unwrap();
    let names =
        entries.filter_map(|entry| std::fs::read_to_string(entry.ok()?.path().join("comm")).ok());
    names.filter(|name| name.trim() == "via6-engine").count()
}
