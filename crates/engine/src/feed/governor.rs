//! Decides how much effort encoders may spend, so that no deadline is missed when the workers are busy.
//!
//! Pure policy: it is told what a stretch of time looked like and answers with the highest complexity
//! allowed from then on. It goes down fast and comes back slowly, and only when the next step would
//! still leave room.

/// The highest complexity libopus knows.
pub(super) const FULL: u8 = 10;

/// Share of the workers' time from which on effort is taken away.
const BUSY_PERMILLE: u32 = 850;
/// Expected share below which effort is given back.
const CALM_PERMILLE: u32 = 700;
/// How long the workers must have been calm for each step up.
const CALM_NS: u64 = 2_000_000_000;
/// How far one busy stretch goes down.
const STEP_DOWN: u8 = 2;

/// What a stretch of time looked like.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Stretch {
    /// When it ended.
    pub(super) now_ns: u64,
    /// Share of the workers' time spent working, 0 to 1000.
    pub(super) busy_permille: u32,
    /// Whether an encoded track was found with its queue nearly played out.
    pub(super) ran_short: bool,
}

/// The policy and its memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Governor {
    cap: u8,
    /// Since when the next step up has looked safe.
    calm_since_ns: Option<u64>,
}

impl Default for Governor {
    fn default() -> Governor {
        Governor {
            cap: FULL,
            calm_since_ns: None,
        }
    }
}

impl Governor {
    /// Takes in one stretch and returns the complexity allowed from now on.
    pub(super) fn observe(&mut self, stretch: Stretch) -> u8 {
        if stretch.ran_short {
            self.cap /= 2;
            self.calm_since_ns = None;
        } else if stretch.busy_permille >= BUSY_PERMILLE {
            self.cap = self.cap.saturating_sub(STEP_DOWN);
            self.calm_since_ns = None;
        } else {
            self.rise(stretch);
        }
        self.cap
    }

    fn rise(&mut self, stretch: Stretch) {
        let mut busy = stretch.busy_permille;
        while self.cap < FULL {
            busy = busy * cost(self.cap + 1) / cost(self.cap);
            if busy > CALM_PERMILLE {
                self.calm_since_ns = None;
                return;
            }
            let since_ns = *self.calm_since_ns.get_or_insert(stretch.now_ns);
            if stretch.now_ns.saturating_sub(since_ns) < CALM_NS {
                return;
            }
            self.calm_since_ns = Some(since_ns + CALM_NS);
            self.cap += 1;
        }
        self.calm_since_ns = None;
    }
}

/// Microseconds that a 20 ms frame takes at a complexity: 44 at 0, 66 at 5, 110 at 10, times ten.
fn cost(complexity: u8) -> u32 {
    let complexity = u32::from(complexity);
    match complexity {
        0..=5 => 440 + 44 * complexity,
        _ => 660 + 88 * (complexity - 5),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn busy(now_ns: u64, busy_permille: u32) -> Stretch {
        Stretch {
            now_ns,
            busy_permille,
            ran_short: false,
        }
    }

    #[test]
    fn goes_down_with_every_busy_stretch_and_stops_at_zero() {
        let mut governor = Governor::default();
        let caps: Vec<u8> = (1..8).map(|n| governor.observe(busy(n, 900))).collect();
        assert_eq!(caps, [8, 6, 4, 2, 0, 0, 0]);
    }

    #[test]
    fn a_queue_that_is_nearly_played_out_halves_the_effort() {
        let mut governor = Governor::default();
        let short = Stretch {
            ran_short: true,
            ..busy(0, 100)
        };
        assert_eq!([governor.observe(short), governor.observe(short)], [5, 2]);
    }

    #[test]
    fn comes_back_one_step_for_each_calm_while() {
        let mut governor = Governor::default();
        governor.observe(busy(0, 1_000));
        assert_eq!(governor.observe(busy(SECOND, 300)), 8);
        assert_eq!(governor.observe(busy(2 * SECOND, 300)), 8);
        assert_eq!(governor.observe(busy(3 * SECOND, 300)), 9);
        assert_eq!(governor.observe(busy(4 * SECOND, 300)), 9);
        assert_eq!(governor.observe(busy(5 * SECOND, 300)), 10);
    }

    #[test]
    fn one_busy_stretch_starts_the_wait_again() {
        let mut governor = Governor::default();
        governor.observe(busy(0, 1_000));
        governor.observe(busy(SECOND, 300));
        assert_eq!(governor.observe(busy(2 * SECOND, 860)), 6);
        assert_eq!(governor.observe(busy(3 * SECOND, 300)), 6);
        assert_eq!(governor.observe(busy(4 * SECOND, 300)), 6);
        assert_eq!(governor.observe(busy(5 * SECOND, 300)), 7);
    }

    #[test]
    fn between_the_thresholds_nothing_moves() {
        let mut governor = Governor::default();
        governor.observe(busy(0, 1_000));
        for n in 1..100 {
            assert_eq!(governor.observe(busy(n * SECOND, 750)), 8);
        }
    }

    #[test]
    fn a_step_up_that_would_bring_the_load_back_is_not_taken() {
        let mut governor = Governor::default();
        (0..5).for_each(|n| {
            governor.observe(busy(n, 1_000));
        });
        // At 660 the next step's tenth more is more than may be expected; at 600 it is not.
        for n in 1..20 {
            assert_eq!(governor.observe(busy(n * SECOND, 660)), 0);
        }
        assert_eq!(governor.observe(busy(20 * SECOND, 600)), 0);
        assert_eq!(governor.observe(busy(22 * SECOND, 600)), 1);
    }

    #[test]
    fn a_long_rest_gives_everything_back_at_once() {
        let mut governor = Governor::default();
        (0..5).for_each(|n| {
            governor.observe(busy(n, 1_000));
        });
        governor.observe(busy(SECOND, 10));
        assert_eq!(governor.observe(busy(60 * SECOND, 10)), FULL);
    }

    /// A workload whose load follows from the complexity: it must settle, not swing.
    #[test]
    fn settles_under_a_steady_load() {
        let mut governor = Governor::default();
        let mut cap = FULL;
        let mut changes = 0;
        for n in 0..2_000_u64 {
            let load = (1_100 * cost(cap) / cost(FULL)).min(1_000);
            let next = governor.observe(busy(n * SECOND / 4, load));
            changes += u32::from(n > 100 && next != cap);
            cap = next;
        }
        assert!(cap < FULL && changes == 0, "cap {cap}, {changes} changes");
    }
}
