//! The parts that are generated from the job types.

use super::*;

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
        batching_window_s: 0,
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
    let role = properties(&template, "OperatorRole");
    within(10_240, "the operator's role", &role["Policies"][0]["PolicyDocument"]);
    let mappings = properties(&template, "OperatorMappingsPolicy");
    within(6_144, "the operator's mappings", &mappings["PolicyDocument"]);
    for name in ["ViewerPolicy", "OperatorPolicy"] {
        within(6_144, name, &properties(&template, name)["PolicyDocument"]);
    }
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
