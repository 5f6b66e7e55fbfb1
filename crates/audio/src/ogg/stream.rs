//! The packets of an Ogg Opus file, link by link, each with its place in source time.

use std::collections::VecDeque;

use crate::error::{AudioError, AudioErrorCode};
use crate::input::Input;
use crate::opus::{MAX_PACKET_BYTES, OpusHead};
use crate::packets::TimedPacket;

use super::page::{Page, PageReader};
use super::seek::{self, LinkSpan};

/// The most bytes of tags (with pictures inside) that are passed over.
const MAX_TAGS: u64 = 64 << 20;
/// Pages looked at for the first header.
const MAX_HEADER_PAGES: usize = 1024;
/// Bad packets in a row that are skipped before the file is given up.
const MAX_BAD_PACKETS: u32 = 64;

/// One logical Opus stream, and how its granule positions become source time.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) serial: u32,
    pub(crate) head: OpusHead,
    /// Source time of the first sample after the pre-skip, in samples.
    pub(crate) base: i64,
    /// The granule position at which the first packet begins.
    pub(crate) first_granule: Option<i64>,
}

impl Link {
    /// Source time of a granule position.
    pub(crate) fn time(&self, granule: i64) -> i64 {
        let skipped = self
            .first_granule
            .unwrap_or(0)
            .saturating_add(self.head.pre_skip.into());
        self.base.saturating_add(granule.saturating_sub(skipped))
    }
}

/// How far the reader is within a link.
enum Phase {
    /// The tags packet is being passed over; so many bytes of it were seen.
    Tags(u64),
    Audio,
}

/// An open Ogg Opus file.
pub(crate) struct OggOpus {
    pages: PageReader,
    link: Link,
    phase: Phase,
    /// The links of a seekable file, in order; empty when they are not known.
    spans: Vec<LinkSpan>,
    queue: VecDeque<TimedPacket>,
    /// The beginning of a packet that goes on; `None` when its beginning is lost.
    partial: Option<Vec<u8>>,
    sequence: Option<u32>,
    /// Where the next packet begins; unknown after a hole or a seek.
    next_granule: Option<i64>,
    /// Source time up to which packets were handed out.
    reached: i64,
    bad_packets: u32,
}

impl OggOpus {
    /// Reads the headers, and finds the links when the source is seekable.
    pub(crate) fn open(input: Input) -> Result<OggOpus, AudioError> {
        let mut pages = PageReader::new(input);
        let (serial, head) = first_head(&mut pages)?;
        let link = Link {
            serial,
            head,
            base: 0,
            first_granule: None,
        };
        let mut ogg = OggOpus {
            pages,
            link,
            phase: Phase::Tags(0),
            spans: Vec::new(),
            queue: VecDeque::new(),
            partial: Some(Vec::new()),
            sequence: None,
            next_granule: None,
            reached: 0,
            bad_packets: 0,
        };
        if ogg.pages.seekable() && ogg.pages.byte_len().is_some() {
            ogg.spans = match seek::find_links(&mut ogg.pages) {
                // Damage further on is met when it is reached; until then the file plays.
                Err(error) if error.code() == AudioErrorCode::MalformedMedia => Vec::new(),
                found => found?,
            };
            ogg.rewind()?;
        }
        Ok(ogg)
    }

    /// The next packet in the order of the file; `None` is the end.
    pub(crate) fn next_packet(&mut self) -> Result<Option<TimedPacket>, AudioError> {
        loop {
            if let Some(packet) = self.queue.pop_front() {
                self.reached = packet.start.saturating_add(packet.samples.into());
                return Ok(Some(packet));
            }
            match self.pages.next_page()? {
                Some(page) => self.take_page(page)?,
                None => return Ok(None),
            }
        }
    }

    /// Goes to a packet that begins at or before `target`, in samples of source time.
    pub(crate) fn seek(&mut self, target: i64) -> Result<(), AudioError> {
        if self.spans.is_empty() {
            if target >= self.reached {
                return Ok(());
            }
            if !self.pages.seekable() {
                let detail = "the source cannot be read backwards";
                return Err(AudioError::new(AudioErrorCode::SeekFailed, "ogg", detail));
            }
            return self.rewind();
        }
        let index = self
            .spans
            .partition_point(|span| span.link.base <= target)
            .max(1)
            - 1;
        let span = self.spans[index].clone();
        let into = target
            .saturating_sub(span.link.base)
            .saturating_add(span.link.head.pre_skip.into());
        let granule = into.saturating_add(span.link.first_granule.unwrap_or(0));
        let place = seek::find_page(&mut self.pages, &span, granule)?;
        self.pages.jump(place)?;
        self.forget();
        self.phase = Phase::Audio;
        self.reached = span.link.base;
        if place == span.audio_start {
            self.next_granule = span.link.first_granule;
        } else {
            // The page may go on with a packet whose beginning is on the page before.
            self.partial = None;
        }
        self.link = span.link;
        Ok(())
    }

    /// The head of the link that is being read.
    pub(crate) fn head(&self) -> OpusHead {
        self.link.head
    }

    /// The whole length in samples, when known.
    pub(crate) fn length(&self) -> Option<i64> {
        self.spans
            .last()
            .map(|span| span.link.time(span.end_granule))
    }

    fn rewind(&mut self) -> Result<(), AudioError> {
        self.pages.jump(0)?;
        let (serial, head) = first_head(&mut self.pages)?;
        self.forget();
        self.link = Link {
            serial,
            head,
            base: 0,
            first_granule: None,
        };
        self.phase = Phase::Tags(0);
        self.reached = 0;
        Ok(())
    }

