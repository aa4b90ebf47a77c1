//! What can be typed. Addresses stay text here: `command` turns them into addresses, so that a
//! mistake gets our own words and a hint.

#![allow(
    rustdoc::broken_intra_doc_links,
    reason = "these comments are help texts"
)]

use std::path::PathBuf;

use clap::builder::{BoolishValueParser, Styles};
use clap::{ArgAction, Args as ClapArgs, Parser, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};

use crate::link::Transport;
use crate::roster::typed;

/// Play legacy IPv4-only games with each other over public IPv6.
#[derive(Debug, Parser)]
#[command(
    name = "via6",
    version,
    styles = Styles::plain(),
    args_override_self = true,
    after_help = "Without a command, on a terminal, via6 asks: host or join?

Examples:
  via6 host 25565                            share the game on this computer's port 25565
  via6 join via6:1…                          play on a friend's host: the line that it prints
  via6 demo                                  see it work, on this computer alone"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) shown: Shown,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// How much is told, and in which form.
#[derive(Clone, Copy, Debug, ClapArgs, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Shown {
    /// Tell more: -v each connection made, -vv every refusal, UDP flow and dropped datagram as well
    #[arg(short, long, global = true, action = ArgAction::Count, env = "VIA6_VERBOSE")]
    pub(crate) verbose: u8,

    /// Tell warnings and errors only
    #[arg(short, long, global = true, env = "VIA6_QUIET", value_parser = BoolishValueParser::new())]
    pub(crate) quiet: bool,

    /// Write events to standard output, one JSON object a line, and no other text there
    #[arg(long, global = true, env = "VIA6_JSON", value_parser = BoolishValueParser::new())]
    pub(crate) json: bool,

    /// Plain lines on a terminal as well: no live view
    // Of this terminal, whoever carries the work.
    #[serde(skip)]
    #[arg(long, global = true, env = "VIA6_PLAIN", value_parser = BoolishValueParser::new())]
    pub(crate) plain: bool,
}

impl Shown {
    /// Whether a terminal may show a live view below the lines.
    pub(crate) fn is_live(self) -> bool {
        !(self.quiet || self.json || self.plain)
    }
}

