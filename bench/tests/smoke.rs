//! The program as people run it, at its smallest: facts only (bytes right, rows there, JSON
//! parses), never speed.
//!
//! A via6 is measured too when one was built beside this program or `VIA6_BENCH_VIA6` names one.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, in its helpers too"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_via6-bench");

fn bench(arguments: &[&str]) -> Output {
    Command::new(PROGRAM).args(arguments).output().unwrap()
}

/// Runs `--quick` on `chain` and returns its report, which was also printed as a table.
fn quick(chain: &str, more: &[&str]) -> Value {
    let file = std::env::temp_dir().join(format!("bench-smoke-{}-{chain}", std::process::id()));
    let file = file.to_str().unwrap();
    let output = bench(&[&["--quick", "--chains", chain, "--json", file], more].concat());
    let (table, log) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{log}");
    assert!(table.contains(&format!("\n| {chain} |")), "{table}");
    let report = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    std::fs::remove_file(file).unwrap();
    report
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Every workload has one row, for this chain, with every figure finite and in place.
fn assert_measured(report: &Value, chain: &str, workloads: &[&str]) {
    let results = report["workloads"].as_array().unwrap();
    let names: Vec<_> = results
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, workloads);
    for result in results {
        let rows = result["rows"].as_array().unwrap();
        assert_eq!(rows.len(), 1, "{result}");
        assert_eq!(rows[0]["chain"], chain);
        assert_eq!(rows[0]["failure"], Value::Null, "{result}");
        assert_eq!(rows[0]["rounds"].as_array().unwrap().len(), 1);
        let figures = rows[0]["figures"].as_object().unwrap();
        assert!(figures.len() >= 3, "{result}");
        for (key, figure) in figures {
            let best = figure["best"].as_f64();
            assert!(
                best.is_some_and(|best| best.is_finite() && best >= 0.0),
                "{key}: {figure}"
            );
        }
    }
}

const ALL: &[&str] = &[
    "pingpong",
    "split",
    "game",
    "bulk-down-1",
    "bulk-up-1",
    "bulk-both-4",
    "connrate",
    "idle",
    "udp-64",
    "udp-512",
    "udp-1200",
    "udp-rate",
    "udp-flood",
];

#[test]
fn a_direct_connection_is_measured_by_every_workload() {
    let report = quick("direct", &[]);
    assert_measured(&report, "direct", ALL);
    assert!(report["machine"]["cpus"].as_u64().unwrap() > 0);
    assert_eq!(report["rounds"], 1);
}

fn via6() -> Option<PathBuf> {
    let named = std::env::var_os("VIA6_BENCH_VIA6").map(PathBuf::from);
    let beside = || Some(Path::new(PROGRAM).with_file_name("via6")).filter(|path| path.is_file());
    named.or_else(beside)
}

#[test]
fn via6_is_measured_by_every_workload_when_there_is_one() {
    let Some(program) = via6() else {
        eprintln!("skipped: no via6 beside {PROGRAM}, and VIA6_BENCH_VIA6 is not set");
        return;
    };
    let report = quick("via6", &["--via6", program.to_str().unwrap()]);
    assert_measured(&report, "via6", ALL);
}

/// A relay that is not one of ours: this program's own echo server would be direct.
#[test]
fn a_chain_given_by_hand_is_measured_and_its_cpu_is_seen() {
    if bench(&["--list", "--chains", "socat"])
        .stdout
        .windows(9)
        .any(|part| part == b"not insta")
    {
        eprintln!("skipped: socat is not installed");
        return;
    }
    let chain = "hand = socat TCP4-LISTEN:{listen.port},bind=127.0.0.1,fork TCP4:{target}";
    let report = quick(
        "hand",
        &["--chain", chain, "--only", "bulk", "--bulk", "down"],
    );
    assert_measured(&report, "hand", &["bulk-down-1"]);
    let relay = &report["workloads"][0]["rows"][0]["figures"]["relay_ns_per_byte"]["best"];
    assert!(
        relay.as_f64().unwrap() > 0.0,
        "a forked child's CPU time was not found"
    );
}

#[test]
fn what_is_not_installed_is_skipped_loudly_and_the_rest_is_measured() {
    let chain = "absent = no-such-relay {listen} {target}";
    let arguments = [
        "--quick",
        "--only",
        "connrate",
        "--chain",
        chain,
        "--chains",
        "absent,direct",
    ];
    let output = bench(&arguments);
    assert!(output.status.success());
    let skipped = "absent (tcp): no-such-relay is not installed";
    assert!(text(&output.stderr).contains(&format!("SKIPPED {skipped}")));
    assert!(text(&output.stdout).contains(&format!("**skipped** {skipped}")));
    assert!(text(&output.stdout).contains("\n| direct |"));
}

#[test]
fn a_chain_that_does_not_start_fails_its_row_and_the_run() {
    let chain = "broken = sh -c ': {listen}; exit 3'";
    let arguments = [
        "--quick",
        "--only",
        "pingpong",
        "--chain",
        chain,
        "--chains",
        "direct,broken",
    ];
    let output = bench(&arguments);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("**failed** broken: hop 1 ended (exit status: 3)"));
}

#[test]
fn mistakes_on_the_command_line_are_errors_of_usage() {
    for arguments in [
        &["--chains", "nobody"][..],
        &["--chain", "no equals sign"],
        &["--bulk", "sideways"],
        &["--seconds", "-1"],
        &["--via6", "no/such/program"],
        &[
            "--chain",
            "typo = sh {listen} {taget}",
            "--chains",
            "typo",
            "--quick",
        ],
        // Would be measured as a direct connection.
        &[
            "--chain",
            "nowhere = sh {target}",
            "--chains",
            "nowhere",
            "--quick",
        ],
    ] {
        let output = bench(arguments);
        assert_eq!(
            output.status.code(),
            Some(2),
            "{arguments:?}: {}",
            text(&output.stderr)
        );
        let told = text(&output.stderr);
        assert!(told.contains("error:"), "{arguments:?}: {told}");
        assert!(
            !told.contains("FAILED"),
            "found only when measuring: {told}"
        );
    }
}
