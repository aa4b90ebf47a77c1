//! Invites, for all inputs: what is written is read, whatever a chat program does around and inside of it;
//! what cannot be read is explained, and never repeated; nothing makes the reader panic.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test code: failing is its purpose"
)]

use std::net::Ipv6Addr;
use std::num::NonZeroU16;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use via6_core::addr::DnsName;
use via6_core::invite::{Fingerprint, Invite, InviteError, PREFIX, Secret};
use via6_core::limits::{INVITE_ADDRESSES_MAX, INVITE_NAME_MAX, INVITE_TEXT_MAX};

const ALPHABET: &str = "0123456789abcdefghjkmnpqrstvwxyz";

/// The longest that an invite with one address may be: one line of a chat window.
const LENGTH_MAX: usize = 120;

fn address() -> impl Strategy<Value = Ipv6Addr> {
    (0x2000_u16..0x4000, any::<[u16; 7]>())
        .prop_map(|(a, [b, c, d, e, f, g, h])| Ipv6Addr::new(a, b, c, d, e, f, g, h))
}

fn invite() -> impl Strategy<Value = Invite> {
    let name = "[a-z]([a-z0-9-]{0,15}[a-z0-9])?(\\.[a-z]{1,20}){0,3}";
    (
        any::<[u8; 16]>(),
        any::<[u8; 16]>(),
        1_u16..,
        proptest::collection::vec(address(), 0..=INVITE_ADDRESSES_MAX),
        prop::option::of(name),
    )
        .prop_filter_map(
            "somewhere",
            |(fingerprint, secret, port, addresses, name)| {
                Invite::new(
                    Fingerprint(fingerprint),
                    Secret(secret),
                    NonZeroU16::new(port)?,
                    addresses,
                    name.map(|name| DnsName::parse(&name).unwrap()),
                )
                .ok()
            },
        )
}

fn example(addresses: &[&str], name: Option<&str>) -> Invite {
    Invite::new(
        Fingerprint(std::array::from_fn(|i| u8::try_from(i).unwrap())),
        Secret(std::array::from_fn(|i| 0x10 + u8::try_from(i).unwrap())),
        NonZeroU16::new(43325).unwrap(),
        addresses.iter().map(|ip| ip.parse().unwrap()).collect(),
        name.map(|name| DnsName::parse(name).unwrap()),
    )
    .unwrap()
}

/// Changes the letter at `at`, counted without the prefix, to the one `by` further in the alphabet.
fn damage(text: &str, at: usize, by: usize) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let place = &mut bytes[PREFIX.len() + at];
    let value = ALPHABET.bytes().position(|b| b == *place).unwrap();
    *place = ALPHABET.as_bytes()[(value + by) % 32];
    String::from_utf8(bytes).unwrap()
}

#[test]
fn an_invite_with_one_address_fits_a_line_of_a_chat() {
    let text = example(&["2001:db8::1234"], None).to_text();
    assert_eq!(text.len(), 94);
    assert!(text.len() <= LENGTH_MAX);
    assert!(
        text[PREFIX.len()..]
            .chars()
            .all(|c| c.is_ascii_alphanumeric())
    );
}

#[test]
fn an_invite_is_found_as_people_paste_it() {
    let invite = example(&["2001:db8::1234", "fd00::7"], Some("home.example.org"));
    let text = invite.to_text();
    let (head, tail) = text.split_at(70);
    let bare = &text[PREFIX.len()..];
    for pasted in [
        format!("via6 join {text}"),
        format!("via6: come and play, with via6 join '{text}'. See you!"),
        format!("  \"{text}\"\n"),
        format!("“{text}”,"),
        format!("`{text}`"),
        format!("```\n{text}\n```"),
        format!("<alice> {text} hurry up"),
        format!("> {head}\n> {tail}\n> bye"),
        format!("{head}\r\n   {tail}\r\n"),
        format!("{head}\u{200b}{tail}"),
        text.to_uppercase(),
        text.replacen("via6", "Via6", 1),
        text.replacen(':', "：", 1),
        text.replace('0', "O").replace('1', "l"),
        bare.to_owned(),
        format!("via6 join {bare}"),
        format!("via6:1234 was wrong, this is right: {text}"),
        damage(&text, 9, 1) + " no, " + &text,
    ] {
        assert_eq!(Invite::parse(&pasted), Ok(invite.clone()), "{pasted}");
    }
}

#[test]
fn what_is_wrong_with_an_invite_is_said() {
    let text = example(&["2001:db8::1234"], None).to_text();
    let cut = &text[..60];
    let cases = [
        (
            "",
            "there is no invite in it: an invite begins with `via6:1`",
        ),
        (
            "[2001:db8::1]:43325",
            "there is no invite in it: an invite begins with `via6:1`",
        ),
        (
            "via6: see you at nine",
            "there is no invite in it: an invite begins with `via6:1`",
        ),
        (
            "via6:1",
            "the invite is cut short: only 6 characters are here",
        ),
        (
            cut,
            "the invite is cut short: 60 of its 94 characters are here",
        ),
        (
            &format!("{cut}…"),
            "the invite is cut short: 60 of its 94 characters are here",
        ),
        (
            &text.replacen(":1", ":2", 1),
            "the invite was made by a newer via6 (invite version 2; this one reads version 1)",
        ),
        (&format!("{text}x"), "the invite has 1 character too many"),
        (
            &damage(&text, 40, 7),
            "the invite is damaged: its character 46 is wrong",
        ),
        (
            &[&text[..30], "u", &text[31..]].concat(),
            "the invite is damaged: its character 31 is wrong",
        ),
        (
            &damage(&damage(&text, 40, 7), 60, 3),
            "the invite is damaged",
        ),
        (
            &damage(&text, 0, 31),
            "the invite is damaged: its character 6 is wrong",
        ),
    ];
    for (pasted, expected) in cases {
        let error = Invite::parse(pasted).unwrap_err();
        assert_eq!(error.to_string(), expected, "{pasted}");
        assert!(!error.hint().is_empty());
    }
    let long = "x".repeat(INVITE_TEXT_MAX + 1);
    assert_eq!(
        Invite::parse(&long),
        Err(InviteError::TooLong { bytes: long.len() })
    );
}

