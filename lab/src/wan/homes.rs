//! Two homes behind stateful firewalls, and the Internet between them.
//!
//! ```text
//!  host ──lan0── its router ══ emulator ══ Internet ──── router ──lan0── joiner
//!  2d00:6:a00::10       2d00:6:1::/64       2d00:6:2::/64      2d00:6:b00::10
//! ```
//!
//! The addresses are global ones that nobody has been given: via6 rightly gives no friend an address
//! that is kept for examples. Nothing of it leaves the namespaces.
//!
//! What a home's provider, router or computer does to a running link is a method here. Each has taken
//! effect when it returns.

use std::io::Read;
use std::net::Ipv6Addr;
use std::thread::sleep;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use super::emulator::Emulator;
use super::firewall::{self, Opening};
use super::place::Place;
use super::tun::Tun;
use super::way::Conditions;
use crate::failure::Outcome;
use crate::system;

/// The port that the host's router opens: via6's own default.
pub const PORT: u16 = 43325;

/// The name that the joiner's resolver knows the host by.
pub const HOST_NAME: &str = "host.example";

/// An address in the Internet, for a relay.
pub const RELAY: Ipv6Addr = Ipv6Addr::new(0x2d00, 6, 2, 0, 0, 0, 0, 1);

/// How long a new address or route may take to work, generous for a loaded machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long one echo may take before the next is sent: a round trip of the slowest conditions.
const ECHO: Duration = Duration::from_millis(500);

/// The topology, running.
#[derive(Debug)]
pub struct Homes {
    /// What is between the host's router and the Internet.
    pub wan: Emulator,
    /// The host's computer.
    pub host: Place,
    /// The joiner's computer.
    pub joiner: Place,
    /// What both are connected to.
    pub internet: Place,
    host_router: Place,
    joiner_router: Place,
    host_prefix: u16,
    joiner_prefix: u16,
}

/// The prefix of a home: the host's begin at `a00`, the joiner's at `b00`.
fn prefix(number: u16) -> Ipv6Addr {
    Ipv6Addr::new(0x2d00, 6, number, 0, 0, 0, 0, 0)
}

/// The computer of the home that has this prefix.
fn computer(number: u16) -> Ipv6Addr {
    Ipv6Addr::new(0x2d00, 6, number, 0, 0, 0, 0, 0x10)
}

impl Homes {
    /// Builds it all, with a WAN whose chances are those of `seed`. The host's port is open, and the
    /// name leads to its address. Skips where namespaces or devices cannot be made.
    pub fn new(conditions: Conditions, seed: u64) -> Outcome<Self> {
        let place = Place::new;
        let (host, joiner, internet) = (place("host")?, place("joiner")?, place("internet")?);
        let (host_router, joiner_router) = (place("host's router")?, place("joiner's router")?);
        host.plug("eth0", &host_router, "lan0")?;
        joiner.plug("eth0", &joiner_router, "lan0")?;
        joiner_router.plug("wan0", &internet, "joiner0")?;
        let first = host_router.run(|| Tun::open("wan0"))?;
        let second = internet.run(|| Tun::open("host0"))?;
        let homes = Self {
            // Perfect until all is in place.
            wan: Emulator::start(first, second, Conditions::default(), seed)?,
            host,
            joiner,
            host_router,
            joiner_router,
            internet,
            host_prefix: 0xa00,
            joiner_prefix: 0xb00,
        };
        homes.address()?;
        homes.protect()?;
        homes.name_host(Some(homes.host_address()))?;
        homes.wait_until_reachable()?;
        homes.wan.change(|now| *now = conditions);
        Ok(homes)
    }

