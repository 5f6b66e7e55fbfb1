//! What a flow's owner on the pacer and the threads around it both see, all of it atomic.

use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU32, AtomicU64, Ordering};

use crate::stats::FlowStats;

const NO_RTT: u32 = u32::MAX;

/// A counter that one thread writes and any thread reads.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    /// Adds to it. Only the one writing thread may call this, which makes plain stores enough.
    pub(crate) fn add(&self, amount: u64) {
        let value = self.0.load(Ordering::Relaxed);
        self.0.store(value.wrapping_add(amount), Ordering::Relaxed);
    }

    pub(crate) fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Wishes towards the pacer, and counters from it and from the receive thread.
///
/// What the pacer reads or writes with every frame comes first and fills one line of the cache.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct FlowShared {
    pub(crate) position_ms: AtomicU64,
    pub(crate) packets_sent: Counter,
    pub(crate) bytes_sent: Counter,
    pub(crate) packets_late: Counter,
    pub(crate) frames_skipped: Counter,
    pub(crate) silence_sent: Counter,
    /// Frames sent under an end-to-end key.
    pub(crate) frames_encrypted: Counter,
    /// Batches pushed from outside so far; a new one lets the pacer ask for more again.
    pub(crate) pushes: AtomicU32,
    /// Which seek counts; feeds stamp frames with it and the pacer discards frames of others.
    pub(crate) epoch: AtomicU16,
    pub(crate) paused: AtomicBool,
    /// Set while a poke is queued, so that a flood of wishes queues only one.
    pub(crate) poked: AtomicBool,

    /// Where the latest seek goes, in milliseconds; written before `epoch`.
    pub(crate) seek_ms: AtomicU64,
    pub(crate) send_errors: Counter,
    /// Frames whose time passed while there was no such key.
    pub(crate) frames_held: Counter,

    pub(crate) keepalive_errors: Counter,
    pub(crate) datagrams_received: Counter,
    udp_rtt_us: AtomicU32,
}

impl Default for FlowShared {
    fn default() -> FlowShared {
        FlowShared {
            epoch: AtomicU16::default(),
            seek_ms: AtomicU64::default(),
            paused: AtomicBool::default(),
            poked: AtomicBool::default(),
            pushes: AtomicU32::default(),
            position_ms: AtomicU64::default(),
            packets_sent: Counter::default(),
            bytes_sent: Counter::default(),
            packets_late: Counter::default(),
            frames_skipped: Counter::default(),
            silence_sent: Counter::default(),
            send_errors: Counter::default(),
            frames_encrypted: Counter::default(),
            frames_held: Counter::default(),
            keepalive_errors: Counter::default(),
            datagrams_received: Counter::default(),
            udp_rtt_us: AtomicU32::new(NO_RTT),
        }
    }
}

impl FlowShared {
    /// Asks for a pause or its end; a poke lets the pacer see it at once.
    pub fn request_pause(&self, paused: bool) {
        self.paused.store(paused, Ordering::SeqCst);
    }

    /// Asks for frames from `position_ms` on, and returns the epoch they must carry.
    pub fn request_seek(&self, position_ms: u64) -> u16 {
        self.seek_ms.store(position_ms, Ordering::Relaxed);
        let epoch = self.epoch.fetch_add(1, Ordering::Release).wrapping_add(1);
        // Who asks from now on hears of the new place. The pacer goes there with its next turn.
        self.position_ms.store(position_ms, Ordering::Relaxed);
        epoch
    }

    /// The epoch that counts at present.
    pub(crate) fn epoch(&self) -> u16 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Whether the caller has to queue a poke, because none is queued yet.
    pub(crate) fn take_poke(&self) -> bool {
        !self.poked.swap(true, Ordering::SeqCst)
    }

    /// Notes that a batch of frames was pushed from outside.
    pub fn note_push(&self) {
        self.pushes.fetch_add(1, Ordering::Relaxed);
    }

    /// The counters the pacer keeps.
    pub fn stats(&self) -> FlowStats {
        FlowStats {
            packets_sent: self.packets_sent.value(),
            bytes_sent: self.bytes_sent.value(),
            packets_late: self.packets_late.value(),
            frames_skipped: self.frames_skipped.value(),
            send_errors: self.send_errors.value() + self.keepalive_errors.value(),
            silence_sent: self.silence_sent.value(),
            position_ms: self.position_ms.load(Ordering::Relaxed),
            paused: self.paused.load(Ordering::Relaxed),
            udp_rtt_us: self.rtt_us(),
            datagrams_received: self.datagrams_received.value(),
            ..FlowStats::default()
        }
    }

    pub(crate) fn set_rtt_us(&self, rtt_us: Option<u32>) {
        let value = rtt_us.map_or(NO_RTT, |rtt| rtt.min(NO_RTT - 1));
        self.udp_rtt_us.store(value, Ordering::Relaxed);
    }

    fn rtt_us(&self) -> Option<u32> {
        Some(self.udp_rtt_us.load(Ordering::Relaxed)).filter(|rtt| *rtt != NO_RTT)
    }
}
