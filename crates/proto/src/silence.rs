//! The five silence frames that end every stretch of sound, so that decoders do not extrapolate the last one.

/// How many silence frames end a stretch of sound.
pub const SILENCE_TAIL: u8 = 5;

/// What to send when there is no frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TailAction {
    /// Send a silence frame; `last` marks the fifth.
    Silence {
        /// Whether the tail is complete with this one.
        last: bool,
    },
    /// Nothing: the tail is out, or nothing sounded yet.
    Idle,
}

/// Counts what is still owed after the last frame of sound.
#[derive(Clone, Copy, Debug, Default)]
pub struct SilenceTail {
    owed: u8,
}

impl SilenceTail {
    /// A frame of sound went out.
    pub fn on_frame(&mut self) {
        self.owed = SILENCE_TAIL;
    }

    /// There is no frame for this place of the grid.
    pub fn on_empty(&mut self) -> TailAction {
        if self.owed == 0 {
            return TailAction::Idle;
        }
        self.owed -= 1;
        TailAction::Silence {
            last: self.owed == 0,
        }
    }

    /// Whether nothing is owed.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.owed == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_frames_follow_the_sound() {
        let mut tail = SilenceTail::default();
        assert_eq!(tail.on_empty(), TailAction::Idle);
        tail.on_frame();
        for n in 1..=SILENCE_TAIL {
            assert_eq!(
                tail.on_empty(),
                TailAction::Silence {
                    last: n == SILENCE_TAIL
                }
            );
        }
        assert!(tail.is_finished());
        assert_eq!(tail.on_empty(), TailAction::Idle);
    }

    #[test]
    fn sound_in_between_starts_the_count_again() {
        let mut tail = SilenceTail::default();
        tail.on_frame();
        tail.on_empty();
        tail.on_frame();
        let owed = (0..10)
            .filter(|_| tail.on_empty() != TailAction::Idle)
            .count();
        assert_eq!(owed, usize::from(SILENCE_TAIL));
    }
}
