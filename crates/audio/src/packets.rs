//! Opus packets out of whatever container holds them, each with its place in source time.

use symphonia::core::codecs::audio::well_known::CODEC_ID_OPUS;

use crate::SAMPLE_RATE;
use crate::demux::{Demuxer, Fault};
use crate::error::{AudioError, AudioErrorCode};
use crate::ogg::OggOpus;
use crate::opus::{MAX_PACKET_BYTES, OpusHead};
use crate::probe::Kind;

/// Bad packets in a row that are skipped before the track is given up.
const MAX_BAD_PACKETS: u32 = 64;
/// Every Opus packet lasts a multiple of 2.5 ms, so packets begin on a grid of this many samples.
const GRID: i64 = 120;

/// An Opus packet and its place.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct TimedPacket {
    pub(crate) data: Vec<u8>,
    /// Source time at which the packet begins, in samples at 48 kHz; negative within the pre-skip.
    pub(crate) start: i64,
    /// Samples to be heard of it; fewer than it holds at the end of a stream.
    pub(crate) samples: u32,
}

impl TimedPacket {
    pub(crate) fn end(&self) -> i64 {
        self.start.saturating_add(self.samples.into())
    }
}

/// Where packets come from.
pub(crate) enum OpusPackets {
    Ogg(Box<OggOpus>),
    Container(Box<ContainerPackets>),
}

impl OpusPackets {
    /// The next packet; `None` is the end.
    pub(crate) fn next_packet(&mut self) -> Result<Option<TimedPacket>, AudioError> {
        match self {
            OpusPackets::Ogg(ogg) => ogg.next_packet(),
            OpusPackets::Container(container) => container.next_packet(),
        }
    }

    /// Goes to a packet that begins at or before `target`, in samples of source time.
    pub(crate) fn seek(&mut self, target: i64) -> Result<(), AudioError> {
        match self {
            OpusPackets::Ogg(ogg) => ogg.seek(target),
            OpusPackets::Container(container) => container.seek(target),
        }
    }

    pub(crate) fn head(&self) -> OpusHead {
        match self {
            OpusPackets::Ogg(ogg) => ogg.head(),
            OpusPackets::Container(container) => container.head,
        }
    }

    /// The length in milliseconds, when known.
    pub(crate) fn duration_ms(&self) -> Option<u64> {
        match self {
            OpusPackets::Ogg(ogg) => ogg
                .length()
                .and_then(|samples| u64::try_from(samples).ok())
                .map(|n| n / 48),
            OpusPackets::Container(container) => container.demuxer.duration_ms(),
        }
    }
}

/// The Opus stream of a WebM, Matroska or MP4 file.
pub(crate) struct ContainerPackets {
    demuxer: Demuxer,
    head: OpusHead,
    /// Where the next packet begins by counting; unknown after a seek.
    expected: Option<i64>,
    /// Samples to cut from the end of the last packet.
    end_cut: u32,
    /// A packet that was read ahead, to see whether it is the last one.
    held: Option<TimedPacket>,
    bad_packets: u32,
    /// What is taken from the file's timestamps; to be found at the first packet.
    origin: Option<i64>,
}

impl ContainerPackets {
    /// Whether the chosen stream is Opus.
    pub(crate) fn is_opus(demuxer: &Demuxer) -> bool {
        demuxer.params().codec == CODEC_ID_OPUS
    }

    /// Reads the stream's header; the first packet begins at 0 if time counts `from_first`.
    pub(crate) fn open(demuxer: Demuxer, from_first: bool) -> Result<ContainerPackets, AudioError> {
        let name = demuxer.kind().name();
        let mut private = demuxer
            .params()
            .extra_data
            .clone()
            .unwrap_or_default()
            .into_vec();
        if demuxer.kind() == Kind::Mp4 {
            swap_mp4_fields(&mut private);
        }
        let head = OpusHead::parse(&private)
            .ok_or_else(|| AudioError::malformed(name, "the Opus header is missing or damaged"))?;
        if !head.is_playable() {
            let detail = format!("Opus with {} channels in several streams", head.channels);
            return Err(AudioError::new(
                AudioErrorCode::UnsupportedCodec,
                name,
                detail,
            ));
        }
        Ok(ContainerPackets {
            end_cut: demuxer.end_cut(SAMPLE_RATE),
            demuxer,
            head,
            expected: None,
            held: None,
            bad_packets: 0,
            origin: (!from_first).then_some(0),
        })
    }

