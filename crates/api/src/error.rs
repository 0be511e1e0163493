//! Errors as AWS words them.

use std::borrow::Cow;
use std::fmt;

use vpc_model::Violation;

/// Why a request was refused, in AWS's words.
///
/// Source: EC2 API reference, "Error codes"; ec2-api §1.4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    /// The code: `InvalidVpcID.NotFound`.
    pub code: Cow<'static, str>,
    /// What a person reads.
    pub message: String,
}

impl ApiError {
    /// An error.
    pub fn new(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into() }
    }

    /// A key that the request must not have.
    #[must_use]
    pub fn unknown_parameter(key: &str) -> Self {
        Self::new("UnknownParameter", format!("The parameter {key} is not recognized"))
    }

    /// A key that the request must have.
    #[must_use]
    pub fn missing_parameter(key: &str) -> Self {
        Self::new("MissingParameter", format!("The request must contain the parameter {key}"))
    }

    /// A value that is wrong in itself.
    pub fn invalid_value(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterValue", message)
    }

    /// Parameters that do not go together.
    pub fn combination(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterCombination", message)
    }

    /// Something AWS does and this does not.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new("UnsupportedOperation", message)
    }

    /// A bug of ours.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new("InternalError", message)
    }

    /// The HTTP status that goes with the code.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self.code.as_ref() {
            "AuthFailure" => 401,
            "UnauthorizedOperation" | "SignatureDoesNotMatch" | "InvalidClientTokenId" | "AccessDenied" => 403,
            "DryRunOperation" => 412,
            "RequestLimitExceeded" | "Unavailable" => 503,
            "InternalError" => 500,
            _ => 400,
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for ApiError {}

/// The first of them; AWS too says one thing at a time.
impl From<Vec<Violation>> for ApiError {
    fn from(violations: Vec<Violation>) -> Self {
        violations.first().map_or_else(
            || Self::internal("a change was refused for no reason"),
            |violation| Self::new(violation.problem.aws_code(), violation.to_string()),
        )
    }
}
