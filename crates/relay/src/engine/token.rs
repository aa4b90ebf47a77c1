//! Who an event is for, as the number that the system's readiness queue gives back.

use mio::Token;

/// Whose turn an event makes it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Concern {
    /// What other threads have to say.
    Inbox,
    /// A timer is due.
    Alarm,
    /// A TCP listener.
    Listener(usize),
    /// A session's downstream socket, or the session.
    Session(usize),
    /// A session's upstream socket.
    SessionUpstream(usize),
    /// A UDP listener, or its flows.
    Flows(usize),
    /// The upstream socket of a flow.
    FlowUpstream(usize),
}

/// Bits of a token that say which kind.
const KIND_BITS: u32 = 3;

impl Concern {
    pub(crate) fn token(self) -> Token {
        let (kind, entry) = match self {
            Self::Inbox => (0, 0),
            Self::Listener(entry) => (1, entry),
            Self::Session(entry) => (2, entry),
            Self::SessionUpstream(entry) => (3, entry),
            Self::Flows(entry) => (4, entry),
            Self::FlowUpstream(entry) => (5, entry),
            Self::Alarm => (6, 0),
        };
        Token(entry << KIND_BITS | kind)
    }

    /// `None`: no token of ours.
    pub(crate) fn of(token: Token) -> Option<Self> {
        let entry = token.0 >> KIND_BITS;
        Some(match token.0 & ((1 << KIND_BITS) - 1) {
            0 => Self::Inbox,
            1 => Self::Listener(entry),
            2 => Self::Session(entry),
            3 => Self::SessionUpstream(entry),
            4 => Self::Flows(entry),
            5 => Self::FlowUpstream(entry),
            6 => Self::Alarm,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_leads_back_to_its_concern() {
        for entry in [0, 1, 400_000] {
            for concern in [
                Concern::Listener(entry),
                Concern::Session(entry),
                Concern::SessionUpstream(entry),
                Concern::Flows(entry),
                Concern::FlowUpstream(entry),
            ] {
                assert_eq!(Concern::of(concern.token()), Some(concern));
            }
        }
        for concern in [Concern::Inbox, Concern::Alarm] {
            assert_eq!(Concern::of(concern.token()), Some(concern));
        }
        assert_eq!(Concern::of(Token(7)), None);
    }
}
