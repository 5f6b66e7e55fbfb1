//! HE-AAC: access units to samples, through syom.
//!
//! Symphonia decodes the AAC-LC half of it alone. Like symphonia, syom is other people's code fed with strangers' bytes: the
//! caller contains its panics, and what it holds is bounded by itself (one frame of at most eight channels).

use symphonia::core::audio::{Channels, Position};
use syom::{AacError, Channel, DecodeOptions, Decoder, Frame};

use crate::decode::Block;
use crate::error::{AudioError, AudioErrorCode};

/// What decodes a stream of HE-AAC.
pub(crate) struct HeAac {
    decoder: Decoder,
    /// The audio specific configuration.
    config: Vec<u8>,
    /// The first access unit that could be decoded. Units say only now and then how the upper half is built, and this one does.
    first: Option<Box<[u8]>>,
}

impl HeAac {
    /// A decoder for a stream with this configuration in `container`.
    pub(crate) fn new(container: &'static str, config: Vec<u8>) -> Result<HeAac, AudioError> {
        let decoder = Decoder::from_asc(&config, DecodeOptions::unbounded())
            .map_err(|error| refused(container, &error))?;
        Ok(HeAac {
            decoder,
            config,
            first: None,
        })
    }

    /// Forgets what came before, but not how the upper half is built.
    pub(crate) fn reset(&mut self) {
        self.begin();
        if let Some(first) = &self.first
            && self.decoder.decode_au(first, |_| Ok(())).is_err()
        {
            self.begin();
        }
    }

    fn begin(&mut self) {
        self.decoder.reset();
        // It was accepted when the decoder was made.
        let _ = self.decoder.set_asc(&self.config);
    }

    /// Decodes an access unit; a bad one leaves the decoder as new.
    pub(crate) fn decode(
        &mut self,
        container: &'static str,
        unit: &[u8],
    ) -> Result<Block, AudioError> {
        let mut block = Block::default();
        let decoded = self.decoder.decode_au(unit, |frame| {
            interleave(&frame, &mut block);
            Ok(())
        });
        match decoded {
            Ok(()) => {
                self.first.get_or_insert_with(|| unit.into());
                Ok(block)
            }
            Err(error) => {
                self.reset();
                Err(refused(container, &error))
            }
        }
    }
}

fn refused(container: &'static str, error: &AacError) -> AudioError {
    let code = match error {
        AacError::Unsupported(_) => AudioErrorCode::UnsupportedCodec,
        _ => AudioErrorCode::MalformedMedia,
    };
    AudioError::new(
        code,
        container,
        format!("HE-AAC cannot be decoded: {error}"),
    )
}

fn interleave(frame: &Frame<'_>, block: &mut Block) {
    let count = frame.planar.len();
    block.rate = frame.sample_rate;
    block.channels = channels(frame);
    block.samples.resize(frame.samples * count, 0.0);
    for (channel, plane) in frame.planar.iter().enumerate() {
        let places = block.samples.iter_mut().skip(channel).step_by(count);
        for (place, &sample) in places.zip(*plane) {
            *place = sample;
        }
    }
}

/// Where the channels stand; the order is that of the positions.
fn channels(frame: &Frame<'_>) -> Channels {
    let count = frame.planar.len();
    let mut positions = Position::empty();
    match count {
        1 => positions = Position::FRONT_CENTER,
        2 => positions = Position::FRONT_LEFT | Position::FRONT_RIGHT,
        _ => {
            for label in frame.meta.labels().take(count) {
                positions |= position(label);
            }
        }
    }
    match positions.bits().count_ones() as usize {
        known if known == count => Channels::Positioned(positions),
        _ => Channels::Discrete(count as u16),
    }
}

fn position(channel: Channel) -> Position {
    match channel {
        Channel::FrontLeft => Position::FRONT_LEFT,
        Channel::FrontRight => Position::FRONT_RIGHT,
        Channel::FrontCenter => Position::FRONT_CENTER,
        Channel::Lfe => Position::LFE1,
        Channel::BackLeft => Position::REAR_LEFT,
        Channel::BackRight => Position::REAR_RIGHT,
        Channel::BackCenter => Position::REAR_CENTER,
        Channel::SideLeft => Position::SIDE_LEFT,
        Channel::SideRight => Position::SIDE_RIGHT,
        _ => Position::empty(),
    }
}
