//! Whole files in memory, for containers that cannot be read in order; within limits for each and for all.

use std::io::Read;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{AudioError, AudioErrorCode};

/// The longest file that is held, in bytes.
pub(crate) const MAX_FILE: u64 = 32 << 20;
/// Bytes that all of them may take in this process.
const MAX_TOTAL: u64 = 256 << 20;
/// Memory is taken in steps of so many bytes.
const STEP: usize = 1 << 20;

/// What is held by all.
static HELD: Ledger = Ledger {
    used: AtomicU64::new(0),
    limit: MAX_TOTAL,
};

/// A file in memory.
pub(crate) struct Held {
    bytes: Vec<u8>,
    account: Account,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Reads the rest of `source`, of which `front` was read already and `len` is the length in all, where it is known.
pub(crate) fn read_whole(
    format: &'static str,
    front: &[u8],
    len: Option<u64>,
    mut source: impl Read,
) -> Result<Held, AudioError> {
    let refused = |why: &str| {
        let detail =
            format!("its index may be behind the sound, the source cannot be sought in, and {why}");
        AudioError::new(AudioErrorCode::SeekFailed, format, detail)
    };
    let too_long = || {
        let most = MAX_FILE >> 20;
        refused(&format!(
            "it is longer than the {most} MiB that are held in memory for that"
        ))
    };
    if len.is_some_and(|len| len > MAX_FILE) {
        return Err(too_long());
    }
    let account = Account {
        ledger: &HELD,
        taken: 0,
    };
    let mut held = Held {
        bytes: Vec::new(),
        account,
    };
    held.bytes.extend_from_slice(front);
    loop {
        let (at, room) = (held.bytes.len(), held.bytes.len() + STEP);
        if !held.account.raise_to(room as u64) {
            return Err(refused("too many such files are held in memory at present"));
        }
        held.bytes.reserve_exact(STEP);
        let read = source
            .by_ref()
            .take(STEP as u64)
            .read_to_end(&mut held.bytes);
        read.map_err(|error| AudioError::io(format, &error))?;
        if held.bytes.len() as u64 > MAX_FILE {
            return Err(too_long());
        }
        if held.bytes.len() < at + STEP {
            held.bytes.shrink_to_fit();
            held.account.lower_to(held.bytes.len() as u64);
            return Ok(held);
        }
    }
}

/// How much of a common limit is in use.
#[derive(Debug)]
struct Ledger {
    used: AtomicU64,
    limit: u64,
}

/// One holder's part of it, given back in the end.
#[derive(Debug)]
struct Account {
    ledger: &'static Ledger,
    taken: u64,
}

impl Account {
    /// Takes up to so much in all; `false` when there is not that much.
    fn raise_to(&mut self, wanted: u64) -> bool {
        let more = wanted.saturating_sub(self.taken);
        let before = self.ledger.used.fetch_add(more, Ordering::Relaxed);
        if before.saturating_add(more) > self.ledger.limit {
            self.ledger.used.fetch_sub(more, Ordering::Relaxed);
            return false;
        }
        self.taken += more;
        true
    }

    fn lower_to(&mut self, wanted: u64) {
        let less = self.taken.saturating_sub(wanted);
        self.ledger.used.fetch_sub(less, Ordering::Relaxed);
        self.taken -= less;
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.lower_to(0);
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn what_is_held_is_what_was_read() {
        let whole: Vec<u8> = (0..3 * STEP + 7).map(|n| (n % 251) as u8).collect();
        for len in [5, 100, STEP, STEP + 1, whole.len()] {
            let (front, rest) = whole[..len].split_at(5);
            let held = read_whole("mp4", front, None, rest).expect("it is short");
            assert_eq!(held.as_ref(), &whole[..len]);
        }
    }

    #[test]
    fn what_is_too_long_is_refused() {
        let stated = read_whole("mp4", b"", Some(MAX_FILE + 1), io::empty());
        let endless = read_whole("mp4", b"", None, io::repeat(0));
        for error in [stated.err(), endless.err()] {
            let error = error.expect("it is refused");
            assert_eq!(error.code(), AudioErrorCode::SeekFailed);
            assert!(error.detail().contains("32 MiB"), "{}", error.detail());
        }
    }

    #[test]
    fn all_together_stay_within_the_limit_and_give_back_what_they_took() {
        static LEDGER: Ledger = Ledger {
            used: AtomicU64::new(0),
            limit: 100,
        };
        let account = || Account {
            ledger: &LEDGER,
            taken: 0,
        };
        let (mut one, mut other) = (account(), account());
        assert!(one.raise_to(60) && other.raise_to(40) && !other.raise_to(41));
        one.lower_to(50);
        assert!(other.raise_to(50));
        drop(one);
        assert!(other.raise_to(100));
        drop(other);
        assert_eq!(LEDGER.used.load(Ordering::Relaxed), 0);
    }
}
