//! Addresses, for all inputs: what is shown reads back as the same thing, whatever a chat program
//! puts around it changes nothing, and no text whatsoever makes a parser panic or say too much.
//!
//! Which words explain which mistake is not tested here: that is a table, in `src/addr/cases.txt`.

#![allow(
    clippy::unwrap_used,
    reason = "a strategy that makes no address is a failed test"
)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use proptest::prelude::*;
use proptest::sample::select;
use via6_core::addr::{
    AddrError, DnsName, Host, HostPort, Listen, Network, Scope, TEXT_MAX, Zone, scope,
};
use via6_core::limits::DEFAULT_LINK_PORT;

type Parser = fn(&str) -> Result<String, AddrError>;

/// Every parser, ending in text.
const PARSERS: [Parser; 5] = [
    |text| HostPort::parse_link(text).map(|value| value.to_string()),
    |text| HostPort::parse_game(text).map(|value| value.to_string()),
    |text| HostPort::parse_target(text).map(|value| value.to_string()),
    |text| Listen::parse(text).map(|value| value.to_string()),
    |text| Network::parse(text).map(|value| value.to_string()),
];

/// Does a v4-mapped address, or the beginning of one, stand anywhere in `text`?
fn shows_mapped(text: &str) -> bool {
    text.split(|c: char| !c.is_ascii_hexdigit() && c != ':' && c != '.')
        .any(|word| match word.parse::<Ipv6Addr>() {
            Ok(ip) => ip.to_ipv4_mapped().is_some(),
            Err(_) => word.to_ascii_lowercase().starts_with("::ffff:"),
        })
}

fn zone() -> impl Strategy<Value = Zone> {
    "[a-zA-Z0-9_-]{1,14}(\\.[0-9]{1,4})?".prop_map(|text| Zone::parse(&text).unwrap())
}

/// One machine's IPv6 address, of any block.
fn v6() -> impl Strategy<Value = Ipv6Addr> {
    let group = prop_oneof![Just(0), Just(1), Just(0xffff), any::<u16>()];
    let near = (
        select(vec![0x2001, 0x2a01, 0xfd00, 0xfec0, 0x64, 0]),
        prop::array::uniform7(group),
    )
        .prop_map(|(a, [b, c, d, e, f, g, h])| Ipv6Addr::new(a, b, c, d, e, f, g, h));
    prop_oneof![near, any::<Ipv6Addr>()].prop_filter("one machine, no zone needed", |ip| {
        !matches!(
            scope(*ip),
            Scope::Unspecified | Scope::Multicast | Scope::LinkLocal | Scope::V4Mapped
        )
    })
}

fn v6_host() -> impl Strategy<Value = Host> {
    let link_local = (any::<u64>(), zone()).prop_map(|(id, zone)| {
        Host::V6(
            Ipv6Addr::from_bits((0xfe80 << 112) | u128::from(id)),
            Some(zone),
        )
    });
    prop_oneof![
        (v6(), prop::option::of(zone())).prop_map(|(ip, zone)| Host::V6(ip, zone)),
        link_local,
    ]
}

fn v4() -> impl Strategy<Value = Ipv4Addr> {
    any::<Ipv4Addr>().prop_filter("one machine", |ip| {
        !ip.is_unspecified() && !ip.is_multicast() && !ip.is_broadcast()
    })
}

fn name() -> impl Strategy<Value = Host> {
    "([a-z0-9_]([a-z0-9_-]{0,20}[a-z0-9_])?\\.){0,6}[a-z_]([a-z0-9_-]{0,20}[a-z0-9_])?"
        .prop_map(|text| Host::Name(DnsName::parse(&text).unwrap()))
}

fn port() -> impl Strategy<Value = u16> {
    1..=u16::MAX
}

fn link() -> impl Strategy<Value = HostPort> {
    (prop_oneof![v6_host(), name()], port()).prop_map(|(host, port)| HostPort { host, port })
}

fn endpoint() -> impl Strategy<Value = HostPort> {
    (
        prop_oneof![v6_host(), v4().prop_map(Host::V4), name()],
        port(),
    )
        .prop_map(|(host, port)| HostPort { host, port })
}

