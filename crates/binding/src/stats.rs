//! Statistics as plain JavaScript objects.

use cadenza_engine::{
    EncodingStats, EngineStats, FlowStats, LATENESS_BOUNDS_US, LatenessSummary, PacerStats,
};
use napi_derive::napi;

/// Counters and state of one flow.
#[napi(object)]
pub struct BindingFlowStats {
    /// RTP packets handed to the socket.
    pub packets_sent: f64,
    /// Bytes of those packets, without UDP and IP headers.
    pub bytes_sent: f64,
    /// Packets sent more than one period after they were due.
    pub packets_late: f64,
    /// Periods skipped after a stall.
    pub frames_skipped: f64,
    /// Failed sends.
    pub send_errors: f64,
    /// Silence frames among the packets sent.
    pub silence_sent: f64,
    /// Frames that wait in the queue.
    pub queue_frames: f64,
    /// Position in source time, milliseconds.
    pub position_ms: f64,
    /// Whether the flow is paused.
    pub paused: bool,
    /// The track that plays, if any.
    pub playing_track: Option<u32>,
    /// Last UDP round trip from a keepalive, microseconds.
    pub udp_rtt_us: Option<u32>,
    /// Datagrams received.
    pub datagrams_received: f64,
}

impl From<FlowStats> for BindingFlowStats {
    fn from(stats: FlowStats) -> Self {
        Self {
            packets_sent: stats.packets_sent as f64,
            bytes_sent: stats.bytes_sent as f64,
            packets_late: stats.packets_late as f64,
            frames_skipped: stats.frames_skipped as f64,
            send_errors: stats.send_errors as f64,
            silence_sent: stats.silence_sent as f64,
            queue_frames: stats.queue_frames as f64,
            position_ms: stats.position_ms as f64,
            paused: stats.paused,
            playing_track: stats.playing_track,
            udp_rtt_us: stats.udp_rtt_us,
            datagrams_received: stats.datagrams_received as f64,
        }
    }
}

/// How late packets left.
#[napi(object)]
pub struct BindingLateness {
    /// Packets counted.
    pub count: f64,
    /// Median, microseconds.
    pub p50_us: f64,
    /// 99th percentile, microseconds.
    pub p99_us: f64,
    /// 99.9th percentile, microseconds.
    pub p999_us: f64,
    /// Largest, microseconds.
    pub max_us: f64,
    /// All of them added up, microseconds.
    pub sum_us: f64,
    /// How many were at most as late as each bound.
    pub within: Vec<BindingWithin>,
}

/// How many packets left at most so late.
#[napi(object)]
pub struct BindingWithin {
    /// The bound, microseconds.
    pub bound_us: f64,
    /// Packets.
    pub count: f64,
}

impl From<LatenessSummary> for BindingLateness {
    fn from(lateness: LatenessSummary) -> Self {
        let within = LATENESS_BOUNDS_US.iter().zip(lateness.within);
        Self {
            count: lateness.count as f64,
            p50_us: lateness.p50_us as f64,
            p99_us: lateness.p99_us as f64,
            p999_us: lateness.p999_us as f64,
            max_us: lateness.max_us as f64,
            sum_us: lateness.sum_us as f64,
            within: within
                .map(|(&bound, count)| BindingWithin {
                    bound_us: bound as f64,
                    count: count as f64,
                })
                .collect(),
        }
    }
}

/// One sending thread.
#[napi(object)]
pub struct BindingPacerStats {
    /// Flows placed on this pacer.
    pub flows: f64,
    /// Share of time the thread worked, 0 to 1000.
    pub load_permille: f64,
    /// Packets sent.
    pub sent: f64,
    /// Periods skipped.
    pub skipped: f64,
    /// Times the thread woke up.
    pub wakeups: f64,
    /// Lateness of its packets.
    pub lateness: BindingLateness,
    /// Whether it goes before ordinary threads.
    pub realtime: bool,
}

impl From<PacerStats> for BindingPacerStats {
    fn from(stats: PacerStats) -> Self {
        Self {
            flows: stats.flows as f64,
            load_permille: stats.load_permille as f64,
            sent: stats.sent as f64,
            skipped: stats.skipped as f64,
            wakeups: stats.wakeups as f64,
            lateness: stats.lateness.into(),
            realtime: stats.realtime,
        }
    }
}

/// What decoding and encoding cost.
#[napi(object)]
pub struct BindingEncodingStats {
    /// The highest Opus complexity allowed at present.
    pub complexity_cap: u8,
    /// Share of the workers' time spent working, 0 to 1000.
    pub busy_permille: u32,
    /// Times the complexity was lowered because of load.
    pub lowered: f64,
    /// Frames encoded since the start.
    pub encoded: f64,
}

impl From<EncodingStats> for BindingEncodingStats {
    fn from(stats: EncodingStats) -> Self {
        Self {
            complexity_cap: stats.complexity_cap,
            busy_permille: stats.busy_permille,
            lowered: stats.lowered as f64,
            encoded: stats.encoded as f64,
        }
    }
}

/// The whole engine.
#[napi(object)]
pub struct BindingEngineStats {
    /// Flows that exist.
    pub flows: f64,
    /// One entry per sending thread.
    pub pacers: Vec<BindingPacerStats>,
    /// Decode workers and encoders.
    pub encoding: BindingEncodingStats,
    /// Events lost because JavaScript did not drain them in time.
    pub events_dropped: f64,
}

impl From<EngineStats> for BindingEngineStats {
    fn from(stats: EngineStats) -> Self {
        Self {
            flows: stats.flows as f64,
            pacers: stats.pacers.into_iter().map(Into::into).collect(),
            encoding: stats.encoding.into(),
            events_dropped: stats.events_dropped as f64,
        }
    }
}
