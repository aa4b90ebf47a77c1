//! The real Prometheus and its tool, as Debian has them: the page is without fault, it is scraped, and
//! the queries of the documentation have answers.

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::game::{Game, free_port};
use crate::support::scraper::{PACE, Page, get, metrics_of};
use crate::support::{PATIENCE, skip, via6};

/// How long Prometheus may take from its start to the first answers, on a loaded machine.
const PROMETHEUS: Duration = Duration::from_secs(90);

/// A program of Prometheus, of `scripts/setup-tests.sh` or of the system. None: the test is skipped.
fn program(name: &str) -> Option<PathBuf> {
    let parts = std::env::var_os("VIA6_TEST_PARTS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.test-parts"),
        PathBuf::from,
    );
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = vec![parts.join("metrics")];
    folders.extend(std::env::split_paths(&path));
    let found = folders
        .into_iter()
        .map(|folder| folder.join(name))
        .find(|program| program.is_file());
    if found.is_none() {
        skip(&format!("no {name}; run scripts/setup-tests.sh metrics"));
    }
    found
}

/// Has promtool look at what stands on its standard input or in a file.
fn is_faultless(words: &[&str], input: &str) {
    let Some(promtool) = program("promtool") else {
        return;
    };
    let mut child = Command::new(promtool)
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starting promtool");
    let mut stdin = child.stdin.take().expect("a piped stdin");
    stdin.write_all(input.as_bytes()).expect("promtool reads");
    drop(stdin);
    let output = child.wait_with_output().expect("the end of promtool");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.is_empty(),
        "{said}\n{input}"
    );
}

#[test]
fn promtool_has_nothing_to_say_about_the_page() {
    let game = Game::on("127.0.0.1");
    for line in [
        format!("via6 host --open {} --listen [::1]:0", game.address),
        "via6 join ::1 --listen 127.0.0.1:0".to_owned(),
        format!("via6 relay tcp [::1]:0 {}", game.address),
    ] {
        let via6 = via6(&format!("{line} --metrics 0 --json")).start();
        if !line.contains("join") {
            drop(game.session(via6.address()));
            via6.event("session_ended");
        }
        let page = get(metrics_of(&via6), "/metrics").expect("a page");
        assert!(page.lines().count() > 100, "{page}");
        is_faultless(&["check", "metrics"], &page);
    }
}

/// A block of this kind in the documentation.
fn documented(kind: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/metrics.md");
    let text = fs::read_to_string(path).expect("the documentation");
    let (_, block) = text.split_once(&format!("```{kind}\n")).expect("a block");
    block.split("```").next().unwrap_or_default().to_owned()
}

#[test]
fn the_documented_configuration_is_one() {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("prometheus.yml");
    fs::write(&file, documented("yaml")).expect("writing");
    let file = file.to_str().expect("a path that is text");
    is_faultless(&["check", "config", file], "");
}

/// A Prometheus that scrapes one via6. Ends when dropped, with all that it has stored.
struct Prometheus {
    child: Child,
    at: SocketAddr,
    folder: TempDir,
}

impl Prometheus {
    fn start(program: &Path, scraped: SocketAddr) -> Self {
        let folder = TempDir::new().expect("a folder");
        let config = format!(
            "global:\n  scrape_interval: 200ms\n  scrape_timeout: 200ms\nscrape_configs:\n  \
             - job_name: via6\n    static_configs:\n      - targets: ['{scraped}']\n"
        );
        let file = folder.path().join("prometheus.yml");
        fs::write(&file, config).expect("writing");
        let at = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let log = fs::File::create(folder.path().join("log")).expect("a file");
        // It ends with this test, however that ends.
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--"])
            .arg(program)
            .arg(format!("--config.file={}", file.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.path().join("data").display()
            ))
            .arg(format!("--web.listen-address={at}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("starting Prometheus");
        Self { child, at, folder }
    }

    /// Asks until `is_it` says so of the result, and returns that.
    fn until(&mut self, query: &str, is_it: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let start = Instant::now();
        let mut last = None;
        while start.elapsed() < PROMETHEUS {
            let path = format!("/api/v1/query?query={}", encoded(query));
            let answer = get(self.at, &path);
            let answer = answer.and_then(|body| serde_json::from_str::<Value>(&body).ok());
            if let Some(result) = answer
                .as_ref()
                .and_then(|it| it["data"]["result"].as_array())
                && is_it(result)
            {
                return result.clone();
            }
            last = answer.or(last);
            if let Some(status) = self.child.try_wait().expect("its state") {
                panic!("Prometheus has ended ({status}): {}", self.log());
            }
            std::thread::sleep(PACE);
        }
        panic!("`{query}` is still {last:?}; {}", self.log());
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // Both fail only when it has ended already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// As it stands in a URL.
fn encoded(query: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    query.bytes().map(byte).collect()
}

/// The only sample is this.
fn is(value: &str) -> impl Fn(&[Value]) -> bool {
    move |result| matches!(result, [one] if one["value"][1] == value)
}

#[test]
fn a_real_prometheus_sees_what_the_players_do() {
    let Some(program) = program("prometheus") else {
        return;
    };
    let game = Game::on("127.0.0.1");
    let line = format!("via6 relay tcp [::1]:0 {} --metrics 0 --json", game.address);
    let via6 = via6(&line).start();
    let (entry, metrics) = (via6.address(), metrics_of(&via6));
    let mut prometheus = Prometheus::start(&program, metrics);
    prometheus.until("up", is("1"));
    let opened = prometheus.until("via6_sessions_opened_total", is("0"));
    let labels = &opened[0]["metric"];
    assert_eq!(
        (&labels["relay"], &labels["role"]),
        (&"relay".into(), &"relay".into())
    );

    for _ in 0..3 {
        drop(game.session(entry));
    }
    let _live = game.session(entry);
    Page::until(
        metrics,
        "relay",
        &[("sessions_ended_total reason finished", "3")],
    );
    prometheus.until("via6_sessions_opened_total", is("4"));
    prometheus.until("via6_sessions", is("1"));
    prometheus.until("via6_session_bytes_total{direction='up'}", is("20"));
    prometheus.until("via6_sessions_ended_total{reason='finished'}", is("3"));
    prometheus.until("via6_dial_duration_seconds_bucket{le='+Inf'}", is("4"));
    let version = env!("CARGO_PKG_VERSION");
    prometheus.until(&format!("via6_build_info{{version='{version}'}}"), is("1"));
    prometheus.until("process_open_fds > 5", |result| result.len() == 1);

    // Each has something to show: a number above 0.
    let queries = documented("promql");
    let queries = queries
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty());
    let mut seen = 0;
    for query in queries {
        seen += 1;
        prometheus.until(query, |result| {
            let values = result.iter().filter_map(|one| one["value"][1].as_str());
            values
                .filter_map(|value| value.parse::<f64>().ok())
                .any(|value| value > 0.0)
        });
    }
    assert!(seen >= 3, "only {seen} queries in the documentation");

    // And that it is gone.
    via6.signal("SIGINT");
    via6.signal("SIGINT");
    via6.ended(PATIENCE);
    prometheus.until("up", is("0"));
}
