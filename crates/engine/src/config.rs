//! What can be chosen when an engine starts, and what can be asked to play.

use cadenza_audio::{EncoderSettings, PcmFormat};

use crate::feed::{FeedConfig, SourceSpec};

/// Sending threads that an engine has at most.
const MOST_PACERS: usize = 16;

/// Sizes and policies of an engine. All take effect when it starts.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// Sending threads in use from the start, 1 to 16. Default 1, which carries thousands of flows.
    pub pacers: usize,
    /// Sending threads at most, up to 16. Another one comes into use when the busiest works more than
    /// 70 % of its time. Default: as many as the machine has cores, at most 4.
    pub max_pacers: usize,
    /// Lets sending threads go before all ordinary ones (`SCHED_FIFO`) while the system permits it and
    /// they work less than 85 % of their time. Default `false`.
    pub realtime: bool,
    /// Threads that demux, decode and encode, 1 to 64. Default 2.
    pub decode_workers: usize,
    /// Events that may wait undrained; more are dropped and counted. Default 65,536.
    pub event_capacity: usize,
    /// Lets HTTP sources reach loopback, link-local and private addresses. Default `false`.
    pub allow_private_hosts: bool,
    /// Flows that one pacer has places for. Default 16,384; a place costs about 220 bytes.
    pub max_flows: usize,
    /// After how long without a frame a track counts as stalled, milliseconds. Default 10,000.
    pub stall_ms: u32,
    /// Threads that do the group's part of end-to-end encryption, 1 to 16. Default 2.
    pub dave_workers: usize,
    /// How long a track waits for end-to-end encryption before its time passes unheard,
    /// milliseconds. Default 2,500.
    pub dave_hold_ms: u32,
    /// Bytes of Opus that wait ahead of each playing flow. Default 8 KiB, half a second at 128 kbit/s.
    pub queue_bytes: usize,
    /// Further limits on sources; `decode_workers` and `allow_private_hosts` above win over it.
    pub feeds: FeedConfig,
}

impl Default for EngineConfig {
    fn default() -> EngineConfig {
        EngineConfig {
            pacers: 1,
            max_pacers: std::thread::available_parallelism().map_or(1, |cores| cores.get().min(4)),
            realtime: false,
            decode_workers: 2,
            event_capacity: 65_536,
            allow_private_hosts: false,
            max_flows: 16_384,
            stall_ms: 10_000,
            dave_workers: 2,
            dave_hold_ms: 2_500,
            queue_bytes: crate::frame_queue::DEFAULT_CAPACITY_BYTES,
            feeds: FeedConfig::default(),
        }
    }
}

impl EngineConfig {
    /// The configuration with every value inside its range.
    pub(crate) fn resolved(mut self) -> EngineConfig {
        self.pacers = self.pacers.clamp(1, MOST_PACERS);
        self.max_pacers = self.max_pacers.clamp(self.pacers, MOST_PACERS);
        self.decode_workers = self.decode_workers.clamp(1, 64);
        self.event_capacity = self.event_capacity.clamp(1, 1 << 20);
        self.max_flows = self.max_flows.clamp(1, 1 << 20);
        self.dave_workers = self.dave_workers.clamp(1, 16);
        self.queue_bytes = self.queue_bytes.clamp(0, 1 << 20);
        self.feeds.decode_workers = self.decode_workers;
        self.feeds.allow_private_hosts = self.allow_private_hosts;
        self
    }
}

/// One track to play.
#[derive(Clone, Debug)]
pub struct PlayRequest {
    /// Chosen by the caller; comes back in the track's events.
    pub track: u32,
    /// Where the bytes are.
    pub source: SourceSpec,
    /// Where to begin, in milliseconds of source time.
    pub start_ms: u64,
    /// Where to end, in milliseconds of source time; `None` is the end of the source.
    pub end_ms: Option<u64>,
    /// For tracks that have to be encoded.
    pub encoder: EncoderSettings,
}

/// A track whose sound the caller hands over.
#[derive(Clone, Copy, Debug)]
pub struct PushRequest {
    /// Chosen by the caller; comes back in the track's events.
    pub track: u32,
    /// What is handed over.
    pub content: PushContent,
}

/// What a caller hands over.
#[derive(Clone, Copy, Debug)]
pub enum PushContent {
    /// Opus packets of 20 ms each, sent as they are.
    Opus,
    /// A file in any format that can be played, from its first byte on. There is no way back in it.
    File {
        /// Where to begin, in milliseconds of source time; what lies before is read over.
        start_ms: u64,
        /// Where to end, in milliseconds of source time; `None` is the end of the file.
        end_ms: Option<u64>,
        /// For files that have to be encoded.
        encoder: EncoderSettings,
    },
    /// Samples, encoded on a decode worker.
    Pcm {
        /// Their shape.
        format: PcmFormat,
        /// How they are encoded.
        encoder: EncoderSettings,
    },
}
