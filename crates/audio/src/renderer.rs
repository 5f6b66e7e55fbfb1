//! Sound to Opus frames: filters and encoder, and a way back to frames that are not played yet.
//!
//! Frames are made ahead of time. When the filters change, those that still wait are made once more
//! with the new settings. For that the renderer keeps the sound that went into the latest frames, and
//! from time to time a copy of the filters. A frame that takes the place of another one follows
//! frames that are played already, so the encoder is led up to it: it encodes the last frames before
//! it again, unheard, and the first new one without reference to what a receiver has decoded.

use std::collections::VecDeque;

use crate::error::AudioError;
use crate::filters::{FilterChain, FilterSettings, Frame};
use crate::options::EncoderSettings;
use crate::opus::Encoder;
use crate::transcode::codec_failed;
use crate::{FRAME_SAMPLES, MAX_OPUS_FRAME};

/// Frames that can be made again at most.
pub(crate) const MOST_BACK: usize = 64;
/// Frames that lead the encoder up to a place.
pub(crate) const LEAD_IN: usize = 3;
/// Every so many frames the filters are copied.
const COPY_EVERY: usize = 8;
/// Samples over which a jump in the sound is faded.
const FADE: usize = 480;
/// Samples that filters which are switched on have listened to.
const WARM_UP: i64 = 960;
/// Samples that may lie unused before they are given up.
const SLACK: usize = 2 * 4_800;

const SAMPLES: i64 = FRAME_SAMPLES as i64;

/// What asking for a frame comes to.
pub(crate) enum Rendered {
    /// A frame of so many bytes.
    Frame(usize),
    /// More sound is needed, or its end.
    NeedsSound,
    End,
}

/// Filters and encoder of one track.
pub(crate) struct Renderer {
    encoder: Encoder,
    /// The settings asked for last, and whether the next frame is the first with them.
    settings: FilterSettings,
    changed: bool,
    /// `None` while nothing changes the sound.
    chain: Option<Box<FilterChain>>,
    sound: Sound,
    /// The next sample that the filters take.
    read: i64,
    /// Samples of silence made behind the end of the sound.
    tail: u32,
    /// How far the next frame jumps in the sound.
    jump: i64,
    pcm: Box<[Frame; FRAME_SAMPLES]>,
    filled: usize,
    /// One for each of the latest frames, and for one that is half made.
    marks: VecDeque<Mark>,
    begun: bool,
    made: bool,
}

/// The sound before the filters, as far as it may be needed again.
#[derive(Default)]
struct Sound {
    /// Interleaved stereo.
    samples: Vec<f32>,
    /// Place of the first one.
    first: i64,
    ended: bool,
}

/// How things stood before a frame was made.
struct Mark {
    read: i64,
    tail: u32,
    jump: i64,
    chain: ChainCopy,
    /// What changes with this frame, after the copy was made.
    change: Option<Box<Change>>,
}

/// New settings.
struct Change {
    settings: FilterSettings,
    /// Whether there was sound before, from which filters glide.
    glide: bool,
}

enum ChainCopy {
    Off,
    Kept(Box<FilterChain>),
    /// There was a chain, to be had by way of an earlier copy.
    NotKept,
}

impl Renderer {
    pub(crate) fn new(
        encoder: &EncoderSettings,
        filters: &FilterSettings,
        start: i64,
    ) -> Result<Renderer, AudioError> {
        let mut renderer = Renderer {
            encoder: Encoder::new(encoder).map_err(codec_failed)?,
            settings: *filters,
            changed: false,
            chain: None,
            sound: Sound::default(),
            read: 0,
            tail: 0,
            jump: 0,
            pcm: Box::new([[0.0; 2]; FRAME_SAMPLES]),
            filled: 0,
            marks: VecDeque::new(),
            begun: false,
            made: false,
        };
        renderer.begin_at(start);
        Ok(renderer)
    }

    /// Forgets the sound and goes on with sound that begins at `start`; filters and settings stay.
    pub(crate) fn restart(&mut self, start: i64) -> Result<(), AudioError> {
        self.encoder.reset().map_err(codec_failed)?;
        self.encoder.set_independent(false).map_err(codec_failed)?;
        self.begin_at(start);
        Ok(())
    }

