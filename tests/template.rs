//! template.yaml against the Rust policies and against the rules that keep messages safe.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    slice,
};

use evenkeel::policy::{BATCH_SIZE, LONGEST_MESSAGE_LIFE, MAX_RECEIVES, Policy, QUEUE_RETENTION};
use serde_json::{Value, json};
use xtask::template;

const DAY_S: u64 = 24 * 60 * 60;

/// Longest time-out of any function, in seconds: for so long a lost process may go unnoticed.
const LONGEST_TIMEOUT_S: u64 = 60;

/// Opens our own machine to the client for addresses from outside (`shared/src/http.rs`).
const ALLOW_LOOPBACK: &str = "OUTBOUND_ALLOW_LOOPBACK";

const TABLES: [&str; 3] = ["JobsTable", "ControlTable", "VehiclesTable"];

/// Variables that every function needs, and what each refers to.
const VARIABLES: [(&str, &str); 2] =
    [("JOBS_TABLE", "JobsTable"), ("CONTROL_TABLE", "ControlTable")];

/// What the template has for one job type, and what it is held to.
struct JobType {
    /// All its names within the template begin with this.
    prefix: &'static str,
    /// Its package and binary; all its names in AWS end with this, and with what tells them apart.
    binary: &'static str,
    policy: Policy,
    longest_timeout_s: u64,
    /// Further variables that it needs, and what each refers to.
    variables: &'static [(&'static str, &'static str)],
    /// What its role allows beyond what all of them do: Sid, actions, resources, sorted.
    statements: &'static [(&'static str, &'static str, &'static str)],
}

const JOB_TYPES: [JobType; 3] = [
    JobType {
        prefix: "UrlShortening",
        binary: "url-shortening",
        policy: url_shortening::POLICY,
        // Somebody waits for the link, and its two calls take seconds.
        longest_timeout_s: 15,
        variables: &[
            ("BREAKER_LONGEST_WAIT_SECONDS", "BreakerLongestWaitSeconds"),
            ("REBRANDLY_DOMAIN", "RebrandlyDomain"),
            ("REBRANDLY_API_KEY_SECRET_ARN", "RebrandlyApiKeySecretArn"),
        ],
        statements: &[("ApiKey", "GetSecretValue", "RebrandlyApiKeySecretArn")],
    },
    JobType {
        prefix: "DealerComFeed",
        binary: "dealer-com-feed",
        policy: dealer_com_feed::POLICY,
        longest_timeout_s: LONGEST_TIMEOUT_S,
        variables: &[
            ("VEHICLES_TABLE", "VehiclesTable"),
            ("SCRAPING_QUEUE_ARN", "ProductDetailScrapingQueue"),
            ("SHORTENING_QUEUE_ARN", "UrlShorteningQueue"),
        ],
        statements: &[
            ("Vehicles", "BatchWriteItem GetItem Query UpdateItem", "VehiclesTable"),
            ("SendTo", "GetQueueUrl SendMessage", "ProductDetailScrapingQueue UrlShorteningQueue"),
        ],
    },
    JobType {
        prefix: "ProductDetailScraping",
        binary: "product-detail-scraping",
        policy: product_detail_scraping::POLICY,
        longest_timeout_s: LONGEST_TIMEOUT_S,
        variables: &[("VEHICLES_TABLE", "VehiclesTable")],
        statements: &[("Vehicles", "GetItem", "VehiclesTable")],
    },
];

/// What a role allows: actions and resources by the Sid of their statement, each sorted.
type Allowed = BTreeMap<String, (String, String)>;

impl JobType {
    /// One of its names within the template.
    fn name(&self, ending: &str) -> String {
        format!("{}{ending}", self.prefix)
    }

    /// Its queues: normal, high and dead-letter.
    fn queues(&self) -> [String; 3] {
        ["Queue", "HighQueue", "DeadLetterQueue"].map(|ending| self.name(ending))
    }

    /// One of its names in AWS.
    fn name_in_aws(&self, ending: &str) -> String {
        format!("${{AWS::StackName}}-{}{ending}", self.binary)
    }

