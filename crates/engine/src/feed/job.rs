//! One feed on its way from bytes to queued frames, advanced in short steps by whichever worker is free.

mod encoding;
mod revision;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use cadenza_audio::{AudioErrorCode, EncoderSettings, MAX_OPUS_FRAME, OpenOptions};

use super::error::{FeedError, code};
use super::frame_source::{self, FrameSource};
use super::http::{HttpReader, HttpSource, Onward};
use super::live_encoder::LiveEncoder;
use super::pool::{Close as _, Pool};
use super::pushed::{PushedPipe, PushedReader};
use super::{FeedEvent, FeedId, file};
use crate::frame_queue::{FrameMeta, FrameProducer};
use encoding::LOW_QUEUE;
pub(super) use revision::FilterChange;

/// Frames per step; then another feed gets its turn.
const BATCH: usize = 64;
/// Frames per step where each takes long to make.
const ENCODED_BATCH: usize = 16;
const FRAME: Duration = Duration::from_millis(20);
/// How soon a feed looks again while frames wait that are to be passed over.
const SOON: Duration = Duration::from_millis(8);
/// How soon a feed that waits for a wake-up looks whether anybody still listens.
const IDLE: Duration = Duration::from_secs(1);

/// A feed: owned by the pool while it waits, by a worker while it steps.
pub(super) struct Job {
    pub(super) id: FeedId,
    pub(super) track: u32,
    pub(super) origin: Origin,
    pub(super) options: OpenOptions,
    pub(super) producer: FrameProducer,
    pub(super) epoch: u16,
    /// Set once nobody wants events of this feed any more.
    pub(super) cancelled: Arc<AtomicBool>,
    pub(super) encoder: Arc<LiveEncoder>,
    pub(super) playback: Playback,
}

/// Where the bytes come from.
pub(super) enum Origin {
    File(PathBuf),
    Http(HttpSource),
    /// Samples handed over from outside.
    Pushed(Arc<PushedPipe>),
    /// Refused before anything was opened; the first step reports it.
    Refused(FeedError),
}

/// What was opened and what came out of it so far.
#[derive(Default)]
pub(super) struct Playback {
    source: Option<Box<dyn FrameSource>>,
    /// A frame that found no room in the queue.
    held: Option<Frame>,
    position_ms: u32,
    finished: bool,
    /// A change of filters that waits for the one before to be heard.
    change: Option<Box<FilterChange>>,
    /// Frames still to be made again, from sound that is here.
    again: usize,
    /// `Opened` was reported.
    opened: bool,
    /// The source time at which the open part of the source begins.
    part_ms: u64,
    /// The settings the encoder works with.
    encoder: Option<EncoderSettings>,
    /// Whether frames pass through as long as no filter changes them.
    passes: bool,
    /// Whether the queue has been full since the last seek.
    was_ahead: bool,
}

/// An Opus frame that waits; an empty one marks the end.
struct Frame {
    opus: Box<[u8]>,
    position_ms: u32,
}

/// An Opus frame of so many bytes in the room it was made in; 0 marks the end.
#[derive(Clone, Copy)]
struct Made {
    len: usize,
    position_ms: u32,
}

/// A wish to go on elsewhere; frames carry its epoch from then on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seek {
    pub(super) position_ms: u64,
    pub(super) epoch: u16,
}

/// What is asked of a feed between two steps.
#[derive(Debug, Default)]
pub(super) struct Wishes {
    pub(super) seek: Option<Seek>,
    pub(super) filters: Option<Box<FilterChange>>,
}

impl Wishes {
    pub(super) fn is_empty(&self) -> bool {
        self.seek.is_none() && self.filters.is_none()
    }
}

/// What a worker does with a job after a step.
pub(super) enum Next {
    /// There is more to do at once.
    Continue,
    /// Look again after this time, or when woken.
    Park(Duration),
    /// The feed is over.
    Drop,
}

