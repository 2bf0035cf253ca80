//! template.yaml against the Rust policies and against the rules that keep messages safe.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    slice,
};

use evenkeel::policy::{
    BATCH_SIZE, EARLIEST_RETURN, LONGEST_MESSAGE_LIFE, MAX_RECEIVES, Policy, QUEUE_RETENTION,
};
use generator::JobType;
use serde_json::{Value, json};
use xtask::template;

use crate::golden::assert_file;

const DAY_S: u64 = 24 * 60 * 60;

/// Longest time-out of any function, in seconds: for so long a lost process may go unnoticed.
const LONGEST_TIMEOUT_S: u64 = 60;

/// Opens our own machine to the client for addresses from outside (`shared/src/http.rs`).
const ALLOW_LOOPBACK: &str = "OUTBOUND_ALLOW_LOOPBACK";

const MAPPING: &str = "AWS::Lambda::EventSourceMapping";

const TABLES: [&str; 3] = ["JobsTable", "ControlTable", "VehiclesTable"];

/// Variables that every function needs, and what each refers to.
const VARIABLES: [(&str, &str); 2] =
    [("JOBS_TABLE", "JobsTable"), ("CONTROL_TABLE", "ControlTable")];

/// A job type with its policy.
struct Held {
    job: JobType,
    policy: Policy,
}

impl Held {
    /// One of its names within the template.
    fn name(&self, ending: &str) -> String {
        self.job.logical_id(ending)
    }

    /// Its queues: normal, high and dead-letter.
    fn queues(&self) -> [String; 3] {
        ["Queue", "HighQueue", "DeadLetterQueue"].map(|ending| self.name(ending))
    }

    /// One of its names in AWS.
    fn name_in_aws(&self, ending: &str) -> String {
        format!("${{AWS::StackName}}-{}{ending}", self.job.folder)
    }
}

