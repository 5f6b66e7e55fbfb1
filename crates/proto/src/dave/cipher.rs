//! AES-128-GCM with eight bytes of tag, in place, over a library that knows sixteen only.

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::constant_time::verify_slices_are_equal;

use super::ratchet::KEY_LEN;
use super::{MAX_PROTECTED_FRAME, TAG_LEN};

/// Bytes of the tag that the library makes.
const FULL_TAG_LEN: usize = 16;

/// The library refused, or the tag does not fit.
pub(super) struct CipherError;

/// One generation's key, with its tables made.
pub(super) struct FrameCipher(Box<LessSafeKey>);

impl FrameCipher {
    pub(super) fn new(key: &[u8; KEY_LEN]) -> FrameCipher {
        let key = UnboundKey::new(&AES_128_GCM, key).expect("the key has 16 bytes");
        FrameCipher(Box::new(LessSafeKey::new(key)))
    }

    /// Takes another key without allocating.
    pub(super) fn rekey(&mut self, key: &[u8; KEY_LEN]) {
        let key = UnboundKey::new(&AES_128_GCM, key).expect("the key has 16 bytes");
        *self.0 = LessSafeKey::new(key);
    }

    /// Encrypts in place; returns the tag that travels.
    pub(super) fn seal(
        &self,
        nonce: u32,
        aad: &[u8],
        data: &mut [u8],
    ) -> Result<[u8; TAG_LEN], CipherError> {
        let tag = self
            .0
            .seal_in_place_separate_tag(gcm_nonce(nonce), Aad::from(aad), data)
            .map_err(|_| CipherError)?;
        tag.as_ref()[..TAG_LEN].try_into().map_err(|_| CipherError)
    }

    /// Decrypts in place. When the tag does not fit, `data` is what it was before.
    ///
    /// Opening with a short tag is more than the library offers, but GCM encrypts with a key stream:
    /// sealing the ciphertext yields the plaintext, and sealing that yields ciphertext and true tag.
    pub(super) fn open(
        &self,
        nonce: u32,
        aad: &[u8],
        data: &mut [u8],
        tag: [u8; TAG_LEN],
    ) -> Result<(), CipherError> {
        let mut again = [0; MAX_PROTECTED_FRAME + FULL_TAG_LEN];
        let again = again
            .get_mut(..data.len() + FULL_TAG_LEN)
            .ok_or(CipherError)?;
        self.seal(nonce, &[], data)?;
        let aad = Aad::from(aad);
        self.0
            .seal_in_place_scatter(gcm_nonce(nonce), aad, &mut [], data, again)
            .map_err(|_| CipherError)?;
        let (ciphertext, true_tag) = again.split_at(data.len());
        if verify_slices_are_equal(&true_tag[..TAG_LEN], &tag).is_err() {
            data.copy_from_slice(ciphertext);
            return Err(CipherError);
        }
        Ok(())
    }
}

/// Eight zero bytes and the counter, little endian.
fn gcm_nonce(counter: u32) -> Nonce {
    let mut bytes = [0; 12];
    bytes[8..].copy_from_slice(&counter.to_le_bytes());
    Nonce::assume_unique_for_key(bytes)
}
