//! The codes by which people check that nobody sits between them.

use std::fmt;

/// Version of the key fingerprint that goes into a verification code.
const FINGERPRINT_VERSION: u16 = 0;
/// Digits of a code that is shown come in groups of this many.
const GROUP_DIGITS: u32 = 5;
const VERIFICATION_DIGITS: u32 = 45;
const PRIVACY_DIGITS: u32 = 30;

/// Who a member is, and the public key that stands for it.
#[derive(Clone, Eq, PartialEq)]
pub struct MemberIdentity {
    /// The user's id.
    pub user: u64,
    /// An uncompressed P-256 point.
    pub signature_key: Vec<u8>,
}

impl fmt::Debug for MemberIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemberIdentity({})", self.user)
    }
}

/// Why there is no code.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CodeError {
    /// There is no encrypted group, or the user is not in it.
    #[error("the user is not in the call's end-to-end encrypted group")]
    NotAMember,
    /// A key could not be hashed.
    #[error("the verification code could not be computed")]
    Failed,
}

/// The code that two members compare: 45 digits, the same from both sides. It costs 16 MiB and up to
/// a second of scrypt, so it belongs on a thread of its own.
///
/// # Errors
/// [`CodeError::Failed`] for keys that are none.
pub fn verification_code(
    one: &MemberIdentity,
    other: &MemberIdentity,
) -> Result<String, CodeError> {
    let fingerprint = davey::generate_pairwise_fingerprint(
        FINGERPRINT_VERSION,
        &one.signature_key,
        one.user,
        &other.signature_key,
        other.user,
    );
    let fingerprint = fingerprint.map_err(|_| CodeError::Failed)?;
    davey::generate_displayable_code(&fingerprint, VERIFICATION_DIGITS, GROUP_DIGITS)
        .map_err(|_| CodeError::Failed)
}

/// The code of an epoch: 30 digits, the same for every member.
pub(crate) fn privacy_code(epoch_authenticator: &[u8]) -> Option<String> {
    davey::generate_displayable_code(epoch_authenticator, PRIVACY_DIGITS, GROUP_DIGITS).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_has_the_published_code() {
        let authenticator: Vec<u8> = (0..32).map(|n| 0xFF_u8.wrapping_sub(n * 7)).collect();
        let code = privacy_code(&authenticator);
        assert_eq!(code.as_deref(), Some("643550368043005823302165560980"));
        assert_eq!(privacy_code(&authenticator[..29]), None);
    }

    #[test]
    fn two_members_have_the_published_code_from_both_sides() {
        let one = member(158_049_329_150_427_136, 0xA1);
        let other = member(158_533_742_254_751_744, 0xB2);
        let code = "252510863186803669400945600666490493606072630";
        assert_eq!(verification_code(&one, &other).as_deref(), Ok(code));
        assert_eq!(verification_code(&other, &one).as_deref(), Ok(code));
    }

    #[test]
    fn an_empty_key_has_no_code() {
        let nobody = MemberIdentity {
            user: 1,
            signature_key: Vec::new(),
        };
        assert_eq!(
            verification_code(&nobody, &member(2, 1)),
            Err(CodeError::Failed)
        );
    }

    fn member(user: u64, byte: u8) -> MemberIdentity {
        let mut signature_key = vec![byte; 65];
        signature_key[0] = 4;
        MemberIdentity {
            user,
            signature_key,
        }
    }
}
