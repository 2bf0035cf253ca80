//! The roles of the template, in both directions: the functions do everything that they do in production
//! under these roles, and no role allows what no function does.
//!
//! The local AWS refuses what a role does not allow. A recorder between the functions and AWS tells what
//! each of them needs.
//!
//! Three grants are outside of this: the schedule's call of the sweeper, `kms:Decrypt` for a key of one's own,
//! and AWS's policy for network interfaces. EventBridge Scheduler calls without its role on the local AWS, and
//! only parameters give the other two.

mod grants;
mod need;
mod recorder;

use std::{collections::BTreeSet, time::Duration};

use demo::experiment::recovery;
use evenkeel::base::time::{Clock as _, SystemClock};
use sandbox::{
    Client as Control,
    dealers::{SiteChange, SiteSettings},
};
use serde_json::json;
use xtask::{
    artifact::Profile,
    aws::{
        dynamodb, lambda,
        sqs::{self, Outgoing},
    },
    local::{Options, Stack},
    process, template,
    workspace::Workspace,
};

use super::eventually;
use grants::{Grant, JOB_TYPES, OPERATOR, Role, SWEEPER};
use need::{Need, needs};
use recorder::{Call, Recorder};

/// What roles allow although no function calls it in this test: whose role, the statement, the actions, and why.
const NOT_CALLED: [(&str, &str, &[&str], &str); 12] = [
    (
        JOB_TYPES,
        "Queues",
        &["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"],
        "Lambda's poller takes messages under the function's role (\"Using Lambda with Amazon SQS\")",
    ),
    (JOB_TYPES, "Logs", &LOGS, "Lambda writes what a function prints under its role"),
    (JOB_TYPES, "Jobs", &["dynamodb:PutItem"], "a message that is not valid is kept"),
    (JOB_TYPES, "Control", &["dynamodb:BatchGetItem"], "a batch has jobs for several hosts"),
    (
        "DealerComFeedFunction",
        "Vehicles",
        &["dynamodb:BatchGetItem"],
        "a run makes the jobs of cars that an earlier one has stored",
    ),
    (
        "ProductDetailScrapingFunction",
        "Vehicles",
        &["dynamodb:UpdateItem"],
        "another job has kept the page of the car meanwhile",
    ),
    (SWEEPER, "Logs", &LOGS, "as above"),
    (SWEEPER, "Jobs", &["dynamodb:DeleteItem"], "it finds a record that expired days ago"),
    (SWEEPER, "Vehicles", &["dynamodb:DeleteItem"], "it finds a car that expired days ago"),
    (
        SWEEPER,
        "Mappings",
        &[UNGUARDED],
        "it moves concurrency between queues that have waited for minutes",
    ),
    (OPERATOR, "Logs", &LOGS, "as above"),
    (OPERATOR, "Jobs", &["dynamodb:DeleteItem"], "a rejected message is sent again and removed"),
];

/// An action that MiniStack asks no role for.
const UNGUARDED: &str = "lambda:UpdateEventSourceMapping";

/// Actions by which Lambda writes log lines.
const LOGS: [&str; 2] = ["logs:CreateLogStream", "logs:PutLogEvents"];

