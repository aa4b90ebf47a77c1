//! Where a chain's relays listen, and the placeholders that tell them.
//!
//! Ports are free when they are chosen, not when they are used: relays cannot be handed a socket.
//! Whoever starts a chain tries again when one was taken in between. A place is a port of both TCP
//! and UDP: a sealed link may be carried by either.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

/// Files that `{file:…}` finds wherever this program runs.
const BUILTIN_FILES: &[(&str, &str)] = &[
    ("haproxy.cfg", include_str!("../../chains/haproxy.cfg")),
    ("nginx.conf", include_str!("../../chains/nginx.conf")),
    (
        "rathole-client.toml",
        include_str!("../../chains/rathole-client.toml"),
    ),
    (
        "rathole-server.toml",
        include_str!("../../chains/rathole-server.toml"),
    ),
    ("rinetd.conf", include_str!("../../chains/rinetd.conf")),
];

/// Ports tried until one is free for both TCP and UDP.
const PORTS_TRIED: u32 = 32;

/// What `{bare}` stands for, built beside this program.
const BARE: &str = "via6-bench-bare";

/// Where a relay is to listen.
#[derive(Debug)]
struct Place {
    address: SocketAddr,
    /// Nobody else is given the port while this is there.
    held: Option<(TcpListener, UdpSocket)>,
}

impl Place {
    fn find(host: IpAddr) -> io::Result<Self> {
        let mut tries = 1;
        loop {
            let listener = TcpListener::bind((host, 0))?;
            let address = listener.local_addr()?;
            match UdpSocket::bind(address) {
                Err(_) if tries < PORTS_TRIED => tries += 1,
                socket => {
                    return Ok(Self {
                        address,
                        held: Some((listener, socket?)),
                    });
                }
            }
        }
    }
}

/// The addresses of one run of a chain.
#[derive(Debug)]
pub(super) struct Places {
    target: SocketAddr,
    via6: Option<PathBuf>,
    /// Where `{file:…}` is looked up.
    from: PathBuf,
    /// Where filled files, and what the relays say, are put.
    scratch: PathBuf,
    /// What a command of the chain has printed for the others.
    pub(super) invite: Option<String>,
    /// Of the command that is being filled in: what `{$NAME}` in a file stands for.
    variables: BTreeMap<String, String>,
    /// Commands so far: a file that two of them name is copied twice.
    commands: usize,
    by_name: BTreeMap<String, Place>,
}

impl Places {
    pub(super) fn new(
        target: SocketAddr,
        via6: Option<&Path>,
        from: &Path,
        scratch: &Path,
    ) -> Self {
        Self {
            target,
            via6: via6.map(Path::to_owned),
            from: from.to_owned(),
            scratch: scratch.to_owned(),
            invite: None,
            variables: BTreeMap::new(),
            commands: 0,
            by_name: BTreeMap::new(),
        }
    }

    /// Fills in the environment of the next command, which its files may refer to.
    pub(super) fn begin_command(
        &mut self,
        environment: &[(String, String)],
    ) -> anyhow::Result<&BTreeMap<String, String>> {
        self.commands += 1;
        let filled = environment
            .iter()
            .map(|(variable, value)| Ok((variable.clone(), self.fill(value)?)))
            .collect::<anyhow::Result<_>>()?;
        self.variables = filled;
        Ok(&self.variables)
    }

    /// Where the load enters. A chain that does not say it would be measured as a direct one.
    pub(super) fn entrance(&self) -> anyhow::Result<SocketAddr> {
        let place = self.by_name.get("listen");
        Ok(place.context("no command names {listen}")?.address)
    }

    /// From here on `{listen}` is another place.
    pub(super) fn forget_entrance(&mut self) {
        self.by_name.remove("listen");
    }

    /// Lets the ports go, for the relays to take.
    pub(super) fn release(&mut self) {
        for place in self.by_name.values_mut() {
            place.held = None;
        }
    }

    /// Replaces the placeholders of a command; one that is not known is an error.
    pub(super) fn fill(&mut self, text: &str) -> anyhow::Result<String> {
        self.replace(text, true)
    }

