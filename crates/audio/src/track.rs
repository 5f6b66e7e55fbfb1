//! A track: one open media file that hands out 20 ms Opus packets.

use crate::decode::MediaReader;
use crate::demux::Demuxer;
use crate::detour::Detour;
use crate::error::AudioError;
use crate::filters::FilterSettings;
use crate::input::Input;
use crate::ogg::OggOpus;
use crate::options::{EncoderSettings, FrameInfo, OpenOptions, TrackInfo};
use crate::opus_pcm::OpusPcm;
use crate::packets::{ContainerPackets, OpusPackets};
use crate::passthrough::{Passed, Passthrough};
use crate::pcm_stream::PcmSource;
use crate::probe::{self, Kind};
use crate::raw_pcm::{PcmFormat, RawPcm};
use crate::source::{ByteSource, ProbeHint};
use crate::transcode::Transcode;
use crate::ts_source::{self, TsSource};
use crate::{MAX_OPUS_FRAME, SAMPLE_RATE};

/// Lengths beyond this are taken for a broken header and not reported: 30 days.
const MAX_DURATION_MS: u64 = 30 * 24 * 3600 * 1000;

/// An open media file.
pub struct Track {
    info: TrackInfo,
    options: OpenOptions,
    way: Way,
}

/// How packets come to be.
enum Way {
    Pass(Box<Detour>),
    Transcode(Box<Transcode>),
    /// After an error.
    Over,
}

impl Track {
    /// Recognises the content and prepares the first frame at `options.start_ms`.
    ///
    /// The hint plays no part as long as the content is recognised by itself.
    pub fn open(
        source: Box<dyn ByteSource>,
        hint: &ProbeHint,
        options: &OpenOptions,
    ) -> Result<Track, AudioError> {
        let _ = hint;
        let mut input = Input::open(source)?;
        let is_ts = ts_source::is_transport_stream(input.head());
        if is_ts {
            input = Input::open(Box::new(TsSource::open(input)?))?;
        }
        let kind = recognise(&mut input)?;
        match kind {
            Kind::Wav => input.patch(probe::plain_wave(input.head())),
            Kind::Mp4 if !input.seekable() && probe::index_is_behind(input.head()) => {
                input.hold_whole(kind.name())?;
            }
            // Its reader wants to see what is behind the sound in any case.
            Kind::Caf if !input.seekable() => input.hold_whole(kind.name())?,
            Kind::Mp3 if options.ignore_length => {
                if let Some(end) = probe::length_tag_end(input.head()) {
                    input.skip_front(end as u64)?;
                }
            }
            _ => {}
        }
        let byte_len = input.len();
        let seekable = input.seekable();
        let mut track = match kind {
            Kind::OggOpus => {
                let packets = OpusPackets::Ogg(Box::new(OggOpus::open(input)?));
                Track::open_opus(kind, packets, options)?
            }
            _ => {
                let demuxer = Demuxer::open(kind, input)?;
                if ContainerPackets::is_opus(&demuxer) {
                    let packets = Box::new(ContainerPackets::open(demuxer, options.from_first)?);
                    Track::open_opus(kind, OpusPackets::Container(packets), options)?
                } else {
                    Track::open_media(kind, demuxer, options)?
                }
            }
        };
        track.info.seekable = seekable;
        if is_ts {
            track.info.container = ts_source::NAME;
        }
        track.info.duration_ms = track
            .info
            .duration_ms
            .filter(|&ms| !options.ignore_length && is_plausible(ms, byte_len));
        Ok(track)
    }