fn listen() -> impl Strategy<Value = Listen> {
    let v6 = v6_host().prop_filter_map("an address", |host| match host {
        Host::V6(ip, zone) => Some((IpAddr::V6(ip), zone)),
        Host::V4(_) | Host::Name(_) => None,
    });
    let others = prop_oneof![
        v4().prop_map(IpAddr::V4),
        Just(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        Just(IpAddr::V6(Ipv6Addr::UNSPECIFIED)),
    ];
    (
        prop_oneof![v6, others.prop_map(|ip| (ip, None))],
        any::<u16>(),
    )
        .prop_map(|((ip, zone), port)| Listen { ip, zone, port })
}

/// A way to write an address that changes nothing about it.
#[derive(Clone, Debug)]
struct Decoration {
    quotes: (&'static str, &'static str),
    around: (&'static str, &'static str),
    unseen: &'static str,
    /// Before which of its characters, counted round and round.
    unseen_at: usize,
    wide: bool,
    upper: bool,
}

fn decoration() -> impl Strategy<Value = Decoration> {
    let quotes = vec![
        ("", ""),
        ("'", "'"),
        ("\"", "\""),
        ("`", "`"),
        ("```", "```"),
        ("“", "”"),
        ("„", "“"),
        ("‘", "’"),
        ("«", "»"),
        ("« ", " »"),
        ("<", ">"),
        ("\"'", "'\""),
        ("(", ")"),
    ];
    let around = vec![
        ("", ""),
        (" ", " "),
        ("\t", "\r\n"),
        ("\u{a0}", "\u{3000}"),
        ("\u{feff}", "\n\n"),
        ("", ","),
        ("", "."),
        (" ", ". "),
    ];
    let unseen = vec!["", "\u{200b}", "\u{2060}", "\u{ad}", "\u{200e}", "\u{feff}"];
    (
        select(quotes),
        select(around),
        select(unseen),
        any::<usize>(),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(
            |(quotes, around, unseen, unseen_at, wide, upper)| Decoration {
                quotes,
                around,
                unseen,
                unseen_at,
                wide,
                upper,
            },
        )
}

impl Decoration {
    fn apply(&self, text: &str) -> String {
        let at = self.unseen_at % (text.chars().count() + 1);
        let (before, after): (String, String) = (
            text.chars().take(at).collect(),
            text.chars().skip(at).collect(),
        );
        let mut text = format!("{before}{}{after}", self.unseen);
        if self.wide {
            text = text
                .replace(':', "：")
                .replace('[', "【")
                .replace(']', "】")
                .replace('%', "％");
        }
        let (open, close) = self.quotes;
        format!("{}{open}{text}{close}{}", self.around.0, self.around.1)
    }

    /// Zones are the only part whose case counts.
    fn case(&self, host: &Host, text: String) -> String {
        let has_zone = matches!(host, Host::V6(_, Some(_)));
        if self.upper && !has_zone {
            text.to_ascii_uppercase()
        } else {
            text
        }
    }
}

/// Text made of what addresses are made of, so that the parsers get far.
fn almost_an_address() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => select(vec![
            "[", "]", ":", "::", "%", "/", ".", " ", "\n", "'", "`", "“", "…", "-", "*", "@", "://",
            "fe80", "2001:db8::1", "::ffff:", "192.0.2.7", "0", "1", "43325", "99999", "/64",
            "%eth0", "via6", "join", "via6:", "via6 join ", "--udp", "port", "play.example.org",
            "localhost", "\u{200b}", "：", "【", "ü", "#", ",", ";", "\u{1b}[31m", "\\", "\0",
        ]).prop_map(str::to_owned),
        1 => "[0-9a-fA-F]{1,5}",
        1 => "\\PC{0,3}",
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    // What is found goes into `cases.txt`, so no file of seeds is kept.
    #![proptest_config(ProptestConfig {
        cases: 2048,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_is_shown_reads_back(link in link(), endpoint in endpoint(), listen in listen()) {
        prop_assert_eq!(HostPort::parse_link(&link.to_string()), Ok(link.clone()));
        for shown in [&link, &endpoint] {
            prop_assert_eq!(HostPort::parse_game(&shown.to_string()), Ok(shown.clone()));
            prop_assert_eq!(HostPort::parse_target(&shown.to_string()), Ok(shown.clone()));
        }
        prop_assert_eq!(Listen::parse(&listen.to_string()), Ok(listen));
    }

    #[test]
    fn a_link_without_a_port_has_the_default_one(host in prop_oneof![v6_host(), name()]) {
        let expected = HostPort { host: host.clone(), port: DEFAULT_LINK_PORT };
        prop_assert_eq!(HostPort::parse_link(&host.to_string()), Ok(expected.clone()));
        if matches!(host, Host::V6(..)) {
            prop_assert_eq!(HostPort::parse_link(&format!("[{host}]")), Ok(expected.clone()));
            prop_assert_eq!(HostPort::parse_link(&format!("{host}/64")), Ok(expected));
        }
    }

    #[test]
    fn decoration_changes_nothing(
        link in link(), endpoint in endpoint(), listen in listen(), decoration in decoration(),
    ) {
        let write = |host: &Host, text| decoration.apply(&decoration.case(host, text));
        let text = write(&link.host, link.to_string());
        prop_assert_eq!(HostPort::parse_link(&text), Ok(link), "{}", text);
        let text = write(&endpoint.host, endpoint.to_string());
        prop_assert_eq!(HostPort::parse_game(&text), Ok(endpoint.clone()), "{}", text);
        prop_assert_eq!(HostPort::parse_target(&text), Ok(endpoint), "{}", text);
        let text = decoration.apply(&listen.to_string());
        prop_assert_eq!(Listen::parse(&text), Ok(listen), "{}", text);
    }

    #[test]
    fn a_prefix_length_or_a_zone_may_stand_on_either_side_of_the_bracket(
        ip in v6(), zone in zone(), port in port(), length in 0..=128u8, decoration in decoration(),
    ) {
        let expected = HostPort { host: Host::V6(ip, Some(zone.clone())), port };
        for text in [
            format!("[{ip}%{zone}/{length}]:{port}"),
            format!("[{ip}/{length}%{zone}]:{port}"),
            format!("[{ip}%{zone}]/{length}:{port}"),
            format!("[{ip}/{length}]%{zone}:{port}"),
            format!("[{ip}]%{zone}:{port}"),
        ] {
            let text = decoration.apply(&text);
            prop_assert_eq!(HostPort::parse_link(&text), Ok(expected.clone()), "{}", text);
        }
    }

    #[test]
    fn a_pasted_line_means_the_address_in_it(
        link in link(), decoration in decoration(),
        before in select(vec!["", "$ ", "C:\\>", "friends!\n", "run: "]),
        program in select(vec!["via6", "./via6", "via6.exe", ".\\VIA6.EXE"]),
        after in select(vec!["", "\n", " see you", "\nsee you"]),
    ) {
        let line = format!("{program} join '{link}'");
        let quoted = decoration.apply(&line);
        for text in [format!("{before}{line}{after}"), format!("{quoted}{after}")] {
            prop_assert_eq!(HostPort::parse_link(&text), Ok(link.clone()), "{}", text);
        }
    }

    #[test]
    fn a_v4_mapped_address_is_the_ipv4_address(ip in v4(), port in port(), length in 0..=32u8) {
        let mapped = ip.to_ipv6_mapped();
        let [.., high, low] = mapped.segments();
        for written in [mapped.to_string(), format!("::FFFF:{high:x}:{low:x}"), format!("0:0:0:0:0:ffff:{ip}")] {
            let text = format!("[{written}]:{port}");
            let expected = HostPort { host: Host::V4(ip), port };
            prop_assert_eq!(HostPort::parse_game(&text), Ok(expected.clone()));
            prop_assert_eq!(HostPort::parse_target(&text), Ok(expected));
            prop_assert_eq!(Listen::parse(&text).map(|at| at.ip), Ok(IpAddr::V4(ip)));
            prop_assert_eq!(HostPort::parse_link(&text), Err(AddrError::Ipv4Link { ip, port }));
            let network = Network::parse(&format!("{written}/{}", length + 96));
            prop_assert_eq!(network, Network::parse(&format!("{ip}/{length}")));
        }
    }

    #[test]
    fn an_address_of_the_system_is_shown_and_read_back(
        ip in prop_oneof![v6().prop_map(IpAddr::V6), v4().prop_map(IpAddr::V4)], port in port(),
        interface in 1..=u32::MAX,
    ) {
        let addr = SocketAddr::new(ip, port);
        prop_assert_eq!(HostPort::parse_target(&addr.to_string()), Ok(HostPort::from(addr)));
        prop_assert_eq!(Listen::parse(&addr.to_string()), Ok(Listen::from(addr)));
        // std shows a zone as we do.
        let local = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, port);
        let addr = SocketAddr::V6(SocketAddrV6::new(local, port, 0, interface));
        prop_assert_eq!(HostPort::parse_link(&addr.to_string()), Ok(HostPort::from(addr)));
        prop_assert_eq!(Listen::parse(&addr.to_string()), Ok(Listen::from(addr)));
        // A dual-stack socket shows IPv4 peers as mapped; nobody gets to see that.
        if let IpAddr::V4(v4) = ip {
            let mapped = SocketAddr::new(v4.to_ipv6_mapped().into(), port);
            prop_assert_eq!(HostPort::from(mapped).to_string(), format!("{v4}:{port}"));
            prop_assert_eq!(Listen::from(mapped).to_string(), format!("{v4}:{port}"));
        }
    }

    #[test]
    fn a_network_holds_exactly_what_shares_its_bits(
        ip in v6(), other in any::<u128>(), length in 0..=128u8,
    ) {
        let network = Network::parse(&format!("{ip}/{length}")).unwrap();
        prop_assert_eq!(Network::parse(&network.to_string()), Ok(network));
        // Equal to `ip` in a random number of leading bits.
        let near = Ipv6Addr::from_bits(ip.to_bits() ^ (other >> (other % 128)));
        let shared = (ip.to_bits() ^ near.to_bits()).leading_zeros();
        if near.to_ipv4_mapped().is_none() {
            prop_assert_eq!(network.contains(near.into()), shared >= u32::from(length));
        }
    }

    #[test]
    fn any_text_is_accepted_or_explained(
        text in prop_oneof![3 => almost_an_address(), 1 => "\\PC{0,80}", 1 => any::<String>()],
    ) {
        for parse in PARSERS {
            match parse(&text) {
                // What was understood stays understood, and means the same.
                Ok(shown) => {
                    prop_assert!(!shows_mapped(&shown), "{:?} -> {}", text, shown);
                    prop_assert_eq!(parse(&shown), Ok(shown), "{:?}", text);
                }
                Err(error) => {
                    let hint = error.hint().unwrap_or_default();
                    for line in [error.to_string(), hint] {
                        prop_assert!(!line.chars().any(char::is_control), "{:?} -> {:?}", text, line);
                        prop_assert!(!shows_mapped(&line), "{:?} -> {}", text, line);
                        prop_assert!(!line.ends_with('.'), "{:?} -> {}", text, line);
                        // Two quotations, or a name of full length in a sentence.
                        prop_assert!(line.chars().count() < 480, "{:?} -> {}", text, line);
                    }
                }
            }
        }
    }

    #[test]
    fn what_a_hint_offers_is_accepted(text in almost_an_address()) {
        let offered = |error: &AddrError, before: &str| {
            let hint = error.hint()?;
            Some(hint.strip_prefix(before)?.to_owned())
        };
        if let Err(error) = HostPort::parse_link(&text)
            && let Some(line) = offered(&error, "try: ")
        {
            prop_assert!(HostPort::parse_link(&line).is_ok(), "{:?} -> {}", text, line);
        }
        if let Err(error) = HostPort::parse_target(&text)
            && let Some(target) = offered(&error, "write it as ")
        {
            prop_assert!(HostPort::parse_target(&target).is_ok(), "{:?} -> {}", text, target);
        }
    }

    #[test]
    fn a_long_text_is_refused_in_few_words(piece in "\\PC{1,8}", times in 512..2000usize) {
        let text = piece.repeat(times);
        prop_assume!(text.len() > TEXT_MAX);
        for parse in PARSERS {
            let error = parse(&text).unwrap_err();
            let told = match &error {
                AddrError::TooLong { bytes, .. } => *bytes,
                _ => 0,
            };
            prop_assert_eq!(told, text.len());
            prop_assert!(error.to_string().len() < 80);
        }
    }
}
