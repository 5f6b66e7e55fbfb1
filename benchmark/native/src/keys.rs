//! The key of each call, and the opening of packets with another library than any sender's.

use aes_gcm::aead::{AeadInPlace, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce, Tag};
use crypto_secretbox::XSalsa20Poly1305;

const HEADER_LEN: usize = 12;
const NONCE_LEN: usize = 4;
const TAG_LEN: usize = 16;

/// The transport key of a call; the gateway stand-in hands out the same.
pub fn key_of(ssrc: u32) -> [u8; 32] {
    let bytes = ssrc.to_be_bytes();
    std::array::from_fn(|at| bytes[at % 4] ^ (at as u8).wrapping_mul(37))
}

/// Opens one packet and returns its payload, an RTP extension included. Senders use
/// `aead_aes256_gcm_rtpsize`; one that knows no AEAD mode uses `xsalsa20_poly1305`.
pub fn open(datagram: &[u8]) -> Option<Vec<u8>> {
    open_gcm(datagram).or_else(|| open_secretbox(datagram))
}

fn open_gcm(datagram: &[u8]) -> Option<Vec<u8>> {
    let [first, ..] = *datagram else { return None };
    // The clear part: the header, its contributing sources, and the head of an extension.
    let extension = if first & 0x10 == 0 { 0 } else { 4 };
    let clear = HEADER_LEN + usize::from(first & 0x0F) * 4 + extension;
    let body = datagram.len().checked_sub(clear + TAG_LEN + NONCE_LEN)?;
    let ssrc = u32::from_be_bytes(datagram[8..12].try_into().ok()?);
    let (head, rest) = datagram.split_at(clear);
    let (sealed, rest) = rest.split_at(body);
    let (tag, counter) = rest.split_at(TAG_LEN);
    let mut nonce = [0; 12];
    nonce[..NONCE_LEN].copy_from_slice(counter);
    let mut payload = sealed.to_vec();
    Aes256Gcm::new(&key_of(ssrc).into())
        .decrypt_in_place_detached(
            Nonce::from_slice(&nonce),
            head,
            &mut payload,
            Tag::from_slice(tag),
        )
        .ok()?;
    Some(payload)
}

/// The nonce is the header and zeros; the tag stands before what is sealed.
fn open_secretbox(datagram: &[u8]) -> Option<Vec<u8>> {
    let (head, rest) = datagram.split_at_checked(HEADER_LEN)?;
    let (tag, sealed) = rest.split_at_checked(TAG_LEN)?;
    let ssrc = u32::from_be_bytes(head[8..12].try_into().ok()?);
    let mut nonce = [0; 24];
    nonce[..HEADER_LEN].copy_from_slice(head);
    let mut payload = sealed.to_vec();
    XSalsa20Poly1305::new(&key_of(ssrc).into())
        .decrypt_in_place_detached(&nonce.into(), &[], &mut payload, Tag::from_slice(tag))
        .ok()?;
    Some(payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_for_a_call_opens_and_nothing_else_does() {
        let mut datagram = vec![0x80, 0x78, 0, 1, 0, 0, 3, 0xC0, 0, 0, 0, 7];
        let mut payload = b"twenty milliseconds".to_vec();
        let cipher = Aes256Gcm::new(&key_of(7).into());
        let nonce = [9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let tag = cipher
            .encrypt_in_place_detached(Nonce::from_slice(&nonce), &datagram, &mut payload)
            .expect("it is short");
        datagram.extend(payload);
        datagram.extend(tag);
        datagram.extend(&nonce[..4]);
        assert_eq!(
            open(&datagram).as_deref(),
            Some(&b"twenty milliseconds"[..])
        );
        datagram[11] = 8;
        assert_eq!(open(&datagram), None, "another call's key");
        for len in 0..datagram.len() {
            assert_eq!(open(&datagram[..len]), None);
        }
    }

    #[test]
    fn the_oldest_mode_opens_too() {
        let head = [0x80, 0x78, 0, 1, 0, 0, 3, 0xC0, 0, 0, 0, 7];
        let mut nonce = [0; 24];
        nonce[..HEADER_LEN].copy_from_slice(&head);
        let mut payload = b"an old friend".to_vec();
        let tag = XSalsa20Poly1305::new(&key_of(7).into())
            .encrypt_in_place_detached(&nonce.into(), &[], &mut payload)
            .expect("it is short");
        let datagram = [&head[..], &tag[..], &payload].concat();
        assert_eq!(open(&datagram).as_deref(), Some(&b"an old friend"[..]));
    }

    #[test]
    fn keys_differ() {
        assert_ne!(key_of(1), key_of(2));
        assert_eq!(key_of(1)[..5], [0, 37, 74, 110, 148]);
    }
}
