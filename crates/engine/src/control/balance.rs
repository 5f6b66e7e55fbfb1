//! Decides how many pacers are in use and which flows change theirs. Pure policy over measured load.
//!
//! One pacer carries thousands of flows, and each one in use costs wake-ups, so another comes into use only
//! when the busiest is above 70 % of its time. Loads are measured over a second; after a move nothing is
//! decided until they show what it did.

/// Share of a pacer's time from which on it is to be relieved, 0 to 1000.
const BUSY_PERMILLE: u32 = 700;
/// A difference in load that is not worth a move.
const EVEN_PERMILLE: u32 = 150;
/// Below this sum of all loads one pacer fewer is enough.
const CALM_PERMILLE: u32 = 350;
/// Time until the loads show what a move did: a whole window of each pacer, and some more.
const SETTLE_NS: u64 = 2_500_000_000;
/// How long the loads have to be low until a pacer goes out of use.
const CALM_NS: u64 = 30_000_000_000;
/// Flows that change their pacer at once.
const MOST_AT_ONCE: usize = 256;

/// What one pacer does.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct PacerLoad {
    /// Share of the last second that it worked, 0 to 1000.
    pub(crate) permille: u32,
    /// Flows placed on it.
    pub(crate) flows: usize,
}

/// So many flows are to change from one pacer to another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Move {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) flows: usize,
}

/// The policy and its memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Balance {
    /// The first so many pacers are in use.
    in_use: usize,
    /// In use at least.
    least: usize,
    settled_ns: u64,
    calm_since_ns: Option<u64>,
}

impl Balance {
    /// `least` pacers are always in use.
    pub(crate) fn new(least: usize) -> Balance {
        Balance {
            in_use: least,
            least,
            settled_ns: 0,
            calm_since_ns: None,
        }
    }

    /// The pacers that take new flows: the first so many.
    pub(crate) fn in_use(&self) -> usize {
        self.in_use
    }

    /// The pacer for a new flow: the least loaded one in use, by measured load and then by flows.
    pub(crate) fn place(&self, loads: &[PacerLoad]) -> usize {
        // Loads lag behind by up to a second; among those about even, flows are counted.
        let key = |load: &PacerLoad| (load.permille / EVEN_PERMILLE, load.flows);
        let open = loads.iter().enumerate().take(self.in_use);
        open.min_by_key(|(_, load)| key(load))
            .map_or(0, |(number, _)| number)
    }

    /// Looks at the loads and says who is to move, about once a second.
    pub(crate) fn observe(&mut self, now_ns: u64, loads: &[PacerLoad]) -> Option<Move> {
        if now_ns < self.settled_ns {
            return None;
        }
        let step = self
            .drain_closed(loads)
            .or_else(|| self.relieve(loads))
            .or_else(|| self.close_one(now_ns, loads));
        if step.is_some() {
            self.settled_ns = now_ns + SETTLE_NS;
        }
        step
    }

    /// Flows on pacers that are out of use go to those in use, a part at a time.
    fn drain_closed(&self, loads: &[PacerLoad]) -> Option<Move> {
        let closed = loads.iter().enumerate().skip(self.in_use);
        let (from, load) = closed.into_iter().find(|(_, load)| load.flows > 0)?;
        Some(Move {
            from,
            to: self.place(loads),
            flows: load.flows.min(MOST_AT_ONCE),
        })
    }

    /// The busiest gives flows to the calmest, which may be one that comes into use for it.
    fn relieve(&mut self, loads: &[PacerLoad]) -> Option<Move> {
        let open = loads.iter().enumerate().take(self.in_use);
        let (from, busiest) = open.max_by_key(|(_, load)| load.permille)?;
        if busiest.permille < BUSY_PERMILLE || busiest.flows < 2 {
            return None;
        }
        self.calm_since_ns = None;
        let calmest = self.calmest(loads).filter(|(number, load)| {
            *number != from && busiest.permille - load.permille > EVEN_PERMILLE
        });
        let (to, calmest) = match calmest {
            Some((to, load)) if load.permille < BUSY_PERMILLE => (to, load),
            _ => {
                let fresh = loads.get(self.in_use)?;
                self.in_use += 1;
                (self.in_use - 1, fresh)
            }
        };
        let share = u64::from(busiest.permille - calmest.permille) * busiest.flows as u64
            / u64::from(busiest.permille)
            / 2;
        let flows = (share as usize).clamp(1, MOST_AT_ONCE);
        Some(Move { from, to, flows })
    }

    /// With little to do for a while, the last pacer goes out of use.
    fn close_one(&mut self, now_ns: u64, loads: &[PacerLoad]) -> Option<Move> {
        let sum: u32 = loads.iter().map(|load| load.permille).sum();
        if self.in_use == self.least || sum >= CALM_PERMILLE {
            self.calm_since_ns = None;
            return None;
        }
        let since_ns = *self.calm_since_ns.get_or_insert(now_ns);
        if now_ns - since_ns < CALM_NS {
            return None;
        }
        self.calm_since_ns = None;
        self.in_use -= 1;
        self.drain_closed(loads)
    }

