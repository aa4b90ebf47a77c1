//! Runs the program at its smallest and reads its report, for the tests of this folder.

use std::process::{Command, Output};

use serde_json::Value;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_via6-bench");

pub(crate) const TCP: &[&str] = &[
    "pingpong",
    "split",
    "game",
    "bulk-down-1",
    "bulk-up-1",
    "bulk-both-4",
    "connrate",
    "idle",
];

pub(crate) const LINKS: &[&str] = &["links"];

pub(crate) fn bench(arguments: &[&str]) -> Output {
    Command::new(PROGRAM).args(arguments).output().unwrap()
}

/// Runs `--quick` on `chain` and returns its report, which was also printed as a table.
pub(crate) fn quick(chain: &str, more: &[&str]) -> Value {
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

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Every workload has one row, for this chain, with every figure finite and in place.
pub(crate) fn assert_measured(report: &Value, chain: &str, workloads: &[&str]) {
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
