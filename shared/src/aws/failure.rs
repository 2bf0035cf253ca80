//! What the SDK's errors mean to the engine.

use std::error::Error;

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::ports::PortError;

/// Error codes that no retry mends: permissions, missing resources, requests that we made wrong.
const TERMINAL: [&str; 15] = [
    "AccessDenied",
    "AccessDeniedException",
    "AWS.SimpleQueueService.NonExistentQueue",
    "DecryptionFailure",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "ParameterNotFound",
    "QueueDoesNotExist",
    "ResourceNotFoundException",
    "UnrecognizedClientException",
    "ValidationException",
    "ValidationError",
];

/// Whether an error code of a call or of one statement is for good.
pub(crate) fn is_terminal(code: &str) -> bool {
    TERMINAL.contains(&code)
}

/// The port's error for an SDK error, with its whole chain of causes.
pub fn port_error<E, R>(error: &SdkError<E, R>) -> PortError
where
    E: Error + ProvideErrorMetadata + 'static,
    R: std::fmt::Debug,
{
    let terminal = match error {
        SdkError::ConstructionFailure(_) => true,
        SdkError::ServiceError(service) => service.err().code().is_some_and(is_terminal),
        _ => false,
    };
    let text = match error {
        SdkError::ServiceError(service) => {
            let service = service.err();
            let code = service.code().unwrap_or("unknown");
            format!("{code}: {}", service.message().unwrap_or_default())
        }
        // The causes and not the debug form, which may hold a whole answer.
        other => causes(other),
    };
    if terminal { PortError::Broken(text) } else { PortError::Unavailable(text) }
}

fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
