//! DAVE frames against published vectors, an independent AES-GCM, and everything that can go wrong.

use aes_gcm::aead::{AeadInPlace, KeyInit};
use aes_gcm::{Aes128Gcm, Nonce};
use cadenza_proto::SILENCE_FRAME;
use cadenza_proto::dave::{
    BaseKey, FrameOpener, FrameSealer, KEY_LIFE_NS, MAX_OVERHEAD, MAX_PROTECTED_FRAME,
    OpenFrameError, SealFrameError, Trailer,
};
use proptest::prelude::*;

const SECOND: u64 = 1_000_000_000;
/// `MLS-Exporter("Discord Secure Frames v0", user 158049329150427136, 16)` of the secret 00 01 … 1f.
const BASE: BaseKey = BaseKey::new([
    0x56, 0x07, 0xdf, 0x3d, 0xd8, 0xb0, 0x1e, 0x10, 0x85, 0x1c, 0xe6, 0x3b, 0xa2, 0x96, 0xee, 0xb4,
]);
const PLAIN: &str = "78aabbccddeeff00112233445566778899";
/// Nonce, its generation's key, the protected frame.
const VECTORS: [(u64, &str, &str); 6] = [
    (
        1,
        "7981b343d622713c78b5d2b4c655041c",
        "a94cae0446fe58e0a24c9fe3c234be755f6c26e1c0822f2d15010cfafa",
    ),
    (
        128,
        "7981b343d622713c78b5d2b4c655041c",
        "2931bbae76121338cfcc1599e4dc230d23d85349beeca5a3dd80010dfafa",
    ),
    (
        300,
        "7981b343d622713c78b5d2b4c655041c",
        "4d6d7d7491cc6746c943ae35249647c2ffecbba97fb881e13fac020dfafa",
    ),
    (
        0x0100_0000,
        "a7462517e733ee4c2504a04aeb8967d7",
        "8df40a12a0fb7b73ecff97608f13409d3888d20442e4b6e72b808080080ffafa",
    ),
    (
        0xFFFF_FFFF,
        "08d4caeaf2ffd716bf047bf5fdbcfd13",
        "c70047e7b9513b394a0e08d70934db3c0241a02162b422ca9effffffff0f10fafa",
    ),
    (
        0x1_0000_0000,
        "8c30dcb5b7fc610ddf9e2a659f5c18eb",
        "b643724205a9c64cc0701242f4896161912f5674e538541270000cfafa",
    ),
];

#[test]
fn frames_are_sealed_as_published() {
    for (nonce, _, frame) in VECTORS {
        let mut sealer = FrameSealer::after(&BASE, nonce - 1);
        assert_eq!(hex(&seal(&mut sealer, &unhex(PLAIN))), frame, "{nonce}");
    }
}

#[test]
fn frames_are_opened_as_published() {
    for (nonce, _, frame) in VECTORS {
        let mut opener = FrameOpener::new();
        opener.install(&BASE, 0);
        // Old enough for the generation, and led there in steps below the largest gap.
        let now = (nonce >> 24) * (1 << 24) / 170 * SECOND + (1 << 24) * SECOND;
        for generation in (0..nonce >> 24).step_by(200) {
            let mut early = FrameSealer::after(&BASE, generation << 24 | 7);
            let mut bytes = seal(&mut early, &[1]);
            assert_eq!(opener.open(&mut bytes, now), Ok(1), "{generation}");
        }
        // Only what is behind is wrapped around.
        let now = now + KEY_LIFE_NS + 1;
        let mut bytes = unhex(frame);
        assert_eq!(opener.open(&mut bytes, now), Ok(17), "{nonce}");
        assert_eq!(hex(&bytes[..17]), PLAIN, "{nonce}");
    }
}

#[test]
fn an_independent_cipher_makes_the_same_tag() {
    for (nonce, key, frame) in VECTORS {
        let cipher = Aes128Gcm::new_from_slice(&unhex(key)).unwrap();
        let mut counter = [0; 12];
        counter[8..].copy_from_slice(&(nonce as u32).to_le_bytes());
        let mut data = unhex(PLAIN);
        let tag = cipher
            .encrypt_in_place_detached(Nonce::from_slice(&counter), b"", &mut data)
            .unwrap();
        assert!(
            frame.starts_with(&(hex(&data) + &hex(&tag[..8]))),
            "{nonce}"
        );
    }
}

#[test]
fn a_generation_ends_in_the_middle_of_a_stream() {
    let last = (1 << 24) - 2;
    let mut sealer = FrameSealer::after(&BASE, last);
    let mut opener = FrameOpener::new();
    opener.install(&BASE, 0);
    let now = 1_000_000 * SECOND;
    let mut late = Vec::new();
    for n in 0..6 {
        let mut bytes = seal(&mut sealer, &[n; 40]);
        if n == 0 {
            late = bytes;
            continue;
        }
        assert_eq!(opener.open(&mut bytes, now), Ok(40), "frame {n}");
        assert_eq!(bytes[..40], [n; 40]);
    }
    // The former generation goes on for ten seconds.
    let before = opener.open(&mut late.clone(), now + KEY_LIFE_NS);
    assert_eq!(before, Ok(40));
    let mut opener = FrameOpener::new();
    opener.install(&BASE, 0);
    let mut next = seal(&mut sealer, &[9]);
    assert_eq!(opener.open(&mut next, now), Ok(1));
    let after = opener.open(&mut late, now + KEY_LIFE_NS + 1);
    assert!(after.is_err(), "{after:?}");
}

