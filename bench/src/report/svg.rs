//! The little of SVG that a bar chart needs, written by hand: rectangles and text at given places.

use std::fmt::Write as _;

/// How a piece of text looks: a class of the style sheet, and which of its points is at `x`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    class: &'static str,
    anchor: &'static str,
}

impl Style {
    pub(super) const fn left(class: &'static str) -> Self {
        let anchor = "start";
        Self { class, anchor }
    }

    pub(super) const fn right(class: &'static str) -> Self {
        let anchor = "end";
        Self { class, anchor }
    }
}

/// A rectangle, in pixels from the upper left corner.
#[derive(Clone, Copy, Debug)]
pub(super) struct Area {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// A picture that grows by one element a call.
#[derive(Debug)]
pub(super) struct Svg {
    body: String,
    width: f64,
    height: f64,
}

impl Svg {
    /// `title` is for those who cannot see it; `style` is the style sheet.
    pub(super) fn new(width: f64, height: f64, title: &str, style: &str) -> Self {
        let title = escape(title);
        Self {
            body: format!("<title>{title}</title>\n<style>\n{style}</style>\n"),
            width,
            height,
        }
    }

    pub(super) fn rectangle(&mut self, class: &str, area: Area, radius: f64) {
        let Area {
            x,
            y,
            width,
            height,
        } = area;
        // Writing to a String cannot fail.
        let _ = writeln!(
            self.body,
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" \
             height=\"{height:.1}\" rx=\"{radius:.1}\"/>"
        );
    }

    pub(super) fn text(&mut self, style: Style, x: f64, y: f64, text: &str) {
        let Style { class, anchor } = style;
        let text = escape(text);
        let _ = writeln!(
            self.body,
            "<text class=\"{class}\" text-anchor=\"{anchor}\" x=\"{x:.1}\" y=\"{y:.1}\">{text}</text>"
        );
    }

    pub(super) fn finish(self) -> String {
        let Self {
            body,
            width,
            height,
        } = self;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" viewBox=\"0 0 {width:.0} \
             {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\">\n{body}</svg>\n"
        )
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
pub(in crate::report) mod tests {
    use super::*;

    /// Checks what XML asks of this subset: every element closed in order, attributes quoted,
    /// nothing of the markup's own characters in text. Returns how many elements there are.
    pub(in crate::report) fn assert_well_formed(xml: &str) -> usize {
        let mut open: Vec<&str> = Vec::new();
        let mut elements = 0;
        let mut rest = xml.trim();
        while let Some((text, after)) = rest.split_once('<') {
            assert_text(text);
            let (tag, tail) = after.split_once('>').expect("a tag does not end");
            if let Some(name) = tag.strip_prefix('/') {
                assert_eq!(open.pop(), Some(name), "closed in another order");
            } else {
                elements += 1;
                let (tag, is_empty) = match tag.strip_suffix('/') {
                    Some(tag) => (tag, true),
                    None => (tag, false),
                };
                let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
                assert_attributes(attributes);
                if !is_empty {
                    open.push(name);
                }
            }
            assert!(!open.is_empty() || tail.is_empty(), "more than one root");
            rest = tail;
        }
        assert!(
            open.is_empty() && rest.is_empty(),
            "left open: {open:?} {rest:?}"
        );
        elements
    }

    fn assert_text(text: &str) {
        assert!(!text.contains('>'), "{text:?}");
        for entity in text.split('&').skip(1) {
            let known = ["amp;", "lt;", "gt;", "quot;"];
            assert!(
                known.iter().any(|known| entity.starts_with(known)),
                "{text:?}"
            );
        }
    }

    fn assert_attributes(text: &str) {
        let parts: Vec<&str> = text.split('"').collect();
        let (last, pairs) = parts.split_last().unwrap();
        assert!(last.trim().is_empty() && pairs.len() % 2 == 0, "{text:?}");
        for pair in pairs.chunks(2) {
            let name = pair[0].trim().strip_suffix('=').expect("no value");
            assert!(!name.is_empty() && !name.contains(' '), "{text:?}");
            assert_text(pair[1]);
        }
    }

    #[test]
    fn what_xml_reserves_is_escaped() {
        let mut svg = Svg::new(100.0, 50.0, "a & b", "text { fill: red }\n");
        svg.text(Style::left("label"), 1.0, 2.0, "<\"x\"> & y");
        let area = Area {
            x: 0.0,
            y: 0.0,
            width: 9.96,
            height: 1.0,
        };
        svg.rectangle("bar", area, 2.0);
        let xml = svg.finish();
        assert!(
            xml.contains(">&lt;&quot;x&quot;&gt; &amp; y</text>"),
            "{xml}"
        );
        assert!(xml.contains("width=\"10.0\""), "{xml}");
        assert_eq!(assert_well_formed(&xml), 5);
    }

    #[test]
    #[should_panic(expected = "closed in another order")]
    fn the_check_sees_what_is_closed_in_another_order() {
        assert_well_formed("<a><b></a></b>");
    }
}
