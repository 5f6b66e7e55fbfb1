//! Transport encryption: the five modes that seal RTP packets between client and voice server.
//!
//! The layouts are those of Discord's voice protocol; for each mode, what is clear, what is
//! authenticated and where nonce and tag stand:
//!
//! | mode | nonce | on the wire after the clear header |
//! |---|---|---|
//! | `aead_aes256_gcm_rtpsize` | counter ‖ 0 × 8 | ciphertext ‖ tag 16 ‖ counter 4 |
//! | `aead_xchacha20_poly1305_rtpsize` | counter ‖ 0 × 20 | ciphertext ‖ tag 16 ‖ counter 4 |
//! | `xsalsa20_poly1305_lite` | counter ‖ 0 × 20 | tag 16 ‖ ciphertext ‖ counter 4 |
//! | `xsalsa20_poly1305_suffix` | 24 bytes | tag 16 ‖ ciphertext ‖ nonce 24 |
//! | `xsalsa20_poly1305` | header 12 ‖ 0 × 12 | tag 16 ‖ ciphertext |
//!
//! The `rtpsize` modes authenticate the clear header (CSRCs and extension preamble included); the
//! others leave twelve bytes in clear and authenticate none of them.

mod cipher;
mod hchacha;
mod open;
mod seal;

use std::fmt;
use std::str::FromStr;

pub use open::{OpenError, OpenedPacket, Opener};
pub use seal::{SealError, Sealer};

/// Bytes of an authentication tag.
pub const TAG_LEN: usize = 16;

/// One way to encrypt packets between client and voice server.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum TransportMode {
    /// AES-256-GCM: preferred, offered where the server has AES hardware.
    Aes256GcmRtpsize,
    /// XChaCha20-Poly1305: always offered.
    XChaCha20Poly1305Rtpsize,
    /// Secretbox with a 4-byte counter suffix; refused by Discord since 2024-11-18.
    XSalsa20Poly1305Lite,
    /// Secretbox with a 24-byte nonce suffix; refused by Discord since 2024-11-18.
    XSalsa20Poly1305Suffix,
    /// Secretbox with the RTP header as nonce; refused by Discord since 2024-11-18.
    XSalsa20Poly1305,
}

impl TransportMode {
    /// Every mode, best first.
    pub const PREFERENCE: [Self; 5] = [
        Self::Aes256GcmRtpsize,
        Self::XChaCha20Poly1305Rtpsize,
        Self::XSalsa20Poly1305Lite,
        Self::XSalsa20Poly1305Suffix,
        Self::XSalsa20Poly1305,
    ];

    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aes256GcmRtpsize => "aead_aes256_gcm_rtpsize",
            Self::XChaCha20Poly1305Rtpsize => "aead_xchacha20_poly1305_rtpsize",
            Self::XSalsa20Poly1305Lite => "xsalsa20_poly1305_lite",
            Self::XSalsa20Poly1305Suffix => "xsalsa20_poly1305_suffix",
            Self::XSalsa20Poly1305 => "xsalsa20_poly1305",
        }
    }

    /// Bytes that sealing adds to a payload, the RTP header not counted.
    #[must_use]
    pub const fn overhead(self) -> usize {
        TAG_LEN + self.suffix_len()
    }

    /// Bytes of the nonce suffix at the end of a datagram.
    const fn suffix_len(self) -> usize {
        match self {
            Self::XSalsa20Poly1305Suffix => 24,
            Self::XSalsa20Poly1305 => 0,
            _ => 4,
        }
    }

    /// Whether the header is authenticated and stays clear up to the extension preamble.
    const fn is_rtpsize(self) -> bool {
        matches!(
            self,
            Self::Aes256GcmRtpsize | Self::XChaCha20Poly1305Rtpsize
        )
    }
}

impl fmt::Display for TransportMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A mode name that this crate does not know.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not one of the five transport encryption modes")]
pub struct UnknownMode;

impl FromStr for TransportMode {
    type Err = UnknownMode;

    fn from_str(name: &str) -> Result<Self, UnknownMode> {
        Self::PREFERENCE
            .into_iter()
            .find(|mode| mode.as_str() == name)
            .ok_or(UnknownMode)
    }
}
