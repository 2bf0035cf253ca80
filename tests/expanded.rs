//! What CloudFormation gets of template.yaml, expanded by SAM's own translator: names, limits, roles.

use std::collections::BTreeMap;

use serde_json::Value;
use xtask::{expansion, stack_name, template, workspace::Workspace};

const STACK: &str = "${AWS::StackName}";

/// The kinds of resources that the template may expand to: the property that names one in AWS, and
/// how many characters a name may have there. Without a name, CloudFormation makes a unique one.
///
/// Limits: "Table naming rules" (`DynamoDB`), "`CreateQueue`" (SQS), "`CreateFunction`" (Lambda),
/// "`CreateLogGroup`" (`CloudWatch` Logs), "IAM and AWS STS quotas", "`PutParameter`" (Systems Manager),
/// "`CreateSchedule`" (`EventBridge` Scheduler).
const KINDS: [(&str, Option<(&str, usize)>); 11] = [
    ("AWS::DynamoDB::Table", Some(("TableName", 255))),
    ("AWS::IAM::ManagedPolicy", Some(("ManagedPolicyName", 128))),
    ("AWS::IAM::Role", Some(("RoleName", 64))),
    ("AWS::Lambda::EventInvokeConfig", None),
    ("AWS::Lambda::EventSourceMapping", None),
    ("AWS::Lambda::Function", Some(("FunctionName", 64))),
    ("AWS::Logs::LogGroup", Some(("LogGroupName", 512))),
    ("AWS::SQS::Queue", Some(("QueueName", 80))),
    ("AWS::SQS::QueuePolicy", None),
    ("AWS::SSM::Parameter", Some(("Name", 1011))),
    ("AWS::Scheduler::Schedule", Some(("Name", 64))),
];

/// Kinds that get their name from a default of SAM's if they have none, the same in every stack.
const NEVER_UNNAMED: [&str; 2] = ["AWS::Lambda::Function", "AWS::Scheduler::Schedule"];

struct Expanded {
    source: Value,
    result: Value,
}

impl Expanded {
    async fn of_ours() -> Self {
        let workspace = Workspace::find().await.unwrap();
        let source = template::load(&workspace.template()).unwrap();
        let result = expansion::expand(&workspace, &source).await.unwrap();
        Self { source, result }
    }

    fn resources(&self) -> impl Iterator<Item = (&str, &str, &Value)> {
        let resources = self.result["Resources"].as_object().unwrap();
        resources.iter().map(|(name, resource)| {
            (name.as_str(), resource["Type"].as_str().unwrap(), &resource["Properties"])
        })
    }
}

#[tokio::test]
async fn every_name_in_aws_carries_the_stacks_name_and_fits_its_limit() {
    let expanded = Expanded::of_ours().await;
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
