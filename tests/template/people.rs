//! The policies for people against the calls of the command `evenkeel`, and the schedules of feeds.

use super::*;

/// Fields of the command's SDK clients, as its source names them, and the prefixes of their actions.
const CLIENTS: [(&str, &str); 7] = [
    ("self.dynamo", "dynamodb"),
    ("self.lambda", "lambda"),
    ("self.scheduler", "scheduler"),
    ("self.sqs", "sqs"),
    ("self.ssm", "ssm"),
    ("self.sts", "sts"),
    // The statistics are read by functions that are given the client.
    ("client", "dynamodb"),
];

/// Calls whose action has another name ("Service Authorization Reference").
const RENAMED: [(&str, &str); 2] =
    [("lambda:Invoke", "lambda:InvokeFunction"), ("sqs:SendMessageBatch", "sqs:SendMessage")];

/// Scheduler asks whether the caller may hand over the role of a schedule.
const PASS_ROLE: &str = "iam:PassRole";

/// The files that may call AWS; a tidy test holds that.
fn sources() -> Vec<String> {
    let folder = root().join("cli/src/aws");
    let entries = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.chain([folder.with_extension("rs")]);
    let texts: Vec<String> = files.map(|path| fs::read_to_string(path).unwrap()).collect();
    assert!(texts.len() >= 7, "the files are found");
    texts
}

/// `GetItem` for `get_item`.
fn in_camel_case(method: &str) -> String {
    let words = method.split('_').filter(|word| !word.is_empty());
    words.map(|word| word[..1].to_uppercase() + &word[1..]).collect()
}

/// The action of every call in a source text.
fn calls(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    // A long chain of calls stands on several lines.
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ").replace(" .", ".");
    for (client, service) in CLIENTS {
        for (place, _) in text.match_indices(client) {
            let before = text[..place].chars().next_back();
            let is_word = before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != '.');
            let after = text[place + client.len()..].strip_prefix('.');
            let method = after.and_then(|after| after.split_once('('));
            let Some((method, _)) = method.filter(|_| is_word) else { continue };
            let action = format!("{service}:{}", in_camel_case(method));
            let renamed = RENAMED.iter().find(|(call, _)| *call == action);
            found.insert(renamed.map_or(action, |(_, action)| (*action).to_owned()));
        }
    }
    found
}

fn statements<'a>(template: &'a Value, policy: &str) -> &'a Vec<Value> {
    assert_eq!(template["Resources"][policy]["Condition"], "HasOperatorPolicies", "{policy}");
    let statements = &properties(template, policy)["PolicyDocument"]["Statement"];
    statements.as_array().unwrap()
}

