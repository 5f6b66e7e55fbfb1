//! Encoder settings that callers change while a worker encodes with them.

use std::sync::atomic::{AtomicU64, Ordering};

use cadenza_audio::{EncoderSettings, Signal};

/// One track's settings in one word, so that a reader never sees half of a change.
#[derive(Debug)]
pub(super) struct LiveEncoder(AtomicU64);

impl LiveEncoder {
    pub(super) fn new(settings: &EncoderSettings) -> LiveEncoder {
        LiveEncoder(AtomicU64::new(pack(settings)))
    }

    pub(super) fn store(&self, settings: &EncoderSettings) {
        self.0.store(pack(settings), Ordering::Release);
    }

    pub(super) fn load(&self) -> EncoderSettings {
        unpack(self.0.load(Ordering::Acquire))
    }
}

fn pack(settings: &EncoderSettings) -> u64 {
    let signal = match settings.signal {
        Signal::Auto => 0,
        Signal::Music => 1,
        Signal::Voice => 2,
    };
    u64::from(settings.bitrate)
        | u64::from(settings.complexity) << 32
        | u64::from(settings.expected_loss_percent) << 40
        | u64::from(settings.fec) << 48
        | signal << 49
}

fn unpack(word: u64) -> EncoderSettings {
    EncoderSettings {
        bitrate: word as u32,
        complexity: (word >> 32) as u8,
        fec: word >> 48 & 1 == 1,
        expected_loss_percent: (word >> 40) as u8,
        signal: match word >> 49 {
            0 => Signal::Auto,
            1 => Signal::Music,
            _ => Signal::Voice,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_survives() {
        for signal in [Signal::Auto, Signal::Music, Signal::Voice] {
            for (fec, complexity) in [(false, 0), (true, 10), (true, 255)] {
                let settings = EncoderSettings {
                    bitrate: u32::MAX - 7,
                    complexity,
                    fec,
                    expected_loss_percent: 99,
                    signal,
                };
                let live = LiveEncoder::new(&EncoderSettings::default());
                live.store(&settings);
                assert_eq!(live.load(), settings);
            }
        }
    }
}
