//! Which pacer a flow is on, and its way from one to another.

use super::balance::{Move, PacerLoad};
use super::{Control, Table};
use crate::FlowId;
use crate::flow::Flow;
use crate::pacer::Command;
use crate::transport::UdpHandle;

impl Control {
    /// Looks at the pacers' loads and moves flows where that helps. To be called about once a second.
    pub(crate) fn rebalance(&self, now_ns: u64) {
        self.with(|table, _| {
            table.loads = table.pacers.iter_mut().map(|pacer| pacer.load()).collect();
            let step = table.balance.observe(now_ns, &table.loads);
            if let Some(step) = step {
                table.migrate(step);
            }
        });
    }

    /// Moves flows by hand; loads decide again a few seconds later. Pacers that do not exist are ignored.
    pub(crate) fn move_flows(&self, from: usize, to: usize, flows: usize) {
        self.with(|table, _| {
            if from != to && from.max(to) < table.pacers.len() {
                table.migrate(Move { from, to, flows });
            }
        });
    }

    /// Passes on the flows that have left their pacers.
    #[expect(
        clippy::vec_box,
        reason = "flows stay in the boxes in which pacers pass them on"
    )]
    pub(crate) fn take_moved(&self, flows: Vec<Box<Flow<UdpHandle>>>) {
        if flows.is_empty() {
            return;
        }
        self.with(|table, _| {
            for flow in flows {
                if let Some((pacer, place)) = table.moving.remove(&flow.id()) {
                    table.pacers[pacer].arrive(place, flow);
                }
            }
        });
    }
}

impl Table {
    /// The pacer for a new flow.
    pub(super) fn emptiest(&self) -> usize {
        // Loads are a second old; flows placed since then count at once.
        let loads = self
            .pacers
            .iter()
            .enumerate()
            .map(|(number, pacer)| PacerLoad {
                flows: pacer.flows(),
                permille: self.loads.get(number).map_or(0, |load| load.permille),
            });
        self.balance.place(&loads.collect::<Vec<PacerLoad>>())
    }

    /// Pacers that were ever in use.
    pub(super) fn used(&self) -> usize {
        let moved_to = self.pacers.iter().rposition(|pacer| pacer.was_used());
        self.balance.in_use().max(moved_to.map_or(0, |at| at + 1))
    }

    /// Sends flows on their way. Those that play go first: they are what the load consists of.
    fn migrate(&mut self, step: Move) {
        let on_it = |id: &FlowId, playing: bool| {
            let entry = &self.flows[id];
            entry.pacer == step.from && entry.has_feed == playing && !self.moving.contains_key(id)
        };
        let playing = self.flows.keys().filter(|id| on_it(id, true));
        let idle = self.flows.keys().filter(|id| on_it(id, false));
        let chosen: Vec<FlowId> = playing.chain(idle).take(step.flows).copied().collect();
        for flow in chosen {
            if !self.send_away(flow, step) {
                break;
            }
        }
    }

    fn send_away(&mut self, flow: FlowId, step: Move) -> bool {
        if !self.pacers[step.from].has_room() {
            return false;
        }
        let Some(entry) = self.flows.get_mut(&flow) else {
            return true;
        };
        let Ok(place) = self.pacers[step.to].take_place() else {
            return false;
        };
        let former = entry.place;
        self.pacers[step.from].send_always(Command::Leave { place: former });
        self.pacers[step.from].give_back(former);
        self.pacers[step.to].expect(place);
        entry.pacer = step.to;
        entry.place = place;
        self.moving.insert(flow, (step.to, place));
        true
    }
}