    /// What its role should allow.
    fn allowed(&self) -> Allowed {
        let jobs = "GetItem PartiQLInsert PartiQLUpdate PutItem UpdateItem";
        let control = "DeleteItem GetItem PartiQLDelete PartiQLInsert PutItem Query UpdateItem";
        let queues =
            "ChangeMessageVisibility DeleteMessage GetQueueAttributes GetQueueUrl ReceiveMessage";
        let common = [
            ("Jobs", jobs, "JobsTable".to_owned()),
            ("Control", control, "ControlTable".to_owned()),
            ("Queues", queues, [self.name("HighQueue"), self.name("Queue")].join(" ")),
            ("Logs", "CreateLogStream PutLogEvents", self.name("LogGroup")),
        ];
        let own = self.statements.iter().map(|&(sid, actions, on)| (sid, actions, on.to_owned()));
        let all = common.into_iter().chain(own);
        all.map(|(sid, actions, on)| (sid.to_owned(), (actions.to_owned(), on))).collect()
    }
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml")
}

fn load() -> Value {
    template::load(&path()).unwrap()
}

fn properties<'a>(template: &'a Value, name: &str) -> &'a Value {
    let properties = &template["Resources"][name]["Properties"];
    assert!(properties.is_object(), "{name} is in the template");
    properties
}

