//! Plays an HLS source into a pipe: segment after segment, and for live ones the list again and again.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use tokio::time::Instant;

use super::address::{join, shown};
use super::fetch::{FetchError, Fetcher};
use super::pipe::{About, Pipe};
use super::resource;
use super::window::Target;
use crate::feed::error::{FeedError, code};
use crate::feed::hls::{
    self, Encryption, Format, Hls, Map, Media, Segment, SegmentError, SegmentReader,
};

/// Segments in a row that may be missing.
const MAX_MISSING: u32 = 3;
/// A live source begins so many target durations before its end (RFC 8216, section 6.3.3).
const LIVE_DISTANCE: u64 = 3;
/// The longest beginning that fragments need, in bytes.
const MAX_INIT: usize = 1 << 20;
/// After this long fragments begin a new part: their reader remembers every one of them.
const LONGEST_PART_US: u64 = 3_600_000_000;
/// How often a list is looked at, at most and at least.
const REFRESH: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(500)..=Duration::from_secs(30);

/// What a session works with.
#[derive(Clone, Copy)]
pub(super) struct Access<'a> {
    pub(super) pipe: &'a Pipe,
    pub(super) fetcher: &'a Fetcher,
}

/// An HLS source: its list, and what is kept between segments.
pub(super) struct Session {
    /// The list's address, and the one that it really lies at.
    url: Url,
    base: Url,
    media: Media,
    loaded: Instant,
    changed: Instant,
    /// Whether the last look at the list brought something new.
    is_news: bool,
    key: Option<(Url, [u8; 16])>,
    init: Option<(Arc<Map>, Arc<[u8]>)>,
    /// Source time of a live source: what was played of it.
    played_us: u64,
}

impl Session {
    /// Reads a list, or chooses one out of a list of lists.
    pub(super) async fn open(
        access: Access<'_>,
        url: Url,
        base: Url,
        text: &[u8],
    ) -> Result<Session, FetchError> {
        let master = match hls::parse(text).map_err(|what| invalid(&url, what))? {
            Hls::Media(media) => return Ok(Session::new(access, url, base, media)),
            Hls::Master(master) => master,
        };
        let mut failure = None;
        for address in hls::choices(&master) {
            let opened = async {
                let url = join(&base, &address)?;
                let (base, media) = load(access, &url).await?;
                Ok(Session::new(access, url, base, media))
            };
            match opened.await {
                Ok(session) => return Ok(session),
                Err(error) => failure = Some(error),
            }
        }
        Err(failure.unwrap_or_else(|| invalid(&base, "it names no variant")))
    }

    fn new(access: Access<'_>, url: Url, base: Url, media: Media) -> Session {
        access.pipe.describe(About {
            live: !media.ended,
            by_time: media.ended,
            duration_ms: media.ended.then(|| media.total_us() / 1000),
            ..About::default()
        });
        let now = Instant::now();
        Session {
            url,
            base,
            media,
            loaded: now,
            changed: now,
            is_news: true,
            key: None,
            init: None,
            played_us: 0,
        }
    }

    /// Delivers everything from `target`, or from what is on air, to the end of the source.
    pub(super) async fn deliver(
        &mut self,
        access: Access<'_>,
        target: Target,
    ) -> Result<(), FeedError> {
        let by_time = access.pipe.about().by_time;
        let (mut number, start_us) = match by_time {
            true => at_time(&self.media, target.time_ms.saturating_mul(1000)),
            false => (live_edge(&self.media), self.played_us),
        };
        let mut run = Run::new(access, target.generation, start_us);
        let mut missing = 0;
        loop {
            if number < self.media.sequence || number > self.media.end() {
                // The list has moved on while nobody listened, or began anew.
                number = live_edge(&self.media);
                run.anew();
            }
            let Some(segment) = self.media.segment(number).cloned() else {
                if self.media.ended {
                    return Ok(());
                }
                self.refresh(access).await?;
                continue;
            };
            match self.play(&mut run, &segment, number).await {
                Ok(()) => missing = 0,
                Err(error) if missing < MAX_MISSING && may_be_missing(&error) => {
                    missing += 1;
                    run.anew();
                }
                Err(error) => return Err(error.error),
            }
            number += 1;
            run.now_us = run.now_us.saturating_add(segment.duration_us);
            self.played_us = run.now_us;
        }
    }

    /// Plays one segment.
    async fn play(
        &mut self,
        run: &mut Run<'_>,
        segment: &Segment,
        number: u64,
    ) -> Result<(), FetchError> {
        if segment.discontinuity {
            run.anew();
        }
        if segment.gap {
            run.fresh = true;
            return Ok(());
        }
        let access = run.access;
        let url = join(&self.base, &segment.uri)?;
        let key = self.key(access, &segment.encryption, number).await?;
        if let Some(map) = &segment.map {
            let init = self.init(access, map, number).await?;
            if run
                .init
                .as_ref()
                .is_none_or(|known| !Arc::ptr_eq(known, &init))
            {
                run.init = Some(init);
                run.fresh = true;
            }
        }
        let key = key.as_ref().map(|(key, iv)| (key, *iv));
        run.begins = true;
        let mut reader = std::mem::take(&mut run.reader);
        let refused = |error| refused(&url, error);
        reader.begin(key).map_err(refused)?;
        resource::stream(access, &url, segment.range, |bytes| {
            let pushed = reader.push(bytes, |format, bytes| run.emit(format, bytes));
            pushed.map_err(refused)
        })
        .await?;
        let finished = reader.finish(|format, bytes| run.emit(format, bytes));
        finished.map_err(refused)?;
        run.reader = reader;
        Ok(())
    }

