//! Decoding: packets to blocks of samples, each with its place in source time.

use std::collections::VecDeque;

use symphonia::core::audio::Channels;
use symphonia::core::codecs::audio::well_known::CODEC_ID_AAC;
use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::packet::Packet;
use symphonia::default::get_codecs;

use crate::aac::{self, SbrWatch};
use crate::demux::{Demuxer, Fault, whole_file};
use crate::error::{AudioError, AudioErrorCode};
use crate::he_aac::HeAac;
use crate::probe::Kind;

/// Bad packets in a row that are skipped before the track is given up.
const MAX_BAD_PACKETS: u32 = 64;
/// The longest hole left by skipped packets that is filled with silence, in seconds.
const MAX_FILL_SECONDS: i64 = 2;
const MAX_CHANNELS: usize = 32;
/// Bytes of packets that are read ahead to tell HE-AAC from AAC-LC.
const MAX_LOOKED_AT: usize = 128 * 1024;
const RATES: std::ops::RangeInclusive<u32> = 4_000..=384_000;

/// Decoded samples.
#[derive(Clone, Debug, Default)]
pub(crate) struct Block {
    /// Interleaved.
    pub(crate) samples: Vec<f32>,
    pub(crate) channels: Channels,
    /// In Hz.
    pub(crate) rate: u32,
    /// Where the block begins, in samples of source time.
    pub(crate) start: i64,
}

impl Block {
    pub(crate) fn frames(&self) -> usize {
        self.samples.len() / self.channels.count().max(1)
    }

    /// Puts silence in front, for sound that is missing; the block then begins that much earlier.
    pub(crate) fn fill_front(&mut self, hole: i64) {
        let frames = hole.clamp(0, i64::from(self.rate) * MAX_FILL_SECONDS) as usize;
        let count = frames * self.channels.count();
        self.samples.splice(0..0, std::iter::repeat_n(0.0, count));
        self.start = self.start.saturating_sub(frames as i64);
    }
}

/// What makes samples of packets.
enum Decoder {
    Symphonia(Box<dyn AudioDecoder>),
    HeAac(Box<HeAac>),
}

/// An open media file that is decoded.
pub(crate) struct MediaReader {
    demuxer: Demuxer,
    decoder: Decoder,
    /// Packets that were looked at and not decoded yet.
    looked_at: VecDeque<Result<Packet, Fault>>,
    /// A block that was read ahead.
    ahead: Option<Block>,
    /// Where the next block should begin; unknown after a seek.
    expected: Option<i64>,
    /// What is added to the file's timestamps to get source time.
    offset: i64,
    /// The offset of the stream's beginning.
    first_offset: i64,
    bad_packets: u32,
    /// The bytes ended in the middle of a packet.
    cut_off: bool,
}

impl MediaReader {
    /// Makes the decoder and decodes the first block, which begins at 0 if time counts `from_first`.
    pub(crate) fn open(mut demuxer: Demuxer, from_first: bool) -> Result<MediaReader, AudioError> {
        let kind = demuxer.kind();
        let mut looked_at = VecDeque::new();
        let is_he_aac = has_sbr(&mut demuxer, &mut looked_at);
        let mut reader = MediaReader {
            decoder: make_decoder(&demuxer, is_he_aac)?,
            demuxer,
            looked_at,
            ahead: None,
            expected: None,
            offset: 0,
            first_offset: 0,
            bad_packets: 0,
            cut_off: false,
        };
        reader.ahead = reader.read_block()?;
        reader.begin_at_zero(from_first);
        if reader.ahead.is_some() {
            return Ok(reader);
        }
        Err(match reader.bad_packets {
            0 if reader.cut_off => {
                AudioError::malformed(kind.name(), "the file ends in its first packet")
            }
            0 => AudioError::new(
                AudioErrorCode::EmptySource,
                kind.name(),
                "there is no sound in it",
            ),
            _ => AudioError::malformed(kind.name(), "nothing in it can be decoded"),
        })
    }

    /// The next block; `None` is the end.
    pub(crate) fn next_block(&mut self) -> Result<Option<Block>, AudioError> {
        match self.ahead.take() {
            Some(block) => Ok(Some(block)),
            None => self.read_block(),
        }
    }

    /// Goes to a block at or before `target`, in samples of source time at `rate`.
    ///
    /// Returns where the next block begins; `None` when there is none.
    pub(crate) fn seek(&mut self, target: i64, rate: u32) -> Result<Option<i64>, AudioError> {
        if self.demuxer.seekable() {
            let lead = self.demuxer.samples(self.demuxer.edit().lead.into(), rate);
            self.demuxer
                .seek(target.saturating_add(lead - self.preroll()).max(0), rate)?;
            match &mut self.decoder {
                Decoder::Symphonia(decoder) => decoder.reset(),
                Decoder::HeAac(decoder) => decoder.reset(),
            }
            self.looked_at.clear();
            self.ahead = None;
            self.expected = None;
            self.offset = self.first_offset;
            self.bad_packets = 0;
        } else if self.expected.is_none_or(|expected| expected > target) {
            let detail = "the source cannot be read backwards";
            let name = self.demuxer.kind().name();
            return Err(AudioError::new(AudioErrorCode::SeekFailed, name, detail));
        }
        if self.ahead.is_none() {
            self.ahead = self.read_block()?;
        }
        Ok(self.ahead.as_ref().map(|block| block.start))
    }

