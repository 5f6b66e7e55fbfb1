//! What the feed tests share: a host under test, a decoder that is easy to predict, an HTTP server.

#![allow(dead_code, reason = "each test file uses its own part")]

pub mod server;

use std::collections::VecDeque;
use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use cadenza_audio::filters::FilterSettings;
use cadenza_audio::{
    ByteSource, EncoderSettings, FrameInfo, MAX_OPUS_FRAME, OpenOptions, ProbeHint, TrackInfo,
};
use cadenza_engine::feed::{
    FeedConfig, FeedError, FeedEvent, FeedHost, FrameSource, LoadRequest, OpenFrames, SourceSpec,
};
use cadenza_engine::frame_queue::{FrameConsumer, FrameMeta, frame_queue};
use crossbeam_channel::{Receiver, unbounded};

/// How long a test waits for something that must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// Bytes of the source that the predictable decoder turns into one frame.
pub const CHUNK: usize = 100;

/// Timeouts short enough for tests, loopback allowed.
pub fn config() -> FeedConfig {
    FeedConfig {
        decode_workers: 1,
        allow_private_hosts: true,
        connect_timeout: Duration::from_secs(2),
        stall_timeout: Duration::from_secs(10),
        stall_notice: Duration::from_secs(5),
        resume_delay: Duration::from_millis(1),
        // Tests take frames faster than they would play.
        longest_park: Duration::from_millis(1),
        ..FeedConfig::default()
    }
}

/// Bytes that differ everywhere enough to show any shift.
pub fn content(len: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_u32;
    let mut byte = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..len).map(|_| byte()).collect()
}

/// A feed host with the predictable decoder.
pub struct Bench {
    pub host: FeedHost,
    events: Receiver<FeedEvent>,
    seen: VecDeque<FeedEvent>,
    pub decoders_alive: Arc<AtomicUsize>,
}

impl Bench {
    pub fn new(config: FeedConfig) -> Bench {
        let alive = Arc::new(AtomicUsize::new(0));
        let opener = Arc::new(ChunkOpener(Arc::clone(&alive)));
        Bench::with_opener(config, opener, alive)
    }

    pub fn with_opener(
        config: FeedConfig,
        opener: Arc<dyn OpenFrames>,
        decoders_alive: Arc<AtomicUsize>,
    ) -> Bench {
        let (sender, events) = unbounded();
        let host = FeedHost::start_with(config, sender, opener).expect("threads start");
        Bench {
            host,
            events,
            seen: VecDeque::new(),
            decoders_alive,
        }
    }

    /// Loads a source as track 1 of `feed`.
    pub fn load(&self, feed: u32, source: SourceSpec) -> Listener {
        self.load_track(feed, 1, source)
    }

    pub fn load_track(&self, feed: u32, track: u32, source: SourceSpec) -> Listener {
        self.load_request(feed, track, source, (0, None))
    }

    /// Loads a stretch of a source as track 1 of `feed`.
    pub fn load_between(
        &self,
        feed: u32,
        source: SourceSpec,
        start_ms: u64,
        end_ms: Option<u64>,
    ) -> Listener {
        self.load_request(feed, 1, source, (start_ms, end_ms))
    }

    fn load_request(
        &self,
        feed: u32,
        track: u32,
        source: SourceSpec,
        (start_ms, end_ms): (u64, Option<u64>),
    ) -> Listener {
        let (producer, consumer) = frame_queue(8 * 1024);
        let request = LoadRequest {
            track,
            source,
            start_ms,
            end_ms,
            encoder: EncoderSettings::default(),
            filters: FilterSettings::default(),
        };
        self.host.load(feed, request, producer, 7);
        Listener(consumer)
    }

    /// Waits for the first event of `feed` that `pick` takes; others stay for later calls.
    pub fn wait_for<T>(&mut self, feed: u32, pick: impl Fn(&FeedEvent) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        let mut index = 0;
        loop {
            while let Some(event) = self.seen.get(index) {
                if let Some(picked) = pick(event).filter(|_| feed_of(event) == feed) {
                    self.seen.remove(index);
                    return picked;
                }
                index += 1;
            }
            let event = self.events.recv_deadline(deadline);
            self.seen
                .push_back(event.unwrap_or_else(|_| panic!("only came: {:?}", self.seen)));
        }
    }

    /// Waits until the feed fails and returns code and message.
    pub fn failure(&mut self, feed: u32) -> (&'static str, String) {
        self.wait_for(feed, |event| match event {
            FeedEvent::Failed { code, message, .. } => Some((*code, message.clone())),
            _ => None,
        })
    }

    pub fn ended(&mut self, feed: u32) {
        self.wait_for(feed, |event| {
            matches!(event, FeedEvent::Ended { .. }).then_some(())
        });
    }

    pub fn stalled(&mut self, feed: u32) {
        self.wait_for(feed, |event| {
            matches!(event, FeedEvent::Stalled { .. }).then_some(())
        });
    }

    /// Events that came and were not waited for.
    pub fn others(&mut self) -> Vec<FeedEvent> {
        self.seen.extend(self.events.try_iter());
        self.seen.drain(..).collect()
    }
}

pub fn feed_of(event: &FeedEvent) -> u32 {
    match event {
        FeedEvent::Opened { feed, .. }
        | FeedEvent::Failed { feed, .. }
        | FeedEvent::Metadata { feed, .. }
        | FeedEvent::Stalled { feed, .. }
        | FeedEvent::Wanted { feed, .. }
        | FeedEvent::Ended { feed, .. } => *feed,
    }
}

