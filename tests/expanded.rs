//! What CloudFormation gets of template.yaml, expanded by SAM's own translator: names, limits, roles.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use xtask::{expansion, stack_name, template, workspace::Workspace};

const STACK: &str = "${AWS::StackName}";

/// The kinds of resources that the template may expand to: the property that names one in AWS, and
/// how many characters a name may have there. Without a name, CloudFormation makes a unique one.
///
/// Limits: "Table naming rules" (`DynamoDB`), "`CreateQueue`" (SQS), "`CreateFunction`" (Lambda),
/// "`CreateLogGroup`" (`CloudWatch` Logs), "IAM and AWS STS quotas", "`PutParameter`" (Systems Manager),
/// "`CreateSchedule`" (`EventBridge` Scheduler).
const KINDS: [(&str, Option<(&str, usize)>); 16] = [
    ("AWS::CodeDeploy::Application", Some(("ApplicationName", 100))),
    ("AWS::CodeDeploy::DeploymentGroup", Some(("DeploymentGroupName", 100))),
    ("AWS::DynamoDB::Table", Some(("TableName", 255))),
    ("AWS::IAM::ManagedPolicy", Some(("ManagedPolicyName", 128))),
    ("AWS::IAM::Role", Some(("RoleName", 64))),
    // Its name is within that of its function.
    ("AWS::Lambda::Alias", None),
    ("AWS::Lambda::EventInvokeConfig", None),
    ("AWS::Lambda::EventSourceMapping", None),
    ("AWS::Lambda::Function", Some(("FunctionName", 64))),
    ("AWS::Lambda::Version", None),
    ("AWS::Logs::LogGroup", Some(("LogGroupName", 512))),
    ("AWS::SQS::Queue", Some(("QueueName", 80))),
    ("AWS::SQS::QueuePolicy", None),
    ("AWS::SSM::Parameter", Some(("Name", 1011))),
    ("AWS::Scheduler::Schedule", Some(("Name", 64))),
    ("AWS::Scheduler::ScheduleGroup", Some(("Name", 64))),
];

/// Kinds that get their name from a default of SAM's if they have none, the same in every stack.
const NEVER_UNNAMED: [&str; 2] = ["AWS::Lambda::Function", "AWS::Scheduler::Schedule"];

struct Expanded {
    source: Value,
    result: Value,
}

impl Expanded {
    async fn of_ours() -> Self {
        Self::with([]).await
    }

    async fn with<const N: usize>(parameters: [(&'static str, &'static str); N]) -> Self {
        let workspace = Workspace::find().await.unwrap();
        let source = template::load(&workspace.template()).unwrap();
        let parameters = BTreeMap::from(parameters);
        let result = expansion::expand(&workspace, &source, &parameters).await.unwrap();
        Self { source, result }
    }

    fn resources(&self) -> impl Iterator<Item = (&str, &str, &Value)> {
        let resources = self.result["Resources"].as_object().unwrap();
        resources.iter().map(|(name, resource)| {
            (name.as_str(), resource["Type"].as_str().unwrap(), &resource["Properties"])
        })
    }
}

/// Resources of a type, by logical id.
fn of_type<'a>(expanded: &'a Expanded, kind: &str) -> BTreeMap<&'a str, &'a Value> {
    let resources = expanded.resources().filter(|(_, found, _)| *found == kind);
    resources.map(|(name, _, properties)| (name, properties)).collect()
}

#[tokio::test]
async fn every_name_in_aws_carries_the_stacks_name_and_fits_its_limit() {
    let expanded = Expanded::with([("DeploymentPreference", "AllAtOnce")]).await;
    let longest = stack_name::longest(&expanded.source).unwrap();
    assert!(longest >= 32, "{longest} characters are few for a stack's name");
    let kinds = BTreeMap::from(KINDS);
    let mut names = BTreeMap::new();
    for (logical_id, kind, properties) in expanded.resources() {
        let known = kinds.get(kind).unwrap_or_else(|| panic!("{logical_id}: {kind} is new"));
        let Some((property, limit)) = *known else { continue };
        let Some(name) = properties.get(property) else {
            assert!(!NEVER_UNNAMED.contains(&kind), "{logical_id}: another stack has this name");
            continue;
        };
        let text = name["Fn::Sub"].as_str().unwrap_or_else(|| panic!("{logical_id}: {name}"));
        assert!(text.contains(STACK), "{logical_id}: a second stack has the name {text} too");
        let in_aws = text.replace(STACK, &"x".repeat(longest));
        assert!(!in_aws.contains("${"), "{logical_id}: {text}");
        assert!(in_aws.len() <= limit, "{logical_id}: {} of {limit} characters", in_aws.len());
        let before = names.insert((kind, text), logical_id);
        assert_eq!(before, None, "{logical_id} has the name of another, {text}");
    }
    assert!(names.len() > 15, "{names:?}");
}

