//! What we seal, other implementations open, and the reverse: RustCrypto for the AEAD modes and the secretbox.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use proptest::prelude::*;

use cadenza_proto::rtp::{RtpHeader, Sequence, Ssrc, Timestamp};
use cadenza_proto::transport::{Opener, Sealer, TransportMode};

fn padded<const N: usize>(suffix: &[u8]) -> [u8; N] {
    let mut nonce = [0; N];
    nonce[..suffix.len()].copy_from_slice(suffix);
    nonce
}

/// Opens a datagram of an AEAD mode with RustCrypto.
fn oracle_open(mode: TransportMode, key: &[u8; 32], datagram: &[u8]) -> Option<Vec<u8>> {
    let (clear, rest) = datagram.split_at(12);
    let (msg, suffix) = rest.split_at(rest.len() - 4);
    let payload = Payload { msg, aad: clear };
    match mode {
        TransportMode::Aes256GcmRtpsize => Aes256Gcm::new(key.into())
            .decrypt(&Nonce::from(padded::<12>(suffix)), payload)
            .ok(),
        _ => XChaCha20Poly1305::new(key.into())
            .decrypt(&XNonce::from(padded::<24>(suffix)), payload)
            .ok(),
    }
}

/// Seals an RTP packet (with any clear part) with RustCrypto.
fn oracle_seal(
    mode: TransportMode,
    key: &[u8; 32],
    clear: &[u8],
    msg: &[u8],
    suffix: &[u8; 4],
) -> Vec<u8> {
    let payload = Payload { msg, aad: clear };
    let sealed = match mode {
        TransportMode::Aes256GcmRtpsize => {
            Aes256Gcm::new(key.into()).encrypt(&Nonce::from(padded::<12>(suffix)), payload)
        }
        _ => {
            XChaCha20Poly1305::new(key.into()).encrypt(&XNonce::from(padded::<24>(suffix)), payload)
        }
    };
    [clear, &sealed.unwrap(), suffix].concat()
}

fn aead_mode() -> impl Strategy<Value = TransportMode> {
    prop_oneof![
        Just(TransportMode::Aes256GcmRtpsize),
        Just(TransportMode::XChaCha20Poly1305Rtpsize)
    ]
}

fn any_mode() -> impl Strategy<Value = TransportMode> {
    (0..5usize).prop_map(|at| TransportMode::PREFERENCE[at])
}

proptest! {
    #[test]
    fn others_open_what_we_seal(
        mode in aead_mode(),
        key: [u8; 32],
        nonce_seed: [u8; 24],
        sequence: u16,
        timestamp: u32,
        ssrc: u32,
        payload in proptest::collection::vec(any::<u8>(), 0..1275),
    ) {
        let header = RtpHeader { sequence: Sequence(sequence), timestamp: Timestamp(timestamp), ssrc: Ssrc(ssrc) };
        let mut out = [0; 1460];
        let len = Sealer::new(mode, &key, nonce_seed).seal(&header, &payload, &mut out).unwrap();
        prop_assert_eq!(oracle_open(mode, &key, &out[..len]), Some(payload));
    }

    #[test]
    fn we_open_what_others_seal(
        mode in aead_mode(),
        key: [u8; 32],
        suffix: [u8; 4],
        csrcs in proptest::collection::vec(any::<u32>(), 0..4),
        words in proptest::option::of(proptest::collection::vec(any::<u32>(), 0..4)),
        padding in proptest::option::of(1u8..),
        payload in proptest::collection::vec(any::<u8>(), 0..600),
    ) {
        let flags = 0x80 | u8::from(words.is_some()) << 4 | u8::from(padding.is_some()) << 5 | csrcs.len() as u8;
        let mut clear = vec![flags, 120, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
        clear.extend(csrcs.iter().flat_map(|csrc| csrc.to_be_bytes()));
        let mut msg = Vec::new();
        if let Some(words) = &words {
            clear.extend([0xBE, 0xDE, 0, words.len() as u8]);
            msg.extend(words.iter().flat_map(|word| word.to_be_bytes()));
        }
        msg.extend(&payload);
        if let Some(count) = padding {
            msg.resize(msg.len() + usize::from(count) - 1, 0);
            msg.push(count);
        }
        let mut datagram = oracle_seal(mode, &key, &clear, &msg, &suffix);
        let opened = Opener::new(mode, &key).open(&mut datagram).unwrap();
        prop_assert_eq!(opened.payload, &payload[..]);
        prop_assert_eq!(usize::from(opened.header.csrc_count), csrcs.len());
    }

    #[test]
    fn every_mode_opens_its_own(mode in any_mode(), key: [u8; 32], nonce_seed: [u8; 24], payload in proptest::collection::vec(any::<u8>(), 0..1275)) {
        let header = RtpHeader { sequence: Sequence(1), timestamp: Timestamp(2), ssrc: Ssrc(3) };
        let mut out = [0; 1460];
        let len = Sealer::new(mode, &key, nonce_seed).seal(&header, &payload, &mut out).unwrap();
        prop_assert_eq!(len, 12 + payload.len() + mode.overhead());
        prop_assert_eq!(Opener::new(mode, &key).open(&mut out[..len]).unwrap().payload, &payload[..]);
        prop_assert!(Opener::new(mode, &[7; 32]).open(&mut out[..len]).is_err());
    }
}
