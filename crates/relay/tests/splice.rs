//! The endings of a session over in-memory wires of one to eight bytes, each with the sides
//! swapped. Time is paused: a pause of ten minutes takes no time.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what a test does not expect ends it"
)]

mod line;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use line::{LineLeg, Peer, line};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use via6_core::limits;
use via6_core::reason::CloseReason;
use via6_relay::{Patience, Traffic, splice};

const SECOND: Duration = Duration::from_secs(1);

/// Which side plays the part of the one that acts.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Actor {
    Downstream,
    Upstream,
}

const SIDES: [Actor; 2] = [Actor::Downstream, Actor::Upstream];

/// A session under way: `near` is the actor's end, `far` the other one.
struct Play {
    near: Peer,
    far: Peer,
    near_leg: Arc<LineLeg>,
    far_leg: Arc<LineLeg>,
    traffic: Arc<Traffic>,
    session: JoinHandle<CloseReason>,
    actor: Actor,
}

impl Play {
    fn start(actor: Actor, capacity: usize) -> Self {
        let (near_leg, near) = line(capacity);
        let (far_leg, far) = line(capacity);
        let (near_leg, far_leg) = (Arc::new(near_leg), Arc::new(far_leg));
        let traffic = Arc::new(Traffic::default());
        let (down, up) = match actor {
            Actor::Downstream => (Arc::clone(&near_leg), Arc::clone(&far_leg)),
            Actor::Upstream => (Arc::clone(&far_leg), Arc::clone(&near_leg)),
        };
        let count = Arc::clone(&traffic);
        #[allow(
            clippy::disallowed_methods,
            reason = "the test waits for it by its handle"
        )]
        let session =
            tokio::spawn(async move { splice(&*down, &*up, &count, Patience::default()).await });
        Self {
            near,
            far,
            near_leg,
            far_leg,
            traffic,
            session,
            actor,
        }
    }

    fn reset(&self) -> CloseReason {
        match self.actor {
            Actor::Downstream => CloseReason::DownstreamReset,
            Actor::Upstream => CloseReason::UpstreamReset,
        }
    }

    /// Bytes from the actor, as counted.
    fn sent_by_actor(&self) -> u64 {
        match self.actor {
            Actor::Downstream => self.traffic.up.load(Ordering::Relaxed),
            Actor::Upstream => self.traffic.down.load(Ordering::Relaxed),
        }
    }

    async fn end(self) -> CloseReason {
        timeout(3600 * SECOND, self.session)
            .await
            .expect("the session ends")
            .unwrap()
    }
}

fn pattern(len: usize) -> Vec<u8> {
    (0..251_u8).cycle().step_by(7).take(len).collect()
}

#[tokio::test(start_paused = true)]
async fn fin_leaves_the_other_direction_alive_until_it_ends() {
    for (actor, capacity) in SIDES
        .into_iter()
        .flat_map(|side| (1..=8).map(move |c| (side, c)))
    {
        let mut play = Play::start(actor, capacity);
        let Play { near, far, .. } = &mut play;
        let (heard, ()) = tokio::join!(far.receive_all(), async {
            near.send(b"question").await;
            near.finish().await;
        });
        assert_eq!(heard, b"question");
        sleep(SECOND).await;
        let reply = pattern(1000);
        let (heard, ()) = tokio::join!(near.receive_all(), async {
            far.send(&reply).await;
            far.finish().await;
        });
        assert_eq!(heard, reply, "{actor:?}, capacity {capacity}");
        assert_eq!(play.sent_by_actor(), 8);
        assert!(!play.near_leg.resets() && !play.far_leg.resets());
        assert_eq!(play.end().await, CloseReason::Finished);
    }
}

#[tokio::test(start_paused = true)]
async fn both_directions_at_once_carry_every_byte_in_order() {
    for (actor, capacity) in SIDES
        .into_iter()
        .flat_map(|side| (1..=8).map(move |c| (side, c)))
    {
        let mut play = Play::start(actor, capacity);
        let (one, two) = (pattern(5000), pattern(3000));
        let (mut near_in, mut near_out) = tokio::io::split(play.near.io());
        let (mut far_in, mut far_out) = tokio::io::split(play.far.io());
        let (a, b, (), ()) = tokio::join!(
            read_all(&mut near_in),
            read_all(&mut far_in),
            write_all(&mut near_out, &one),
            write_all(&mut far_out, &two),
        );
        assert_eq!((a, b), (two, one), "{actor:?}, capacity {capacity}");
    }
}