/// Waits until `condition` holds.
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Stands in for the pacer, as fast as frames come.
pub struct Listener(pub FrameConsumer);

impl Listener {
    pub fn next(&mut self) -> (Vec<u8>, FrameMeta) {
        let mut out = [0; 1275];
        let mut found = None;
        until("a frame", || {
            found = self.0.pop(&mut out);
            found.is_some()
        });
        let (len, meta) = found.expect("was found");
        (out[..len].to_vec(), meta)
    }

    /// Takes frames up to the mark of the end; their bytes joined.
    pub fn rest(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        loop {
            let (frame, meta) = self.next();
            if meta.last {
                return all;
            }
            all.extend(frame);
        }
    }

    /// Takes frames in the background until the feed is gone.
    pub fn drain(mut self) {
        let mut out = [0; 1275];
        std::thread::spawn(move || {
            until("the feed is gone", || {
                while self.0.pop(&mut out).is_some() {}
                self.0.is_abandoned()
            });
        });
    }

    /// The next `len` bytes.
    pub fn take(&mut self, len: usize) -> Vec<u8> {
        let mut all = Vec::new();
        while all.len() < len {
            all.extend(self.next().0);
        }
        all
    }

    /// Drops frames of other epochs until one of `epoch` comes.
    pub fn first_of(&mut self, epoch: u16) -> (Vec<u8>, FrameMeta) {
        loop {
            let (frame, meta) = self.next();
            if meta.epoch == epoch {
                return (frame, meta);
            }
        }
    }
}

/// Opens [`Chunks`]; the extension of the name says what goes wrong.
#[derive(Default)]
pub struct ChunkOpener(pub Arc<AtomicUsize>);

impl OpenFrames for ChunkOpener {
    fn open(
        &self,
        bytes: Box<dyn ByteSource>,
        hint: &ProbeHint,
        options: &OpenOptions,
    ) -> Result<Box<dyn FrameSource>, FeedError> {
        let fault = hint.extension.clone().unwrap_or_default();
        assert_ne!(fault, "panic_open", "the decoder panics as it should");
        self.0.fetch_add(1, Ordering::SeqCst);
        let mut chunks = Chunks {
            bytes,
            fault,
            position: 0,
            alive: Arc::clone(&self.0),
        };
        if options.start_ms > 0 && chunks.bytes.is_seekable() {
            chunks.seek(options.start_ms)?;
        } else {
            // A stream is read up to where it is to begin.
            for _ in 0..options.start_ms / 20 {
                chunks.next_frame(&mut [0; MAX_OPUS_FRAME])?;
            }
        }
        Ok(Box::new(chunks))
    }
}

/// Every 100 bytes of the source are a frame of 20 ms.
struct Chunks {
    bytes: Box<dyn ByteSource>,
    fault: String,
    position: u64,
    alive: Arc<AtomicUsize>,
}

impl FrameSource for Chunks {
    fn info(&self) -> TrackInfo {
        TrackInfo {
            container: "wav",
            codec: "pcm",
            passthrough: false,
            duration_ms: self.bytes.byte_len().map(|len| len / CHUNK as u64 * 20),
            sample_rate: 48_000,
            channels: 2,
            seekable: self.bytes.is_seekable(),
        }
    }

    fn next_frame(
        &mut self,
        out: &mut [u8; MAX_OPUS_FRAME],
    ) -> Result<Option<FrameInfo>, FeedError> {
        assert_ne!(self.fault, "panic_frame", "the decoder panics as it should");
        // The whole source is one frame: the most that a container may ask for.
        let wanted = if self.fault == "whole" {
            usize::MAX
        } else {
            CHUNK
        };
        let mut chunk = Vec::new();
        while chunk.len() < wanted {
            let mut part = vec![0; (wanted - chunk.len()).min(8192)];
            let count = match self.bytes.read(&mut part) {
                Err(_) if self.fault == "deaf" => 0,
                read => read.map_err(|error| FeedError::new("read_failed", error.to_string()))?,
            };
            if count == 0 {
                break;
            }
            chunk.extend(&part[..count]);
        }
        if chunk.is_empty() {
            return Ok(None);
        }
        self.position += 1;
        let len = chunk.len().min(CHUNK);
        out[..len].copy_from_slice(&chunk[..len]);
        let lie = match self.fault.as_str() {
            "lie_long" => Some(MAX_OPUS_FRAME + 1),
            "lie_empty" => Some(0),
            _ => None,
        };
        Ok(Some(FrameInfo {
            len: lie.unwrap_or(len),
            position_ms: self.position * 20,
        }))
    }

    fn seek(&mut self, position_ms: u64) -> Result<(), FeedError> {
        assert_ne!(self.fault, "panic_seek", "the decoder panics as it should");
        self.position = position_ms / 20;
        let target = self.position * CHUNK as u64;
        let offset = SeekFrom::Start(target);
        let sought = self.bytes.seek(offset);
        sought.map_err(|error| FeedError::new("seek_failed", error.to_string()))?;
        Ok(())
    }
}

impl Drop for Chunks {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::SeqCst);
        assert_ne!(self.fault, "panic_drop", "the decoder panics as it should");
    }
}
