//! The roster against a second account of the same rules, which keeps nothing but the history and works
//! out each answer from that.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test code: failing is its purpose"
)]

use std::collections::BTreeSet;

use proptest::prelude::*;
use via6_core::frame::Refusal;
use via6_core::invite::Secret;
use via6_core::limits::LINK_NAME_MAX;
use via6_core::roster::{Drawn, Identity, InviteWanted, Roster, RosterError, clean_name};

/// Few enough that they meet each other, and the bounds.
const INVITES: u8 = 6;
const INVITES_MAX: usize = 64;
const PLAYERS: u8 = 6;

#[derive(Clone, Debug)]
enum Act {
    /// Makes the invite with this number.
    Invite {
        number: u8,
        uses: Option<u32>,
        lives: Option<u64>,
    },
    Revoke(u8),
    Admit {
        player: u8,
        invite: u8,
        proof: bool,
        name: String,
    },
    Ban(u8),
    Unban(u8),
    Wait(u64),
}

fn act() -> impl Strategy<Value = Act> {
    let name = prop_oneof!["[ab]{1,2}", "[AB]", Just("\u{200b}".to_owned()), ".{0,40}"];
    prop_oneof![
        2 => (0..INVITES, prop::option::of(0_u32..3), prop::option::of(0_u64..20))
            .prop_map(|(number, uses, lives)| Act::Invite { number, uses, lives }),
        1 => (0..INVITES).prop_map(Act::Revoke),
        8 => (0..PLAYERS, 0..INVITES, prop::bool::weighted(0.8), name)
            .prop_map(|(player, invite, proof, name)| Act::Admit { player, invite, proof, name }),
        1 => (0..PLAYERS).prop_map(Act::Ban),
        1 => (0..PLAYERS).prop_map(Act::Unban),
        2 => (0_u64..10).prop_map(Act::Wait),
    ]
}

/// What happened, with when.
#[derive(Default)]
struct History {
    now: u64,
    made: Vec<(u8, Option<u32>, Option<u64>)>,
    revoked: Vec<u8>,
    /// Players by the invite that each admission counted for.
    counted: Vec<(u8, u8)>,
    /// Bans, and ends of bans.
    bans: Vec<(u8, bool)>,
}

impl History {
    fn is_known(&self, player: u8) -> bool {
        self.counted.iter().any(|(one, _)| *one == player)
    }

    fn is_banned(&self, player: u8) -> bool {
        let mut bans = self.bans.iter().rev();
        bans.find(|(one, _)| *one == player)
            .is_some_and(|(_, banned)| *banned)
    }

    fn invite_of(&self, player: u8) -> Option<u8> {
        let mut counted = self.counted.iter().rev();
        counted
            .find(|(one, _)| *one == player)
            .map(|(_, invite)| *invite)
    }

    fn admission(&mut self, player: u8, invite: u8, proof: bool) -> Result<bool, Refusal> {
        if self.is_banned(player) {
            return Err(Refusal::Banned);
        }
        let is_known = self.is_known(player);
        let own = self.invite_of(player);
        if own.is_some_and(|own| !self.revoked.contains(&own)) {
            return Ok(false);
        }
        let made = self.made.iter().find(|(number, ..)| *number == invite);
        let Some((_, uses, expires)) = made.filter(|_| proof) else {
            return Err(if is_known {
                Refusal::Revoked
            } else {
                Refusal::Invite
            });
        };
        let closed =
            (0..PLAYERS).any(|one| self.is_banned(one) && self.invite_of(one) == Some(invite));
        let came = self.counted.iter().filter(|(_, by)| *by == invite).count();
        if self.revoked.contains(&invite) {
            return Err(Refusal::Revoked);
        }
        if expires.is_some_and(|expires| self.now >= expires) {
            return Err(Refusal::Expired);
        }
        if closed {
            return Err(Refusal::Revoked);
        }
        if uses.is_some_and(|uses| came >= uses as usize) {
            return Err(Refusal::UsedUp);
        }
        self.counted.push((player, invite));
        Ok(!is_known)
    }
}

fn who(player: u8) -> Identity {
    Identity([player; 32])
}

fn named(number: u8) -> String {
    format!("invite-{number}")
}

