//! HChaCha20 (draft-irtf-cfrg-xchacha, section 2.2): derives the subkey of XChaCha20 from a key and 16 nonce bytes.

const SIGMA: [u32; 4] = [0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574];

/// The 32-byte subkey for `key` and the first 16 bytes of an XChaCha nonce.
pub(super) fn hchacha20(key: &[u8; 32], nonce: &[u8; 16]) -> [u8; 32] {
    let mut state = [0u32; 16];
    state[..4].copy_from_slice(&SIGMA);
    for (word, bytes) in state[4..12].iter_mut().zip(key.chunks_exact(4)) {
        *word = little_endian(bytes);
    }
    for (word, bytes) in state[12..].iter_mut().zip(nonce.chunks_exact(4)) {
        *word = little_endian(bytes);
    }
    for _ in 0..10 {
        double_round(&mut state);
    }
    let mut subkey = [0; 32];
    let words = state[..4].iter().chain(&state[12..]);
    for (bytes, word) in subkey.chunks_exact_mut(4).zip(words) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    subkey
}

fn double_round(state: &mut [u32; 16]) {
    for [a, b, c, d] in [[0, 4, 8, 12], [1, 5, 9, 13], [2, 6, 10, 14], [3, 7, 11, 15]] {
        quarter_round(state, a, b, c, d);
    }
    for [a, b, c, d] in [[0, 5, 10, 15], [1, 6, 11, 12], [2, 7, 8, 13], [3, 4, 9, 14]] {
        quarter_round(state, a, b, c, d);
    }
}

#[inline]
fn quarter_round(state: &mut [u32; 16], a: usize, b: usize, c: usize, d: usize) {
    state[a] = state[a].wrapping_add(state[b]);
    state[d] = (state[d] ^ state[a]).rotate_left(16);
    state[c] = state[c].wrapping_add(state[d]);
    state[b] = (state[b] ^ state[c]).rotate_left(12);
    state[a] = state[a].wrapping_add(state[b]);
    state[d] = (state[d] ^ state[a]).rotate_left(8);
    state[c] = state[c].wrapping_add(state[d]);
    state[b] = (state[b] ^ state[c]).rotate_left(7);
}

fn little_endian(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .rev()
        .fold(0, |word, byte| (word << 8) | u32::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vector of draft-irtf-cfrg-xchacha, section 2.2.1.
    #[test]
    fn matches_the_draft() {
        let key: [u8; 32] = std::array::from_fn(|i| i as u8);
        let nonce = [
            0, 0, 0, 0x09, 0, 0, 0, 0x4a, 0, 0, 0, 0, 0x31, 0x41, 0x59, 0x27,
        ];
        let subkey = hchacha20(&key, &nonce);
        assert_eq!(
            subkey[..8],
            [0x82, 0x41, 0x3b, 0x42, 0x27, 0xb2, 0x7b, 0xfe]
        );
    }
}
