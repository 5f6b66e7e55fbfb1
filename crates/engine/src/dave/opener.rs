//! Opens what other members send, with whatever keys the group has by then.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use cadenza_dave::{KeyRing, Undecryptable};
use cadenza_proto::dave::{FrameOpener, OpenFrameError};

use super::call::{DaveCall, Job};
use super::pool::DavePool;
use super::status::{OpenCounts, OpenTally};
use crate::clock::{Clock, MonotonicClock};
use crate::receive::{MediaOpener, OpenFailure};

/// Openers of users who are in no group, kept while clear frames are let through. More than any
/// channel has members; further ones are opened without being remembered.
const MAX_USERS: usize = 4_096;
/// Frames of one member that may fail one after the other before the group is told: a second.
const MAX_FAILURES: u32 = 50;

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

/// The way from an opener to the group, for when nothing can be opened.
#[derive(Clone)]
pub(super) struct Alarm {
    call: Arc<DaveCall>,
    pool: DavePool,
}

impl Alarm {
    pub(super) fn new(call: &Arc<DaveCall>, pool: &DavePool) -> Alarm {
        Alarm {
            call: Arc::clone(call),
            pool: pool.clone(),
        }
    }

    fn ring(&self, keys: u64) {
        let opened = self.call.received().counts().ok;
        let report = Undecryptable { keys, opened };
        self.pool.post(&self.call, Job::Undecryptable(report));
    }
}

/// A flow's [`MediaOpener`] under DAVE. It never waits; a key costs an allocation at its first frame,
/// and a second of nothing but failures a message to the group.
pub(super) struct DaveOpener {
    alarm: Alarm,
    /// The keys that the openers were last brought up to date with.
    ring: Arc<KeyRing>,
    users: HashMap<u64, User>,
    /// Frames that were opened.
    opened: u64,
}

#[derive(Default)]
struct User {
    opener: FrameOpener,
    applied: u64,
    /// Whether the present ring was applied.
    current: bool,
    /// Frames that failed under this ring while nobody's were opened.
    failures: u32,
    /// What `opened` was at the latest of them.
    opened_before: u64,
}

impl DaveOpener {
    pub(super) fn new(alarm: Alarm) -> DaveOpener {
        DaveOpener {
            ring: alarm.call.received().keys.load_full(),
            alarm,
            users: HashMap::new(),
            opened: 0,
        }
    }

    /// Opens a user's payload at a given time, in nanoseconds of the engine's clock.
    pub(super) fn open_at(
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
        self.alarm.call.received().tally.count(outcome);
        match outcome {
            Ok(_) => self.opened += 1,
            Err(failure) => {
                let told = entry.failed(failure, self.opened) && self.ring.is_member(user);
                if told {
                    self.alarm.ring(self.ring.serial());
                }
            }
        }
        outcome
    }

    fn follow_keys(&mut self) {
        let latest = self.alarm.call.received().keys.load();
        if Arc::ptr_eq(&latest, &self.ring) {
            return;
        }
        let latest = Arc::clone(&latest);
        // Who has left is forgotten; a new session's ring knows nobody at first.
        self.users.retain(|user, _| latest.knows(*user));
        for entry in self.users.values_mut() {
            entry.current = false;
            entry.failures = 0;
        }
        self.ring = latest;
    }
}

impl User {
    /// Counts a failure. `true` when there were so many without anything opened in between that the
    /// keys must be wrong.
    fn failed(&mut self, failure: OpenFailure, opened: u64) -> bool {
        match failure {
            OpenFailure::NoKey | OpenFailure::Authentication => {}
            // Neither needs a wrong key.
            OpenFailure::Malformed | OpenFailure::Replay | OpenFailure::Unencrypted => {
                return false;
            }
        }
        if std::mem::replace(&mut self.opened_before, opened) != opened {
            self.failures = 0;
        }
        self.failures += 1;
        let many = self.failures >= MAX_FAILURES;
        if many {
            self.failures = 0;
        }
        many
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