    fn calmest<'a>(&self, loads: &'a [PacerLoad]) -> Option<(usize, &'a PacerLoad)> {
        let open = loads.iter().enumerate().take(self.in_use);
        open.min_by_key(|(_, load)| load.permille)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn one_pacer_is_enough_until_it_is_busy() {
        let mut balance = Balance::new(1);
        assert_eq!(
            balance.observe(SECOND, &loads(&[(690, 4_000), (0, 0)])),
            None
        );
        assert_eq!(balance.in_use(), 1);
        let step = balance.observe(2 * SECOND, &loads(&[(720, 400), (0, 0)]));
        assert_eq!(step, moved(0, 1, 200));
        assert_eq!(balance.in_use(), 2);
    }

    #[test]
    fn nothing_is_decided_until_a_move_shows() {
        let mut balance = Balance::new(1);
        let busy = loads(&[(900, 4_000), (0, 0)]);
        assert_eq!(balance.observe(SECOND, &busy), moved(0, 1, MOST_AT_ONCE));
        assert_eq!(balance.observe(2 * SECOND, &busy), None);
        assert_eq!(balance.observe(3 * SECOND, &busy), None);
        assert_eq!(
            balance.observe(4 * SECOND, &busy),
            moved(0, 1, MOST_AT_ONCE)
        );
    }

    #[test]
    fn when_all_are_busy_and_none_is_left_everybody_stays() {
        let mut balance = Balance::new(2);
        assert_eq!(
            balance.observe(SECOND, &loads(&[(950, 4_000), (930, 4_000)])),
            None
        );
        assert_eq!(
            balance.observe(2 * SECOND, &loads(&[(990, 1), (10, 0)])),
            None
        );
    }

    #[test]
    fn a_busy_one_is_relieved_by_a_calm_one_before_another_comes_into_use() {
        let mut balance = Balance::new(2);
        let step = balance.observe(SECOND, &loads(&[(100, 30), (800, 300), (0, 0)]));
        assert_eq!(step, moved(1, 0, 131));
        assert_eq!(balance.in_use(), 2);
    }

    #[test]
    fn after_a_calm_while_the_last_one_goes_out_of_use_and_gives_all_its_flows_away() {
        let mut balance = Balance::new(1);
        balance.observe(0, &loads(&[(900, 100), (0, 0)]));
        let mut now = 3 * SECOND;
        let mut calm = loads(&[(100, 50), (100, 400)]);
        let mut steps = Vec::new();
        while steps.len() < 2 {
            if let Some(step) = balance.observe(now, &calm) {
                calm[step.from].flows -= step.flows;
                calm[step.to].flows += step.flows;
                steps.push((now, step.flows));
            }
            now += SECOND;
        }
        assert_eq!(steps, [(33 * SECOND, 256), (36 * SECOND, 144)]);
        assert_eq!(balance.in_use(), 1);
    }

    #[test]
    fn a_load_that_comes_and_goes_keeps_both_in_use() {
        let mut balance = Balance::new(1);
        balance.observe(0, &loads(&[(900, 100), (0, 0)]));
        for n in 3..100 {
            let permille = if n % 20 == 0 { 500 } else { 50 };
            assert_eq!(
                balance.observe(n * SECOND, &loads(&[(permille, 50), (50, 50)])),
                None
            );
        }
        assert_eq!(balance.in_use(), 2);
    }

    #[test]
    fn new_flows_go_where_the_load_is_least_and_then_where_the_flows_are_fewest() {
        let balance = Balance::new(2);
        assert_eq!(balance.place(&loads(&[(500, 10), (200, 4_000), (0, 0)])), 1);
        assert_eq!(balance.place(&loads(&[(20, 10), (0, 11), (0, 0)])), 0);
    }

    /// A machine on which load follows the flows: it has to settle within a few moves.
    #[test]
    fn settles_on_a_steady_load() {
        let mut balance = Balance::new(1);
        let mut flows = [3_000_usize, 0, 0, 0];
        let mut moves = 0;
        for n in 0..600_u64 {
            let measured: Vec<PacerLoad> = flows
                .iter()
                .map(|flows| PacerLoad {
                    permille: (flows * 1_000 / 2_500).min(1_000) as u32,
                    flows: *flows,
                })
                .collect();
            if let Some(step) = balance.observe(n * SECOND, &measured) {
                assert!(n < 60, "it still moves flows after {n} s");
                flows[step.from] -= step.flows;
                flows[step.to] += step.flows;
                moves += 1;
            }
        }
        assert!(
            moves < 12 && flows.iter().all(|flows| *flows < 1_750),
            "{flows:?}"
        );
    }

    fn loads(values: &[(u32, usize)]) -> Vec<PacerLoad> {
        let of = |(permille, flows): &(u32, usize)| PacerLoad {
            permille: *permille,
            flows: *flows,
        };
        values.iter().map(of).collect()
    }

    fn moved(from: usize, to: usize, flows: usize) -> Option<Move> {
        Some(Move { from, to, flows })
    }
}
