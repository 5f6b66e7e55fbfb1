//! Opens what other members send, with whatever keys the group has by then.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use cadenza_dave::KeyRing;
use cadenza_proto::dave::{FrameOpener, OpenFrameError};

use super::status::{OpenCounts, OpenTally};
use crate::clock::{Clock, MonotonicClock};
use crate::receive::{MediaOpener, OpenFailure};

/// Openers of users who are in no group, kept while clear frames are let through. More than any
/// channel has members; further ones are opened without being remembered.
const MAX_USERS: usize = 4_096;

/// What the group's worker shares with an opener.
#[derive(Debug, Default)]
pub(crate) struct Received {
    keys: ArcSwap<KeyRing>,
    tally: OpenTally,
}

impl Received {
    /// Gives out the latest keys, as a whole: an opener may miss some on the way to them.
    pub(super) fn set_keys(&self, keys: KeyRing) {
        self.keys.store(Arc::new(keys));
    }

    pub(super) fn counts(&self) -> OpenCounts {
        self.tally.counts()
    }
}

/// A flow's [`MediaOpener`] under DAVE. It takes no lock and never waits; a key costs an allocation at
/// its first frame.
pub struct DaveOpener {
    received: Arc<Received>,
    /// The keys that the openers were last brought up to date with.
    ring: Arc<KeyRing>,
    users: HashMap<u64, User>,
}

#[derive(Default)]
struct User {
    opener: FrameOpener,
    applied: u64,
    /// Whether the present ring was applied.
    current: bool,
}

impl DaveOpener {
    pub(super) fn new(received: Arc<Received>) -> DaveOpener {
        DaveOpener {
            ring: received.keys.load_full(),
            received,
            users: HashMap::new(),
        }
    }

    /// Opens a user's payload at a given time, in nanoseconds of the engine's clock.
    ///
    /// # Errors
    /// [`OpenFailure`], counted by cause.
    pub fn open_at(
        &mut self,
        user: u64,
        payload: &mut [u8],
        now_ns: u64,
    ) -> Result<usize, OpenFailure> {
        self.follow_keys();
        let full = self.users.len() >= MAX_USERS && !self.users.contains_key(&user);
        let mut passing = User::default();
        let entry = match full {
            true => &mut passing,
            false => self.users.entry(user).or_default(),
        };
        if !std::mem::replace(&mut entry.current, true) {
            self.ring
                .bring_up_to_date(user, &mut entry.opener, &mut entry.applied);
        }
        let outcome = entry.opener.open(payload, now_ns).map_err(failure_of);
        self.received.tally.count(outcome);
        outcome
    }

    fn follow_keys(&mut self) {
        let latest = self.received.keys.load();
        if Arc::ptr_eq(&latest, &self.ring) {
            return;
        }
        let latest = Arc::clone(&latest);
        // Who has left is forgotten; a new session's ring knows nobody at first.
        self.users.retain(|user, _| latest.knows(*user));
        self.users
            .values_mut()
            .for_each(|entry| entry.current = false);
        self.ring = latest;
    }
}

impl MediaOpener for DaveOpener {
    fn open(&mut self, user: u64, payload: &mut [u8]) -> Result<usize, OpenFailure> {
        self.open_at(user, payload, MonotonicClock.now_ns())
    }
}

fn failure_of(error: OpenFrameError) -> OpenFailure {
    match error {
        OpenFrameError::NotEncrypted => OpenFailure::Unencrypted,
        OpenFrameError::NoKey | OpenFrameError::Generation => OpenFailure::NoKey,
        OpenFrameError::Replayed => OpenFailure::Replay,
        OpenFrameError::Authentication => OpenFailure::Authentication,
        OpenFrameError::TooLong => OpenFailure::Malformed,
    }
}
