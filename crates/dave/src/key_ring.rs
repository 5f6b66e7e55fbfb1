//! The keys under which other members' frames can be opened, as a whole that is published anew on
//! every change: whoever opens frames may miss a change and still ends up with the latest keys.

use std::collections::BTreeMap;

use cadenza_proto::dave::{BaseKey, FrameOpener, KEY_LIFE_NS};

/// Keys kept for one member; a gateway that changes epochs faster than three times a second costs the
/// oldest of them.
const MAX_KEYS: usize = 32;

/// Which frames are let through in clear.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ClearFrames {
    /// Silence frames alone.
    #[default]
    Refused,
    /// All.
    Allowed,
    /// All until this time in nanoseconds, then silence frames alone.
    AllowedUntil(u64),
}

/// The keys of all members.
#[derive(Clone, Debug, Default)]
pub struct KeyRing {
    members: BTreeMap<u64, MemberKeys>,
    clear: ClearFrames,
    /// Counts the keys that were ever put in.
    serial: u64,
}

#[derive(Clone, Debug, Default)]
struct MemberKeys {
    /// Newest last.
    keys: Vec<RingKey>,
    /// When the member left.
    left_ns: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct RingKey {
    base: BaseKey,
    installed_ns: u64,
    serial: u64,
}

impl KeyRing {
    /// The ring of a call without encryption: everything comes in clear.
    #[must_use]
    pub fn of_clear_call() -> KeyRing {
        KeyRing {
            clear: ClearFrames::Allowed,
            ..KeyRing::default()
        }
    }

    /// A ring without keys whose count goes on.
    pub(crate) fn emptied(&self) -> KeyRing {
        KeyRing {
            serial: self.serial,
            ..KeyRing::default()
        }
    }

    /// Lets frames through in clear, or no longer.
    pub(crate) fn set_clear(&mut self, clear: ClearFrames) {
        self.clear = clear;
    }

    /// Ends clear frames after a grace period, or sooner if that was said before.
    pub(crate) fn refuse_clear(&mut self, now_ns: u64) {
        let until_ns = now_ns.saturating_add(KEY_LIFE_NS);
        self.clear = match self.clear {
            ClearFrames::Refused => ClearFrames::Refused,
            ClearFrames::Allowed => ClearFrames::AllowedUntil(until_ns),
            ClearFrames::AllowedUntil(before) => ClearFrames::AllowedUntil(before.min(until_ns)),
        };
    }

    /// The keys of an epoch: one for each other member. Those who are not among them have left.
    pub(crate) fn begin_epoch(&mut self, keys: &[(u64, BaseKey)], now_ns: u64) {
        self.forget_expired(now_ns);
        for (user, base) in keys {
            self.serial += 1;
            let member = self.members.entry(*user).or_default();
            member.left_ns = None;
            if member.keys.len() == MAX_KEYS {
                member.keys.remove(0);
            }
            member.keys.push(RingKey {
                base: *base,
                installed_ns: now_ns,
                serial: self.serial,
            });
        }
        for (user, member) in &mut self.members {
            if !keys.iter().any(|(present, _)| present == user) {
                member.left_ns.get_or_insert(now_ns);
            }
        }
    }

    /// Lets all keys end: encryption is switched off.
    pub(crate) fn end_epochs(&mut self, now_ns: u64) {
        self.begin_epoch(&[], now_ns);
    }

    /// Lets a user's keys end.
    pub(crate) fn leave(&mut self, user: u64, now_ns: u64) {
        if let Some(member) = self.members.get_mut(&user) {
            member.left_ns.get_or_insert(now_ns);
        }
    }

    /// Which frames are let through in clear.
    #[must_use]
    pub fn clear(&self) -> ClearFrames {
        self.clear
    }

    /// Whether the ring has or had a live key of this user.
    #[must_use]
    pub fn knows(&self, user: u64) -> bool {
        self.members.contains_key(&user)
    }

    /// Whether this user is in the present epoch.
    #[must_use]
    pub fn is_member(&self, user: u64) -> bool {
        let member = self.members.get(&user);
        member.is_some_and(|member| member.left_ns.is_none())
    }

    /// Counts the keys that were ever put in: another number means other keys.
    #[must_use]
    pub fn serial(&self) -> u64 {
        self.serial
    }

