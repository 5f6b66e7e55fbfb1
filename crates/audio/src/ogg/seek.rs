//! Finding places in an Ogg file: the links of a chain, and the page for a granule position.

use crate::error::AudioError;
use crate::opus::OpusHead;

use super::page::{MAX_PAGE, Page, PageReader};
use super::stream::Link;

/// Below this distance a search goes on page by page.
const LINEAR: u64 = 2 * MAX_PAGE as u64;
/// The most links of a chain that are found beforehand; longer chains play on but cannot be sought.
const MAX_LINKS: usize = 256;
/// The most streams that are multiplexed in one link.
const MAX_STREAMS: usize = 16;
/// How far from the end of a link its last page is looked for.
const MAX_TAIL: u64 = 1 << 20;

/// A link and where it lies in the file.
#[derive(Clone, Debug)]
pub(crate) struct LinkSpan {
    pub(crate) link: Link,
    /// The first byte behind the headers.
    pub(crate) audio_start: u64,
    pub(crate) end: u64,
    pub(crate) end_granule: i64,
}

/// Finds every link of a seekable file; an empty list when that is not possible within the limits.
pub(crate) fn find_links(pages: &mut PageReader) -> Result<Vec<LinkSpan>, AudioError> {
    let len = pages.byte_len().unwrap_or(0);
    let mut spans = Vec::new();
    let (mut start, mut base) = (0, 0);
    while start < len {
        if spans.len() == MAX_LINKS {
            return Ok(Vec::new());
        }
        let Some((mut span, serials)) = read_link_start(pages, start, base)? else {
            break;
        };
        span.end = find_link_end(pages, &serials, span.audio_start, len)?;
        let Some(end_granule) = last_granule(pages, &span)? else {
            break;
        };
        span.end_granule = end_granule;
        start = span.end;
        base = span.link.time(end_granule).max(base);
        spans.push(span);
    }
    Ok(spans)
}

/// The byte position of a page from which the packet that contains `granule` can be read.
pub(crate) fn find_page(
    pages: &mut PageReader,
    span: &LinkSpan,
    granule: i64,
) -> Result<u64, AudioError> {
    let (mut low, mut high) = (span.audio_start, span.end);
    while high.saturating_sub(low) > LINEAR {
        let middle = low + (high - low) / 2;
        pages.jump(middle)?;
        match next_stamped(pages, span.link.serial, high)? {
            Some(page) if page.granule.is_some_and(|stamp| stamp <= granule) => low = page.start,
            _ => high = middle,
        }
    }
    pages.jump(low)?;
    let mut place = low;
    while let Some(page) = next_stamped(pages, span.link.serial, span.end)? {
        if page.granule.is_none_or(|stamp| stamp > granule) {
            break;
        }
        place = page.start;
    }
    Ok(place)
}

/// Reads the headers at `start` and the first audio page, which tells where granules begin.
fn read_link_start(
    pages: &mut PageReader,
    start: u64,
    base: i64,
) -> Result<Option<(LinkSpan, Vec<u32>)>, AudioError> {
    pages.jump(start)?;
    let mut serials = Vec::new();
    let mut found: Option<(u32, OpusHead)> = None;
    let mut tags_ended = false;
    let mut audio_start = start;
    let mut pending = 0_i64;
    while let Some(page) = pages.next_page()? {
        if page.begins {
            if serials.len() == MAX_STREAMS || tags_ended {
                return Ok(None);
            }
            serials.push(page.serial);
            found = found.or(OpusHead::parse(&page.body).map(|head| (page.serial, head)));
            continue;
        }
        let Some((serial, head)) = found.filter(|(_, head)| head.is_playable()) else {
            return Ok(None);
        };
        if page.serial != serial {
            continue;
        }
        if !tags_ended {
            tags_ended = page.lacing.iter().any(|&len| len < 255);
            audio_start = page.end;
            continue;
        }
        pending += samples_ending_on(&page, &head);
        let Some(granule) = page.granule else {
            continue;
        };
        let first_granule = Some((granule - pending).max(0));
        let link = Link {
            serial,
            head,
            base,
            first_granule,
        };
        let span = LinkSpan {
            link,
            audio_start,
            end: audio_start,
            end_granule: 0,
        };
        return Ok(Some((span, serials)));
    }
    Ok(None)
}

/// The samples of the packets that begin and end on this page.
fn samples_ending_on(page: &Page, head: &OpusHead) -> i64 {
    let mut body = page.body.as_slice();
    let mut packet_len = 0;
    let mut samples = 0;
    let mut first = page.continued;
    for &len in &page.lacing {
        packet_len += usize::from(len);
        if len == 255 {
            continue;
        }
        let (packet, rest) = body.split_at(packet_len.min(body.len()));
        if !std::mem::take(&mut first) {
            samples += head.packet_samples(packet).unwrap_or(0) as i64;
        }
        body = rest;
        packet_len = 0;
    }
    samples
}

/// Where a link ends: at the first page that belongs to none of its streams, or at the file's end.
fn find_link_end(
    pages: &mut PageReader,
    serials: &[u32],
    audio_start: u64,
    len: u64,
) -> Result<u64, AudioError> {
    let (mut low, mut high) = (audio_start, len);
    let mut first = true;
    while high.saturating_sub(low) > LINEAR {
        // Most files have one link: look at the end before halving.
        let middle = if first {
            high - LINEAR
        } else {
            low + (high - low) / 2
        };
        first = false;
        pages.jump(middle)?;
        match pages.next_page()?.filter(|page| page.start < high) {
            Some(page) if serials.contains(&page.serial) && !page.begins => low = page.end,
            Some(_) => high = middle,
            None => high = middle,
        }
    }
    pages.jump(low)?;
    while let Some(page) = pages.next_page()? {
        if page.begins || !serials.contains(&page.serial) {
            return Ok(page.start);
        }
    }
    Ok(len)
}

/// The last granule position of a link's Opus stream.
fn last_granule(pages: &mut PageReader, span: &LinkSpan) -> Result<Option<i64>, AudioError> {
    let mut distance = LINEAR;
    loop {
        let from = span.end.saturating_sub(distance).max(span.audio_start);
        pages.jump(from)?;
        let mut last = None;
        while let Some(page) = next_stamped(pages, span.link.serial, span.end)? {
            last = page.granule;
        }
        if last.is_some() || from == span.audio_start || distance >= MAX_TAIL {
            return Ok(last);
        }
        distance *= 2;
    }
}

/// The next page of one stream that has a granule position and begins before `limit`.
fn next_stamped(
    pages: &mut PageReader,
    serial: u32,
    limit: u64,
) -> Result<Option<Page>, AudioError> {
    while let Some(page) = pages.next_page()? {
        if page.start >= limit {
            return Ok(None);
        }
        if page.serial == serial && page.granule.is_some() {
            return Ok(Some(page));
        }
    }
    Ok(None)
}
