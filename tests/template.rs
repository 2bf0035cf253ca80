//! template.yaml against the Rust policies and against the rules that keep messages safe.

use std::{collections::BTreeSet, path::Path};

use evenkeel::{
    aws::KeySource,
    job::Job,
    policy::{BATCH_SIZE, LONGEST_MESSAGE_LIFE, MAX_RECEIVES, Policy, QUEUE_RETENTION},
    time::SystemClock,
};
use serde_json::Value;
use url_shortening::UrlShortening;
use xtask::template;

const DAY_S: u64 = 24 * 60 * 60;

/// Variables that every function needs.
const TABLES: [&str; 2] = ["JOBS_TABLE", "CONTROL_TABLE"];

/// Function, queues from normal to dead-letter, and the policy of every job type.
const JOB_TYPES: [(&str, [&str; 3], Policy); 1] = [(
    "UrlShorteningFunction",
    ["UrlShorteningQueue", "UrlShorteningHighQueue", "UrlShorteningDeadLetterQueue"],
    <UrlShortening<KeySource, SystemClock> as Job>::POLICY,
)];

fn load() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml");
    template::load(&path).unwrap()
}

fn properties<'a>(template: &'a Value, name: &str) -> &'a Value {
    let properties = &template["Resources"][name]["Properties"];
    assert!(properties.is_object(), "{name} is in the template");
    properties
}

/// Names and properties of every resource of a type.
fn all<'a>(template: &'a Value, kind: &str) -> Vec<(&'a str, &'a Value)> {
    let resources = template["Resources"].as_object().unwrap();
    let found: Vec<_> = resources
        .iter()
        .filter(|(_, resource)| resource["Type"] == kind)
        .map(|(name, resource)| (name.as_str(), &resource["Properties"]))
        .collect();
    assert!(!found.is_empty(), "there is a {kind}");
    found
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("expected a number, found {value}"))
}

#[test]
fn every_function_of_the_template_is_held_here() {
    let template = load();
    let known: BTreeSet<&str> = JOB_TYPES.iter().map(|(function, _, _)| *function).collect();
    let found: BTreeSet<&str> =
        all(&template, "AWS::Serverless::Function").into_iter().map(|(name, _)| name).collect();
    assert_eq!(found, known);
}

#[test]
fn a_function_has_time_for_its_policy_and_no_more_than_a_lost_process_may_cost() {
    let template = load();
    for (function, _, policy) in JOB_TYPES {
        let timeout = number(&properties(&template, function)["Timeout"]);
        assert!(timeout <= 15, "{function}: {timeout} s until a lost process is noticed");
        assert!(timeout > policy.longest_run().as_secs(), "{function}: its rounds do not fit");
    }
}

#[test]
fn queues_keep_messages_long_enough_and_records_outlive_them() {
    let template = load();
    for (function, [normal, high, dead], policy) in JOB_TYPES {
        let timeout = number(&properties(&template, function)["Timeout"]);
        let dead_retention = number(&properties(&template, dead)["MessageRetentionPeriod"]);
        assert_eq!(dead_retention, 14 * DAY_S, "{dead}");
        assert_eq!(dead_retention, LONGEST_MESSAGE_LIFE.as_secs());
        for queue in [normal, high] {
            let properties = properties(&template, queue);
            let visibility = number(&properties["VisibilityTimeout"]);
            assert!(visibility >= 6 * timeout, "{queue}: AWS asks for six function time-outs");
            let retention = number(&properties["MessageRetentionPeriod"]);
            assert_eq!(retention, QUEUE_RETENTION.as_secs(), "{queue}");
            assert!(policy.retention().as_secs() > retention.max(dead_retention), "{queue}");
            let redrive = &properties["RedrivePolicy"];
            assert_eq!(number(&redrive["maxReceiveCount"]), u64::from(MAX_RECEIVES), "{queue}");
            assert_eq!(redrive["deadLetterTargetArn"]["Fn::GetAtt"][0], dead, "{queue}");
        }
        let name = properties(&template, high)["QueueName"]["Fn::Sub"].as_str().unwrap();
        assert!(name.ends_with("-high"), "{high}: the name tells the priority");
    }
}

#[test]
fn every_event_source_reports_partial_batches_and_is_bounded() {
    let template = load();
    for (function, [normal, high, _], policy) in JOB_TYPES {
        let events = properties(&template, function)["Events"].as_object().unwrap();
        let queues: BTreeSet<&str> = events
            .values()
            .map(|event| event["Properties"]["Queue"]["Fn::GetAtt"][0].as_str().unwrap())
            .collect();
        assert_eq!(queues, BTreeSet::from([normal, high]), "{function}");
        for (name, event) in events {
            let properties = &event["Properties"];
            assert_eq!(number(&properties["BatchSize"]), BATCH_SIZE as u64, "{name}");
            assert!(policy.concurrency <= BATCH_SIZE, "{name}");
            // Without it everything is deleted, whatever the function answers.
            let reported = &properties["FunctionResponseTypes"];
            assert_eq!(*reported, serde_json::json!(["ReportBatchItemFailures"]), "{name}");
            let parameter = properties["ScalingConfig"]["MaximumConcurrency"]["Ref"].as_str();
            let least = number(&template["Parameters"][parameter.unwrap()]["MinValue"]);
            assert_eq!(least, 2, "{name}: SQS knows no maximum of 1");
            // Filters delete what they do not match, for good.
            assert!(properties["FilterCriteria"].is_null(), "{name}");
        }
    }
}

