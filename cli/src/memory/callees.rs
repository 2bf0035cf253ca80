//! The functions that are called in memory: what they were asked, and what they answer.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use serde_json::Value;

use super::MemoryPorts;
use crate::ports::{Called, Fault};

/// Functions that give the answers that a test has given them, whichever is called.
#[derive(Debug, Default)]
pub(super) struct Callees {
    invoked: Mutex<Vec<(String, Value)>>,
    answers: Mutex<VecDeque<Called>>,
    /// Whether they never answer.
    hang: bool,
}

impl Callees {
    /// Notes the call, and gives the next answer. Without one there is no such function.
    pub(super) async fn call(&self, function: &str, request: &Value) -> Result<Called, Fault> {
        let call = (function.to_owned(), request.clone());
        self.invoked.lock().unwrap_or_else(PoisonError::into_inner).push(call);
        if self.hang {
            std::future::pending::<()>().await;
        }
        let answer = self.answers.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        answer.ok_or_else(|| Fault::Missing(format!("no function {function}")))
    }
}

impl MemoryPorts {
    /// The same with functions that give these answers, one after the other.
    #[must_use]
    pub fn answering(self, answers: impl IntoIterator<Item = Called>) -> Self {
        self.callees.answers.lock().unwrap_or_else(PoisonError::into_inner).extend(answers);
        self
    }

    /// The same with functions that never answer.
    #[must_use]
    pub fn with_hanging_functions(mut self) -> Self {
        self.callees.hang = true;
        self
    }

    /// The calls of functions: the name of each, and what it was asked.
    #[must_use]
    pub fn invoked(&self) -> Vec<(String, Value)> {
        self.callees.invoked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
