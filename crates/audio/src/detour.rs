//! A track whose Opus packets pass through, by way of the filters while these change its sound.
//!
//! ```text
//! packets ──────────────────────────────────▶ frames     nothing is decoded
//!    └─▶ decoder ─▶ filters ─▶ encoder ──────▶ frames     while filters are on
//! ```
//!
//! Both ways lie on one timeline: packet `n` is heard from sample `960 n` on. The encoder is fed that
//! much earlier as its sound comes late, so that a frame from it takes the place of a packet exactly,
//! and the way can change between any two frames. Only the timescale leaves the grid of the packets;
//! on the way back from it the sound is faded over to the nearest place on the grid.

use std::collections::VecDeque;

use crate::error::AudioError;
use crate::filters::FilterSettings;
use crate::options::{EncoderSettings, FrameInfo};
use crate::opus::{Decoder, MAX_PACKET_SAMPLES};
use crate::passthrough::{Passed, PassedFrame, Passthrough};
use crate::renderer::{LEAD_IN, MOST_BACK, Rendered, Renderer};
use crate::transcode::codec_failed;
use crate::{FRAME_SAMPLES, MAX_OPUS_FRAME};

/// Packets that a decoder needs to settle: 80 ms (RFC 7845, section 4.6).
const PREROLL: u64 = 4;
const FRAME_MS: u64 = 20;
/// Packets kept behind the decoder for the places of what is heard.
const BEHIND: u64 = 32;

const SAMPLES: i64 = FRAME_SAMPLES as i64;

/// A track that passes through and may be filtered.
pub(crate) struct Detour {
    pass: Passthrough,
    encoder: EncoderSettings,
    filters: FilterSettings,
    packets: Packets,
    /// The number of the next packet to hand out as it is.
    next: u64,
    /// Where the latest frames came from, oldest first.
    made: VecDeque<Made>,
    /// Kept for as long as frames of it may be made again.
    way: Option<Box<FilteredWay>>,
    /// Whether frames come out of it at present.
    filtering: bool,
}

/// The latest packets, each with its number.
#[derive(Default)]
struct Packets {
    waiting: VecDeque<PassedFrame>,
    /// The number of the first one.
    first: u64,
    ended: bool,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Made {
    Passed(u64),
    Filtered,
}

struct FilteredWay {
    decoder: Decoder,
    renderer: Renderer,
    /// The number of the packet to decode next.
    next: u64,
}

impl Detour {
    /// A track that stands at its first packet.
    pub(crate) fn new(pass: Passthrough, encoder: &EncoderSettings) -> Detour {
        Detour {
            pass,
            encoder: *encoder,
            filters: FilterSettings::default(),
            packets: Packets::default(),
            next: 0,
            made: VecDeque::new(),
            way: None,
            filtering: false,
        }
    }

    /// Begins with these filters at `start_ms` of source time.
    pub(crate) fn begin(
        &mut self,
        filters: &FilterSettings,
        start_ms: u64,
    ) -> Result<(), AudioError> {
        self.filters = *filters;
        if start_ms > 0 {
            self.seek(start_ms)?;
        } else if !filters.is_neutral() {
            self.enter(0, false)?;
        }
        Ok(())
    }

    /// Hands out the next frame.
    pub(crate) fn next_frame(
        &mut self,
        out: &mut [u8; MAX_OPUS_FRAME],
    ) -> Result<Passed, AudioError> {
        let frame = if self.filtering {
            self.next_filtered(out)?
        } else {
            self.next_passed(out)?
        };
        if self.made.len() > MOST_BACK {
            self.keep(MOST_BACK);
        }
        Ok(frame)
    }

    /// Changes the filters from the frame that was handed out `back` frames ago. Returns how many
    /// frames come again.
    pub(crate) fn set_filters(
        &mut self,
        filters: &FilterSettings,
        back: usize,
    ) -> Result<usize, AudioError> {
        let back = back.min(self.made.len());
        let first = self.made.len() - back;
        let again: Vec<Made> = self.made.drain(first..).collect();
        let first = again.first().copied();
        match first.unwrap_or(self.upcoming()) {
            Made::Filtered => {
                let filtered = again.iter().filter(|made| **made == Made::Filtered);
                let count = filtered.count();
                if let Some(way) = &mut self.way {
                    way.renderer.set_filters(filters, count)?;
                }
                self.filtering = true;
                self.filters = *filters;
            }
            Made::Passed(number) => {
                self.next = number;
                self.filtering = false;
                self.filters = *filters;
                if !filters.is_neutral() {
                    self.enter(number, true)?;
                }
            }
        }
        Ok(back)
    }

