//! Any bytes as a DAVE frame: trailer, ranges and opening, with clear frames refused and allowed.
#![no_main]

use cadenza_proto::dave::{BaseKey, FrameOpener, Trailer};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(trailer) = Trailer::parse(data) {
        let mut free_from = 0;
        for range in trailer.ranges {
            assert!(range.offset >= free_from && range.offset + range.size <= trailer.body_len);
            free_from = range.offset + range.size;
        }
    }
    let mut opener = FrameOpener::new();
    opener.install(&BaseKey::new([7; 16]), 0);
    opener.install(&BaseKey::new([8; 16]), 0);
    let mut bytes = data.to_vec();
    if opener.open(&mut bytes, 1).is_err() {
        assert_eq!(bytes, data, "what is not opened is not changed");
    }
    opener.allow_clear();
    let _ = opener.open(&mut bytes, 1);
});
