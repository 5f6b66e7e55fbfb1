//! Faster or slower at the same pitch: waveform-similarity overlap-add (WSOLA).
//!
//! The sound is played on in segments of 40 to 80 ms. Where a segment ends, the next one is sought
//! within 10 ms around the place that the tempo asks for, where the waveform goes on most alike, and
//! faded into. Both channels move together, so that the stereo image stays. The places are counted
//! without regard to what was found, so the tempo is exact in the long run.

use super::Frame;
use crate::resample::dot;

/// Frames over which one segment fades into the next: 10 ms.
const FADE: usize = 480;
/// How far around its place a segment is sought, in frames: 10 ms.
const REACH: usize = 480;
/// Frames of a segment at half tempo and at double tempo.
const LONG: f64 = 3_840.0;
const SHORT: f64 = 1_920.0;
/// Frames that may lie unused at the front before the rest is moved there.
const SLACK: usize = 1_024;

#[derive(Clone, Debug)]
pub(super) struct Stretch {
    tempo: f64,
    buffer: Vec<Frame>,
    /// The next frame of the present segment.
    read: usize,
    /// Frames until the next segment begins.
    left: usize,
    /// Where the next segment should begin.
    place: f64,
    fade: Option<Fade>,
    /// Where the sound ends, once that is known; silence lies behind.
    end: Option<usize>,
}

/// A segment that is being faded into.
#[derive(Clone, Copy, Debug)]
struct Fade {
    /// The next frame of the new segment.
    to: usize,
    done: usize,
}

impl Stretch {
    pub(super) fn new() -> Stretch {
        Stretch {
            tempo: 1.0,
            buffer: Vec::new(),
            read: 0,
            left: usize::MAX,
            place: 0.0,
            fade: None,
            end: None,
        }
    }

    /// Sets how much faster the sound goes; 1 plays it as it is.
    pub(super) fn set(&mut self, tempo: f64) {
        if tempo == self.tempo {
            return;
        }
        if self.tempo == 1.0 && self.fade.is_none() {
            self.place = self.read as f64;
            self.left = 0;
        }
        // The present segment ends soon, so that the new tempo is heard.
        let left = self.left.min(FADE);
        if self.left != usize::MAX {
            self.place -= self.tempo * (self.left - left) as f64;
        }
        self.left = left;
        self.tempo = tempo;
        self.rest_if_neutral();
    }

    pub(super) fn reset(&mut self) {
        *self = Stretch {
            tempo: self.tempo,
            left: if self.tempo == 1.0 { usize::MAX } else { 0 },
            ..Stretch::new()
        };
    }

    /// Whether sound goes through with nothing held back.
    pub(super) fn is_neutral(&self) -> bool {
        self.tempo == 1.0 && self.fade.is_none() && self.read == self.buffer.len()
    }

    pub(super) fn feed(&mut self, frames: &[Frame]) {
        self.buffer.extend_from_slice(frames);
    }

    /// No more is fed.
    pub(super) fn finish(&mut self) {
        self.end.get_or_insert(self.buffer.len());
    }

    /// Whether everything was played.
    pub(super) fn is_over(&self) -> bool {
        self.end.is_some_and(|end| self.heard() >= end as f64)
    }

    /// Frames that were fed and not played.
    pub(super) fn pending(&self) -> f64 {
        let end = self.end.unwrap_or(self.buffer.len());
        (end as f64 - self.heard()).max(0.0)
    }

    /// Frames that have to be fed before `count` more can be played, or at least some.
    pub(super) fn missing(&self, count: usize) -> usize {
        let needed = if self.fade.is_some() || self.left > 0 {
            self.read.max(self.fade.map_or(0, |fade| fade.to)) + count.min(self.left.max(1))
        } else {
            self.needed_to_join()
        };
        needed.saturating_sub(self.buffer.len()).max(1)
    }

    /// Plays into `out`; returns how many frames there were.
    pub(super) fn pull(&mut self, out: &mut [Frame]) -> usize {
        let mut made = 0;
        while made < out.len() && !self.is_over() {
            let room = &mut out[made..];
            let count = match self.fade {
                Some(fade) => self.play_fade(fade, room),
                None if self.left == 0 => {
                    if !self.join() {
                        break;
                    }
                    continue;
                }
                None => self.play_on(room),
            };
            if count == 0 {
                break;
            }
            made += count;
        }
        self.forget_played();
        made
    }