    /// The key and the first vector for a segment.
    async fn key(
        &mut self,
        access: Access<'_>,
        encryption: &Encryption,
        number: u64,
    ) -> Result<Option<([u8; 16], [u8; 16])>, FetchError> {
        let key = match encryption {
            Encryption::None => return Ok(None),
            Encryption::Aes128(key) => key,
            Encryption::Other(method) => {
                let text = format!(
                    "{} is encrypted by {method}, which is not known",
                    shown(&self.url)
                );
                return Err(FetchError::lasting(code::HLS_ENCRYPTED, text));
            }
        };
        let iv = key.iv.unwrap_or_else(|| u128::from(number).to_be_bytes());
        let url = join(&self.base, &key.uri)?;
        if let Some((_, key)) = self.key.as_ref().filter(|(known, _)| *known == url) {
            return Ok(Some((*key, iv)));
        }
        let bytes = resource::whole(access, &url, None, 1024).await?;
        let key = <[u8; 16]>::try_from(bytes.as_slice()).map_err(|_| {
            let text = format!("{} answered with no key of 16 bytes", shown(&url));
            FetchError::lasting(code::HLS_ENCRYPTED, text)
        })?;
        self.key = Some((url, key));
        Ok(Some((key, iv)))
    }

    /// The beginning that fragments need.
    async fn init(
        &mut self,
        access: Access<'_>,
        map: &Arc<Map>,
        number: u64,
    ) -> Result<Arc<[u8]>, FetchError> {
        if let Some((_, bytes)) = self.init.as_ref().filter(|(known, _)| known == map) {
            return Ok(Arc::clone(bytes));
        }
        let key = self.key(access, &map.encryption, number).await?;
        let url = join(&self.base, &map.uri)?;
        let mut bytes = resource::whole(access, &url, map.range, MAX_INIT).await?;
        if let Some((key, iv)) = key {
            bytes = hls::decrypt(&key, iv, &bytes).map_err(|error| refused(&url, error))?;
        }
        let bytes: Arc<[u8]> = bytes.into();
        self.init = Some((Arc::clone(map), Arc::clone(&bytes)));
        Ok(bytes)
    }

    /// Waits until the list may have grown, and looks at it again.
    async fn refresh(&mut self, access: Access<'_>) -> Result<(), FeedError> {
        let target = Duration::from_micros(self.media.target_us);
        let pause = if self.is_news { target } else { target / 2 };
        let due = self.loaded + pause.clamp(*REFRESH.start(), *REFRESH.end());
        let notice = access.fetcher.config.stall_notice;
        if tokio::time::timeout(notice, tokio::time::sleep_until(due))
            .await
            .is_err()
        {
            access.pipe.note_stall();
            tokio::time::sleep_until(due).await;
        }
        let mut failures = 0;
        let (base, media) = loop {
            match load(access, &self.url).await {
                Ok(loaded) => break loaded,
                Err(error) => {
                    failures += 1;
                    if !error.passing || failures > access.fetcher.config.resume_attempts {
                        return Err(error.error);
                    }
                    access.fetcher.pause(failures).await;
                }
            }
        };
        let state = |media: &Media| (media.sequence, media.segments.len(), media.ended);
        self.is_news = state(&media) != state(&self.media);
        self.loaded = Instant::now();
        if self.is_news {
            self.changed = self.loaded;
        }
        let longest = access.fetcher.config.stall_timeout.max(target * 3);
        if self.changed.elapsed() > longest {
            let text = format!("{} does not go on; try again later", shown(&self.url));
            return Err(FeedError::new(code::HTTP_STALLED, text));
        }
        (self.base, self.media) = (base, media);
        Ok(())
    }
}

/// What goes from one segment to the next within a delivery.
struct Run<'a> {
    access: Access<'a>,
    generation: u64,
    reader: SegmentReader,
    /// What the part that is being filled is.
    format: Option<Format>,
    init: Option<Arc<[u8]>>,
    /// The next bytes begin a part.
    fresh: bool,
    /// The next bytes begin a segment.
    begins: bool,
    /// The source time of the segment, and of the part.
    now_us: u64,
    part_us: u64,
}

