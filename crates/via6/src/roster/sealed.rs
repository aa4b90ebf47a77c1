//! The roster and `via6_sealed::Host`, each as the other sees it: the keeper decides who is admitted, and the host
//! has the links that commands end.

use std::sync::Arc;

use via6_core::frame::{Closed, Refusal};
use via6_core::invite::Secret;
use via6_core::roster::Identity;
use via6_sealed::{Applicant, Doorkeeper, Host, PlayerLook, PublicKey};

use super::asked::LinkStatus;
use super::doors::{Doors, Link};
use crate::narrator::{ms, unix_ms};
use crate::state::Keeper;

/// Makes the text of an invite with this secret.
type Writing = Box<dyn Fn(&Secret) -> Option<String> + Send + Sync>;

/// A sealed host that runs.
pub(crate) struct OpenDoors {
    host: Host,
    keeper: Arc<Keeper>,
    invite_text: Writing,
}

impl OpenDoors {
    /// With what knows the host's key and addresses, and so makes the text of an invite.
    pub(crate) fn new(host: Host, keeper: Arc<Keeper>, invite_text: Writing) -> Self {
        Self {
            host,
            keeper,
            invite_text,
        }
    }

    /// To be called when a link has begun: between its admission and that moment, the player may have been
    /// banned. Also tells when it was here last; for that it is to be called again and again while it is.
    pub(crate) fn is_here(&self, player: PublicKey) {
        let identity = Identity(player.0);
        let standing = self.keeper.change(|roster| {
            roster.seen(&identity, unix_ms());
            roster.standing(&identity)
        });
        if let Err(why) = standing {
            self.host.send_away(player, why, "");
        }
    }
}

impl Doors for OpenDoors {
    fn links(&self) -> Vec<Link> {
        self.host.players().iter().map(link).collect()
    }

    fn end(&self, identity: &Identity, why: Closed) -> u64 {
        self.host.send_away(PublicKey(identity.0), why, "") as u64
    }

    fn invite_text(&self, secret: &Secret) -> Option<String> {
        (self.invite_text)(secret)
    }
}

impl Doorkeeper for Keeper {
    fn admit(&self, applicant: &Applicant<'_>) -> Result<String, Refusal> {
        let identity = Identity(applicant.identity.0);
        let admitted = self.change(|roster| {
            let (invite, name) = (applicant.invite, applicant.name);
            roster.admit(identity, invite, name, unix_ms(), applicant.knows)
        });
        admitted.map(|(admitted, _)| admitted.name)
    }
}

fn link(look: &PlayerLook) -> Link {
    let micros = |span: std::time::Duration| u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
    Link {
        identity: Identity(look.identity.0),
        status: LinkStatus {
            transport: look.kind.label().into(),
            address: look.remote.to_string(),
            age_ms: ms(look.age),
            round_trip_us: look.round_trip.map(micros),
            sessions: look.sessions as u64,
            suspect: look.is_suspect,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use via6_sealed::Kind;

    use super::*;
    use crate::secrets::draw_invite;

    #[test]
    fn the_keeper_admits_whoever_has_an_invite_and_nobody_else() {
        let keeper = Keeper::forgetful();
        let drawn = draw_invite().unwrap();
        let made = keeper.change(|roster| roster.make_default_invite(drawn, unix_ms()).cloned());
        assert!(made.is_ok());
        let ask = |player: u8, knows: &dyn Fn(&Secret) -> bool| {
            keeper.admit(&Applicant {
                identity: PublicKey([player; 32]),
                invite: drawn.id,
                name: "alice",
                remote: "[2001:db8::7]:5".parse().unwrap(),
                knows,
            })
        };
        let knows = |secret: &Secret| *secret == drawn.secret;
        assert_eq!(ask(1, &knows), Ok("alice".into()));
        assert_eq!(ask(2, &knows), Ok("alice-2".into()));
        assert_eq!(ask(3, &|_| false), Err(Refusal::Invite));
        let banned = keeper.change(|roster| roster.ban("alice", unix_ms()));
        assert!(banned.is_ok());
        assert_eq!(ask(1, &knows), Err(Refusal::Banned));
    }

    #[test]
    fn a_link_is_told_as_it_is() {
        let look = PlayerLook {
            identity: PublicKey([7; 32]),
            name: "alice".into(),
            kind: Kind::Tls,
            remote: "[2001:db8::7]:5".parse().unwrap(),
            round_trip: Some(Duration::from_millis(3)),
            sessions: 2,
            age: Duration::from_secs(9),
            is_suspect: true,
        };
        let told = link(&look);
        assert_eq!(told.identity, Identity([7; 32]));
        let expected = LinkStatus {
            transport: "tls".into(),
            address: "[2001:db8::7]:5".into(),
            age_ms: 9000,
            round_trip_us: Some(3000),
            sessions: 2,
            suspect: true,
        };
        assert_eq!(told.status, expected);
    }
}
