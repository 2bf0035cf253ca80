//! Conditional writes of the control items that all functions share.

use std::fmt::Write as _;

use aws_config::retry::RetryConfig;
use aws_sdk_dynamodb::{
    Config,
    operation::update_item::builders::UpdateItemFluentBuilder,
    types::{BatchStatementRequest, BatchStatementResponse, ReturnValuesOnConditionCheckFailure},
};

use super::{
    change::Change,
    conditional::updated,
    failure::statement_error,
    item::{self, Item, n},
    jobs::DynamoStore,
    statement,
};
use crate::ports::PortError;

impl DynamoStore {
    /// Changes an item if its revision is still `revision`. Attributes that only a newer version knows survive.
    /// Otherwise, the inner error holds the current item, if there is one.
    pub(super) async fn swap(
        &self,
        change: Change,
        revision: u64,
    ) -> Result<Result<(), Option<Item>>, PortError> {
        updated(self.update(change, revision).send().await)
    }

    /// The same without retries by the SDK: after the first of two attempts was written, the second would be refused.
    pub(super) async fn swap_once(
        &self,
        change: Change,
        revision: u64,
    ) -> Result<Result<(), Option<Item>>, PortError> {
        let once = Config::builder().retry_config(RetryConfig::disabled());
        let update = self.update(change, revision).customize().config_override(once);
        updated(update.send().await)
    }

    /// The statement that makes the same change as one of several in a call.
    pub(super) fn swap_statement(&self, change: Change, revision: u64) -> BatchStatementRequest {
        let table = &self.tables.control;
        let Change { key, mut set, removed } = change;
        set.push(("revision", n(revision + 1)));
        if revision == 0 {
            return statement::insert(table, [key, set].concat());
        }
        let only_if = [key, vec![("revision", n(revision))]].concat();
        statement::update(table, set, &removed, only_if)
    }

    fn update(&self, change: Change, revision: u64) -> UpdateItemFluentBuilder {
        let Change { key, set, removed } = change;
        let mut update = self
            .client
            .update_item()
            .table_name(&self.tables.control)
            .set_key(Some(item::owned(key)))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .expression_attribute_values(":next", n(revision + 1));
        let mut text = "SET revision = :next".to_owned();
        for (index, (name, value)) in set.into_iter().enumerate() {
            // Some of the names, such as `state`, are reserved words.
            let _ = write!(text, ", #a{index} = :a{index}");
            update = update
                .expression_attribute_names(format!("#a{index}"), name)
                .expression_attribute_values(format!(":a{index}"), value);
        }
        for (index, name) in removed.into_iter().enumerate() {
            text.push_str(if index == 0 { " REMOVE " } else { ", " });
            let _ = write!(text, "#r{index}");
            update = update.expression_attribute_names(format!("#r{index}"), name);
        }
        let update = update.update_expression(text);
        if revision == 0 {
            update.condition_expression("attribute_not_exists(revision)")
        } else {
            update
                .condition_expression("revision = :seen")
                .expression_attribute_values(":seen", n(revision))
        }
    }
}

/// What the response to a [`DynamoStore::swap_statement`] means. The inner error holds the current item if the response
/// has it.
pub(super) fn swapped(
    response: BatchStatementResponse,
) -> Result<Result<(), Option<Item>>, PortError> {
    let Some(error) = response.error else { return Ok(Ok(())) };
    let code = error.code.as_ref().map_or("unknown", |code| code.as_str());
    if matches!(code, "ConditionalCheckFailed" | "DuplicateItem") {
        return Ok(Err(error.item));
    }
    Err(statement_error(code, error.message.as_deref().unwrap_or_default()))
}
