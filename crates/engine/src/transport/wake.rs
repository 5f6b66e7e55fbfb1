//! A file descriptor that one thread polls and others make readable.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{EventfdFlags, eventfd};

/// An eventfd. Waking is one system call that never blocks, allocates or locks.
#[derive(Debug)]
pub struct WakeFd(OwnedFd);

impl WakeFd {
    /// Fails when the process has no file descriptor left.
    pub fn new() -> io::Result<WakeFd> {
        let flags = EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC;
        Ok(WakeFd(eventfd(0, flags)?))
    }

    /// Makes the descriptor readable until it is cleared.
    pub fn wake(&self) {
        // It can only fail when the counter is full, and then it is readable already.
        let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }

    /// Takes all wake-ups so far.
    pub(crate) fn clear(&self) {
        let _ = rustix::io::read(&self.0, &mut [0; 8]);
    }
}

impl AsFd for WakeFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