    /// Takes on new encoder settings, from the next frame on.
    pub(crate) fn set_encoder(&mut self, settings: &EncoderSettings) -> Result<(), AudioError> {
        self.encoder.apply(settings).map_err(codec_failed)
    }

    /// Where sound is to be appended, interleaved stereo.
    pub(crate) fn sound(&mut self) -> &mut Vec<f32> {
        &mut self.sound.samples
    }

    /// Says that no more sound comes.
    pub(crate) fn end_sound(&mut self) {
        self.sound.ended = true;
    }

    /// Makes the next frame from the sound that is here.
    pub(crate) fn next(&mut self, out: &mut [u8; MAX_OPUS_FRAME]) -> Result<Rendered, AudioError> {
        if self.is_over() {
            return Ok(Rendered::End);
        }
        if !self.begun {
            self.begin_frame();
        }
        if !self.compose() {
            return Ok(Rendered::NeedsSound);
        }
        let len = self.encode(out)?;
        self.begun = false;
        self.made = true;
        self.keep(MOST_BACK);
        Ok(Rendered::Frame(len))
    }

    /// Changes the filters, beginning with the frame that was made `back` frames ago, or as far back
    /// as is possible. Returns how many frames are made again.
    pub(crate) fn set_filters(
        &mut self,
        filters: &FilterSettings,
        back: usize,
    ) -> Result<usize, AudioError> {
        let complete = self.marks.len() - usize::from(self.begun);
        let back = back.min(complete);
        if back > 0 || self.begun {
            let first = complete - back;
            self.replay(first)?;
            self.marks.truncate(first);
            self.begun = false;
            self.encoder
                .set_independent(first > 0)
                .map_err(codec_failed)?;
        }
        self.settings = *filters;
        self.changed = true;
        Ok(back)
    }

    /// Makes `frames` of the frames handed out last available to
    /// [`set_filters`](Renderer::set_filters), and forgets what was before them.
    pub(crate) fn keep(&mut self, frames: usize) {
        let complete = self.marks.len() - usize::from(self.begun);
        let wanted = complete.saturating_sub(frames.min(MOST_BACK) + LEAD_IN);
        let is_kept = |mark: &Mark| !matches!(mark.chain, ChainCopy::NotKept);
        let first = (0..=wanted)
            .rev()
            .find(|&n| self.marks.get(n).is_some_and(is_kept));
        self.marks.drain(..first.unwrap_or(0));
        let needed = self.marks.front().map_or(self.read, |mark| mark.read);
        self.sound.forget_before(needed - WARM_UP - FADE as i64);
    }

    /// Goes on `by` samples further on (or back) in the sound, faded, with the next frame. Only while
    /// [`is_plain`](Renderer::is_plain).
    pub(crate) fn jump(&mut self, by: i64) {
        self.jump = by;
    }

    /// Encodes the frames before `to` unheard, and goes on from there: what was sent before is a
    /// continuous sound to the encoder, though it came from elsewhere.
    pub(crate) fn lead_in(&mut self, to: i64) -> Result<(), AudioError> {
        self.read = to - LEAD_IN as i64 * SAMPLES;
        self.sound.begin_before(self.read);
        while self.read < to && self.compose() {
            self.encode(&mut [0; MAX_OPUS_FRAME])?;
        }
        self.read = to;
        self.filled = 0;
        self.encoder.set_independent(true).map_err(codec_failed)
    }

    /// Takes on filters for the next frame. They glide from the sound before if that was `heard`.
    pub(crate) fn begin_with(&mut self, filters: &FilterSettings, heard: bool) {
        self.settings = *filters;
        self.changed = true;
        self.made = heard;
    }

    /// Whether the next frame would be the sound as it is.
    pub(crate) fn is_plain(&self) -> bool {
        let resting = self.chain.as_ref().is_none_or(|chain| chain.is_idle());
        resting && self.settings.is_neutral() && !self.begun && self.jump == 0
    }
    /// Where the sound that is here ends.
    pub(crate) fn sound_end(&self) -> i64 {
        self.sound.end()
    }

    /// What a receiver has heard once it has decoded the latest frame, as a place in the sound.
    pub(crate) fn heard(&self) -> i64 {
        let late = f64::from(self.lookahead().saturating_sub(self.tail));
        let (pending, pace) = self
            .chain
            .as_ref()
            .map_or((0.0, 1.0), |chain| (chain.pending(), chain.pace()));
        self.read - (pending + late * pace).round() as i64
    }

