//! Sealing and opening allocate nothing, in any mode: counted by the allocator itself.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use cadenza_proto::rtp::{RtpHeader, Sequence, Ssrc, Timestamp};
use cadenza_proto::transport::{Opener, Sealer, TransportMode};

struct Counting;

static CALLS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system allocator unchanged; counting touches no memory of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's contract is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        CALLS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's contract is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn seal_and_open_allocate_nothing() {
    let header = RtpHeader {
        sequence: Sequence(1),
        timestamp: Timestamp(2),
        ssrc: Ssrc(3),
    };
    for mode in TransportMode::PREFERENCE {
        let mut sealer = Sealer::new(mode, &[1; 32], [0; 24]);
        let opener = Opener::new(mode, &[1; 32]);
        let mut out = [0; 1460];
        let before = CALLS.load(Ordering::Relaxed);
        for _ in 0..1000 {
            let len = sealer.seal(&header, &[0x5A; 320], &mut out).unwrap();
            assert_eq!(opener.open(&mut out[..len]).unwrap().payload.len(), 320);
        }
        assert_eq!(CALLS.load(Ordering::Relaxed), before, "{mode}");
    }
}