#[test]
fn a_forged_generation_is_refused_before_any_key_is_made() {
    let mut opener = FrameOpener::new();
    opener.install(&BASE, 0);
    let mut bytes = seal(&mut FrameSealer::after(&BASE, 200 << 24), &[1; 20]);
    let copy = bytes.clone();
    assert_eq!(
        opener.open(&mut bytes, 3_600 * SECOND),
        Err(OpenFrameError::Generation)
    );
    assert_eq!(bytes, copy, "what is not opened is not changed");
}

#[test]
fn each_frame_opens_once() {
    let (mut sealer, mut opener) = pair();
    let first = seal(&mut sealer, &[1; 20]);
    let second = seal(&mut sealer, &[2; 20]);
    assert_eq!(opener.open(&mut second.clone(), 0), Ok(20));
    assert_eq!(opener.open(&mut first.clone(), 0), Ok(20), "out of order");
    for frame in [&first, &second] {
        let again = opener.open(&mut frame.clone(), 0);
        assert_eq!(again, Err(OpenFrameError::Replayed));
    }
}

#[test]
fn a_forged_frame_does_not_use_up_the_nonce() {
    let (mut sealer, mut opener) = pair();
    let good = seal(&mut sealer, &[1; 20]);
    let mut forged = good.clone();
    forged[3] ^= 1;
    let copy = forged.clone();
    let result = opener.open(&mut forged, 0);
    assert_eq!(result, Err(OpenFrameError::Authentication));
    assert_eq!(forged, copy, "what is not opened is not changed");
    assert_eq!(opener.open(&mut good.clone(), 0), Ok(20));
}

#[test]
fn a_former_epoch_opens_for_ten_seconds() {
    let (old, new) = (BaseKey::new([1; 16]), BaseKey::new([2; 16]));
    let mut sealer = FrameSealer::new(&old);
    let mut opener = FrameOpener::new();
    opener.install(&old, 0);
    opener.install(&new, 100 * SECOND);
    let mut in_flight = seal(&mut sealer, &[1; 30]);
    let mut too_late = seal(&mut sealer, &[1; 30]);
    let mut next = seal(&mut FrameSealer::new(&new), &[2; 30]);
    assert_eq!(opener.open(&mut next, 100 * SECOND), Ok(30));
    assert_eq!(opener.open(&mut in_flight, 109 * SECOND), Ok(30));
    // Another epoch does not let the first live longer.
    opener.install(&BaseKey::new([3; 16]), 109 * SECOND);
    let result = opener.open(&mut too_late, 111 * SECOND);
    assert_eq!(result, Err(OpenFrameError::Authentication));
}

#[test]
fn a_key_installed_twice_opens_no_frame_twice() {
    let (mut sealer, mut opener) = pair();
    let frame = seal(&mut sealer, &[1; 20]);
    assert_eq!(opener.open(&mut frame.clone(), 0), Ok(20));
    opener.install(&BASE, 0);
    let again = opener.open(&mut frame.clone(), 0);
    assert_eq!(again, Err(OpenFrameError::Replayed));
}

#[test]
fn epochs_are_bounded() {
    let mut opener = FrameOpener::new();
    for n in 0..200 {
        opener.install(&BaseKey::new([n; 16]), 0);
    }
    let mut newest = seal(&mut FrameSealer::new(&BaseKey::new([199; 16])), &[1]);
    assert_eq!(opener.open(&mut newest, 0), Ok(1));
    let mut oldest = seal(&mut FrameSealer::new(&BaseKey::new([0; 16])), &[1]);
    assert!(opener.open(&mut oldest, 0).is_err());
    assert!(!opener.is_spent(KEY_LIFE_NS));
    opener.expire_keys(0);
    assert!(opener.is_spent(KEY_LIFE_NS + 1));
}

#[test]
fn clear_frames_pass_only_while_they_are_allowed() {
    let mut opener = FrameOpener::new();
    let clear = [1, 2, 3];
    assert_eq!(
        opener.open(&mut clear.clone(), 0),
        Err(OpenFrameError::NotEncrypted)
    );
    opener.allow_clear();
    assert_eq!(opener.open(&mut clear.clone(), 0), Ok(3));
    opener.refuse_clear(0, 10 * SECOND);
    assert_eq!(opener.open(&mut clear.clone(), 10 * SECOND - 1), Ok(3));
    opener.refuse_clear(5 * SECOND, 10 * SECOND);
    let after = opener.open(&mut clear.clone(), 10 * SECOND);
    assert_eq!(after, Err(OpenFrameError::NotEncrypted));
    assert_eq!(opener.open(&mut SILENCE_FRAME.clone(), 10 * SECOND), Ok(3));
    // An encrypted frame is opened even while clear ones pass.
    opener.allow_clear();
    opener.install(&BASE, 0);
    let mut frame = seal(&mut FrameSealer::new(&BASE), &[4; 9]);
    assert_eq!(opener.open(&mut frame, 0), Ok(9));
    assert_eq!(frame[..9], [4; 9]);
}

