//! Any bytes as an HLS list: no panic, no more segments than are allowed, and sums that do not overflow.

#![no_main]

use cadenza_engine::feed::hls::{Hls, MAX_SEGMENTS, choices, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    match parse(bytes) {
        Ok(Hls::Media(media)) => {
            assert!(media.segments.len() <= MAX_SEGMENTS);
            let _ = media.total_us();
            let end = media.end();
            assert!(media.segment(end).is_none());
            for number in [0, media.sequence, end.wrapping_sub(1), u64::MAX] {
                let _ = media.segment(number);
            }
        }
        Ok(Hls::Master(master)) => {
            let _ = choices(&master);
        }
        Err(what) => assert!(!what.is_empty()),
    }
});
