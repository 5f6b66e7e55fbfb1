//! The 20 ms period as a wheel of 1 ms slots, over which a pacer spreads its flows.
//!
//! A flow takes the least loaded slot when it becomes active and keeps it while it stays active. With
//! few flows only a few slots are used, because each one in use costs a wake-up per period. When flows
//! leave, those that sit in slots no longer needed are moved together, one per slot and period.

/// Slots in a period.
pub(super) const SLOTS: u64 = 20;

/// A slot's length in nanoseconds.
pub(super) const SLOT_NS: u64 = 1_000_000;

/// Flows for which one slot is enough before another comes into use. Sending that many takes some 0.2 ms, and each of
/// them leaves at the same place among them in every period; a wake-up more costs as much CPU as five packets.
const FLOWS_PER_SLOT: usize = 32;

/// The order in which slots come into use: each next one falls into the widest gap.
const ORDER: [u8; SLOTS as usize] = [
    0, 10, 5, 15, 2, 12, 7, 17, 1, 11, 6, 16, 3, 13, 8, 18, 4, 14, 9, 19,
];

/// Where on the wheel a flow sits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Place {
    pub(super) slot: u8,
    /// The index among the slot's flows; it changes when others leave.
    pub(super) at: u32,
}

/// Which flows are served in which slot. Allocates only when it is made.
pub(super) struct Wheel {
    slots: Vec<Vec<u32>>,
    live: usize,
}

impl Wheel {
    /// A wheel for at most `max_flows` flows.
    pub(super) fn new(max_flows: usize) -> Wheel {
        // The least loaded of k slots holds at most the average, and k < 20 only up to 32 flows each.
        let per_slot = (max_flows / SLOTS as usize).max(FLOWS_PER_SLOT) + 1;
        let slots = (0..SLOTS).map(|_| Vec::with_capacity(per_slot));
        Wheel {
            slots: slots.collect(),
            live: 0,
        }
    }

    /// Puts a flow into the least loaded slot in use.
    pub(super) fn place(&mut self, flow: u32) -> Place {
        let slot = self.least_loaded();
        let flows = &mut self.slots[usize::from(slot)];
        let at = flows.len() as u32;
        flows.push(flow);
        self.live += 1;
        Place { slot, at }
    }

    /// The slot in use that holds the fewest flows.
    pub(super) fn least_loaded(&self) -> u8 {
        let mut slot = ORDER[0];
        for candidate in &ORDER[..slots_for(self.live)] {
            if self.flows(*candidate).len() < self.flows(slot).len() {
                slot = *candidate;
            }
        }
        slot
    }

    /// A flow of a slot that so few flows do not need. One slot more than they need is left to them, so
    /// that a call that comes and goes moves no others.
    pub(super) fn surplus(&self, slot: u8) -> Option<u32> {
        let flow = *self.flows(slot).first()?;
        let kept = slots_for(self.live + FLOWS_PER_SLOT);
        (!ORDER[..kept].contains(&slot)).then_some(flow)
    }

    /// Puts a flow into a certain slot, unless that holds as many as were reserved for it.
    pub(super) fn place_in(&mut self, slot: u8, flow: u32) -> Option<Place> {
        let flows = &mut self.slots[usize::from(slot)];
        if flows.len() == flows.capacity() {
            return None;
        }
        let at = flows.len() as u32;
        flows.push(flow);
        self.live += 1;
        Some(Place { slot, at })
    }

    /// Takes a flow off. The flow that moved into its place, if any, is returned.
    pub(super) fn remove(&mut self, place: Place) -> Option<u32> {
        let flows = &mut self.slots[usize::from(place.slot)];
        flows.swap_remove(place.at as usize);
        self.live -= 1;
        flows.get(place.at as usize).copied()
    }

    /// The flows of one slot.
    pub(super) fn flows(&self, slot: u8) -> &[u32] {
        &self.slots[usize::from(slot)]
    }

    /// The first slot time at or after `from_ms` at which there is somebody to serve.
    pub(super) fn next_due_ms(&self, from_ms: u64) -> Option<u64> {
        (from_ms..from_ms + SLOTS).find(|ms| !self.flows(slot_of(*ms)).is_empty())
    }

    /// Flows on the wheel.
    pub(super) fn live(&self) -> usize {
        self.live
    }
}

/// How many slots are in use for so many flows.
fn slots_for(live: usize) -> usize {
    (live / FLOWS_PER_SLOT + 1).min(ORDER.len())
}

