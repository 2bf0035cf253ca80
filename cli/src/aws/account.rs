//! What the account and the caller's policies allow.

use aws_sdk_lambda::types::InvocationType;

use super::{AwsPorts, fault::fault};
use crate::ports::{Account, Fault};

impl Account for AwsPorts {
    async fn unreserved_executions(&self) -> Result<u32, Fault> {
        let answer = self.lambda.get_account_settings().send().await;
        let answer = answer.map_err(|error| fault("lambda:GetAccountSettings", &error))?;
        let limit = answer.account_limit.and_then(|limit| limit.unreserved_concurrent_executions);
        limit.and_then(|limit| u32::try_from(limit).ok()).ok_or_else(|| {
            let expected = "expected the unreserved concurrent executions";
            Fault::Unreadable(format!("lambda:GetAccountSettings: {expected}"))
        })
    }

    async fn may_invoke(&self, function: &str) -> Result<(), Fault> {
        let call = self.lambda.invoke().function_name(function);
        let answer = call.invocation_type(InvocationType::DryRun).send().await;
        answer.map(drop).map_err(|error| fault("lambda:InvokeFunction", &error))
    }
}
