//! The roles of the template, in both directions: the functions do everything that they do in production
//! under these roles, and no role allows what no function does.
//!
//! The local AWS refuses what a role does not allow. A recorder between the functions and AWS tells what
//! each of them needs.

mod need;
mod recorder;

use std::collections::BTreeSet;

use demo::experiment::recovery;
use sandbox::{Client as Control, dealers::SiteSettings};
use serde_json::{Value, json};
use xtask::{
    artifact::Profile,
    aws::{
        dynamodb, iam, lambda,
        sqs::{self, Outgoing},
    },
    local::{Options, Stack},
    template,
    workspace::Workspace,
};

use super::eventually;
use need::{Need, needs};
use recorder::{Call, Recorder};

/// What roles allow although no function calls it in this test, by statement, and why.
const NOT_CALLED: [(&str, &[&str], &str); 5] = [
    (
        "Queues",
        &["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"],
        "Lambda's poller takes messages under the function's role (\"Using Lambda with Amazon SQS\")",
    ),
    (
        "Logs",
        &["logs:CreateLogStream", "logs:PutLogEvents"],
        "Lambda writes what a function prints under its role",
    ),
    (
        "Jobs",
        &["dynamodb:UpdateItem", "dynamodb:DeleteItem"],
        "a copy finds the lost lease of a batch; the sweeper finds a record that expired days ago",
    ),
    ("Vehicles", &["dynamodb:DeleteItem"], "the sweeper finds a car that expired days ago"),
    (
        "Mappings",
        &["lambda:UpdateEventSourceMapping"],
        "the sweeper moves concurrency between queues that have waited for minutes",
    ),
];

/// Statements that the generator gives to every job type: what one type calls, another may need too.
const SHARED: [&str; 3] = ["Jobs", "Control", "Queues"];

/// The function that is no job type.
const SWEEPER: &str = "SweeperFunction";

/// One statement of a role in the stack.
struct Statement {
    sid: String,
    actions: BTreeSet<String>,
    resources: BTreeSet<String>,
}

