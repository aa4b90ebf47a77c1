//! What can be wrong with an address, one variant each. `Display` is the cause; what to do about it
//! is in `hint`.
//!
//! Variants hold values, not messages: the address that was probably meant is a [`HostPort`], and
//! text is only ever an [`Excerpt`] of what was typed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::endpoint::HostPort;
use super::excerpt::Excerpt;
use super::fault::{Ipv4Fault, Ipv6Fault, NameFault};
use super::host::{DnsName, Host};

/// The place on the command line that an address was written for; decides what a hint proposes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Purpose {
    /// ADDR of `join`: the other end of a link.
    Link,
    /// GAME of `host`: the game server.
    Game,
    /// TARGET of `relay`.
    Target,
    /// LISTEN of `relay`, and `--listen`.
    Listen,
    /// `--trust-relay ADDR[/LEN]`.
    Network,
}

/// Why a text is not the address that its place calls for.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AddrError {
    /// Nothing but blanks and quotes.
    #[error("{} is empty", place(*purpose))]
    Empty {
        /// What it was for.
        purpose: Purpose,
    },
    /// Longer than [`TEXT_MAX`](super::TEXT_MAX); not looked at.
    #[error("{bytes} bytes are too long for an address")]
    TooLong {
        /// What it was for.
        purpose: Purpose,
        /// Its length.
        bytes: usize,
    },
    /// A quote at one end only: a piece is probably missing.
    #[error("`{text}` has a quote at one end only")]
    UnmatchedQuote {
        /// What was typed.
        text: Excerpt,
    },
    /// It ends in `:`, or a chat program put `…` into it.
    #[error("`{text}` is cut short")]
    CutShort {
        /// What it was for.
        purpose: Purpose,
        /// What was typed.
        text: Excerpt,
    },
    /// An invite of a sealed link, not shown because it lets people in.
    #[error("this is an invite, and only `via6 join` takes one")]
    Invite,
    /// A pasted `via6 join` line with options.
    #[error("the pasted line has options of its own")]
    PastedOptions,
    /// `https://…`, `minecraft://…`.
    #[error("an address does not begin with `{scheme}://`")]
    Url {
        /// What it was for.
        purpose: Purpose,
        /// The part before `://`.
        scheme: Excerpt,
        /// The address in it.
        fixed: Option<HostPort>,
    },
    /// More than one word.
    #[error("`{text}` has a space in it")]
    Space {
        /// What it was for.
        purpose: Purpose,
        /// What was typed.
        text: Excerpt,
        /// The address in it.
        fixed: Option<HostPort>,
    },
    /// An IPv4 address where the other end of a link is asked for.
    #[error("{ip} is an IPv4 address; a via6 link runs over IPv6")]
    Ipv4Link {
        /// The address.
        ip: Ipv4Addr,
        /// The port, as written or by default.
        port: u16,
    },
    /// `2001:db8::1:43325`: the port reads like a part of the address.
    #[error("`{text}` does not show where the address ends and the port begins")]
    NeedsBrackets {
        /// What it was for.
        purpose: Purpose,
        /// What was typed.
        text: Excerpt,
        /// The same with brackets.
        fixed: HostPort,
    },
    /// `2001:db8::1.43325`, as some tools print it (RFC 5952 §6).
    #[error("`{text}` has `{separator}` before the port instead of `:`")]
    PortSeparator {
        /// What it was for.
        purpose: Purpose,
        /// What was typed.
        text: Excerpt,
        /// What stands there.
        separator: char,
        /// The same with brackets and `:`.
        fixed: HostPort,
    },
    /// `[2001:db8::1:43325]`.
    #[error("`{text}` has the port inside the brackets")]
    PortInBrackets {
        /// What it was for.
        purpose: Purpose,
        /// What was typed.
        text: Excerpt,
        /// The same with the port behind them.
        fixed: HostPort,
    },
    /// `[2001:db8::1]43325`.
    #[error("`{text}` has something other than `:` and a port after its `]`")]
    AfterBracket {
        /// What it was for.
        purpose: Purpose,
        /// What was typed.
        text: Excerpt,
        /// The same with `:`, if a number follows.
        fixed: Option<HostPort>,
    },
    /// One bracket of a pair.
    #[error("`{text}` lacks its `{bracket}`")]
    MissingBracket {
        /// What it was for.
        purpose: Purpose,
        /// What was typed.
        text: Excerpt,
        /// The one that is not there.
        bracket: char,
        /// The same with both.
        fixed: Option<HostPort>,
    },
    /// More than one pair of brackets, or brackets in the middle.
    #[error("`{text}` has brackets in the wrong places")]
    StrayBracket {
        /// What it was for.
        purpose: Purpose,
        /// What was typed.
        text: Excerpt,
    },
    /// `play.example.org:25565:25565`.
    #[error("`{text}` has too many `:`")]
    TooManyColons {
        /// What it was for.
        purpose: Purpose,
        /// What was typed.
        text: Excerpt,
    },
    /// Looks like an IPv6 address and is none.
    #[error("`{text}` is not an IPv6 address: {fault}")]
    Ipv6 {
        /// What it was for.
        purpose: Purpose,
        /// What was typed.
        text: Excerpt,
        /// What is wrong with it.
        fault: Ipv6Fault,
    },
    /// Looks like an IPv4 address and is none.
    #[error("`{text}` is not an IPv4 address: {fault}")]
    Ipv4 {
        /// What was typed.
        text: Excerpt,
        /// What is wrong with it.
        fault: Ipv4Fault,
    },
    /// Not a host name either.
    #[error("`{text}` is not a host name: {fault}")]
    Name {
        /// What was typed.
        text: Excerpt,
        /// What is wrong with it.
        fault: NameFault,
    },
    /// The port has something other than digits in it.
    #[error("port `{port}` is not a number")]
    PortNotNumber {
        /// What was typed.
        port: Excerpt,
    },
    /// The port is above 65535.
    #[error("port {port} does not exist: the highest is 65535")]
    PortTooHigh {
        /// What was typed.
        port: Excerpt,
    },
    /// Port 0 where a port is dialled.
    #[error("port 0 cannot be dialled")]
    PortZero,
    /// A host without the port that its place requires.
    #[error("{host} has no port")]
    MissingPort {
        /// What it was for.
        purpose: Purpose,
        /// The host.
        host: Host,
    },
    /// A port alone, or nothing before its `:`.
    #[error("port {port} has no address")]
    MissingHost {
        /// What it was for.
        purpose: Purpose,
        /// The port.
        port: u16,
    },
    /// A link-local address that does not say on which network.
    #[error("{ip} is a link-local address without its network interface")]
    LinkLocalZone {
        /// The address.
        ip: Ipv6Addr,
        /// The port, as written or by default.
        port: u16,
    },
    /// Cannot be an interface.
    #[error("`%{zone}` does not name a network interface")]
    Zone {
        /// What followed the `%`.
        zone: Excerpt,
    },
    /// `192.0.2.7%eth0`.
    #[error("{ip} is an IPv4 address and takes no `%`")]
    ZoneOnIpv4 {
        /// The address.
        ip: Ipv4Addr,
    },
    /// `/129`.
    #[error("`/{length}` is not a prefix length: these go from 0 to {max}")]
    PrefixLength {
        /// What followed the `/`.
        length: Excerpt,
        /// The longest for this family.
        max: u8,
    },
    /// Many machines at once.
    #[error("{ip} is a multicast address: it stands for many machines")]
    Multicast {
        /// The address.
        ip: IpAddr,
    },
    /// 255.255.255.255: all machines of the network.
    #[error("{ip} is the broadcast address: it stands for many machines")]
    Broadcast {
        /// The address.
        ip: Ipv4Addr,
    },
    /// `::` or `0.0.0.0` as a destination.
    #[error("{ip} can be listened on but not dialled")]
    Unspecified {
        /// What it was for.
        purpose: Purpose,
        /// The address.
        ip: IpAddr,
        /// The port, as written or by default.
        port: u16,
    },
    /// A name where one address of this machine is asked for.
    #[error("`{name}` is a name; listening needs an address of this machine")]
    ListenName {
        /// The name.
        name: DnsName,
        /// The port, if one was written.
        port: Option<u16>,
    },
    /// A name where a network is asked for.
    #[error("`{name}` is a name; a trusted relay needs an address or a network")]
    NetworkName {
        /// The name.
        name: DnsName,
    },
    /// A port where a network is asked for.
    #[error("a trusted relay is an address or a network, without a port")]
    NetworkPort {
        /// The host beside it, if there was one.
        host: Option<Host>,
    },
    /// A zone where a network is asked for.
    #[error("a trusted relay takes no `%` and interface")]
    NetworkZone {
        /// The address.
        ip: Ipv6Addr,
    },
}

fn place(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Link => "the address to join",
        Purpose::Game => "the game to share",
        Purpose::Target => "the target",
        Purpose::Listen => "the address to listen on",
        Purpose::Network => "the trusted relay",
    }
}
