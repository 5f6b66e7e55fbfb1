//! When frames of others that cannot be opened are reason enough to join the group anew.

const SECOND_NS: u64 = 1_000_000_000;
/// The least time between two answers: a gateway needs a moment to remove a member and add it again.
const GAP_NS: u64 = 15 * SECOND_NS;
/// So often the group is joined anew; then the session is.
const TRIES: u8 = 2;

/// Frames of a member that could not be opened, one after the other, while nobody else's could either.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Undecryptable {
    /// [`KeyRing::serial`](crate::KeyRing::serial) of the keys that were tried.
    pub keys: u64,
    /// Frames of anybody that were opened in this call so far, over all its sessions.
    pub opened: u64,
}

/// What to do about them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Answer {
    /// Nothing.
    Wait,
    /// Join the group anew.
    Recover,
    /// Begin a new session.
    GiveUp,
}

/// Counts the answers. Whoever sends rubbish on purpose gets three of them, until some frame opens.
#[derive(Debug, Default)]
pub(crate) struct Distress {
    last_ns: Option<u64>,
    answers: u8,
    opened: u64,
}

impl Distress {
    /// How to go on.
    pub(crate) fn ask(&mut self, opened: u64, now_ns: u64) -> Answer {
        if opened > self.opened {
            self.opened = opened;
            self.answers = 0;
        }
        let soon = |last: u64| now_ns.saturating_sub(last) < GAP_NS;
        if self.last_ns.is_some_and(soon) || self.answers > TRIES {
            return Answer::Wait;
        }
        self.last_ns = Some(now_ns);
        self.answers += 1;
        if self.answers > TRIES {
            Answer::GiveUp
        } else {
            Answer::Recover
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_answers_fifteen_seconds_apart_until_something_opens() {
        let mut distress = Distress::default();
        let asked: Vec<Answer> = (0..100)
            .map(|second| distress.ask(0, second * SECOND_NS))
            .filter(|answer| *answer != Answer::Wait)
            .collect();
        assert_eq!(asked, [Answer::Recover, Answer::Recover, Answer::GiveUp]);
        assert_eq!(distress.ask(1, 101 * SECOND_NS), Answer::Recover);
        assert_eq!(distress.ask(2, 102 * SECOND_NS), Answer::Wait, "too soon");
        assert_eq!(distress.ask(2, 116 * SECOND_NS), Answer::Recover);
    }
}
