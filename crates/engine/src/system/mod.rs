//! What differs between operating systems: time, the bell, which sockets are readable, and options of sockets.
//!
//! Linux has what suits thousands of calls best: sleeps to an absolute time, an eventfd, epoll, and a filter in the
//! kernel for media that nobody hears. Everywhere else the same is done with what every system has, at a price that
//! grows with the number of calls. The feature `portable` takes the second way on Linux too, for the tests.

#[cfg(all(target_os = "linux", not(feature = "portable")))]
mod linux;
#[cfg(not(all(target_os = "linux", not(feature = "portable"))))]
mod portable;

#[cfg(all(target_os = "linux", not(feature = "portable")))]
use linux as system;
#[cfg(not(all(target_os = "linux", not(feature = "portable"))))]
use portable as system;

pub use system::Doorbell;
pub(crate) use system::{
    Poller, forbid_fragments, now_ns, set_media_wanted, sharpen_this_thread, sleep_until,
};