    fn next_packet(&mut self) -> Result<Option<TimedPacket>, AudioError> {
        if self.end_cut == 0 {
            return self.read_packet();
        }
        loop {
            let next = self.read_packet()?;
            let ended = next.is_none();
            match std::mem::replace(&mut self.held, next) {
                Some(mut last) if ended => {
                    last.samples = last.samples.saturating_sub(self.end_cut);
                    return Ok(Some(last).filter(|last| last.samples > 0));
                }
                None if !ended => {}
                packet => return Ok(packet),
            }
        }
    }

    fn read_packet(&mut self) -> Result<Option<TimedPacket>, AudioError> {
        let name = self.demuxer.kind().name();
        loop {
            let fault = match self.demuxer.next_packet() {
                Ok(Some(packet)) => match self.check(&packet.data) {
                    Ok(samples) => {
                        self.bad_packets = 0;
                        let start = self.place(packet.pts.get(), samples);
                        let data = packet.data.into_vec();
                        return Ok(Some(TimedPacket {
                            data,
                            start,
                            samples,
                        }));
                    }
                    Err(error) => Fault::Bad(error),
                },
                Ok(None) => return Ok(None),
                Err(fault) => fault,
            };
            match fault {
                Fault::End => return Ok(None),
                Fault::Bad(error) => {
                    self.bad_packets += 1;
                    if self.bad_packets > MAX_BAD_PACKETS {
                        return Err(error);
                    }
                }
                Fault::Fatal(error) => return Err(error),
                Fault::Reset | Fault::OutOfRange => {
                    return Err(AudioError::malformed(
                        name,
                        "the container contradicts itself",
                    ));
                }
            }
        }
    }

    fn seek(&mut self, target: i64) -> Result<(), AudioError> {
        if self.demuxer.seekable() {
            // One packet and one rounded timestamp early, so that the packet with `target` is met.
            let early = target.saturating_sub(i64::from(SAMPLE_RATE) / 5).max(0);
            self.expected = None;
            self.held = None;
            self.bad_packets = 0;
            if early == 0 {
                // The first packets have negative timestamps, which containers do not seek to.
                return self.demuxer.rewind();
            }
            return self.demuxer.seek(early, SAMPLE_RATE);
        }
        let reached = self
            .held
            .as_ref()
            .map(|packet| packet.start)
            .or(self.expected);
        if reached.is_some_and(|reached| reached > target) {
            let detail = "the source cannot be read backwards";
            let name = self.demuxer.kind().name();
            return Err(AudioError::new(AudioErrorCode::SeekFailed, name, detail));
        }
        Ok(())
    }

    fn check(&self, data: &[u8]) -> Result<u32, AudioError> {
        let name = self.demuxer.kind().name();
        if data.len() > MAX_PACKET_BYTES {
            return Err(AudioError::limit(name, "an Opus packet is too long"));
        }
        let samples = self.head.packet_samples(data);
        samples
            .map(|samples| samples as u32)
            .map_err(|error| AudioError::malformed(name, error.to_string()))
    }

    /// Turns a rounded timestamp into the exact place of a packet.
    fn place(&mut self, pts: i64, samples: u32) -> i64 {
        let pre_skip = i64::from(self.head.pre_skip);
        let mut stamp = self.demuxer.samples(pts.into(), SAMPLE_RATE);
        if self.demuxer.kind() == Kind::Mp4 {
            // MP4 counts the pre-skip in its timestamps and cuts it by an edit list.
            stamp = stamp.saturating_sub(pre_skip);
        }
        // Anything within the pre-skip is an ordinary beginning.
        let origin = *self
            .origin
            .get_or_insert(stamp.saturating_add(pre_skip).max(0));
        stamp = stamp.saturating_sub(origin);
        let tick = self.demuxer.tick_samples(SAMPLE_RATE);
        let grid = (stamp + pre_skip + GRID / 2).div_euclid(GRID) * GRID - pre_skip;
        let exact = if (grid - stamp).abs() <= tick {
            grid
        } else {
            stamp
        };
        // Once running, packets are counted, unless some are missing.
        let start = match self.expected {
            Some(expected) if (exact - expected).abs() <= 2 * tick + GRID => expected,
            Some(expected) => exact.max(expected),
            None => exact,
        };
        self.expected = Some(start.saturating_add(samples.into()));
        start
    }
}

/// MP4 carries the header's fields in the other byte order.
fn swap_mp4_fields(private: &mut [u8]) {
    for field in [10..12, 12..16, 16..18] {
        if let Some(bytes) = private.get_mut(field) {
            bytes.reverse();
        }
    }
}
