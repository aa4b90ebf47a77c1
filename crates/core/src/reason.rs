//! Why things end: closed sets, used alike in log lines, `--json` events and tests.

use std::fmt;

/// A closed set of causes, each with a word for it.
pub trait Reason: Copy + Eq + fmt::Debug + 'static {
    /// Every value, for tables and tests.
    const ALL: &'static [Self];

    /// The word used in `--json` events, log lines and metrics; never changes meaning.
    fn label(self) -> &'static str;

    /// Its place in [`Self::ALL`].
    fn index(self) -> usize;
}

/// Gives a closed enum its fixed labels: `label`, `ALL` and `Display`.
macro_rules! labels {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident => $label:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub enum $name { $($(#[$doc])* $variant,)+ }

        impl $name {
            /// Every value, for tables and tests.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word used in `--json` events and log lines; never changes meaning.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $label,)+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.label())
            }
        }

        impl Reason for $name {
            const ALL: &'static [Self] = Self::ALL;

            fn label(self) -> &'static str {
                Self::label(self)
            }

            fn index(self) -> usize {
                self as usize
            }
        }
    };
}

labels! {
    /// Why a TCP session ended.
    CloseReason {
        /// Both directions ended with FIN and every byte was acknowledged.
        Finished => "finished",
        /// The downstream side sent RST; so did we, upstream.
        DownstreamReset => "downstream-reset",
        /// The upstream side sent RST; so did we, downstream.
        UpstreamReset => "upstream-reset",
        /// The downstream machine no longer answers.
        DownstreamDead => "downstream-dead",
        /// The upstream machine no longer answers.
        UpstreamDead => "upstream-dead",
        /// One direction had ended and the other carried nothing for the linger timeout.
        LingerTimeout => "linger-timeout",
        /// The other side could not be dialled; the downstream side saw RST.
        DialFailed => "dial-failed",
        /// The sealed link that carried it was lost, or ended; both sides saw RST.
        LinkLost => "link-lost",
        /// via6 was told to stop before the session ended.
        Stopped => "stopped",
    }
}

labels! {
    /// Why a new TCP connection was refused (by RST) before it became a session.
    ShedReason {
        /// No descriptors left for it.
        DescriptorsFull => "descriptors-full",
        /// Its address has as many sessions as one address may have.
        AddressFull => "address-full",
        /// Its /64 has as many sessions as one /64 may have.
        PrefixFull => "prefix-full",
        /// Its /64 opens sessions too fast.
        PrefixRate => "prefix-rate",
        /// All peers together open sessions too fast.
        TotalRate => "total-rate",
    }
}

labels! {
    /// What kind of trouble accepting a connection met.
    AcceptTrouble {
        /// Of one connection, which was gone before it was taken.
        Transient => "transient",
        /// The system had no descriptor or no memory for it.
        Exhausted => "exhausted",
        /// Of a kind we do not know.
        Unknown => "unknown",
    }
}

labels! {
    /// Why a UDP flow ended.
    FlowEndReason {
        /// No datagram in either direction for the idle timeout.
        Idle => "idle",
        /// Made room for another while its player was unproven.
        Evicted => "evicted",
        /// The upstream socket could not be made.
        DialFailed => "dial-failed",
        /// via6 was told to stop.
        Stopped => "stopped",
    }
}

labels! {
    /// Why a datagram was deliberately not forwarded.
    DropReason {
        /// No room for another flow, and none to evict.
        FlowsFull => "flows-full",
        /// Its /64 has as many flows as one /64 may have.
        PrefixFull => "prefix-full",
        /// Its /64 opens flows too fast.
        PrefixRate => "prefix-rate",
        /// All peers together open flows too fast.
        TotalRate => "total-rate",
        /// No descriptors left for its flow.
        DescriptorsFull => "descriptors-full",
        /// Too much was already waiting for the upstream name to resolve.
        PendingFull => "pending-full",
        /// The socket's send queue was full.
        QueueFull => "queue-full",
        /// A reply that would exceed what an unproven player may receive.
        Unproven => "unproven",
        /// The system refused to send a datagram of this size on this path.
        Oversize => "oversize",
        /// The upstream side refused it: nothing listens there.
        Refused => "refused",
        /// No route, or the system refused to send.
        Unreachable => "unreachable",
        /// It came from an address other than the flow's upstream.
        WrongSource => "wrong-source",
        /// It claims to come from our own listener: a forged address, or a reply going in circles.
        OwnAddress => "own-address",
        /// Its flow ended before it could be forwarded.
        FlowEnded => "flow-ended",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn check(labels: &[&str]) {
        assert!(labels.len() >= 4);
        let distinct: HashSet<_> = labels.iter().collect();
        assert_eq!(distinct.len(), labels.len());
        for label in labels {
            assert!(
                label.chars().all(|c| c.is_ascii_lowercase() || c == '-'),
                "{label}"
            );
        }
    }

    #[test]
    fn labels_are_distinct_words() {
        check(
            &CloseReason::ALL
                .iter()
                .map(|r| r.label())
                .collect::<Vec<_>>(),
        );
        check(
            &ShedReason::ALL
                .iter()
                .map(|r| r.label())
                .collect::<Vec<_>>(),
        );
        check(
            &FlowEndReason::ALL
                .iter()
                .map(|r| r.label())
                .collect::<Vec<_>>(),
        );
        check(
            &DropReason::ALL
                .iter()
                .map(|r| r.label())
                .collect::<Vec<_>>(),
        );
    }
}
