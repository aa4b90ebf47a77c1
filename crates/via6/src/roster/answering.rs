//! Answers what is asked about players and invites: by the roster of a process that runs, or by the file
//! where none does.

use via6_core::invite::Secret;
use via6_core::roster::Drawn;

use super::asked::{Answered, Ask};
use super::deciding::{change, look};
use super::doors::Doors;
use crate::failure::Failure;
use crate::narrator::unix_ms;
use crate::secrets::draw_invite;
use crate::state::{Folder, Keeper, Lock, RosterFile, Trouble, Unsettled};

/// In a process that runs. What changes holds at once; the answer comes when it is on the disk too, or cannot
/// be. Bounded by `ROSTER_PATIENCE`.
pub(crate) async fn answer(
    ask: &Ask,
    keeper: &Keeper,
    doors: Option<&dyn Doors>,
) -> Result<Answered, Failure> {
    let now_ms = unix_ms();
    if let Some(decided) = keeper.look(|roster| look(ask, roster, now_ms)) {
        return Ok(Answered {
            answer: decided?.carry_out(doors)?,
            unremembered: None,
        });
    }
    let drawn = drawn_for(ask)?;
    let (decided, number) = keeper.change(|roster| change(ask, roster, drawn, now_ms))?;
    let answer = decided.carry_out(doors)?;
    let settled = keeper.settled(number).await;
    Ok(Answered {
        answer,
        unremembered: settled.err().map(|Unsettled(why)| why),
    })
}

/// Where no via6 runs: by the file in its folder. Needs the lock to change anything. Waits for the disk. What
/// was wrong with the file, and has been set aside, is given to `tell`.
pub(crate) fn answer_alone(
    ask: &Ask,
    folder: &Folder,
    lock: Option<&Lock>,
    tell: impl FnOnce(&Trouble),
) -> Result<Answered, Failure> {
    let now_ms = unix_ms();
    let (mut file, mut roster, trouble) = RosterFile::open(folder, lock);
    match &trouble {
        Some(trouble @ Trouble::Damaged { aside: Some(_), .. }) => tell(trouble),
        Some(trouble) => return Err(trouble.failure()),
        None => {}
    }
    let decided = match (look(ask, &roster, now_ms), lock) {
        (Some(decided), _) => decided?,
        (None, Some(lock)) => {
            let decided = change(ask, &mut roster, drawn_for(ask)?, now_ms)?;
            let saved = file.save(lock, &roster);
            saved.map_err(|trouble| trouble.failure())?;
            decided
        }
        (None, None) => return Err(Failure::runtime("cannot change anything without the lock")),
    };
    Ok(Answered {
        answer: decided.carry_out(None)?,
        unremembered: None,
    })
}

/// A secret, if a new invite is asked for.
fn drawn_for(ask: &Ask) -> Result<Drawn, Failure> {
    if matches!(ask, Ask::NewInvite(_)) {
        return draw_invite()
            .map_err(|error| Failure::runtime(format!("cannot make an invite: {error}")));
    }
    let secret = Secret([0; 16]);
    Ok(Drawn { id: [0; 8], secret })
}
