//! Opus in, the same Opus out: packets handed on, re-framed to 20 ms where they have to be.

use std::collections::VecDeque;

use crate::FRAME_SAMPLES;
use crate::error::AudioError;
use crate::options::FrameInfo;
use crate::opus::{Reframer, Unsplittable};
use crate::opus_pcm::OpusPcm;
use crate::packets::{OpusPackets, TimedPacket};

/// Samples in a millisecond.
const SAMPLES_PER_MS: i64 = 48;

/// What asking for a frame may come to.
pub(crate) enum Passed<F = FrameInfo> {
    Frame(F),
    End,
    /// From here on packets cannot be passed through.
    MustDecode,
}

/// A frame as it was found.
pub(crate) struct PassedFrame {
    pub(crate) data: Vec<u8>,
    /// Source time in milliseconds at which it is over.
    pub(crate) position_ms: u64,
}

/// A track whose packets pass through.
pub(crate) struct Passthrough {
    source: OpusPackets,
    reframer: Reframer,
    queue: VecDeque<(Vec<u8>, i64)>,
    /// Where the frame that is being put together begins.
    cursor: i64,
    /// Source time of the end of the last packet, which a stream may cut short.
    heard_to: i64,
    /// Frames that end at or before this are left out; the pre-skip is kept at the very beginning.
    from: i64,
    end: i64,
    ended: bool,
    /// The packet that cannot pass.
    stuck: Option<TimedPacket>,
}

impl Passthrough {
    pub(crate) fn new(source: OpusPackets, end_ms: Option<u64>) -> Passthrough {
        Passthrough {
            source,
            reframer: Reframer::default(),
            queue: VecDeque::new(),
            cursor: 0,
            heard_to: 0,
            from: i64::MIN,
            end: end_ms.map_or(i64::MAX, samples),
            ended: false,
            stuck: None,
        }
    }

    /// Hands out the next frame.
    pub(crate) fn next_frame(&mut self) -> Result<Passed<PassedFrame>, AudioError> {
        self.fill()?;
        let Some((data, start)) = self.queue.pop_front() else {
            return Ok(if self.is_stuck() {
                Passed::MustDecode
            } else {
                Passed::End
            });
        };
        let end = start
            .saturating_add(FRAME_SAMPLES as i64)
            .min(self.heard_to.max(start))
            .min(self.end);
        let position_ms = end.max(0) as u64 / SAMPLES_PER_MS as u64;
        Ok(Passed::Frame(PassedFrame { data, position_ms }))
    }

    /// Goes to the frame that holds `position_ms`; returns where it begins.
    pub(crate) fn seek(&mut self, position_ms: u64) -> Result<u64, AudioError> {
        let target = samples(position_ms);
        self.source.seek(if position_ms == 0 {
            i64::MIN / 2
        } else {
            target
        })?;
        self.reframer.clear();
        self.queue.clear();
        self.stuck = None;
        self.ended = target >= self.end;
        self.from = if position_ms == 0 { i64::MIN } else { target };
        self.fill()?;
        let start = self.queue.front().map(|(_, start)| (*start).max(0) as u64);
        Ok(start.map_or(position_ms, |start| start / SAMPLES_PER_MS as u64))
    }

    /// Whether the next packet has to be decoded.
    pub(crate) fn is_stuck(&self) -> bool {
        self.queue.is_empty() && self.stuck.is_some()
    }

    /// The packets for the way that decodes them, and the source time in milliseconds to begin at.
    pub(crate) fn into_pcm(self) -> Result<(OpusPcm, u64), AudioError> {
        let start = self
            .stuck
            .as_ref()
            .map_or(self.cursor, |packet| packet.start);
        let position_ms = start.max(self.from).max(0) as u64 / SAMPLES_PER_MS as u64;
        Ok((OpusPcm::new(self.source, self.stuck)?, position_ms))
    }

    /// Makes a frame available unless the track is over or stuck.
    pub(crate) fn fill(&mut self) -> Result<(), AudioError> {
        while self.queue.is_empty() && !self.ended && self.stuck.is_none() {
            let Some(packet) = self.source.next_packet()? else {
                self.ended = true;
                let cursor = self.cursor;
                self.reframer
                    .finish(|frame| self.queue.push_back((frame.to_vec(), cursor)));
                break;
            };
            if packet.end() <= self.from {
                self.reframer.clear();
            } else if packet.start >= self.end {
                self.ended = true;
            } else if let Err(packet) = self.take(packet) {
                self.stuck = Some(packet);
            }
        }
        Ok(())
    }

    /// Puts a packet into frames, or gives it back when that is impossible.
    fn take(&mut self, packet: TimedPacket) -> Result<(), TimedPacket> {
        if !self.source.head().single_stream {
            return Err(packet);
        }
        if self.reframer.pending_samples() == 0 {
            self.cursor = packet.start;
        }
        self.heard_to = packet.end();
        let (cursor, queue) = (&mut self.cursor, &mut self.queue);
        let (from, end, heard_to) = (self.from, self.end, self.heard_to);
        let mut place = || {
            let start = *cursor;
            *cursor = cursor.saturating_add(FRAME_SAMPLES as i64);
            (*cursor > from && start < end.min(heard_to)).then_some(start)
        };
        if self.reframer.passes_whole(&packet.data) {
            queue.extend(place().map(|start| (packet.data, start)));
            return Ok(());
        }
        let pushed = self.reframer.push(&packet.data, |frame| {
            queue.extend(place().map(|start| (frame.to_vec(), start)));
        });
        // The container has checked the packet's lengths, so malformed ones do not come this far.
        match pushed {
            Ok(()) | Err(Unsplittable::Malformed(_)) => Ok(()),
            Err(_) => Err(packet),
        }
    }
}

fn samples(milliseconds: u64) -> i64 {
    i64::try_from(milliseconds)
        .unwrap_or(i64::MAX)
        .saturating_mul(SAMPLES_PER_MS)
}
