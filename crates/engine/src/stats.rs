//! Counters that can be read at any time without stopping anything.

/// Counters and state of one flow, from its creation on.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct FlowStats {
    /// RTP packets handed to the socket, silence included.
    pub packets_sent: u64,
    /// Bytes of those packets, without UDP and IP headers.
    pub bytes_sent: u64,
    /// Packets sent more than one period (20 ms) after they were due.
    pub packets_late: u64,
    /// Periods skipped because the pacer came more than two periods too late.
    pub frames_skipped: u64,
    /// Packets the socket refused, and keepalives too.
    pub send_errors: u64,
    /// Silence frames among the packets sent.
    pub silence_sent: u64,
    /// Frames that wait in the queue.
    pub queue_frames: u64,
    /// Position in source time, milliseconds: the end of the frame sent last.
    pub position_ms: u64,
    /// Whether the flow is paused.
    pub paused: bool,
    /// The track that plays, if any.
    pub playing_track: Option<u32>,
    /// Round trip of the last answered keepalive, microseconds.
    pub udp_rtt_us: Option<u32>,
    /// Datagrams received, of any kind.
    pub datagrams_received: u64,
}

/// Counters of the whole engine.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct EngineStats {
    /// Flows that exist.
    pub flows: u64,
    /// One entry per sending thread.
    pub pacers: Vec<PacerStats>,
    /// Decode workers and encoders.
    pub encoding: EncodingStats,
    /// Events lost because nobody drained them in time, or because a queue towards them was full.
    pub events_dropped: u64,
}

/// What decoding and encoding cost, and what is done about it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct EncodingStats {
    /// The highest Opus complexity allowed at present; 10 unless the workers are busy.
    pub complexity_cap: u8,
    /// Share of the workers' time that the last quarter second of work took, 0 to 1000.
    pub busy_permille: u32,
    /// Times the complexity was lowered because of load.
    pub lowered: u64,
    /// Frames encoded since the start, those that were made again included. A stream that many calls
    /// play counts once.
    pub encoded: u64,
}

/// Counters of one sending thread.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct PacerStats {
    /// Flows placed on this pacer.
    pub flows: u64,
    /// Share of the last second that the thread worked, 0 to 1000.
    pub load_permille: u32,
    /// Packets sent.
    pub sent: u64,
    /// Periods skipped.
    pub skipped: u64,
    /// Times the thread woke up.
    pub wakeups: u64,
    /// How late its packets left.
    pub lateness: LatenessSummary,
    /// Whether the thread goes before ordinary ones (`SCHED_FIFO`).
    pub realtime: bool,
}

/// How late packets left after they were due. Percentiles are exact to 1/16 of their value.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct LatenessSummary {
    /// Packets counted.
    pub count: u64,
    /// Median, microseconds.
    pub p50_us: u64,
    /// 99th percentile, microseconds.
    pub p99_us: u64,
    /// 99.9th percentile, microseconds.
    pub p999_us: u64,
    /// Largest, microseconds.
    pub max_us: u64,
    /// All of them added up, microseconds.
    pub sum_us: u64,
    /// How many were at most as late as each of [`LATENESS_BOUNDS_US`], to 1/16 of the bound.
    pub within: [u64; LATENESS_BOUNDS_US.len()],
}

/// Upper bounds of the classes of lateness that are counted for monitoring, microseconds.
pub const LATENESS_BOUNDS_US: [u64; 9] = [
    250, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000,
];
