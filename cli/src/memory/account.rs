//! Quotas and permissions in memory.

use super::MemoryPorts;
use crate::ports::{Account, Fault, FunctionFacts};

/// The quota of most accounts ("Lambda quotas" in AWS's documentation).
const EXECUTIONS: u32 = 1_000;

impl MemoryPorts {
    /// The same with a function.
    #[must_use]
    pub fn with_function(mut self, name: &str, facts: FunctionFacts) -> Self {
        self.functions.insert(name.to_owned(), facts);
        self
    }

    /// The same with an account that may have so many executions at once.
    #[must_use]
    pub fn with_executions(mut self, executions: u32) -> Self {
        self.executions = Some(executions);
        self
    }

    /// The same with a caller who may read and call no function.
    #[must_use]
    pub fn for_viewers(mut self) -> Self {
        self.is_viewer = true;
        self
    }

    /// Fails if the caller may read no single item.
    pub(super) fn may_get(&self) -> Result<(), Fault> {
        if self.denies_items {
            let action = "dynamodb:GetItem".to_owned();
            return Err(Fault::Denied { action, why: "no policy allows it".to_owned() });
        }
        Ok(())
    }
}

impl Account for MemoryPorts {
    async fn unreserved_executions(&self) -> Result<u32, Fault> {
        Ok(self.executions.unwrap_or(EXECUTIONS))
    }

    async fn may_invoke(&self, _: &str) -> Result<(), Fault> {
        if self.is_viewer {
            let action = "lambda:InvokeFunction".to_owned();
            return Err(Fault::Denied { action, why: "no policy allows it".to_owned() });
        }
        Ok(())
    }
}