fn actions(template: &Value, policy: &str) -> BTreeSet<String> {
    let actions = statements(template, policy).iter().flat_map(|one| several(&one["Action"]));
    actions.map(|action| action.as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_calls_of_a_source_text_are_found() {
    let text = "self.dynamo.get_item().send(); self\n  .lambda\n  .invoke(); let query = client\n    .query();\n\
                http_client(client).a(); self.sqs\n        .send_message_batch()";
    let expected =
        ["dynamodb:GetItem", "dynamodb:Query", "lambda:InvokeFunction", "sqs:SendMessage"];
    assert_eq!(calls(text), expected.map(str::to_owned).into());
}

#[test]
fn the_policies_allow_what_the_command_calls_and_nothing_else() {
    let template = load();
    let mut needed: BTreeSet<String> = sources().iter().flat_map(|text| calls(text)).collect();
    assert!(needed.len() > 10, "{needed:?}");
    needed.insert(PASS_ROLE.to_owned());
    let [viewer, operator] =
        ["ViewerPolicy", "OperatorPolicy"].map(|name| actions(&template, name));
    assert_eq!(viewer.intersection(&operator).count(), 0, "who operates gets both");
    assert_eq!(viewer.union(&operator).cloned().collect::<BTreeSet<_>>(), needed);
    for action in &viewer {
        let name = action.split_once(':').unwrap().1;
        let is_read = ["Get", "List", "Query"].iter().any(|verb| name.starts_with(verb));
        assert!(is_read, "{action} is no read");
    }
}

#[test]
fn the_policies_name_this_stacks_resources_and_no_others() {
    let template = load();
    let of_account = [
        "lambda:GetAccountSettings",
        "lambda:ListFunctions",
        "scheduler:ListSchedules",
        "sts:GetCallerIdentity",
    ];
    for policy in ["ViewerPolicy", "OperatorPolicy"] {
        for statement in statements(&template, policy) {
            assert_eq!(statement["Effect"], "Allow");
            if statement["Resource"] == "*" {
                assert_eq!(statement["Action"], json!(of_account), "{policy}: {statement}");
                continue;
            }
            for resource in several(&statement["Resource"]) {
                let Some(text) = resource["Fn::Sub"].as_str() else {
                    assert!(resource["Fn::GetAtt"].is_array(), "{policy}: {resource}");
                    continue;
                };
                // Another stack's name may begin with this one's and a hyphen.
                let is_open =
                    text.ends_with("${AWS::StackName}-*") || text.ends_with("StackName}*");
                assert!(!is_open, "{policy}: {text}");
                let is_ours =
                    text.contains("${AWS::StackName}") || text.contains("${JobsTable.Arn}");
                let is_mapping = statement["Action"] == "lambda:GetEventSourceMapping";
                assert!(is_ours || is_mapping, "{policy}: {text}");
            }
        }
    }
    let pass = statements(&template, "OperatorPolicy").iter();
    let pass = pass.filter(|one| one["Action"] == PASS_ROLE).collect::<Vec<_>>();
    let [pass] = pass.as_slice() else { panic!("one statement: {pass:?}") };
    assert_eq!(reference(&pass["Resource"]), "FeedScheduleRole");
    let to = &pass["Condition"]["StringEquals"]["iam:PassedToService"];
    assert_eq!(*to, "scheduler.amazonaws.com");
    let sends = statements(&template, "OperatorPolicy").iter();
    let sends = sends.filter(|one| one["Action"] == "sqs:SendMessage");
    let sends: BTreeSet<&str> =
        sends.flat_map(|one| several(&one["Resource"])).map(reference).collect();
    let queues = job_types().iter().flat_map(Held::queues).collect::<Vec<_>>();
    let queues = queues.iter().map(String::as_str).filter(|queue| !queue.contains("DeadLetter"));
    assert_eq!(sends, queues.collect());
}

#[test]
fn the_schedules_of_feeds_send_to_the_queue_of_feeds_alone() {
    let template = load();
    let group = properties(&template, "FeedScheduleGroup");
    assert_eq!(group["Name"]["Fn::Sub"], "${AWS::StackName}");
    let role = properties(&template, "FeedScheduleRole");
    let trust = &role["AssumeRolePolicyDocument"]["Statement"];
    assert_eq!(trust[0]["Principal"]["Service"], "scheduler.amazonaws.com");
    assert_eq!(trust[0]["Condition"]["StringEquals"]["aws:SourceAccount"]["Ref"], "AWS::AccountId");
    let policies = role["Policies"].as_array().unwrap();
    let [statement] = policies[0]["PolicyDocument"]["Statement"].as_array().unwrap().as_slice()
    else {
        panic!("one statement: {policies:?}")
    };
    assert_eq!((policies.len(), &statement["Action"]), (1, &json!("sqs:SendMessage")));
    let parameter = properties(&template, "FeedsParameter");
    assert_eq!(
        parameter["Name"]["Fn::Sub"], "/${AWS::StackName}/feeds",
        "the command's name for it"
    );
    let value: Value =
        serde_json::from_str(parameter["Value"]["Fn::Sub"].as_str().unwrap()).unwrap();
    let fields = (&value["group"], &value["role"]);
    assert_eq!(fields, (&json!("${FeedScheduleGroup}"), &json!("${FeedScheduleRole.Arn}")));
    let types = value["types"].as_array().unwrap().iter().map(|kind| kind.as_str().unwrap());
    let held = job_types();
    let queues = types.map(|kind| {
        let job = held.iter().find(|job| job.job.kind == kind);
        job.unwrap_or_else(|| panic!("{kind} is no job type")).name("Queue")
    });
    let allowed = several(&statement["Resource"]).iter().map(|queue| reference(queue).to_owned());
    assert_eq!(allowed.collect::<Vec<_>>(), queues.collect::<Vec<_>>());
}