#[test]
fn tables_are_on_demand_encrypted_recoverable_and_expire() {
    let template = load();
    let tables = all(&template, "AWS::DynamoDB::Table");
    assert_eq!(tables.len(), 2);
    for (name, table) in tables {
        assert_eq!(table["BillingMode"], "PAY_PER_REQUEST", "{name}");
        let ttl = &table["TimeToLiveSpecification"];
        assert_eq!((&ttl["AttributeName"], &ttl["Enabled"]), (&"expires_at".into(), &true.into()));
        let recovery = &table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"];
        assert_eq!(*recovery, true, "{name}");
        assert_eq!(table["SSESpecification"]["SSEEnabled"], true, "{name}");
        assert_eq!(template["Resources"][name]["DeletionPolicy"], "Retain", "{name}");
    }
    assert!(properties(&template, "JobsTable")["StreamSpecification"].is_object());
}

#[test]
fn every_queue_is_encrypted_and_takes_tls_only() {
    let template = load();
    let policies = all(&template, "AWS::SQS::QueuePolicy");
    for (queue, properties) in all(&template, "AWS::SQS::Queue") {
        assert_eq!(properties["SqsManagedSseEnabled"], true, "{queue}");
        let denies = policies.iter().any(|(_, policy)| {
            let statement = &policy["PolicyDocument"]["Statement"][0];
            policy["Queues"].as_array().unwrap().iter().any(|named| named["Ref"] == queue)
                && statement["Effect"] == "Deny"
                && statement["Action"] == "sqs:*"
                && statement["Condition"]["Bool"]["aws:SecureTransport"] == "false"
        });
        assert!(denies, "{queue} refuses what is not encrypted on the way");
    }
}

/// The actions of a statement without their services, sorted.
fn actions(statement: &Value) -> String {
    let actions = match &statement["Action"] {
        Value::Array(actions) => actions.iter().map(|action| action.as_str().unwrap()).collect(),
        action => vec![action.as_str().unwrap()],
    };
    let mut names: Vec<&str> = actions.iter().map(|a| a.split(':').nth(1).unwrap()).collect();
    names.sort_unstable();
    names.join(" ")
}

#[test]
fn roles_allow_what_the_code_does_and_nothing_on_every_resource() {
    let template = load();
    let allowed = [
        ("Jobs", "GetItem PartiQLInsert PartiQLUpdate PutItem UpdateItem"),
        ("Control", "DeleteItem GetItem PartiQLDelete PartiQLInsert PutItem Query UpdateItem"),
        (
            "Queues",
            "ChangeMessageVisibility DeleteMessage GetQueueAttributes GetQueueUrl ReceiveMessage",
        ),
        ("ApiKey", "GetSecretValue"),
        ("Logs", "CreateLogStream PutLogEvents"),
    ];
    for (role, properties) in all(&template, "AWS::IAM::Role") {
        let statements = &properties["Policies"][0]["PolicyDocument"]["Statement"];
        let found: Vec<(&str, String)> = statements
            .as_array()
            .unwrap()
            .iter()
            .map(|statement| (statement["Sid"].as_str().unwrap(), actions(statement)))
            .collect();
        let allowed: Vec<(&str, String)> =
            allowed.iter().map(|(sid, actions)| (*sid, (*actions).to_owned())).collect();
        assert_eq!(found, allowed, "{role}");
        assert!(properties["ManagedPolicyArns"].is_null(), "{role}: those allow every resource");
        for policy in properties["Policies"].as_array().unwrap() {
            for statement in policy["PolicyDocument"]["Statement"].as_array().unwrap() {
                assert!(
                    !statement["Resource"].to_string().contains("\"*\""),
                    "{role}: {statement}"
                );
                let actions = statement["Action"].to_string();
                for forbidden in ["*", "Scan", "DeleteTable", "PurgeQueue"] {
                    assert!(!actions.contains(forbidden), "{role}: {statement}");
                }
            }
        }
    }
    for (function, properties) in all(&template, "AWS::Serverless::Function") {
        assert!(properties["Role"].is_object(), "{function}: SAM's own role allows too much");
    }
}

#[test]
fn every_function_is_configured_built_and_logged() {
    let template = load();
    assert_eq!(template["Parameters"]["Architecture"]["Default"], "arm64");
    for function in template::functions(&template).unwrap() {
        let name = &function.logical_id;
        let resource = &template["Resources"][name];
        assert_eq!(resource["Metadata"]["BuildMethod"], "rust-cargolambda", "{name}");
        let variables = resource["Properties"]["Environment"]["Variables"].as_object().unwrap();
        for variable in TABLES {
            assert!(variables.contains_key(variable), "{name}: {variable}");
        }
        // A key in a template is a key in a repository.
        assert!(!variables.keys().any(|variable| variable.ends_with("_KEY")), "{name}");
        let group = resource["Properties"]["LoggingConfig"]["LogGroup"]["Ref"].as_str().unwrap();
        assert!(properties(&template, group)["RetentionInDays"].is_object(), "{group}");
    }
}
