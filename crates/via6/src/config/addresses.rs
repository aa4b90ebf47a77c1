//! The addresses of a table: read as the command line reads them, each mistake with its place and the
//! hint that it has there.

use toml::Spanned;
use toml::de::DeValue;
use via6_core::addr::{AddrError, DnsName, HostPort, Listen, Network};
use via6_core::invite::{Invite, InviteError};
use via6_core::limits::INVITE_NAME_MAX;

use super::keys::Takes;
use super::section::{Placed, Reader, Section, placed};
use crate::metrics;

/// Whether a pasted line asks for TCP, and whether for UDP.
pub(super) type Asked = (bool, bool);

impl Reader<'_> {
    fn address<T>(&mut self, key: &str, read: Placed<Result<T, AddrError>>) -> Option<Placed<T>> {
        match read.value {
            Ok(value) => Some(Placed {
                value,
                place: read.place,
            }),
            Err(error) => {
                let message = format!("cannot read `{key}`: {error}");
                let hint = match &error {
                    AddrError::PastedOptions => {
                        Some("write its options as keys: `listen`, `tcp`, `udp`".into())
                    }
                    AddrError::Invite if key == "host" => {
                        Some("an invite has a key of its own: invite = \"via6:1…\"".into())
                    }
                    error => error.hint(),
                };
                self.found.hint(read.place, message, hint);
                None
            }
        }
    }

    pub(super) fn listen(&mut self, section: &Section<'_>) -> Option<Placed<Listen>> {
        let text = self.text(section, "listen", false)?;
        self.address("listen", text.map(|text| Listen::parse(&text)))
    }

    pub(super) fn metrics(&mut self, section: &Section<'_>) -> Option<Placed<Listen>> {
        let text = self.text(section, "metrics", true)?;
        let metrics = metrics::address(&text.value);
        let place = text.place;
        match metrics {
            Ok(value) => Some(Placed { value, place }),
            Err(error) => {
                let message = format!("cannot read `metrics`: {error}");
                let hint = "for instance: metrics = \"127.0.0.1:9646\"".to_owned();
                self.found.hint(place, message, hint);
                None
            }
        }
    }

    pub(super) fn game(&mut self, section: &Section<'_>) -> Option<Placed<HostPort>> {
        let text = self.text(section, "game", true)?;
        self.address("game", text.map(|text| HostPort::parse_game(&text)))
    }

    pub(super) fn target(&mut self, section: &Section<'_>) -> Option<Placed<HostPort>> {
        let text = self.text(section, "target", false)?;
        self.address("target", text.map(|text| HostPort::parse_target(&text)))
    }

    /// The host of a join, and which protocols a pasted line asks for: it is what `via6 host`
    /// prints, which ends in `--tcp` if that is all there is.
    pub(super) fn link(
        &mut self,
        section: &Section<'_>,
    ) -> Option<(Placed<HostPort>, Option<Asked>)> {
        let text = self.text(section, "host", false)?;
        let (mut rest, mut tcp, mut udp) = (text.value.trim(), false, false);
        if rest.contains("via6 ") {
            loop {
                if let Some(before) = rest.strip_suffix(" --tcp") {
                    (rest, tcp) = (before.trim_end(), true);
                } else if let Some(before) = rest.strip_suffix(" --udp") {
                    (rest, udp) = (before.trim_end(), true);
                } else {
                    break;
                }
            }
        }
        let read = Placed {
            value: HostPort::parse_link(rest),
            place: text.place.clone(),
        };
        let asked = (tcp || udp).then_some((tcp, udp));
        Some((self.address("host", read)?, asked))
    }

    /// The invite of a host, alone or in whatever was sent.
    pub(super) fn invite(&mut self, section: &Section<'_>) -> Option<Placed<Invite>> {
        let text = self.text(section, "invite", false)?;
        match Invite::parse(&text.value) {
            Ok(value) => Some(Placed {
                value,
                place: text.place,
            }),
            Err(error) => {
                let message = format!("cannot read `invite`: {error}");
                self.found
                    .hint(text.place, message, error.hint().to_owned());
                None
            }
        }
    }

    /// The DNS name of a host.
    pub(super) fn dns_name(&mut self, section: &Section<'_>) -> Option<Placed<DnsName>> {
        const KEY: &str = "dns-name";
        let text = self.text(section, KEY, false)?;
        let read = self.address(KEY, text.map(|text| DnsName::parse(text.trim())))?;
        if read.value.as_str().len() > INVITE_NAME_MAX {
            let error = InviteError::LongName { name: read.value };
            let message = format!("cannot read `{KEY}`: {error}");
            self.found
                .hint(read.place, message, error.hint().to_owned());
            return None;
        }
        Some(read)
    }

    pub(super) fn networks(&mut self, section: &Section<'_>) -> Option<Placed<Vec<Network>>> {
        const KEY: &str = "trust-relay";
        let value = section.table.get(KEY)?;
        let items: Vec<&Spanned<DeValue<'_>>> = match value.get_ref() {
            DeValue::Array(items) => items.iter().collect(),
            _ => vec![value],
        };
        let (mut networks, mut all) = (Vec::new(), true);
        for item in items {
            let DeValue::String(texts) = item.get_ref() else {
                let example = "for instance: trust-relay = [\"2001:db8::1\", \"2001:db8:1::/48\"]";
                self.wrong_type(KEY, Takes::Networks, item, example.into());
                all = false;
                continue;
            };
            // As with the flag, one text may hold several.
            for text in texts.split(',') {
                let read = self.address(KEY, placed(Network::parse(text), item));
                all &= read.is_some();
                networks.extend(read.map(|network| network.value));
            }
        }
        all.then(|| placed(networks, value))
    }
}
