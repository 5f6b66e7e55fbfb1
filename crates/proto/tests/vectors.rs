//! The worked examples of the voice protocol reference, byte for byte: sealed by us, and opened by us.

use cadenza_proto::rtp::{RtpHeader, Sequence, Ssrc, Timestamp};
use cadenza_proto::transport::{OpenError, Opener, Sealer, TransportMode};

const GCM: TransportMode = TransportMode::Aes256GcmRtpsize;
const XCHACHA: TransportMode = TransportMode::XChaCha20Poly1305Rtpsize;
const HEADER: RtpHeader = RtpHeader {
    sequence: Sequence(0x1234),
    timestamp: Timestamp(0x0960),
    ssrc: Ssrc(123_456),
};
const OPUS: [u8; 3] = [0xF8, 0xFF, 0xFE];

fn key() -> [u8; 32] {
    std::array::from_fn(|i| i as u8)
}

fn bytes(hex: &str) -> Vec<u8> {
    let hex: String = hex.split_whitespace().collect();
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect()
}

/// A nonce seed that begins with these bytes.
fn seed(start: &[u8]) -> [u8; 24] {
    let mut seed = [0; 24];
    seed[..start.len()].copy_from_slice(start);
    seed
}

fn check_seal(mode: TransportMode, nonce_seed: [u8; 24], datagram: &str) {
    let mut out = [0; 128];
    let len = Sealer::new(mode, &key(), nonce_seed)
        .seal(&HEADER, &OPUS, &mut out)
        .unwrap();
    assert_eq!(out[..len], bytes(datagram)[..], "{mode}");
}

fn check_open(mode: TransportMode, datagram: &str) {
    let mut datagram = bytes(datagram);
    let opened = Opener::new(mode, &key()).open(&mut datagram).unwrap();
    assert_eq!(opened.payload, OPUS, "{mode}");
    assert_eq!(opened.header.sequence, HEADER.sequence);
    assert_eq!(opened.header.timestamp, HEADER.timestamp);
    assert_eq!(opened.header.ssrc, HEADER.ssrc);
}

#[test]
fn what_a_bot_sends() {
    let cases = [
        (
            GCM,
            "80781234000009600001e240bcc933d25ab9c177130096fa6fab8732f5e61900000001",
        ),
        (
            XCHACHA,
            "80781234000009600001e240f158af169cbb08a9da6a749d151a193bacd6bc00000001",
        ),
        (
            TransportMode::XSalsa20Poly1305Lite,
            "80781234000009600001e240373c50ba1774f0dedb75d5fd7d64251236542b00000001",
        ),
        (
            TransportMode::XSalsa20Poly1305,
            "80781234000009600001e2402de0e6bb3abeca59fa3105adbbef39d8bb23c5",
        ),
    ];
    for (mode, datagram) in cases {
        check_seal(mode, seed(&[0, 0, 0, 1]), datagram);
        check_open(mode, datagram);
    }
}

#[test]
fn nonce_suffix_of_24_bytes() {
    let datagram = "80781234000009600001e240a645eb9fae22eb933e49a746f5188b60ce6a49
        a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7";
    let nonce = std::array::from_fn(|i| 0xA0 + i as u8);
    check_seal(TransportMode::XSalsa20Poly1305Suffix, nonce, datagram);
    check_open(TransportMode::XSalsa20Poly1305Suffix, datagram);
}

#[test]
fn a_little_endian_counter_opens_with_the_same_code() {
    check_open(
        GCM,
        "80781234000009600001e2401ad37c11788e1a86fc4c20a6c32f71782f279e01000000",
    );
    check_open(
        XCHACHA,
        "80781234000009600001e24042fc853f3b0f18c53547c20d8078d1fd11c16d01000000",
    );
}

#[test]
fn header_extensions_are_dropped() {
    let cases = [
        (
            GCM,
            "90781234000009600001e240bede0001bce2cacc6aff081286c4f8093ed0efb2f2e6608617f21700000002",
        ),
        (
            XCHACHA,
            "90781234000009600001e240bede00010229a69651e56f82862b4c2952257df03427fa95efa91a00000002",
        ),
        (
            GCM,
            "90781234000009600001e240bede00004c7dd5085b0e9b267c10b1dab88ea69ca540cf00000006",
        ),
        (
            GCM,
            "90781234000009600001e240bede00024f79e62bc1e4b389172d6af44c0a8fab646f217cff32f809ba0d2b00000007",
        ),
        (
            XCHACHA,
            "90781234000009600001e240bede0002a6296f9dc30e39492fbcbb5a47b83180625fe8785c05e078f58e1f00000007",
        ),
        (
            TransportMode::XSalsa20Poly1305Lite,
            "90781234000009600001e240414f19f9899e182c03006f92b06111e762f16441c49ca7fa06e0b200000002",
        ),
    ];
    for (mode, datagram) in cases {
        check_open(mode, datagram);
    }
}

