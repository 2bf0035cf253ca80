//! What the SDK's errors mean to an operator.

use std::error::Error;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use evenkeel::{aws::failure::port_error, ports::PortError};

use crate::ports::Fault;

/// Codes of errors that say that the credentials are missing, wrong or over.
const CREDENTIALS: [&str; 7] = [
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

/// Codes of errors that say that a permission is missing.
const DENIED: [&str; 4] =
    ["AccessDenied", "AccessDeniedException", "KMSAccessDeniedException", "UnauthorizedOperation"];

/// Codes of errors that say that what is asked for does not exist.
const MISSING: [&str; 4] = [
    "AWS.SimpleQueueService.NonExistentQueue",
    "ParameterNotFound",
    "QueueDoesNotExist",
    "ResourceNotFoundException",
];

/// The code of a service's error.
pub(super) fn code<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> Option<&str> {
    error.as_service_error().and_then(ProvideErrorMetadata::code)
}

/// What the error of the call with this IAM action means.
pub(super) fn fault<E, R>(action: &str, error: &SdkError<E, R>) -> Fault
where
    E: Error + ProvideErrorMetadata + 'static,
    R: std::fmt::Debug,
{
    let text = match port_error(error) {
        PortError::Unavailable(text)
        | PortError::Broken(text)
        | PortError::Unreadable(text)
        | PortError::Invalid(text) => text,
    };
    match code(error) {
        Some(code) if CREDENTIALS.contains(&code) => Fault::NoCredentials(text),
        Some(code) if DENIED.contains(&code) => {
            Fault::Denied { action: action.to_owned(), why: text }
        }
        Some(code) if MISSING.contains(&code) => Fault::Missing(format!("{action}: {text}")),
        // The SDK has no kind of error for a chain of providers of which none has credentials.
        None if text.contains("credential") => Fault::NoCredentials(text),
        None if text.contains("region") => Fault::NoCredentials(format!("{text}; no region")),
        _ => Fault::Unavailable(format!("{action}: {text}")),
    }
}
