//! Datagrams of 0 to 2,000 random bytes, and authentic ones that lie about themselves: typed errors, never a panic.

use cadenza_proto::datagram::classify;
use cadenza_proto::discovery::parse_response;
use cadenza_proto::keepalive::parse_pong;
use cadenza_proto::rtp::{RtpHeader, Sequence, Ssrc, Timestamp};
use cadenza_proto::transport::{OpenError, Opener, SealError, Sealer, TransportMode};
use proptest::prelude::*;

const HEADER: RtpHeader = RtpHeader {
    sequence: Sequence(1),
    timestamp: Timestamp(2),
    ssrc: Ssrc(3),
};

proptest! {
    #[test]
    fn random_datagrams_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..2000), flags: u8) {
        let _ = classify(&bytes);
        let _ = parse_pong(&bytes);
        let _ = parse_response(&bytes, Ssrc(3));
        for mode in TransportMode::PREFERENCE {
            let opener = Opener::new(mode, &[1; 32]);
            let mut plausible = bytes.clone();
            if let [first, second, ..] = plausible.as_mut_slice() {
                *first = 0x80 | flags & 0x3F;
                *second = 120;
            }
            prop_assert!(opener.open(&mut plausible).is_err());
            prop_assert!(opener.open(&mut bytes.clone()).is_err());
            prop_assert!(opener.open_rtcp(&mut bytes.clone()).is_err());
        }
    }
}

/// In the modes that do not authenticate the header, its flags can be made to lie about a valid packet.
#[test]
fn lying_flags_of_an_authentic_packet_are_typed_errors() {
    let mode = TransportMode::XSalsa20Poly1305Lite;
    let cases: [(u8, &[u8], OpenError); 5] = [
        (0xA0, &[1, 2, 0], OpenError::Padding),
        (0xA0, &[1, 2, 4], OpenError::Padding),
        (0xA0, &[], OpenError::Padding),
        (0x90, &[0xBE, 0xDE, 0, 1], OpenError::Extension),
        (0x8F, &[0; 59], OpenError::Extension),
    ];
    for (flags, payload, error) in cases {
        let mut out = [0; 256];
        let len = Sealer::new(mode, &[1; 32], [0; 24])
            .seal(&HEADER, payload, &mut out)
            .unwrap();
        out[0] = flags;
        let opened = Opener::new(mode, &[1; 32])
            .open(&mut out[..len])
            .map(|_| ());
        assert_eq!(opened, Err(error), "{flags:02x} {payload:02x?}");
    }
}

#[test]
fn a_small_buffer_is_an_error() {
    for mode in TransportMode::PREFERENCE {
        let needed = 12 + 3 + mode.overhead();
        let mut sealer = Sealer::new(mode, &[1; 32], [0; 24]);
        let mut out = vec![0; needed];
        assert_eq!(
            sealer.seal(&HEADER, &[1, 2, 3], &mut out[1..]),
            Err(SealError::BufferTooSmall)
        );
        assert_eq!(sealer.seal(&HEADER, &[1, 2, 3], &mut out), Ok(needed));
    }
}
