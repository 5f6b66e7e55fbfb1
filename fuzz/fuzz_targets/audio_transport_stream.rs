//! Any bytes as an MPEG transport stream: no panic, and no more sound than there were bytes.

#![no_main]

use cadenza_audio::mpeg_ts::TsAudio;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((&step, stream)) = bytes.split_first() else {
        return;
    };
    let (mut ts, mut sound) = (TsAudio::new(), 0);
    for part in stream.chunks(usize::from(step) + 1) {
        ts.push(part, |_, bytes| sound += bytes.len());
    }
    assert!(sound <= stream.len());
    let _ = (ts.codec(), ts.refused());
});