    /// The codec's name.
    pub(crate) fn codec(&self) -> &'static str {
        let Decoder::Symphonia(decoder) = &self.decoder else {
            return "aac";
        };
        match decoder.codec_info().short_name {
            name if name.starts_with("pcm") => "pcm",
            name if name.starts_with("adpcm") => "adpcm",
            name => name,
        }
    }

    /// Rate and channel count of the first block.
    pub(crate) fn shape(&self) -> (u32, u16) {
        let block = self.ahead.as_ref();
        block.map_or((0, 0), |block| (block.rate, block.channels.count() as u16))
    }

    /// The length in milliseconds, as the file states it.
    pub(crate) fn duration_ms(&self) -> Option<u64> {
        let edited = self
            .demuxer
            .edit()
            .length
            .map(|ticks| self.demuxer.samples(ticks.into(), 1000));
        edited
            .and_then(|ms| u64::try_from(ms).ok())
            .or_else(|| self.demuxer.duration_ms())
    }

    /// Samples to decode ahead of a place so that the decoder's memory is right when it is reached.
    fn preroll(&self) -> i64 {
        // Symphonia's Matroska reader goes to the first block behind a place; this is a long one ahead of it.
        let in_matroska = self.demuxer.kind() == Kind::Matroska;
        match self.codec() {
            _ if in_matroska => 2 * 8192,
            "adpcm" | "alac" | "flac" | "pcm" => 0,
            "aac" if matches!(self.decoder, Decoder::HeAac(_)) => 4 * 2048,
            "vorbis" => 2 * 8192,
            _ => 4 * 1152,
        }
    }

    /// Vorbis' first packet gives no sound, and Matroska counts its time all the same.
    fn begin_at_zero(&mut self, from_first: bool) {
        let is_vorbis_in_webm = self.demuxer.kind() == Kind::Matroska && self.codec() == "vorbis";
        let Some(first) = self
            .ahead
            .as_mut()
            .filter(|_| is_vorbis_in_webm || from_first)
        else {
            return;
        };
        let most = match from_first {
            true => i64::MAX,
            false => i64::from(first.rate / 4),
        };
        if (0..most).contains(&first.start) {
            self.first_offset = -first.start;
            self.offset = -first.start;
            self.expected = self.expected.map(|expected| expected - first.start);
            first.start = 0;
        }
    }

    /// Decodes packets until one gives sound; skips bad ones up to the limit.
    fn read_block(&mut self) -> Result<Option<Block>, AudioError> {
        let name = self.demuxer.kind().name();
        loop {
            match self.decode_packet() {
                Ok(Some(block)) if block.samples.is_empty() => {}
                Ok(Some(block)) => {
                    self.bad_packets = 0;
                    return Ok(Some(block));
                }
                Ok(None) => return Ok(None),
                Err(Fault::End) => {
                    self.cut_off = true;
                    return Ok(None);
                }
                Err(Fault::Bad(error)) => self.count_bad_packet(error)?,
                Err(Fault::Reset) => self.restart()?,
                Err(Fault::OutOfRange) => {
                    return Err(AudioError::malformed(
                        name,
                        "the container points outside of itself",
                    ));
                }
                Err(Fault::Fatal(error)) => return Err(error),
            }
        }
    }

    fn next_packet(&mut self) -> Result<Option<Packet>, Fault> {
        match self.looked_at.pop_front() {
            Some(packet) => packet.map(Some),
            None => self.demuxer.next_packet(),
        }
    }

    fn decode_packet(&mut self) -> Result<Option<Block>, Fault> {
        let Some(packet) = self.next_packet()? else {
            return Ok(None);
        };
        let container = self.demuxer.kind().name();
        let decoded = match &mut self.decoder {
            Decoder::Symphonia(decoder) => self.demuxer.contained(|| {
                let decoded = decoder.decode(&packet)?;
                let mut block = Block {
                    channels: decoded.spec().channels().clone(),
                    rate: decoded.spec().rate(),
                    ..Block::default()
                };
                decoded.copy_to_vec_interleaved(&mut block.samples);
                Ok(block)
            }),
            Decoder::HeAac(decoder) => self
                .demuxer
                .contained(|| Ok(decoder.decode(container, &packet.data)))
                .and_then(|decoded| decoded.map_err(Fault::Bad)),
        };
        let name = self.demuxer.kind().name();
        let mut block = decoded.map_err(|fault| match fault {
            // The end of a packet's bytes is not the end of the file.
            Fault::End => Fault::Bad(AudioError::malformed(name, "a packet is cut off")),
            other => other,
        })?;
        if !block.samples.is_empty() {
            check_shape(self.demuxer.kind(), &block).map_err(Fault::Fatal)?;
            self.place(&mut block, &packet);
        }
        Ok(Some(block))
    }

    /// Gives a block its place in source time and fills the hole that skipped packets left.
    fn place(&mut self, block: &mut Block, packet: &Packet) {
        let edit = self.demuxer.edit();
        let ticks = i128::from(packet.pts.get()) + i128::from(packet.trim_start.get());
        let ticks = ticks - i128::from(edit.lead);
        let stamp = self
            .demuxer
            .samples(ticks, block.rate)
            .saturating_add(self.offset);
        // Timestamps are rounded in many containers: once running, samples are counted.
        block.start = self.expected.unwrap_or(stamp);
        let hole = stamp.saturating_sub(block.start);
        if hole > i64::from(block.rate / 50) && self.bad_packets > 0 {
            block.start = stamp;
            block.fill_front(hole);
        }
        self.expected = Some(block.start.saturating_add(block.frames() as i64));
        if let Some(length) = edit.length {
            let end = self.demuxer.samples(length.into(), block.rate);
            let heard = usize::try_from(end.saturating_sub(block.start)).unwrap_or(0);
            block
                .samples
                .truncate(heard.saturating_mul(block.channels.count()));
        }
    }

    /// Follows a stream that begins anew, as in chained Ogg: time goes on where it was.
    fn restart(&mut self) -> Result<(), AudioError> {
        self.demuxer.restart()?;
        let is_he_aac = matches!(self.decoder, Decoder::HeAac(_));
        self.decoder = make_decoder(&self.demuxer, is_he_aac)?;
        self.offset = self.expected.unwrap_or(0);
        let name = self.demuxer.kind().name();
        self.count_bad_packet(AudioError::limit(name, "the stream begins anew too often"))
    }

    fn count_bad_packet(&mut self, error: AudioError) -> Result<(), AudioError> {
        self.bad_packets += 1;
        if self.bad_packets > MAX_BAD_PACKETS {
            Err(error)
        } else {
            Ok(())
        }
    }
}

