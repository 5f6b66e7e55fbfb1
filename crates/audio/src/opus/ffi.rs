//! libopus' encoder and decoder as owned, checked values; with `voice.rs` the only place with `unsafe`.

#![expect(
    unsafe_code,
    reason = "libopus is a C library; every call to it is in this file"
)]

use std::ffi::c_int;
use std::ptr::NonNull;

use opusic_sys as sys;

use crate::options::{EncoderSettings, Signal};
use crate::{FRAME_SAMPLES, MAX_OPUS_FRAME, SAMPLE_RATE};

use super::{MAX_PACKET_SAMPLES, MAX_SURROUND, Surround};

const CHANNELS: usize = 2;

/// A negative status of libopus.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("libopus: {}", self.reason())]
pub struct OpusError(i32);

impl OpusError {
    pub(super) fn of(status: c_int) -> OpusError {
        OpusError(status)
    }

    fn reason(self) -> &'static str {
        match self.0 {
            sys::OPUS_BAD_ARG => "bad argument",
            sys::OPUS_BUFFER_TOO_SMALL => "buffer too small",
            sys::OPUS_INVALID_PACKET => "invalid packet",
            sys::OPUS_INVALID_STATE => "invalid state",
            sys::OPUS_ALLOC_FAIL => "out of memory",
            _ => "internal error",
        }
    }
}

/// A 48 kHz stereo encoder of 20 ms frames.
#[derive(Debug)]
pub struct Encoder {
    state: NonNull<sys::OpusEncoder>,
    lookahead: u32,
}

// SAFETY: libopus keeps no thread-local state; the pointer is owned by this value alone, so it may
// move to another thread. It is not `Sync`, and every use takes `&mut self`.
unsafe impl Send for Encoder {}

impl Encoder {
    /// Makes an encoder. Settings outside their ranges are clamped.
    pub fn new(settings: &EncoderSettings) -> Result<Encoder, OpusError> {
        let application = match settings.signal {
            Signal::Auto | Signal::Music => sys::OPUS_APPLICATION_AUDIO,
            Signal::Voice => sys::OPUS_APPLICATION_VOIP,
        };
        let mut status: c_int = 0;
        // SAFETY: rate, channel count and application are values libopus documents; `status` lives
        // through the call. The result is checked for null before use.
        let state = unsafe {
            sys::opus_encoder_create(
                SAMPLE_RATE as i32,
                CHANNELS as c_int,
                application,
                &raw mut status,
            )
        };
        let state = NonNull::new(state).ok_or(OpusError(status))?;
        // From here on Drop frees the state, also when a setting is refused.
        let mut encoder = Encoder {
            state,
            lookahead: 0,
        };
        encoder.apply(settings)?;
        encoder.lookahead = encoder.read_lookahead()?;
        Ok(encoder)
    }

    /// Encodes one frame of 960 interleaved stereo samples pairs; returns the packet's length.
    pub fn encode(
        &mut self,
        pcm: &[f32; FRAME_SAMPLES * CHANNELS],
        out: &mut [u8; MAX_OPUS_FRAME],
    ) -> Result<usize, OpusError> {
        // SAFETY: `pcm` holds FRAME_SAMPLES samples for each of CHANNELS channels, `out` holds the
        // number of bytes given; libopus keeps neither pointer.
        let written = unsafe {
            sys::opus_encode_float(
                self.state.as_ptr(),
                pcm.as_ptr(),
                FRAME_SAMPLES as c_int,
                out.as_mut_ptr(),
                MAX_OPUS_FRAME as i32,
            )
        };
        usize::try_from(written).map_err(|_| OpusError(written))
    }

    /// Takes on new settings, from the next frame on. Settings outside their ranges are clamped.
    pub fn apply(&mut self, settings: &EncoderSettings) -> Result<(), OpusError> {
        self.set_bitrate(settings.bitrate)?;
        self.set_complexity(settings.complexity)?;
        let loss = c_int::from(settings.expected_loss_percent.min(100));
        self.set(sys::OPUS_SET_PACKET_LOSS_PERC_REQUEST, loss)?;
        let (signal, fec) = match settings.signal {
            Signal::Auto => (sys::OPUS_AUTO, 1),
            // 2 keeps music in the mode that suits it even if redundancy finds no room there.
            Signal::Music => (sys::OPUS_SIGNAL_MUSIC, 2),
            Signal::Voice => (sys::OPUS_SIGNAL_VOICE, 1),
        };
        self.set(sys::OPUS_SET_SIGNAL_REQUEST, signal)?;
        let fec = if settings.fec { fec } else { 0 };
        self.set(sys::OPUS_SET_INBAND_FEC_REQUEST, fec)
    }

