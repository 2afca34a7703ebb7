//! What whoever asks has to know.

use std::fmt;

use subtle::ConstantTimeEq as _;
use tonic::codegen::http::HeaderValue;

use super::DistributeError;

/// A token, which is never shown by `{:?}`.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// A token that somebody has chosen.
    ///
    /// # Errors
    /// [`DistributeError::UnfitToken`] where it is too short, or could not stand in a header.
    pub fn chosen(text: &str) -> Result<Self, DistributeError> {
        let is_fit = (16..=256).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
        is_fit.then(|| Self(text.to_owned())).ok_or(DistributeError::UnfitToken)
    }

    /// As it stands in a request's head.
    pub(crate) fn header(&self) -> Result<HeaderValue, DistributeError> {
        let mut header =
            HeaderValue::from_str(&format!("Bearer {}", self.0)).map_err(|_| DistributeError::UnfitToken)?;
        header.set_sensitive(true);
        Ok(header)
    }

    /// Is it the one that a request shows? How long that takes does not tell how far it is right.
    pub(crate) fn is_shown(&self, header: Option<&[u8]>) -> bool {
        let shown = header.and_then(|header| header.strip_prefix(b"Bearer "));
        shown.is_some_and(|shown| bool::from(shown.ct_eq(self.0.as_bytes())))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}