/// Whether the stream is HE-AAC: its configuration says so, or its first packets show it. Those are kept.
fn has_sbr(demuxer: &mut Demuxer, looked_at: &mut VecDeque<Result<Packet, Fault>>) -> bool {
    if demuxer.params().codec != CODEC_ID_AAC {
        return false;
    }
    let config = demuxer.params().extra_data.as_deref();
    if config.is_some_and(aac::announces_sbr) {
        return true;
    }
    let (mut watch, mut bytes) = (SbrWatch::default(), 0);
    while watch.looks() && bytes < MAX_LOOKED_AT {
        match demuxer.next_packet() {
            Ok(None) => break,
            Ok(Some(packet)) => {
                let seen = watch.sees_sbr(&packet.data);
                bytes += packet.data.len();
                looked_at.push_back(Ok(packet));
                if seen {
                    return true;
                }
            }
            Err(fault) => {
                looked_at.push_back(Err(fault));
                break;
            }
        }
    }
    false
}

fn make_decoder(demuxer: &Demuxer, is_he_aac: bool) -> Result<Decoder, AudioError> {
    let kind = demuxer.kind();
    let whole = |fault| whole_file(kind, fault);
    let params = demuxer.params();
    if !is_he_aac {
        let options = AudioDecoderOptions::default();
        let made = demuxer.contained(|| get_codecs().make_audio_decoder(params, &options));
        return made.map(Decoder::Symphonia).map_err(whole);
    }
    let channels = params.channels.as_ref().map_or(0, Channels::count);
    let stated = params.extra_data.as_deref().map(<[u8]>::to_vec);
    let config = stated
        .or_else(|| aac::lc_config(params.sample_rate.unwrap_or(0), channels))
        .ok_or_else(|| {
            let detail = "HE-AAC in an order of channels of its own cannot be decoded";
            AudioError::new(AudioErrorCode::UnsupportedCodec, kind.name(), detail)
        })?;
    let made = demuxer.contained(|| Ok(HeAac::new(kind.name(), config)));
    Ok(Decoder::HeAac(Box::new(made.map_err(whole)??)))
}

fn check_shape(kind: Kind, block: &Block) -> Result<(), AudioError> {
    if !RATES.contains(&block.rate) {
        let detail = format!("a sampling rate of {} Hz is out of range", block.rate);
        return Err(AudioError::limit(kind.name(), detail));
    }
    match block.channels.count() {
        1..=MAX_CHANNELS => Ok(()),
        count => Err(AudioError::limit(
            kind.name(),
            format!("{count} channels are out of range"),
        )),
    }
}