#[tokio::test(start_paused = true)]
async fn reset_arrives_after_every_byte_that_was_accepted() {
    for (actor, capacity) in SIDES
        .into_iter()
        .flat_map(|side| (1..=8).map(move |c| (side, c)))
    {
        let mut play = Play::start(actor, capacity);
        let sent = pattern(capacity);
        play.near.send(&sent).await;
        play.near.reset();
        sleep(SECOND).await;
        assert!(
            !play.far_leg.resets(),
            "RST before the other side had read everything"
        );
        assert_eq!(play.far.receive(capacity).await, sent);
        let (far_leg, reset) = (Arc::clone(&play.far_leg), play.reset());
        assert_eq!(play.end().await, reset);
        assert!(far_leg.resets(), "{actor:?}, capacity {capacity}");
    }
}

#[tokio::test(start_paused = true)]
async fn reset_found_by_a_write_still_delivers_what_that_side_had_sent() {
    for actor in SIDES {
        let mut play = Play::start(actor, 8);
        play.near.send(b"last").await;
        play.near.reset();
        // The far side writes at the same moment: the relay's write to the near leg may fail
        // before its read does.
        play.far.send(b"too late").await;
        assert_eq!(play.far.receive(4).await, b"last");
        let (far_leg, reset) = (Arc::clone(&play.far_leg), play.reset());
        assert_eq!(play.end().await, reset);
        assert!(far_leg.resets(), "{actor:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn reset_is_noticed_while_half_closed() {
    for actor in SIDES {
        let mut play = Play::start(actor, 8);
        play.near.finish().await;
        assert_eq!(play.far.receive_all().await, b"");
        play.near.reset();
        let (began, far_leg, reset) = (Instant::now(), Arc::clone(&play.far_leg), play.reset());
        assert_eq!(play.end().await, reset);
        assert!(far_leg.resets(), "{actor:?}");
        assert!(
            began.elapsed() < SECOND,
            "{actor:?}: took {:?}",
            began.elapsed()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn reset_is_noticed_while_the_other_side_is_full() {
    for actor in SIDES {
        let mut play = Play::start(actor, 8);
        play.near.send(&pattern(24)).await;
        play.near.reset();
        let (began, far_leg, reset) = (Instant::now(), Arc::clone(&play.far_leg), play.reset());
        assert_eq!(play.end().await, reset);
        assert!(far_leg.resets(), "{actor:?}");
        // Found at a sweep at the latest, then the flush without progress.
        let bound = limits::LIVENESS_SWEEP + limits::RESET_FLUSH + SECOND;
        assert!(
            began.elapsed() <= bound,
            "{actor:?}: took {:?}",
            began.elapsed()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn flush_goes_on_while_a_slow_reader_makes_progress() {
    for actor in SIDES {
        let mut play = Play::start(actor, 8);
        let sent = pattern(24);
        play.near.send(&sent).await;
        play.near.reset();
        let mut heard = Vec::new();
        for _ in 0..sent.len() {
            sleep(SECOND).await;
            heard.extend(play.far.receive(1).await);
        }
        assert_eq!(heard, sent, "{actor:?}");
        let reset = play.reset();
        assert_eq!(play.end().await, reset);
    }
}

#[tokio::test(start_paused = true)]
async fn reader_that_pauses_ten_minutes_loses_nothing() {
    for (actor, finished) in SIDES
        .into_iter()
        .flat_map(|side| [(side, false), (side, true)])
    {
        let mut play = Play::start(actor, 8);
        if finished {
            play.far.finish().await;
        }
        let (sent, mut near) = (pattern(20), play.near);
        let writer = async {
            near.send(&sent).await;
            near.finish().await;
            near
        };
        let reader = async {
            sleep(600 * SECOND).await;
            play.far.receive_all().await
        };
        let (_near, heard) = tokio::join!(writer, reader);
        assert_eq!(heard, sent, "{actor:?}, half-closed: {finished}");
    }
}

#[tokio::test(start_paused = true)]
async fn both_sides_have_ended_and_the_reader_still_pauses() {
    for actor in SIDES {
        let mut play = Play::start(actor, 8);
        play.far.finish().await;
        assert_eq!(play.near.receive_all().await, b"");
        // Eight bytes on the wire to the reader, eight with the relay, eight not read yet.
        let sent = pattern(24);
        play.near.send(&sent).await;
        play.near.finish().await;
        sleep(60 * SECOND).await;
        assert_eq!(play.far.receive_all().await, sent, "{actor:?}");
        let (near_leg, far_leg) = (Arc::clone(&play.near_leg), Arc::clone(&play.far_leg));
        assert_eq!(play.end().await, CloseReason::Finished);
        assert!(!near_leg.resets() && !far_leg.resets());
    }
}

#[tokio::test(start_paused = true)]
async fn slow_reader_stops_the_reading() {
    for actor in SIDES {
        let mut play = Play::start(actor, 1024);
        let sent = pattern(1024 * 1024);
        let sending = async { play.near.send(&sent).await };
        assert!(
            timeout(SECOND, sending).await.is_err(),
            "the writer is held back"
        );
        // On the wire to the reader, and in the session's own buffer.
        let bound = 1024 + limits::COPY_BUFFER;
        assert!(
            play.near.taken() <= bound,
            "{actor:?}: took {} bytes",
            play.near.taken()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn half_closed_and_silent_ends_after_the_linger_timeout() {
    for actor in SIDES {
        let mut play = Play::start(actor, 8);
        play.near.finish().await;
        play.far.receive_all().await;
        // A byte now and then keeps it: the time counts from the last byte, not from the FIN.
        for _ in 0..5 {
            sleep(limits::LINGER_TIMEOUT * 3 / 4).await;
            play.far.send(b".").await;
            assert_eq!(play.near.receive(1).await, b".");
        }
        let (began, near_leg, far_leg) = (
            Instant::now(),
            Arc::clone(&play.near_leg),
            Arc::clone(&play.far_leg),
        );
        assert_eq!(play.end().await, CloseReason::LingerTimeout);
        assert!(near_leg.resets() && far_leg.resets());
        let took = began.elapsed();
        let late = limits::LIVENESS_SWEEP * 2;
        assert!(took + late >= limits::LINGER_TIMEOUT && took <= limits::LINGER_TIMEOUT + late);
    }
}

#[tokio::test(start_paused = true)]
async fn linger_counts_from_the_fin_after_a_quiet_time() {
    for actor in SIDES {
        let mut play = Play::start(actor, 8);
        sleep(600 * SECOND).await;
        play.near.finish().await;
        assert_eq!(play.far.receive_all().await, b"");
        sleep(limits::LINGER_TIMEOUT * 3 / 4).await;
        play.far.send(b"answer").await;
        play.far.finish().await;
        assert_eq!(play.near.receive_all().await, b"answer", "{actor:?}");
        assert_eq!(play.end().await, CloseReason::Finished);
    }
}

#[tokio::test(start_paused = true)]
async fn open_and_silent_stays_for_a_day_and_is_left_alone() {
    let mut play = Play::start(Actor::Downstream, 8);
    play.near.send(b"hello").await;
    assert_eq!(play.far.receive(5).await, b"hello");
    sleep(60 * SECOND).await;
    let looks = play.far.looks();
    sleep(24 * 3600 * SECOND).await;
    assert_eq!(play.far.looks(), looks, "an idle session costs no timer");
    play.far.send(b"still here").await;
    assert_eq!(play.near.receive(10).await, b"still here");
}

#[tokio::test(start_paused = true)]
async fn dead_peer_ends_the_session_and_a_slow_one_does_not() {
    for actor in SIDES {
        let mut play = Play::start(actor, 8);
        play.near.die();
        // One byte is enough to owe.
        play.far.send(b"?").await;
        let (began, far_leg) = (Instant::now(), Arc::clone(&play.far_leg));
        let dead = match actor {
            Actor::Downstream => CloseReason::DownstreamDead,
            Actor::Upstream => CloseReason::UpstreamDead,
        };
        assert_eq!(play.end().await, dead);
        assert!(far_leg.resets(), "{actor:?}");
        let bound = limits::DEAD_AFTER + limits::LIVENESS_SWEEP * 2 + limits::RESET_FLUSH;
        assert!(
            began.elapsed() <= bound,
            "{actor:?}: took {:?}",
            began.elapsed()
        );
    }
}

async fn read_all(from: &mut (impl tokio::io::AsyncRead + Unpin)) -> Vec<u8> {
    let mut all = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(from, &mut all)
        .await
        .unwrap();
    all
}

async fn write_all(to: &mut (impl tokio::io::AsyncWrite + Unpin), bytes: &[u8]) {
    use tokio::io::AsyncWriteExt;
    to.write_all(bytes).await.unwrap();
    to.shutdown().await.unwrap();
}