    /// Plays samples with nothing around them, as a program makes them. There is no way back in such
    /// a stream: a seek leaves it where it is.
    pub fn open_pcm(
        source: Box<dyn ByteSource>,
        format: PcmFormat,
        options: &OpenOptions,
    ) -> Result<Track, AudioError> {
        let reader = RawPcm::new(source, format)?;
        let info = TrackInfo {
            container: "raw",
            codec: "pcm",
            passthrough: false,
            duration_ms: None,
            sample_rate: format.sample_rate,
            channels: format.channels.into(),
            seekable: false,
        };
        let source = PcmSource::Raw(Box::new(reader));
        let settings = (&options.encoder, &options.filters);
        let transcode = Transcode::new(source, settings, 0, options.end_ms, true)?;
        Ok(Track {
            info,
            options: options.clone(),
            way: Way::Transcode(Box::new(transcode)),
        })
    }

    /// Takes on new encoder settings, from the next frame on; kept for later while the track passes
    /// through.
    pub fn set_encoder(&mut self, settings: &EncoderSettings) -> Result<(), AudioError> {
        self.options.encoder = *settings;
        match &mut self.way {
            Way::Pass(detour) => detour.set_encoder(settings),
            Way::Transcode(transcode) => transcode.set_encoder(settings),
            Way::Over => Ok(()),
        }
    }

    /// Writes the next 20 ms Opus packet to `out`; `None` is the end of the track.
    ///
    /// After an error the track is over: further calls give `None`.
    pub fn next_frame(
        &mut self,
        out: &mut [u8; MAX_OPUS_FRAME],
    ) -> Result<Option<FrameInfo>, AudioError> {
        let result = self.try_next_frame(out);
        result.inspect_err(|_| self.way = Way::Over)
    }

    /// Moves to `position_ms` of source time and returns where the next frame begins.
    ///
    /// A position beyond the end leaves the track at its end. After an error the track is over.
    pub fn seek(&mut self, position_ms: u64) -> Result<u64, AudioError> {
        let result = match &mut self.way {
            Way::Pass(detour) => detour.seek(position_ms),
            Way::Transcode(transcode) => transcode.seek(position_ms),
            Way::Over => Ok(position_ms),
        };
        result.inspect_err(|_| self.way = Way::Over)
    }

    /// Changes what is done to the sound.
    ///
    /// Of the frames handed out last, up to `back` are taken back: they come again, changed, from
    /// [`next_frame`](Track::next_frame). Returns how many. Without any, the next frame is the first
    /// with the new settings. Gains glide, so that nothing clicks.
    ///
    /// Settings outside their ranges are the caller's mistake: [check](FilterSettings::check) them.
    pub fn set_filters(
        &mut self,
        filters: &FilterSettings,
        back: usize,
    ) -> Result<usize, AudioError> {
        self.options.filters = *filters;
        let result = match &mut self.way {
            Way::Pass(detour) => detour.set_filters(filters, back),
            Way::Transcode(transcode) => transcode.set_filters(filters, back),
            Way::Over => Ok(0),
        };
        result.inspect_err(|_| self.way = Way::Over)
    }

    /// Says that of the frames handed out so far only the last `frames` may be taken back. What is
    /// kept for that takes memory: 8 KB per frame of sound that is decoded. At most 64 are kept.
    pub fn keep(&mut self, frames: usize) {
        match &mut self.way {
            Way::Pass(detour) => detour.keep(frames),
            Way::Transcode(transcode) => transcode.keep(frames),
            Way::Over => {}
        }
    }

    /// What is known about the file.
    pub fn info(&self) -> &TrackInfo {
        &self.info
    }

    fn open_media(
        kind: Kind,
        demuxer: Demuxer,
        options: &OpenOptions,
    ) -> Result<Track, AudioError> {
        let reader = MediaReader::open(demuxer, options.from_first)?;
        let (sample_rate, channels) = reader.shape();
        let info = TrackInfo {
            container: kind.name(),
            codec: reader.codec(),
            passthrough: false,
            duration_ms: reader.duration_ms(),
            sample_rate,
            channels,
            seekable: false,
        };
        let source = PcmSource::Media(Box::new(reader));
        let (start, end) = (options.start_ms, options.end_ms);
        let settings = (&options.encoder, &options.filters);
        let transcode = Transcode::new(source, settings, start, end, false)?;
        Ok(Track {
            info,
            options: options.clone(),
            way: Way::Transcode(Box::new(transcode)),
        })
    }