impl Statement {
    /// `known` are the actions of the template: the local AWS asks for some of its own beside them.
    fn of(statement: &Value, known: &BTreeSet<String>) -> Option<Self> {
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

    fn allows(&self, need: &Need) -> bool {
        let is_it = |arn: &String| arn.ends_with(&format!(":{}", need.resource));
        self.actions.contains(&need.action) && self.resources.iter().any(is_it)
    }
}

/// A function and what its role allows.
struct Role {
    /// The function's name in the template.
    function: String,
    name: String,
    policy: String,
    document: Value,
    /// The ARN and the statements of its managed policy, if it has one.
    managed: Option<String>,
    statements: Vec<Statement>,
}

impl Role {
    async fn read(stack: &Stack, template: &Value, function: &str) -> Self {
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
    fn owner(&self, sid: &str) -> String {
        let shared = self.function != SWEEPER && SHARED.contains(&sid);
        if shared { "job types".to_owned() } else { self.function.clone() }
    }

    /// Every action of every statement.
    fn grants(&self) -> BTreeSet<(String, String, String)> {
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
    fn uses(&self, need: &Need) -> BTreeSet<(String, String, String)> {
        let statements = self.statements.iter().filter(|statement| statement.allows(need));
        statements.map(|s| (self.owner(&s.sid), s.sid.clone(), need.action.clone())).collect()
    }

    /// Takes a statement from the role, or gives all of them back.
    async fn set_without(&self, stack: &Stack, sid: Option<&str>) {
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

/// Whether AWS has refused a call because of its role.
fn denied(answer: &str) -> bool {
    answer.contains("AccessDenied")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_scheduled_sweeper_repairs_everything_and_the_roles_allow_just_that() {
    let workspace = Workspace::find().await.unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let recorder = Recorder::start(format!("http://127.0.0.1:{port}")).await;
    let options = Options {
        profile: Profile::Dev,
        port: Some(port),
        functions_endpoint: Some(recorder.url()),
        ..Options::default()
    };
    let stack = Stack::start(&workspace, &options).await.unwrap();
    let recovered = recovery::on(&stack).await;
    let refused = recorder.calls().into_iter().filter(|call| denied(&call.answer));
    let refused: BTreeSet<_> = refused.map(|call| (call.function, call.answer)).collect();
    assert_eq!(refused, BTreeSet::new(), "refused by their roles");
    let log = stack.log().unwrap();
    let (page, holds) = recovered.unwrap_or_else(|error| panic!("{error:#}\n{log}"));
    assert!(holds, "{page}\n{log}");
    read_a_feed_twice(&stack).await;

    let template = template::load(&workspace.template()).unwrap();
    let calls = recorder.calls();
    let mut used = BTreeSet::new();
    let mut granted = BTreeSet::new();
    let mut needed = BTreeSet::new();
    for function in template::functions(&template).unwrap() {
        let role = Role::read(&stack, &template, &function.logical_id).await;
        let own: Vec<&Call> = calls.iter().filter(|call| call.function == role.function).collect();
        assert!(!own.is_empty(), "{}: it has called nothing", role.function);
        every_call_is_allowed(&role, &own);
        needed.extend(needed_statements(&stack, &recorder, &role, &own).await);
        granted.extend(role.grants());
        used.extend(own.iter().flat_map(|call| needs(call)).flat_map(|need| role.uses(&need)));
    }
    let unused: BTreeSet<_> = granted.difference(&used).collect();
    let unexplained: Vec<_> =
        unused.iter().filter(|(_, sid, action)| !is_explained(sid, action)).collect();
    assert!(unexplained.is_empty(), "allowed, and called by no function: {unexplained:#?}");
    for (sid, actions, why) in NOT_CALLED {
        for action in actions {
            let any = unused.iter().any(|(_, of, unused)| of == sid && unused == action);
            assert!(any, "{sid} {action}: it is called now, so this is no reason for it: {why}");
        }
    }
    let called = granted.iter().filter(|(_, sid, action)| !is_explained(sid, action));
    let statements: BTreeSet<_> = called.map(|(of, sid, _)| (of.clone(), sid.clone())).collect();
    assert_eq!(needed, statements, "without each of these, a call was refused");
    stack.stop().await.unwrap();
}

/// A feed with the pages and links of its cars, and once more when one car has left.
async fn read_a_feed_twice(stack: &Stack) {
    let control = Control::new(stack.sandbox_url());
    let payload = json!({"dealer_slug": "acme", "site_url": control.site_origin("acme")});
    let queue = stack.output("DealerComFeedQueueUrl").unwrap();
    let table = stack.output("JobsTableName").unwrap();
    for cars in [10, 9] {
        let settings = SiteSettings { cars, ..SiteSettings::default() };
        control.put_site("acme", &settings).await.unwrap();
        let id = format!("feed-of-{cars}");
        let feed = json!({"version": 1, "type": "dealer_com_feed", "id": id, "payload": payload});
        sqs::send_batch(stack.client(), queue, &[Outgoing::new(feed.to_string())]).await.unwrap();
        eventually("the feed and the jobs of its cars have succeeded", async || {
            let records = dynamodb::scan(stack.client(), table).await.unwrap();
            let done = |part: &str| {
                let of_it = records.iter().filter(|record| {
                    let key = record["pk"].as_str().unwrap();
                    record["state"] == "succeeded" && key.contains(part)
                });
                of_it.count()
            };
            (done(&format!("#g:{id}")), done("#g:acme:")) == (1, 2 * 10)
        })
        .await;
    }
}

fn every_call_is_allowed(role: &Role, calls: &[&Call]) {
    for call in calls {
        assert!(!denied(&call.answer), "{}: {} {}", role.function, call.path, call.answer);
        for need in needs(call) {
            let allowed = role.statements.iter().any(|statement| statement.allows(&need));
            assert!(allowed, "{}: no statement allows {need:?}", role.function);
        }
    }
}

/// Whether an action of a statement has a reason although no function calls it here.
fn is_explained(sid: &str, action: &str) -> bool {
    NOT_CALLED.iter().any(|(of, actions, _)| *of == sid && actions.contains(&action))
}

/// The statements without which a call that has succeeded is refused, with their owners.
async fn needed_statements(
    stack: &Stack,
    recorder: &Recorder,
    role: &Role,
    calls: &[&Call],
) -> BTreeSet<(String, String)> {
    let mut needed = BTreeSet::new();
    for statement in &role.statements {
        // MiniStack does not read the statements of a batch.
        let enforced =
            |need: &Need| statement.allows(need) && !need.action.contains("dynamodb:PartiQL");
        // The latest call, because a signature is valid for minutes only.
        let call = calls
            .iter()
            .rev()
            .find(|call| call.status.is_success() && needs(call).iter().any(enforced));
        let Some(call) = call else { continue };
        role.set_without(stack, Some(&statement.sid)).await;
        let (status, answer) = recorder.again(call).await;
        role.set_without(stack, None).await;
        let refused = !status.is_success() && denied(&answer);
        assert!(refused, "{}: without {}: {status} {answer}", role.function, statement.sid);
        needed.insert((role.owner(&statement.sid), statement.sid.clone()));
    }
    needed
}
