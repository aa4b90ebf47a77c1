//! What the games do: write, read, end, and notice ends.

use via6_core::channel::End;
use via6_core::frame::{ChannelId, Reset};

use super::game::{Plan, byte};
use super::rng::Rng;
use super::{JOINER, World};

impl World {
    /// A game writes, reads, or notices an end.
    pub fn play_some(&mut self) {
        let keys: Vec<_> = self.sessions.keys().copied().collect();
        if !keys.is_empty() {
            let key = self.rng.choose(&keys);
            let side = self.rng.below(2) as usize;
            self.play(key, side);
        }
    }

    pub(super) fn play(&mut self, key: (u64, u32), side: usize) {
        let Some(mut game) = self.sessions[&key].ends[side].filter(|game| !game.is_gone) else {
            return;
        };
        let now = self.now;
        let id = ChannelId(key.1);
        let mut rng = Rng::new(self.rng.next());
        let Some(link) = self.side(side, key.0) else {
            return;
        };
        let room = link.can_take(id) as u64;
        let wants = (game.total - game.written).min(rng.below(3_000) + 1);
        let bytes: Vec<u8> = (0..wants.min(room))
            .map(|i| byte(key, side == JOINER, game.written + i))
            .collect();
        game.written += link.take(id, &bytes) as u64;
        let is_broken = link
            .end_of(id)
            .is_some_and(|end| matches!(end, End::Reset(_)));
        if game.written == game.total && !game.has_ended && !is_broken && rng.one_in(2) {
            game.has_ended = true;
            match game.plan {
                Plan::Finish => link.finish(id),
                Plan::Reset => link.reset(id, Reset::Game),
                Plan::Abort => link.abort(id, Reset::Dead),
            }
            game.is_gone = game.plan != Plan::Finish;
        }
        if !game.is_gone && rng.one_in(game.pace) {
            let [first, second] = link.readable(id);
            let count = rng.below((first.len() + second.len()) as u64 + 1) as usize;
            for (i, found) in first.iter().chain(second).take(count).enumerate() {
                let expected = byte(key, side != JOINER, game.read + i as u64);
                assert_eq!(*found, expected, "byte {} of {key:?}", game.read + i as u64);
            }
            link.taken(id, count, now);
            game.read += count as u64;
        }
        let end = if game.is_gone { None } else { link.end_of(id) };
        game.is_gone |= matches!(end, Some(End::Reset(_))) || (end.is_some() && game.has_ended);
        if game.is_gone {
            link.release(id, now);
        }
        let session = self.sessions.get_mut(&key).unwrap();
        session.ends[side] = Some(game);
        if let Some(end) = end
            && game.saw != Some(end)
        {
            session.check_end(side, end);
            session.ends[side].as_mut().unwrap().saw = Some(end);
            self.note(match end {
                End::Fin => "fin",
                End::Reset(_) => "reset",
            });
        }
    }
}
