//! What each function may do, and who may send to a queue.

use super::*;

/// The statements of the one policy that a role may have, those under a condition included.
fn statements(role: &Value) -> Vec<&Value> {
    let policies = role["Policies"].as_array().unwrap();
    assert_eq!(policies.len(), 1, "its statements stand in one place");
    let statements = policies[0]["PolicyDocument"]["Statement"].as_array().unwrap();
    statements.iter().map(unless_omitted).collect()
}

/// Policies of AWS allow every resource. These are for network interfaces and for segments of traces, which have no
/// name yet; each with the condition under which a role has it.
const NETWORK: (&str, &str) = ("InVpc", "service-role/AWSLambdaENIManagementAccess");
const TRACING: (&str, &str) = ("Traced", "AWSXRayDaemonWriteAccess");

/// AWS's policies that a role has: the condition of each, and its name.
fn managed(role: &Value) -> Vec<(&str, &str)> {
    let policies = several(&role["ManagedPolicyArns"]).iter();
    let named = policies.map(|policy| {
        let arn = unless_omitted(policy)["Fn::Sub"].as_str().unwrap();
        (policy["Fn::If"][0].as_str().unwrap(), arn.split_once(":policy/").unwrap().1)
    });
    named.collect()
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
    let others = ["SweeperRole", "SweeperScheduleRole", "OperatorRole", "FeedScheduleRole"];
    assert_eq!(roles.len(), job_types().len() + others.len(), "no role without a function");
    for job in &job_types() {
        let role = job.name("Role");
        let own = reference(&properties(&template, &job.name("Function"))["Role"]);
        assert_eq!(own, role, "SAM's own role allows too much, and another's something else");
        let properties = roles[role.as_str()];
        let calls_out = !job.job.function.hosts.is_empty();
        let expected: &[(&str, &str)] = if calls_out { &[NETWORK, TRACING] } else { &[TRACING] };
        assert_eq!(managed(properties), expected, "{role}");
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

#[test]
fn every_function_sends_traces_if_the_stack_is_told_to_and_may_do_so_then_only() {
    let template = load();
    let parameter = &template["Parameters"]["Tracing"];
    assert_eq!(parameter["Default"], "PassThrough");
    assert_eq!(parameter["AllowedValues"], json!(["PassThrough", "Active"]));
    let is_active = json!({ "Fn::Equals": [{ "Ref": "Tracing" }, "Active"] });
    assert_eq!(template["Conditions"]["Traced"], is_active);
    assert_eq!(template["Globals"]["Function"]["Tracing"], json!({ "Ref": "Tracing" }));
    for (name, function) in all(&template, "AWS::Serverless::Function") {
        assert!(function["Tracing"].is_null(), "{name}: what all functions have in common decides");
        let role = properties(&template, reference(&function["Role"]));
        assert!(managed(role).contains(&TRACING), "{name}");
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

/// Actions and resources, by the name of their statement.
type Allowed<'a> = BTreeMap<&'a str, (String, BTreeSet<String>)>;

/// What a role and its managed policy allow.
fn allowed<'a>(template: &'a Value, name: &str) -> Allowed<'a> {
    let mut allowed = BTreeMap::new();
    let mappings = properties(template, &format!("{name}MappingsPolicy"));
    let role = format!("{name}Role");
    assert_eq!(mappings["Roles"], json!([{ "Ref": role }]));
    let mappings = mappings["PolicyDocument"]["Statement"].as_array().unwrap();
    for statement in statements(properties(template, &role)).into_iter().chain(mappings) {
        assert_eq!(statement["Effect"], "Allow");
        let on = several(&statement["Resource"]).iter().map(|on| match on["Fn::Sub"].as_str() {
            Some(text) => text.rsplit_once("}:").map_or(text, |(_, last)| last).to_owned(),
            None => reference(on).to_owned(),
        });
        let on: BTreeSet<String> = on.collect();
        assert!(!actions(statement).contains('*') && !on.contains("*"), "{statement}");
        allowed.insert(statement["Sid"].as_str().unwrap(), (actions(statement), on));
    }
    allowed
}

/// What a role should allow, from rows of statement, actions and resources.
fn by_statement<const N: usize>(
    rows: [(&'static str, &str, BTreeSet<String>); N],
) -> Allowed<'static> {
    rows.into_iter().map(|(sid, actions, on)| (sid, (actions.to_owned(), on))).collect()
}

fn one(name: &str) -> BTreeSet<String> {
    BTreeSet::from([name.to_owned()])
}

/// What all job types have with these endings.
fn of_all(endings: &[&str]) -> BTreeSet<String> {
    let jobs = job_types();
    jobs.iter().flat_map(|job| endings.iter().map(|ending| job.name(ending))).collect()
}

/// The event source mappings of all job types.
fn mappings() -> BTreeSet<String> {
    let ids = of_all(&["FunctionNormal", "FunctionHigh"]);
    ids.into_iter().map(|id| format!("event-source-mapping:${{{id}}}")).collect()
}

#[test]
fn the_operator_may_do_what_it_does_and_nothing_calls_it_by_itself() {
    let template = load();
    let expected = [
        ("Jobs", "BatchGetItem DeleteItem GetItem UpdateItem", one("JobsTable")),
        ("Due", "Query", one("${JobsTable.Arn}/index/due")),
        ("Control", "DeleteItem GetItem PutItem Query UpdateItem", one("ControlTable")),
        ("Queues", "GetQueueUrl SendMessage", of_all(&["Queue", "HighQueue"])),
        ("MappingIds", "GetParameter", one("parameter/${AWS::StackName}/mappings")),
        ("Logs", "CreateLogStream PutLogEvents", one("OperatorLogGroup")),
        ("Mappings", "UpdateEventSourceMapping", mappings()),
    ];
    assert_eq!(allowed(&template, "Operator"), by_statement(expected));
    let function = properties(&template, "OperatorFunction");
    assert!(function["Events"].is_null(), "only people call it");
    let answers = sweeper::operator::ANSWER_WITHIN.as_secs_f64();
    assert!(answers < 5.0 && number(&function["Timeout"]) > 10);
    let variables = |name: &str| &properties(&template, name)["Environment"]["Variables"];
    let mut own = variables("OperatorFunction").clone();
    assert_eq!(own.as_object_mut().unwrap().remove("FUNCTION"), Some("operator".into()));
    for (name, value) in own.as_object().unwrap() {
        assert_eq!(*value, variables("SweeperFunction")[name], "{name}");
    }
}

#[test]
fn the_sweeper_may_do_what_it_does_and_is_called_each_minute() {
    let template = load();
    let expected = [
        ("Jobs", "BatchGetItem DeleteItem GetItem PutItem Scan UpdateItem", one("JobsTable")),
        ("Due", "Query", one("${JobsTable.Arn}/index/due")),
        ("Control", "DeleteItem GetItem PutItem Query Scan UpdateItem", one("ControlTable")),
        ("Vehicles", "DeleteItem Scan", one("VehiclesTable")),
        ("Queues", "GetQueueAttributes GetQueueUrl SendMessage", of_all(&["Queue", "HighQueue"])),
        (
            "DeadLetters",
            "DeleteMessage GetQueueAttributes GetQueueUrl ReceiveMessage",
            of_all(&["DeadLetterQueue"]),
        ),
        ("MappingIds", "GetParameter", one("parameter/${AWS::StackName}/mappings")),
        ("Logs", "CreateLogStream PutLogEvents", one("SweeperLogGroup")),
        ("Mappings", "GetEventSourceMapping UpdateEventSourceMapping", mappings()),
    ];
    assert_eq!(allowed(&template, "Sweeper"), by_statement(expected));

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
