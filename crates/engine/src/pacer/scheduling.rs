//! How the system schedules the calling thread. The only unsafe code of this crate.

#![allow(
    unsafe_code,
    reason = "no safe interface changes a thread's policy in both directions"
)]

#[cfg(target_os = "linux")]
use std::mem;

use super::realtime::Scheduling;

/// Above ordinary threads and below what the kernel itself runs in real time.
#[cfg(target_os = "linux")]
const REALTIME_PRIORITY: libc::c_int = 10;

/// Schedules the calling thread so from now on; `false` when the system does not permit it.
#[cfg(target_os = "linux")]
pub(super) fn schedule_this_thread(scheduling: Scheduling) -> bool {
    // SAFETY: `sched_param` is a plain C struct of integers, for which all zero is a value.
    let mut parameters: libc::sched_param = unsafe { mem::zeroed() };
    let policy = match scheduling {
        Scheduling::Normal => libc::SCHED_OTHER,
        Scheduling::RealTime => {
            parameters.sched_priority = REALTIME_PRIORITY;
            libc::SCHED_FIFO
        }
    };
    // SAFETY: 0 names the calling thread, and the pointer leads to parameters that live until the call
    // returns and are only read.
    unsafe { libc::sched_setscheduler(0, policy, &raw const parameters) == 0 }
}

/// Other systems keep their threads as they are.
#[cfg(not(target_os = "linux"))]
pub(super) fn schedule_this_thread(scheduling: Scheduling) -> bool {
    scheduling == Scheduling::Normal
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_thread_gets_what_it_may_have_and_can_always_go_back() {
        let worker = std::thread::spawn(|| {
            let permitted = schedule_this_thread(Scheduling::RealTime);
            // SAFETY: 0 names the calling thread.
            let policy = unsafe { libc::sched_getscheduler(0) };
            assert_eq!(policy == libc::SCHED_FIFO, permitted);
            assert!(schedule_this_thread(Scheduling::Normal));
            // SAFETY: 0 names the calling thread.
            assert_eq!(unsafe { libc::sched_getscheduler(0) }, libc::SCHED_OTHER);
        });
        worker.join().expect("no assertion failed");
    }
}
