//! Counters of the receiving side: written by one thread each, read by any.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cadenza_proto::jitter::JitterStats;
use cadenza_proto::rtcp::ReportBlock;
use cadenza_proto::transport::OpenError;

use super::OpenFailure;
use super::batch::AudioQueue;
use crate::flow::Counter;

/// Streams whose counters are kept after they have ended; older ones are forgotten.
const KEPT_STREAMS: usize = 1_024;
const NO_REPORT: u64 = u64::MAX;

/// Counters of one flow's receiving side, from its creation on.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ReceiveStats {
    /// RTP packets of the Opus payload type.
    pub packets: u64,
    /// Packets of users whom nobody wants to hear; they were not decrypted.
    pub filtered: u64,
    /// Packets of SSRCs that belong to nobody known, dropped after a short wait.
    pub unknown_ssrc: u64,
    /// Packets of other payload types.
    pub foreign_payload: u64,
    /// Datagrams that are neither media, control nor an answer.
    pub garbage: u64,
    /// RTCP compounds that were read.
    pub rtcp: u64,
    /// RTCP compounds that could not be opened.
    pub rtcp_unreadable: u64,
    /// Packets whose payload was empty once padding and extension were taken off.
    pub empty: u64,
    /// Packets the transport could not open: malformed header, too short, authentication, extension, padding.
    pub transport_failures: [u64; 5],
    /// Packets that end-to-end decryption refused, in the order of [`OpenFailure::ALL`].
    pub media_failures: [u64; 5],
    /// Payloads that are no Opus packet.
    pub malformed_opus: u64,
    /// Packets dropped because a worker was too far behind.
    pub queue_dropped: u64,
    /// Batches dropped because nobody took them in time.
    pub batches_dropped: u64,
    /// What the voice server last reported about the flow's own packets.
    pub remote: Option<RemoteReport>,
    /// By user, in no particular order; several SSRCs of one user are added up.
    pub users: Vec<UserReceiveStats>,
}

impl ReceiveStats {
    /// The causes counted in `transport_failures`, as stable snake_case strings.
    pub const TRANSPORT_CAUSES: [&'static str; 5] = [
        "malformed_header",
        "too_short",
        "authentication",
        "extension",
        "padding",
    ];
}

/// How the flow's own packets arrive at the voice server (RTCP receiver report).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RemoteReport {
    /// Loss since the report before, in 1/256.
    pub fraction_lost: u8,
    /// Interarrival jitter, in samples at 48 kHz.
    pub jitter: u32,
}

/// How one user's packets came.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct UserReceiveStats {
    /// Who.
    pub user: u64,
    /// Packets that were opened.
    pub packets: u64,
    /// Bytes of Opus in them.
    pub bytes: u64,
    /// Packets that never came, or too late.
    pub lost: u64,
    /// Packets that came after their place was given up.
    pub late: u64,
    /// Packets that came twice.
    pub duplicates: u64,
    /// Samples at 48 kHz that were to be extrapolated.
    pub concealed_samples: u64,
    /// Frames that were reconstructed from in-band FEC.
    pub fec_recovered: u64,
    /// Times the sender began anew under one SSRC.
    pub restarts: u64,
    /// Interarrival jitter of the SSRC heard last, microseconds.
    pub jitter_us: u64,
    /// How long a missing packet is waited for at present, microseconds.
    pub wait_us: u64,
}

/// What both sides of one flow's listening write and callers read.
pub(crate) struct ListenShared {
    pub(super) packets: Counter,
    pub(super) filtered: Counter,
    pub(super) unknown_ssrc: Counter,
    pub(super) foreign_payload: Counter,
    pub(super) garbage: Counter,
    pub(super) rtcp: Counter,
    pub(super) rtcp_unreadable: Counter,
    pub(super) empty: Counter,
    pub(super) queue_dropped: Counter,
    transport_failures: [Counter; 5],
    media_failures: [Counter; 5],
    /// Both workers write it.
    malformed_opus: AtomicU64,
    remote: AtomicU64,
    streams: Mutex<Vec<Arc<StreamShared>>>,
    pub(super) audio: AudioQueue,
}

impl Default for ListenShared {
    fn default() -> ListenShared {
        ListenShared {
            packets: Counter::default(),
            filtered: Counter::default(),
            unknown_ssrc: Counter::default(),
            foreign_payload: Counter::default(),
            garbage: Counter::default(),
            rtcp: Counter::default(),
            rtcp_unreadable: Counter::default(),
            empty: Counter::default(),
            queue_dropped: Counter::default(),
            transport_failures: Default::default(),
            media_failures: Default::default(),
            malformed_opus: AtomicU64::new(0),
            remote: AtomicU64::new(NO_REPORT),
            streams: Mutex::default(),
            audio: AudioQueue::default(),
        }
    }
}

impl ListenShared {
    pub(super) fn count_transport_failure(&self, error: OpenError) {
        let cause = match error {
            OpenError::Header(_) => 0,
            OpenError::TooShort => 1,
            OpenError::Authentication => 2,
            OpenError::Extension => 3,
            OpenError::Padding => 4,
        };
        self.transport_failures[cause].add(1);
    }