impl Job {
    /// Does a bounded amount of work, reporting what happens through `pool`.
    pub(super) fn step(&mut self, wishes: Wishes, pool: &Arc<Pool>) -> Next {
        if self.producer.is_abandoned() {
            return Next::Drop;
        }
        let advanced = self.advance(wishes, pool);
        self.publish_revision(true);
        advanced.unwrap_or_else(|error| {
            self.fail(error, pool);
            Next::Drop
        })
    }

    fn advance(&mut self, wishes: Wishes, pool: &Arc<Pool>) -> Result<Next, FeedError> {
        if let Some(seek) = wishes.seek {
            self.seek(seek)?;
        }
        if let Some(next) = self.follow_filters(wishes.filters)? {
            return Ok(next);
        }
        if self.playback.finished {
            return Ok(Next::Park(IDLE));
        }
        if !self.bytes_wait() {
            return Ok(Next::Park(self.until_urgent()));
        }
        if self.playback.source.is_none() && !self.open(pool)? {
            return Ok(Next::Continue);
        }
        self.follow_encoder(pool)?;
        let mut room = [0; MAX_OPUS_FRAME];
        let batch = if self.encodes() { ENCODED_BATCH } else { BATCH };
        for _ in 0..batch {
            if !self.bytes_wait() {
                return Ok(Next::Park(self.until_urgent()));
            }
            let made = match self.playback.held.take() {
                Some(frame) => {
                    room[..frame.opus.len()].copy_from_slice(&frame.opus);
                    Made {
                        len: frame.opus.len(),
                        position_ms: frame.position_ms,
                    }
                }
                None => match self.decode(&mut room)? {
                    Some(made) => made,
                    None => return Ok(Next::Continue),
                },
            };
            self.count_encoded(pool);
            self.tell_metadata(pool);
            let opus = &room[..made.len];
            if !self.push(opus, made.position_ms) {
                self.playback.held = Some(Frame {
                    opus: opus.into(),
                    position_ms: made.position_ms,
                });
                self.keep_unplayed()?;
                self.playback.was_ahead = true;
                return Ok(Next::Park(self.until_low().min(pool.longest_park())));
            }
            self.publish_revision(false);
            if opus.is_empty() {
                return Ok(self.finish(pool));
            }
        }
        Ok(Next::Continue)
    }

    /// Opens the source, or its next part; `false` when there is nothing in that part.
    fn open(&mut self, pool: &Arc<Pool>) -> Result<bool, FeedError> {
        let opener = pool.opener();
        let mut options = self.options.clone();
        let opened = match &self.origin {
            Origin::Refused(error) => return Err(error.clone()),
            Origin::File(path) => {
                let bytes = file::open(path)?;
                let hint = file::hint(path);
                contained(|| opener.open(Box::new(bytes), &hint, &options))
            }
            Origin::Http(http) => {
                if let Some(part_ms) = http.pipe.enter_part() {
                    self.playback.part_ms = part_ms;
                    options.from_first = true;
                    options.start_ms = options.start_ms.saturating_sub(part_ms);
                    options.end_ms = options.end_ms.map(|end| end.saturating_sub(part_ms));
                }
                options.ignore_length = options.from_first || http.pipe.about().live;
                let pool: Weak<Pool> = Arc::downgrade(pool);
                let bytes = HttpReader::new(Arc::clone(&http.pipe), pool);
                contained(|| opener.open(Box::new(bytes), &http.hint(), &options))
            }
            Origin::Pushed(pipe) => {
                let bytes = PushedReader {
                    pipe: Arc::clone(pipe),
                    pool: Arc::downgrade(pool),
                    feed: self.id,
                    track: self.track,
                };
                let shape = pipe.shape();
                contained(|| frame_source::open_pushed(Box::new(bytes), shape, &*opener, &options))
            }
        };
        let source = match opened {
            Err(error) if options.from_first && is_empty(&error) && self.leave_part()? => {
                return Ok(false);
            }
            opened => self.playback.source.insert(opened?),
        };
        // The next part's encoder knows nothing of what the last one was told.
        self.playback.encoder = None;
        if std::mem::replace(&mut self.playback.opened, true) {
            return Ok(true);
        }
        let mut info = contained(|| Ok(source.info()))?;
        self.playback.passes = info.passthrough;
        if let Origin::Http(http) = &self.origin {
            let about = http.pipe.about();
            if options.from_first {
                (info.duration_ms, info.seekable) = (about.duration_ms, about.by_time);
            }
        }
        let (feed, track) = (self.id, self.track);
        self.report(pool, FeedEvent::Opened { feed, track, info });
        Ok(true)
    }