#[test]
fn without_a_key_nothing_encrypted_opens() {
    let mut frame = seal(&mut FrameSealer::new(&BASE), &[1; 20]);
    let result = FrameOpener::new().open(&mut frame, 0);
    assert_eq!(result, Err(OpenFrameError::NoKey));
    let (_, mut opener) = pair();
    let too_long = opener.open(&mut vec![0xFA; MAX_PROTECTED_FRAME + 1], 0);
    assert_eq!(too_long, Err(OpenFrameError::TooLong));
}

#[test]
fn a_buffer_without_room_is_an_error_and_costs_no_nonce() {
    let mut sealer = FrameSealer::new(&BASE);
    let mut buffer = [0; 20 + MAX_OVERHEAD];
    let refused = Err(SealFrameError::BufferTooSmall);
    assert_eq!(sealer.seal_in_place(&mut buffer[1..], 20), refused);
    assert_eq!(sealer.seal_in_place(&mut buffer, usize::MAX), refused);
    assert_eq!(sealer.sealed(), 0);
    assert_eq!(sealer.seal_in_place(&mut buffer, 20), Ok(20 + 12));
}

/// A frame with clear ranges, made by the independent cipher.
#[test]
fn clear_ranges_are_authenticated_and_put_back() {
    let cipher = Aes128Gcm::new_from_slice(&unhex(VECTORS[0].1)).unwrap();
    let plain: Vec<u8> = (0..60).collect();
    let ranges = [(0, 4), (10, 1), (30, 20)];
    let (mut clear, mut secret, mut at) = (Vec::new(), Vec::new(), 0);
    for (offset, size) in ranges {
        secret.extend_from_slice(&plain[at..offset]);
        at = offset + size;
        clear.extend_from_slice(&plain[offset..at]);
    }
    secret.extend_from_slice(&plain[at..]);
    let nonce = [0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0];
    let tag = cipher
        .encrypt_in_place_detached(Nonce::from_slice(&nonce), &clear, &mut secret)
        .unwrap();
    let mut frame = plain.clone();
    let mut hidden = secret.iter();
    for (index, byte) in frame.iter_mut().enumerate() {
        let is_clear = |(offset, size): &(usize, usize)| (*offset..offset + size).contains(&index);
        if !ranges.iter().any(is_clear) {
            *byte = *hidden.next().unwrap();
        }
    }
    frame.extend_from_slice(&tag[..8]);
    frame.extend_from_slice(&[5, 0, 4, 10, 1, 30, 20, 8 + 7 + 3, 0xFA, 0xFA]);
    let (_, mut opener) = pair();
    for at in [0, 10, 35, 59] {
        let mut forged = frame.clone();
        forged[at] ^= 0x80;
        let result = opener.open(&mut forged, 0);
        assert_eq!(result, Err(OpenFrameError::Authentication), "byte {at}");
    }
    assert_eq!(opener.open(&mut frame, 0), Ok(60));
    assert_eq!(frame[..60], plain);
}

proptest! {
    #[test]
    fn what_is_sealed_opens(frame in proptest::collection::vec(any::<u8>(), 0..1_275), sent in 0_u64..(1 << 24) - 2) {
        let mut opener = FrameOpener::new();
        opener.install(&BASE, 0);
        let mut bytes = seal(&mut FrameSealer::after(&BASE, sent), &frame);
        prop_assert!(Trailer::parse(&bytes).is_ok());
        prop_assert_eq!(opener.open(&mut bytes, 0), Ok(frame.len()));
        prop_assert_eq!(&bytes[..frame.len()], &frame[..]);
    }

    #[test]
    fn any_bytes_are_refused_unchanged(mut bytes in proptest::collection::vec(any::<u8>(), 0..300), size in any::<u8>()) {
        bytes.extend_from_slice(&[size, 0xFA, 0xFA]);
        let copy = bytes.clone();
        let (_, mut opener) = pair();
        prop_assert!(opener.open(&mut bytes, 0).is_err());
        prop_assert_eq!(bytes, copy);
    }
}

fn pair() -> (FrameSealer, FrameOpener) {
    let mut opener = FrameOpener::new();
    opener.install(&BASE, 0);
    (FrameSealer::new(&BASE), opener)
}

fn seal(sealer: &mut FrameSealer, frame: &[u8]) -> Vec<u8> {
    let mut buffer = frame.to_vec();
    buffer.resize(frame.len() + MAX_OVERHEAD, 0);
    let len = sealer.seal_in_place(&mut buffer, frame.len()).unwrap();
    buffer.truncate(len);
    buffer
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    let pairs = digits.map(|pair| std::str::from_utf8(pair).unwrap());
    pairs
        .map(|pair| u8::from_str_radix(pair, 16).unwrap())
        .collect()
}
