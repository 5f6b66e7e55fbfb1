//! Any bytes as segments of an HLS source, in pieces of any size, in clear and encrypted: no panic, and no more
//! sound than there were bytes.

#![no_main]

use cadenza_engine::feed::hls::SegmentReader;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((&[step, locked], segments)) = bytes.split_first_chunk::<2>() else {
        return;
    };
    let (mut reader, mut sound) = (SegmentReader::new(), 0);
    let (key, iv) = ([7_u8; 16], [9_u8; 16]);
    for segment in segments.chunks(4096) {
        if reader.begin((locked & 1 == 1).then_some((&key, iv))).is_err() {
            return;
        }
        for part in segment.chunks(usize::from(step) + 1) {
            if reader.push(part, |_, bytes| sound += bytes.len()).is_err() {
                return;
            }
        }
        if reader.finish(|_, bytes| sound += bytes.len()).is_err() {
            return;
        }
    }
    assert!(sound <= segments.len());
});