    pub(super) fn count_media_failure(&self, failure: OpenFailure) {
        let cause = OpenFailure::ALL.iter().position(|one| *one == failure);
        if let Some(counter) = cause.and_then(|cause| self.media_failures.get(cause)) {
            counter.add(1);
        }
    }

    pub(super) fn count_malformed_opus(&self) {
        self.malformed_opus.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn note_report(&self, block: &ReportBlock) {
        let packed = (u64::from(block.fraction_lost) << 32) | u64::from(block.jitter);
        self.remote.store(packed, Ordering::Relaxed);
    }

    /// Counters for a new stream.
    pub(super) fn add_stream(&self, user: u64, ssrc: u32, recorded: bool) -> Arc<StreamShared> {
        let shared = Arc::new(StreamShared::new(user, ssrc, recorded));
        let mut streams = self.streams();
        if streams.len() >= KEPT_STREAMS {
            streams.remove(0);
        }
        streams.push(Arc::clone(&shared));
        shared
    }

    pub(super) fn stats(&self) -> ReceiveStats {
        let remote = self.remote.load(Ordering::Relaxed);
        ReceiveStats {
            packets: self.packets.value(),
            filtered: self.filtered.value(),
            unknown_ssrc: self.unknown_ssrc.value(),
            foreign_payload: self.foreign_payload.value(),
            garbage: self.garbage.value(),
            rtcp: self.rtcp.value(),
            rtcp_unreadable: self.rtcp_unreadable.value(),
            empty: self.empty.value(),
            transport_failures: std::array::from_fn(|n| self.transport_failures[n].value()),
            media_failures: std::array::from_fn(|n| self.media_failures[n].value()),
            malformed_opus: self.malformed_opus.load(Ordering::Relaxed),
            queue_dropped: self.queue_dropped.value(),
            batches_dropped: self.audio.dropped(),
            remote: (remote != NO_REPORT).then_some(RemoteReport {
                fraction_lost: (remote >> 32) as u8,
                jitter: remote as u32,
            }),
            users: self.users(),
        }
    }

    /// A stream that is both recorded and handed over is counted once, by the worker that hands over.
    fn users(&self) -> Vec<UserReceiveStats> {
        let streams = self.streams();
        let heard: Vec<&Arc<StreamShared>> = streams.iter().filter(|one| !one.recorded).collect();
        let recorded_only = streams.iter().filter(|one| {
            let same =
                |other: &&Arc<StreamShared>| other.user == one.user && other.ssrc == one.ssrc;
            one.recorded && !heard.iter().any(same)
        });
        let mut users: HashMap<u64, UserReceiveStats> = HashMap::new();
        for stream in heard.iter().copied().chain(recorded_only) {
            stream.add_to(users.entry(stream.user).or_default());
        }
        users.into_values().collect()
    }

    fn streams(&self) -> MutexGuard<'_, Vec<Arc<StreamShared>>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counters of one stream, published by its worker.
#[derive(Debug)]
pub(crate) struct StreamShared {
    user: u64,
    ssrc: u32,
    recorded: bool,
    pub(super) bytes: Counter,
    pub(super) fec_recovered: Counter,
    packets: AtomicU64,
    lost: AtomicU64,
    late: AtomicU64,
    duplicates: AtomicU64,
    concealed: AtomicU64,
    restarts: AtomicU64,
    jitter_us: AtomicU64,
    wait_us: AtomicU64,
}

impl StreamShared {
    fn new(user: u64, ssrc: u32, recorded: bool) -> StreamShared {
        StreamShared {
            user,
            ssrc,
            recorded,
            bytes: Counter::default(),
            fec_recovered: Counter::default(),
            packets: AtomicU64::default(),
            lost: AtomicU64::default(),
            late: AtomicU64::default(),
            duplicates: AtomicU64::default(),
            concealed: AtomicU64::default(),
            restarts: AtomicU64::default(),
            jitter_us: AtomicU64::default(),
            wait_us: AtomicU64::default(),
        }
    }

    pub(super) fn publish(&self, stats: &JitterStats, jitter_ns: u64, wait_ns: u64) {
        let pairs = [
            (&self.packets, stats.received),
            (&self.lost, stats.lost),
            (&self.late, stats.late),
            (&self.duplicates, stats.duplicates),
            (&self.concealed, stats.concealed_samples),
            (&self.restarts, stats.restarts),
            (&self.jitter_us, jitter_ns / 1_000),
            (&self.wait_us, wait_ns / 1_000),
        ];
        for (place, value) in pairs {
            place.store(value, Ordering::Relaxed);
        }
    }

    fn add_to(&self, sum: &mut UserReceiveStats) {
        let read = |value: &AtomicU64| value.load(Ordering::Relaxed);
        sum.user = self.user;
        sum.packets += read(&self.packets);
        sum.bytes += self.bytes.value();
        sum.lost += read(&self.lost);
        sum.late += read(&self.late);
        sum.duplicates += read(&self.duplicates);
        sum.concealed_samples += read(&self.concealed);
        sum.fec_recovered += self.fec_recovered.value();
        sum.restarts += read(&self.restarts);
        sum.jitter_us = read(&self.jitter_us);
        sum.wait_us = read(&self.wait_us);
    }
}