    fn address(&self) -> Outcome {
        for router in [&self.host_router, &self.joiner_router, &self.internet] {
            router.set("ipv6/conf/all/forwarding", "1")?;
        }
        for (router, link, there) in [
            (&self.host_router, 1, "host0"),
            (&self.joiner_router, 2, "joiner0"),
        ] {
            router.ip(&format!(
                "addr add fe80::1/64 dev lan0 nodad
                 addr add 2d00:6:{link}::2/64 dev wan0 nodad
                 route add default via 2d00:6:{link}::1"
            ))?;
            let at = format!("addr add 2d00:6:{link}::1/64 dev {there} nodad");
            self.internet.ip(&at)?;
        }
        self.add_prefix(Home::Host, self.host_prefix)?;
        self.add_prefix(Home::Joiner, self.joiner_prefix)?;
        for computer in [&self.host, &self.joiner] {
            computer.ip("route add default via fe80::1 dev eth0")?;
        }
        Ok(())
    }

    fn protect(&self) -> Outcome {
        firewall::prepare(&self.internet)?;
        for router in self.routers() {
            firewall::protect(router)?;
        }
        self.set_relearning(false)?;
        self.set_opening(Opening::BOTH)
    }

    const fn routers(&self) -> [&Place; 2] {
        [&self.host_router, &self.joiner_router]
    }

    /// The host's address now; of two, the newer.
    #[must_use]
    pub fn host_address(&self) -> Ipv6Addr {
        computer(self.host_prefix)
    }

    /// The joiner's address now.
    #[must_use]
    pub fn joiner_address(&self) -> Ipv6Addr {
        computer(self.joiner_prefix)
    }

    /// Cuts the WAN for so long, both ways.
    pub fn cut(&self, how_long: Duration) {
        self.wan.change(|now| now.is_cut = true);
        // The pause is what the cut is.
        sleep(how_long);
        self.wan.change(|now| now.is_cut = false);
    }

    /// Makes both routers forget every connection and flow.
    pub fn forget_flows(&self) -> Outcome {
        for router in self.routers() {
            firewall::forget(router)?;
        }
        Ok(())
    }

    /// How many connections and flows the host's router and the joiner's know.
    pub fn known_flows(&self) -> Outcome<[u64; 2]> {
        let [host, joiner] = self.routers();
        Ok([firewall::known(host)?, firewall::known(joiner)?])
    }

    /// Whether the routers let a forgotten TCP connection go on when the side that may open one sends
    /// in it. At first they do not: it is dead without a word, which is the harder case.
    pub fn set_relearning(&self, relearns: bool) -> Outcome {
        for router in self.routers() {
            firewall::set_relearning(router, relearns)?;
        }
        Ok(())
    }

    /// Changes what the host's router lets in. What is established stays.
    pub fn set_opening(&self, opening: Opening) -> Outcome {
        firewall::open(&self.host_router, PORT, opening)
    }

    /// Drops all UDP on the way from now on, established or not.
    pub fn block_udp(&self) -> Outcome {
        firewall::block_udp(&self.internet, true)
    }

    /// How many datagrams have been dropped since then.
    pub fn blocked_datagrams(&self) -> Outcome<u64> {
        firewall::blocked(&self.internet)
    }

    /// Lets UDP pass again.
    pub fn unblock_udp(&self) -> Outcome {
        firewall::block_udp(&self.internet, false)
    }

    /// Lets nothing pass from one home to the other: only what is in the Internet reaches both.
    pub fn part(&self) -> Outcome {
        firewall::part(&self.internet)
    }

    /// Tells the joiner's resolver where the host's name leads, or that there is no such name.
    pub fn name_host(&self, address: Option<Ipv6Addr>) -> Outcome {
        self.joiner.set_name(HOST_NAME, address.map(Into::into))
    }

    /// The joiner gets another address with another prefix, as in another network, and loses the old.
    pub fn move_joiner(&mut self) -> Outcome {
        let old = self.joiner_prefix;
        self.joiner_prefix += 1;
        self.add_prefix(Home::Joiner, self.joiner_prefix)?;
        self.remove_prefix(Home::Joiner, old)?;
        self.wait_until_reachable()
    }

