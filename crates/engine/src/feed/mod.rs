//! Feeds: what fills the frame queues of flows. Files and HTTP bodies in, Opus frames out.
//!
//! ```text
//! control ──load, seek, cancel──▶ Pool ◀──wake── cadenza-io (all HTTP transfers)
//!                                  │                  │ bytes
//!                                  ▼                  ▼
//!                 cadenza-decode-N: Job ◀── reader ◀ Pipe (bounded window)
//!                                  │
//!                                  ▼
//!                             FrameProducer ──▶ pacer
//! ```
//!
//! A few decode workers take turns at all feeds. A worker fills a feed's queue in short steps, parks
//! the feed when its queue is full, and looks again while most of the queue is still to be played.
//!
//! **A source that blocks costs its own feed only.** The bytes of HTTP sources wait in a bounded
//! [`Pipe`](http::Pipe). A feed whose pipe holds less than nearly every frame needs is parked, and the
//! IO thread wakes it: a source that stalls holds no thread. Containers give no promise about how
//! many bytes the next frame takes, though, and a decoder cannot be interrupted in the middle of one.
//! If it does run dry there, the read waits on its worker, and another thread takes the worker's place
//! until the bytes come. These threads are capped, and beyond the cap such a read fails its own feed.
//! One thread per HTTP feed would be simpler, but thousands of radio streams would be thousands of
//! threads; asking only for whole frames to be buffered would need a limit that no format keeps.
//!
//! **A panic in a decoder costs its own feed only**: every call into it is contained.
//!
//! **A feed stays after its end**, so that a seek can bring it back, until it is cancelled, replaced,
//! or the consumer of its queue is dropped. After a failure it is gone.

mod config;
mod effort;
mod error;
mod file;
mod frame_source;
mod governor;
pub mod hls;
mod http;
mod job;
mod live_encoder;
pub mod playlist;
mod pool;
mod pushed;

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Weak};
use std::{fmt, io};

use cadenza_audio::filters::FilterSettings;
use cadenza_audio::{EncoderSettings, OpenOptions, TrackInfo};
use crossbeam_channel::Sender;

pub use config::FeedConfig;
pub use error::{FeedError, code};
pub use frame_source::{AudioTracks, FrameSource, OpenFrames};
pub use http::{IcyFilter, IcyPiece};
pub use pushed::{PushWriter, Pushed, PushedShape};

use crate::frame_queue::{FrameProducer, Place};
use crate::stats::EncodingStats;
use http::HttpSources;
use job::{FilterChange, Job, Origin, Playback, Seek};
use live_encoder::LiveEncoder;
use pool::{Close, Pool};
use pushed::PushedPipe;

/// Names a feed; the engine uses the flow's id.
pub type FeedId = u32;

/// Where a track's bytes are.
#[derive(Clone, Eq, PartialEq)]
pub enum SourceSpec {
    /// A regular file of this machine.
    File(PathBuf),
    /// An `http` or `https` URL. May hold credentials, which appear in no message.
    Http {
        /// The whole URL.
        url: String,
        /// Fields for its requests, names and values. `Authorization` and cookies go to the URL's own host
        /// alone; what a request cannot have is left out.
        headers: Vec<(String, String)>,
    },
}

impl fmt::Debug for SourceSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SourceSpec::File(path) => f.debug_tuple("File").field(path).finish(),
            SourceSpec::Http { .. } => f.write_str("Http { .. }"),
        }
    }
}

/// What to play on a feed.
#[derive(Clone, Debug)]
pub struct LoadRequest {
    /// The track's number; events and commands carry it.
    pub track: u32,
    /// Where the bytes are.
    pub source: SourceSpec,
    /// Where to begin, in milliseconds of source time.
    pub start_ms: u64,
    /// Where to stop, in milliseconds of source time; `None` is the end of the source.
    pub end_ms: Option<u64>,
    /// For tracks that are encoded here.
    pub encoder: EncoderSettings,
    /// What is done to the sound; [checked](FilterSettings::check) by the caller.
    pub filters: FilterSettings,
}

