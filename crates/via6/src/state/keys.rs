//! The key and the roster of a process: kept in the state folder, or for its own life where there is none.

use std::sync::Arc;

use via6_sealed::{Identity, NoRandomness, random};

use super::folder::Folder;
use super::identity::load_or_create;
use super::keeper::Keeper;
use super::lock::Lock;
use crate::failure::Failure;
use crate::narrator::Narrator;

/// What sealed links need to be known by. Clones are the same.
#[derive(Clone)]
pub(crate) struct Keys {
    pub(crate) identity: Arc<Identity>,
    pub(crate) keeper: Arc<Keeper>,
    /// The next start has the same.
    pub(crate) are_kept: bool,
}

impl Keys {
    /// Those of the folder. Waits for the disk. A key that is there and cannot be read is a failure: with
    /// another one every invite would lead nowhere.
    pub(super) fn open(
        held: Option<(&Folder, &Arc<Lock>)>,
        narrator: &Arc<Narrator>,
    ) -> Result<Self, Failure> {
        let Some((folder, lock)) = held else {
            let seed = random().map_err(|error| no_randomness(&error))?;
            return Self::with(seed, Keeper::forgetful(), false);
        };
        let seed = load_or_create(folder, lock).map_err(|trouble| trouble.failure())?;
        let keeper = Keeper::open(folder, Arc::clone(lock), narrator);
        Self::with(seed.0, keeper, true)
    }

    fn with(seed: [u8; 32], keeper: Keeper, are_kept: bool) -> Result<Self, Failure> {
        let identity = Identity::from_seed(seed).map_err(|error| no_randomness(&error))?;
        Ok(Self {
            identity: Arc::new(identity),
            keeper: Arc::new(keeper),
            are_kept,
        })
    }
}

fn no_randomness(error: &NoRandomness) -> Failure {
    Failure::runtime(format!("cannot make a key: {error}"))
}
