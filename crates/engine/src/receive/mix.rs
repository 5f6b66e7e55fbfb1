//! Sound of several streams added up, between the moment it is heard and the moment it is written.

use std::collections::VecDeque;

use cadenza_audio::opus::PcmFormat;

/// The most that may wait, in samples at 48 kHz; what lies further ahead is dropped. 10 s.
const MAX_AHEAD: u64 = 480_000;

/// The part of a line of samples that is not yet written.
pub(super) struct Mix {
    format: PcmFormat,
    /// Samples of this format that were written, per channel.
    written: u64,
    /// Interleaved samples from there on.
    window: VecDeque<i16>,
}

impl Mix {
    pub(super) fn new(format: PcmFormat) -> Mix {
        Mix {
            format,
            written: 0,
            window: VecDeque::new(),
        }
    }

    /// Samples written so far, at 48 kHz.
    pub(super) fn written(&self) -> u64 {
        self.written * self.format.ratio() as u64
    }

    /// Adds sound that begins at `at` (48 kHz). What lies before the written part is cut off.
    pub(super) fn add(&mut self, at: i64, pcm: &[i16]) {
        let channels = self.format.channels();
        let ratio = self.format.ratio() as i64;
        let start = at.div_euclid(ratio) - self.written as i64;
        let cut = start.min(0).unsigned_abs() as usize * channels;
        let Some(pcm) = pcm.get(cut..).filter(|rest| !rest.is_empty()) else {
            return;
        };
        let start = start.max(0) as usize;
        if start as u64 > MAX_AHEAD / ratio as u64 {
            return;
        }
        let start = start * channels;
        if self.window.len() < start + pcm.len() {
            self.window.resize(start + pcm.len(), 0);
        }
        for (sum, sample) in self.window.range_mut(start..).zip(pcm) {
            *sum = sum.saturating_add(*sample);
        }
    }

    /// Writes everything before `until` (48 kHz), with silence where nothing was heard. `false` when that
    /// is more than `room` bytes; then it writes nothing.
    pub(super) fn write(&mut self, until: u64, room: u64, out: &mut Vec<u8>) -> bool {
        let until = until / self.format.ratio() as u64;
        let Some(count) = until.checked_sub(self.written).filter(|count| *count > 0) else {
            return true;
        };
        let samples = count.saturating_mul(self.format.channels() as u64);
        if samples.saturating_mul(2) > room {
            return false;
        }
        let known = self.window.len().min(samples as usize);
        out.extend(self.window.drain(..known).flat_map(i16::to_le_bytes));
        out.resize(out.len() + (samples as usize - known) * 2, 0);
        self.written = until;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_add_up_and_silence_fills_the_gaps() {
        let mut mix = Mix::new(mono());
        mix.add(0, &[1, 2]);
        mix.add(12, &[10, i16::MAX, 5]);
        mix.add(18, &[i16::MAX]);
        let mut out = Vec::new();
        assert!(mix.write(36, 1_000, &mut out));
        assert_eq!(samples(&out), [1, 2, 10, i16::MAX, 5, 0]);
        mix.add(24, &[9, 9, 7]);
        out.clear();
        assert!(mix.write(42, 1_000, &mut out));
        assert_eq!(samples(&out), [7], "what was written cannot be changed");
        assert_eq!(mix.written(), 42);
    }

    #[test]
    fn places_beyond_all_reason_cost_nothing() {
        let mut mix = Mix::new(mono());
        mix.add(i64::MAX / 2, &[1]);
        mix.add(i64::MIN / 2, &[1]);
        assert!(mix.window.is_empty());
        assert!(!mix.write(u64::MAX, 1 << 30, &mut Vec::new()));
    }

    /// 8 kHz: one sample for six.
    fn mono() -> PcmFormat {
        PcmFormat::new(8_000, 1).expect("a known format")
    }

    fn samples(bytes: &[u8]) -> Vec<i16> {
        let pairs = bytes.chunks_exact(2);
        pairs
            .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
            .collect()
    }
}