/// Names and properties of every resource of a type.
fn all<'a>(template: &'a Value, kind: &str) -> BTreeMap<&'a str, &'a Value> {
    let resources = template["Resources"].as_object().unwrap();
    let found: BTreeMap<_, _> = resources
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

/// The name of the resource or parameter that a value refers to.
fn reference(value: &Value) -> &str {
    let name = value["Ref"].as_str().or_else(|| value["Fn::GetAtt"][0].as_str());
    name.unwrap_or_else(|| panic!("expected a reference, found {value}"))
}

/// A list, or the one thing that may stand in for a list of one.
fn several(value: &Value) -> &[Value] {
    match value {
        Value::Array(values) => values,
        one => slice::from_ref(one),
    }
}

fn sorted(mut names: Vec<&str>) -> String {
    names.sort_unstable();
    names.join(" ")
}

/// The statements of the one policy that a role may have.
fn statements(role: &Value) -> &[Value] {
    let policies = role["Policies"].as_array().unwrap();
    assert_eq!(policies.len(), 1, "its statements stand in one place");
    policies[0]["PolicyDocument"]["Statement"].as_array().unwrap()
}

/// The actions of a statement without their services, sorted.
fn actions(statement: &Value) -> String {
    let actions = several(&statement["Action"]).iter().map(|action| action.as_str().unwrap());
    sorted(actions.map(|action| action.split(':').nth(1).unwrap()).collect())
}

/// The names of what a statement is about, sorted.
fn resources(statement: &Value) -> String {
    sorted(several(&statement["Resource"]).iter().map(reference).collect())
}

#[test]
fn every_function_of_the_template_is_held_here() {
    let template = load();
    let known = JOB_TYPES.iter().map(|job| job.name("Function"));
    let known: BTreeSet<String> = known.chain(["SweeperFunction".to_owned()]).collect();
    let functions = all(&template, "AWS::Serverless::Function");
    let found: BTreeSet<String> = functions.into_keys().map(str::to_owned).collect();
    assert_eq!(found, known);
}

#[test]
fn a_function_has_time_for_its_policy_and_no_more_than_a_lost_process_may_cost() {
    let template = load();
    for job in &JOB_TYPES {
        let function = job.name("Function");
        let timeout = number(&properties(&template, &function)["Timeout"]);
        let longest = job.longest_timeout_s.min(LONGEST_TIMEOUT_S);
        assert!(timeout <= longest, "{function}: {timeout} s until a lost process is noticed");
        let run = job.policy.longest_run().as_secs();
        assert!(timeout > run, "{function}: its rounds take {run} s");
    }
}

#[test]
fn queues_keep_messages_long_enough_and_records_outlive_them() {
    let template = load();
    for job in &JOB_TYPES {
        let timeout = number(&properties(&template, &job.name("Function"))["Timeout"]);
        let [normal, high, dead] = job.queues();
        let dead_retention = number(&properties(&template, &dead)["MessageRetentionPeriod"]);
        assert_eq!(dead_retention, 14 * DAY_S, "{dead}");
        assert_eq!(dead_retention, LONGEST_MESSAGE_LIFE.as_secs());
        for queue in [&normal, &high] {
            let properties = properties(&template, queue);
            let visibility = number(&properties["VisibilityTimeout"]);
            assert!(visibility >= 6 * timeout, "{queue}: AWS asks for six function time-outs");
            let retention = number(&properties["MessageRetentionPeriod"]);
            assert_eq!(retention, QUEUE_RETENTION.as_secs(), "{queue}");
            assert!(job.policy.retention().as_secs() > retention.max(dead_retention), "{queue}");
            let redrive = &properties["RedrivePolicy"];
            assert_eq!(number(&redrive["maxReceiveCount"]), u64::from(MAX_RECEIVES), "{queue}");
            assert_eq!(redrive["deadLetterTargetArn"]["Fn::GetAtt"][0], dead, "{queue}");
        }
    }
}

#[test]
fn names_in_aws_tell_the_job_type_and_the_priority() {
    let template = load();
    for job in &JOB_TYPES {
        let [normal, high, dead] = job.queues();
        for (queue, ending) in [(&normal, ""), (&high, "-high"), (&dead, "-dlq")] {
            let name = &properties(&template, queue)["QueueName"]["Fn::Sub"];
            assert_eq!(*name, job.name_in_aws(ending), "{queue}");
        }
        // By name, because references would go in a circle; so a wrong one is not noticed in AWS
        // until a message should move.
        let arn = |ending: &str| {
            let queue = job.name_in_aws(ending);
            let account = "arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}";
            json!({ "Fn::Sub": format!("{account}:{queue}") })
        };
        let allow = &properties(&template, &dead)["RedriveAllowPolicy"];
        assert_eq!(allow["redrivePermission"], "byQueue", "{dead}");
        assert_eq!(allow["sourceQueueArns"], json!([arn(""), arn("-high")]), "{dead}");

        let function = job.name("Function");
        let name = &properties(&template, &function)["FunctionName"]["Fn::Sub"];
        assert_eq!(*name, job.name_in_aws(""), "{function}");
        let group = job.name("LogGroup");
        let name = &properties(&template, &group)["LogGroupName"]["Fn::Sub"];
        assert_eq!(*name, format!("/aws/lambda/{}", job.name_in_aws("")), "{group}");
    }
}

#[test]
fn every_event_source_reports_partial_batches_and_is_bounded() {
    let template = load();
    for job in &JOB_TYPES {
        let function = job.name("Function");
        let mut sources = BTreeSet::new();
        for (name, event) in properties(&template, &function)["Events"].as_object().unwrap() {
            let properties = &event["Properties"];
            assert_eq!(number(&properties["BatchSize"]), BATCH_SIZE as u64, "{name}");
            assert!(job.policy.concurrency <= BATCH_SIZE, "{name}");
            // Without it everything is deleted, whatever the function answers.
            let reported = &properties["FunctionResponseTypes"];
            assert_eq!(*reported, json!(["ReportBatchItemFailures"]), "{name}");
            let parameter = reference(&properties["ScalingConfig"]["MaximumConcurrency"]);
            let least = number(&template["Parameters"][parameter]["MinValue"]);
            assert_eq!(least, 2, "{name}: SQS knows no maximum of 1");
            // Filters delete what they do not match, for good.
            assert!(properties["FilterCriteria"].is_null(), "{name}");
            sources.insert((reference(&properties["Queue"]).to_owned(), parameter.to_owned()));
        }
        let own = [("Queue", "Concurrency"), ("HighQueue", "HighConcurrency")];
        let own = own.map(|(queue, parameter)| (job.name(queue), job.name(parameter)));
        assert_eq!(sources, BTreeSet::from(own), "{function}");
    }
}

#[test]
fn tables_are_on_demand_encrypted_recoverable_and_expire() {
    let template = load();
    let tables = all(&template, "AWS::DynamoDB::Table");
    let names: BTreeSet<&str> = tables.keys().copied().collect();
    assert_eq!(names, BTreeSet::from(TABLES));
    for (name, table) in tables {
        assert_eq!(table["BillingMode"], "PAY_PER_REQUEST", "{name}");
        let ttl = &table["TimeToLiveSpecification"];
        assert_eq!((&ttl["AttributeName"], &ttl["Enabled"]), (&"expires_at".into(), &true.into()));
        let recovery = &table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"];
        assert_eq!(*recovery, true, "{name}");
        assert_eq!(table["SSESpecification"]["SSEEnabled"], true, "{name}");
        for policy in ["DeletionPolicy", "UpdateReplacePolicy"] {
            assert_eq!(template["Resources"][name][policy], "Retain", "{name}: {policy}");
        }
    }
    let jobs = properties(&template, "JobsTable");
    assert!(jobs["StreamSpecification"].is_object());
    let index = &jobs["GlobalSecondaryIndexes"][0];
    assert_eq!(index["IndexName"], "due");
    assert_eq!(index["Projection"]["ProjectionType"], "INCLUDE");
    assert_eq!(index["Projection"]["NonKeyAttributes"], json!(evenkeel::aws::item::DUE_PROJECTION));
    let key = json!([
        { "AttributeName": "dealer", "KeyType": "HASH" },
        { "AttributeName": "vin", "KeyType": "RANGE" },
    ]);
    assert_eq!(properties(&template, "VehiclesTable")["KeySchema"], key);
}

#[test]
fn every_queue_is_encrypted_and_takes_tls_only() {
    let template = load();
    let policies = all(&template, "AWS::SQS::QueuePolicy");
    let queues = all(&template, "AWS::SQS::Queue");
    let known: BTreeSet<String> = JOB_TYPES.iter().flat_map(JobType::queues).collect();
    let found: BTreeSet<String> = queues.keys().copied().map(str::to_owned).collect();
    assert_eq!(found, known, "no queue without a function");
    for (queue, properties) in queues {
        assert_eq!(properties["SqsManagedSseEnabled"], true, "{queue}");
        let denies = policies.values().any(|policy| {
            let statement = &policy["PolicyDocument"]["Statement"][0];
            policy["Queues"].as_array().unwrap().iter().any(|named| named["Ref"] == queue)
                && statement["Effect"] == "Deny"
                && statement["Principal"] == "*"
                && statement["Action"] == "sqs:*"
                && resources(statement) == queue
                && statement["Condition"]["Bool"]["aws:SecureTransport"] == "false"
        });
        assert!(denies, "{queue} refuses what is not encrypted on the way");
    }
}

#[test]
fn roles_allow_what_the_code_does_and_nothing_on_every_resource() {
    let template = load();
    let roles = all(&template, "AWS::IAM::Role");
    let others = ["SweeperRole", "SweeperScheduleRole"];
    assert_eq!(roles.len(), JOB_TYPES.len() + others.len(), "no role without a function");
    for job in &JOB_TYPES {
        let role = job.name("Role");
        let own = reference(&properties(&template, &job.name("Function"))["Role"]);
        assert_eq!(own, role, "SAM's own role allows too much, and another's something else");
        let properties = roles[role.as_str()];
        assert!(properties["ManagedPolicyArns"].is_null(), "{role}: those allow every resource");
        let mut allowed = Allowed::new();
        for statement in statements(properties) {
            assert_eq!(statement["Effect"], "Allow", "{role}: {statement}");
            for forbidden in ["*", "Scan", "DeleteTable", "PurgeQueue"] {
                assert!(!actions(statement).contains(forbidden), "{role}: {statement}");
            }
            let sid = statement["Sid"].as_str().unwrap().to_owned();
            let twice = allowed.insert(sid, (actions(statement), resources(statement)));
            assert_eq!(twice, None, "{role}: {statement}");
        }
        assert_eq!(allowed, job.allowed(), "{role}");
    }
}

/// The queues that a function's variables name, by the names of these variables without `ending`.
fn named_queues(
    variables: &Value,
    ending: &str,
    queue: fn(&Value) -> Option<&str>,
) -> BTreeMap<String, String> {
    let mut named = BTreeMap::new();
    for (name, value) in variables.as_object().unwrap() {
        if let Some(purpose) = name.strip_suffix(ending) {
            let queue = queue(value).unwrap_or_else(|| panic!("{name}: a queue, not {value}"));
            named.insert(purpose.to_owned(), queue.to_owned());
        }
    }
    named
}

#[test]
fn a_role_may_send_where_its_function_sends_and_nowhere_else() {
    let template = load();
    for job in &JOB_TYPES {
        let function = job.name("Function");
        let variables = &properties(&template, &function)["Environment"]["Variables"];
        let arns = named_queues(variables, "_QUEUE_ARN", |value| {
            value["Fn::GetAtt"][0].as_str().filter(|_| value["Fn::GetAtt"][1] == "Arn")
        });

        let mut allowed = BTreeSet::new();
        for statement in statements(properties(&template, &job.name("Role"))) {
            if actions(statement).contains("SendMessage") {
                allowed.extend(several(&statement["Resource"]).iter().map(reference));
            }
        }
        let named: BTreeSet<&str> = arns.values().map(String::as_str).collect();
        assert_eq!(allowed, named, "{function}");

        let loops = &properties(&template, &function)["RecursiveLoop"];
        let expected = if allowed.is_empty() { Value::Null } else { "Allow".into() };
        assert_eq!(*loops, expected, "{function}: only who sends may seem to go in circles");
    }
}

#[test]
fn every_function_is_configured_built_and_logged() {
    let template = load();
    assert_eq!(template["Parameters"]["Architecture"]["Default"], "arm64");
    for job in &JOB_TYPES {
        let name = job.name("Function");
        let resource = &template["Resources"][&name];
        assert_eq!(resource["Metadata"]["BuildMethod"], "rust-cargolambda", "{name}");
        assert_eq!(resource["Metadata"]["BuildProperties"]["Binary"], job.binary, "{name}");
        let code = &resource["Properties"]["CodeUri"];
        assert_eq!(*code, format!("functions/{}", job.binary), "{name}");
        let variables = resource["Properties"]["Environment"]["Variables"].as_object().unwrap();
        for (variable, of) in VARIABLES.iter().chain(job.variables) {
            let value = variables.get(*variable);
            let value = value.unwrap_or_else(|| panic!("{name}: {variable} is missing"));
            assert_eq!(reference(value), *of, "{name}: {variable}");
        }
        // A key in a template is a key in a repository.
        assert!(!variables.keys().any(|variable| variable.ends_with("_KEY")), "{name}");
        let group = reference(&resource["Properties"]["LoggingConfig"]["LogGroup"]);
        assert_eq!(group, job.name("LogGroup"), "{name}");
        assert!(properties(&template, group)["RetentionInDays"].is_object(), "{group}");
    }
}

#[test]
fn the_template_opens_our_own_machine_to_nobody() {
    let client = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/src/http.rs");
    let client = fs::read_to_string(client).unwrap();
    assert!(client.contains(&format!("{ALLOW_LOOPBACK:?}")), "the client reads it by this name");
    assert!(!fs::read_to_string(path()).unwrap().contains(ALLOW_LOOPBACK));
}

#[test]
fn the_outputs_name_every_table_queue_and_function() {
    let template = load();
    let mut named = BTreeMap::new();
    for table in TABLES {
        named.insert(format!("{table}Name"), table.to_owned());
    }
    for job in &JOB_TYPES {
        for queue in job.queues() {
            named.insert(format!("{queue}Url"), queue);
        }
        named.insert(job.name("FunctionName"), job.name("Function"));
    }
    named.insert("SweeperFunctionName".to_owned(), "SweeperFunction".to_owned());
    let outputs = template["Outputs"].as_object().unwrap();
    let found: BTreeMap<String, String> = outputs
        .iter()
        .map(|(name, output)| (name.clone(), reference(&output["Value"]).to_owned()))
        .collect();
    assert_eq!(found, named);
}

/// The text of a `!Sub` with every `${Name}` and `${Name.Arn}` put in, and the names that stood there.
fn put_in(text: &str, value: impl Fn(&str) -> String) -> (String, BTreeSet<String>) {
    let (mut result, mut names) = (String::new(), BTreeSet::new());
    for (place, part) in text.split("${").enumerate() {
        if place == 0 {
            result.push_str(part);
            continue;
        }
        let (name, rest) = part.split_once('}').unwrap();
        names.insert(name.to_owned());
        result.push_str(&value(name));
        result.push_str(rest);
    }
    (result, names)
}

#[test]
fn the_sweeper_looks_after_every_job_type_and_nothing_else() {
    let template = load();
    let function = properties(&template, "SweeperFunction");
    let variables = &function["Environment"]["Variables"];
    let text = variables["JOB_TYPES"]["Fn::Sub"].as_str().unwrap();
    let (text, names) = put_in(text, |name| match name.strip_suffix(".Arn") {
        Some(queue) => format!("arn:aws:sqs:eu-west-1:1:{queue}"),
        None if name.ends_with("Concurrency") => {
            number(&template["Parameters"][name]["Default"]).to_string()
        }
        None => name.to_owned(),
    });
    for name in names {
        let name = name.trim_end_matches(".Arn");
        // SAM calls the mapping of an event by the function's name and the event's.
        let known = ["Resources", "Parameters"].iter().any(|part| !template[part][name].is_null())
            || ["Normal", "High"].iter().any(|event| {
                let function = name.strip_suffix(event).unwrap_or_default();
                !template["Resources"][function]["Properties"]["Events"][event].is_null()
            });
        assert!(known, "{name} is in the template");
    }
    let types = sweeper::config::Config::types(&text).unwrap();
    assert_eq!(types.len(), JOB_TYPES.len());
    for (job, found) in JOB_TYPES.iter().zip(&types) {
        assert_eq!(found.kind.replace('_', "-"), job.binary);
        let [normal, high, dead] = job.queues();
        assert_eq!([found.normal.name(), found.high.name()], [&normal, &high]);
        assert!(found.dead.ends_with(&dead));
        let mappings = [job.name("FunctionNormal"), job.name("FunctionHigh")];
        assert_eq!([&found.normal.mapping, &found.high.mapping], [&mappings[0], &mappings[1]]);
        // One dependency for all jobs, or one for each host.
        let rated = job.policy.dependency == "rebrandly";
        let expected = rated.then(|| job.policy.dependency.to_owned());
        assert_eq!(found.dependency, expected, "{}", job.binary);
    }
}

#[test]
fn the_sweeper_may_do_what_it_does_and_is_called_each_minute() {
    let template = load();
    let mut allowed = BTreeMap::new();
    for statement in statements(properties(&template, "SweeperRole")) {
        assert_eq!(statement["Effect"], "Allow");
        let on = several(&statement["Resource"]).iter().map(|on| match on["Fn::Sub"].as_str() {
            Some(text) => put_in(text, str::to_owned).0.rsplit(':').next().unwrap().to_owned(),
            None => reference(on).to_owned(),
        });
        let on: BTreeSet<String> = on.collect();
        assert!(!actions(statement).contains('*') && !on.contains("*"), "{statement}");
        allowed.insert(statement["Sid"].as_str().unwrap(), (actions(statement), on));
    }
    let of = |endings: &[&str]| -> BTreeSet<String> {
        let names = JOB_TYPES.iter().flat_map(|job| endings.iter().map(|ending| job.name(ending)));
        names.collect()
    };
    let one = |name: &str| BTreeSet::from([name.to_owned()]);
    let expected = [
        ("Jobs", "BatchGetItem DeleteItem GetItem PutItem Scan UpdateItem", one("JobsTable")),
        ("Due", "Query", one("JobsTable.Arn/index/due")),
        ("Control", "DeleteItem GetItem PutItem Query Scan UpdateItem", one("ControlTable")),
        ("Vehicles", "DeleteItem Scan", one("VehiclesTable")),
        ("Queues", "GetQueueAttributes GetQueueUrl SendMessage", of(&["Queue", "HighQueue"])),
        (
            "DeadLetters",
            "DeleteMessage GetQueueAttributes GetQueueUrl ReceiveMessage",
            of(&["DeadLetterQueue"]),
        ),
        (
            "Mappings",
            "GetEventSourceMapping UpdateEventSourceMapping",
            of(&["FunctionNormal", "FunctionHigh"]),
        ),
        ("Logs", "CreateLogStream PutLogEvents", one("SweeperLogGroup")),
    ];
    let expected: BTreeMap<_, _> =
        expected.into_iter().map(|(sid, actions, on)| (sid, (actions.to_owned(), on))).collect();
    assert_eq!(allowed, expected);

    let function = properties(&template, "SweeperFunction");
    let schedule = &function["Events"]["Minutely"];
    assert_eq!(schedule["Type"], "ScheduleV2", "scheduled rules are the older service");
    assert_eq!(schedule["Properties"]["ScheduleExpression"], "rate(1 minute)");
    let timeout = number(&function["Timeout"]);
    assert!(timeout + 5 < 60, "one that dies has given way before the next begins");
    let boxes: u64 = sweeper::pass::Pass::ALL.iter().map(|pass| pass.time_box().as_secs()).sum();
    assert!(boxes < timeout + 10, "most ticks take a second, and the longest must end in time");
    assert_eq!(function["EventInvokeConfig"]["MaximumRetryAttempts"], 0);
}
