//! The jitter buffer itself: a short sorted queue, a line to place packets on, a wait that adapts.

use std::collections::VecDeque;

use super::delay::DelayEstimate;
use super::order::{Order, Placing, SequenceOrder};
use super::timeline::{Hole, Next, Timeline};
use super::{Arrival, JitterConfig, MAX_PACKET_SAMPLES, Placed, Playout, Stretch};
use crate::rtp::Sequence;

/// After this long without a packet a sender may begin anew without proof. 2 s.
const LONG_SILENCE_NS: u64 = 2_000_000_000;
/// The most packets that a configuration can let wait.
const MAX_CAPACITY: usize = 1_024;

/// What happened to a stream's packets so far.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct JitterStats {
    /// Packets offered.
    pub received: u64,
    /// Of those, packets that came before.
    pub duplicates: u64,
    /// Of those, packets whose place was given up.
    pub late: u64,
    /// Of those, packets dropped while it was unclear whether the sender began anew.
    pub strays: u64,
    /// Sequence numbers that were given up.
    pub lost: u64,
    /// Samples to be concealed.
    pub concealed_samples: u64,
    /// Frames to be recovered from the packet after them.
    pub recoverable: u64,
    /// Times the sender began anew under the same SSRC.
    pub restarts: u64,
    /// Times a missing packet was given up early because too many waited behind it.
    pub overflows: u64,
}

#[derive(Debug)]
struct Waiting<T> {
    number: u64,
    restarted: bool,
    arrival: Arrival<T>,
}

/// Puts one stream's packets in order and in their place.
#[derive(Debug)]
pub struct JitterBuffer<T> {
    config: JitterConfig,
    delay: DelayEstimate,
    order: Option<SequenceOrder>,
    /// Sorted by number, none of them released.
    waiting: VecDeque<Waiting<T>>,
    /// Exists from the first release on.
    line: Option<Timeline>,
    /// The number that is to be released next; counts once the line exists.
    next: u64,
    /// What lies before the first waiting packet and is still to be told.
    hole: Hole,
    /// Whether `hole` was worked out for the first waiting packet.
    measured: bool,
    last_at_ns: u64,
    stats: JitterStats,
}

impl<T> JitterBuffer<T> {
    /// An empty buffer; nothing is allocated before the first packet.
    pub fn new(mut config: JitterConfig) -> Self {
        config.capacity = config.capacity.clamp(1, MAX_CAPACITY);
        config.max_wait_ns = config.max_wait_ns.max(config.min_wait_ns);
        Self {
            config,
            delay: DelayEstimate::new(config),
            order: None,
            waiting: VecDeque::new(),
            line: None,
            next: 0,
            hole: Hole::default(),
            measured: false,
            last_at_ns: 0,
            stats: JitterStats::default(),
        }
    }

    /// Takes a packet in. Call [`poll`](Self::poll) afterwards until it yields nothing.
    pub fn insert(&mut self, mut arrival: Arrival<T>) -> Placing {
        arrival.samples = arrival.samples.clamp(1, MAX_PACKET_SAMPLES);
        self.stats.received += 1;
        let idle_ns = arrival.at_ns.saturating_sub(self.last_at_ns);
        let placing = match self.judge(arrival.sequence, idle_ns > LONG_SILENCE_NS) {
            Order::Fresh(number) if self.line.is_some() && number < self.next => Placing::Late,
            Order::Fresh(number) => {
                self.enqueue(number, false, arrival);
                return Placing::Queued;
            }
            Order::Restart(number) => {
                self.stats.restarts += 1;
                self.enqueue(number, true, arrival);
                return Placing::Restarted;
            }
            Order::Duplicate => Placing::Duplicate,
            Order::TooOld => Placing::Late,
            Order::Stray => Placing::Stray,
        };
        match placing {
            // A late packet shows how late packets can be.
            Placing::Late => {
                self.stats.late += 1;
                self.delay.note(arrival.at_ns, arrival.timestamp);
            }
            Placing::Duplicate => self.stats.duplicates += 1,
            _ => self.stats.strays += 1,
        }
        placing
    }

    /// The next piece of the line that is due at `now_ns`; call until there is none.
    pub fn poll(&mut self, now_ns: u64) -> Option<Playout<T>> {
        if self.deadline()? > now_ns {
            return None;
        }
        let front = self.waiting.front()?;
        let line = self.line.get_or_insert_with(|| {
            self.next = front.number;
            Timeline::starting_with(front.arrival.at_ns, front.arrival.timestamp)
        });
        if !self.measured {
            let missing = front.number - self.next;
            let next = Next {
                at_ns: front.arrival.at_ns,
                timestamp: front.arrival.timestamp,
                missing,
                restarted: front.restarted,
                silence: front.arrival.silence,
            };
            self.hole = line.hole_before(next, self.delay.jitter_ns());
            self.stats.lost += missing;
            self.next = front.number;
            self.measured = true;
            if self.hole.rebased {
                self.delay.forget_transit();
            }
        }
        Some(self.take_hole().unwrap_or_else(|| self.take_packet()))
    }

