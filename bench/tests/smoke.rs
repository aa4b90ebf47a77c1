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

mod run;

use std::path::{Path, PathBuf};
use std::process::Command;

use run::{LINKS, PROGRAM, TCP, assert_measured, bench, quick, text};

const UDP: &[&str] = &["udp-64", "udp-512", "udp-1200", "udp-rate", "udp-flood"];

#[test]
fn a_direct_connection_is_measured_by_every_workload() {
    let report = quick("direct", &[]);
    assert_measured(&report, "direct", &[TCP, UDP].concat());
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
    assert_measured(&report, "via6", &[TCP, LINKS, UDP].concat());
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
fn every_relay_that_is_installed_carries_what_it_says() {
    let output = bench(&["--quick", "--only", "connrate,udp", "--seconds", "0.05"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let table = text(&output.stdout);
    let rows = table.lines().filter(|line| line.starts_with("| direct |"));
    assert!(table.contains("\n| bare-quinn |"), "{table}");
    assert_eq!(
        rows.count(),
        4,
        "connections, and three sizes of datagrams: {table}"
    );
}

#[test]
fn players_rates_and_sizes_are_those_asked_for() {
    let arguments = [
        "--only",
        "game,udp,udp-rate,udp-flood",
        "--seconds",
        "0.25",
        "--players",
        "3",
        "--hz",
        "100",
        "--udp-size",
        "8",
        "--udp-size",
        "1000",
        "--udp-rate",
        "1000",
        "--flows",
        "2",
    ];
    let report = quick("direct", &arguments);
    let names = ["game", "udp-8", "udp-1000", "udp-rate", "udp-flood"];
    assert_measured(&report, "direct", &names);
    let workloads = report["workloads"].as_array().unwrap();
    let game = &workloads[0];
    assert_eq!(
        game["rows"][0]["rounds"][0]["messages"], 75.0,
        "3 players, 100 Hz, 0.25 s"
    );
    let says = |index: usize| workloads[index]["description"].as_str().unwrap();
    assert!(says(0).starts_with("3 players") && says(0).contains("at 100 Hz for 0.25 s"));
    assert!(says(3).starts_with("1000 datagrams") && says(3).contains("2 flows for 0.25 s"));
    assert!(says(4).contains("2 flows for 0.25 s"));
    assert_eq!(game["pinned_to_one_cpu"], false);
    assert_eq!(workloads[1]["pinned_to_one_cpu"], true);
}

#[test]
fn a_table_a_picture_and_a_page_are_written_where_they_were_asked_for() {
    let folder = std::env::temp_dir().join(format!("bench-smoke-{}-files", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (table, plot) = (path("table.md"), path("plot.svg"));
    let output = bench(&[
        "--quick",
        "--only",
        "pingpong,connrate",
        "--chains",
        "direct",
        "--markdown",
        &table,
        "--plot",
        &plot,
        "--docs",
        folder.to_str().unwrap(),
    ]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let read = |name: &str| std::fs::read_to_string(path(name)).unwrap();
    assert_eq!(read("table.md"), text(&output.stdout));
    assert_eq!(read("plot.svg"), read("benchmarks.svg"));
    assert!(read("plot.svg").contains(">New connections<"));
    let page = read("benchmarks.md");
    for part in [
        "](benchmarks.svg)",
        "### connrate",
        "\n| direct |",
        "--only pingpong,connrate",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn instructions_are_recorded_and_more_than_recorded_fail_the_run() {
    let valgrind = Command::new("valgrind").arg("--version").output();
    let (Some(program), Ok(_)) = (via6(), valgrind) else {
        eprintln!("skipped: no valgrind, or no via6 beside {PROGRAM}");
        return;
    };
    let file = std::env::temp_dir().join(format!("bench-smoke-{}-counts", std::process::id()));
    let path = file.to_str().unwrap();
    let count = |more: &[&str]| {
        let always = ["--only", "instructions", "--chains", "via6", "--via6"];
        bench(&[&always[..], &[program.to_str().unwrap()], more].concat())
    };
    let output = count(&["--record", path]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let recorded = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<_> = recorded
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    assert!(
        lines[0].starts_with("via6 tcp ") && lines[1].starts_with("via6 udp "),
        "{recorded}"
    );

    // Generous: the run may be on a busy machine.
    std::fs::write(&file, "via6 tcp 1000000000 x\nvia6 udp 1000000000 x\n").unwrap();
    let output = count(&["--compare", path]);
    assert!(output.status.success(), "{}", text(&output.stderr));

    std::fs::write(&file, "via6 tcp 1000000000 x\nvia6 udp 10 x\n").unwrap();
    let output = count(&["--compare", path]);
    assert_eq!(output.status.code(), Some(1));
    let told = text(&output.stderr);
    assert!(
        told.contains("recorded 10 (+") && told.contains("TOO MANY"),
        "{told}"
    );
    assert!(
        told.contains(&format!("--only instructions --record {path}")),
        "{told}"
    );
    std::fs::remove_file(file).unwrap();
}

#[test]
fn the_recorded_instructions_are_those_of_our_chains() {
    let recorded = include_str!("../instructions.txt");
    for chain in ["\nvia6 tcp ", "\nvia6 udp "] {
        assert!(recorded.contains(chain), "{recorded}");
    }
}

#[test]
fn without_valgrind_instructions_are_skipped_loudly() {
    let output = Command::new(PROGRAM)
        .args(["--only", "instructions", "--chains", "direct"])
        .env("PATH", "")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "nothing was measured");
    let told = text(&output.stderr);
    assert!(
        told.contains("SKIPPED instructions (tcp): valgrind is not installed"),
        "{told}"
    );
}

#[test]
fn mistakes_on_the_command_line_are_errors_of_usage() {
    for arguments in [
        &["--chains", "nobody"][..],
        &["--chain", "no equals sign"],
        &["--bulk", "sideways"],
        &["--seconds", "-1"],
        &["--hz", "129"],
        &["--udp-size", "7"],
        // Would compare nothing.
        &["--quick", "--compare", "no/such/file"],
        &["--quick", "--record", "no/such/file"],
        &["--only", "instructions", "--compare", "no/such/file"],
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
