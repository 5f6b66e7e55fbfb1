//! Decoding what somebody says: at the rate that is wanted, with losses concealed or recovered.

#![expect(
    unsafe_code,
    reason = "libopus is a C library; these are its calls for a decoder of any rate"
)]

use std::ffi::c_int;
use std::ptr::{self, NonNull};

use opusic_sys as sys;

use super::ffi::OpusError;
use crate::SAMPLE_RATE;

use super::MAX_PACKET_SAMPLES;

/// The shortest stretch that libopus extrapolates: 2.5 ms, in samples at 48 kHz.
const GRAIN: usize = 120;
/// Extrapolated at once: 20 ms.
const STEP: usize = 960;

/// How decoded sound is laid out: interleaved signed 16-bit samples.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct PcmFormat {
    sample_rate: u32,
    channels: u8,
}

impl PcmFormat {
    /// 48 kHz stereo.
    pub const FULL: PcmFormat = PcmFormat {
        sample_rate: SAMPLE_RATE,
        channels: 2,
    };

    /// `None` unless the rate is 8, 12, 16, 24 or 48 kHz and there are one or two channels.
    pub fn new(sample_rate: u32, channels: u8) -> Option<PcmFormat> {
        let known = matches!(sample_rate, 8_000 | 12_000 | 16_000 | 24_000 | 48_000);
        (known && matches!(channels, 1 | 2)).then_some(PcmFormat {
            sample_rate,
            channels,
        })
    }

    /// Samples per second and channel.
    pub fn sample_rate(self) -> u32 {
        self.sample_rate
    }

    /// 1 or 2.
    pub fn channels(self) -> usize {
        usize::from(self.channels)
    }

    /// Samples at 48 kHz for each one of this format: 1 to 6.
    pub fn ratio(self) -> usize {
        (SAMPLE_RATE / self.sample_rate) as usize
    }
}

impl Default for PcmFormat {
    fn default() -> PcmFormat {
        PcmFormat::FULL
    }
}

/// One speaker's decoder. Lengths are in samples per channel at 48 kHz, whatever the format.
#[derive(Debug)]
pub struct VoiceDecoder {
    state: NonNull<sys::OpusDecoder>,
    format: PcmFormat,
}

// SAFETY: libopus keeps no thread-local state; the pointer is owned by this value alone, so it may
// move to another thread. It is not `Sync`, and every use takes `&mut self`.
unsafe impl Send for VoiceDecoder {}

impl VoiceDecoder {
    /// Makes a decoder.
    pub fn new(format: PcmFormat) -> Result<VoiceDecoder, OpusError> {
        let mut status: c_int = 0;
        // SAFETY: `PcmFormat` holds only rates and channel counts that libopus documents; `status`
        // lives through the call. The result is checked for null before use.
        let state = unsafe {
            sys::opus_decoder_create(
                format.sample_rate as i32,
                c_int::from(format.channels),
                &raw mut status,
            )
        };
        let state = NonNull::new(state).ok_or(OpusError::of(status))?;
        Ok(VoiceDecoder { state, format })
    }

    /// The layout of what it yields.
    pub fn format(&self) -> PcmFormat {
        self.format
    }

    /// Decodes a packet to the end of `out`.
    ///
    /// # Errors
    /// [`OpusError`] when the bytes are no Opus packet; `out` is then as it was.
    pub fn decode(&mut self, packet: &[u8], out: &mut Vec<i16>) -> Result<(), OpusError> {
        if packet.is_empty() {
            return Err(OpusError::of(sys::OPUS_INVALID_PACKET));
        }
        self.run(Some(packet), MAX_PACKET_SAMPLES, false, out)
    }

    /// Reconstructs a lost stretch of up to 120 ms right before `next` from the coarse copy that it
    /// may hold (in-band FEC); without one the stretch is extrapolated.
    pub fn recover(&mut self, next: &[u8], samples: usize, out: &mut Vec<i16>) {
        let before = out.len();
        let fits = samples.is_multiple_of(GRAIN) && (GRAIN..=MAX_PACKET_SAMPLES).contains(&samples);
        if next.is_empty() || !fits || self.run(Some(next), samples, true, out).is_err() {
            self.conceal(samples, out);
        }
        self.pad(before, samples, out);
    }

    /// Extrapolates a lost stretch from what came before it.
    pub fn conceal(&mut self, samples: usize, out: &mut Vec<i16>) {
        let before = out.len();
        let mut left = samples / GRAIN * GRAIN;
        while left > 0 {
            let step = left.min(STEP);
            if self.run(None, step, false, out).is_err() {
                break;
            }
            left -= step;
        }
        self.pad(before, samples, out);
    }

