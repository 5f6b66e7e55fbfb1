//! Demuxing through symphonia: a container file to packets of its audio stream.
//!
//! Symphonia is other people's code fed with strangers' bytes, so every call into it is contained: a
//! panic becomes an error, and the bytes it may read in one step are limited.

use std::io::{Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use symphonia::core::codecs::audio::well_known::{self, CODEC_ID_OPUS};
use symphonia::core::codecs::audio::{AudioCodecId, AudioCodecParameters};
use symphonia::core::errors::{Error as SymphoniaError, SeekErrorKind};
use symphonia::core::formats::{FormatOptions, FormatReader, SeekMode, SeekTo, Track, TrackType};
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::packet::Packet;
use symphonia::core::units::{TimeBase, Timestamp};
use symphonia::default::{formats, get_codecs};

use crate::error::{AudioError, AudioErrorCode};
use crate::input::{Input, ReadBudget};
use crate::matroska::{self, Notes};
use crate::mp4_edit::{self, Edit};
use crate::probe::{Kind, matroska_end};

/// Bytes that may be read while a file is opened: its headers, tags and pictures.
const OPEN_BUDGET: u64 = 64 << 20;
/// Bytes that may be read for one packet.
const PACKET_BUDGET: u64 = 16 << 20;
/// The latest place that is told apart, in samples; thousands of years.
const MAX_SAMPLES: i128 = 1 << 52;

/// What a call into symphonia may come to, apart from its result.
pub(crate) enum Fault {
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

/// An open container and the audio stream that was chosen in it.
pub(crate) struct Demuxer {
    kind: Kind,
    /// `None` only while the file is opened anew, or after that failed.
    format: Option<Box<dyn FormatReader>>,
    track_id: u32,
    params: AudioCodecParameters,
    time_base: TimeBase,
    budget: Arc<ReadBudget>,
    seekable: bool,
    edit: Edit,
    notes: Notes,
    /// The last packet was read.
    at_end: bool,
}

impl Demuxer {
    /// Reads the container's headers and chooses its default audio stream.
    pub(crate) fn open(kind: Kind, mut input: Input) -> Result<Demuxer, AudioError> {
        let budget = input.budget();
        let seekable = input.seekable();
        let edit = if kind == Kind::Mp4 {
            mp4_edit::read(&mut input)
        } else {
            Edit::default()
        };
        let mut notes = Notes::default();
        if kind == Kind::Matroska {
            // Asked first: reading the notes moves on from the beginning, which is then forgotten.
            let cut_off = is_cut_off(&input);
            notes = matroska::read(&mut input);
            if cut_off {
                input.appear_as_stream();
            }
        }
        let stream = MediaSourceStream::new(Box::new(input), MediaSourceStreamOptions::default());
        budget.refill(OPEN_BUDGET);
        let format = open_format(kind, stream, &budget).map_err(|error| {
            if kind != Kind::Mp4 || seekable || error.code() != AudioErrorCode::MalformedMedia {
                return error;
            }
            let detail = "the index is behind the sound, and the source cannot seek";
            AudioError::new(AudioErrorCode::SeekFailed, kind.name(), detail)
        })?;
        let (track_id, params, time_base) = choose_stream(kind, &*format)?;
        if notes.is_locked(track_id) {
            let detail = "its packets are encrypted, or compressed in a way that is not known";
            return Err(AudioError::new(
                AudioErrorCode::UnsupportedCodec,
                kind.name(),
                detail,
            ));
        }
        Ok(Demuxer {
            kind,
            format: Some(format),
            track_id,
            params,
            time_base,
            budget,
            seekable,
            edit,
            notes,
            at_end: false,
        })
    }

    /// The next packet of the chosen stream; `None` is the end.
    pub(crate) fn next_packet(&mut self) -> Result<Option<Packet>, Fault> {
        loop {
            let Some(format) = &mut self.format else {
                return Ok(None);
            };
            self.budget.refill(PACKET_BUDGET);
            let packet = contained(self.kind, &self.budget, || format.next_packet())?;
            match packet {
                Some(packet) if packet.track_id != self.track_id => {}
                mut result => {
                    self.at_end = result.is_none();
                    if let (Some(packet), Some(prefix)) =
                        (&mut result, self.notes.prefix(self.track_id))
                    {
                        packet.data = [prefix, &packet.data].concat().into();
                    }
                    return Ok(result);
                }
            }
        }
    }

    /// Goes to a packet at or before `sample` at `rate` Hz; from the beginning when nothing else helps.
    pub(crate) fn seek(&mut self, sample: i64, rate: u32) -> Result<(), AudioError> {
        // Symphonia's MP4 reader finds nothing any more once it has been at the end of the file.
        if self.at_end && self.kind == Kind::Mp4 {
            self.rewind()?;
        }
        // What its WAV reader finds in ADPCM is beyond the place.
        let is_adpcm = [
            well_known::CODEC_ID_ADPCM_MS,
            well_known::CODEC_ID_ADPCM_IMA_WAV,
        ]
        .contains(&self.params.codec);
        if !is_adpcm && self.seek_format(sample, rate)? {
            Ok(())
        } else {
            self.rewind()
        }
    }

    /// Begins the file again from its first byte, also for places the container cannot find.
    pub(crate) fn rewind(&mut self) -> Result<(), AudioError> {
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
        (self.track_id, self.params, self.time_base) = choose_stream(self.kind, &*format)?;
        self.format = Some(format);
        self.at_end = false;
        Ok(())
    }

    /// Looks at the streams again after the container began anew.
    pub(crate) fn restart(&mut self) -> Result<(), AudioError> {
        let Some(format) = &self.format else {
            return Ok(());
        };
        (self.track_id, self.params, self.time_base) = choose_stream(self.kind, &**format)?;
        Ok(())
    }

    /// Runs decoder code under the same care as the container's.
    pub(crate) fn contained<T>(
        &self,
        call: impl FnOnce() -> Result<T, SymphoniaError>,
    ) -> Result<T, Fault> {
        contained(self.kind, &self.budget, call)
    }

    /// Converts a timestamp of the container to samples at `rate` Hz; absurd ones become very late.
    pub(crate) fn samples(&self, ticks: i128, rate: u32) -> i64 {
        let scaled = ticks * i128::from(self.time_base.numer.get()) * i128::from(rate);
        let samples = scaled.div_euclid(i128::from(self.time_base.denom.get()));
        samples.clamp(-MAX_SAMPLES, MAX_SAMPLES) as i64
    }

    /// The length of one tick of the timestamps in samples at `rate` Hz, rounded up.
    pub(crate) fn tick_samples(&self, rate: u32) -> i64 {
        self.samples(1, rate) + 1
    }

    pub(crate) fn params(&self) -> &AudioCodecParameters {
        &self.params
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// What of the stream is to be heard.
    pub(crate) fn edit(&self) -> Edit {
        self.edit
    }

    pub(crate) fn seekable(&self) -> bool {
        self.seekable
    }

    /// Samples at `rate` Hz to cut from the end of the last packet.
    pub(crate) fn end_cut(&self, rate: u32) -> u32 {
        let nanoseconds = u128::from(self.notes.discard_ns(self.track_id));
        let samples = (nanoseconds * u128::from(rate) + 500_000_000) / 1_000_000_000;
        u32::try_from(samples).unwrap_or(u32::MAX)
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
        let milliseconds = u64::try_from(base.calc_duration(duration)?.as_millis()).ok();
        // Fragmented MP4 says 0 in front, because its length is not known yet.
        milliseconds.filter(|&milliseconds| milliseconds > 0)
    }

    /// Seeks inside the container; `false` when it cannot go there by itself.
    fn seek_format(&mut self, sample: i64, rate: u32) -> Result<bool, AudioError> {
        let Some(format) = &mut self.format else {
            return Ok(false);
        };
        let ticks = i128::from(sample) * i128::from(self.time_base.denom.get())
            / (i128::from(self.time_base.numer.get()) * i128::from(rate.max(1)));
        let to = SeekTo::Timestamp {
            ts: Timestamp::new(i64::try_from(ticks).unwrap_or(i64::MAX)),
            track_id: self.track_id,
        };
        self.budget.refill(u64::MAX);
        match contained(self.kind, &self.budget, || {
            format.seek(SeekMode::Accurate, to)
        }) {
            Ok(_) => Ok(true),
            Err(Fault::Fatal(error)) if error.code() == AudioErrorCode::ReadFailed => Err(error),
            Err(_) => Ok(false),
        }
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
            Kind::Aiff => Box::new(formats::AiffReader::try_new(stream, options)?),
            Kind::Caf => Box::new(formats::CafReader::try_new(stream, options)?),
            Kind::Flac => Box::new(formats::FlacReader::try_new(stream, options)?),
            Kind::Matroska => Box::new(formats::MkvReader::try_new(stream, options)?),
            Kind::Mp2 | Kind::Mp3 => Box::new(formats::MpaReader::try_new(stream, options)?),
            Kind::Mp4 => Box::new(formats::IsoMp4Reader::try_new(stream, options)?),
            Kind::OggOpus | Kind::OggOther => {
                Box::new(formats::OggReader::try_new(stream, options)?)
            }
            Kind::Wav => Box::new(formats::WavReader::try_new(stream, options)?),
        })
    });
    opened.map_err(|fault| match whole_file(kind, fault) {
        // Here symphonia says unsupported for boxes that are missing.
        error if kind == Kind::Mp4 && error.code() == AudioErrorCode::UnsupportedCodec => {
            AudioError::malformed(kind.name(), error.detail())
        }
        error => error,
    })
}

