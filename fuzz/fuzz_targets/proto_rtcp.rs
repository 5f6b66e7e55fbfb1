//! Any bytes as a decrypted RTCP compound: never more packets than there are headers.
#![no_main]

use cadenza_proto::rtcp::{Compound, RtcpPacket};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let packets = Compound::new(data).inspect(|packet| {
        if let RtcpPacket::SenderReport { reports, .. } | RtcpPacket::ReceiverReport { reports, .. } =
            packet
        {
            assert!(reports.count() <= 31);
        }
    });
    assert!(packets.count() <= data.len() / 4);
});
