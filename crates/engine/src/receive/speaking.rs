//! Who speaks, told by packets alone: the gateway says so only once in a stay.

use std::collections::HashMap;

/// A speaker of whom nothing has come for this long has stopped: 200 ms.
const QUIET_NS: u64 = 200_000_000;
/// So many silence frames in a row say the same.
const SILENCE_FRAMES: u8 = 5;

/// A change of who speaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct SpeakingChange {
    pub(crate) user: u64,
    pub(crate) speaking: bool,
}

struct Speaker {
    last_ns: u64,
    silent_frames: u8,
}

/// The users who speak.
#[derive(Default)]
pub(super) struct Speaking {
    /// Only those who speak at the moment.
    speakers: HashMap<u64, Speaker>,
    changes: Vec<SpeakingChange>,
}

impl Speaking {
    /// Takes in a packet of a user.
    pub(super) fn note(&mut self, user: u64, now_ns: u64, silent: bool) {
        match self.speakers.get_mut(&user) {
            Some(speaker) if silent => {
                speaker.silent_frames += 1;
                if speaker.silent_frames >= SILENCE_FRAMES {
                    self.forget(user);
                }
            }
            Some(speaker) => {
                speaker.last_ns = now_ns;
                speaker.silent_frames = 0;
            }
            None if silent => {}
            None => {
                let speaker = Speaker {
                    last_ns: now_ns,
                    silent_frames: 0,
                };
                self.speakers.insert(user, speaker);
                self.changes.push(SpeakingChange {
                    user,
                    speaking: true,
                });
            }
        }
    }

    /// Finds out who has stopped without saying so.
    pub(super) fn tend(&mut self, now_ns: u64) {
        let changes = &mut self.changes;
        self.speakers.retain(|user, speaker| {
            let speaking = speaker.last_ns.saturating_add(QUIET_NS) > now_ns;
            if !speaking {
                let user = *user;
                changes.push(SpeakingChange { user, speaking });
            }
            speaking
        });
    }

    /// A user has stopped, or left.
    pub(super) fn forget(&mut self, user: u64) {
        if self.speakers.remove(&user).is_some() {
            self.changes.push(SpeakingChange {
                user,
                speaking: false,
            });
        }
    }

    /// Everybody has stopped.
    pub(super) fn clear(&mut self) {
        self.tend(u64::MAX);
    }

    /// Whether [`tend`](Self::tend) has anything to watch.
    pub(super) fn is_empty(&self) -> bool {
        self.speakers.is_empty()
    }

    /// What has changed since the last call.
    pub(super) fn take_changes(&mut self) -> Vec<SpeakingChange> {
        std::mem::take(&mut self.changes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn speaking_begins_with_sound_and_ends_with_silence_frames_or_quiet() {
        let mut speaking = Speaking::default();
        speaking.note(1, 0, true);
        assert_eq!(told(&mut speaking), []);
        (0..10).for_each(|n| speaking.note(1, n * 20 * MS, false));
        speaking.note(2, 0, false);
        assert_eq!(told(&mut speaking), [(1, true), (2, true)]);
        (0..4).for_each(|n| speaking.note(1, n, true));
        assert_eq!(told(&mut speaking), []);
        speaking.note(1, 0, true);
        assert_eq!(told(&mut speaking), [(1, false)]);
        speaking.tend(199 * MS);
        assert_eq!(told(&mut speaking), []);
        speaking.tend(200 * MS);
        assert_eq!(told(&mut speaking), [(2, false)]);
        speaking.forget(2);
        assert_eq!(told(&mut speaking), []);
    }

    fn told(speaking: &mut Speaking) -> Vec<(u64, bool)> {
        let changes = speaking.take_changes().into_iter();
        changes
            .map(|change| (change.user, change.speaking))
            .collect()
    }
}
