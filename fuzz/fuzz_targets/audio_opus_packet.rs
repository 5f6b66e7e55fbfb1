//! Opus packets: taking them apart, and re-framing them so that a decoder hears the same length.
#![no_main]

use cadenza_audio::FRAME_SAMPLES;
use cadenza_audio::opus::{OpusHead, Packet, Reframer, packet_samples};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = OpusHead::parse(data);
    let Ok(packet) = Packet::parse(data) else { return };
    assert!(packet.samples() <= 5760 && packet.frames().len() <= 48);
    let mut reframer = Reframer::default();
    let check = |frame: &[u8]| {
        assert!(frame.len() <= 1275);
        assert_eq!(packet_samples(frame), Ok(FRAME_SAMPLES));
    };
    if reframer.push(data, check).is_ok() && reframer.push(data, check).is_ok() {
        reframer.finish(check);
    }
});
