//! The firewall of a home router: stateful, as they all are for IPv6, with one opening for the host.
//!
//! Whatever began inside may be answered. From outside only the `ICMPv6` that must pass (RFC 4890), and what
//! the opening lets in.

use std::io::Read;
use std::net::Ipv6Addr;
use std::process::Command;

use socket2::{Domain, Protocol, Socket, Type};

use super::place::Place;
use crate::failure::{During, Failure, Outcome, ensure};

/// Which protocols the host's router lets in to its port.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Opening {
    /// Datagrams.
    pub udp: bool,
    /// Connections.
    pub tcp: bool,
}

impl Opening {
    /// Both.
    pub const BOTH: Self = Self {
        udp: true,
        tcp: true,
    };
    /// Neither.
    pub const NONE: Self = Self {
        udp: false,
        tcp: false,
    };
}

/// `lan0` is the home's side, `wan0` the Internet's.
const HOME: &str = "table inet home {
  chain opening { }
  chain forward {
    type filter hook forward priority filter; policy drop;
    ct state established,related accept
    ct state invalid drop
    iifname lan0 accept
    icmpv6 type { echo-request, destination-unreachable, packet-too-big, time-exceeded, parameter-problem } accept
    jump opening
  }
}
";

/// On the way between the homes: nothing is blocked until somebody asks for it.
const INTERNET: &str = "table inet way {
  chain blocked { }
  chain parted { }
  chain gone { }
  chain forward {
    type filter hook forward priority filter; policy accept;
    jump blocked
    jump parted
    jump gone
  }
}
";

/// Puts up a home's firewall.
pub(super) fn protect(router: &Place) -> Outcome {
    router.nft(HOME)
}

/// Prepares the Internet for blocking.
pub(super) fn prepare(internet: &Place) -> Outcome {
    internet.nft(INTERNET)
}

/// Lets strangers in to `port` of the home's computer, whatever its prefix is at the time: as routers
/// do that know a computer by the last 64 bits of its address (here `::10`).
pub(super) fn open(router: &Place, port: u16, opening: Opening) -> Outcome {
    let mut rules = "flush chain inet home opening\n".to_owned();
    let to_host = "ip6 daddr & ::ffff:ffff:ffff:ffff == ::10";
    for (protocol, is_open) in [("udp", opening.udp), ("tcp", opening.tcp)] {
        if is_open {
            let rule = format!("{to_host} {protocol} dport {port} accept");
            rules.extend(["add rule inet home opening ", &rule, "\n"]);
        }
    }
    router.nft(&rules)
}

/// Drops every UDP datagram on the way, or lets them pass again.
pub(super) fn block_udp(internet: &Place, is_blocked: bool) -> Outcome {
    let mut rules = "flush chain inet way blocked\n".to_owned();
    if is_blocked {
        rules += "add rule inet way blocked meta l4proto udp counter drop\n";
    }
    internet.nft(&rules)
}

/// Drops what comes from a prefix that its home no longer has, as providers do (RFC 2827): else a
/// connection that gets no answers could still tell of the new one.
pub(super) fn forbid(internet: &Place, prefix: Ipv6Addr) -> Outcome {
    internet.nft(&format!(
        "add rule inet way gone ip6 saddr {prefix}/64 drop"
    ))
}

/// Drops what goes from one home to the other. The Internet's own computers reach both.
pub(super) fn part(internet: &Place) -> Outcome {
    internet.nft("add rule inet way parted drop")
}

/// How many packets have been dropped since the last block began.
pub(super) fn blocked(internet: &Place) -> Outcome<u64> {
    let rules = internet.run(|| {
        let mut nft = Command::new("nft");
        nft.args(["list", "chain", "inet", "way", "blocked"]);
        nft.output().during("listing what is blocked")
    })?;
    let text = String::from_utf8_lossy(&rules.stdout).into_owned();
    let mut words = text
        .split_whitespace()
        .skip_while(|word| *word != "packets");
    let packets = words.nth(1).and_then(|word| word.parse().ok());
    packets.ok_or_else(|| Failure::Failed(format!("no counter in {text}")))
}

/// Whether a TCP connection that the router does not know is taken for a new one when a packet from the
/// middle of it comes. Linux's default, but not every router's.
pub(super) fn set_relearning(router: &Place, relearns: bool) -> Outcome {
    let value = if relearns { "1" } else { "0" };
    router.set("netfilter/nf_conntrack_tcp_loose", value)
}

/// How many connections and flows the router knows.
pub(super) fn known(router: &Place) -> Outcome<u64> {
    let text = router.value("netfilter/nf_conntrack_count")?;
    text.parse::<u64>()
        .map_err(std::io::Error::other)
        .during("reading nf_conntrack_count")
}

/// Makes the router forget every connection and flow, as a restart does.
pub(super) fn forget(router: &Place) -> Outcome {
    router.run(flush).during(router.name)
}

/// What `conntrack -F` does, which is not on every machine: one netlink message to delete all
/// (`IPCTNL_MSG_CT_DELETE` without a tuple), and its acknowledgement.
fn flush() -> Outcome {
    const NETLINK: i32 = libc::AF_NETLINK;
    const DELETE: u16 = 0x0102;
    const REQUEST_ACK: u16 = 0x0005;
    const ERROR: u16 = 0x0002;
    let mut socket = Socket::new(
        Domain::from(NETLINK),
        Type::RAW,
        Some(Protocol::from(libc::NETLINK_NETFILTER)),
    )
    .during("a netlink socket")?;
    // The header: length, type, flags, sequence number, port. Then any family, version 0, resource 0.
    let mut message = 20_u32.to_ne_bytes().to_vec();
    message.extend(DELETE.to_ne_bytes());
    message.extend(REQUEST_ACK.to_ne_bytes());
    message.extend([0; 12]);
    socket.send(&message).during("asking to forget")?;
    let mut answer = [0; 256];
    let len = socket.read(&mut answer).during("its answer")?;
    ensure!(len >= 20, "an answer of {len} bytes");
    let kind = u16::from_ne_bytes([answer[4], answer[5]]);
    let code = i32::from_ne_bytes([answer[16], answer[17], answer[18], answer[19]]);
    ensure!(
        (kind, code) == (ERROR, 0),
        "the router did not forget: {}",
        std::io::Error::from_raw_os_error(-code)
    );
    Ok(())
}
