//! Sequence numbers: unwrapped, and judged as new, known, late or from another life of the sender.

use crate::rtp::Sequence;

/// A jump back of up to this many packets is reordering (RFC 3550, appendix A.1: MAX_MISORDER).
const MAX_MISORDER: i32 = 100;
/// A jump ahead of up to this many packets is loss (RFC 3550, appendix A.1: MAX_DROPOUT).
const MAX_DROPOUT: i32 = 3_000;

/// What became of a packet that was offered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Placing {
    /// It waits for its turn or is ready.
    Queued,
    /// It came before.
    Duplicate,
    /// Its place was given up already.
    Late,
    /// Its number is far from all others; the next packet tells whether the sender began anew.
    Stray,
    /// The sender began anew; the line goes on with this packet.
    Restarted,
}

/// Where a number stands among those seen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Order {
    /// Not seen before; its unwrapped number.
    Fresh(u64),
    Duplicate,
    /// Older than anything that is remembered.
    TooOld,
    Stray,
    /// The first of a new life; its unwrapped number follows the highest one.
    Restart(u64),
}

/// The numbers of one stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct SequenceOrder {
    highest: u64,
    highest_raw: Sequence,
    /// Bit `n`: the number `highest - n` was seen.
    seen: u128,
    /// The first number of this life of the sender: what comes from before it has no place any more, and its number
    /// belongs to another packet.
    floor: u64,
    /// The number that would prove a restart.
    expected_after_stray: Option<Sequence>,
}

impl SequenceOrder {
    /// Begins with a number. Unwrapped numbers start high enough to go back by a wrap.
    pub(super) fn starting_at(first: Sequence) -> Self {
        Self {
            highest: (1 << 32) + u64::from(first.0),
            highest_raw: first,
            seen: 1,
            floor: 0,
            expected_after_stray: None,
        }
    }

    pub(super) fn highest(&self) -> u64 {
        self.highest
    }

    /// Judges a number and remembers it. After a long silence a far number needs no proof.
    pub(super) fn take(&mut self, sequence: Sequence, after_long_silence: bool) -> Order {
        let delta = i32::from(sequence.0.wrapping_sub(self.highest_raw.0) as i16);
        if !(-MAX_MISORDER..=MAX_DROPOUT).contains(&delta) {
            return self.take_far(sequence, after_long_silence);
        }
        self.expected_after_stray = None;
        if delta > 0 {
            return Order::Fresh(self.advance(delta as u32, sequence));
        }
        let back = delta.unsigned_abs();
        let unwrapped = self.highest.saturating_sub(u64::from(back));
        if unwrapped < self.floor {
            return Order::TooOld;
        }
        let bit = 1_u128 << back;
        if self.seen & bit != 0 {
            return Order::Duplicate;
        }
        self.seen |= bit;
        Order::Fresh(unwrapped)
    }

    fn take_far(&mut self, sequence: Sequence, after_long_silence: bool) -> Order {
        if !after_long_silence && self.expected_after_stray != Some(sequence) {
            self.expected_after_stray = Some(sequence.next());
            return Order::Stray;
        }
        let unwrapped = self.advance(1, sequence);
        self.seen = 1;
        self.floor = unwrapped;
        self.expected_after_stray = None;
        Order::Restart(unwrapped)
    }

    fn advance(&mut self, by: u32, sequence: Sequence) -> u64 {
        self.seen = self.seen.checked_shl(by).unwrap_or(0) | 1;
        self.highest += u64::from(by);
        self.highest_raw = sequence;
        self.highest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_unwrap_over_the_end() {
        let mut order = SequenceOrder::starting_at(Sequence(65_534));
        let first = order.highest();
        let taken = [65_535, 1, 0].map(|raw| order.take(Sequence(raw), false));
        assert_eq!(
            taken,
            [
                Order::Fresh(first + 1),
                Order::Fresh(first + 3),
                Order::Fresh(first + 2)
            ]
        );
        assert_eq!(order.take(Sequence(0), false), Order::Duplicate);
        assert_eq!(order.take(Sequence(65_534), false), Order::Duplicate);
    }

    #[test]
    fn a_far_number_needs_a_second_one_unless_the_line_was_quiet() {
        let mut order = SequenceOrder::starting_at(Sequence(100));
        let first = order.highest();
        assert_eq!(order.take(Sequence(40_000), false), Order::Stray);
        assert_eq!(order.take(Sequence(101), false), Order::Fresh(first + 1));
        assert_eq!(order.take(Sequence(40_001), false), Order::Stray);
        assert_eq!(
            order.take(Sequence(40_002), false),
            Order::Restart(first + 2)
        );
        assert_eq!(order.take(Sequence(7), true), Order::Restart(first + 3));
    }
}
