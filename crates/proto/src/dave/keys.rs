//! One epoch's keys of one remote sender: the generations that may be opened, and for how long.

use super::cipher::{CipherError, FrameCipher};
use super::ratchet::Ratchet;
use super::replay::ReplayWindow;
use super::{BaseKey, GENERATION_SHIFT, OpenFrameError, TAG_LEN};

/// How long a former key goes on opening frames, in nanoseconds: those that were under way.
pub const KEY_LIFE_NS: u64 = 10_000_000_000;
/// Generations that a frame may be ahead of the newest one used.
const MAX_GENERATION_GAP: u32 = 250;
/// What a sender can reach at most: one audio stream and two of video at 60 frames a second.
const MAX_FRAMES_PER_SECOND: u64 = 50 + 2 * 60;
/// Generations that fit the one byte that travels.
const GENERATION_WRAP: u32 = 256;
/// Generations whose tables are kept: the present one, the one before, and one that was tried.
const CACHED: usize = 3;
const SECOND_NS: u64 = 1_000_000_000;

/// Nonce, tag and what the sender left clear.
pub(super) struct Sealed<'a> {
    pub(super) nonce: u32,
    pub(super) tag: [u8; TAG_LEN],
    pub(super) aad: &'a [u8],
}

/// The keys of one sender in one epoch.
pub(super) struct EpochKeys {
    base: BaseKey,
    /// Stands at the oldest generation that may still be opened.
    ratchet: Ratchet,
    installed_ns: u64,
    expires_ns: Option<u64>,
    newest: u32,
    /// When generations before the newest are forgotten.
    forget_ns: u64,
    ciphers: [Option<(u32, FrameCipher)>; CACHED],
    replay: ReplayWindow,
}

impl EpochKeys {
    pub(super) fn new(base: BaseKey, now_ns: u64) -> EpochKeys {
        EpochKeys {
            base,
            ratchet: Ratchet::new(&base),
            installed_ns: now_ns,
            expires_ns: None,
            newest: 0,
            forget_ns: 0,
            ciphers: [const { None }; CACHED],
            replay: ReplayWindow::new(),
        }
    }

    pub(super) fn is_of(&self, base: &BaseKey) -> bool {
        self.base == *base
    }

    /// The end may come sooner, never later than it was set.
    pub(super) fn expire_at(&mut self, at_ns: u64) {
        self.expires_ns = Some(self.expires_ns.map_or(at_ns, |before| before.min(at_ns)));
    }

    pub(super) fn is_expired(&self, now_ns: u64) -> bool {
        self.expires_ns.is_some_and(|at_ns| now_ns > at_ns)
    }

    /// Decrypts in place; `data` is untouched on failure.
    pub(super) fn open(
        &mut self,
        sealed: &Sealed<'_>,
        data: &mut [u8],
        now_ns: u64,
    ) -> Result<(), OpenFrameError> {
        self.forget_old_generations(now_ns);
        let generation = self.generation_of(sealed.nonce);
        let nonce = full_nonce(generation, sealed.nonce);
        if !self.replay.is_fresh(nonce) {
            return Err(OpenFrameError::Replayed);
        }
        if generation > self.newest_allowed(now_ns) {
            return Err(OpenFrameError::Generation);
        }
        let cipher = self.cipher(generation).ok_or(OpenFrameError::Generation)?;
        cipher
            .open(sealed.nonce, sealed.aad, data, sealed.tag)
            .map_err(|CipherError| OpenFrameError::Authentication)?;
        self.replay.mark(nonce);
        if generation > self.newest {
            self.newest = generation;
            self.forget_ns = now_ns.saturating_add(KEY_LIFE_NS);
        }
        Ok(())
    }

    fn forget_old_generations(&mut self, now_ns: u64) {
        if self.ratchet.generation() < self.newest && now_ns > self.forget_ns {
            self.ratchet.advance_to(self.newest);
            for cached in &mut self.ciphers {
                if matches!(cached, Some((generation, _)) if *generation < self.newest) {
                    *cached = None;
                }
            }
        }
    }

    /// The generation meant by the top byte of a nonce: never one before the oldest live one.
    fn generation_of(&self, nonce: u32) -> u32 {
        let oldest = self.ratchet.generation();
        let top = nonce >> GENERATION_SHIFT;
        let turns = oldest / GENERATION_WRAP + u32::from(top < oldest % GENERATION_WRAP);
        turns * GENERATION_WRAP + top
    }

    /// A high nonce can be forged by anybody in the call; deriving its key must not cost much. No
    /// sender gets further than its frame rate allows.
    fn newest_allowed(&self, now_ns: u64) -> u32 {
        let age_s = now_ns.saturating_sub(self.installed_ns) / SECOND_NS;
        let by_age = age_s.saturating_mul(MAX_FRAMES_PER_SECOND) >> GENERATION_SHIFT;
        let by_age = u32::try_from(by_age).unwrap_or(u32::MAX);
        by_age.min(self.newest.saturating_add(MAX_GENERATION_GAP))
    }

    /// The cipher of a generation, made at its first frame.
    fn cipher(&mut self, generation: u32) -> Option<&FrameCipher> {
        let known = self
            .ciphers
            .iter()
            .position(|cached| matches!(cached, Some((of, _)) if *of == generation));
        let at = match known {
            Some(at) => at,
            None => {
                let key = self.ratchet.key_of(generation)?;
                let at = self.replaceable();
                self.ciphers[at] = Some((generation, FrameCipher::new(&key)));
                at
            }
        };
        self.ciphers[at].as_ref().map(|(_, cipher)| cipher)
    }

    /// A free slot, or else the one that matters least: neither the newest generation nor its predecessor.
    fn replaceable(&self) -> usize {
        let matters = |generation: u32| generation == self.newest || generation + 1 == self.newest;
        self.ciphers
            .iter()
            .position(|cached| cached.as_ref().is_none_or(|(of, _)| !matters(*of)))
            .unwrap_or(CACHED - 1)
    }
}

/// The nonce with its generation unwrapped.
fn full_nonce(generation: u32, nonce: u32) -> u64 {
    let within = u64::from(nonce) & ((1 << GENERATION_SHIFT) - 1);
    u64::from(generation) << GENERATION_SHIFT | within
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_top_byte_means_the_next_generation_that_can_be_meant() {
        let mut keys = EpochKeys::new(BaseKey::new([1; 16]), 0);
        let cases = [
            (0, 0, 0),
            (0, 255, 255),
            (3, 3, 3),
            (3, 2, 258),
            (255, 0, 256),
            (256, 0, 256),
            (300, 43, 555),
        ];
        for (oldest, top, generation) in cases {
            keys.ratchet.advance_to(oldest);
            assert_eq!(
                keys.generation_of(top << 24 | 77),
                generation,
                "{oldest} {top}"
            );
        }
    }

    #[test]
    fn a_generation_is_allowed_when_its_frames_could_have_been_sent() {
        let keys = EpochKeys::new(BaseKey::new([1; 16]), 0);
        let first_ns = (1_u64 << 24).div_ceil(170) * SECOND_NS;
        assert_eq!(keys.newest_allowed(first_ns - 1), 0);
        assert_eq!(keys.newest_allowed(first_ns), 1);
        assert_eq!(keys.newest_allowed(u64::MAX), MAX_GENERATION_GAP.min(1_000));
    }
}
