//! docs/reference/metrics.md and the page that is served have the same metrics, types and labels.

use std::collections::{BTreeMap, BTreeSet};

use via6_core::limits::{
    METRICS_CONNECTIONS_MAX, METRICS_FRESH, METRICS_HEAD_MAX, METRICS_HEAD_TIMEOUT,
    METRICS_REPLY_TIMEOUT,
};

use crate::markdown::{codes, read, rows, section};
use crate::support::scraper::{get, metrics_of};
use crate::support::via6;

/// Type, labels and meaning.
type Family = (String, BTreeSet<String>, String);

fn served() -> BTreeMap<String, Family> {
    let via6 = via6("via6 relay tcp [::1]:0 [::1]:1 --metrics 0 --json").start();
    let page = get(metrics_of(&via6), "/metrics").expect("a page");
    let mut families = BTreeMap::<String, Family>::new();
    for line in page.lines() {
        let words: Vec<_> = line.splitn(4, ' ').collect();
        match words[..] {
            ["#", "HELP", name, help] => {
                help.clone_into(&mut families.entry(name.to_owned()).or_default().2);
            }
            ["#", "TYPE", name, kind] => {
                kind.clone_into(&mut families.entry(name.to_owned()).or_default().0);
            }
            _ => {
                let (series, _) = line.rsplit_once(' ').expect("a sample");
                let (name, labels) = series.split_once('{').unwrap_or((series, ""));
                let parts = ["_bucket", "_sum", "_count"];
                let base = parts.iter().find_map(|part| name.strip_suffix(part));
                let family = families
                    .get_mut(base.unwrap_or(name))
                    .expect("a head before it");
                let labels = labels
                    .split("\",")
                    .filter_map(|label| label.split_once('='));
                // Part of the type.
                let labels = labels
                    .map(|(label, _)| label)
                    .filter(|label| *label != "le");
                family.1.extend(labels.map(str::to_owned));
            }
        }
    }
    families
}

#[test]
fn the_reference_has_the_metrics_that_are_served_and_no_others() {
    let text = read("docs/reference/metrics.md");
    let rows = rows(section(&text, "What there is"));
    let documented: BTreeMap<String, Family> = rows
        .iter()
        .map(|row| {
            let labels = codes(&row[2]).into_iter().collect();
            (
                codes(&row[0]).concat(),
                (row[1].clone(), labels, row[3].clone()),
            )
        })
        .collect();
    let served = served();
    assert!(served.len() > 15, "{served:?}");
    let names = |families: &BTreeMap<String, Family>| families.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&documented), names(&served));
    for (name, (kind, labels, help)) in served {
        let (as_kind, as_labels, meaning) = &documented[&name];
        assert_eq!((as_kind, as_labels), (&kind, &labels), "{name}");
        // The help is the beginning of the meaning: its first words, at least.
        let start = |text: &str| {
            let text = text.to_lowercase();
            let plain = text
                .split([',', ';', ':', '.', '['])
                .next()
                .unwrap_or_default();
            plain.trim().to_owned()
        };
        assert!(
            start(meaning).starts_with(&start(&help)),
            "{name}: {help} / {meaning}"
        );
    }
}

#[test]
fn numbers_of_the_reference_are_the_limits() {
    let text = read("docs/reference/metrics.md");
    let part = section(&text, "What is served")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    for told in [
        format!("may take {} s to arrive", METRICS_HEAD_TIMEOUT.as_secs()),
        format!(
            "its answer {} s to be read",
            METRICS_REPLY_TIMEOUT.as_secs()
        ),
        format!("may have {} KiB", METRICS_HEAD_MAX / 1024),
        format!("Beyond {METRICS_CONNECTIONS_MAX} connections"),
    ] {
        assert!(part.contains(&told), "{told}");
    }
    assert_eq!(METRICS_FRESH.as_millis(), 100, "ten times a second");
}