/// Whether a Matroska file ends before its segment does: symphonia then misses the index at its end
/// and refuses the whole, though what is there can be played.
fn is_cut_off(input: &Input) -> bool {
    let stated = matroska_end(input.head());
    stated
        .zip(input.len())
        .is_some_and(|(stated, len)| stated > len)
}

fn choose_stream(
    kind: Kind,
    format: &dyn FormatReader,
) -> Result<(u32, AudioCodecParameters, TimeBase), AudioError> {
    let unsupported =
        |detail: &str| AudioError::new(AudioErrorCode::UnsupportedCodec, kind.name(), detail);
    let track = audio_track(format).ok_or_else(|| unsupported("there is no audio stream in it"))?;
    let params = track
        .codec_params
        .as_ref()
        .and_then(|params| params.audio())
        .ok_or_else(|| unsupported("the audio codec is not known"))?;
    if !is_playable(params) {
        let detail = match codec_name(params.codec) {
            Some(name) => format!("the codec is {name}, which is not supported"),
            None => "the audio codec is not known".to_owned(),
        };
        return Err(unsupported(&detail));
    }
    let time_base = track
        .time_base
        .or_else(|| params.sample_rate.and_then(TimeBase::try_from_recip))
        .ok_or_else(|| AudioError::malformed(kind.name(), "the sampling rate is missing"))?;
    Ok((track.id, params.clone(), time_base))
}