    fn open_opus(
        kind: Kind,
        packets: OpusPackets,
        options: &OpenOptions,
    ) -> Result<Track, AudioError> {
        let head = packets.head();
        let info = TrackInfo {
            container: kind.name(),
            codec: "opus",
            passthrough: true,
            duration_ms: packets.duration_ms(),
            sample_rate: SAMPLE_RATE,
            channels: head.channels.into(),
            seekable: false,
        };
        let mut track = Track {
            info,
            options: options.clone(),
            way: Way::Over,
        };
        // A gain in the header is part of the sound, and packets cannot be made louder unopened. A
        // voice channel takes one stream of two channels at most.
        if options.force_transcode || head.gain_q8 != 0 || !head.single_stream {
            let pcm = OpusPcm::new(packets, None)?;
            track.transcode_opus(pcm, options.start_ms, false)?;
            return Ok(track);
        }
        let mut passthrough = Passthrough::new(packets, options.end_ms);
        if options.start_ms == 0 {
            passthrough.fill()?;
        }
        let mut detour = Detour::new(passthrough, &options.encoder);
        detour.begin(&options.filters, options.start_ms)?;
        track.way = Way::Pass(Box::new(detour));
        track.leave_passthrough_when_stuck()?;
        Ok(track)
    }

    fn try_next_frame(
        &mut self,
        out: &mut [u8; MAX_OPUS_FRAME],
    ) -> Result<Option<FrameInfo>, AudioError> {
        loop {
            match &mut self.way {
                Way::Pass(detour) => match detour.next_frame(out)? {
                    Passed::Frame(frame) => return Ok(Some(frame)),
                    Passed::End => return Ok(None),
                    Passed::MustDecode => self.leave_passthrough_when_stuck()?,
                },
                Way::Transcode(transcode) => return transcode.next_frame(out),
                Way::Over => return Ok(None),
            }
        }
    }

    /// Goes over to decoding at a packet that cannot be passed through.
    fn leave_passthrough_when_stuck(&mut self) -> Result<(), AudioError> {
        match std::mem::replace(&mut self.way, Way::Over) {
            Way::Pass(detour) if detour.is_stuck() => {
                let (pcm, position_ms) = detour.into_passthrough().into_pcm()?;
                self.transcode_opus(pcm, position_ms, true)
            }
            way => {
                self.way = way;
                Ok(())
            }
        }
    }

    fn transcode_opus(
        &mut self,
        pcm: OpusPcm,
        start_ms: u64,
        sought: bool,
    ) -> Result<(), AudioError> {
        let source = PcmSource::Opus(Box::new(pcm));
        let settings = (&self.options.encoder, &self.options.filters);
        let end_ms = self.options.end_ms;
        let transcode = Transcode::new(source, settings, start_ms, end_ms, sought)?;
        self.way = Way::Transcode(Box::new(transcode));
        self.info.passthrough = false;
        Ok(())
    }
}

/// What the content is, as far as its beginning tells.
fn recognise(input: &mut Input) -> Result<Kind, AudioError> {
    match probe::recognise(input.head()) {
        // What these containers say lies anywhere near the front.
        Ok(kind @ (Kind::Matroska | Kind::Mp4 | Kind::Wav)) => {
            input.look_further()?;
            Ok(kind)
        }
        Ok(kind) => Ok(kind),
        Err(_) => {
            input.look_further()?;
            probe::recognise(input.head())
        }
    }
}

/// Whether a stated length can be true: no codec here stays below 100 bits per second.
fn is_plausible(duration_ms: u64, byte_len: Option<u64>) -> bool {
    let enough_bytes = byte_len.is_none_or(|len| len.saturating_mul(80) >= duration_ms);
    duration_ms <= MAX_DURATION_MS && enough_bytes
}
