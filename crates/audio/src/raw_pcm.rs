//! Samples with nothing around them: bytes whose shape the caller has declared, read as blocks.

use std::io::{ErrorKind, Read as _};

use symphonia::core::audio::{Channels, Position};

use crate::decode::Block;
use crate::error::{AudioError, AudioErrorCode};
use crate::source::ByteSource;

/// How samples are written, little-endian.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum SampleType {
    /// 16-bit signed integers.
    #[default]
    S16Le,
    /// 32-bit floats, full scale at ±1; what is no finite number becomes silence.
    F32Le,
}

impl SampleType {
    fn bytes(self) -> usize {
        match self {
            SampleType::S16Le => 2,
            SampleType::F32Le => 4,
        }
    }
}

/// The shape of a raw stream. Default: 48 kHz stereo, 16-bit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PcmFormat {
    /// How samples are written.
    pub sample_type: SampleType,
    /// Hz, 4,000 to 384,000.
    pub sample_rate: u32,
    /// Interleaved channels, 1 to 8: mono, stereo, or left and right alternating.
    pub channels: u8,
}

impl Default for PcmFormat {
    fn default() -> PcmFormat {
        PcmFormat {
            sample_type: SampleType::S16Le,
            sample_rate: 48_000,
            channels: 2,
        }
    }
}

impl PcmFormat {
    /// Whether rate and channels lie in their ranges.
    pub fn is_valid(&self) -> bool {
        (4_000..=384_000).contains(&self.sample_rate) && (1..=8).contains(&self.channels)
    }

    /// Bytes of one sample of every channel.
    pub fn sample_bytes(&self) -> usize {
        self.sample_type.bytes() * usize::from(self.channels)
    }

    /// Bytes of 20 ms, rounded up to whole samples.
    pub fn frame_bytes(&self) -> usize {
        (self.sample_rate as usize).div_ceil(50) * self.sample_bytes()
    }
}

/// A raw stream on its way to Opus.
pub(crate) struct RawPcm {
    source: Box<dyn ByteSource>,
    format: PcmFormat,
    channels: Channels,
    /// Read bytes that are not yet a whole sample of every channel.
    bytes: Vec<u8>,
    position: i64,
}

impl RawPcm {
    pub(crate) fn new(
        source: Box<dyn ByteSource>,
        format: PcmFormat,
    ) -> Result<RawPcm, AudioError> {
        if !format.is_valid() {
            return Err(AudioError::new(
                AudioErrorCode::UnsupportedFormat,
                "raw",
                "the rate or the number of channels is out of range",
            ));
        }
        let channels = match format.channels {
            1 => Channels::Positioned(Position::FRONT_LEFT),
            2 => Channels::Positioned(Position::FRONT_LEFT | Position::FRONT_RIGHT),
            count => Channels::Discrete(count.into()),
        };
        Ok(RawPcm {
            source,
            format,
            channels,
            bytes: Vec::new(),
            position: 0,
        })
    }

    /// What has arrived, at most 20 ms of it; waits only while that is not one whole sample.
    pub(crate) fn next_block(&mut self) -> Result<Option<Block>, AudioError> {
        let sample = self.format.sample_bytes();
        while self.bytes.len() < sample {
            if self.read()? == 0 {
                return Ok(None);
            }
        }
        let whole = self.bytes.len() - self.bytes.len() % sample;
        let samples = decode(self.format.sample_type, &self.bytes[..whole]);
        self.bytes.drain(..whole);
        let start = self.position;
        self.position += (whole / sample) as i64;
        Ok(Some(Block {
            samples,
            channels: self.channels.clone(),
            rate: self.format.sample_rate,
            start,
        }))
    }

    /// A stream that is made as it plays cannot go anywhere: it stays where it is.
    pub(crate) fn seek(&self, _target: i64) -> Option<i64> {
        Some(self.position)
    }

    fn read(&mut self) -> Result<usize, AudioError> {
        let had = self.bytes.len();
        self.bytes.resize(self.format.frame_bytes().max(had + 1), 0);
        let result = loop {
            match self.source.read(&mut self.bytes[had..]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => break result,
            }
        };
        let count = *result.as_ref().unwrap_or(&0);
        self.bytes.truncate(had + count);
        result.map_err(|error| AudioError::io("raw", &error))
    }
}

fn decode(sample_type: SampleType, bytes: &[u8]) -> Vec<f32> {
    match sample_type {
        SampleType::S16Le => {
            let samples = bytes.as_chunks::<2>().0.iter();
            samples
                .map(|bytes| f32::from(i16::from_le_bytes(*bytes)) / 32_768.0)
                .collect()
        }
        SampleType::F32Le => {
            let samples = bytes.as_chunks::<4>().0.iter();
            samples.map(|bytes| f32::from_le_bytes(*bytes)).collect()
        }
    }
}