/// What a source says about what it plays at present, as radio streams do.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct StreamMetadata {
    /// What sounds now, such as `Artist - Title`; at most 512 characters.
    pub title: Option<String>,
    /// The station's name.
    pub station: Option<String>,
    /// An address about the title or else the station.
    pub url: Option<String>,
}

/// What happened to a feed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum FeedEvent {
    /// The content was recognised; frames follow.
    Opened {
        /// The feed.
        feed: FeedId,
        /// Its track.
        track: u32,
        /// What is known about the source.
        info: TrackInfo,
    },
    /// The source says what it plays now.
    Metadata {
        /// The feed.
        feed: FeedId,
        /// Its track.
        track: u32,
        /// What it says.
        metadata: StreamMetadata,
    },
    /// The feed is over and gone. Frames decoded before may still be queued.
    Failed {
        /// The feed.
        feed: FeedId,
        /// Its track.
        track: u32,
        /// One of [`code`] or of `cadenza_audio::AudioErrorCode`.
        code: &'static str,
        /// One sentence for people, without credentials.
        message: String,
    },
    /// An HTTP source sends nothing although the feed needs bytes. It goes on or fails later.
    Stalled {
        /// The feed.
        feed: FeedId,
        /// Its track.
        track: u32,
    },
    /// Pushed bytes are running low.
    Wanted {
        /// The feed.
        feed: FeedId,
        /// Its track.
        track: u32,
        /// How many frames of 20 ms, or bytes of a file, would fit.
        frames: u32,
    },
    /// The last frame is in the queue, and behind it an empty one that marks the end.
    Ended {
        /// The feed.
        feed: FeedId,
        /// Its track.
        track: u32,
    },
}

/// The decode workers and the IO thread, and all feeds on them.
pub struct FeedHost {
    pool: Arc<Pool>,
    http: HttpSources,
}

impl FeedHost {
    /// Starts the threads. Fails only when the system gives no threads or no event descriptor.
    ///
    /// Events are sent from the workers, which wait while the channel is full: keep taking them.
    pub fn start(config: FeedConfig, events: Sender<FeedEvent>) -> io::Result<FeedHost> {
        FeedHost::start_with(config, events, Arc::new(AudioTracks))
    }

    /// As [`start`](FeedHost::start), with something else than `cadenza-audio` to open sources.
    pub fn start_with(
        config: FeedConfig,
        events: Sender<FeedEvent>,
        opener: Arc<dyn OpenFrames>,
    ) -> io::Result<FeedHost> {
        let http = HttpSources::start(&config)?;
        match Pool::start(&config, opener, events) {
            Ok(pool) => Ok(FeedHost { pool, http }),
            Err(error) => {
                http.stop();
                Err(error)
            }
        }
    }

    /// Begins to fill `producer`; what the feed did before is over. Never waits.
    ///
    /// Frames carry `epoch`, and after a [`seek`](FeedHost::seek) the seek's.
    pub fn load(&self, feed: FeedId, request: LoadRequest, producer: FrameProducer, epoch: u16) {
        let load = self.pool.next_load();
        let origin = self.origin(feed, load, &request);
        let pipe: Option<Arc<dyn Close>> = match &origin {
            Origin::Http(http) => Some(Arc::clone(&http.pipe) as _),
            Origin::File(_) | Origin::Pushed(_) | Origin::Refused(_) => None,
        };
        let job = Job {
            id: feed,
            track: request.track,
            origin,
            options: OpenOptions {
                start_ms: request.start_ms,
                end_ms: request.end_ms,
                encoder: request.encoder,
                filters: request.filters,
                ..OpenOptions::default()
            },
            producer,
            epoch,
            cancelled: Arc::new(AtomicBool::new(false)),
            encoder: Arc::new(LiveEncoder::new(&request.encoder)),
            playback: Playback::default(),
        };
        self.pool.insert(Box::new(job), load, pipe);
    }

