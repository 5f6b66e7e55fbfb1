//! Demuxing and decoding through symphonia: a media file to blocks of samples.
//!
//! Symphonia is other people's code fed with strangers' bytes, so every call into it is contained: a
//! panic becomes an error, the bytes it may read in one step are limited, and bad packets are counted.

use std::io::{Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use symphonia::core::audio::Channels;
use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::{Error as SymphoniaError, SeekErrorKind};
use symphonia::core::formats::{FormatOptions, FormatReader, SeekMode, SeekTo, Track, TrackType};
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::units::{TimeBase, Timestamp};
use symphonia::default::{formats, get_codecs};

use crate::error::{AudioError, AudioErrorCode};
use crate::input::{Input, ReadBudget};
use crate::probe::Kind;

/// Bytes that may be read while a file is opened: its headers, tags and pictures.
const OPEN_BUDGET: u64 = 64 << 20;
/// Bytes that may be read for one packet.
const PACKET_BUDGET: u64 = 16 << 20;
/// Bad packets in a row that are skipped before the track is given up.
const MAX_BAD_PACKETS: u32 = 64;
/// The longest hole left by skipped packets that is filled with silence, in seconds.
const MAX_FILL_SECONDS: i64 = 2;
const MAX_CHANNELS: usize = 32;
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
}

/// What a call into symphonia may come to, apart from its result.
enum Fault {
    /// The bytes are over.
    End,
    /// This packet is bad; the next one may be good.
    Bad(AudioError),
    /// The stream begins anew with other parameters.
    Reset,
    /// A place that cannot be reached.
    OutOfRange,
    Fatal(AudioError),
}

/// An open media file that is decoded.
pub(crate) struct MediaReader {
    kind: Kind,
    /// `None` only while the file is opened anew, or after that failed.
    format: Option<Box<dyn FormatReader>>,
    decoder: Box<dyn AudioDecoder>,
    track_id: u32,
    time_base: TimeBase,
    budget: Arc<ReadBudget>,
    seekable: bool,
    /// A block that was read ahead.
    ahead: Option<Block>,
    /// Where the next block should begin; unknown after a seek.
    expected: Option<i64>,
    /// What is added to the file's timestamps after the stream began anew.
    offset: i64,
    bad_packets: u32,
}

