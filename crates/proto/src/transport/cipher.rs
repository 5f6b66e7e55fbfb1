//! The three ciphers below the modes, with one shape: in place, tag apart, no allocation.

use aws_lc_rs::aead::{AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use crypto_secretbox::aead::AeadInPlace;
use crypto_secretbox::{KeyInit, XSalsa20Poly1305};

use super::hchacha::hchacha20;
use super::{TAG_LEN, TransportMode};

/// A cipher under one key.
pub(super) enum Cipher {
    Aes256Gcm(LessSafeKey),
    XChaCha20Poly1305([u8; 32]),
    XSalsa20Poly1305(XSalsa20Poly1305),
}

/// The tag does not fit the bytes, or the library refused.
pub(super) struct CipherError;

/// A nonce as wide as the widest cipher wants it; narrower ones use its beginning.
pub(super) type WideNonce = [u8; 24];

impl Cipher {
    pub(super) fn new(mode: TransportMode, key: &[u8; 32]) -> Self {
        match mode {
            TransportMode::Aes256GcmRtpsize => {
                let key = UnboundKey::new(&AES_256_GCM, key).expect("the key has 32 bytes");
                Self::Aes256Gcm(LessSafeKey::new(key))
            }
            TransportMode::XChaCha20Poly1305Rtpsize => Self::XChaCha20Poly1305(*key),
            TransportMode::XSalsa20Poly1305
            | TransportMode::XSalsa20Poly1305Lite
            | TransportMode::XSalsa20Poly1305Suffix => {
                Self::XSalsa20Poly1305(XSalsa20Poly1305::new(key.into()))
            }
        }
    }

    /// Encrypts `data` in place and returns the tag.
    pub(super) fn seal(
        &self,
        nonce: &WideNonce,
        aad: &[u8],
        data: &mut [u8],
    ) -> Result<[u8; TAG_LEN], CipherError> {
        let mut tag = [0; TAG_LEN];
        match self {
            Self::Aes256Gcm(key) => {
                let sealed = key
                    .seal_in_place_separate_tag(narrow(nonce, 0), Aad::from(aad), data)
                    .map_err(|_| CipherError)?;
                tag.copy_from_slice(sealed.as_ref());
            }
            Self::XChaCha20Poly1305(key) => {
                let sealed = xchacha_key(key, nonce)
                    .seal_in_place_separate_tag(xchacha_nonce(nonce), Aad::from(aad), data)
                    .map_err(|_| CipherError)?;
                tag.copy_from_slice(sealed.as_ref());
            }
            Self::XSalsa20Poly1305(cipher) => {
                let sealed = cipher
                    .encrypt_in_place_detached(nonce.into(), b"", data)
                    .map_err(|_| CipherError)?;
                tag.copy_from_slice(&sealed);
            }
        }
        Ok(tag)
    }

    /// Decrypts `body` (ciphertext and tag in the mode's order) in place; returns where the plaintext lies in it.
    pub(super) fn open(
        &self,
        nonce: &WideNonce,
        aad: &[u8],
        body: &mut [u8],
    ) -> Result<std::ops::Range<usize>, CipherError> {
        let plain_len = body.len().checked_sub(TAG_LEN).ok_or(CipherError)?;
        match self {
            Self::Aes256Gcm(key) => {
                key.open_in_place(narrow(nonce, 0), Aad::from(aad), body)
                    .map_err(|_| CipherError)?;
                Ok(0..plain_len)
            }
            Self::XChaCha20Poly1305(key) => {
                xchacha_key(key, nonce)
                    .open_in_place(xchacha_nonce(nonce), Aad::from(aad), body)
                    .map_err(|_| CipherError)?;
                Ok(0..plain_len)
            }
            Self::XSalsa20Poly1305(cipher) => {
                let (tag, data) = body.split_at_mut(TAG_LEN);
                let tag: [u8; TAG_LEN] = (&*tag).try_into().map_err(|_| CipherError)?;
                cipher
                    .decrypt_in_place_detached(nonce.into(), b"", data, (&tag).into())
                    .map_err(|_| CipherError)?;
                Ok(TAG_LEN..TAG_LEN + plain_len)
            }
        }
    }
}

/// Twelve nonce bytes from `at` on.
fn narrow(nonce: &WideNonce, at: usize) -> Nonce {
    let mut bytes = [0; 12];
    bytes.copy_from_slice(&nonce[at..at + 12]);
    Nonce::assume_unique_for_key(bytes)
}

/// XChaCha20-Poly1305 is ChaCha20-Poly1305 under a subkey that HChaCha20 makes of the first 16 nonce bytes.
fn xchacha_key(key: &[u8; 32], nonce: &WideNonce) -> LessSafeKey {
    let mut head = [0; 16];
    head.copy_from_slice(&nonce[..16]);
    let subkey = hchacha20(key, &head);
    LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &subkey).expect("the key has 32 bytes"))
}

/// Four zero bytes and the last eight of the wide nonce.
fn xchacha_nonce(nonce: &WideNonce) -> Nonce {
    let mut bytes = [0; 12];
    bytes[4..].copy_from_slice(&nonce[16..]);
    Nonce::assume_unique_for_key(bytes)
}
