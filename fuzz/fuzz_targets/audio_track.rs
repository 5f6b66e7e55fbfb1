//! Whole files: probing, demuxing, decoding, seeking and encoding of arbitrary bytes.
#![no_main]

use std::io::Cursor;

use cadenza_audio::{EncoderSettings, MAX_OPUS_FRAME, OpenOptions, ProbeHint, Track};
use libfuzzer_sys::fuzz_target;

/// Enough frames to get past any header, few enough to keep the fuzzer fast.
const MAX_FRAMES: usize = 200;

fuzz_target!(|data: &[u8]| {
    let encoder = EncoderSettings { complexity: 0, ..EncoderSettings::default() };
    let options = OpenOptions { encoder, ..OpenOptions::default() };
    let source = Box::new(Cursor::new(data.to_vec()));
    let Ok(mut track) = Track::open(source, &ProbeHint::default(), &options) else { return };
    let mut out = [0; MAX_OPUS_FRAME];
    for place in [None, Some(500), Some(0), Some(u64::MAX)] {
        if place.is_some_and(|place| track.seek(place).is_err()) {
            return;
        }
        for _ in 0..MAX_FRAMES {
            match track.next_frame(&mut out) {
                Ok(Some(frame)) => assert!((1..=MAX_OPUS_FRAME).contains(&frame.len)),
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
});