    fn seek(&mut self, seek: Seek) -> Result<(), FeedError> {
        self.epoch = seek.epoch;
        self.playback.held = None;
        self.playback.finished = false;
        self.playback.again = 0;
        self.playback.was_ahead = false;
        if let Origin::Http(http) = &self.origin {
            let about = http.pipe.about();
            if about.live {
                let text =
                    "what is on air cannot be sought in; play it again to hear it from now on";
                return Err(FeedError::new(AudioErrorCode::SeekFailed.as_str(), text));
            }
            if about.by_time {
                http.pipe.seek_time(seek.position_ms);
                let source = self.playback.source.take();
                self.options.start_ms = seek.position_ms;
                return contained(|| {
                    drop(source);
                    Ok(())
                });
            }
        }
        match &mut self.playback.source {
            Some(source) => contained(|| source.seek(seek.position_ms)),
            None => {
                self.options.start_ms = seek.position_ms;
                Ok(())
            }
        }
    }

    /// Goes over to the next part of the source; `false` when there is none.
    fn leave_part(&mut self) -> Result<bool, FeedError> {
        let Origin::Http(http) = &self.origin else {
            return Ok(false);
        };
        let is_past = |end| u64::from(self.playback.position_ms) + 20 >= end;
        if self.options.end_ms.is_some_and(is_past) {
            return Ok(false);
        }
        match http.pipe.leave_part() {
            Onward::End => Ok(false),
            Onward::Part => {
                self.options.start_ms = 0;
                self.playback.again = 0;
                let source = self.playback.source.take();
                contained(|| {
                    drop(source);
                    Ok(())
                })?;
                Ok(true)
            }
            Onward::Unread => Err(FeedError::new(
                AudioErrorCode::MalformedMedia.as_str(),
                "the decoder gave up in the middle of the stream; use another source",
            )),
        }
    }

    /// Writes the next frame, or the mark of the end; `None` when another part comes first.
    fn decode(&mut self, out: &mut [u8; MAX_OPUS_FRAME]) -> Result<Option<Made>, FeedError> {
        self.playback.again = self.playback.again.saturating_sub(1);
        let frame = match &mut self.playback.source {
            Some(source) => contained(|| source.next_frame(out))?,
            None => None,
        };
        let Some(frame) = frame else {
            // Some readers take a failed read for the end of the file; the pipe knows better.
            if let Some(failure) = self.transfer_failure() {
                return Err(failure);
            }
            let onward = self.in_parts() && self.leave_part()?;
            return Ok((!onward).then_some(Made {
                len: 0,
                position_ms: self.playback.position_ms,
            }));
        };
        if !(1..=out.len()).contains(&frame.len) {
            return Err(FeedError::new(
                AudioErrorCode::MalformedMedia.as_str(),
                format!(
                    "a frame of {} bytes is impossible; use another file",
                    frame.len
                ),
            ));
        }
        let position_ms = self.playback.part_ms.saturating_add(frame.position_ms);
        self.playback.position_ms = u32::try_from(position_ms).unwrap_or(u32::MAX);
        Ok(Some(Made {
            len: frame.len,
            position_ms: self.playback.position_ms,
        }))
    }