    /// The host's provider hands out a new prefix. The old one still works, but is deprecated.
    pub fn announce_prefix(&mut self) -> Outcome {
        let old = computer(self.host_prefix);
        self.host_prefix += 1;
        self.add_prefix(Home::Host, self.host_prefix)?;
        self.host.ip(&format!(
            "addr change {old}/64 dev eth0 nodad preferred_lft 0 valid_lft forever"
        ))?;
        self.wait_until_reachable()
    }

    /// The prefix before the newest is gone: from the host, its router and the Internet, which drops
    /// what still comes for it or from it.
    pub fn retire_prefix(&self) -> Outcome {
        self.remove_prefix(Home::Host, self.host_prefix - 1)
    }

    /// The host's prefix is another one from one moment to the next.
    pub fn replace_prefix(&mut self) -> Outcome {
        let old = self.host_prefix;
        self.host_prefix += 1;
        self.remove_prefix(Home::Host, old)?;
        self.add_prefix(Home::Host, self.host_prefix)?;
        self.wait_until_reachable()
    }

    fn add_prefix(&self, home: Home, number: u16) -> Outcome {
        let (prefix, (computer_place, router, link)) = (prefix(number), self.home(home));
        // A router answers at `::1` of each of its prefixes, but is used by its link-local address.
        router.ip(&format!("addr add 2d00:6:{number:x}::1/64 dev lan0 nodad"))?;
        let via = format!("2d00:6:{link}::2");
        self.internet
            .ip(&format!("route add {prefix}/64 via {via}"))?;
        let address = computer(number);
        computer_place.ip(&format!("addr add {address}/64 dev eth0 nodad"))
    }

    fn remove_prefix(&self, home: Home, number: u16) -> Outcome {
        let (prefix, (computer_place, router, _)) = (prefix(number), self.home(home));
        let replaced = format!("route replace blackhole {prefix}/64");
        self.internet
            .ip(&format!("route del {prefix}/64\n{replaced}"))?;
        firewall::forbid(&self.internet, prefix)?;
        router.ip(&format!("addr del 2d00:6:{number:x}::1/64 dev lan0"))?;
        let address = computer(number);
        computer_place.ip(&format!("addr del {address}/64 dev eth0"))
    }

    /// The computer, the router and the number of the router's link to the Internet.
    const fn home(&self, home: Home) -> (&Place, &Place, u16) {
        match home {
            Home::Host => (&self.host, &self.host_router, 1),
            Home::Joiner => (&self.joiner, &self.joiner_router, 2),
        }
    }

    /// Waits until the joiner's computer gets an echo (`ICMPv6`) from the host's. The system makes an
    /// address's route some time after the address; what is sent until then is refused.
    fn wait_until_reachable(&self) -> Outcome {
        let (from, to) = (self.joiner_address(), self.host_address());
        let what = format!("an echo from {to} to {from}");
        self.joiner
            .run(move || system::wait_for(PATIENCE, &what, || Ok(echo(from, to).ok())))
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Home {
    Host,
    Joiner,
}

/// One echo request and its reply, from this thread's place.
fn echo(from: Ipv6Addr, to: Ipv6Addr) -> std::io::Result<()> {
    const REQUEST: u8 = 128;
    const REPLY: u8 = 129;
    let mut socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6))?;
    socket.bind(&std::net::SocketAddr::from((from, 0)).into())?;
    socket.connect(&std::net::SocketAddr::from((to, 0)).into())?;
    socket.set_read_timeout(Some(ECHO))?;
    // Type, code, checksum (the system's work), identifier, sequence number.
    socket.send(&[REQUEST, 0, 0, 0, 0, 6, 0, 1])?;
    let mut answer = [0; 64];
    // Other messages are those of the neighbourhood (router solicitations, say).
    while socket.read(&mut answer)? < 8 || answer[0] != REPLY {}
    Ok(())
}
