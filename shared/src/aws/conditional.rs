//! What the answer to a conditional write means.

use std::{error::Error, fmt::Debug};

use aws_sdk_dynamodb::{
    error::SdkError,
    operation::update_item::{UpdateItemError, UpdateItemOutput},
};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::{failure::port_error, item::Item};
use crate::ports::PortError;

/// The code of a write whose condition did not hold.
const REFUSED: &str = "ConditionalCheckFailedException";

/// Whether the write was applied. It was not if its condition did not hold.
pub(super) fn applied<T, E, R>(answer: Result<T, SdkError<E, R>>) -> Result<bool, PortError>
where
    E: Error + ProvideErrorMetadata + 'static,
    R: Debug,
{
    let Err(error) = answer else { return Ok(true) };
    let code = error.as_service_error().and_then(ProvideErrorMetadata::code);
    if code == Some(REFUSED) { Ok(false) } else { Err(port_error(&error)) }
}

/// Whether an update that asks for the item of a refusal was applied. The inner error holds the item that did not fit
/// the condition, if there is one.
pub(super) fn updated(
    answer: Result<UpdateItemOutput, SdkError<UpdateItemError>>,
) -> Result<Result<(), Option<Item>>, PortError> {
    let Err(error) = answer else { return Ok(Ok(())) };
    match error.as_service_error() {
        Some(UpdateItemError::ConditionalCheckFailedException(refused)) => {
            Ok(Err(refused.item.clone()))
        }
        _ => Err(port_error(&error)),
    }
}