/// What one run leaves to the next, and where a running via6 is found.
#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct Place {
    /// Where via6 keeps what it remembers
    #[arg(long, global = true, value_name = "DIR", env = "VIA6_STATE")]
    pub(crate) state: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Share a game on this computer (or one that it can reach) with friends
    #[command(
        args_override_self = true,
        after_help = "Examples:
  via6 host 25565                            with whoever has the invite: the game on 127.0.0.1:25565
  via6 host 192.168.1.20:7777                a game on another computer at home; both on one port
  via6 host --open 25565                     with any program: TCP and UDP, no keys
  via6 host --open --port 43326 25566        a second open game, on its own IPv6 port"
    )]
    Host(Host),
    /// Play on a friend's host
    #[command(
        args_override_self = true,
        after_help = "Examples:
  via6 join via6:1…                          the line that the host printed
  via6 join                                  the last host again
  via6 join '[2001:db8::1234]:43325'         an open host
  via6 join '[2001:db8::1234]:43325' --listen 127.0.0.1:25565
                                             for a game that cannot be told a port"
    )]
    Join(Join),
    /// Relay from any address to any other, of either family
    #[command(
        args_override_self = true,
        after_help = "Examples:
  via6 relay tcp '[::]:43325' 127.0.0.1:64871
  via6 relay udp 0.0.0.0:27015 '[2001:db8::1234]:43325'"
    )]
    Relay(Relay),
    /// Run many of the above from one file
    #[command(
        args_override_self = true,
        after_help = "Examples:
  via6 run via6.toml                         every host, join and relay of the file
  via6 run via6.toml --metrics 9646          the same, with metrics on 127.0.0.1:9646"
    )]
    Run(Run),
    /// Check a file of `via6 run`, or show what it comes to
    #[command(
        args_override_self = true,
        subcommand_value_name = "check|show",
        after_help = "Examples:
  via6 config check via6.toml                every mistake in it, or that it is fine
  via6 config show via6.toml                 every value, and where it comes from"
    )]
    Config(ConfigCommand),
    /// See it work on this computer alone: a tiny game, a host and a join
    Demo(Demo),
    /// Show what the running via6 does, and who is playing
    Status,
    /// Make, list and take back invites to a sealed host
    #[command(
        args_override_self = true,
        subcommand_value_name = "new|list|show|revoke"
    )]
    Invite(typed::Invite),
    /// Show who may play, and who is here
    Players,
    /// Send a player away; it may come back
    #[command(args_override_self = true)]
    Kick(typed::Player),
    /// Keep a player out, and its invite closed to others
    #[command(args_override_self = true)]
    Ban(typed::Player),
    /// Let a banned player in again
    #[command(args_override_self = true)]
    Unban(typed::Player),
    /// Stop the running via6, or one of its relays
    #[command(
        args_override_self = true,
        after_help = "Examples:
  via6 stop                                  nobody new; who is playing has some seconds
  via6 stop --now                            at once
  via6 stop join                             only the relay that `via6 status` calls join"
    )]
    Stop(StopArgs),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Host {
    /// The game server: its port on this computer, or HOST:PORT
    #[arg(value_name = "GAME", env = "VIA6_GAME", allow_negative_numbers = true)]
    pub(crate) game: String,

    /// Let any program connect over IPv6: no keys, no invite
    #[arg(long, env = "VIA6_OPEN", value_parser = BoolishValueParser::new())]
    pub(crate) open: bool,

    /// The IPv6 port that friends connect to [default: 43325]
    #[arg(
        long,
        value_name = "N",
        env = "VIA6_PORT",
        allow_negative_numbers = true
    )]
    pub(crate) port: Option<String>,

    /// The address and port that friends connect to [default: [::]:43325]
    #[arg(long, value_name = "ADDR:PORT", env = "VIA6_LISTEN")]
    pub(crate) listen: Option<String>,

    /// A DNS name of this computer, for the invite: it leads here when addresses change
    #[arg(long, value_name = "NAME", env = "VIA6_DNS_NAME")]
    pub(crate) dns_name: Option<String>,

    #[command(flatten)]
    pub(crate) carried: Carried,

    #[command(flatten)]
    pub(crate) trusted: Trusted,

    #[command(flatten)]
    pub(crate) passing: Passing,

    #[command(flatten)]
    pub(crate) watched: Watched,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Join {
    /// The invite that was sent to you; or of an open host [IPV6]:PORT, an IPv6 address, or a name.
    /// Without it, the last host
    // Who reads an invite can play: help does not show it.
    #[arg(value_name = "INVITE", num_args = 1.., env = "VIA6_HOST", hide_env_values = true)]
    pub(crate) host: Vec<String>,

    /// The local address and port for the game to connect to [default: the game's own port, or any;
    /// of an open host 127.0.0.1:46666]
    #[arg(long, value_name = "ADDR:PORT", env = "VIA6_LISTEN")]
    pub(crate) listen: Option<String>,

    /// What you want to be called [default: your name on this computer]
    #[arg(long = "as", value_name = "NAME", env = "VIA6_AS")]
    pub(crate) player: Option<String>,

    /// How an invite's link is carried: auto, quic (UDP) or tls (TCP) [default: auto]
    #[arg(
        long,
        value_name = "HOW",
        env = "VIA6_TRANSPORT",
        value_enum,
        ignore_case = true,
        hide_possible_values = true
    )]
    pub(crate) transport: Option<Transport>,

    #[command(flatten)]
    pub(crate) carried: Carried,

    #[command(flatten)]
    pub(crate) passing: Passing,

    #[command(flatten)]
    pub(crate) watched: Watched,
}