impl MediaReader {
    /// Opens the file and decodes its first block.
    pub(crate) fn open(kind: Kind, input: Input) -> Result<MediaReader, AudioError> {
        let budget = input.budget();
        let seekable = input.seekable();
        let stream = MediaSourceStream::new(Box::new(input), MediaSourceStreamOptions::default());
        budget.refill(OPEN_BUDGET);
        let format = open_format(kind, stream, &budget)?;
        let (decoder, track_id, time_base) = make_decoder(kind, &*format, &budget)?;
        let mut reader = MediaReader {
            kind,
            format: Some(format),
            decoder,
            track_id,
            time_base,
            budget,
            seekable,
            ahead: None,
            expected: None,
            offset: 0,
            bad_packets: 0,
        };
        reader.ahead = reader.read_block()?;
        if reader.ahead.is_some() {
            return Ok(reader);
        }
        Err(match reader.bad_packets {
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
    /// Returns where the next block begins; `None` when `target` is beyond the end.
    pub(crate) fn seek(&mut self, target: i64, rate: u32) -> Result<Option<i64>, AudioError> {
        let early = (target - self.preroll()).max(0);
        if self.seekable {
            if !self.seek_format(early, rate)? {
                self.reopen()?;
            }
        } else if self.expected.is_none_or(|expected| expected > target) {
            let detail = "the source cannot be read backwards";
            return Err(AudioError::new(
                AudioErrorCode::SeekFailed,
                self.kind.name(),
                detail,
            ));
        }
        if self.ahead.is_none() {
            self.ahead = self.read_block()?;
        }
        Ok(self.ahead.as_ref().map(|block| block.start))
    }

    /// The codec's name.
    pub(crate) fn codec(&self) -> &'static str {
        match self.decoder.codec_info().short_name {
            name if name.starts_with("pcm") => "pcm",
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
        let format = self.format.as_ref()?;
        let track = format
            .tracks()
            .iter()
            .find(|track| track.id == self.track_id)?;
        let (base, duration) = match (track.time_base, track.duration) {
            (Some(base), Some(duration)) => (base, duration),
            _ => (
                format.media_info().time_base?,
                format.media_info().duration?,
            ),
        };
        u64::try_from(base.calc_duration(duration)?.as_millis()).ok()
    }

    /// Samples to decode ahead of a place so that the decoder's memory is right when it is reached.
    fn preroll(&self) -> i64 {
        match self.codec() {
            "flac" | "pcm" => 0,
            "vorbis" => 2 * 8192,
            _ => 4 * 1152,
        }
    }

    /// Seeks inside the container; `false` when it cannot go there by itself.
    fn seek_format(&mut self, early: i64, rate: u32) -> Result<bool, AudioError> {
        let Some(format) = &mut self.format else {
            return Ok(false);
        };
        let ticks = i128::from(early) * i128::from(self.time_base.denom.get())
            / (i128::from(self.time_base.numer.get()) * i128::from(rate.max(1)));
        let to = SeekTo::Timestamp {
            ts: Timestamp::new(i64::try_from(ticks).unwrap_or(i64::MAX)),
            track_id: self.track_id,
        };
        self.budget.refill(u64::MAX);
        let sought = contained(self.kind, &self.budget, || {
            format.seek(SeekMode::Accurate, to)
        });
        self.forget();
        match sought {
            Ok(_) => Ok(true),
            Err(Fault::Fatal(error)) if error.code() == AudioErrorCode::ReadFailed => Err(error),
            Err(_) => Ok(false),
        }
    }

    /// Begins the file again from its first byte, for places the container cannot find by itself.
    fn reopen(&mut self) -> Result<(), AudioError> {
        let failed = || {
            let detail = "the file cannot be read again from its beginning";
            AudioError::new(AudioErrorCode::SeekFailed, self.kind.name(), detail)
        };
        let mut stream = self.format.take().ok_or_else(failed)?.into_inner();
        self.budget.refill(OPEN_BUDGET);
        stream
            .seek(SeekFrom::Start(0))
            .map_err(|error| AudioError::io(self.kind.name(), &error))?;
        let format = open_format(self.kind, stream, &self.budget)?;
        let (decoder, track_id, time_base) = make_decoder(self.kind, &*format, &self.budget)?;
        (self.decoder, self.track_id, self.time_base) = (decoder, track_id, time_base);
        self.format = Some(format);
        self.forget();
        Ok(())
    }

    /// Drops what belongs to the place before a seek.
    fn forget(&mut self) {
        self.decoder.reset();
        self.ahead = None;
        self.expected = None;
        self.offset = 0;
        self.bad_packets = 0;
    }

    /// Decodes packets until one gives sound; skips bad ones up to the limit.
    fn read_block(&mut self) -> Result<Option<Block>, AudioError> {
        loop {
            match self.read_packet() {
                Ok(Some(block)) if block.samples.is_empty() => {}
                Ok(Some(block)) => {
                    self.bad_packets = 0;
                    return Ok(Some(block));
                }
                Ok(None) | Err(Fault::End) => return Ok(None),
                Err(Fault::Bad(error)) => {
                    self.bad_packets += 1;
                    if self.bad_packets > MAX_BAD_PACKETS {
                        return Err(error);
                    }
                }
                Err(Fault::Reset) => self.restart()?,
                Err(Fault::OutOfRange) => {
                    let detail = "the container points outside of itself";
                    return Err(AudioError::malformed(self.kind.name(), detail));
                }
                Err(Fault::Fatal(error)) => return Err(error),
            }
        }
    }

    fn read_packet(&mut self) -> Result<Option<Block>, Fault> {
        let Some(format) = &mut self.format else {
            return Ok(None);
        };
        self.budget.refill(PACKET_BUDGET);
        let Some(packet) = contained(self.kind, &self.budget, || format.next_packet())? else {
            return Ok(None);
        };
        if packet.track_id != self.track_id {
            return Ok(Some(Block::default()));
        }
        let decoder = &mut self.decoder;
        let mut block = contained(self.kind, &self.budget, || {
            let decoded = decoder.decode(&packet)?;
            let mut block = Block {
                channels: decoded.spec().channels().clone(),
                rate: decoded.spec().rate(),
                ..Block::default()
            };
            decoded.copy_to_vec_interleaved(&mut block.samples);
            Ok(block)
        })
        .map_err(|fault| match fault {
            // The end of a packet's bytes is not the end of the file.
            Fault::End => Fault::Bad(AudioError::malformed(
                self.kind.name(),
                "a packet is cut off",
            )),
            other => other,
        })?;
        if !block.samples.is_empty() {
            check_shape(self.kind, &block).map_err(Fault::Fatal)?;
            let ticks = i128::from(packet.pts.get()) + i128::from(packet.trim_start.get());
            self.place(&mut block, ticks);
        }
        Ok(Some(block))
    }

    /// Gives a block its place in source time and fills the hole that skipped packets left.
    fn place(&mut self, block: &mut Block, ticks: i128) {
        let rate = i64::from(block.rate);
        let samples = ticks * i128::from(self.time_base.numer.get()) * i128::from(rate)
            / i128::from(self.time_base.denom.get());
        let stamp = i64::try_from(samples)
            .unwrap_or(0)
            .saturating_add(self.offset);
        // Timestamps are rounded in many containers: once running, samples are counted.
        let expected = self.expected.unwrap_or(stamp);
        let hole = stamp.saturating_sub(expected);
        block.start = expected;
        if hole > rate / 50 && self.bad_packets > 0 {
            let channels = block.channels.count();
            let fill = hole.min(rate * MAX_FILL_SECONDS) as usize * channels;
            block.samples.splice(0..0, std::iter::repeat_n(0.0, fill));
        }
        self.expected = Some(block.start.saturating_add(block.frames() as i64));
    }

    /// Follows a stream that begins anew, as in chained Ogg: time goes on where it was.
    fn restart(&mut self) -> Result<(), AudioError> {
        let Some(format) = &self.format else {
            return Ok(());
        };
        let (decoder, track_id, time_base) = make_decoder(self.kind, &**format, &self.budget)?;
        (self.decoder, self.track_id, self.time_base) = (decoder, track_id, time_base);
        self.bad_packets += 1;
        if self.bad_packets > MAX_BAD_PACKETS {
            return Err(AudioError::limit(
                self.kind.name(),
                "the stream begins anew too often",
            ));
        }
        Ok(())
    }
}

fn open_format(
    kind: Kind,
    stream: MediaSourceStream<'static>,
    budget: &ReadBudget,
) -> Result<Box<dyn FormatReader>, AudioError> {
    let options = FormatOptions::default();
    let opened = contained(kind, budget, || {
        Ok::<Box<dyn FormatReader>, _>(match kind {
            Kind::Adts => Box::new(formats::AdtsReader::try_new(stream, options)?),
            Kind::Flac => Box::new(formats::FlacReader::try_new(stream, options)?),
            Kind::Matroska => Box::new(formats::MkvReader::try_new(stream, options)?),
            Kind::Mp3 => Box::new(formats::MpaReader::try_new(stream, options)?),
            Kind::Mp4 => Box::new(formats::IsoMp4Reader::try_new(stream, options)?),
            Kind::OggOpus | Kind::OggOther => {
                Box::new(formats::OggReader::try_new(stream, options)?)
            }
            Kind::Wav => Box::new(formats::WavReader::try_new(stream, options)?),
        })
    });
    opened.map_err(|fault| whole_file(kind, fault))
}

fn make_decoder(
    kind: Kind,
    format: &dyn FormatReader,
    budget: &ReadBudget,
) -> Result<(Box<dyn AudioDecoder>, u32, TimeBase), AudioError> {
    let unsupported =
        |detail: &str| AudioError::new(AudioErrorCode::UnsupportedCodec, kind.name(), detail);
    let track = audio_track(format).ok_or_else(|| unsupported("there is no audio stream in it"))?;
    let params = track
        .codec_params
        .as_ref()
        .and_then(|params| params.audio())
        .ok_or_else(|| unsupported("the audio codec is not known"))?;
    let rate = params.sample_rate;
    let time_base = track
        .time_base
        .or_else(|| rate.and_then(TimeBase::try_from_recip));
    let options = AudioDecoderOptions::default();
    let made = contained(kind, budget, || {
        get_codecs().make_audio_decoder(params, &options)
    });
    let decoder = made.map_err(|fault| whole_file(kind, fault))?;
    let time_base = time_base
        .ok_or_else(|| AudioError::malformed(kind.name(), "the sampling rate is missing"))?;
    Ok((decoder, track.id, time_base))
}

/// The default audio track if its codec is known to the decoders, else the first such track.
pub(crate) fn audio_track(format: &dyn FormatReader) -> Option<&Track> {
    let playable = |track: &&Track| {
        let codec = track
            .codec_params
            .as_ref()
            .and_then(|params| params.audio());
        codec.is_some_and(|params| get_codecs().get_audio_decoder(params.codec).is_some())
    };
    format
        .default_track(TrackType::Audio)
        .filter(playable)
        .or_else(|| format.tracks().iter().find(playable))
        .or_else(|| format.first_track(TrackType::Audio))
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

/// Runs a call into symphonia; a panic in there is one bad packet's worth of trouble.
fn contained<T>(
    kind: Kind,
    budget: &ReadBudget,
    call: impl FnOnce() -> Result<T, SymphoniaError>,
) -> Result<T, Fault> {
    let name = kind.name();
    let error = match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => return Ok(value),
        Ok(Err(error)) => error,
        Err(_) => {
            return Err(Fault::Fatal(AudioError::malformed(
                name,
                "the decoder gave up",
            )));
        }
    };
    if budget.is_spent() {
        let detail = "one part of the file is too long";
        return Err(Fault::Fatal(AudioError::limit(name, detail)));
    }
    Err(match error {
        SymphoniaError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            Fault::End
        }
        SymphoniaError::IoError(error) => Fault::Fatal(AudioError::io(name, &error)),
        SymphoniaError::DecodeError(detail) => Fault::Bad(AudioError::malformed(name, detail)),
        SymphoniaError::SeekError(SeekErrorKind::OutOfRange | SeekErrorKind::ForwardOnly) => {
            Fault::OutOfRange
        }
        SymphoniaError::Unsupported(detail) => Fault::Fatal(AudioError::new(
            AudioErrorCode::UnsupportedCodec,
            name,
            detail,
        )),
        SymphoniaError::LimitError(detail) => Fault::Fatal(AudioError::limit(name, detail)),
        SymphoniaError::ResetRequired => Fault::Reset,
        other => Fault::Fatal(AudioError::malformed(name, other.to_string())),
    })
}

/// A fault while the file as a whole is opened.
fn whole_file(kind: Kind, fault: Fault) -> AudioError {
    match fault {
        Fault::End => {
            AudioError::malformed(kind.name(), "the file ends in the middle of its header")
        }
        Fault::Bad(error) | Fault::Fatal(error) => error,
        Fault::Reset | Fault::OutOfRange => {
            AudioError::malformed(kind.name(), "the header contradicts itself")
        }
    }
}