    fn forget(&mut self) {
        self.queue.clear();
        self.partial = Some(Vec::new());
        self.sequence = None;
        self.next_granule = None;
        self.bad_packets = 0;
    }

    fn take_page(&mut self, page: Page) -> Result<(), AudioError> {
        if page.begins && matches!(self.phase, Phase::Audio) {
            return self.begin_link(&page);
        }
        if page.serial != self.link.serial || page.begins {
            return Ok(());
        }
        match self.phase {
            Phase::Tags(seen) => self.skip_tags(&page, seen),
            Phase::Audio => self.take_audio(page),
        }
    }

    /// Goes on with a chained stream; its time follows what came before.
    fn begin_link(&mut self, page: &Page) -> Result<(), AudioError> {
        let Some(head) = OpusHead::parse(&page.body) else {
            return Ok(());
        };
        check_head(&head)?;
        let base = self.reached;
        self.forget();
        self.link = Link {
            serial: page.serial,
            head,
            base,
            first_granule: None,
        };
        self.phase = Phase::Tags(0);
        Ok(())
    }

    fn skip_tags(&mut self, page: &Page, seen: u64) -> Result<(), AudioError> {
        let seen = seen + page.body.len() as u64;
        if seen > MAX_TAGS {
            return Err(AudioError::limit("ogg", "the tags are too long"));
        }
        // Tags end their last page (RFC 7845, section 3), so audio begins on a page of its own.
        let ended = page.lacing.iter().any(|&len| len < 255);
        self.phase = if ended {
            Phase::Audio
        } else {
            Phase::Tags(seen)
        };
        Ok(())
    }

    fn take_audio(&mut self, page: Page) -> Result<(), AudioError> {
        if self
            .sequence
            .is_some_and(|sequence| sequence.wrapping_add(1) != page.sequence)
        {
            self.partial = None;
            self.next_granule = None;
        }
        self.sequence = Some(page.sequence);
        // A packet goes on only when the page before left one open; else its beginning is lost.
        let open = self
            .partial
            .take()
            .filter(|bytes| page.continued != bytes.is_empty());
        self.partial = open.or_else(|| (!page.continued).then(Vec::new));
        let packets = self.assemble(&page)?;
        let total: i64 = packets.iter().map(|(_, samples)| *samples as i64).sum();
        let Some(start) = self.page_start(&page, total) else {
            return Ok(());
        };
        self.link.first_granule.get_or_insert(start);
        self.next_granule = Some(start.saturating_add(total));
        // Only the last page may end before its packets do.
        let stop = page.granule.filter(|_| page.ends).unwrap_or(i64::MAX);
        let mut granule = start;
        for (data, samples) in packets {
            let kept = (stop.saturating_sub(granule)).min(samples as i64);
            if kept > 0 {
                let start = self.link.time(granule);
                self.queue.push_back(TimedPacket {
                    data,
                    start,
                    samples: kept as u32,
                });
            }
            granule = granule.saturating_add(samples as i64);
        }
        Ok(())
    }

    /// The granule position at which the first packet that ends on this page begins.
    fn page_start(&self, page: &Page, total: i64) -> Option<i64> {
        let by_page = page.granule.map(|granule| granule - total);
        match (self.next_granule, by_page) {
            (Some(counted), Some(stated)) if stated > counted && !page.ends => Some(stated),
            (Some(counted), _) => Some(counted),
            // The first page of all may end before its packets do when it is the last one too.
            (None, Some(stated)) if self.link.first_granule.is_none() => Some(stated.max(0)),
            (None, stated) => stated,
        }
    }

    /// The packets that end on this page, with their durations.
    fn assemble(&mut self, page: &Page) -> Result<Vec<(Vec<u8>, usize)>, AudioError> {
        let mut packets = Vec::with_capacity(page.lacing.len());
        let mut body = page.body.as_slice();
        for &len in &page.lacing {
            let (segment, rest) = body.split_at(usize::from(len).min(body.len()));
            body = rest;
            if let Some(partial) = &mut self.partial {
                partial.extend_from_slice(segment);
                if partial.len() > MAX_PACKET_BYTES {
                    self.partial = None;
                }
            }
            if len < 255 {
                let whole = self.partial.replace(Vec::new());
                let head = self.link.head;
                match whole
                    .and_then(|data| head.packet_samples(&data).ok().map(|count| (data, count)))
                {
                    Some(packet) => {
                        self.bad_packets = 0;
                        packets.push(packet);
                    }
                    None => self.count_bad_packet()?,
                }
            }
        }
        Ok(packets)
    }

    fn count_bad_packet(&mut self) -> Result<(), AudioError> {
        self.bad_packets += 1;
        if self.bad_packets > MAX_BAD_PACKETS {
            return Err(AudioError::malformed("ogg", "too many packets are damaged"));
        }
        Ok(())
    }
}

/// Reads up to the first Opus header.
pub(crate) fn first_head(pages: &mut PageReader) -> Result<(u32, OpusHead), AudioError> {
    for _ in 0..MAX_HEADER_PAGES {
        let Some(page) = pages.next_page()? else {
            break;
        };
        if !page.begins {
            break;
        }
        if let Some(head) = OpusHead::parse(&page.body) {
            check_head(&head)?;
            return Ok((page.serial, head));
        }
    }
    Err(AudioError::malformed(
        "ogg",
        "the Opus header is missing or damaged",
    ))
}

fn check_head(head: &OpusHead) -> Result<(), AudioError> {
    if head.is_playable() {
        return Ok(());
    }
    let detail = format!("Opus with {} channels in several streams", head.channels);
    Err(AudioError::new(
        AudioErrorCode::UnsupportedCodec,
        "ogg",
        detail,
    ))
}