    /// By how many samples a receiver hears the sound later than the encoder takes it.
    pub(crate) fn lookahead(&self) -> u32 {
        self.encoder.lookahead()
    }

    fn begin_at(&mut self, start: i64) {
        let ended = false;
        self.sound = Sound {
            samples: Vec::new(),
            first: start,
            ended,
        };
        self.read = start;
        self.tail = 0;
        self.jump = 0;
        self.filled = 0;
        self.marks.clear();
        self.begun = false;
        self.made = false;
        self.changed = false;
        let neutral = self.settings.is_neutral();
        self.chain = (!neutral).then(|| Box::new(FilterChain::new(&self.settings)));
    }

    fn is_over(&self) -> bool {
        let held = self.filled > 0
            || self
                .chain
                .as_ref()
                .is_some_and(|chain| chain.pending() > 0.0);
        let nothing = !self.made && !held && self.sound.end() <= self.read;
        self.sound.ended && (nothing || self.tail >= self.lookahead())
    }

    fn begin_frame(&mut self) {
        self.drop_idle_chain();
        let change = std::mem::take(&mut self.changed).then_some(Change {
            settings: self.settings,
            glide: self.made || !self.marks.is_empty(),
        });
        let mark = Mark {
            read: self.read,
            tail: self.tail,
            jump: self.jump,
            chain: self.copy_chain(change.is_some()),
            change: change.map(Box::new),
        };
        if let Some(change) = &mark.change {
            self.apply(change);
        }
        self.marks.push_back(mark);
        self.begun = true;
    }

    fn copy_chain(&self, always: bool) -> ChainCopy {
        let Some(chain) = &self.chain else {
            return ChainCopy::Off;
        };
        let latest = self.marks.iter().rev().take(COPY_EVERY - 1);
        let copied = latest.map(|mark| &mark.chain).find_map(|copy| match copy {
            ChainCopy::Kept(_) => Some(true),
            ChainCopy::Off => Some(false),
            ChainCopy::NotKept => None,
        });
        if copied == Some(true) && !always {
            ChainCopy::NotKept
        } else {
            ChainCopy::Kept(chain.clone())
        }
    }

    fn apply(&mut self, change: &Change) {
        self.settings = change.settings;
        if self.chain.is_none() && !self.settings.is_neutral() {
            let mut chain = Box::new(FilterChain::default());
            if change.glide {
                // The filters begin with what was heard last, or their start would be heard.
                let mut unheard = [[0.0; 2]; WARM_UP as usize];
                let recent = self.sound.between(self.read - WARM_UP, self.read);
                let count = recent.len() / 2;
                chain.run(recent, &mut unheard[..count]);
            } else {
                *chain = FilterChain::new(&self.settings);
            }
            self.chain = Some(chain);
        }
        if let Some(chain) = &mut self.chain {
            chain.set(&self.settings);
        }
    }

    fn drop_idle_chain(&mut self) {
        let idle = self.chain.as_ref().is_some_and(|chain| chain.is_idle());
        if idle && self.settings.is_neutral() {
            self.chain = None;
        }
    }

    /// Fills the frame in hand; `false` when more sound is needed for that.
    fn compose(&mut self) -> bool {
        if self.jump != 0 {
            return self.compose_jump();
        }
        let sound = self.sound.between(self.read, i64::MAX);
        let room = &mut self.pcm[self.filled..];
        let (taken, made) = match &mut self.chain {
            Some(chain) => chain.run(sound, room),
            None => pass(sound, room),
        };
        self.read += taken as i64;
        self.filled += made;
        if self.filled < FRAME_SAMPLES && !self.sound.ended {
            return false;
        }
        if self.filled < FRAME_SAMPLES {
            if let Some(chain) = &mut self.chain {
                chain.finish();
                self.filled += chain.run(&[], &mut self.pcm[self.filled..]).1;
            }
            self.tail += (FRAME_SAMPLES - self.filled) as u32;
            self.pcm[self.filled..].fill([0.0; 2]);
        }
        self.filled = 0;
        true
    }

