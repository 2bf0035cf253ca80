//! What the roles in the stack allow: their statements, read from IAM.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use xtask::{
    aws::{iam, lambda},
    local::Stack,
};

use super::need::Need;

/// The owner of the statements that all job types share.
pub(super) const JOB_TYPES: &str = "job types";

/// Statements that the generator gives to every job type: what one type calls, another may need too.
const SHARED: [&str; 4] = ["Jobs", "Control", "Logs", "Queues"];

/// The function that the schedule calls.
pub(super) const SWEEPER: &str = "SweeperFunction";

/// The function that people call.
pub(super) const OPERATOR: &str = "OperatorFunction";

/// Whose role allows it, in which statement, and the action.
pub(super) type Grant = (String, String, String);

/// One statement of a role in the stack.
pub(super) struct Statement {
    pub(super) sid: String,
    pub(super) actions: BTreeSet<String>,
    pub(super) resources: BTreeSet<String>,
}

impl Statement {
    /// `known` are the actions of the template: the local AWS asks for some of its own beside them.
    pub(super) fn of(statement: &Value, known: &BTreeSet<String>) -> Option<Self> {
        // The one that only the local AWS needs has no name.
        let sid = statement["Sid"].as_str()?.to_owned();
        let texts = |value: &Value| match value {
            Value::Array(values) => values.iter().map(|v| v.as_str().unwrap().to_owned()).collect(),
            one => BTreeSet::from([one.as_str().unwrap().to_owned()]),
        };
        let (mut actions, resources) = (texts(&statement["Action"]), texts(&statement["Resource"]));
        actions.retain(|action| known.contains(action));
        Some(Self { sid, actions, resources })
    }

    pub(super) fn allows(&self, need: &Need) -> bool {
        let is_it = |arn: &String| arn.ends_with(&format!(":{}", need.resource));
        self.actions.contains(&need.action) && self.resources.iter().any(is_it)
    }
}

/// A function and what its role allows.
pub(super) struct Role {
    /// The function's name in the template.
    pub(super) function: String,
    pub(super) name: String,
    pub(super) policy: String,
    pub(super) document: Value,
    /// The ARN and the statements of its managed policy, if it has one.
    pub(super) managed: Option<String>,
    pub(super) statements: Vec<Statement>,
}

impl Role {
    pub(super) async fn read(stack: &Stack, template: &Value, function: &str) -> Self {
        let client = stack.client();
        let arn = lambda::role(client, stack.output(&format!("{function}Name")).unwrap()).await;
        let name = arn.unwrap().rsplit('/').next().unwrap().to_owned();
        let resources = &template["Resources"];
        let role = resources[function]["Properties"]["Role"]["Fn::GetAtt"][0].as_str().unwrap();
        let policy = resources[role]["Properties"]["Policies"][0]["PolicyName"].as_str().unwrap();
        let document = iam::policy(client, &name, policy).await.unwrap();
        let mut statements = document["Statement"].as_array().unwrap().clone();
        let attached = resources.as_object().unwrap().values().any(|resource| {
            resource["Type"] == "AWS::IAM::ManagedPolicy"
                && resource["Properties"]["Roles"] == json!([{ "Ref": role }])
        });
        let managed = if attached {
            let arn = iam::managed_policy(client, &name).await.unwrap();
            let managed = iam::managed_document(client, &arn).await.unwrap();
            statements.extend(managed["Statement"].as_array().unwrap().clone());
            Some(arn)
        } else {
            None
        };
        let mut known = BTreeSet::new();
        actions(template, &mut known);
        let of = |statement| Statement::of(statement, &known);
        let statements = statements.iter().filter_map(of).collect();
        let (function, policy) = (function.to_owned(), policy.to_owned());
        Self { function, name, policy, document, managed, statements }
    }

    /// Whose grant it is: a statement that all job types share belongs to all of them.
    pub(super) fn owner(&self, sid: &str) -> String {
        let is_other = [SWEEPER, OPERATOR].contains(&self.function.as_str());
        let shared = !is_other && SHARED.contains(&sid);
        if shared { JOB_TYPES.to_owned() } else { self.function.clone() }
    }

    /// Every action of every statement.
    pub(super) fn grants(&self) -> BTreeSet<Grant> {
        let statements = self.statements.iter();
        let of = |statement: &Statement| {
            let owner = self.owner(&statement.sid);
            let sid = statement.sid.clone();
            let actions = statement.actions.clone().into_iter();
            actions.map(move |action| (owner.clone(), sid.clone(), action)).collect::<Vec<_>>()
        };
        statements.flat_map(of).collect()
    }

    /// The grants that allow what a call needs.
    pub(super) fn uses(&self, need: &Need) -> BTreeSet<Grant> {
        let statements = self.statements.iter().filter(|statement| statement.allows(need));
        statements.map(|s| (self.owner(&s.sid), s.sid.clone(), need.action.clone())).collect()
    }

    /// Takes a statement from the role, or gives all of them back.
    pub(super) async fn set_without(&self, stack: &Stack, sid: Option<&str>) {
        let mut document = self.document.clone();
        let statements = document["Statement"].as_array_mut().unwrap();
        statements.retain(|statement| sid.is_none() || statement["Sid"].as_str() != sid);
        let inline = statements.len() < self.document["Statement"].as_array().unwrap().len();
        iam::set_policy(stack.client(), &self.name, &self.policy, &document).await.unwrap();
        if let Some(arn) = &self.managed {
            let attached = sid.is_none() || inline;
            iam::attach(stack.client(), &self.name, arn, attached).await.unwrap();
        }
    }
}

/// Every `Action` below a value.
fn actions(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            let action = map.get("Action").into_iter();
            let texts = action.flat_map(|action| match action {
                Value::Array(actions) => actions.as_slice(),
                one => std::slice::from_ref(one),
            });
            found.extend(texts.filter_map(|action| action.as_str().map(str::to_owned)));
            map.values().for_each(|value| actions(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| actions(value, found)),
        _ => {}
    }
}
