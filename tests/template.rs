//! template.yaml against the Rust policies and against the rules that keep messages safe.

mod defaults;
mod generated;
mod people;
mod permissions;
mod queues;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    slice,
};

use evenkeel::policy::Policy;
use generator::JobType;
use serde_json::{Value, json};
use xtask::template;

use crate::golden::assert_file;

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

/// A value, or what stands there if the condition that may omit it is true.
fn unless_omitted(value: &Value) -> &Value {
    let Some(choice) = value["Fn::If"].as_array() else { return value };
    assert_eq!(choice[2]["Ref"], "AWS::NoValue", "{value}: it is omitted otherwise");
    &choice[1]
}

#[test]
fn every_function_of_the_template_is_held_here() {
    let template = load();
    let held = job_types();
    let known = held.iter().map(|job| job.name("Function"));
    let known: BTreeSet<String> =
        known.chain(["SweeperFunction", "OperatorFunction"].map(str::to_owned)).collect();
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
fn every_function_is_configured_built_and_logged() {
    let template = load();
    // Both `sam build` and `sam deploy` read it; of a parameter, `sam build` sees the default alone.
    let processors = &template["Globals"]["Function"]["Architectures"];
    let known = [json!(["arm64"]), json!(["x86_64"])];
    assert!(known.contains(processors), "{processors}: a literal");
    let version = &template["Globals"]["Function"]["Environment"]["Variables"]["VERSION"];
    assert_eq!(version, env!("CARGO_PKG_VERSION"), "all crates have the version of the workspace");
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
    for name in ["SweeperFunction", "OperatorFunction"] {
        named.insert(format!("{name}Name"), name.to_owned());
    }
    for name in ["ViewerPolicy", "OperatorPolicy"] {
        named.insert(format!("{name}Arn"), name.to_owned());
    }
    let outputs = template["Outputs"].as_object().unwrap();
    let found: BTreeMap<String, String> = outputs
        .iter()
        .map(|(name, output)| (name.clone(), reference(&output["Value"]).to_owned()))
        .collect();
    assert_eq!(found, named);
}