#[test]
fn an_invite_to_nowhere_is_not_made() {
    let new = |addresses: &[&str], name: Option<String>| {
        Invite::new(
            Fingerprint([0; 16]),
            Secret([0; 16]),
            NonZeroU16::MIN,
            addresses.iter().map(|ip| ip.parse().unwrap()).collect(),
            name.map(|name| DnsName::parse(&name).unwrap()),
        )
    };
    assert_eq!(new(&[], None), Err(InviteError::Nowhere));
    for ip in ["fe80::1", "ff02::1", "::", "::ffff:192.0.2.7"] {
        let error = new(&["2001:db8::1", ip], None).unwrap_err();
        assert_eq!(
            error,
            InviteError::Address {
                ip: ip.parse().unwrap()
            }
        );
    }
    let many = ["2001:db8::1"; INVITE_ADDRESSES_MAX + 1];
    assert!(matches!(
        new(&many, None),
        Err(InviteError::TooManyAddresses { .. })
    ));
    let name = |bytes: usize| Some([&"a".repeat(50), ".", &"b".repeat(bytes - 51)].concat());
    assert!(new(&[], name(INVITE_NAME_MAX)).is_ok());
    assert!(matches!(
        new(&[], name(INVITE_NAME_MAX + 1)),
        Err(InviteError::LongName { .. })
    ));
}

#[test]
fn a_secret_does_not_show_in_debugging_output() {
    let shown = format!("{:?}", example(&["2001:db8::1"], None));
    assert!(shown.contains("Secret(…)"), "{shown}");
}

proptest! {
    #[test]
    fn what_is_written_is_read(invite in invite()) {
        let text = invite.to_text();
        prop_assert_eq!(Invite::parse(&text), Ok(invite));
    }

    #[test]
    fn breaks_and_quotation_marks_do_no_harm(
        invite in invite(),
        breaks in proptest::collection::vec(
            (any::<Index>(), select(vec![" ", "\n", "\r\n> ", "\u{ad}", "\n| ", "\t"])),
            0..5,
        ),
        around in select(vec![
            ("", ""), ("'", "'"), ("(", ")"), ("hi: ", " bye"), ("\u{feff}", "."), ("*", "*"),
        ]),
        upper in any::<bool>(),
    ) {
        let mut text = invite.to_text();
        if upper {
            text.make_ascii_uppercase();
        }
        for (at, what) in breaks {
            let at = PREFIX.len() + at.index(text.len() - PREFIX.len());
            if text.is_char_boundary(at) {
                text.insert_str(at, what);
            }
        }
        let pasted = format!("{}{text}{}", around.0, around.1);
        prop_assert_eq!(Invite::parse(&pasted), Ok(invite), "{}", pasted);
    }

    #[test]
    fn one_wrong_character_is_named(
        invite in invite(),
        at in any::<Index>(),
        by in 1_usize..32,
    ) {
        let text = invite.to_text();
        // The first three say which version it is and how long.
        let at = 3 + at.index(text.len() - PREFIX.len() - 3);
        let found = Invite::parse(&damage(&text, at, by));
        let is_length = matches!(
            found,
            Err(InviteError::CutShort { .. }
                | InviteError::Overlong { .. }
                | InviteError::Damaged { at: None })
        );
        if !(invite.name().is_some() && is_length) {
            prop_assert_eq!(found, Err(InviteError::Damaged { at: Some(PREFIX.len() + at + 1) }));
        }
    }

    #[test]
    fn an_invite_that_is_cut_says_so(invite in invite(), at in any::<Index>()) {
        let text = invite.to_text();
        let end = PREFIX.len() + 1 + at.index(text.len() - PREFIX.len() - 1);
        let error = Invite::parse(&text[..end]).unwrap_err();
        prop_assert!(matches!(error, InviteError::CutShort { here, .. } if here == end), "{:?}", error);
    }

    #[test]
    fn two_swapped_characters_are_noticed(invite in invite(), at in any::<Index>()) {
        let text = invite.to_text();
        let at = PREFIX.len() + 1 + at.index(text.len() - PREFIX.len() - 2);
        let mut bytes = text.clone().into_bytes();
        bytes.swap(at, at + 1);
        let swapped = String::from_utf8(bytes).unwrap();
        prop_assert!(swapped == text || Invite::parse(&swapped).is_err());
    }

    #[test]
    fn no_text_does_harm(text in "\\PC{0,200}", tail in "[0-9a-zA-Z \n'>…]{0,200}") {
        for text in [text.clone(), format!("{text}via6:{tail}"), format!("via6:1{tail}")] {
            if let Err(error) = Invite::parse(&text) {
                prop_assert!(!error.to_string().is_empty() && !error.hint().is_empty());
            }
        }
    }
}