/// Whether AWS has refused a call because of its role.
fn denied(answer: &str) -> bool {
    answer.contains("AccessDenied")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_scheduled_sweeper_repairs_everything_and_the_roles_allow_just_that() {
    let workspace = Workspace::find().await.unwrap();
    let recorder = Recorder::start().await;
    let options = Options {
        profile: Profile::Dev,
        functions_endpoint: Some(recorder.url()),
        ..Options::default()
    };
    let stack = Stack::start(&workspace, &options).await.unwrap();
    recorder.forward_to(stack.client().endpoint());
    let recovered = recovery::on(&stack).await;
    let refused = recorder.calls().into_iter().filter(|call| denied(&call.answer));
    let refused: BTreeSet<_> = refused.map(|call| (call.function, call.answer)).collect();
    assert_eq!(refused, BTreeSet::new(), "refused by their roles");
    let log = stack.log().unwrap();
    let (page, holds) = recovered.unwrap_or_else(|error| panic!("{error:#}\n{log}"));
    assert!(holds, "{page}\n{log}");
    // New processes read keys and parameters anew. Signatures of these calls are valid for five minutes only.
    stack.function_processes().into_iter().for_each(|pid| drop(process::kill(pid)));
    read_a_feed_twice(&stack).await;
    let sweeper = stack.output("SweeperFunctionName").unwrap();
    lambda::invoke(stack.client(), sweeper, &json!({})).await.unwrap();
    operate(&stack).await;

    let template = template::load(&workspace.template()).unwrap();
    let calls = recorder.calls();
    let unnamed = calls.iter().find(|call| call.function.is_empty());
    assert!(unnamed.is_none(), "a call of nobody: {unnamed:?}");
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
    let unexplained: Vec<_> = unused.iter().filter(|grant| !is_explained(grant)).collect();
    assert!(unexplained.is_empty(), "allowed, and called by no function: {unexplained:#?}");
    for (owner, sid, actions, why) in NOT_CALLED {
        for action in actions {
            let grant = (owner.to_owned(), sid.to_owned(), (*action).to_owned());
            assert!(
                unused.contains(&grant),
                "{grant:?} is called now, so this is no reason: {why}"
            );
        }
    }
    let called = granted.iter().filter(|grant| !is_explained(grant) && grant.2 != UNGUARDED);
    let statements: BTreeSet<_> = called.map(|(of, sid, _)| (of.clone(), sid.clone())).collect();
    assert_eq!(needed, statements, "without each of these, a call was refused");
    stack.stop().await.unwrap();
}

/// Pauses and resumes a queue, names a rejected message that is not there, and imports links without storing any. The
/// recovery has retried jobs.
async fn operate(stack: &Stack) {
    let operator = stack.output("OperatorFunctionName").unwrap();
    let until = (SystemClock.now() + Duration::from_mins(10)).as_millis();
    let queues = json!(["url-shortening-high"]);
    for act in [
        json!({ "do": "pause", "queues": queues, "until": until }),
        json!({ "do": "resume", "queues": queues }),
        json!({ "do": "release", "messages": ["q#none"] }),
    ] {
        let call = json!({ "act": act, "reason": "the roles are tested" });
        let answer = lambda::invoke(stack.client(), operator, &call).await.unwrap();
        assert!(answer["state"] == "done" || answer["state"] == "running", "{answer}");
    }
    let shortening = stack.output("UrlShorteningFunctionName").unwrap();
    let mut import = json!({ "dealer": "acme", "dry_run": true });
    // The links are read, and then compared with those that are kept.
    eventually("the import is done", async || {
        let call = json!({ "request": { "import_links": import.take() } });
        let mut answer = lambda::invoke(stack.client(), shortening, &call).await.unwrap();
        import = answer["answer"].take();
        import["done"] == true
    })
    .await;
}

/// A feed with the pages and links of its cars, and once more when one car has left.
async fn read_a_feed_twice(stack: &Stack) {
    let control = Control::new(stack.sandbox_url());
    let payload = json!({"dealer_slug": "acme", "site_url": control.site_origin("acme")});
    let queue = stack.output("DealerComFeedQueueUrl").unwrap();
    let table = stack.output("JobsTableName").unwrap();
    control.put_site("acme", &SiteSettings { cars: 10, ..SiteSettings::default() }).await.unwrap();
    let cars = control.cars("acme").await.unwrap();
    // The name of a link is taken by another one, which has been there for long.
    let name = format!("acme-{}", cars[0].vin[11..].to_lowercase());
    let taken = json!({"slashtag": name, "destination": "https://other.example/"});
    control.preload(&[serde_json::from_value(taken).unwrap()]).await.unwrap();
    for (id, jobs) in [("feed-of-10", 20), ("feed-of-9", 22)] {
        if jobs > 20 {
            // One car has left, and another one has moved.
            let moves = [(cars[1].vin.clone(), format!("certified/moved/{}.htm", cars[1].uuid))];
            let remove = vec![cars[9].vin.clone()];
            let change = SiteChange { moves: moves.into(), remove, ..SiteChange::default() };
            control.change_site("acme", &change).await.unwrap();
        }
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
            (done(&format!("#g:{id}")), done("#g:acme:")) == (1, jobs)
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

/// Whether a grant has a reason although no function calls it here.
fn is_explained((owner, sid, action): &Grant) -> bool {
    NOT_CALLED.iter().any(|(of, statement, actions, _)| {
        of == owner && statement == sid && actions.contains(&action.as_str())
    })
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
        // MiniStack does not read the statements of a batch, and lets everybody change a mapping.
        let enforced = |need: &Need| {
            let is_read = !need.action.contains("dynamodb:PartiQL") && need.action != UNGUARDED;
            statement.allows(need) && is_read
        };
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
