//! Sealing and opening allocate nothing, in any mode: counted by the allocator itself.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use cadenza_proto::dave::{BaseKey, FrameOpener, FrameSealer};
use cadenza_proto::rtp::{RtpHeader, Sequence, Ssrc, Timestamp};
use cadenza_proto::transport::{Opener, Sealer, TransportMode};

struct Counting;

thread_local! {
    // Of this thread alone: the test harness prints, and allocates for it, on a thread of its own.
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system allocator unchanged; counting touches no memory of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.set(CALLS.get() + 1);
        // SAFETY: the caller's contract is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        CALLS.set(CALLS.get() + 1);
        // SAFETY: the caller's contract is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn seal_and_open_allocate_nothing() {
    transport_leaves_the_allocator_alone();
    frames_leave_the_allocator_alone();
}

fn frames_leave_the_allocator_alone() {
    let key = BaseKey::new([7; 16]);
    // From the second frame on, because tables are made at a key's first, and through the end of a generation.
    let mut sealer = FrameSealer::after(&key, (1 << 24) - 500);
    let mut buffer = [0x5A; 400];
    let before = CALLS.get();
    for _ in 0..1000 {
        sealer.seal_in_place(&mut buffer, 320).unwrap();
    }
    assert_eq!(CALLS.get(), before, "sealing frames");
    let mut sealer = FrameSealer::new(&key);
    let mut opener = FrameOpener::new();
    opener.install(&key, 0);
    let mut opened_before = 0;
    for round in 0..1000 {
        let len = sealer.seal_in_place(&mut buffer, 320).unwrap();
        assert_eq!(opener.open(&mut buffer[..len], 0), Ok(320));
        buffer[0] ^= 1;
        assert!(opener.open(&mut buffer[..len], 0).is_err());
        if round == 0 {
            opened_before = CALLS.get();
        }
    }
    assert_eq!(CALLS.get(), opened_before, "opening");
}

fn transport_leaves_the_allocator_alone() {
    let header = RtpHeader {
        sequence: Sequence(1),
        timestamp: Timestamp(2),
        ssrc: Ssrc(3),
    };
    for mode in TransportMode::PREFERENCE {
        let mut sealer = Sealer::new(mode, &[1; 32], [0; 24]);
        let opener = Opener::new(mode, &[1; 32]);
        let mut out = [0; 1460];
        let before = CALLS.get();
        for _ in 0..1000 {
            let len = sealer.seal(&header, &[0x5A; 320], &mut out).unwrap();
            assert_eq!(opener.open(&mut out[..len]).unwrap().payload.len(), 320);
        }
        assert_eq!(CALLS.get(), before, "{mode}");
    }
}