    /// Sets the rate in bits per second, 6,000 to 510,000; acts on the next frame.
    pub fn set_bitrate(&mut self, bitrate: u32) -> Result<(), OpusError> {
        let value = bitrate.clamp(6_000, 510_000) as c_int;
        self.set(sys::OPUS_SET_BITRATE_REQUEST, value)
    }

    /// Sets the effort, 0 to 10; acts on the next frame.
    pub fn set_complexity(&mut self, complexity: u8) -> Result<(), OpusError> {
        self.set(
            sys::OPUS_SET_COMPLEXITY_REQUEST,
            c_int::from(complexity.min(10)),
        )
    }

    /// Makes frames that do not build on what a receiver has decoded before, at some cost in quality.
    pub fn set_independent(&mut self, independent: bool) -> Result<(), OpusError> {
        self.set(
            sys::OPUS_SET_PREDICTION_DISABLED_REQUEST,
            c_int::from(independent),
        )
    }

    /// Forgets the past, as after a seek. Settings stay.
    pub fn reset(&mut self) -> Result<(), OpusError> {
        // SAFETY: OPUS_RESET_STATE takes no further argument; the state is live and ours.
        check(unsafe { sys::opus_encoder_ctl(self.state.as_ptr(), sys::OPUS_RESET_STATE) })
    }

    /// By how many samples at 48 kHz the decoded sound lags behind the input.
    pub fn lookahead(&self) -> u32 {
        self.lookahead
    }

    fn set(&mut self, request: c_int, value: c_int) -> Result<(), OpusError> {
        // SAFETY: all requests used here take exactly one `opus_int32`, which is a C int.
        check(unsafe { sys::opus_encoder_ctl(self.state.as_ptr(), request, value) })
    }

    fn read_lookahead(&mut self) -> Result<u32, OpusError> {
        let mut samples: i32 = 0;
        // SAFETY: the request takes one pointer to `opus_int32`, which lives through the call.
        check(unsafe {
            sys::opus_encoder_ctl(
                self.state.as_ptr(),
                sys::OPUS_GET_LOOKAHEAD_REQUEST,
                &raw mut samples,
            )
        })?;
        Ok(samples.max(0) as u32)
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        // SAFETY: the state came from opus_encoder_create and is freed only here.
        unsafe { sys::opus_encoder_destroy(self.state.as_ptr()) }
    }
}

/// A 48 kHz stereo decoder; mono packets come out on both channels.
#[derive(Debug)]
pub struct Decoder {
    state: NonNull<sys::OpusDecoder>,
}

// SAFETY: as for `Encoder`.
unsafe impl Send for Decoder {}

impl Decoder {
    /// Makes a decoder whose output is scaled by `gain_q8` / 256 dB (the header's output gain).
    pub fn new(gain_q8: i16) -> Result<Decoder, OpusError> {
        let mut status: c_int = 0;
        // SAFETY: rate and channel count are values libopus documents; `status` lives through the call.
        let state = unsafe {
            sys::opus_decoder_create(SAMPLE_RATE as i32, CHANNELS as c_int, &raw mut status)
        };
        let state = NonNull::new(state).ok_or(OpusError(status))?;
        let decoder = Decoder { state };
        // SAFETY: OPUS_SET_GAIN takes one `opus_int32`; any i16 is in its range.
        check(unsafe {
            sys::opus_decoder_ctl(
                decoder.state.as_ptr(),
                sys::OPUS_SET_GAIN_REQUEST,
                c_int::from(gain_q8),
            )
        })?;
        Ok(decoder)
    }

    /// Decodes a packet into interleaved stereo and returns the samples per channel.
    ///
    /// An empty packet asks for concealment and is refused with an error here.
    pub fn decode(
        &mut self,
        packet: &[u8],
        out: &mut [f32; MAX_PACKET_SAMPLES * CHANNELS],
    ) -> Result<usize, OpusError> {
        if packet.is_empty() {
            return Err(OpusError(sys::OPUS_INVALID_PACKET));
        }
        let len = i32::try_from(packet.len()).map_err(|_| OpusError(sys::OPUS_BAD_ARG))?;
        // SAFETY: `packet` holds `len` readable bytes; `out` holds MAX_PACKET_SAMPLES samples for each
        // of CHANNELS channels, which is the frame size given; libopus keeps neither pointer.
        let samples = unsafe {
            sys::opus_decode_float(
                self.state.as_ptr(),
                packet.as_ptr(),
                len,
                out.as_mut_ptr(),
                MAX_PACKET_SAMPLES as c_int,
                0,
            )
        };
        usize::try_from(samples).map_err(|_| OpusError(samples))
    }