    /// Place in the input that is heard by now: on the straight line of the tempo.
    fn heard(&self) -> f64 {
        if self.left == usize::MAX {
            return self.read as f64;
        }
        let fading = self.fade.map_or(0, |fade| FADE - fade.done);
        self.place - self.tempo * (self.left + fading) as f64
    }

    fn play_on(&mut self, room: &mut [Frame]) -> usize {
        let mut count = room.len().min(self.left);
        if let Some(end) = self.end {
            let rest = ((end as f64 - self.heard()) / self.tempo).ceil();
            count = count.min(rest.max(1.0) as usize);
            self.pad(self.read + count);
        }
        let count = count.min(self.buffer.len() - self.read);
        room[..count].copy_from_slice(&self.buffer[self.read..self.read + count]);
        self.read += count;
        if self.left != usize::MAX {
            self.left -= count;
        }
        count
    }

    fn play_fade(&mut self, mut fade: Fade, room: &mut [Frame]) -> usize {
        let count = room.len().min(FADE - fade.done);
        for slot in &mut room[..count] {
            let part = (fade.done as f32 + 0.5) / FADE as f32;
            let weight = part * part * (3.0 - 2.0 * part);
            let (old, new) = (self.buffer[self.read], self.buffer[fade.to]);
            *slot = [0, 1].map(|channel| old[channel] + weight * (new[channel] - old[channel]));
            self.read += 1;
            fade.to += 1;
            fade.done += 1;
        }
        self.fade = Some(fade);
        if fade.done == FADE {
            self.read = fade.to;
            self.fade = None;
            self.rest_if_neutral();
        }
        count
    }

    /// Begins the next segment; `false` when more has to be fed first.
    fn join(&mut self) -> bool {
        let needed = self.needed_to_join();
        if self.end.is_some() {
            self.pad(needed);
        }
        if self.buffer.len() < needed {
            return false;
        }
        let to = self.most_alike();
        let segment = self.segment();
        self.fade = Some(Fade { to, done: 0 });
        self.left = segment - FADE;
        self.place += self.tempo * segment as f64;
        true
    }

    fn needed_to_join(&self) -> usize {
        self.read.max(self.place as usize + REACH) + FADE + 2
    }

    /// Frames of a segment: shorter when much is left out, longer when much is repeated.
    fn segment(&self) -> usize {
        let share = (self.tempo.log2() + 1.0).clamp(0.0, 2.0) / 2.0;
        (LONG + (SHORT - LONG) * share) as usize
    }

    /// Where around the next place the sound goes on most like the present segment.
    fn most_alike(&self) -> usize {
        let place = self.place as usize;
        let first = place.saturating_sub(REACH);
        let last = place + REACH;
        let wanted = self.buffer[self.read..self.read + FADE].as_flattened();
        let score = |at: usize| {
            let candidate = self.buffer[at..at + FADE].as_flattened();
            let alike = dot(candidate, wanted) / (dot(candidate, candidate) + 1e-9).sqrt();
            let far = (at as f32 - place as f32) / REACH as f32;
            // Among equals the nearest wins.
            alike * (1.0 - 0.05 * far * far * alike.signum())
        };
        let better = |best: (f32, usize), at: usize| {
            let score = score(at);
            if score > best.0 { (score, at) } else { best }
        };
        let coarse = (first..=last)
            .step_by(3)
            .fold((score(place), place), better);
        let (near, far) = (
            coarse.1.saturating_sub(2).max(first),
            (coarse.1 + 2).min(last),
        );
        (near..=far).fold(coarse, better).1
    }

    fn rest_if_neutral(&mut self) {
        if self.tempo == 1.0 && self.fade.is_none() {
            self.left = usize::MAX;
        }
    }

    fn pad(&mut self, len: usize) {
        if self.buffer.len() < len {
            self.buffer.resize(len, [0.0; 2]);
        }
    }

    fn forget_played(&mut self) {
        let mut unused = self.read;
        if self.left != usize::MAX {
            unused = unused.min((self.place as usize).saturating_sub(REACH));
        }
        if let Some(fade) = self.fade {
            unused = unused.min(fade.to);
        }
        if unused >= SLACK || unused == self.buffer.len() {
            self.buffer.drain(..unused);
            self.read -= unused;
            self.place -= unused as f64;
            self.end = self.end.map(|end| end.saturating_sub(unused));
            if let Some(fade) = &mut self.fade {
                fade.to -= unused;
            }
        }
    }
}
