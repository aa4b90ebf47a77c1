//! How long the metrics are served, and that nobody who plays or scrapes is in another's way.

use std::io::Read;
use std::net::TcpStream;
use std::time::Instant;

use crate::support::game::Game;
use crate::support::scraper::{Page, get, metrics_of};
use crate::support::{PATIENCE, via6};

#[test]
fn a_drain_can_be_watched_to_its_end() {
    let game = Game::on("127.0.0.1");
    let line = format!("via6 relay tcp [::1]:0 {} --metrics 0 --json", game.address);
    let via6 = via6(&line).start();
    let metrics = metrics_of(&via6);
    let session = game.session(via6.address());
    via6.signal("SIGTERM");
    via6.event("draining");
    Page::until(metrics, "relay", &[("sessions", "1")]);
    drop(session);
    let ended = via6.ended(PATIENCE);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(get(metrics, "/metrics"), None);
}

/// Connections that say nothing are no reason to stay.
#[test]
fn scrapers_do_not_hold_up_the_end() {
    let via6 = via6("via6 relay tcp [::1]:0 [::1]:1 --metrics [::1]:0 --json").start();
    let metrics = metrics_of(&via6);
    let mut idle: Vec<_> = (0..20)
        .map(|_| TcpStream::connect(metrics).expect("a connection"))
        .collect();
    Page::of(metrics);
    let start = Instant::now();
    via6.stop();
    assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
    for scraper in &mut idle {
        // Cut off, in one way or the other.
        let _ = scraper.read_to_end(&mut Vec::new());
    }
}

/// A page more than a hundred times a second is the same page, made once for all.
#[test]
fn scrapers_in_a_hurry_do_not_hold_up_the_players() {
    let game = Game::on("127.0.0.1");
    let line = format!("via6 relay tcp [::1]:0 {} --metrics 0 --json", game.address);
    let via6 = via6(&line).start();
    let (entry, metrics) = (via6.address(), metrics_of(&via6));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..100 {
                    Page::of(metrics);
                }
            });
        }
        for _ in 0..50 {
            drop(game.session(entry));
        }
    });
    Page::until(
        metrics,
        "relay",
        &[
            ("sessions_ended_total reason finished", "50"),
            ("session_bytes_total direction down", "350"),
        ],
    );
}
