//! Numbers about a flow's encryption.

use std::sync::atomic::{AtomicU64, Ordering};

use cadenza_dave::{DaveCounters, DaveState};

use crate::receive::OpenFailure;

/// What is known about a flow's encryption.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct DaveStatus {
    /// What was told last.
    pub state: DaveState,
    /// The bot's user id.
    pub user: u64,
    /// What the group did.
    pub counters: DaveCounters,
    /// Frames sent under an end-to-end key.
    pub frames_encrypted: u64,
    /// Frames whose time passed unheard for want of a key.
    pub frames_held: u64,
    /// Silence frames sent; they go in clear.
    pub silence_sent: u64,
    /// Frames of others that were opened, and that were not.
    pub opened: OpenCounts,
}

/// What became of other members' frames.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct OpenCounts {
    /// Opened, or let through in clear where that is allowed.
    pub ok: u64,
    /// Not opened, in the order of [`OpenFailure::ALL`].
    pub failed: [u64; OpenFailure::ALL.len()],
}

/// [`OpenCounts`] as they are counted: by the receive thread, read by any.
#[derive(Debug, Default)]
pub(super) struct OpenTally {
    ok: AtomicU64,
    failed: [AtomicU64; OpenFailure::ALL.len()],
}

impl OpenTally {
    pub(super) fn count(&self, outcome: Result<usize, OpenFailure>) {
        let counter = match outcome {
            Ok(_) => Some(&self.ok),
            Err(failure) => OpenFailure::ALL
                .iter()
                .position(|cause| *cause == failure)
                .and_then(|at| self.failed.get(at)),
        };
        if let Some(counter) = counter {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn counts(&self) -> OpenCounts {
        OpenCounts {
            ok: self.ok.load(Ordering::Relaxed),
            failed: std::array::from_fn(|at| self.failed[at].load(Ordering::Relaxed)),
        }
    }
}
