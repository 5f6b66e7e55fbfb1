//! Any datagram through classification, discovery, keepalive, RTP parsing and opening in every mode.
#![no_main]

use cadenza_proto::datagram::classify;
use cadenza_proto::discovery::parse_response;
use cadenza_proto::keepalive::parse_pong;
use cadenza_proto::rtp::{ParsedHeader, Ssrc};
use cadenza_proto::transport::{Opener, TransportMode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = classify(data);
    let _ = parse_pong(data);
    let _ = parse_response(data, Ssrc(1));
    let _ = ParsedHeader::parse(data);
    for mode in TransportMode::PREFERENCE {
        let opener = Opener::new(mode, &[7; 32]);
        let _ = opener.open(&mut data.to_vec());
        let _ = opener.open_rtcp(&mut data.to_vec());
    }
});