    /// When [`poll`](Self::poll) will next have something; `None` while nothing waits.
    pub fn deadline(&self) -> Option<u64> {
        let front = self.waiting.front()?;
        let in_turn = match self.line {
            Some(_) => front.number == self.next || self.measured,
            None => false,
        };
        if in_turn || self.waiting.len() >= self.config.capacity {
            return Some(0);
        }
        // The gap shows with the first packet behind it, which need not be the nearest one.
        let seen_ns = self.waiting.iter().map(|waiting| waiting.arrival.at_ns);
        let wait_ns = match self.line {
            Some(_) => self.delay.wait_ns(),
            None => self.config.min_wait_ns,
        };
        seen_ns.min().map(|seen| seen.saturating_add(wait_ns))
    }

    /// When position 0 was sent, judged by the fastest packets; `None` before the first release.
    pub fn origin_ns(&self) -> Option<u64> {
        self.line.map(|line| line.origin_ns())
    }

    /// RFC 3550's interarrival jitter, in nanoseconds.
    pub fn jitter_ns(&self) -> u64 {
        self.delay.jitter_ns()
    }

    /// How long a missing packet is waited for at present, in nanoseconds.
    pub fn wait_ns(&self) -> u64 {
        self.delay.wait_ns()
    }

    /// Packets that wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// What happened so far.
    pub fn stats(&self) -> JitterStats {
        self.stats
    }

    fn judge(&mut self, sequence: Sequence, after_long_silence: bool) -> Order {
        match &mut self.order {
            Some(order) => order.take(sequence, after_long_silence),
            None => {
                let order = self.order.insert(SequenceOrder::starting_at(sequence));
                Order::Fresh(order.highest())
            }
        }
    }

    fn enqueue(&mut self, number: u64, restarted: bool, arrival: Arrival<T>) {
        self.last_at_ns = self.last_at_ns.max(arrival.at_ns);
        self.delay.note(arrival.at_ns, arrival.timestamp);
        let at = self
            .waiting
            .partition_point(|waiting| waiting.number < number);
        // A hole that is being told lies before another packet than it did; it is kept, and the
        // newcomer that would have filled it is refused as late, because `next` has moved on.
        self.waiting.insert(
            at,
            Waiting {
                number,
                restarted,
                arrival,
            },
        );
        if self.waiting.len() == self.config.capacity {
            self.stats.overflows += 1;
        }
    }

    /// The next part of the hole before the first waiting packet.
    fn take_hole(&mut self) -> Option<Playout<T>> {
        let Hole {
            conceal,
            silence,
            recover,
            ..
        } = self.hole;
        if conceal > 0 {
            self.hole.conceal = 0;
            self.stats.concealed_samples += conceal;
            return Some(Playout::Conceal(self.skip(conceal)));
        }
        if silence > 0 {
            self.hole.silence = 0;
            return Some(Playout::Silence(self.skip(silence)));
        }
        if recover > 0 {
            self.hole.recover = 0;
            self.stats.recoverable += 1;
            return Some(Playout::Recover(self.skip(recover)));
        }
        None
    }

    fn skip(&mut self, samples: u64) -> Stretch {
        let position = self.line.map_or(0, |line| line.end());
        if let Some(line) = &mut self.line {
            line.skip(samples);
        }
        Stretch { position, samples }
    }