    /// Brings an opener of this user's frames up to date. `applied` is where that was noted before,
    /// and 0 for a new opener.
    pub fn bring_up_to_date(&self, user: u64, opener: &mut FrameOpener, applied: &mut u64) {
        match self.clear {
            ClearFrames::Allowed => opener.allow_clear(),
            ClearFrames::AllowedUntil(until_ns) => {
                opener.allow_clear();
                opener.refuse_clear(0, until_ns);
            }
            ClearFrames::Refused => opener.refuse_clear(0, 0),
        }
        let Some(member) = self.members.get(&user) else {
            return;
        };
        for key in member.keys.iter().filter(|key| key.serial > *applied) {
            opener.install(&key.base, key.installed_ns);
        }
        if let Some(newest) = member.keys.last() {
            *applied = newest.serial;
        }
        if let Some(left_ns) = member.left_ns {
            opener.expire_keys(left_ns);
        }
    }

    /// A key lives on for a while after the next one came, or after its member left.
    fn forget_expired(&mut self, now_ns: u64) {
        let is_over = |since_ns: u64| now_ns.saturating_sub(since_ns) > KEY_LIFE_NS;
        self.members
            .retain(|_, member| !member.left_ns.is_some_and(is_over));
        for member in self.members.values_mut() {
            let superseded = member
                .keys
                .windows(2)
                .filter(|pair| is_over(pair[1].installed_ns))
                .count();
            member.keys.drain(..superseded);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cadenza_proto::dave::{FrameSealer, OpenFrameError};

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn an_opener_that_missed_changes_ends_up_with_the_same_keys() {
        let mut ring = KeyRing::default();
        let (mut follower, mut applied) = (FrameOpener::new(), 0);
        for epoch in 1..=6_u8 {
            ring.begin_epoch(&[(7, key(epoch))], u64::from(epoch) * 4 * SECOND);
            ring.bring_up_to_date(7, &mut follower, &mut applied);
        }
        let now = 25 * SECOND;
        let (mut late, mut late_applied) = (FrameOpener::new(), 0);
        ring.bring_up_to_date(7, &mut late, &mut late_applied);
        for epoch in 1..=6_u8 {
            let live = epoch >= 3;
            for opener in [&mut follower, &mut late] {
                let expected = if live {
                    Ok(3)
                } else {
                    Err(OpenFrameError::Authentication)
                };
                assert_eq!(open(opener, epoch, now), expected, "epoch {epoch}");
            }
        }
    }

    #[test]
    fn who_is_not_in_the_new_epoch_has_ten_seconds() {
        let mut ring = KeyRing::default();
        ring.begin_epoch(&[(7, key(1)), (8, key(2))], 0);
        ring.begin_epoch(&[(8, key(3))], 5 * SECOND);
        let (mut opener, mut applied) = (FrameOpener::new(), 0);
        ring.bring_up_to_date(7, &mut opener, &mut applied);
        assert_eq!(open(&mut opener, 1, 15 * SECOND), Ok(3));
        assert_eq!(
            open(&mut opener, 1, 15 * SECOND + 1),
            Err(OpenFrameError::NoKey)
        );
    }

    #[test]
    fn clear_frames_end_after_the_grace_period_at_the_latest() {
        let mut ring = KeyRing::default();
        ring.refuse_clear(0);
        assert_eq!(ring.clear(), ClearFrames::Refused);
        ring.set_clear(ClearFrames::Allowed);
        ring.refuse_clear(SECOND);
        ring.refuse_clear(5 * SECOND);
        let (mut opener, mut applied) = (FrameOpener::new(), 0);
        ring.bring_up_to_date(7, &mut opener, &mut applied);
        assert!(opener.lets_clear_through(11 * SECOND - 1));
        assert!(!opener.lets_clear_through(11 * SECOND));
    }

    #[test]
    fn many_epochs_do_not_pile_up() {
        let mut ring = KeyRing::default();
        for epoch in 0..1_000_u64 {
            let users = [(epoch, key(epoch as u8)), (7_000, key(epoch as u8))];
            ring.begin_epoch(&users, epoch * SECOND);
        }
        assert!(ring.members.len() <= 14, "{}", ring.members.len());
        assert!(ring.members[&7_000].keys.len() <= 12);
    }

    fn key(byte: u8) -> BaseKey {
        BaseKey::new([byte; 16])
    }

    fn open(opener: &mut FrameOpener, epoch: u8, now_ns: u64) -> Result<usize, OpenFrameError> {
        let mut buffer = [0x55; 64];
        // Another nonce each time, because each opens once.
        let mut sealer = FrameSealer::after(&key(epoch), now_ns / SECOND);
        let len = sealer.seal_in_place(&mut buffer, 3).expect("there is room");
        opener.open(&mut buffer[..len], now_ns)
    }
}