/// The slot served at a millisecond of the pacer's clock.
pub(super) fn slot_of(ms: u64) -> u8 {
    (ms % SLOTS) as u8
}

/// The first time at or after `from_ms` at which `slot` is served.
pub(super) fn first_ms(slot: u8, from_ms: u64) -> u64 {
    let ahead = (u64::from(slot) + SLOTS - from_ms % SLOTS) % SLOTS;
    from_ms + ahead
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_flows_share_one_slot_and_many_spread_evenly() {
        let mut wheel = Wheel::new(2_000);
        let few: Vec<Place> = (0..32).map(|flow| wheel.place(flow)).collect();
        assert!(few.iter().all(|place| place.slot == few[0].slot));
        assert_ne!(wheel.place(32).slot, few[0].slot);
        for flow in 33..2_000 {
            wheel.place(flow);
        }
        for slot in 0..SLOTS as u8 {
            assert_eq!(wheel.flows(slot).len(), 100, "slot {slot}");
        }
    }

    #[test]
    fn slots_that_few_flows_do_not_need_give_them_up() {
        let mut wheel = Wheel::new(2_000);
        let mut places: Vec<Option<Place>> = vec![None; 2_000];
        for (flow, place) in places.iter_mut().enumerate() {
            *place = Some(wheel.place(flow as u32));
        }
        assert!((0..SLOTS as u8).all(|slot| wheel.surplus(slot).is_none()));
        for flow in 0..1_992 {
            let place = places[flow].take().expect("it was placed");
            if let Some(moved) = wheel.remove(place) {
                places[moved as usize] = Some(place);
            }
        }
        let held = |wheel: &Wheel| {
            let slots = 0..SLOTS as u8;
            slots.filter(|slot| !wheel.flows(*slot).is_empty()).count()
        };
        assert_eq!(held(&wheel), 8, "each of the last flows sits alone");
        for _ in 0..2 {
            for slot in 0..SLOTS as u8 {
                let Some(flow) = wheel.surplus(slot) else {
                    continue;
                };
                let place = places[flow as usize].take().expect("it sits there");
                if let Some(moved) = wheel.remove(place) {
                    places[moved as usize] = Some(place);
                }
                let target = wheel.least_loaded();
                places[flow as usize] = wheel.place_in(target, flow);
            }
        }
        assert!(held(&wheel) <= 3, "{} slots for 8 flows", held(&wheel));
        assert_eq!(wheel.live(), 8);
    }

    #[test]
    fn a_slot_asked_for_is_given_until_it_is_full() {
        let mut wheel = Wheel::new(100);
        let given = (0..100).filter(|flow| wheel.place_in(7, *flow).is_some());
        let given = given.count();
        assert_eq!(given, wheel.slots[7].capacity());
        assert!(wheel.place_in(8, 199).is_some_and(|place| place.slot == 8));
        assert_eq!(wheel.live(), given + 1);
    }

    #[test]
    fn leaving_tells_who_moved() {
        let mut wheel = Wheel::new(100);
        let places: Vec<Place> = (0..3).map(|flow| wheel.place(flow)).collect();
        assert_eq!(wheel.remove(places[0]), Some(2));
        assert_eq!(wheel.flows(places[0].slot), [2, 1]);
        assert_eq!(wheel.remove(places[1]), None);
        assert_eq!(wheel.live(), 1);
    }

    #[test]
    fn no_slot_grows_beyond_what_was_reserved() {
        let mut wheel = Wheel::new(1_000);
        let reserved: Vec<usize> = wheel.slots.iter().map(Vec::capacity).collect();
        let mut places: Vec<Option<Place>> = vec![None; 1_000];
        let mut state = 1_u64;
        for _ in 0..50_000 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let flow = (state >> 33) as usize % places.len();
            match places[flow].take() {
                None => places[flow] = Some(wheel.place(flow as u32)),
                Some(place) => {
                    if let Some(moved) = wheel.remove(place) {
                        places[moved as usize] = Some(place);
                    }
                }
            }
        }
        let capacities: Vec<usize> = wheel.slots.iter().map(Vec::capacity).collect();
        assert_eq!(capacities, reserved);
    }

    #[test]
    fn the_next_due_slot_is_found_around_the_wheel() {
        let mut wheel = Wheel::new(10);
        assert_eq!(wheel.next_due_ms(7), None);
        let place = wheel.place(0);
        assert_eq!(first_ms(place.slot, 40), 40 + u64::from(place.slot));
        assert_eq!(wheel.next_due_ms(41), Some(60));
        assert_eq!(wheel.next_due_ms(60), Some(60));
    }
}