/// The default audio track if its codec is known to the decoders, else the first such track.
fn audio_track(format: &dyn FormatReader) -> Option<&Track> {
    let playable = |track: &&Track| {
        let codec = track
            .codec_params
            .as_ref()
            .and_then(|params| params.audio());
        codec.is_some_and(is_playable)
    };
    format
        .default_track(TrackType::Audio)
        .filter(playable)
        .or_else(|| format.tracks().iter().find(playable))
        .or_else(|| format.first_track(TrackType::Audio))
}

fn is_playable(params: &AudioCodecParameters) -> bool {
    params.codec == CODEC_ID_OPUS || get_codecs().get_audio_decoder(params.codec).is_some()
}

/// The name of a codec that containers carry and that is not played.
fn codec_name(codec: AudioCodecId) -> Option<&'static str> {
    let named = [
        (well_known::CODEC_ID_AC3, "AC-3"),
        (well_known::CODEC_ID_EAC3, "E-AC-3"),
        (well_known::CODEC_ID_AC4, "AC-4"),
        (well_known::CODEC_ID_DCA, "DTS"),
        (well_known::CODEC_ID_TRUEHD, "TrueHD"),
        (well_known::CODEC_ID_MP1, "MPEG audio layer I"),
        (well_known::CODEC_ID_SPEEX, "Speex"),
        (well_known::CODEC_ID_WMA, "Windows Media Audio"),
        (well_known::CODEC_ID_WAVPACK, "WavPack"),
        (well_known::CODEC_ID_TTA, "True Audio"),
    ];
    let found = named.iter().find(|(id, _)| *id == codec);
    found.map(|&(_, name)| name)
}

/// Runs a call into symphonia; a panic in there is one bad packet's worth of trouble.
pub(crate) fn contained<T>(
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
pub(crate) fn whole_file(kind: Kind, fault: Fault) -> AudioError {
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