/// What always holds of a roster.
fn check(roster: &Roster) {
    let mut names = BTreeSet::new();
    for player in roster.players() {
        assert!(names.insert(player.name.to_lowercase()), "{}", player.name);
        assert!(player.name.len() <= LINK_NAME_MAX);
        assert_eq!(clean_name(&player.name), player.name);
        assert!(player.first_seen_ms <= player.last_seen_ms);
    }
    for invite in roster.invites() {
        assert!(invite.uses.is_none_or(|uses| invite.used <= uses));
    }
    let restored = Roster::restore(roster.invites().to_vec(), roster.players().to_vec()).unwrap();
    assert_eq!(restored.invites(), roster.invites());
    assert_eq!(restored.players(), roster.players());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn every_answer_follows_from_the_history(acts in prop::collection::vec(act(), 1..80)) {
        let mut roster = Roster::new(INVITES_MAX, usize::from(PLAYERS));
        let mut history = History::default();
        for act in acts {
            let now = history.now;
            match act {
                Act::Wait(ms) => history.now += ms,
                Act::Invite { number, uses, lives } => {
                    let drawn = Drawn { id: [number; 8], secret: Secret([number; 16]) };
                    let name = named(number);
                    let expires_ms = lives.map(|ms| now + ms);
                    let wanted = InviteWanted { name: Some(&name), uses, expires_ms };
                    let is_new = !history.made.iter().any(|(one, ..)| *one == number);
                    prop_assert_eq!(roster.invite(drawn, wanted, now).is_ok(), is_new);
                    if is_new {
                        history.made.push((number, uses, expires_ms));
                    }
                }
                Act::Revoke(number) => {
                    let revoked = roster.revoke(&named(number), now);
                    if !history.made.iter().any(|(one, ..)| *one == number) {
                        prop_assert_eq!(revoked, Err(RosterError::UnknownInvite));
                    } else if history.revoked.contains(&number) {
                        prop_assert_eq!(revoked, Err(RosterError::AlreadyRevoked));
                    } else {
                        history.revoked.push(number);
                        let gone: BTreeSet<_> = revoked.unwrap().identities.into_iter().collect();
                        let of_it = |one: &u8| {
                            history.invite_of(*one) == Some(number) && !history.is_banned(*one)
                        };
                        prop_assert_eq!(gone, (0..PLAYERS).filter(of_it).map(who).collect());
                    }
                }
                Act::Admit { player, invite, proof, name } => {
                    let expected = history.admission(player, invite, proof);
                    let admitted = roster.admit(who(player), [invite; 8], &name, now, |secret| {
                        proof && *secret == Secret([invite; 16])
                    });
                    let is_new = admitted.as_ref().map(|one| one.is_new).map_err(|why| *why);
                    prop_assert_eq!(is_new, expected);
                    if let Ok(admitted) = admitted {
                        let asked = clean_name(&name);
                        let player = roster.player_of(&who(player)).unwrap();
                        prop_assert_eq!(&player.name, &admitted.name);
                        prop_assert_eq!(&player.asked_name, &asked);
                        prop_assert_eq!(player.last_seen_ms, now);
                    }
                }
                Act::Ban(player) => {
                    let digits = who(player).to_string();
                    let known = history.is_known(player);
                    let banned = roster.ban(&digits, now);
                    prop_assert_eq!(banned.is_ok(), known);
                    if let Ok(banned) = banned {
                        prop_assert_eq!(banned.already, history.is_banned(player));
                        history.bans.push((player, true));
                    }
                }
                Act::Unban(player) => {
                    let digits = who(player).to_string();
                    prop_assert_eq!(roster.unban(&digits).is_ok(), history.is_banned(player));
                    if history.is_banned(player) {
                        history.bans.push((player, false));
                    }
                }
            }
            check(&roster);
        }
    }

    /// Where there is no room: whatever comes, the bounds hold, nobody who is banned is let in while its invite
    /// lives, and nobody of a limited invite that lives is pushed out.
    #[test]
    fn bounds_hold_and_push_out_nobody_who_could_not_come_back(
        acts in prop::collection::vec(act(), 1..120)
    ) {
        let mut roster = Roster::new(4, 3);
        let mut now = 0;
        for act in acts {
            let before = roster.clone();
            let stays = |player: &&via6_core::roster::PlayerRecord| {
                let invite = before.invite_of(player.invite);
                invite.is_some_and(|invite| {
                    let limited = invite.uses.is_some() || invite.expires_ms.is_some();
                    invite.revoked_ms.is_none() && (limited || player.banned_ms.is_some())
                })
            };
            let staying: Vec<_> = before.players().iter().filter(stays).map(|one| one.identity).collect();
            match act {
                Act::Wait(ms) => now += ms,
                Act::Invite { number, uses, lives } => {
                    let drawn = Drawn { id: [number; 8], secret: Secret([number; 16]) };
                    let expires_ms = lives.map(|ms| now + ms);
                    // May be refused, for want of room or as it is there.
                    let _ = roster.invite(drawn, InviteWanted { name: None, uses, expires_ms }, now);
                }
                Act::Revoke(at) => {
                    let at = usize::from(at) % 4;
                    if let Some(name) = roster.invites().get(at).map(|one| one.name.clone()) {
                        let _ = roster.revoke(&name, now);
                    }
                }
                Act::Admit { player, invite, proof, name } => {
                    let was_banned = roster.player_of(&who(player)).is_some_and(|one| one.banned_ms.is_some());
                    let admitted = roster.admit(who(player), [invite; 8], &name, now, |_| proof);
                    prop_assert!(!was_banned || admitted == Err(Refusal::Banned));
                    prop_assert!(admitted != Err(Refusal::Full) || roster == before);
                }
                Act::Ban(player) => drop(roster.ban(&who(player).to_string(), now)),
                Act::Unban(player) => drop(roster.unban(&who(player).to_string())),
            }
            prop_assert!(roster.invites().len() <= 4 && roster.players().len() <= 3);
            for identity in staying {
                prop_assert!(roster.player_of(&identity).is_some());
            }
            check(&roster);
        }
    }
}