#[tokio::test]
async fn sam_adds_no_role_and_no_statement() {
    let expanded = Expanded::of_ours().await;
    let roles: BTreeMap<&str, &Value> = expanded
        .resources()
        .filter(|(_, kind, _)| kind.starts_with("AWS::IAM::"))
        .map(|(name, _, properties)| (name, properties))
        .collect();
    let written: BTreeMap<&str, &Value> = expanded.source["Resources"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(_, resource)| resource["Type"].as_str().unwrap().starts_with("AWS::IAM::"))
        .map(|(name, resource)| (name.as_str(), &resource["Properties"]))
        .collect();
    assert_eq!(roles, written, "tests/template.rs holds the statements of these");
    // A permission for a service to call a function would be one that nobody wrote.
    assert!(expanded.resources().all(|(_, kind, _)| kind != "AWS::Lambda::Permission"));
}

#[tokio::test]
async fn functions_and_schedule_are_what_the_template_says() {
    let expanded = Expanded::of_ours().await;
    for (name, kind, properties) in expanded.resources() {
        match kind {
            "AWS::Lambda::Function" => {
                let processors = &expanded.source["Globals"]["Function"]["Architectures"];
                assert_eq!(properties["Architectures"], *processors, "{name}");
                assert_eq!(properties["Runtime"], "provided.al2023", "{name}");
                let source = &expanded.source["Resources"][name]["Properties"];
                assert_eq!(properties["VpcConfig"], source["VpcConfig"], "{name}");
                let role = source["Role"]["Fn::GetAtt"][0].as_str().unwrap();
                assert_eq!(properties["Role"]["Fn::GetAtt"][0], role, "{name}");
                let mode = json!({ "Mode": { "Ref": "Tracing" } });
                assert_eq!(properties["TracingConfig"], mode, "{name}");
            }
            "AWS::Lambda::EventSourceMapping" => {
                let reported = properties["FunctionResponseTypes"].as_array().unwrap();
                assert_eq!(reported, &["ReportBatchItemFailures"], "{name}");
            }
            "AWS::Scheduler::Schedule" => {
                assert_eq!(properties["Target"]["Arn"]["Fn::GetAtt"][0], "SweeperFunction");
                let role = &properties["Target"]["RoleArn"]["Fn::GetAtt"][0];
                assert_eq!(role, "SweeperScheduleRole");
                assert_eq!(properties["ScheduleExpression"], "rate(1 minute)");
            }
            _ => {}
        }
    }
}

/// How many functions take messages.
const JOB_TYPES: usize = 3;

#[tokio::test]
async fn an_update_takes_over_at_once_or_step_by_step() {
    let plain = Expanded::of_ours().await;
    for kind in ["Application", "DeploymentGroup"] {
        let found = of_type(&plain, &format!("AWS::CodeDeploy::{kind}"));
        assert!(found.is_empty(), "{found:?}: a stack pays with waiting for what nobody asked for");
    }
    let canary = "Canary10Percent5Minutes";
    let gradual =
        Expanded::with([("DeploymentPreference", canary), ("Release", "2026-11-29")]).await;
    let groups = of_type(&gradual, "AWS::CodeDeploy::DeploymentGroup");
    assert_eq!(groups.len(), JOB_TYPES);
    for (name, group) in groups {
        let configuration = &group["DeploymentConfigName"]["Fn::Sub"];
        let expected = json!(["CodeDeployDefault.Lambda${ConfigName}", { "ConfigName": canary }]);
        assert_eq!(*configuration, expected, "{name}");
        assert_eq!(group["AutoRollbackConfiguration"]["Enabled"], true, "{name}");
    }
    let aliases = of_type(&gradual, "AWS::Lambda::Alias");
    assert_eq!(aliases.len(), JOB_TYPES);
    for name in aliases.keys() {
        let alias = &gradual.result["Resources"][name];
        assert!(alias["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"].is_object(), "{name}");
    }
    // Both queues of a function call what the deployment moves.
    let mappings = of_type(&gradual, "AWS::Lambda::EventSourceMapping");
    for (name, mapping) in &mappings {
        let called = &mapping["FunctionName"]["Fn::If"];
        assert_eq!(called[0], "Gradual", "{name}");
        let alias = called[1]["Ref"].as_str().unwrap();
        assert!(aliases.contains_key(alias), "{name}: {alias}");
        assert_eq!(gradual.result["Resources"][alias]["Properties"]["FunctionName"], called[2]);
    }
    assert_eq!(mappings.len(), 2 * JOB_TYPES);
}