    /// Takes on new encoder settings: at once while something is encoded, and for later.
    pub(crate) fn set_encoder(&mut self, settings: &EncoderSettings) -> Result<(), AudioError> {
        self.encoder = *settings;
        match &mut self.way {
            Some(way) => way.renderer.set_encoder(settings),
            None => Ok(()),
        }
    }

    /// As [`Renderer::keep`].
    pub(crate) fn keep(&mut self, frames: usize) {
        let surplus = self.made.len().saturating_sub(frames);
        self.made.drain(..surplus);
        let filtered = |made: &Made| *made == Made::Filtered;
        if !self.filtering && !self.made.iter().any(filtered) {
            self.way = None;
        }
        let passed = self.made.iter().find_map(|made| match made {
            Made::Passed(number) => Some(*number),
            Made::Filtered => None,
        });
        let oldest = match &mut self.way {
            Some(way) => {
                way.renderer
                    .keep(self.made.iter().filter(|made| filtered(made)).count());
                way.next.saturating_sub(BEHIND)
            }
            None => self.next,
        };
        let oldest = oldest.min(passed.unwrap_or(self.next));
        let lead_in = LEAD_IN as u64 + PREROLL;
        self.packets.forget_before(oldest.saturating_sub(lead_in));
    }

    /// Goes to the frame that holds `position_ms`; returns where it begins.
    pub(crate) fn seek(&mut self, position_ms: u64) -> Result<u64, AudioError> {
        self.packets = Packets::default();
        self.made.clear();
        self.next = 0;
        self.way = None;
        self.filtering = false;
        if self.filters.is_neutral() {
            return self.pass.seek(position_ms);
        }
        let early_ms = position_ms.saturating_sub(PREROLL * FRAME_MS);
        let mut reached = self.pass.seek(early_ms)?;
        while let Some(packet) = self.packets.get(self.next, &mut self.pass)?
            && packet.position_ms <= position_ms
            && position_ms > 0
        {
            reached = packet.position_ms;
            self.next += 1;
        }
        self.enter(self.next, false)?;
        Ok(reached)
    }

    /// Whether the next packet has to be decoded.
    pub(crate) fn is_stuck(&self) -> bool {
        self.pass.is_stuck() && !self.filtering && self.next >= self.packets.end()
    }

    /// The packets, for the way that decodes them all.
    pub(crate) fn into_passthrough(self) -> Passthrough {
        self.pass
    }

    fn upcoming(&self) -> Made {
        if self.filtering {
            Made::Filtered
        } else {
            Made::Passed(self.next)
        }
    }

    fn next_passed(&mut self, out: &mut [u8; MAX_OPUS_FRAME]) -> Result<Passed, AudioError> {
        let Some(packet) = self.packets.get(self.next, &mut self.pass)? else {
            return Ok(if self.pass.is_stuck() {
                Passed::MustDecode
            } else {
                Passed::End
            });
        };
        let len = packet.data.len();
        out[..len].copy_from_slice(&packet.data);
        let position_ms = packet.position_ms;
        self.made.push_back(Made::Passed(self.next));
        self.next += 1;
        Ok(Passed::Frame(FrameInfo { len, position_ms }))
    }

    fn next_filtered(&mut self, out: &mut [u8; MAX_OPUS_FRAME]) -> Result<Passed, AudioError> {
        if self.way_back() {
            return self.next_passed(out);
        }
        let Some(way) = &mut self.way else {
            return Ok(Passed::End);
        };
        loop {
            match way.renderer.next(out)? {
                Rendered::Frame(len) => {
                    let position_ms = self.packets.position_ms(way.renderer.heard());
                    self.made.push_back(Made::Filtered);
                    return Ok(Passed::Frame(FrameInfo { len, position_ms }));
                }
                Rendered::NeedsSound => way.decode_more(&mut self.packets, &mut self.pass)?,
                Rendered::End => {
                    self.filtering = false;
                    self.next = self.packets.end();
                    return Ok(if self.pass.is_stuck() {
                        Passed::MustDecode
                    } else {
                        Passed::End
                    });
                }
            }
        }
    }