    /// Begins to fill `producer` from bytes that the caller hands to the writer returned. What the
    /// feed did before is over; a seek has no meaning for such a feed.
    pub fn open_pushed(
        &self,
        feed: FeedId,
        track: u32,
        (shape, options): (PushedShape, OpenOptions),
        producer: FrameProducer,
        epoch: u16,
    ) -> PushWriter {
        let load = self.pool.next_load();
        let pipe = Arc::new(PushedPipe::new(shape));
        let encoder = Arc::new(LiveEncoder::new(&options.encoder));
        let job = Job {
            id: feed,
            track,
            origin: Origin::Pushed(Arc::clone(&pipe)),
            options,
            producer,
            epoch,
            cancelled: Arc::new(AtomicBool::new(false)),
            encoder,
            playback: Playback::default(),
        };
        let closing: Arc<dyn Close> = Arc::clone(&pipe) as _;
        self.pool.insert(Box::new(job), load, Some(closing));
        PushWriter::new(pipe, Arc::downgrade(&self.pool), feed, load)
    }

    /// Changes the encoder of the feed's track, from its next frames on: half a second of sound is
    /// encoded already. Without effect when the feed does not play `track` or encodes nothing.
    pub fn set_encoder(&self, feed: FeedId, track: u32, settings: &EncoderSettings) {
        self.pool.set_encoder(feed, track, settings);
    }

    /// How busy the workers are, and what effort encoders are allowed.
    pub fn encoding_stats(&self) -> EncodingStats {
        self.pool.effort().stats()
    }

    /// Goes on at `position_ms` of source time, with frames of `epoch`. Of several seeks the last one
    /// counts. Without effect when the feed does not play `track`.
    pub fn seek(&self, feed: FeedId, track: u32, position_ms: u64, epoch: u16) {
        let seek = Seek { position_ms, epoch };
        self.pool.seek(feed, track, seek);
    }

    /// Changes the filters, [checked](FilterSettings::check) by the caller. Frames that wait beyond the
    /// two that follow `asked_at` are made again. Without effect when the feed does not play `track`.
    pub fn set_filters(
        &self,
        feed: FeedId,
        track: u32,
        settings: &FilterSettings,
        asked_at: Place,
    ) {
        let settings = *settings;
        let change = Box::new(FilterChange { settings, asked_at });
        self.pool.set_filters(feed, track, change);
    }

    /// Ends the feed if it plays `track`. Events that are on their way may still arrive.
    pub fn cancel(&self, feed: FeedId, track: u32) {
        self.pool.cancel(feed, track);
    }

    /// `Stalled` events that found no room among the events.
    pub fn events_dropped(&self) -> u64 {
        self.pool.events_dropped()
    }

    /// Ends all feeds, closes files and connections and joins all threads.
    pub fn shutdown(self) {
        self.stop();
    }

    fn stop(&self) {
        self.pool.stop();
        self.http.stop();
    }

    fn origin(&self, feed: FeedId, load: u64, request: &LoadRequest) -> Origin {
        let track = request.track;
        let (url, headers) = match &request.source {
            SourceSpec::File(path) => return Origin::File(path.clone()),
            SourceSpec::Http { url, headers } => (url, headers),
        };
        // Weak, because the pool owns the jobs, and with them what holds these callbacks.
        let pool = Arc::downgrade(&self.pool);
        let stalled = Weak::clone(&pool);
        let on_ready = move || {
            if let Some(pool) = pool.upgrade() {
                pool.wake(feed, load);
            }
        };
        let on_stall = move || {
            if let Some(pool) = stalled.upgrade() {
                pool.report_in_passing(FeedEvent::Stalled { feed, track });
            }
        };
        self.http
            .fetch(
                url,
                headers,
                request.start_ms,
                Box::new(on_ready),
                Box::new(on_stall),
            )
            .map_or_else(Origin::Refused, Origin::Http)
    }
}

impl Drop for FeedHost {
    fn drop(&mut self) {
        self.stop();
    }
}