    /// As [`compose`](Renderer::compose), fading from one place in the sound to another.
    fn compose_jump(&mut self) -> bool {
        let end = self.read + self.jump + SAMPLES;
        if self.sound.end() < end.max(self.read + FADE as i64) && !self.sound.ended {
            return false;
        }
        let (mut new, mut old) = ([[0.0; 2]; FRAME_SAMPLES], [[0.0; 2]; FADE]);
        let (_, made) = pass(self.sound.between(self.read + self.jump, end), &mut new);
        pass(
            self.sound.between(self.read, self.read + FADE as i64),
            &mut old,
        );
        for (n, (new, old)) in new.iter_mut().zip(old).enumerate() {
            let part = (n as f32 + 0.5) / FADE as f32;
            let weight = part * part * (3.0 - 2.0 * part);
            *new = [0, 1].map(|side| old[side] + weight * (new[side] - old[side]));
        }
        *self.pcm = new;
        self.read = end.min(self.sound.end());
        self.tail += (FRAME_SAMPLES - made) as u32;
        self.jump = 0;
        true
    }

    fn encode(&mut self, out: &mut [u8; MAX_OPUS_FRAME]) -> Result<usize, AudioError> {
        let pcm = self.pcm.as_flattened().first_chunk();
        let pcm = pcm.expect("so many frames are twice as many samples");
        let len = self.encoder.encode(pcm, out).map_err(codec_failed)?;
        self.encoder.set_independent(false).map_err(codec_failed)?;
        Ok(len)
    }

    /// Puts everything to where it was before frame `to`, with an encoder that was led up to it.
    fn replay(&mut self, to: usize) -> Result<(), AudioError> {
        self.encoder.reset().map_err(codec_failed)?;
        let lead_in = to.saturating_sub(LEAD_IN);
        let is_kept = |n: &usize| !matches!(self.marks[*n].chain, ChainCopy::NotKept);
        let earlier = (0..=lead_in).rev().find(is_kept);
        // The first mark is always one that things can be put back to.
        let from = earlier.or_else(|| (0..=to).find(is_kept)).unwrap_or(0);
        self.restore(from);
        for n in from..to {
            self.drop_idle_chain();
            self.jump = self.marks[n].jump;
            if let Some(change) = self.marks[n].change.take() {
                self.apply(&change);
                self.marks[n].change = Some(change);
            }
            self.compose();
            if n >= lead_in {
                self.encode(&mut [0; MAX_OPUS_FRAME])?;
            }
        }
        self.jump = 0;
        Ok(())
    }

    fn restore(&mut self, mark: usize) {
        let Some(mark) = self.marks.get(mark) else {
            return;
        };
        self.read = mark.read;
        self.tail = mark.tail;
        self.filled = 0;
        self.chain = match &mark.chain {
            ChainCopy::Kept(chain) => Some(chain.clone()),
            ChainCopy::Off | ChainCopy::NotKept => None,
        };
    }
}

impl Sound {
    fn end(&self) -> i64 {
        self.first + (self.samples.len() / 2) as i64
    }

    /// The sound from one place to another, as far as it is here.
    fn between(&self, from: i64, to: i64) -> &[f32] {
        let len = (self.samples.len() / 2) as i64;
        let from = (from - self.first).clamp(0, len);
        let to = to.saturating_sub(self.first).clamp(from, len);
        &self.samples[2 * from as usize..2 * to as usize]
    }

    /// Puts silence in front, so that it begins at `place` or before.
    fn begin_before(&mut self, place: i64) {
        let missing = usize::try_from(self.first - place).unwrap_or(0);
        self.samples
            .splice(0..0, std::iter::repeat_n(0.0, 2 * missing));
        self.first = self.first.min(place);
    }

    fn forget_before(&mut self, place: i64) {
        let unused = (place - self.first).clamp(0, (self.samples.len() / 2) as i64);
        if unused as usize >= SLACK {
            self.samples.drain(..2 * unused as usize);
            self.first += unused;
        }
    }
}

/// Copies as much as there is and fits; returns the number of frames twice, as filters do.
fn pass(sound: &[f32], room: &mut [Frame]) -> (usize, usize) {
    let sound = sound.as_chunks::<2>().0;
    let count = sound.len().min(room.len());
    room[..count].copy_from_slice(&sound[..count]);
    (count, count)
}