    /// Fills up with silence, or cuts, to `samples` since `before`.
    fn pad(&self, before: usize, samples: usize, out: &mut Vec<i16>) {
        out.resize(
            before + samples / self.format.ratio() * self.format.channels(),
            0,
        );
    }

    /// One call of the decoder; without a packet it extrapolates.
    fn run(
        &mut self,
        packet: Option<&[u8]>,
        samples: usize,
        fec: bool,
        out: &mut Vec<i16>,
    ) -> Result<(), OpusError> {
        let (data, len) = match packet {
            Some(packet) => (packet.as_ptr(), packet.len()),
            None => (ptr::null(), 0),
        };
        let len = i32::try_from(len).map_err(|_| OpusError::of(sys::OPUS_BAD_ARG))?;
        let room = samples / self.format.ratio();
        let before = out.len();
        out.resize(before + room * self.format.channels(), 0);
        // SAFETY: `data` is null or holds `len` readable bytes; `out` holds `room` samples for each
        // channel from `before` on; libopus keeps neither pointer.
        let decoded = unsafe {
            sys::opus_decode(
                self.state.as_ptr(),
                data,
                len,
                out[before..].as_mut_ptr(),
                room as c_int,
                c_int::from(fec),
            )
        };
        let decoded = usize::try_from(decoded).map_err(|_| OpusError::of(decoded));
        let kept = *decoded.as_ref().unwrap_or(&0);
        out.truncate(before + kept.min(room) * self.format.channels());
        decoded.map(|_| ())
    }
}

impl Drop for VoiceDecoder {
    fn drop(&mut self) {
        // SAFETY: the state came from opus_decoder_create and is freed only here.
        unsafe { sys::opus_decoder_destroy(self.state.as_ptr()) }
    }
}

/// Whether a packet holds a coarse copy of the one before it (in-band FEC).
pub fn has_fec(packet: &[u8]) -> bool {
    let Ok(len @ 1..) = i32::try_from(packet.len()) else {
        return false;
    };
    // SAFETY: `packet` holds `len` readable bytes, at least one; libopus keeps no pointer.
    let found = unsafe { sys::opus_packet_has_lbrr(packet.as_ptr(), len) };
    found > 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::opus::Encoder;
    use crate::{EncoderSettings, FRAME_SAMPLES, MAX_OPUS_FRAME};

    #[test]
    fn every_format_yields_its_number_of_samples() {
        let packet = tone_packet();
        for sample_rate in [8_000, 12_000, 16_000, 24_000, 48_000] {
            for channels in [1, 2] {
                let format = PcmFormat::new(sample_rate, channels).expect("a known format");
                let mut decoder = VoiceDecoder::new(format).expect("a decoder");
                let mut out = Vec::new();
                decoder.decode(&packet, &mut out).expect("a packet");
                decoder.conceal(960, &mut out);
                decoder.recover(&packet, 960, &mut out);
                let each = sample_rate as usize / 50 * usize::from(channels);
                assert_eq!(out.len(), 3 * each, "{sample_rate} Hz, {channels} channels");
            }
        }
        assert_eq!(PcmFormat::new(44_100, 2), None);
        assert_eq!(PcmFormat::new(48_000, 3), None);
    }

    #[test]
    fn odd_stretches_keep_their_length() {
        let mut decoder = VoiceDecoder::new(PcmFormat::FULL).expect("a decoder");
        for samples in [1, 119, 121, 5_000, 10_000] {
            let mut out = Vec::new();
            decoder.conceal(samples, &mut out);
            assert_eq!(out.len(), samples * 2);
            out.clear();
            decoder.recover(&[1, 2, 3], samples, &mut out);
            assert_eq!(out.len(), samples * 2);
        }
    }

    #[test]
    fn bytes_that_are_no_packet_change_nothing() {
        let mut decoder = VoiceDecoder::new(PcmFormat::FULL).expect("a decoder");
        let mut out = vec![7];
        for packet in [&[][..], &[0xFF; 3], &[0xFA, 200, 1]] {
            assert!(decoder.decode(packet, &mut out).is_err());
        }
        assert_eq!(out, [7]);
        assert!(!has_fec(&[]) && !has_fec(&[0xF8, 0xFF, 0xFE]));
    }

    fn tone_packet() -> Vec<u8> {
        let mut encoder = Encoder::new(&EncoderSettings::default()).expect("an encoder");
        let mut pcm = [0.0; FRAME_SAMPLES * 2];
        for (n, sample) in pcm.iter_mut().enumerate() {
            *sample = ((n / 2) as f32 * 0.05).sin() * 0.5;
        }
        let mut out = [0; MAX_OPUS_FRAME];
        let len = encoder.encode(&pcm, &mut out).expect("a packet");
        out[..len].to_vec()
    }
}