impl<'a> Run<'a> {
    fn new(access: Access<'a>, generation: u64, now_us: u64) -> Run<'a> {
        Run {
            access,
            generation,
            reader: SegmentReader::new(),
            format: None,
            init: None,
            fresh: true,
            begins: true,
            now_us,
            part_us: now_us,
        }
    }

    /// What follows does not continue what was before.
    fn anew(&mut self) {
        self.fresh = true;
        self.reader = SegmentReader::new();
    }

    fn emit(&mut self, format: Format, bytes: &[u8]) {
        let pipe = self.access.pipe;
        let begins = std::mem::take(&mut self.begins);
        let is_long = self.now_us.saturating_sub(self.part_us) > LONGEST_PART_US;
        let renewed = begins && (format == Format::Mp4 || (format == Format::Fragments && is_long));
        if self.fresh || renewed || self.format != Some(format) {
            pipe.begin_part(self.generation, self.now_us / 1000);
            (self.format, self.fresh, self.part_us) = (Some(format), false, self.now_us);
            if let (Format::Fragments, Some(init)) = (format, &self.init) {
                pipe.append(self.generation, init);
            }
        }
        pipe.append(self.generation, bytes);
    }
}

/// Reads the list at `url`; where it really lies comes first.
async fn load(access: Access<'_>, url: &Url) -> Result<(Url, Media), FetchError> {
    let (base, text) = resource::text(access, url).await?;
    match hls::parse(&text).map_err(|what| invalid(url, what))? {
        Hls::Media(media) => Ok((base, media)),
        Hls::Master(_) => {
            let text = format!("{} is a choice within a choice", shown(url));
            Err(FetchError::lasting(code::PLAYLIST_LOOP, text))
        }
    }
}

/// The segment that plays at `time_us`, and when it begins; the last one for what is beyond.
fn at_time(media: &Media, time_us: u64) -> (u64, u64) {
    let (mut number, mut begin) = (media.sequence, 0);
    for segment in media
        .segments
        .iter()
        .take(media.segments.len().saturating_sub(1))
    {
        let end = begin + segment.duration_us;
        if time_us < end {
            break;
        }
        (number, begin) = (number + 1, end);
    }
    (number, begin)
}

/// The segment to begin a live source with.
fn live_edge(media: &Media) -> u64 {
    let distance = media.target_us.saturating_mul(LIVE_DISTANCE);
    let (mut number, mut behind) = (media.end(), 0);
    for segment in media.segments.iter().rev() {
        behind += segment.duration_us;
        // At least one segment, however long it is.
        if behind > distance && number < media.end() {
            break;
        }
        number -= 1;
    }
    number
}

/// Whether a source may go on behind a segment that came to this.
fn may_be_missing(error: &FetchError) -> bool {
    matches!(
        error.error.code,
        code::HTTP_STATUS
            | code::HTTP_TRUNCATED
            | code::HTTP_TIMEOUT
            | code::HTTP_STALLED
            | code::HTTP_CONNECT_FAILED
            | code::SOURCE_CHANGED
            | UNSUPPORTED_FORMAT
    )
}

const UNSUPPORTED_FORMAT: &str = "unsupported_format";
const UNSUPPORTED_CODEC: &str = "unsupported_codec";

fn refused(url: &Url, error: SegmentError) -> FetchError {
    let url = shown(url);
    match error {
        SegmentError::Decryption => {
            let text = format!("{url} cannot be decrypted: the key does not fit");
            FetchError::lasting(code::HLS_ENCRYPTED, text)
        }
        SegmentError::Unknown => {
            let text = format!("{url} is no segment of a known format");
            FetchError::lasting(UNSUPPORTED_FORMAT, text)
        }
        SegmentError::Unplayable(name) => {
            let text = format!("{url} holds sound that cannot be played: {name}");
            FetchError::lasting(UNSUPPORTED_CODEC, text)
        }
    }
}

fn invalid(url: &Url, what: &str) -> FetchError {
    let text = format!("{} is a playlist that cannot be played: {what}", shown(url));
    FetchError::lasting(code::PLAYLIST_INVALID, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn media(lengths: &[u64]) -> Media {
        let segment = |&seconds: &u64| Segment {
            duration_us: seconds * 1_000_000,
            ..Segment::default()
        };
        Media {
            target_us: 4_000_000,
            sequence: 10,
            segments: lengths.iter().map(segment).collect(),
            ended: false,
        }
    }

    #[test]
    fn a_time_is_found_in_its_segment() {
        let media = media(&[4, 0, 4, 2]);
        for (seconds, number, begin) in
            [(0, 10, 0), (3, 10, 0), (4, 12, 4), (8, 13, 8), (99, 13, 8)]
        {
            assert_eq!(
                at_time(&media, seconds * 1_000_000),
                (number, begin * 1_000_000)
            );
        }
        assert_eq!(at_time(&self::media(&[]), 5), (10, 0));
    }

    #[test]
    fn live_sources_begin_three_durations_before_their_end() {
        assert_eq!(live_edge(&media(&[4, 4, 4, 4, 4])), 12);
        assert_eq!(live_edge(&media(&[4, 2])), 10);
        assert_eq!(live_edge(&media(&[4, 60])), 11);
        assert_eq!(live_edge(&media(&[])), 10);
    }
}
