//! An authentic packet whose clear header is then changed at will: extension, padding and CSRC lengths lie.
#![no_main]

use cadenza_proto::rtp::{RtpHeader, Sequence, Ssrc, Timestamp};
use cadenza_proto::transport::{Opener, Sealer, TransportMode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: (u8, u8, Vec<u8>)| {
    let (flags, kind, payload) = data;
    let mode = TransportMode::XSalsa20Poly1305Lite;
    let header = RtpHeader {
        sequence: Sequence(1),
        timestamp: Timestamp(2),
        ssrc: Ssrc(3),
    };
    let mut out = vec![0; payload.len() + 64];
    let Ok(len) = Sealer::new(mode, &[7; 32], [0; 24]).seal(&header, &payload, &mut out) else {
        return;
    };
    out[0] = 0x80 | flags & 0x3F;
    out[1] = kind;
    let _ = Opener::new(mode, &[7; 32]).open(&mut out[..len]);
});
