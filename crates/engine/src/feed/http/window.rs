//! What a pipe holds: a window of a source's bytes, and what is known about them.

use std::collections::VecDeque;

use crate::feed::StreamMetadata;
use crate::feed::error::FeedError;

/// Bytes kept behind the reader, so that a short step back needs no request.
const BEHIND: u64 = 32 * 1024;
/// Announcements that wait for the reader to come to their place.
const MAX_SAID: usize = 32;

#[derive(Debug, Default)]
pub(super) struct State {
    /// Position of the first byte in `data`.
    pub(super) head: u64,
    pub(super) data: VecDeque<u8>,
    pub(super) position: u64,
    pub(super) generation: u64,
    pub(super) about: About,
    /// `data` runs up to the end of the source.
    pub(super) complete: bool,
    /// What the source says, each from its position on; the oldest go when there are too many.
    pub(super) said: VecDeque<(u64, StreamMetadata)>,
    pub(super) failure: Option<FeedError>,
    pub(super) failure_met: bool,
    pub(super) closed: bool,
    /// What the decoder wants to see before it runs.
    pub(super) needed: u64,
    pub(super) wake_wanted: bool,
    pub(super) reader_waits: bool,
    pub(super) transfer_waits: bool,
    /// Where parts begin that the reader has not entered, in order.
    pub(super) parts: VecDeque<Part>,
    /// The source comes in parts.
    pub(super) parted: bool,
    /// The reader has entered a part and not left it.
    pub(super) inside: bool,
    /// Where to begin, in milliseconds of source time; for sources that are sought by time.
    pub(super) time_ms: u64,
}

/// A stream of its own within the source.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    position: u64,
    /// The source time of its beginning.
    start_ms: u64,
}

/// What follows when a reader is done with a part.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Onward {
    /// Another part.
    Part,
    /// Nothing: the source is over.
    End,
    /// More of the same part, which the reader did not take.
    Unread,
}

/// What the first answer said about the source.
#[derive(Clone, Debug, Default)]
pub(crate) struct About {
    pub(crate) total: Option<u64>,
    pub(crate) seekable: bool,
    pub(crate) mime: Option<String>,
    /// What comes is what is on air: it cannot be sought in.
    pub(crate) live: bool,
    /// The source comes in parts that are found by time.
    pub(crate) by_time: bool,
    /// The length in milliseconds, where the source itself tells.
    pub(crate) duration_ms: Option<u64>,
}

/// Where a transfer begins, and for which generation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Target {
    pub(super) offset: u64,
    pub(super) generation: u64,
    pub(super) time_ms: u64,
}

impl State {
    pub(super) fn end(&self) -> u64 {
        self.head + self.data.len() as u64
    }

    /// Bytes in the window that the reader has not had.
    pub(super) fn ahead(&self) -> u64 {
        self.end().saturating_sub(self.position.max(self.head))
    }

    pub(super) fn ready(&self) -> bool {
        self.closed
            || self.failure.is_some()
            || self.complete
            || self.at_known_end()
            || (self.inside && self.at_break())
            || self.parts.iter().any(|part| part.position > self.position)
            || (self.position >= self.head && self.ahead() >= self.needed)
    }

    /// Whether the reader has come to the end of a part, or has not entered one.
    pub(super) fn at_break(&self) -> bool {
        let begins = |part: &Part| part.position <= self.position;
        self.parted && (!self.inside || self.parts.front().is_some_and(begins))
    }

    pub(super) fn in_parts(&self) -> bool {
        self.parted
    }

    /// Begins a part at the end of what is there.
    pub(super) fn begin_part(&mut self, start_ms: u64) {
        self.parted = true;
        let position = self.end();
        // A part without a byte is none.
        if self
            .parts
            .back()
            .is_some_and(|part| part.position == position)
        {
            self.parts.pop_back();
        }
        self.parts.push_back(Part { position, start_ms });
    }

    /// Enters the part that begins here; its time, or `None` when there is none.
    pub(super) fn enter_part(&mut self) -> Option<u64> {
        let position = self.position;
        let part = *self
            .parts
            .front()
            .filter(|part| part.position <= position)?;
        self.parts.pop_front();
        self.inside = true;
        Some(part.start_ms)
    }

    /// Leaves a part, with whatever was not read of it.
    pub(super) fn leave_part(&mut self) -> Onward {
        if let Some(part) = self.parts.front() {
            self.position = self.position.max(part.position);
            self.inside = false;
            return Onward::Part;
        }
        match self.complete {
            true => Onward::End,
            false => Onward::Unread,
        }
    }

    /// Forgets everything and begins at another time.
    pub(super) fn seek_time(&mut self, time_ms: u64) {
        let end = self.end();
        (self.head, self.position) = (end, end);
        self.data.clear();
        self.parts.clear();
        self.said.clear();
        (self.inside, self.complete) = (false, false);
        self.generation += 1;
        self.time_ms = time_ms;
    }

    /// Notes what the source says about the bytes that follow.
    pub(super) fn announce(&mut self, said: StreamMetadata) {
        if self.said.len() == MAX_SAID {
            self.said.pop_front();
        }
        self.said.push_back((self.end(), said));
    }

    /// What the source says about the place that the reader has come to, once.
    pub(super) fn take_metadata(&mut self) -> Option<StreamMetadata> {
        let reached = self.position;
        let due = self
            .said
            .partition_point(|(position, _)| *position <= reached);
        self.said.drain(..due).next_back().map(|(_, said)| said)
    }

    pub(super) fn at_known_end(&self) -> bool {
        self.about.total.is_some_and(|total| self.position >= total)
    }

    pub(super) fn copy_out(&mut self, out: &mut [u8]) -> usize {
        if self.position < self.head || self.position >= self.end() {
            return 0;
        }
        let skip = (self.position - self.head) as usize;
        let (front, back) = self.data.as_slices();
        let chunk = if skip < front.len() {
            &front[skip..]
        } else {
            &back[skip - front.len()..]
        };
        let until_break = self
            .parts
            .front()
            .map_or(u64::MAX, |part| part.position.saturating_sub(self.position));
        let until_break = usize::try_from(until_break).unwrap_or(usize::MAX);
        let count = chunk.len().min(out.len()).min(until_break);
        out[..count].copy_from_slice(&chunk[..count]);
        self.position += count as u64;
        self.forget_behind();
        count
    }

    pub(super) fn forget_behind(&mut self) {
        let keep_from = self.position.saturating_sub(BEHIND).max(self.head);
        let excess = ((keep_from - self.head) as usize).min(self.data.len());
        self.data.drain(..excess);
        self.head += excess as u64;
    }
}
