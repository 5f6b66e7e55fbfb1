//! A failure as a value: a stable code and a message for people.

use cadenza_engine::EngineError;
use napi_derive::napi;

/// An expected failure of a native call.
#[napi(object)]
pub struct BindingFailure {
    /// Stable snake_case code.
    pub code: String,
    /// What happened and what to do about it.
    pub message: String,
}

impl BindingFailure {
    /// A failure that the binding itself found while converting arguments.
    pub(crate) fn invalid_argument(message: impl Into<String>) -> Self {
        Self {
            code: "invalid_argument".to_owned(),
            message: message.into(),
        }
    }
}

impl From<EngineError> for BindingFailure {
    fn from(error: EngineError) -> Self {
        Self {
            code: error.code().to_owned(),
            message: error.to_string(),
        }
    }
}

/// `None` for success, which JavaScript sees as `null`.
pub(crate) fn outcome(result: Result<(), EngineError>) -> Option<BindingFailure> {
    result.err().map(BindingFailure::from)
}
