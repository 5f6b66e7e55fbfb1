//! When a pacer runs in real time (`SCHED_FIFO`), and when it gives that up. Pure policy.
//!
//! A real-time thread goes before every other of its core, and the kernel stops such threads for the rest
//! of a second above 95 %. So it is given up above 85 % load, and tried again only after a calm while, a
//! few times.

/// Load above which real time is given up, 0 to 1000.
const MOST_PERMILLE: u32 = 850;
/// Load below which it may be tried again.
const CALM_PERMILLE: u32 = 600;
/// How many windows in a row have to be calm before it is tried again.
const CALM_WINDOWS: u32 = 30;
/// Times it is tried again before it is given up for good.
const MOST_TRIES: u32 = 3;

/// The scheduling that a pacer should have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Scheduling {
    /// As every other thread.
    Normal,
    /// Before every other thread.
    RealTime,
}

/// The policy and its memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RealTimeGovernor {
    present: Scheduling,
    calm_windows: u32,
    tries: u32,
}

impl Default for RealTimeGovernor {
    /// Begins in real time.
    fn default() -> RealTimeGovernor {
        RealTimeGovernor {
            present: Scheduling::RealTime,
            calm_windows: 0,
            tries: 0,
        }
    }
}

impl RealTimeGovernor {
    /// Takes in the load of one window, and answers with the scheduling from then on if it changes.
    pub(crate) fn observe(&mut self, load_permille: u32) -> Option<Scheduling> {
        let wanted = match self.present {
            Scheduling::RealTime if load_permille > MOST_PERMILLE => Scheduling::Normal,
            Scheduling::RealTime => return None,
            Scheduling::Normal if load_permille > CALM_PERMILLE => {
                self.calm_windows = 0;
                return None;
            }
            Scheduling::Normal => {
                self.calm_windows += 1;
                if self.calm_windows < CALM_WINDOWS || self.tries == MOST_TRIES {
                    return None;
                }
                self.tries += 1;
                Scheduling::RealTime
            }
        };
        self.calm_windows = 0;
        self.present = wanted;
        Some(wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_up_above_the_limit_and_comes_back_after_a_calm_while() {
        let mut governor = RealTimeGovernor::default();
        assert_eq!(governor.observe(850), None);
        assert_eq!(governor.observe(851), Some(Scheduling::Normal));
        assert_eq!(governor.observe(1_000), None);
        for _ in 1..CALM_WINDOWS {
            assert_eq!(governor.observe(100), None);
        }
        assert_eq!(governor.observe(100), Some(Scheduling::RealTime));
    }

    #[test]
    fn one_busy_window_starts_the_wait_again() {
        let mut governor = RealTimeGovernor::default();
        governor.observe(900);
        for n in 0..10 * CALM_WINDOWS {
            let load = if n % (CALM_WINDOWS - 1) == 0 {
                700
            } else {
                100
            };
            assert_eq!(governor.observe(load), None);
        }
    }

    #[test]
    fn after_a_few_tries_it_stays_normal() {
        let mut governor = RealTimeGovernor::default();
        let mut changes = 0;
        for n in 0..10_000 {
            let load = if n % 100 == 0 { 990 } else { 10 };
            changes += u32::from(governor.observe(load).is_some());
        }
        assert_eq!(changes, 1 + 2 * MOST_TRIES);
    }
}
