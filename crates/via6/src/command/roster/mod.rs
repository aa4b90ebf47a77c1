//! `via6 invite`, `players`, `kick`, `ban` and `unban`: asks the via6 that runs, or looks into its folder, or
//! writes there, if none does.

mod table;
#[cfg(test)]
mod table_tests;
mod told;

use std::sync::Arc;

use via6_core::limits::PLAYERS_MAX;

use crate::args::{Args, Command};
use crate::control::{Claim, Unreachable, claim, connect};
use crate::failure::Failure;
use crate::narrator;
use crate::output::Output;
use crate::reading::Sources;
use crate::roster::typed::{InviteAction, New};
use crate::roster::{Answered, Ask, NewInvite, answer_alone, lifetime};
use crate::state::{Folder, Trouble};

pub(super) async fn run(
    command: &Command,
    args: &Args,
    sources: &Sources,
    output: &Arc<Output>,
) -> Result<(), Failure> {
    let ask = ask(command, sources)?;
    let tell = |trouble: &Trouble| {
        output.log(format!("warning: {trouble}"));
    };
    let Answered {
        answer,
        unremembered,
    } = answered(ask, args, tell).await?;
    told::tell(&answer, args.shown, output)?;
    match unremembered {
        None => Ok(()),
        Some(why) => Err(Failure::runtime(format!("cannot remember this: {why}"))
            .detail("it holds for as long as the via6 that runs here goes on")),
    }
}

/// What is asked for, by what was typed.
fn ask(command: &Command, sources: &Sources) -> Result<Ask, Failure> {
    Ok(match command {
        Command::Kick(typed) => Ask::Kick {
            player: typed.player.clone(),
        },
        Command::Ban(typed) => Ask::Ban {
            player: typed.player.clone(),
        },
        Command::Unban(typed) => Ask::Unban {
            player: typed.player.clone(),
        },
        Command::Invite(invite) => match &invite.action {
            InviteAction::New(new) => Ask::NewInvite(wanted(new, sources)?),
            InviteAction::List => Ask::Invites,
            InviteAction::Show(show) => Ask::ShowInvite {
                name: show.name.clone(),
            },
            InviteAction::Revoke(revoke) => Ask::RevokeInvite {
                name: revoke.name.clone(),
            },
        },
        _ => Ask::Players,
    })
}

fn wanted(new: &New, sources: &Sources) -> Result<NewInvite, Failure> {
    let uses = |text: &String| {
        let what = sources.name("uses", "--uses ", "VIA6_USES=");
        let most = u32::try_from(PLAYERS_MAX).unwrap_or(u32::MAX);
        let uses = text.trim().parse().ok();
        uses.filter(|uses| (1..=most).contains(uses))
            .ok_or_else(|| {
                Failure::usage(format!(
                    "cannot read {what}{text}: a number from 1 to {most}"
                ))
                .hint("for instance: --uses 1")
            })
    };
    let lifetime_ms = |text: &String| {
        let what = sources.name("expires", "--expires ", "VIA6_EXPIRES=");
        let span = lifetime(text).map_err(|why| {
            Failure::usage(format!("cannot read {what}{text}: {why}"))
                .hint("for instance: --expires 7d")
        });
        span.map(narrator::ms)
    };
    Ok(NewInvite {
        name: new.name.clone(),
        uses: new.uses.as_ref().map(uses).transpose()?,
        lifetime_ms: new.expires.as_ref().map(lifetime_ms).transpose()?,
    })
}

/// Has it answered by whoever can.
async fn answered(ask: Ask, args: &Args, tell: impl FnOnce(&Trouble)) -> Result<Answered, Failure> {
    let given = args.place.state.as_deref();
    let of_folder = |trouble: Trouble| trouble.failure();
    if ask.changes() {
        let folder = Folder::open(given).map_err(of_folder)?;
        return match claim(&folder).await.map_err(of_folder)? {
            Claim::Ours(lock) => answer_alone(&ask, &folder, Some(&lock), tell),
            Claim::Theirs(mut connection) => {
                let answered = connection.roster(ask).await;
                answered.map_err(|error| error.failure(&folder))
            }
        };
    }
    let folder = Folder::find(given).map_err(of_folder)?;
    let is_about_links = matches!(ask, Ask::Kick { .. });
    let asked = async { connect(&folder).await?.roster(ask.clone()).await };
    match asked.await {
        Err(Unreachable::Nobody) if !is_about_links => answer_alone(&ask, &folder, None, tell),
        answered => answered.map_err(|error| error.failure(&folder)),
    }
}