    /// Leaves the filters once they change nothing and the sound lies on the packets' grid.
    fn way_back(&mut self) -> bool {
        let Some(way) = self.way.as_mut().filter(|way| way.renderer.is_plain()) else {
            return false;
        };
        let heard = way.renderer.heard();
        let off = heard.rem_euclid(SAMPLES);
        if off == 0 {
            self.filtering = false;
            self.next = u64::try_from(heard / SAMPLES).unwrap_or(0);
            return true;
        }
        way.renderer.jump(if off <= SAMPLES / 2 {
            -off
        } else {
            SAMPLES - off
        });
        false
    }

    /// Goes by way of the filters from packet `number` on. They glide from what was `heard` before,
    /// if anything was.
    fn enter(&mut self, number: u64, heard: bool) -> Result<(), AudioError> {
        let from = number
            .saturating_sub(LEAD_IN as u64 + PREROLL)
            .max(self.packets.first);
        let settled = match from {
            0 => 0,
            _ => (from + PREROLL).min(number),
        };
        let neutral = FilterSettings::default();
        let mut way = Box::new(FilteredWay {
            decoder: Decoder::new(0).map_err(codec_failed)?,
            renderer: Renderer::new(&self.encoder, &neutral, settled as i64 * SAMPLES)?,
            next: from,
        });
        while way.next < settled {
            way.decode_more(&mut self.packets, &mut self.pass)?;
            way.renderer.sound().clear();
        }
        way.lead_in(number, &mut self.packets, &mut self.pass)?;
        way.renderer.begin_with(&self.filters, heard);
        self.way = Some(way);
        self.made.clear();
        self.filtering = true;
        Ok(())
    }
}

impl FilteredWay {
    /// Decodes one more packet for the renderer.
    fn decode_more(
        &mut self,
        packets: &mut Packets,
        pass: &mut Passthrough,
    ) -> Result<(), AudioError> {
        let Some(packet) = packets.get(self.next, pass)? else {
            self.renderer.end_sound();
            return Ok(());
        };
        self.next += 1;
        let mut pcm = [0.0; 2 * MAX_PACKET_SAMPLES];
        // A packet that cannot be decoded is as long as any other, but silent.
        let _ = self.decoder.decode(&packet.data, &mut pcm);
        self.renderer
            .sound()
            .extend_from_slice(&pcm[..2 * FRAME_SAMPLES]);
        Ok(())
    }

    /// Leads the encoder up to where packet `number` is heard.
    fn lead_in(
        &mut self,
        number: u64,
        packets: &mut Packets,
        pass: &mut Passthrough,
    ) -> Result<(), AudioError> {
        let to = number as i64 * SAMPLES + i64::from(self.renderer.lookahead());
        while self.renderer.sound_end() < to {
            let before = self.next;
            self.decode_more(packets, pass)?;
            if self.next == before {
                break;
            }
        }
        self.renderer.lead_in(to)
    }
}

impl Packets {
    /// Packet `number`, which may be the next one to be read; `None` when there is no further one.
    fn get(
        &mut self,
        number: u64,
        pass: &mut Passthrough,
    ) -> Result<Option<&PassedFrame>, AudioError> {
        while number >= self.end() && !self.ended {
            match pass.next_frame()? {
                Passed::Frame(frame) => self.waiting.push_back(frame),
                Passed::End | Passed::MustDecode => self.ended = true,
            }
        }
        Ok(number
            .checked_sub(self.first)
            .and_then(|place| self.waiting.get(usize::try_from(place).ok()?)))
    }

    fn end(&self) -> u64 {
        self.first + self.waiting.len() as u64
    }

    fn forget_before(&mut self, number: u64) {
        let surplus = number
            .saturating_sub(self.first)
            .min(self.waiting.len() as u64);
        self.waiting.drain(..surplus as usize);
        self.first += surplus;
    }

    /// Source time in milliseconds of a place on the timeline.
    fn position_ms(&self, sample: i64) -> u64 {
        let number = u64::try_from(sample.max(0) / SAMPLES).unwrap_or(0);
        let before = number.checked_sub(self.first + 1);
        let over = |place: Option<u64>| {
            let place = usize::try_from(place?).ok()?;
            self.waiting.get(place).map(|packet| packet.position_ms)
        };
        let Some(end) =
            over(number.checked_sub(self.first)).or(self.waiting.back().map(|p| p.position_ms))
        else {
            return 0;
        };
        let begin = over(before).unwrap_or(end.saturating_sub(20));
        let part = (sample.rem_euclid(SAMPLES) / 48) as u64;
        (begin + part).min(end)
    }
}