    /// A file may hold braces of its own: there, what is not known stays.
    fn replace(&mut self, text: &str, strict: bool) -> anyhow::Result<String> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            filled.push_str(before);
            let known = match after.split_once('}') {
                Some((key, tail)) => self.value(key)?.map(|value| (value, tail)),
                None => None,
            };
            if let Some((value, tail)) = known {
                filled.push_str(&value);
                rest = tail;
            } else if strict {
                bail!("there is an unknown placeholder in {text:?}");
            } else {
                filled.push('{');
                rest = after;
            }
        }
        filled.push_str(rest);
        Ok(filled)
    }

    fn value(&mut self, key: &str) -> anyhow::Result<Option<String>> {
        if let Some(name) = key.strip_prefix("file:") {
            return Ok(Some(self.file(name)?.display().to_string()));
        }
        if let Some(name) = key.strip_prefix('$') {
            return Ok(self.variables.get(name).cloned());
        }
        let (place, part) = key.split_once('.').unwrap_or((key, "address"));
        let address = match place {
            "via6" => return Ok(self.via6.as_ref().map(|path| path.display().to_string())),
            "bare" => return Ok(Some(bare()?.display().to_string())),
            "invite" => {
                return self
                    .invite
                    .clone()
                    .map(Some)
                    .context("there is no invite yet");
            }
            "scratch" => return Ok(Some(self.scratch.display().to_string())),
            "target" => self.target,
            "listen" => self.reserve(place, Ipv4Addr::LOCALHOST.into())?,
            _ if place.strip_prefix("middle").is_some_and(is_digits) => {
                self.reserve(place, Ipv6Addr::LOCALHOST.into())?
            }
            _ => return Ok(None),
        };
        Ok(match part {
            "address" => Some(address.to_string()),
            "host" => Some(address.ip().to_string()),
            "port" => Some(address.port().to_string()),
            _ => None,
        })
    }

    fn reserve(&mut self, name: &str, host: IpAddr) -> anyhow::Result<SocketAddr> {
        if let Some(place) = self.by_name.get(name) {
            return Ok(place.address);
        }
        let place =
            Place::find(host).with_context(|| format!("cannot find a free port on {host}"))?;
        let address = place.address;
        self.by_name.insert(name.to_owned(), place);
        Ok(address)
    }

    /// Copies a file, filled, to the scratch folder.
    fn file(&mut self, name: &str) -> anyhow::Result<PathBuf> {
        let builtin = BUILTIN_FILES.iter().find(|(builtin, _)| *builtin == name);
        let text = match builtin {
            Some((_, text)) => (*text).to_owned(),
            None => fs::read_to_string(self.from.join(name))
                .with_context(|| format!("cannot read {name}"))?,
        };
        let base = Path::new(name).file_name().context("a file needs a name")?;
        let copy = self
            .scratch
            .join(format!("{}-{}", self.commands, base.display()));
        fs::write(&copy, self.replace(&text, false)?)
            .with_context(|| format!("cannot write {}", copy.display()))?;
        Ok(copy)
    }
}

/// The bare relays, whether they have been built or not.
pub(super) fn bare() -> io::Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name(BARE))
}

fn is_digits(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(scratch: &Path) -> Places {
        let target = "127.0.0.1:9".parse().unwrap();
        Places::new(target, None, Path::new("."), scratch)
    }

    #[test]
    fn a_place_is_the_same_in_every_command_and_has_its_family() {
        let mut places = places(Path::new("."));
        let first = places.fill("{listen} {middle}").unwrap();
        assert_eq!(places.fill("{listen} {middle}").unwrap(), first);
        assert!(first.starts_with("127.0.0.1:") && first.contains(" [::1]:"));
        assert_ne!(
            places.fill("{middle}").unwrap(),
            places.fill("{middle2}").unwrap()
        );
        assert_eq!(
            places
                .fill("{middle2.host} {target} {target.port}")
                .unwrap(),
            "::1 127.0.0.1:9 9"
        );
        let entrance = places.entrance().unwrap().to_string();
        assert!(first.starts_with(&entrance));
    }

    #[test]
    fn a_place_is_held_for_tcp_and_udp_until_it_is_released() {
        let mut places = places(Path::new("."));
        let middle: SocketAddr = places.fill("{middle}").unwrap().parse().unwrap();
        assert!(TcpListener::bind(middle).is_err() && UdpSocket::bind(middle).is_err());
        places.release();
        assert_eq!(places.fill("{middle}").unwrap(), middle.to_string());
        let taken = (TcpListener::bind(middle), UdpSocket::bind(middle));
        assert!(taken.0.is_ok() && taken.1.is_ok());
    }

    #[test]
    fn another_joiner_has_another_entrance_and_the_same_way_on() {
        let mut places = places(Path::new("."));
        let first = places.fill("{listen} {middle}").unwrap();
        places.release();
        let entrance = places.entrance().unwrap();
        // Still in use, by the first.
        let _first = TcpListener::bind(entrance).unwrap();
        places.forget_entrance();
        let second = places.fill("{listen} {middle}").unwrap();
        let words = |text: &str| -> Vec<String> { text.split(' ').map(str::to_owned).collect() };
        assert_ne!(words(&first)[0], words(&second)[0]);
        assert_eq!(words(&first)[1], words(&second)[1]);
    }

    #[test]
    fn an_invite_stands_where_it_is_named_once_it_is_there() {
        let mut places = places(Path::new("."));
        assert!(places.fill("join {invite}").is_err());
        places.invite = Some("via6:abc".to_owned());
        assert_eq!(places.fill("join {invite}").unwrap(), "join via6:abc");
    }

    #[test]
    fn a_chain_that_does_not_say_where_it_listens_is_refused() {
        let mut places = places(Path::new("."));
        places.fill("relay {middle} {target}").unwrap();
        assert!(places.entrance().is_err());
    }

    #[test]
    fn a_file_knows_the_variables_of_its_own_command() {
        let mut places = places(Path::new("."));
        let line = |variable: &str, value: &str| [(variable.to_owned(), value.to_owned())];
        places.begin_command(&line("NEXT", "{middle}")).unwrap();
        let first = places.replace("proxy_pass {$NEXT};", false).unwrap();
        assert_eq!(first, places.fill("proxy_pass {middle};").unwrap());
        places.begin_command(&line("NEXT", "{target}")).unwrap();
        let second = places.replace("{$NEXT} {$GONE}", false).unwrap();
        assert_eq!(second, "127.0.0.1:9 {$GONE}");
    }

    #[test]
    fn an_unknown_placeholder_is_refused_in_a_command_and_kept_in_a_file() {
        let mut places = places(Path::new("."));
        for wrong in ["{lisen}", "{listen", "{listen.prt}", "{via6}"] {
            assert!(places.fill(wrong).is_err(), "{wrong}");
        }
        let text = "stream { server { proxy_pass {target}; } }";
        let filled = places.replace(text, false).unwrap();
        assert_eq!(filled, "stream { server { proxy_pass 127.0.0.1:9; } }");
    }
}
