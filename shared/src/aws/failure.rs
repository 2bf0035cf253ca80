//! Translates the SDK's errors into port errors.

use std::error::Error;

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::ports::PortError;

/// Error codes that a retry cannot fix: missing permissions, missing resources.
const TERMINAL: [&str; 13] = [
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
];

/// The code of an error about the request itself: about the item, if it writes one.
const INVALID: &str = "ValidationException";

/// Whether a retry cannot fix an error with this code.
fn is_terminal(code: &str) -> bool {
    TERMINAL.contains(&code)
}

/// The port's error for a statement of a batch that failed for another reason than its condition. The code of a
/// statement's error lacks the suffix "Exception" that the same error of a call has.
pub(crate) fn statement_error(code: &str, message: &str) -> PortError {
    let why = format!("{code}: {message}");
    if is_terminal(code) || is_terminal(&format!("{code}Exception")) {
        return PortError::Broken(why);
    }
    PortError::Unavailable(why)
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
        // The chain of causes, not the debug form, which may contain a whole response.
        other => causes(other),
    };
    let is_invalid = matches!(error, SdkError::ServiceError(service)
        if service.err().code() == Some(INVALID));
    match terminal {
        _ if is_invalid => PortError::Invalid(text),
        true => PortError::Broken(text),
        false => PortError::Unavailable(text),
    }
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

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::operation::put_item::PutItemError;
    use aws_smithy_types::error::ErrorMetadata;

    use super::*;

    type Answer = SdkError<PutItemError, ()>;

    #[test]
    fn what_is_wrong_with_the_item_is_told_from_what_is_wrong_with_the_table() {
        let answer = |code: &str| {
            let error = ErrorMetadata::builder().code(code).message("why").build();
            port_error(&Answer::service_error(PutItemError::generic(error), ()))
        };
        assert_eq!(
            answer("ValidationException"),
            PortError::Invalid("ValidationException: why".into())
        );
        assert_eq!(
            answer("AccessDeniedException"),
            PortError::Broken("AccessDeniedException: why".into())
        );
        let throttled = "ProvisionedThroughputExceededException";
        assert_eq!(answer(throttled), PortError::Unavailable(format!("{throttled}: why")));
        let unsent = port_error(&Answer::construction_failure("no region"));
        assert!(matches!(unsent, PortError::Broken(_)), "{unsent:?}");
        let late = port_error(&Answer::timeout_error("too late"));
        assert!(matches!(late, PortError::Unavailable(_)), "{late:?}");
    }
}
