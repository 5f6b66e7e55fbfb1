//! Opus packets decoded to blocks of stereo, however many channels they hold.

use symphonia::core::audio::{Channels, Position};

use crate::SAMPLE_RATE;
use crate::decode::Block;
use crate::error::AudioError;
use crate::mix::Mixer;
use crate::opus::{Decoder, MAX_PACKET_SAMPLES, OpusError, OpusHead, SurroundDecoder};
use crate::packets::{OpusPackets, TimedPacket};
use crate::transcode::codec_failed;

/// Sound that is decoded ahead of a place so that the decoder settles (RFC 7845, section 4.6).
const PREROLL: i64 = 3840;
/// Bad packets in a row that are skipped before the track is given up.
const MAX_BAD_PACKETS: u32 = 64;

/// Opus packets decoded to blocks.
pub(crate) struct OpusPcm {
    source: OpusPackets,
    decoder: StereoDecoder,
    /// The head that the decoder was made for.
    head: OpusHead,
    /// A packet that was read but not decoded.
    first: Option<TimedPacket>,
    ahead: Option<Block>,
    expected: Option<i64>,
    bad_packets: u32,
}

impl OpusPcm {
    /// Decodes `first`, then what `source` gives.
    pub(crate) fn new(
        source: OpusPackets,
        first: Option<TimedPacket>,
    ) -> Result<OpusPcm, AudioError> {
        let head = source.head();
        let decoder = StereoDecoder::new(&head).map_err(codec_failed)?;
        Ok(OpusPcm {
            source,
            decoder,
            head,
            first,
            ahead: None,
            expected: None,
            bad_packets: 0,
        })
    }

    /// The next block; `None` is the end.
    pub(crate) fn next_block(&mut self) -> Result<Option<Block>, AudioError> {
        match self.ahead.take() {
            Some(block) => Ok(Some(block)),
            None => self.read_block(),
        }
    }

    /// Goes to a block at or before `target`; returns where it begins, or `None` at the end.
    pub(crate) fn seek(&mut self, target: i64) -> Result<Option<i64>, AudioError> {
        let early = target.saturating_sub(PREROLL);
        self.source.seek(early)?;
        self.decoder.reset().map_err(codec_failed)?;
        self.expected = None;
        self.first = None;
        self.ahead = self.read_block()?;
        Ok(self.ahead.as_ref().map(|block| block.start))
    }

    fn read_block(&mut self) -> Result<Option<Block>, AudioError> {
        loop {
            let next = match self.first.take() {
                Some(packet) => Some(packet),
                None => self.source.next_packet()?,
            };
            let Some(packet) = next else { return Ok(None) };
            match self.decode(&packet) {
                Ok(block) => {
                    self.bad_packets = 0;
                    return Ok(Some(block));
                }
                Err(error) => {
                    self.bad_packets += 1;
                    if self.bad_packets > MAX_BAD_PACKETS {
                        return Err(AudioError::malformed("opus", error.to_string()));
                    }
                }
            }
        }
    }

    fn decode(&mut self, packet: &TimedPacket) -> Result<Block, OpusError> {
        let head = self.source.head();
        if head != self.head {
            self.decoder = StereoDecoder::new(&head)?;
            self.head = head;
        }
        let mut samples = Vec::new();
        let decoded = self.decoder.decode(&packet.data, &mut samples)?;
        samples.truncate(2 * decoded.min(packet.samples as usize));
        let mut block = Block {
            samples,
            channels: Channels::Positioned(Position::FRONT_LEFT | Position::FRONT_RIGHT),
            rate: SAMPLE_RATE,
            start: packet.start,
        };
        if let Some(expected) = self.expected {
            block.fill_front(packet.start.saturating_sub(expected));
        }
        self.expected = Some(packet.end());
        Ok(block)
    }
}

/// Decodes whatever a head describes to stereo.
enum StereoDecoder {
    Plain(Decoder),
    Surround(SurroundDecoder, Mixer),
}

impl StereoDecoder {
    fn new(head: &OpusHead) -> Result<StereoDecoder, OpusError> {
        Ok(match &head.surround {
            None => StereoDecoder::Plain(Decoder::new(head.gain_q8)?),
            Some(surround) => {
                let decoder = SurroundDecoder::new(head.channels, surround, head.gain_q8)?;
                let positions = if surround.positioned {
                    vorbis_order(head.channels)
                } else {
                    &[]
                };
                let mixer = if positions.is_empty() {
                    Mixer::new(&Channels::Discrete(head.channels.into()))
                } else {
                    Mixer::in_order(positions)
                };
                StereoDecoder::Surround(decoder, mixer)
            }
        })
    }

    /// Appends interleaved stereo to `out` and returns the samples per channel.
    fn decode(&mut self, packet: &[u8], out: &mut Vec<f32>) -> Result<usize, OpusError> {
        match self {
            StereoDecoder::Plain(decoder) => {
                let mut pcm = [0.0; 2 * MAX_PACKET_SAMPLES];
                let count = decoder.decode(packet, &mut pcm)?;
                out.extend_from_slice(&pcm[..2 * count]);
                Ok(count)
            }
            StereoDecoder::Surround(decoder, mixer) => {
                let mut pcm = Vec::new();
                let count = decoder.decode(packet, &mut pcm)?;
                mixer.mix(&pcm, out);
                Ok(count)
            }
        }
    }

    fn reset(&mut self) -> Result<(), OpusError> {
        match self {
            StereoDecoder::Plain(decoder) => decoder.reset(),
            StereoDecoder::Surround(decoder, _) => decoder.reset(),
        }
    }
}

/// The loudspeakers in the order of Vorbis (Vorbis I, section 4.3.9), which Opus takes over.
fn vorbis_order(channels: u8) -> &'static [Position] {
    use Position as P;
    match channels {
        1 => &[P::FRONT_CENTER],
        2 => &[P::FRONT_LEFT, P::FRONT_RIGHT],
        3 => &[P::FRONT_LEFT, P::FRONT_CENTER, P::FRONT_RIGHT],
        4 => &[P::FRONT_LEFT, P::FRONT_RIGHT, P::REAR_LEFT, P::REAR_RIGHT],
        5 => &[
            P::FRONT_LEFT,
            P::FRONT_CENTER,
            P::FRONT_RIGHT,
            P::REAR_LEFT,
            P::REAR_RIGHT,
        ],
        6 => &[
            P::FRONT_LEFT,
            P::FRONT_CENTER,
            P::FRONT_RIGHT,
            P::REAR_LEFT,
            P::REAR_RIGHT,
            P::LFE1,
        ],
        7 => &[
            P::FRONT_LEFT,
            P::FRONT_CENTER,
            P::FRONT_RIGHT,
            P::SIDE_LEFT,
            P::SIDE_RIGHT,
            P::REAR_CENTER,
            P::LFE1,
        ],
        8 => &[
            P::FRONT_LEFT,
            P::FRONT_CENTER,
            P::FRONT_RIGHT,
            P::SIDE_LEFT,
            P::SIDE_RIGHT,
            P::REAR_LEFT,
            P::REAR_RIGHT,
            P::LFE1,
        ],
        _ => &[],
    }
}