/// An alarm that does not exist fails the deployment instead of guarding it.
#[tokio::test]
async fn alarms_that_brake_an_update_are_those_of_the_monitoring_stack() {
    let given = [
        ("DeploymentPreference", "AllAtOnce"),
        ("Release", "2026-11-29"),
        ("DeploymentBrakes", "on"),
    ];
    let expanded = Expanded::with(given).await;
    let monitoring = template::load(std::path::Path::new("../infra/monitoring.yaml")).unwrap();
    let alarms = monitoring["Resources"].as_object().unwrap().values();
    let names = alarms.filter_map(|alarm| alarm["Properties"]["AlarmName"]["Fn::Sub"].as_str());
    let names: Vec<String> = names.map(|name| name.replace("${Stack}", STACK)).collect();
    let groups = of_type(&expanded, "AWS::CodeDeploy::DeploymentGroup");
    assert_eq!(groups.len(), JOB_TYPES);
    for (name, group) in groups {
        let braking = &group["AlarmConfiguration"]["Fn::If"];
        assert_eq!((&braking[0], &braking[2]), (&json!("Brakes"), &json!({})), "{name}");
        let alarms = braking[1]["Alarms"].as_array().unwrap();
        assert_eq!(alarms.len(), 3, "{name}");
        for alarm in alarms {
            let alarm = alarm["Name"]["Fn::Sub"].as_str().unwrap();
            assert!(names.iter().any(|name| name == alarm), "{name}: {alarm}");
        }
    }
}

/// "Modify the function to create a new version" is how CloudFormation refuses a version of a function that
/// has not changed. So a release changes the function, too.
#[tokio::test]
async fn each_release_changes_the_function_and_publishes_a_version() {
    let expanded = Expanded::of_ours().await;
    let release = json!({ "Fn::Sub": "Release ${Release}" });
    let versions = of_type(&expanded, "AWS::Lambda::Version");
    assert_eq!(versions.len(), JOB_TYPES);
    for (name, version) in versions {
        // A version that stays after an update was undone would be in the way of the same update.
        assert_eq!(expanded.result["Resources"][name]["DeletionPolicy"], "Delete", "{name}");
        assert_eq!(version["Description"], release, "{name}");
        let function = version["FunctionName"]["Ref"].as_str().unwrap();
        let function = &expanded.result["Resources"][function]["Properties"];
        assert_eq!(function["Description"], release, "{name}");
    }
}

#[test]
fn the_choices_of_an_update_are_the_same_in_both_places() {
    let template = template::load(std::path::Path::new("../template.yaml")).unwrap();
    let choices = template["Parameters"]["DeploymentPreference"]["AllowedValues"].as_array();
    let choices: BTreeMap<&str, bool> = choices
        .unwrap()
        .iter()
        .map(|choice| choice.as_str().unwrap())
        .map(|choice| (choice, choice != "off"))
        .collect();
    let mapping = template["Mappings"]["DeploymentPreferences"].as_object().unwrap();
    let known: BTreeMap<&str, bool> = mapping
        .iter()
        .map(|(choice, values)| (choice.as_str(), values["Gradual"] == "true"))
        .collect();
    assert_eq!(choices, known);
}

#[test]
fn steps_need_a_release() {
    let template = template::load(std::path::Path::new("../template.yaml")).unwrap();
    let rule = &template["Rules"]["ReleaseIsNamed"];
    let is_not = |parameter: &str| {
        let default = &template["Parameters"][parameter]["Default"];
        json!({ "Fn::Not": [{ "Fn::Equals": [{ "Ref": parameter }, default] }] })
    };
    assert_eq!(rule["RuleCondition"], is_not("DeploymentPreference"));
    assert_eq!(rule["Assertions"][0]["Assert"], is_not("Release"));
}
