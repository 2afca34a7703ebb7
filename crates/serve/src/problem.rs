use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Why a request gets no answer, for the program that sent it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{message}")]
pub struct Refusal {
    /// What kind of reason it is.
    pub kind: Kind,
    /// The reason, with what to do.
    pub message: String,
    /// What programs of one kind know it by, where they have a name for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// What kind of reason, by which the status of the response is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// It was asked for in a way that makes no sense.
    Usage,
    /// It was tried and failed.
    Failed,
    /// What was asked about is not there.
    NotFound,
    /// Who asks has not said who it is.
    Unauthorized,
    /// Who asks may not.
    Forbidden,
    /// The path is there, for another method.
    Method,
    /// A body of another type than that which is read.
    MediaType,
    /// What was sent is too large.
    TooLarge,
    /// The answer is larger than an answer may be.
    AnswerTooLarge,
    /// Too much is asked at once.
    Busy,
    /// It took longer than it may.
    TooLong,
}

impl Kind {
    fn status(self) -> StatusCode {
        match self {
            Self::Usage => StatusCode::BAD_REQUEST,
            Self::Failed => StatusCode::INTERNAL_SERVER_ERROR,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge | Self::AnswerTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::TooLong => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// Its name in the body of a response.
    pub fn name(self) -> &'static str {
        match self {
            Self::Usage | Self::Method | Self::MediaType => "usage",
            Self::Failed => "failed",
            Self::NotFound => "not_found",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::TooLarge | Self::AnswerTooLarge | Self::Busy | Self::TooLong => "limit",
        }
    }
}

impl Refusal {
    /// A reason of that kind.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), code: None }
    }

    /// The same, known by that code.
    #[must_use]
    pub fn known_as(self, code: &str) -> Self {
        Self { code: Some(code.to_owned()), ..self }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response<Body> {
        let body = json!({"error": {"message": self.message, "kind": self.kind.name()}}).to_string();
        let mut response = (self.kind.status(), [(header::CONTENT_TYPE, "application/json")], body).into_response();
        match self.kind {
            Kind::Unauthorized => {
                response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Kind::Busy => {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response
    }
}
