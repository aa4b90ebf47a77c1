//! What stands between the game client and the game server: one hop, two hops, other relays.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use crate::failure::Outcome;
use crate::peer::Peer;
use crate::process::{Start, Via6};

/// TCP or UDP.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Protocol {
    /// Sessions.
    Tcp,
    /// Flows.
    Udp,
}

impl Protocol {
    /// The word used on command lines.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// One relay of a chain.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Hop {
    /// `via6 relay`.
    Relay,
    /// `via6 join`.
    Join,
    /// `via6 host --open`.
    Host,
    /// `via6 join INVITE`.
    Invited,
    /// The same with `--transport tls`.
    InvitedTls,
    /// `via6 host`.
    Inviting,
    /// socat.
    Socat,
    /// The lab's Python script.
    Script,
}

macro_rules! chains {
    ($($(#[$doc:meta])* $name:ident = $label:literal: $client:ident [$($hop:ident),*] $game:ident;)+) => {
        /// What stands between the game client and the game server.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub enum Chain { $($(#[$doc])* $name,)+ }

        impl Chain {
            /// Every chain.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The name used in tables and on the command line.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $(Self::$name => $label,)+ }
            }

            /// From the client to the game.
            const fn hops(self) -> &'static [Hop] {
                match self { $(Self::$name => &[$(Hop::$hop),*],)+ }
            }

            /// The address family that the client uses, as its loopback address.
            const fn client_ip(self) -> IpAddr {
                match self { $(Self::$name => $client,)+ }
            }

            /// The loopback address that the game server listens on.
            #[must_use]
            pub const fn game_ip(self) -> IpAddr {
                match self { $(Self::$name => $game,)+ }
            }
        }
    };
}

const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

chains! {
    /// No relay at all: the control that shows what the rows expect is right.
    Direct = "direct": V4 [] V4;
    /// One hop between equal families.
    Relay44 = "relay-44": V4 [Relay] V4;
    /// One hop, the way of a join.
    Relay46 = "relay-46": V4 [Relay] V6;
    /// One hop, the way of a host.
    Relay64 = "relay-64": V6 [Relay] V4;
    /// A host alone, for a client that has IPv6.
    Host = "host": V6 [Host] V4;
    /// Two hops: what two players use.
    JoinHost = "join-host": V4 [Join, Host] V4;
    /// The same by invite.
    Sealed = "sealed": V4 [Invited, Inviting] V4;
    /// The same where UDP is blocked.
    SealedTls = "sealed-tls": V4 [InvitedTls, Inviting] V4;
    /// socat on the friend's side.
    SocatHost = "socat-host": V4 [Socat, Host] V4;
    /// socat on the host's side.
    JoinSocat = "join-socat": V4 [Join, Socat] V4;
    /// The script on the friend's side.
    ScriptHost = "script-host": V4 [Script, Host] V4;
    /// The script on the host's side.
    JoinScript = "join-script": V4 [Join, Script] V4;
    /// Two socats, for comparison: most rows fail here.
    SocatSocat = "socat-socat": V4 [Socat, Socat] V4;
    /// Two scripts, for comparison: most rows fail here.
    ScriptScript = "script-script": V4 [Script, Script] V4;
}

impl Chain {
    /// Whether it has a via6 in it and nothing else.
    #[must_use]
    pub fn is_pure(self) -> bool {
        let others = |hop: &Hop| matches!(hop, Hop::Socat | Hop::Script);
        self != Self::Direct && !self.hops().iter().any(others)
    }

    /// Whether its link is a sealed one.
    #[must_use]
    pub fn is_sealed(self) -> bool {
        self.hops().contains(&Hop::Inviting)
    }

    /// Whether via6 and a relay of another kind work together in it.
    #[must_use]
    pub fn is_mixed(self) -> bool {
        !self.is_pure()
            && self
                .hops()
                .iter()
                .any(|hop| matches!(hop, Hop::Join | Hop::Host))
    }

    /// Whether the script is part of it, which knows no half-close.
    #[must_use]
    pub fn has_script(self) -> bool {
        self.hops().contains(&Hop::Script)
    }

    /// Whether socat is part of it.
    #[must_use]
    pub fn has_socat(self) -> bool {
        self.hops().contains(&Hop::Socat)
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.label())
    }
}

/// How the relays of a chain are started.
#[derive(Clone, Copy, Debug)]
pub struct Setup<'a> {
    /// The via6 program.
    pub program: &'a Path,
    /// Which relays.
    pub chain: Chain,
    /// For sessions or for flows.
    pub protocol: Protocol,
    /// Where the game server is.
    pub game: SocketAddr,
    /// The IPv6 address that the last hop listens on, where it listens on IPv6.
    pub link: Ipv6Addr,
    /// Limits and output of each via6.
    pub start: Start,
}

/// The running relays of a chain.
#[derive(Debug)]
pub struct Relays {
    /// Where the client connects to.
    pub entry: SocketAddr,
    /// Where the last hop listens: on the host's side of the link.
    pub link: SocketAddr,
    /// Every via6, from the client's side to the game's.
    pub via6s: Vec<Via6>,
    peers: Vec<Peer>,
}

impl Relays {
    /// Starts every relay of the chain, the last one first.
    pub fn start(setup: &Setup<'_>) -> Outcome<Self> {
        let hops = setup.chain.hops();
        let mut relays = Self {
            entry: setup.game,
            link: setup.game,
            via6s: Vec::new(),
            peers: Vec::new(),
        };
        for (index, hop) in hops.iter().enumerate().rev() {
            let is_last = index + 1 == hops.len();
            let listen = match (index, setup.chain.client_ip()) {
                (0, v4 @ IpAddr::V4(_)) => v4,
                _ if is_last => setup.link.into(),
                _ => V6,
            };
            let target = relays.entry;
            relays.entry = match hop {
                Hop::Socat => relays.peer(Peer::socat(setup.protocol, listen, target)?),
                Hop::Script => relays.peer(Peer::script(setup.protocol, listen, target)?),
                own => {
                    let line = command_line(*own, setup.protocol, listen, &relays.target(*own)?);
                    let via6 = Via6::start(setup.program, setup.protocol, &line, setup.start)?;
                    let address = via6.address;
                    relays.via6s.insert(0, via6);
                    address
                }
            };
            if is_last {
                relays.link = relays.entry;
            }
        }
        Ok(relays)
    }

    /// Where the next hop leads: an address, or the invite that the one behind it has made.
    fn target(&self, hop: Hop) -> Outcome<String> {
        match (hop, self.via6s.first()) {
            (Hop::Invited | Hop::InvitedTls, Some(host)) => host.invite(),
            _ => Ok(self.entry.to_string()),
        }
    }

    fn peer(&mut self, peer: Peer) -> SocketAddr {
        let address = peer.address;
        self.peers.push(peer);
        address
    }
}

/// What a person would type.
fn command_line(hop: Hop, protocol: Protocol, listen: IpAddr, target: &str) -> Vec<String> {
    let listen = SocketAddr::new(listen, 0).to_string();
    let only = format!("--{}", protocol.label());
    let words: &[&str] = match hop {
        Hop::Host => &["host", "--open", target, "--listen", &listen, &only],
        Hop::Join | Hop::Invited => &["join", target, "--listen", &listen, &only],
        Hop::Inviting => &["host", target, "--listen", &listen, &only],
        Hop::InvitedTls => &[
            "join",
            target,
            "--listen",
            &listen,
            &only,
            "--transport",
            "tls",
        ],
        _ => &["relay", protocol.label(), &listen, target],
    };
    words.iter().map(ToString::to_string).collect()
}
