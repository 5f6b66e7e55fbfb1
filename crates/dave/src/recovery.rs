//! How often a group may be begun anew after a commit or a welcome that cannot be used.

use std::collections::VecDeque;

const SECOND_NS: u64 = 1_000_000_000;
/// The least time between two recoveries: the gateway has to remove the old member and add the new.
const GAP_NS: u64 = 5 * SECOND_NS;
/// Within this time…
const WINDOW_NS: u64 = 60 * SECOND_NS;
/// …so many recoveries are tried before the connection has to be made anew.
const MAX_IN_WINDOW: usize = 3;

/// What to do about something that went wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Step {
    /// Recover now.
    Now,
    /// Recover at this time.
    At(u64),
    /// Recovering does not help.
    GiveUp,
}

/// Counts recoveries.
#[derive(Debug, Default)]
pub(crate) struct Recovery {
    /// When the latest ones were, or will be; oldest first.
    times: VecDeque<u64>,
}

impl Recovery {
    /// Something went wrong: how to go on. What is answered is counted as done.
    pub(crate) fn ask(&mut self, now_ns: u64) -> Step {
        while matches!(self.times.front(), Some(at) if now_ns.saturating_sub(*at) >= WINDOW_NS) {
            self.times.pop_front();
        }
        if self.times.len() >= MAX_IN_WINDOW {
            return Step::GiveUp;
        }
        let last = self.times.back().copied();
        let at = last.map_or(now_ns, |last| now_ns.max(last.saturating_add(GAP_NS)));
        self.times.push_back(at);
        if at > now_ns { Step::At(at) } else { Step::Now }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_tries_a_minute_five_seconds_apart() {
        let mut recovery = Recovery::default();
        assert_eq!(recovery.ask(SECOND_NS), Step::Now);
        assert_eq!(recovery.ask(2 * SECOND_NS), Step::At(6 * SECOND_NS));
        assert_eq!(recovery.ask(20 * SECOND_NS), Step::Now);
        assert_eq!(recovery.ask(21 * SECOND_NS), Step::GiveUp);
        assert_eq!(recovery.ask(40 * SECOND_NS), Step::GiveUp);
        assert_eq!(recovery.ask(61 * SECOND_NS), Step::Now);
    }
}