    /// Whether the source comes in parts.
    fn in_parts(&self) -> bool {
        match &self.origin {
            Origin::Http(http) => http.pipe.in_parts(),
            Origin::File(_) | Origin::Pushed(_) | Origin::Refused(_) => false,
        }
    }

    /// Passes on what the source says about the place that is being decoded.
    fn tell_metadata(&self, pool: &Pool) {
        let Origin::Http(http) = &self.origin else {
            return;
        };
        if let Some(metadata) = http.pipe.take_metadata() {
            let (feed, track) = (self.id, self.track);
            let event = FeedEvent::Metadata {
                feed,
                track,
                metadata,
            };
            self.report(pool, event);
        }
    }

    /// Queues a frame; `false` when the queue is full.
    fn push(&mut self, opus: &[u8], position_ms: u32) -> bool {
        let meta = FrameMeta {
            epoch: self.epoch,
            position_ms,
            last: opus.is_empty(),
        };
        self.producer.try_push(opus, meta)
    }

    /// How long it takes until the queue should be filled again: half of it when frames take long to
    /// make, else two thirds, because fewer and longer visits are cheaper.
    fn until_low(&self) -> Duration {
        if self.producer.is_revising() {
            return SOON;
        }
        let unplayed = self.producer.unplayed();
        let played = match self.encodes() {
            true => unplayed / 2,
            false => unplayed * 2 / 3,
        };
        playing_time(played).max(FRAME)
    }

    /// When a feed that waits for bytes has to be content with few of them.
    fn until_urgent(&self) -> Duration {
        match self.producer.unplayed().checked_sub(LOW_QUEUE) {
            Some(spare) => playing_time(spare + 1),
            None => IDLE,
        }
    }

    fn finish(&mut self, pool: &Pool) -> Next {
        self.playback.finished = true;
        self.report(
            pool,
            FeedEvent::Ended {
                feed: self.id,
                track: self.track,
            },
        );
        Next::Park(IDLE)
    }

    fn fail(&mut self, error: FeedError, pool: &Pool) {
        let FeedError { code, message } = self.transfer_failure().unwrap_or(error);
        self.report(
            pool,
            FeedEvent::Failed {
                feed: self.id,
                track: self.track,
                code,
                message,
            },
        );
    }

    /// The failure of an HTTP transfer, if a decoder met it: its cause, where decoders see symptoms.
    fn transfer_failure(&self) -> Option<FeedError> {
        match &self.origin {
            Origin::Http(http) => http.pipe.failure_met(),
            Origin::File(_) | Origin::Pushed(_) | Origin::Refused(_) => None,
        }
    }

    fn report(&self, pool: &Pool, event: FeedEvent) {
        if !self.cancelled.load(Ordering::Acquire) {
            pool.report(event);
        }
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        match &self.origin {
            Origin::Http(http) => http.pipe.close(),
            Origin::Pushed(pipe) => pipe.close(),
            Origin::File(_) | Origin::Refused(_) => {}
        }
        let source = self.playback.source.take();
        // A decoder that panicked once may do so again while it is dropped.
        let _ = contained(|| {
            drop(source);
            Ok(())
        });
    }
}

/// Whether a source was refused because it holds no sound.
fn is_empty(error: &FeedError) -> bool {
    error.code == AudioErrorCode::EmptySource.as_str()
}

fn playing_time(frames: usize) -> Duration {
    FRAME.saturating_mul(u32::try_from(frames).unwrap_or(u32::MAX))
}

/// Runs decoder code; a panic in it becomes an error of this feed.
fn contained<T>(work: impl FnOnce() -> Result<T, FeedError>) -> Result<T, FeedError> {
    // The source is dropped after a panic and never called again, so its state does not matter.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(FeedError::new(
            code::DECODER_PANICKED,
            "the decoder failed on this content; report the file and use another one",
        ))
    })
}
