//! Events as objects for a program.

use serde_json::{Value, json};
use via6_relay::{Event, Protocol};

use super::sentence::warning_text;
use super::{Role, ms};

/// An event as `docs/reference/events.md` describes it, but for its time and its relay's name.
pub(super) fn object(event: &Event<'_>, role: Role) -> Value {
    match event {
        Event::SessionOpened {
            session,
            listener,
            downstream,
            upstream,
        } => json!({
            "event": "session_opened", "session": session.0, "listener": text(listener),
            "downstream": text(downstream), "upstream": text(upstream),
        }),
        Event::SessionDialled {
            session,
            upstream,
            took,
        } => json!({
            "event": "session_dialled", "session": session.0, "upstream": text(upstream),
            "took_ms": ms(*took),
        }),
        Event::SessionEnded { session, end } => {
            let mut object = json!({
                "event": "session_ended", "session": session.0,
                "downstream": text(&end.downstream), "reason": end.reason.label(),
                "bytes_up": end.bytes_up, "bytes_down": end.bytes_down,
                "duration_ms": ms(end.duration),
            });
            if let (Some(failure), Some(fields)) = (&end.failure, object.as_object_mut()) {
                fields.insert("error".into(), failure.to_string().into());
            }
            object
        }
        Event::FlowOpened {
            flow,
            listener,
            downstream,
            upstream,
        } => json!({
            "event": "flow_opened", "flow": u64::from(*flow), "listener": text(listener),
            "downstream": text(downstream), "upstream": text(upstream),
        }),
        Event::FlowEnded { end } => json!({
            "event": "flow_ended", "flow": u64::from(end.id), "downstream": text(&end.player),
            "reason": end.reason.label(), "bytes_up": end.bytes_up, "bytes_down": end.bytes_down,
            "datagrams_up": end.datagrams_up, "datagrams_down": end.datagrams_down,
            "dropped": end.dropped, "duration_ms": ms(end.duration),
        }),
        Event::Warning { warning, held_back } => json!({
            "event": "warning", "kind": warning.kind(), "reason": warning.reason(),
            "message": warning_text(warning, None, role), "held_back": held_back.unwrap_or(0),
        }),
        Event::Draining {
            sessions,
            flows,
            retiring,
        } => json!({
            "event": "draining", "sessions": sessions, "flows": flows,
            "retiring_ms": retiring.map(ms),
        }),
        _ => json!({ "event": "unknown" }),
    }
}

/// The word for a protocol in `--json`.
pub(crate) fn protocol_label(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    }
}

fn text(value: &impl ToString) -> String {
    value.to_string()
}
