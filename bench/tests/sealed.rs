//! Sealed links and the bare relays beside them: that they are measured, never how fast. A sealed
//! via6 is a script here, so that what the benchmark does is tested apart from what via6 does.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, in its helpers too"
)]

mod run;

use std::path::PathBuf;

use run::{LINKS, TCP, assert_measured, bench, quick, text};

#[test]
fn bare_relays_are_measured_by_every_workload_of_sessions() {
    for chain in ["bare-tcp", "bare-tls", "bare-tls-plain", "bare-quinn"] {
        let report = quick(chain, &[]);
        assert_measured(&report, chain, &[TCP, LINKS].concat());
    }
}

/// What a via6 with sealed links is called with and says, on top of a bare relay.
const SEALED: &str = r#"#!/bin/sh
case "$*" in
"-q host "*)
    printf '  via6 join via6:%060d\n' "${5##*:}"
    exec "$BARE" quic host "$5" "$3" ;;
"-q join via6:"*)
    port=$(echo "${3#via6:}" | sed 's/^0*//')
    exec "$BARE" quic join "$5" "[::1]:$port" ;;
esac
echo 'via6 0.0.0'
"#;

/// A via6 of an earlier day.
const OPEN_ONLY: &str = "#!/bin/sh\necho 'error: no sealed links yet'; echo 'hint: none'; exit 2\n";

fn program(name: &str, script: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let path = std::env::temp_dir().join(format!("bench-smoke-{}-{name}", std::process::id()));
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn a_sealed_link_is_joined_by_the_invite_that_its_host_prints() {
    let bare = env!("CARGO_BIN_EXE_via6-bench-bare");
    let via6 = program("sealed", &SEALED.replace("$BARE", bare));
    let arguments = ["--only", "pingpong,links", "--via6", via6.to_str().unwrap()];
    let report = quick("via6-sealed", &arguments);
    assert_measured(&report, "via6-sealed", &["pingpong", "links"]);
    // It stands in for both columns: a sealed link that adds nothing to the bare relay.
    let output = bench(
        &[
            &["--quick", "--chains", "via6-sealed,bare-quinn,direct"],
            &arguments[..],
        ]
        .concat(),
    );
    let table = text(&output.stdout);
    let (_, sealed) = table.split_once("## Sealed links beside").unwrap();
    assert!(
        sealed.contains("\n| round trip, 64 B, p50 µs | – | "),
        "{table}"
    );
    std::fs::remove_file(via6).unwrap();
}

#[test]
fn a_via6_without_sealed_links_is_skipped_loudly_there() {
    let via6 = program("open-only", OPEN_ONLY);
    let arguments = ["--quick", "--only", "connrate", "--chains"];
    let chains = ["via6-sealed,via6-sealed-tls,direct", "--via6"];
    let output = bench(&[&arguments[..], &chains, &[via6.to_str().unwrap()]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    for chain in ["via6-sealed", "via6-sealed-tls"] {
        let skipped = format!("SKIPPED {chain} (tcp): error: no sealed links yet\n");
        assert!(
            text(&output.stderr).contains(&skipped),
            "{}",
            text(&output.stderr)
        );
    }
    std::fs::remove_file(via6).unwrap();
}
