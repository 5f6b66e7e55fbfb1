//! The ratchet that turns one sender's secret of an epoch into the keys of its generations.

use std::fmt;

use aws_lc_rs::hmac;

/// Bytes of an AES-128 key.
pub(super) const KEY_LEN: usize = 16;
/// Bytes of every secret after the first, which is as long as a key.
const SECRET_LEN: usize = 32;
/// How far the label of a derivation may be from empty: "MLS 1.0 " and the longest name.
const MAX_INFO: usize = 2 + 1 + 8 + 6 + 1 + 4 + 1;

/// One sender's secret of one epoch, as MLS exports it. Never printed.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct BaseKey([u8; KEY_LEN]);

impl BaseKey {
    /// Wraps the sixteen bytes that MLS exported for this sender.
    #[must_use]
    pub const fn new(bytes: [u8; KEY_LEN]) -> BaseKey {
        BaseKey(bytes)
    }
}

impl fmt::Debug for BaseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BaseKey(..)")
    }
}

/// Steps from generation to generation; a former generation's key cannot be had any more.
#[derive(Clone)]
pub(super) struct Ratchet {
    secret: [u8; SECRET_LEN],
    secret_len: usize,
    generation: u32,
}

impl Ratchet {
    pub(super) fn new(base: &BaseKey) -> Ratchet {
        let mut secret = [0; SECRET_LEN];
        secret[..KEY_LEN].copy_from_slice(&base.0);
        Ratchet {
            secret,
            secret_len: KEY_LEN,
            generation: 0,
        }
    }

    /// The first generation whose key can still be had.
    pub(super) fn generation(&self) -> u32 {
        self.generation
    }

    /// Forgets the secrets of all generations before this one.
    pub(super) fn advance_to(&mut self, generation: u32) {
        while self.generation < generation {
            let mut next = [0; SECRET_LEN];
            self.derive("secret", &mut next);
            self.secret = next;
            self.secret_len = SECRET_LEN;
            self.generation += 1;
        }
    }

    /// The key of the present generation.
    pub(super) fn key(&self) -> [u8; KEY_LEN] {
        let mut key = [0; KEY_LEN];
        self.derive("key", &mut key);
        key
    }

    /// The key of a generation, without moving there; `None` when it is behind.
    pub(super) fn key_of(&self, generation: u32) -> Option<[u8; KEY_LEN]> {
        if generation < self.generation {
            return None;
        }
        let mut ahead = self.clone();
        ahead.advance_to(generation);
        Some(ahead.key())
    }

    fn derive(&self, label: &str, out: &mut [u8]) {
        let context = self.generation.to_be_bytes();
        expand_with_label(&self.secret[..self.secret_len], label, &context, out);
    }
}

/// `ExpandWithLabel` of RFC 9420, section 8, for outputs that one block of HMAC-SHA256 covers.
///
/// Allocates nothing, unlike a general HKDF; a ratchet may step on a thread that must not.
fn expand_with_label(secret: &[u8], label: &str, context: &[u8; 4], out: &mut [u8]) {
    const PREFIX: &[u8] = b"MLS 1.0 ";
    debug_assert!(out.len() <= SECRET_LEN, "one block of HMAC-SHA256");
    let mut info = [0; MAX_INFO];
    let mut len = 0;
    let label_len = (PREFIX.len() + label.len()) as u8;
    let context_len = context.len() as u8;
    let parts: [&[u8]; 7] = [
        &(out.len() as u16).to_be_bytes(),
        &[label_len],
        PREFIX,
        label.as_bytes(),
        &[context_len],
        context,
        // The number of the block, by HKDF-Expand.
        &[1],
    ];
    for part in parts {
        info[len..len + part.len()].copy_from_slice(part);
        len += part.len();
    }
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let block = hmac::sign(&key, &info[..len]);
    out.copy_from_slice(&block.as_ref()[..out.len()]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_a_former_generation_is_gone() {
        let mut ratchet = Ratchet::new(&BaseKey::new([7; KEY_LEN]));
        let first = ratchet.key();
        assert_eq!(ratchet.key_of(0), Some(first));
        let third = ratchet.key_of(2);
        ratchet.advance_to(2);
        assert_eq!(Some(ratchet.key()), third);
        assert_eq!(ratchet.key_of(1), None);
    }

    #[test]
    fn secrets_are_not_printed() {
        assert_eq!(format!("{:?}", BaseKey::new([7; KEY_LEN])), "BaseKey(..)");
    }
}
