//! `docs/reference/status.md` has every field of a status, and no others.

use std::collections::BTreeSet;

use serde_json::{Value, json};

const TEXT: &str = include_str!("../../../../../docs/reference/status.md");

/// What stands between backticks in the first column of a section's table.
fn documented(heading: &str) -> BTreeSet<String> {
    let section = TEXT.split("\n## ").find(|part| part.starts_with(heading));
    let section = section.unwrap_or_else(|| panic!("no section {heading}"));
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let cells = rows.filter_map(|row| row.split('|').nth(1));
    let codes = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    codes.map(str::to_owned).collect()
}

fn fields(value: &Value) -> BTreeSet<String> {
    let fields = value.as_object().expect("an object");
    fields.keys().cloned().collect()
}

#[test]
fn every_field_of_a_status_is_documented_and_no_other() {
    let status = serde_json::to_value(super::table::tests::full()).unwrap();
    let relay = &status["entries"][0];
    for (heading, value) in [
        ("The running via6\n", &status),
        ("A relay\n", relay),
        ("A listener\n", &relay["listeners"][0]),
        ("A carrier\n", &relay["carrier"]),
        ("A player\n", &status["players"][0]),
        ("A session\n", &relay["sessions"][0]),
        ("A flow\n", &relay["flows"][0]),
        ("Totals\n", &relay["totals"]),
        ("Dials\n", &relay["totals"]["dials"]),
    ] {
        assert_eq!(documented(heading), fields(value), "{heading}");
    }
}

/// What is documented to be null is there all the same.
#[test]
fn a_status_is_read_as_it_was_written_and_newer_fields_are_ignored() {
    let full = super::table::tests::full();
    let mut value = serde_json::to_value(&full).unwrap();
    assert_eq!(
        value["entries"][0]["sessions"][1]["round_trip_up_us"],
        json!(null)
    );
    value["entries"][0]["sessions"][0]["nick"] = json!("Ann");
    let read: crate::status::Status = serde_json::from_value(value).unwrap();
    assert_eq!(read, full);
}