    fn take_packet(&mut self) -> Playout<T> {
        let waiting = self.waiting.pop_front();
        let Waiting { arrival, .. } = waiting.expect("poll saw a first packet");
        self.measured = false;
        self.next += 1;
        let Arrival {
            at_ns,
            sequence,
            timestamp,
            samples,
            silence,
            payload,
        } = arrival;
        let position = self.line.map_or(0, |line| line.end());
        if let Some(line) = &mut self.line {
            line.append(at_ns, timestamp, samples, silence);
        }
        let stretch = Stretch {
            position,
            samples: u64::from(samples),
        };
        Playout::Packet(Placed {
            stretch,
            at_ns,
            sequence,
            timestamp,
            silence,
            payload,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::Timestamp;

    const MS: u64 = 1_000_000;

    /// What a test sees of a playout: `p` packet, `c` conceal, `r` recover, `s` silence, and frames.
    fn drain(buffer: &mut JitterBuffer<u16>, now_ms: u64) -> Vec<(char, u64)> {
        let mut out = Vec::new();
        while let Some(playout) = buffer.poll(now_ms * MS) {
            let frames = playout.stretch().samples / 960;
            out.push(match playout {
                Playout::Packet(placed) => ('p', u64::from(placed.payload)),
                Playout::Conceal(_) => ('c', frames),
                Playout::Recover(_) => ('r', frames),
                Playout::Silence(_) => ('s', frames),
            });
        }
        out
    }

    fn put(buffer: &mut JitterBuffer<u16>, at_ms: u64, sequence: u16, frame: u32) -> Placing {
        buffer.insert(Arrival {
            at_ns: at_ms * MS,
            sequence: Sequence(sequence),
            timestamp: Timestamp(frame.wrapping_mul(960)),
            samples: 960,
            silence: false,
            payload: sequence,
        })
    }

    /// A buffer that has released packet 0.
    fn running() -> JitterBuffer<u16> {
        let mut buffer = JitterBuffer::new(JitterConfig::default());
        put(&mut buffer, 0, 0, 0);
        assert_eq!(drain(&mut buffer, 39), []);
        assert_eq!(drain(&mut buffer, 40), [('p', 0)]);
        buffer
    }

    #[test]
    fn the_first_packet_waits_for_one_that_was_sent_before_it() {
        let mut buffer = JitterBuffer::new(JitterConfig::default());
        put(&mut buffer, 0, 8, 8);
        put(&mut buffer, 5, 7, 7);
        assert_eq!(buffer.deadline(), Some(40 * MS));
        assert_eq!(drain(&mut buffer, 40), [('p', 7), ('p', 8)]);
    }

    #[test]
    fn what_comes_from_before_a_restart_takes_nobodys_place() {
        let mut buffer = running();
        put(&mut buffer, 60, 2, 2);
        assert_eq!(put(&mut buffer, 61, 5000, 5000), Placing::Stray);
        assert_eq!(put(&mut buffer, 62, 5001, 5001), Placing::Restarted);
        assert_eq!(put(&mut buffer, 63, 5000, 5000), Placing::Late);
        let packets = |out: Vec<(char, u64)>| out.into_iter().filter(|(kind, _)| *kind == 'p');
        let heard: Vec<_> = packets(drain(&mut buffer, 1_000)).collect();
        assert_eq!(heard, [('p', 2), ('p', 5001)]);
        assert_eq!(buffer.stats().lost, 1);
    }

    #[test]
    fn packets_in_order_leave_at_once() {
        let mut buffer = running();
        put(&mut buffer, 41, 1, 1);
        assert_eq!(drain(&mut buffer, 41), [('p', 1)]);
        assert_eq!(buffer.deadline(), None);
    }

    #[test]
    fn a_missing_packet_is_waited_for_and_then_concealed() {
        let mut buffer = running();
        put(&mut buffer, 60, 3, 3);
        assert_eq!(drain(&mut buffer, 60), []);
        let due_ms = buffer.deadline().expect("one waits") / MS;
        assert_eq!(due_ms, 100);
        assert_eq!(drain(&mut buffer, due_ms), [('c', 1), ('r', 1), ('p', 3)]);
        assert_eq!(put(&mut buffer, 101, 2, 2), Placing::Late);
        let stats = buffer.stats();
        assert_eq!((stats.lost, stats.late, stats.recoverable), (2, 1, 1));
    }

    #[test]
    fn reordered_and_doubled_packets_come_out_once_and_in_order() {
        let mut buffer = running();
        for (at_ms, sequence) in [(41, 2), (42, 1), (43, 1), (44, 2), (45, 0)] {
            put(&mut buffer, at_ms, sequence, u32::from(sequence));
        }
        assert_eq!(drain(&mut buffer, 45), [('p', 1), ('p', 2)]);
        assert_eq!(buffer.stats().duplicates, 3);
    }

    #[test]
    fn a_sender_that_begins_anew_goes_on_where_it_was() {
        let mut buffer = running();
        assert_eq!(put(&mut buffer, 60, 30_000, 99_000), Placing::Stray);
        assert_eq!(put(&mut buffer, 80, 30_001, 99_001), Placing::Restarted);
        assert_eq!(drain(&mut buffer, 80), [('p', 30_001)]);
        put(&mut buffer, 100, 30_002, 99_002);
        assert_eq!(drain(&mut buffer, 100), [('p', 30_002)]);
        assert_eq!(buffer.stats().restarts, 1);
    }

    #[test]
    fn the_queue_never_grows_beyond_its_limit() {
        let config = JitterConfig {
            capacity: 4,
            ..JitterConfig::default()
        };
        let mut buffer = JitterBuffer::new(config);
        put(&mut buffer, 0, 0, 0);
        drain(&mut buffer, 40);
        for sequence in 2..6 {
            put(&mut buffer, 41, sequence, u32::from(sequence));
        }
        assert_eq!(drain(&mut buffer, 41)[..2], [('r', 1), ('p', 2)]);
        assert_eq!((buffer.len(), buffer.stats().overflows), (0, 1));
    }
}