/// How TCP bytes pass.
#[derive(Clone, Copy, Debug, ClapArgs)]
pub(crate) struct Passing {
    /// When Linux moves TCP bytes by itself: auto (in bulk), always or never [default: auto]
    #[arg(
        long,
        value_name = "WHEN",
        env = "VIA6_SPLICE",
        value_enum,
        ignore_case = true,
        hide_possible_values = true
    )]
    pub(crate) splice: Option<Splice>,
}

impl Passing {
    pub(crate) fn splice(self) -> Splice {
        self.splice.unwrap_or(Splice::Auto)
    }
}

/// Who may look on.
#[derive(Debug, ClapArgs)]
pub(crate) struct Watched {
    /// Serve metrics for Prometheus: ADDR:PORT, or a port of 127.0.0.1
    #[arg(
        long,
        value_name = "ADDR:PORT",
        env = "VIA6_METRICS",
        allow_negative_numbers = true
    )]
    pub(crate) metrics: Option<String>,
}

/// When `splice(2)` is used. Other systems than Linux do not have it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Splice {
    /// In bulk: small messages are quicker through memory
    Auto,
    /// Also for small messages
    Always,
    /// The way out where `splice(2)` is not to be trusted
    Never,
}

/// Which protocols are carried; both unless one is asked for.
#[derive(Clone, Copy, Debug, ClapArgs)]
pub(crate) struct Carried {
    /// Carry TCP, and UDP only if asked for as well
    #[arg(long, env = "VIA6_TCP", value_parser = BoolishValueParser::new())]
    pub(crate) tcp: bool,

    /// Carry UDP, and TCP only if asked for as well
    #[arg(long, env = "VIA6_UDP", value_parser = BoolishValueParser::new())]
    pub(crate) udp: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Trusted {
    /// Another relay that many players come through: exempt it from the limits by address
    #[arg(
        long = "trust-relay",
        value_name = "ADDR[/LEN]",
        value_delimiter = ',',
        env = "VIA6_TRUST_RELAY"
    )]
    pub(crate) relays: Vec<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Relay {
    /// What to carry
    #[arg(value_name = "tcp|udp", ignore_case = true)]
    pub(crate) protocol: Protocol,

    /// Where to listen: ADDR:PORT or [IPV6]:PORT
    #[arg(value_name = "LISTEN")]
    pub(crate) listen: String,

    /// Where it leads: HOST:PORT or [IPV6]:PORT
    #[arg(value_name = "TARGET")]
    pub(crate) target: String,

    #[command(flatten)]
    pub(crate) trusted: Trusted,

    #[command(flatten)]
    pub(crate) passing: Passing,

    #[command(flatten)]
    pub(crate) watched: Watched,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Protocol {
    Tcp,
    Udp,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) file: File,

    #[command(flatten)]
    pub(crate) watched: Watched,

    // Of every entry, whatever the file says.
    #[command(flatten)]
    pub(crate) passing: Passing,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct File {
    /// The file, in TOML
    #[arg(value_name = "FILE", env = "VIA6_FILE", id = "file")]
    pub(crate) path: PathBuf,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ConfigCommand {
    #[command(subcommand)]
    pub(crate) action: ConfigAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigAction {
    /// Tell every mistake in a file, or that it is fine
    #[command(
        args_override_self = true,
        after_help = "Examples:
  via6 config check via6.toml
  via6 config check via6.toml --json         for an editor or a script"
    )]
    Check(File),
    /// Show every value that a file comes to, and where it comes from
    #[command(
        args_override_self = true,
        after_help = "Examples:
  via6 config show via6.toml
  via6 config show via6.toml --splice never  what `via6 run` would make of the same flags"
    )]
    Show(Run),
}

#[derive(Clone, Copy, Debug, ClapArgs)]
pub(crate) struct Demo {
    /// End after the self-check
    #[arg(long, env = "VIA6_CHECK", value_parser = BoolishValueParser::new())]
    pub(crate) check: bool,
}

#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct StopArgs {
    /// Which relay to stop, as `via6 status` calls it; without, all of them
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,

    /// End live sessions too, at once
    #[arg(long, env = "VIA6_NOW", value_parser = BoolishValueParser::new())]
    pub(crate) now: bool,
}