/// Every job type, found by its folder.
fn job_types() -> Vec<Held> {
    let policies = generator::job_types().into_iter().map(|linked| linked.policy);
    let types = generator::read(&root()).unwrap();
    assert!(types.len() >= 3, "the job types are found");
    types.into_iter().zip(policies).map(|(job, policy)| Held { job, policy }).collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn path() -> PathBuf {
    root().join("template.yaml")
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

/// The statements of the one policy that a role may have, those under a condition included.
fn statements(role: &Value) -> Vec<&Value> {
    let policies = role["Policies"].as_array().unwrap();
    assert_eq!(policies.len(), 1, "its statements stand in one place");
    let statements = policies[0]["PolicyDocument"]["Statement"].as_array().unwrap();
    statements.iter().map(unless_omitted).collect()
}

/// A value, or what stands there if the condition that may omit it is true.
fn unless_omitted(value: &Value) -> &Value {
    let Some(choice) = value["Fn::If"].as_array() else { return value };
    assert_eq!(choice[2]["Ref"], "AWS::NoValue", "{value}: it is omitted otherwise");
    &choice[1]
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
    let held = job_types();
    let known = held.iter().map(|job| job.name("Function"));
    let known: BTreeSet<String> = known.chain(["SweeperFunction".to_owned()]).collect();
    let functions = all(&template, "AWS::Serverless::Function");
    let found: BTreeSet<String> = functions.into_keys().map(str::to_owned).collect();
    assert_eq!(found, known);
}

#[test]
fn a_function_has_time_for_its_policy_and_no_more_than_a_lost_process_may_cost() {
    let template = load();
    for job in &job_types() {
        let function = job.name("Function");
        let timeout = number(&properties(&template, &function)["Timeout"]);
        assert!(timeout <= LONGEST_TIMEOUT_S, "{function}: {timeout} s hide a lost process");
        // People wait for a link, so a lost process must be noticed sooner there.
        assert!(timeout <= 20 || job.job.kind != "url_shortening", "{function}: {timeout} s");
        let run = job.policy.longest_run().as_secs();
        assert!(timeout > run, "{function}: its rounds take {run} s");
    }
}

#[test]
fn queues_keep_messages_long_enough_and_records_outlive_them() {
    let template = load();
    for job in &job_types() {
        let timeout = number(&properties(&template, &job.name("Function"))["Timeout"]);
        let [normal, high, dead] = job.queues();
        let dead_retention = number(&properties(&template, &dead)["MessageRetentionPeriod"]);
        assert_eq!(dead_retention, 14 * DAY_S, "{dead}");
        assert_eq!(dead_retention, LONGEST_MESSAGE_LIFE.as_secs());
        for queue in [&normal, &high] {
            let properties = properties(&template, queue);
            let visibility = number(&properties["VisibilityTimeout"]);
            assert!(visibility >= 6 * timeout, "{queue}: AWS asks for six function time-outs");
            let earliest = EARLIEST_RETURN.as_secs();
            assert!(visibility > earliest, "{queue}: a message would come back too early");
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
    for job in &job_types() {
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
    for job in &job_types() {
        let function = job.name("Function");
        let mut sources = BTreeSet::new();
        for name in ["Normal", "High"].map(|end| format!("{function}{end}")) {
            let properties = properties(&template, &name);
            // Unless updates are gradual, the function itself: a version would not see a new setting.
            let alias = json!({ "Ref": format!("{function}.Alias") });
            let called = json!({ "Fn::If": ["Gradual", alias, { "Ref": function }] });
            assert_eq!(properties["FunctionName"], called, "{name}");
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
            sources.insert((
                reference(&properties["EventSourceArn"]).to_owned(),
                parameter.to_owned(),
            ));
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
        // A first deployment that fails leaves no table in the way of the second.
        let policies =
            [("DeletionPolicy", "RetainExceptOnCreate"), ("UpdateReplacePolicy", "Retain")];
        for (policy, value) in policies {
            assert_eq!(template["Resources"][name][policy], value, "{name}: {policy}");
        }
        let protected = &table["DeletionProtectionEnabled"]["Fn::If"];
        assert_eq!(*protected, json!(["ProtectsTables", true, false]), "{name}");
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
    let known: BTreeSet<String> = job_types().iter().flat_map(Held::queues).collect();
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
    assert_eq!(roles.len(), job_types().len() + others.len(), "no role without a function");
    for job in &job_types() {
        let role = job.name("Role");
        let own = reference(&properties(&template, &job.name("Function"))["Role"]);
        assert_eq!(own, role, "SAM's own role allows too much, and another's something else");
        let properties = roles[role.as_str()];
        // Policies of AWS allow every resource. The one here is for interfaces that have no name yet.
        let managed = &properties["ManagedPolicyArns"];
        let calls_out = !job.job.function.hosts.is_empty();
        assert_eq!(managed.is_null(), !calls_out, "{role}");
        if calls_out {
            assert_eq!(managed["Fn::If"][0], "InVpc", "{role}");
            let names = unless_omitted(managed);
            let name = names[0]["Fn::Sub"].as_str().unwrap();
            assert!(name.ends_with("/service-role/AWSLambdaENIManagementAccess"), "{role}: {name}");
            assert_eq!(several(names).len(), 1, "{role}");
        }
        let mut sids = BTreeSet::new();
        for statement in statements(properties) {
            assert_eq!(statement["Effect"], "Allow", "{role}: {statement}");
            for forbidden in ["*", "Scan", "DeleteTable", "PurgeQueue"] {
                assert!(!actions(statement).contains(forbidden), "{role}: {statement}");
            }
            assert!(sids.insert(statement["Sid"].as_str().unwrap()), "{role}: {statement}");
            for resource in several(&statement["Resource"]) {
                assert_ne!(reference(resource), "*", "{role}: {statement}");
            }
        }
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
    for job in &job_types() {
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
    // Both `sam build` and `sam deploy` read it; of a parameter, `sam build` sees the default alone.
    let processors = &template["Globals"]["Function"]["Architectures"];
    let known = [json!(["arm64"]), json!(["x86_64"])];
    assert!(known.contains(processors), "{processors}: a literal");
    for job in &job_types() {
        let name = job.name("Function");
        let resource = &template["Resources"][&name];
        assert_eq!(resource["Metadata"]["BuildMethod"], "rust-cargolambda", "{name}");
        assert_eq!(resource["Metadata"]["BuildProperties"]["Binary"], job.job.folder, "{name}");
        let code = &resource["Properties"]["CodeUri"];
        assert_eq!(*code, format!("functions/{}", job.job.folder), "{name}");
        let variables = resource["Properties"]["Environment"]["Variables"].as_object().unwrap();
        for (variable, of) in VARIABLES {
            assert_eq!(reference(&variables[variable]), of, "{name}: {variable}");
        }
        for (variable, value) in variables {
            let of = reference(value);
            let known =
                ["Resources", "Parameters"].iter().any(|part| !template[part][of].is_null());
            assert!(known, "{name}: {variable} refers to {of}, which the template does not have");
        }
        // A key in a template is a key in a repository.
        assert!(!variables.keys().any(|variable| variable.ends_with("_KEY")), "{name}");
        let group = reference(&resource["Properties"]["LoggingConfig"]["LogGroup"]);
        assert_eq!(group, job.name("LogGroup"), "{name}");
        assert!(properties(&template, group)["RetentionInDays"].is_object(), "{group}");
    }
}

#[test]
fn functions_that_call_third_parties_can_have_a_fixed_address() {
    let template = load();
    for job in &job_types() {
        let function = job.name("Function");
        let network = &properties(&template, &function)["VpcConfig"];
        if job.job.function.hosts.is_empty() {
            assert!(network.is_null(), "{function}: it would only lose its way to AWS");
            continue;
        }
        assert_eq!(network["Fn::If"][0], "InVpc", "{function}");
        let given = json!({
            "SubnetIds": { "Ref": "SubnetIds" }, "SecurityGroupIds": { "Ref": "SecurityGroupIds" },
        });
        assert_eq!(*unless_omitted(network), given, "{function}");
    }
    let mut rules = BTreeSet::new();
    for name in ["SubnetsAlone", "SecurityGroupsAlone"] {
        let rule = &template["Rules"][name];
        let list = |test: &Value| reference(&test["Fn::EachMemberEquals"][0]).to_owned();
        rules.insert((list(&rule["RuleCondition"]), list(&rule["Assertions"][0]["Assert"])));
    }
    let [subnets, groups] = ["SubnetIds", "SecurityGroupIds"].map(str::to_owned);
    let both = [(subnets.clone(), groups.clone()), (groups, subnets)];
    assert_eq!(rules, BTreeSet::from(both), "one without the other is refused");
}

#[test]
fn the_documented_quota_is_what_the_defaults_need() {
    let template = load();
    let default = |name: &str| number(&template["Parameters"][name]["Default"]);
    let workers: u64 = job_types()
        .iter()
        .map(|job| default(&job.name("Concurrency")) + default(&job.name("HighConcurrency")))
        .sum();
    let text = fs::read_to_string(root().join("docs/deployment.md")).unwrap();
    assert!(text.contains(&format!("{workers} batches may run at once")), "{workers}");
    assert!(text.contains(&format!("need **{}**", workers + 2)), "and two sweepers");
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    assert!(readme.contains(&format!("allows {} concurrent executions", workers + 2)));
    let least = 2 * 2 * job_types().len() + 2;
    assert!(text.contains(&format!("so **{least}** is the least")), "{least}");
    let longest = xtask::stack_name::longest(&template).unwrap();
    assert!(text.contains(&format!("up to {longest} characters")), "{longest}");
    assert!(xtask::stack_name::expect(&template, xtask::stack_name::DEFAULT).is_ok());
    let settings = fs::read_to_string(root().join("infra/samconfig.toml")).unwrap();
    assert!(settings.contains(&format!("stack_name = {:?}", xtask::stack_name::DEFAULT)));
}

#[test]
fn the_sweepers_reserve_is_none_or_enough() {
    let template = load();
    let reserve = &properties(&template, "SweeperFunction")["ReservedConcurrentExecutions"];
    // 0 as a value would switch the function off ("Configuring reserved concurrency", AWS Lambda).
    assert_eq!(reserve["Fn::If"][0], "SweeperHasReserve");
    assert_eq!(reference(unless_omitted(reserve)), "SweeperReservedConcurrency");
    let parameter = &template["Parameters"]["SweeperReservedConcurrency"];
    let values = parameter["AllowedValues"].as_array().unwrap();
    assert!(values.contains(&parameter["Default"]) && parameter["Default"] == 0);
    // One runs, one may hang until its time-out, and a person may call it with a command.
    assert!(values.iter().map(number).all(|value| value == 0 || value >= 3), "{values:?}");
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
    for job in &job_types() {
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

/// The job types as the deployed sweeper reads them, with every name of the template put in as it is.
fn types_of_the_sweeper(template: &Value) -> Vec<sweeper::config::JobType> {
    let variables = &properties(template, "SweeperFunction")["Environment"]["Variables"];
    let name = |name: &str| match name {
        "AWS::StackName" => "stack".to_owned(),
        name if name.starts_with("AWS::") => "x".to_owned(),
        name if name.ends_with("Concurrency") || name.ends_with("RatePerSecond") => {
            number(&template["Parameters"][name]["Default"]).to_string()
        }
        name => name.to_owned(),
    };
    let text = |value: &Value| put_in(value["Fn::Sub"].as_str().unwrap(), name).0;
    let (types, prefix) = (text(&variables["JOB_TYPES"]), text(&variables["QUEUE_ARN_PREFIX"]));
    sweeper::config::Config::types(&types, &prefix).unwrap()
}

#[test]
fn the_sweeper_knows_every_job_type_and_nothing_else() {
    let template = load();
    let found = types_of_the_sweeper(&template);
    let variables = &properties(&template, "SweeperFunction")["Environment"]["Variables"];
    let parameter = reference(&variables["MAPPINGS_PARAMETER"]);
    let ids = properties(&template, parameter)["Value"]["Fn::Sub"].as_str().unwrap();
    let ids: BTreeMap<String, String> =
        serde_json::from_str(&put_in(ids, str::to_owned).0).unwrap();
    let held = job_types();
    assert_eq!(ids.len(), 2 * held.len());
    assert_eq!(found.len(), held.len());
    for (held, found) in held.iter().zip(&found) {
        assert_eq!((&found.kind, &found.dependency), (&held.job.kind, &held.job.dependency));
        assert_eq!(found.weight, held.job.function.weight);
        let folder = &held.job.folder;
        let names = [found.normal.name(), found.high.name()];
        assert_eq!(names, [format!("stack-{folder}"), format!("stack-{folder}-high")]);
        assert!(found.dead.ends_with(&format!(":stack-{folder}-dlq")), "{}", found.dead);
        for (event, source) in ["Normal", "High"].into_iter().zip(found.sources()) {
            let mapping = held.name(&format!("Function{event}"));
            assert_eq!(template["Resources"][&mapping]["Type"], MAPPING, "{folder}");
            assert_eq!(ids[&source.mapping], mapping);
        }
    }
}

#[test]
fn the_generated_parts_are_what_the_job_types_say() {
    let stale = generator::stale(&root(), generator::generate(&root()).unwrap());
    let names: Vec<_> = stale.iter().map(|file| file.path.display().to_string()).collect();
    assert_eq!(names, Vec::<String>::new(), "`cargo xtask template` writes them anew");
}

/// A job type with everything that a `function.toml` may say.
fn example(kind: &str) -> JobType {
    let function = generator::Function {
        timeout_s: 20,
        memory_mb: 512,
        hosts: vec!["api.example.com".into()],
        concurrency: generator::Concurrency { normal: 10, high: 4 },
        dependency: generator::Dependency::Shared,
        rate_per_second: None,
        weight: 2,
        variables: [
            ("BASE_URL".to_owned(), "BaseUrl".to_owned()),
            ("NEXT_QUEUE_ARN".to_owned(), "UrlShorteningQueue.Arn".to_owned()),
        ]
        .into(),
        permissions: vec![
            generator::Permission {
                sid: "ApiKey".into(),
                actions: vec!["secretsmanager:GetSecretValue".into()],
                resource: "ApiKeySecretArn".into(),
                condition: None,
            },
            generator::Permission {
                sid: "ApiKeyEncryption".into(),
                actions: vec!["kms:Decrypt".into()],
                resource: "ApiKeyKmsKeyArn".into(),
                condition: Some("SecretHasOwnKey".into()),
            },
        ],
    };
    let dependency = Some("example".to_owned());
    JobType { folder: kind.replace('_', "-"), kind: kind.to_owned(), dependency, function }
}

/// Every marker line of the template and nothing else.
fn markers() -> String {
    let template = fs::read_to_string(path()).unwrap();
    let lines = template.split_inclusive('\n').filter(|line| line.contains("generated: "));
    lines.collect()
}

#[test]
fn what_is_generated_for_an_example_is_the_golden_file() {
    let text = generator::template_of(&markers(), &[example("example_job")]).unwrap();
    assert_file("tests/golden/job-type.yaml", &text);
}

/// Longest names that the limits are counted with: of a region, and of a stack.
const REGION: &str = "ap-southeast-1";
const STACK: &str = "evenkeel-production";

/// A value with every reference replaced by what `put` makes of its name.
fn resolved(value: &Value, put: &dyn Fn(&str) -> String) -> Value {
    match value {
        Value::Object(map) => match (map.get("Fn::Sub"), map.get("Fn::GetAtt")) {
            (Some(text), _) => put_in(text.as_str().unwrap(), put).0.into(),
            (_, Some(path)) => put(path[0].as_str().unwrap()).into(),
            _ => map
                .iter()
                .map(|(name, value)| (name.clone(), resolved(value, put)))
                .collect::<serde_json::Map<_, _>>()
                .into(),
        },
        Value::Array(values) => {
            values.iter().map(|value| resolved(value, put)).collect::<Vec<_>>().into()
        }
        other => other.clone(),
    }
}

/// The text of a policy or variable in AWS, without the white space that AWS does not count.
fn in_aws(value: &Value, limits_of: &str) -> usize {
    let id = "12345678-1234-1234-1234-123456789012";
    let arn = |name: &str, kind: &str| {
        let words = name.trim_end_matches(".Arn").trim_end_matches(kind);
        let hyphens = words.chars().map(|c| 1 + usize::from(c.is_uppercase())).sum::<usize>();
        format!("arn:aws:sqs:{REGION}:123456789012:{STACK}{}-high", "x".repeat(hyphens))
    };
    let put = |name: &str| match name {
        "AWS::Partition" => "aws".to_owned(),
        "AWS::Region" => REGION.to_owned(),
        "AWS::AccountId" => "123456789012".to_owned(),
        "AWS::StackName" => STACK.to_owned(),
        name if name.ends_with("FunctionNormal") || name.ends_with("FunctionHigh") => id.to_owned(),
        name if name.ends_with("Concurrency") => "1000".to_owned(),
        name => arn(name, "Queue"),
    };
    let text = resolved(value, &put).to_string();
    assert!(!text.contains("${"), "{limits_of}: {text}");
    text.chars().filter(|c| !c.is_whitespace()).count()
}

#[test]
fn twenty_job_types_fit_the_limits_of_aws() {
    let template = fs::read_to_string(path()).unwrap();
    let types: Vec<JobType> =
        (0..20).map(|n| example(&format!("a_job_type_of_usual_{n:02}"))).collect();
    let text = generator::template_of(&template, &types).unwrap();
    let template = xtask::template::parse(&text).unwrap();
    let within = |limit: usize, what: &str, value: &Value| {
        let length = in_aws(value, what);
        assert!(length <= limit, "{what}: {length} characters, at most {limit}");
    };
    // "IAM and AWS STS quotas": 10,240 characters of inline policies a role, 6,144 a managed policy.
    let role = properties(&template, "SweeperRole");
    within(10_240, "the sweeper's role", &role["Policies"][0]["PolicyDocument"]);
    let mappings = properties(&template, "SweeperMappingsPolicy");
    within(6_144, "the sweeper's mappings", &mappings["PolicyDocument"]);
    // "Lambda quotas": 4 KB of environment; "Systems Manager quotas": 4 KB a standard parameter.
    let function = properties(&template, "SweeperFunction");
    within(4_096, "the sweeper's variables", &function["Environment"]["Variables"]);
    within(4_096, "the mapping ids", &properties(&template, "MappingIdsParameter")["Value"]);
    // "CloudFormation quotas": 500 resources a template. For each job type, SAM adds a version, an alias and
    // a deployment group; besides, a schedule, and an application and a role of CodeDeploy. 1 MB of
    // template, 200 parameters and outputs.
    let functions = all(&template, "AWS::Serverless::Function").len();
    let resources = template["Resources"].as_object().unwrap().len() + 3 * functions + 3;
    assert!(resources <= 500, "{resources} resources");
    assert!(template["Parameters"].as_object().unwrap().len() <= 200);
    assert!(template["Outputs"].as_object().unwrap().len() <= 200);
    assert!(text.len() < 1 << 20, "{} bytes", text.len());
}

#[test]
fn the_sweeper_may_do_what_it_does_and_is_called_each_minute() {
    let template = load();
    let mut allowed = BTreeMap::new();
    let mappings = properties(&template, "SweeperMappingsPolicy");
    assert_eq!(mappings["Roles"], json!([{ "Ref": "SweeperRole" }]));
    let mappings = mappings["PolicyDocument"]["Statement"].as_array().unwrap();
    for statement in statements(properties(&template, "SweeperRole")).into_iter().chain(mappings) {
        assert_eq!(statement["Effect"], "Allow");
        let on = several(&statement["Resource"]).iter().map(|on| match on["Fn::Sub"].as_str() {
            Some(text) => text.rsplit_once("}:").map_or(text, |(_, last)| last).to_owned(),
            None => reference(on).to_owned(),
        });
        let on: BTreeSet<String> = on.collect();
        assert!(!actions(statement).contains('*') && !on.contains("*"), "{statement}");
        allowed.insert(statement["Sid"].as_str().unwrap(), (actions(statement), on));
    }
    let held = job_types();
    let of = |endings: &[&str]| -> BTreeSet<String> {
        let names = held.iter().flat_map(|job| endings.iter().map(|ending| job.name(ending)));
        names.collect()
    };
    let one = |name: &str| BTreeSet::from([name.to_owned()]);
    let expected = [
        ("Jobs", "BatchGetItem DeleteItem GetItem PutItem Scan UpdateItem", one("JobsTable")),
        ("Due", "Query", one("${JobsTable.Arn}/index/due")),
        ("Control", "DeleteItem GetItem PutItem Query Scan", one("ControlTable")),
        ("Vehicles", "DeleteItem Scan", one("VehiclesTable")),
        ("Queues", "GetQueueAttributes GetQueueUrl SendMessage", of(&["Queue", "HighQueue"])),
        (
            "DeadLetters",
            "DeleteMessage GetQueueAttributes GetQueueUrl ReceiveMessage",
            of(&["DeadLetterQueue"]),
        ),
        ("MappingIds", "GetParameter", one("parameter/${AWS::StackName}/mappings")),
        ("Logs", "CreateLogStream PutLogEvents", one("SweeperLogGroup")),
        ("Mappings", "GetEventSourceMapping UpdateEventSourceMapping", {
            let ids = of(&["FunctionNormal", "FunctionHigh"]);
            ids.into_iter().map(|id| format!("event-source-mapping:${{{id}}}")).collect()
        }),
    ];
    let expected: BTreeMap<_, _> =
        expected.into_iter().map(|(sid, actions, on)| (sid, (actions.to_owned(), on))).collect();
    assert_eq!(allowed, expected);

    let function = properties(&template, "SweeperFunction");
    let schedule = &function["Events"]["Minutely"];
    assert_eq!(schedule["Type"], "ScheduleV2", "scheduled rules are the older service");
    assert_eq!(schedule["Properties"]["ScheduleExpression"], "rate(1 minute)");
    let timeout = number(&function["Timeout"]);
    assert!(timeout > 119 + 5, "it can stay awake until the next call, at most 119 seconds later");
    assert!(
        sweeper::lead::LEASE.as_secs() < 60,
        "one that dies has given way before the next begins"
    );
    let boxes: u64 = sweeper::pass::Pass::ALL.iter().map(|pass| pass.time_box().as_secs()).sum();
    assert!(boxes < 60, "most ticks take a second, and the longest must end in time");
    assert_eq!(function["EventInvokeConfig"]["MaximumRetryAttempts"], 0);
}