#[test]
fn padding_is_stripped() {
    check_open(
        GCM,
        "b0781234000009600001e240bede0001ae38859e4364d4283048cd65b689da9fd8218931fc40fc1a46b24b7d00000003",
    );
    check_open(
        XCHACHA,
        "b0781234000009600001e240bede00017859633538e0c64d22e1e7950f58e57bca726c99b5326ccac315f6e400000003",
    );
}

#[test]
fn contributing_sources_are_authenticated_and_skipped() {
    check_open(
        GCM,
        "b1781234000009600001e24000000007bede000159253c05b5afe25ea74623317e7e297c7ff84f82058178b0c100000005",
    );
    check_open(
        XCHACHA,
        "b1781234000009600001e24000000007bede0001c47c2830d0f184beff01a428f5684f06f6da2691bbe1ed7e2f00000005",
    );
}

#[test]
fn receiver_report() {
    let plain = bytes("0001e2400000000000011234000000000000000000000000");
    let cases = [
        (
            GCM,
            "81c90007000000015bdbc9ba22f2a565dd16070ece0e74b8ab2bd7fb610671674580a66a353f53d85e52a271f627c76f00000004",
        ),
        (
            XCHACHA,
            "81c90007000000016ef59fdc9358e02ceff663e9d26a97b707d9cfa4531befe106f1a1c2b6fba5adb8d421c8798d9b6500000004",
        ),
    ];
    for (mode, datagram) in cases {
        let mut datagram = bytes(datagram);
        assert_eq!(
            Opener::new(mode, &key()).open_rtcp(&mut datagram),
            Ok(&plain[..])
        );
    }
}

#[test]
fn a_real_packet_of_a_native_client() {
    let key: [u8; 32] = bytes("4405dfc5d83d86c231d3313a59cef41d6b780641acf007c9af841dc616b278a2")
        .try_into()
        .unwrap();
    let mut datagram = bytes(
        "80c800060005ec188af5b6fb63a15a19f519ab9b502e933c6ae101ae685f5e7f42b4fab783bb0eed
         a73e70e994cbaea0fdb0652f91a52d695a000080",
    );
    let plain = bytes("e957a59b69374bc60a5b61d000005b8e001e661b 81ca00020005ec1801000000");
    assert_eq!(
        Opener::new(GCM, &key).open_rtcp(&mut datagram),
        Ok(&plain[..])
    );
}

#[test]
fn one_changed_bit_anywhere_is_refused() {
    for mode in TransportMode::PREFERENCE {
        let mut out = [0; 128];
        let len = Sealer::new(mode, &key(), seed(&[9; 24]))
            .seal(&HEADER, &OPUS, &mut out)
            .unwrap();
        let opener = Opener::new(mode, &key());
        // The secretbox modes with a suffix do not authenticate the clear header.
        let first = if matches!(mode, GCM | XCHACHA) { 2 } else { 12 };
        for at in first..len {
            let mut datagram = out[..len].to_vec();
            datagram[at] ^= 0x10;
            assert_eq!(
                opener.open(&mut datagram),
                Err(OpenError::Authentication),
                "{mode} byte {at}"
            );
        }
    }
}

#[test]
fn nonces_never_repeat() {
    for mode in TransportMode::PREFERENCE {
        let mut sealer = Sealer::new(mode, &key(), [0xFF; 24]);
        let mut seen = std::collections::HashSet::new();
        for count in 0..300u16 {
            let header = RtpHeader {
                sequence: Sequence(count),
                ..HEADER
            };
            let mut out = [0; 64];
            let len = sealer.seal(&header, &OPUS, &mut out).unwrap();
            let suffix = len - (mode.overhead() - 16);
            let nonce = if suffix == len {
                out[..12].to_vec()
            } else {
                out[suffix..len].to_vec()
            };
            assert!(seen.insert(nonce), "{mode}");
        }
    }
}
