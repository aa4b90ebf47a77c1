//! What a file comes to: as TOML that means the same, each line with its source, or as an object.
//! What is shown and used again as a file is resolved to the same, once the invites are put back in.

use serde_json::{Map, Value, json};

use super::entries::header;
use super::resolve::Resolved;
use super::{Settings, Source};
use crate::args::Splice;
use crate::link::Link;
use crate::narrator::Role;

/// In the place of an invite, which lets in whoever reads it.
const MASKED: &str = "via6:1…";

/// One value with its source, or the head of a table.
struct Row {
    key: &'static str,
    value: Value,
    source: Source,
}

fn row(key: &'static str, value: impl Into<Value>, source: Source) -> Row {
    Row {
        key,
        value: value.into(),
        source,
    }
}

impl Resolved {
    /// As a file.
    pub(crate) fn to_toml(&self) -> String {
        let mut lines = Vec::new();
        for row in self.rows() {
            lines.push((toml_line(&row), Some(row.source)));
        }
        for settings in &self.settings {
            let source = Source::File {
                line: settings.line,
            };
            let title = header(settings.entry.role, &settings.entry.name);
            lines.push((String::new(), None));
            lines.push((title, Some(source)));
            for row in settings.rows() {
                lines.push((toml_line(&row), Some(row.source)));
            }
        }
        let width = |(line, _): &(String, _)| line.chars().count();
        let usual = lines.iter().map(width).filter(|width| *width <= 60);
        let column = usual.max().unwrap_or_default() + 2;
        let lines = lines.into_iter().map(|(line, source)| match source {
            Some(source) => format!("{line:<column$}# {}", self.told(source)),
            None => line,
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// As one object.
    pub(crate) fn to_json(&self) -> Value {
        let mut object = Map::new();
        object.insert("file".into(), self.file.clone().into());
        object.extend(self.rows().map(json_field));
        let entries = self.settings.iter().map(|settings| {
            let mut object = Map::new();
            let Settings { entry, line, .. } = settings;
            object.insert("name".into(), entry.name.clone().into());
            object.insert("role".into(), entry.role.label().into());
            object.insert("line".into(), (*line).into());
            object.extend(settings.rows().map(json_field));
            Value::Object(object)
        });
        object.insert("entries".into(), entries.collect());
        Value::Object(object)
    }

    fn rows(&self) -> impl Iterator<Item = Row> {
        let metrics = self.metrics.value.as_ref().map(ToString::to_string);
        [
            row("verbose", self.verbose.value, self.verbose.source),
            row("quiet", self.quiet.value, self.quiet.source),
            row("json", self.json.value, self.json.source),
            row("plain", self.plain.value, self.plain.source),
            row("metrics", metrics, self.metrics.source),
            row("splice", word(self.splice.value), self.splice.source),
        ]
        .into_iter()
    }

    fn told(&self, source: Source) -> String {
        match source {
            Source::Default => "default".into(),
            Source::File { line } => format!("{}:{line}", self.file),
            Source::Environment(name) | Source::Flag(name) => name.into(),
        }
    }
}

impl Settings {
    fn rows(&self) -> impl Iterator<Item = Row> {
        let (entry, origins) = (&self.entry, &self.origins);
        let upstream = entry.upstream.to_string();
        let listen = if self.by_port {
            row("port", entry.listen.port, origins.listen)
        } else {
            row("listen", entry.listen.to_string(), origins.listen)
        };
        let carried = [
            row("tcp", entry.carried.tcp, origins.tcp),
            row("udp", entry.carried.udp, origins.udp),
        ];
        let trusted: Vec<_> = entry.trusted.iter().map(ToString::to_string).collect();
        let trusted = row("trust-relay", trusted, origins.trusted);
        let splice = row("splice", word(entry.splice), origins.splice);
        let mut rows = Vec::new();
        match entry.role {
            Role::Host => {
                rows.push(row("game", upstream, origins.upstream));
                rows.push(row("open", entry.link.is_open(), origins.open));
                if let Link::Shared(shared) = &entry.link {
                    let name = shared.name.as_ref().map(ToString::to_string);
                    rows.push(row("dns-name", name, origins.dns_name));
                }
                rows.push(listen);
                rows.extend(carried);
                rows.push(trusted);
            }
            Role::Join => {
                match &entry.link {
                    Link::Invited(invited) => {
                        let (player, transport) = (&invited.player, invited.transport);
                        rows.push(row("invite", MASKED, origins.upstream));
                        rows.push(row("as", player.as_str(), origins.player));
                        rows.push(row("transport", transport.label(), origins.transport));
                    }
                    _ => rows.push(row("host", upstream, origins.upstream)),
                }
                rows.push(listen);
                rows.extend(carried);
            }
            Role::Relay => {
                let protocol = if entry.carried.tcp { "tcp" } else { "udp" };
                rows.push(row("protocol", protocol, origins.tcp));
                rows.push(listen);
                rows.push(row("target", upstream, origins.upstream));
                rows.push(trusted);
            }
        }
        rows.push(splice);
        rows.into_iter()
    }
}

fn word(splice: Splice) -> &'static str {
    match splice {
        Splice::Auto => "auto",
        Splice::Always => "always",
        Splice::Never => "never",
    }
}

fn toml_line(row: &Row) -> String {
    let key = row.key;
    match &row.value {
        // TOML has no word for nothing.
        Value::Null => format!("# {key} = none"),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(ToString::to_string).collect();
            format!("{key} = [{}]", items.join(", "))
        }
        // Words, addresses and numbers are written in TOML as in JSON.
        value => format!("{key} = {value}"),
    }
}

fn json_field(row: Row) -> (String, Value) {
    let value = row.value;
    let field = match row.source {
        Source::Default => json!({ "value": value, "source": "default" }),
        Source::File { line } => json!({ "value": value, "source": "file", "line": line }),
        Source::Environment(name) => {
            json!({ "value": value, "source": "environment", "name": name })
        }
        Source::Flag(name) => json!({ "value": value, "source": "flag", "name": name }),
    };
    (row.key.to_owned(), field)
}
