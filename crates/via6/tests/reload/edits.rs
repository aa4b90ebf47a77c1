//! What may be written into the file: a book of entries, changed at random, and texts that are no
//! valid file, whatever the book says.

use std::fmt::Write as _;
use std::net::SocketAddr;

/// A small generator (xorshift64*, Vigna 2016): a failing storm is repeated by its seed.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(2).wrapping_add(1))
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(drawn).expect("31 bits") % end
    }

    pub(crate) fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// One entry of the file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Wanted {
    pub(crate) role: &'static str,
    pub(crate) name: String,
    pub(crate) port: u16,
    /// Which of the games it leads to.
    pub(crate) game: usize,
    pub(crate) tcp: bool,
    pub(crate) udp: bool,
    /// Nothing that can be seen from outside.
    pub(crate) trusts: bool,
}

impl Wanted {
    pub(crate) fn entry(&self) -> SocketAddr {
        ([0, 0, 0, 0, 0, 0, 0, 1], self.port).into()
    }

    fn write(&self, games: &[SocketAddr], text: &mut String) {
        let game = games[self.game];
        let Self {
            role,
            name,
            port,
            tcp,
            udp,
            ..
        } = self;
        writeln!(text, "[{role}.{name}]\nlisten = \"[::1]:{port}\"").expect("memory");
        match *role {
            "host" => writeln!(text, "game = \"{game}\"\nopen = true"),
            "join" => writeln!(text, "host = \"{game}\""),
            _ => writeln!(
                text,
                "target = \"{game}\"\nprotocol = \"{}\"",
                if *tcp { "tcp" } else { "udp" }
            ),
        }
        .expect("memory");
        if *role != "relay" {
            writeln!(text, "tcp = {tcp}\nudp = {udp}").expect("memory");
        }
        if self.trusts && *role != "join" {
            writeln!(text, "trust-relay = \"2001:db8::1\"").expect("memory");
        }
    }
}

/// What the file is to say.
#[derive(Clone, Debug)]
pub(crate) struct Book {
    pub(crate) entries: Vec<Wanted>,
    /// Those at the front that are never changed.
    steady: usize,
    /// Ports that nobody else has.
    ports: Vec<u16>,
    names: usize,
}

impl Book {
    pub(crate) fn new(steady: Vec<Wanted>, ports: Vec<u16>) -> Self {
        Self {
            steady: steady.len(),
            entries: steady,
            ports,
            names: 0,
        }
    }

    pub(crate) fn text(&self, games: &[SocketAddr], random: &mut Random) -> String {
        let mut text = String::new();
        for entry in &self.entries {
            if random.below(4) == 0 {
                text.push_str("# a word about it\n\n");
            }
            entry.write(games, &mut text);
        }
        text
    }

    fn free_port(&self, random: &mut Random) -> u16 {
        let is_free = |port: &u16| self.entries.iter().all(|entry| entry.port != *port);
        let free: Vec<_> = self.ports.iter().copied().filter(is_free).collect();
        *random.one_of(&free)
    }

    fn add(&mut self, random: &mut Random) {
        self.names += 1;
        let role = *random.one_of(&["host", "join", "relay"]);
        let tcp = random.below(2) == 0;
        let entry = Wanted {
            role,
            name: format!("n{}", self.names),
            port: self.free_port(random),
            game: random.below(2),
            tcp,
            udp: !tcp || (role != "relay" && random.below(2) == 0),
            trusts: false,
        };
        let at = self.steady + random.below(self.entries.len() - self.steady + 1);
        self.entries.insert(at, entry);
    }

    /// Changes something, or nothing.
    pub(crate) fn change(&mut self, random: &mut Random) {
        let others = self.entries.len() - self.steady;
        if others < 2 || (others < 12 && random.below(3) == 0) {
            return self.add(random);
        }
        let one = self.steady + random.below(others);
        let other = self.steady + random.below(others);
        let port = self.free_port(random);
        match random.below(9) {
            0 | 1 => drop(self.entries.remove(one)),
            2 => {
                self.names += 1;
                self.entries[one].name = format!("n{}", self.names);
            }
            3 => self.entries[one].port = port,
            4 if one != other => {
                let ports = (self.entries[one].port, self.entries[other].port);
                (self.entries[other].port, self.entries[one].port) = ports;
            }
            5 => self.entries[one].game ^= 1,
            6 => {
                let entry = &mut self.entries[one];
                (entry.tcp, entry.udp) = match (entry.role, entry.tcp) {
                    ("relay", tcp) => (!tcp, tcp),
                    (_, true) if entry.udp => (false, true),
                    _ => (true, true),
                };
            }
            7 => {
                let entry = &mut self.entries[one];
                entry.role = match entry.role {
                    "host" => "join",
                    "join" => "host",
                    role => role,
                };
            }
            _ => {
                self.entries[one].trusts ^= true;
                self.entries.swap(one, other);
            }
        }
    }
}

/// Something that is no valid file, made of a valid one. `taken`: a port of another program's.
pub(crate) fn spoil(text: &str, taken: u16, random: &mut Random) -> String {
    let more = |line: &str| format!("{text}{line}\n");
    let entry = |name: &str, port: u16| {
        more(&format!(
            "[relay.{name}]\nlisten = \"[::1]:{port}\"\ntarget = \"[::1]:9\"\nprotocol = \"tcp\""
        ))
    };
    match random.below(9) {
        0 => more("what is this"),
        1 => text.replacen("listen", "lisen", 1),
        2 => String::new(),
        3 => text.rsplit_once('"').expect("a string").0.to_owned(),
        4 => entry("taken", taken),
        5 => text.replacen("[::1]", "[::1", 1),
        6 => {
            let (_, name) = text.split_once('.').expect("a name");
            let name = name.split(']').next().expect("its end");
            entry(name, 1)
        }
        7 => text.replacen("listen = ", "listen = 5 # ", 1),
        _ => entry("nowhere", 70_00) + "protocol = \"tpc\"\n",
    }
}