    /// Forgets the past, as after a seek. The gain stays.
    pub fn reset(&mut self) -> Result<(), OpusError> {
        // SAFETY: OPUS_RESET_STATE takes no further argument; the state is live and ours.
        check(unsafe { sys::opus_decoder_ctl(self.state.as_ptr(), sys::OPUS_RESET_STATE) })
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: the state came from opus_decoder_create and is freed only here.
        unsafe { sys::opus_decoder_destroy(self.state.as_ptr()) }
    }
}

/// A 48 kHz decoder of packets that hold several streams.
#[derive(Debug)]
pub struct SurroundDecoder {
    state: NonNull<sys::OpusMSDecoder>,
    channels: usize,
}

// SAFETY: as for `Encoder`.
unsafe impl Send for SurroundDecoder {}

impl SurroundDecoder {
    /// Makes a decoder of `channels` (1 to 8) channels, scaled by `gain_q8` / 256 dB.
    pub fn new(
        channels: u8,
        surround: &Surround,
        gain_q8: i16,
    ) -> Result<SurroundDecoder, OpusError> {
        if !(1..=MAX_SURROUND).contains(&usize::from(channels)) {
            return Err(OpusError(sys::OPUS_BAD_ARG));
        }
        let mut status: c_int = 0;
        // SAFETY: `mapping` holds MAX_SURROUND entries, at least as many as there are channels;
        // libopus checks the other numbers and reports them in `status`, which lives through the call.
        let state = unsafe {
            sys::opus_multistream_decoder_create(
                SAMPLE_RATE as i32,
                c_int::from(channels),
                c_int::from(surround.streams),
                c_int::from(surround.coupled),
                surround.mapping.as_ptr(),
                &raw mut status,
            )
        };
        let state = NonNull::new(state).ok_or(OpusError(status))?;
        let decoder = SurroundDecoder {
            state,
            channels: channels.into(),
        };
        // SAFETY: OPUS_SET_GAIN takes one `opus_int32`; any i16 is in its range.
        check(unsafe {
            sys::opus_multistream_decoder_ctl(
                decoder.state.as_ptr(),
                sys::OPUS_SET_GAIN_REQUEST,
                c_int::from(gain_q8),
            )
        })?;
        Ok(decoder)
    }

    /// Decodes a packet into `out`, interleaved, and returns the samples per channel.
    pub fn decode(&mut self, packet: &[u8], out: &mut Vec<f32>) -> Result<usize, OpusError> {
        if packet.is_empty() {
            return Err(OpusError(sys::OPUS_INVALID_PACKET));
        }
        let len = i32::try_from(packet.len()).map_err(|_| OpusError(sys::OPUS_BAD_ARG))?;
        out.clear();
        out.resize(MAX_PACKET_SAMPLES * self.channels, 0.0);
        // SAFETY: `packet` holds `len` readable bytes; `out` holds MAX_PACKET_SAMPLES samples for each
        // channel, which is the frame size given; libopus keeps neither pointer.
        let samples = unsafe {
            sys::opus_multistream_decode_float(
                self.state.as_ptr(),
                packet.as_ptr(),
                len,
                out.as_mut_ptr(),
                MAX_PACKET_SAMPLES as c_int,
                0,
            )
        };
        let samples = usize::try_from(samples).map_err(|_| OpusError(samples))?;
        out.truncate(samples * self.channels);
        Ok(samples)
    }

    /// Forgets the past, as after a seek. The gain stays.
    pub fn reset(&mut self) -> Result<(), OpusError> {
        // SAFETY: OPUS_RESET_STATE takes no further argument; the state is live and ours.
        check(unsafe {
            sys::opus_multistream_decoder_ctl(self.state.as_ptr(), sys::OPUS_RESET_STATE)
        })
    }
}

impl Drop for SurroundDecoder {
    fn drop(&mut self) {
        // SAFETY: the state came from opus_multistream_decoder_create and is freed only here.
        unsafe { sys::opus_multistream_decoder_destroy(self.state.as_ptr()) }
    }
}

fn check(status: c_int) -> Result<(), OpusError> {
    if status < 0 {
        Err(OpusError(status))
    } else {
        Ok(())
    }
}
