//! The panels as a picture: small multiples of horizontal bars, three in a row.
//!
//! It has a background of its own and no colour that means anything alone, so that it reads the
//! same in a page's light and dark theme, printed, and by those who do not see red from green.

use super::panels::{Bar, Panel};
use super::svg::{Area, Style, Svg};
use super::{Kind, Report};

const COLUMNS: usize = 3;

/// Pixels. A panel is as high as the fullest of its row needs.
const MARGIN: f64 = 28.0;
const HEAD: f64 = 84.0;
const PANEL_WIDTH: f64 = 340.0;
const GAP: f64 = 20.0;
const PADDING: f64 = 16.0;
const PANEL_HEAD: f64 = 58.0;
const LINE: f64 = 21.0;
const BAR: f64 = 13.0;
const LABEL_WIDTH: f64 = 104.0;
/// Kept free to the right of the longest bar, for its value.
const VALUE_WIDTH: f64 = 62.0;
/// A bar that stands for something is seen.
const BAR_MIN: f64 = 2.0;

const STYLE: &str = "\
text { font-family: system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif; \
font-size: 12px; fill: #41505e }
.page { fill: #f5f7f9 }
.panel { fill: #ffffff; stroke: #dde3e8; stroke-width: 1 }
.head { font-size: 20px; font-weight: 600; fill: #1d2a35 }
.note { font-size: 12px; fill: #6b7a88 }
.title { font-size: 14px; font-weight: 600; fill: #1d2a35 }
.own-text { font-weight: 700; fill: #0f5f73 }
.direct-text { fill: #8593a0; font-style: italic }
.own { fill: #1f8299 }
.peer { fill: #b9c6d1 }
.direct { fill: #e3e9ee; stroke: #b9c6d1; stroke-width: 1; stroke-dasharray: 3 2 }
.track { fill: #f5f7f9 }
";

impl Report {
    /// The main figures as SVG.
    pub(crate) fn picture(&self) -> String {
        let panels = self.panels();
        let rows: Vec<&[Panel]> = panels.chunks(COLUMNS).collect();
        let heights: Vec<f64> = rows.iter().map(|row| height_of(row)).collect();
        let width = 2.0 * MARGIN + COLUMNS as f64 * (PANEL_WIDTH + GAP) - GAP;
        let height = HEAD + heights.iter().map(|height| height + GAP).sum::<f64>() + MARGIN - GAP;
        let title = "Relays side by side";
        let mut svg = Svg::new(width, height, title, STYLE);
        let page = Area {
            x: 0.0,
            y: 0.0,
            width,
            height,
        };
        svg.rectangle("page", page, 10.0);
        self.head(&mut svg, title, width);
        let mut y = HEAD;
        for (row, &height) in rows.iter().zip(&heights) {
            for (column, panel) in row.iter().enumerate() {
                let x = MARGIN + column as f64 * (PANEL_WIDTH + GAP);
                let area = Area {
                    x,
                    y,
                    width: PANEL_WIDTH,
                    height,
                };
                panel.draw(&mut svg, area);
            }
            y += height + GAP;
        }
        svg.finish()
    }

    fn head(&self, svg: &mut Svg, title: &str, width: f64) {
        let machine = &self.machine;
        let date = self.date.split(' ').next().unwrap_or_default();
        let best = match self.rounds {
            1 => "a single round".to_owned(),
            rounds => format!("best of {rounds} rounds, memory by median"),
        };
        let what = "two hops 127.0.0.1 → [::1] → 127.0.0.1";
        let place = format!(
            "{} × {} · Linux {} · {} on loopback",
            machine.cpus, machine.cpu, machine.kernel, machine.congestion_control
        );
        svg.text(Style::left("head"), MARGIN, 38.0, title);
        svg.text(Style::left("note"), MARGIN, 60.0, &place);
        let right = width - MARGIN;
        svg.text(
            Style::right("note"),
            right,
            38.0,
            &format!("{date} · {best}"),
        );
        svg.text(Style::right("note"), right, 60.0, what);
    }
}

fn height_of(row: &[Panel]) -> f64 {
    let lines = row.iter().map(|panel| panel.bars.len()).max();
    PANEL_HEAD + lines.unwrap_or_default() as f64 * LINE + PADDING - (LINE - BAR)
}

impl Panel {
    fn draw(&self, svg: &mut Svg, area: Area) {
        svg.rectangle("panel", area, 8.0);
        let left = area.x + PADDING;
        svg.text(Style::left("title"), left, area.y + 25.0, self.title);
        svg.text(Style::left("note"), left, area.y + 43.0, &self.about);
        let largest = self.largest();
        for (line, bar) in self.bars.iter().enumerate() {
            let y = area.y + PANEL_HEAD + line as f64 * LINE;
            bar.draw(svg, left, y, largest);
        }
    }
}

impl Bar {
    fn draw(&self, svg: &mut Svg, left: f64, y: f64, largest: f64) {
        let (bar, text) = match self.kind {
            Kind::Direct => ("direct", "direct-text"),
            Kind::Own => ("own", "own-text"),
            Kind::Bare | Kind::Peer => ("peer", "label"),
        };
        // Where letters stand so that they are level with the bar.
        let base = y + BAR - 2.5;
        svg.text(Style::left(text), left, base, &self.chain);
        let x = left + LABEL_WIDTH;
        let room = PANEL_WIDTH - 2.0 * PADDING - LABEL_WIDTH - VALUE_WIDTH;
        let mut end = x;
        if let Some(value) = self.value.filter(|_| largest > 0.0) {
            let width = (value / largest * room).max(BAR_MIN);
            let area = Area {
                x,
                y,
                width,
                height: BAR,
            };
            svg.rectangle(bar, area, 2.0);
            end += width;
        }
        svg.text(Style::left(text), end + 6.0, base, &self.shown);
    }
}

#[cfg(test)]
pub(in crate::report) mod tests {
    use std::collections::BTreeMap;

    use super::super::svg::tests::assert_well_formed;
    use super::super::{Figure, Heading, Results, Row};
    use super::*;
    use crate::figures::Metric;
    use crate::meter::Noise;

    fn row(chain: &str, kind: Kind, figures: &[(&'static str, f64)], fails: bool) -> Row {
        let figure = |&(key, best): &(&'static str, f64)| (key, Figure { best, median: best });
        Row {
            chain: chain.to_owned(),
            kind,
            figures: figures.iter().map(figure).collect::<BTreeMap<_, _>>(),
            rounds: Vec::new(),
            failure: fails.then(|| "it broke".to_owned()),
        }
    }

    fn results(name: &str, metrics: &'static [Metric], values: [f64; 3]) -> Results {
        let key = metrics[0].key;
        let [direct, own, peer] = values;
        let heading = Heading {
            name: name.to_owned(),
            description: "a load".to_owned(),
            pinned: false,
            metrics,
        };
        let mut results = Results::new(heading, &[]);
        results.rows = vec![
            row("direct", Kind::Direct, &[(key, direct)], false),
            row("slow <relay>", Kind::Peer, &[(key, peer)], false),
            row("broken", Kind::Peer, &[(key, 1.0)], true),
            row("via6", Kind::Own, &[(key, own)], false),
        ];
        results.noise = Noise::default();
        results
    }

    /// Three workloads through a direct connection, via6 and two peers, one of which failed.
    pub(in crate::report) fn report() -> Report {
        const TIME: &[Metric] = &[Metric::lower("p50_us", "RTT p50 µs", 1)];
        const CPU: &[Metric] = &[Metric::lower("relay_us", "relay CPU", 1)];
        const RATE: &[Metric] = &[Metric::higher("per_second", "connections/s", 0)];
        let mut report = Report::new(3, Vec::new(), &[], None);
        report.add(results("pingpong", TIME, [3.0, 18.0, 22.0]));
        report.add(results("game", CPU, [0.0, 40.0, 80.0]));
        report.add(results("connrate", RATE, [70_000.0, 15_000.0, 900.0]));
        report
    }

    #[test]
    fn the_picture_is_well_formed_and_shows_every_bar_with_its_value() {
        let picture = report().picture();
        let elements = assert_well_formed(&picture);
        assert!(elements > 40, "{elements}");
        for text in [
            "slow &lt;relay&gt;",
            ">failed<",
            ">18.0<",
            ">70\u{202f}000<",
        ] {
            assert!(picture.contains(text), "{text}: {picture}");
        }
        assert_eq!(picture.matches("class=\"own\"").count(), 3);
        // Where relays' CPU is drawn, a direct connection has none.
        assert_eq!(picture.matches("class=\"direct\"").count(), 2);
    }

    /// A value beside the longest bar still ends within its panel.
    #[test]
    fn bars_leave_room_for_their_values() {
        let picture = report().picture();
        let widths = picture
            .lines()
            .filter(|line| line.contains("class=\"peer\"") || line.contains("class=\"own\""))
            .map(|line| {
                let (_, tail) = line.split_once(" width=\"").unwrap();
                tail.split_once('"').unwrap().0.parse::<f64>().unwrap()
            });
        let most = PANEL_WIDTH - 2.0 * PADDING - LABEL_WIDTH - VALUE_WIDTH;
        let widths: Vec<f64> = widths.collect();
        assert!(widths.len() >= 6 && widths.iter().all(|&width| width <= most + 0.1));
    }
}
