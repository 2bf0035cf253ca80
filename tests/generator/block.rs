//! The block of `template.yaml` of one job type.

use std::fmt::Write as _;

use evenkeel::policy::{BATCH_SIZE, LONGEST_MESSAGE_LIFE, MAX_RECEIVES, QUEUE_RETENTION};

use crate::{Dependency, JobType};

/// Function time-outs for which a message stays invisible, as AWS asks ("Using Lambda with Amazon SQS").
const VISIBILITY_TIMEOUTS: u64 = 6;

/// Memory of every function, which `Globals` sets.
const USUAL_MEMORY_MB: u64 = 256;

/// The parameters of a type's concurrencies.
pub(crate) fn parameters(job: &JobType) -> String {
    let concurrency = job.function.concurrency;
    let parameter = |ending: &str, default: u32, queue: &str| {
        format!(
            "  {name}:
    Type: Number
    Default: {default}
    MinValue: 2
    MaxValue: 1000
    Description: Most batches of the {queue} of {kind} at work at the same time
",
            name = job.logical_id(ending),
            kind = job.kind,
        )
    };
    parameter("Concurrency", concurrency.normal, "normal queue")
        + &parameter("HighConcurrency", concurrency.high, "high-priority queue")
}

/// The outputs of a type.
pub(crate) fn outputs(job: &JobType) -> String {
    let kind = &job.kind;
    let output = |name: &str, ending: &str, description: String| {
        format!(
            "  {}:\n    Description: {description}\n    Value: !Ref {}\n",
            job.logical_id(name),
            job.logical_id(ending)
        )
    };
    [
        output("QueueUrl", "Queue", format!("Send {kind} jobs here")),
        output("HighQueueUrl", "HighQueue", format!("Send {kind} jobs here that people wait for")),
        output(
            "DeadLetterQueueUrl",
            "DeadLetterQueue",
            format!("Messages of {kind} that no function could acknowledge"),
        ),
        output("FunctionName", "Function", format!("The function behind both queues of {kind}")),
    ]
    .concat()
}

/// Queues, log group, role and function of a type.
pub(crate) fn resources(job: &JobType) -> String {
    let title = |part: &str| format!("  # {} {}: {part}\n", "-".repeat(64), job.kind);
    let hosts = match job.function.hosts.as_slice() {
        [] => "  # It calls no host outside AWS.\n".to_owned(),
        hosts => format!("  # Hosts outside AWS that it calls: {}\n", hosts.join(", ")),
    };
    let parts = [
        title("queues") + &queue(job, "Queue", ""),
        queue(job, "HighQueue", "-high"),
        dead_letter_queue(job),
        queue_policy(job, "Queue"),
        queue_policy(job, "HighQueue"),
        queue_policy(job, "DeadLetterQueue"),
        title("function") + &hosts + &log_group(job),
        role(job),
        function(job),
        mapping(job, "Normal", "Queue", "Concurrency", job.function.batching_window_s),
        mapping(job, "High", "HighQueue", "HighConcurrency", 0),
    ];
    parts.join("\n")
}

fn queue(job: &JobType, ending: &str, suffix: &str) -> String {
    let (name, dead) = (job.logical_id(ending), job.logical_id("DeadLetterQueue"));
    format!(
        "  {name}:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: !Sub ${{AWS::StackName}}-{folder}{suffix}
      VisibilityTimeout: {visibility}
      MessageRetentionPeriod: {retention} # {days} days
      SqsManagedSseEnabled: true
      RedrivePolicy:
        deadLetterTargetArn: !GetAtt {dead}.Arn
        maxReceiveCount: {MAX_RECEIVES}
",
        folder = job.folder,
        visibility = VISIBILITY_TIMEOUTS * job.function.timeout_s + job.function.batching_window_s,
        retention = QUEUE_RETENTION.as_secs(),
        days = QUEUE_RETENTION.as_secs() / 86_400,
    )
}

fn dead_letter_queue(job: &JobType) -> String {
    let arn = "arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:${AWS::StackName}";
    let folder = &job.folder;
    format!(
        "  {name}:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: !Sub ${{AWS::StackName}}-{folder}-dlq
      MessageRetentionPeriod: {retention} # {days} days, the most there is
      SqsManagedSseEnabled: true
      RedriveAllowPolicy:
        redrivePermission: byQueue
        sourceQueueArns:
          - !Sub {arn}-{folder}
          - !Sub {arn}-{folder}-high
",
        name = job.logical_id("DeadLetterQueue"),
        retention = LONGEST_MESSAGE_LIFE.as_secs(),
        days = LONGEST_MESSAGE_LIFE.as_secs() / 86_400,
    )
}

fn queue_policy(job: &JobType, ending: &str) -> String {
    let queue = job.logical_id(ending);
    format!(
        "  {queue}Policy:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref {queue}]
      PolicyDocument:
        Version: \"2012-10-17\"
        Statement:
          - Sid: TlsOnly
            Effect: Deny
            Principal: \"*\"
            Action: sqs:*
            Resource: !GetAtt {queue}.Arn
            Condition:
              Bool: {{ \"aws:SecureTransport\": \"false\" }}
"
    )
}

fn log_group(job: &JobType) -> String {
    format!(
        "  {name}:
    Type: AWS::Logs::LogGroup
    DeletionPolicy: Delete
    UpdateReplacePolicy: Delete
    Properties:
      LogGroupName: !Sub /aws/lambda/${{AWS::StackName}}-{folder}
      RetentionInDays: !Ref LogRetentionDays
",
        name = job.logical_id("LogGroup"),
        folder = job.folder,
    )
}

/// A value of the template: `!GetAtt` with a dot in it, `!Ref` without.
fn reference(name: &str) -> String {
    let tag = if name.contains('.') { "GetAtt" } else { "Ref" };
    format!("!{tag} {name}")
}

fn statement(sid: &str, actions: &[String], resources: &[String]) -> String {
    let list = |key: &str, values: &[String]| match values {
        [one] => format!("                {key}: {one}\n"),
        several => {
            let lines = several.iter().map(|value| format!("                  - {value}\n"));
            format!("                {key}:\n{}", lines.collect::<String>())
        }
    };
    format!("              - Sid: {sid}\n                Effect: Allow\n")
        + &list("Action", actions)
        + &list("Resource", resources)
}

/// A statement that the role has only under a condition of the template.
fn conditional(condition: &str, statement: &str) -> String {
    let lines = statement.lines().map(|line| {
        let line = line
            .strip_prefix("              - ")
            .map_or_else(|| format!("  {line}"), |first| format!("                - {first}"));
        line + "\n"
    });
    format!(
        "              - !If\n                - {condition}\n{}                - !Ref AWS::NoValue\n",
        lines.collect::<String>()
    )
}

fn of(service: &str, actions: &[&str]) -> Vec<String> {
    actions.iter().map(|action| format!("{service}:{action}")).collect()
}

/// The resources that a function's variables name as queues to send to.
fn sends_to(job: &JobType) -> Vec<String> {
    let variables = job.function.variables.iter();
    let queues = variables.filter(|(name, _)| name.ends_with("_QUEUE_ARN"));
    queues.map(|(_, value)| reference(value)).collect()
}

fn role(job: &JobType) -> String {
    let jobs =
        ["BatchGetItem", "GetItem", "PartiQLInsert", "PartiQLUpdate", "PutItem", "UpdateItem"];
    let mut control = vec![
        "DeleteItem",
        "GetItem",
        "PartiQLDelete",
        "PartiQLInsert",
        "PartiQLUpdate",
        "PutItem",
        "Query",
        "UpdateItem",
    ];
    // A batch of jobs for several hosts reads their breakers and limiters in one call.
    if job.function.dependency == Dependency::PerHost {
        control.insert(0, "BatchGetItem");
    }
    let queues = [
        "ChangeMessageVisibility",
        "DeleteMessage",
        "GetQueueAttributes",
        "GetQueueUrl",
        "ReceiveMessage",
    ];
    let arn = |ending: &str| format!("!GetAtt {}.Arn", job.logical_id(ending));
    let mut statements = vec![
        statement("Jobs", &of("dynamodb", &jobs), &["!GetAtt JobsTable.Arn".to_owned()]),
        statement("Control", &of("dynamodb", &control), &["!GetAtt ControlTable.Arn".to_owned()]),
        statement("Queues", &of("sqs", &queues), &[arn("Queue"), arn("HighQueue")]),
    ];
    statements.extend(job.function.permissions.iter().map(|permission| {
        let mut actions = permission.actions.clone();
        actions.sort();
        let text = statement(&permission.sid, &actions, &[reference(&permission.resource)]);
        permission.condition.as_ref().map_or(text.clone(), |name| conditional(name, &text))
    }));
    let to = sends_to(job);
    if !to.is_empty() {
        statements.push(statement("SendTo", &of("sqs", &["GetQueueUrl", "SendMessage"]), &to));
    }
    let logs = of("logs", &["CreateLogStream", "PutLogEvents"]);
    // A log group's ARN ends with `:*`, which stands for the streams of this one group.
    statements.push(statement("Logs", &logs, &[arn("LogGroup")]));
    format!(
        "  {name}:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: \"2012-10-17\"
        Statement:
          - Effect: Allow
            Principal: {{ Service: lambda.amazonaws.com }}
            Action: sts:AssumeRole
      ManagedPolicyArns:
{network}{tracing}      Policies:
        - PolicyName: {folder}
          PolicyDocument:
            Version: \"2012-10-17\"
            Statement:
{statements}",
        name = job.logical_id("Role"),
        folder = job.folder,
        statements = statements.concat(),
        network = if calls_out(job) { NETWORK_POLICY } else { "" },
        tracing = TRACING_POLICY,
    )
}

/// Whether a function calls hosts outside AWS, and so runs in the VPC if there is one.
fn calls_out(job: &JobType) -> bool {
    !job.function.hosts.is_empty()
}

/// AWS's policy for network interfaces, which have no ARN before they exist: it allows every resource.
const NETWORK_POLICY: &str = "        - !If
          - InVpc
          - !Sub arn:${AWS::Partition}:iam::aws:policy/service-role/AWSLambdaENIManagementAccess
          - !Ref AWS::NoValue
";

/// AWS's policy for sending traces: X-Ray's segments have no ARN either.
const TRACING_POLICY: &str = "        - !If
          - Traced
          - !Sub arn:${AWS::Partition}:iam::aws:policy/AWSXRayDaemonWriteAccess
          - !Ref AWS::NoValue
";

/// Subnets and security groups, if the stack has some.
const NETWORK: &str = "      VpcConfig: !If
        - InVpc
        - { SubnetIds: !Ref SubnetIds, SecurityGroupIds: !Ref SecurityGroupIds }
        - !Ref AWS::NoValue
";

fn function(job: &JobType) -> String {
    let (id, folder) = (|ending: &str| job.logical_id(ending), &job.folder);
    let mut text = format!(
        "  {name}:
    Type: AWS::Serverless::Function
    Metadata:
      BuildMethod: rust-cargolambda
      BuildProperties:
        Binary: {folder}
    Properties:
      FunctionName: !Sub ${{AWS::StackName}}-{folder}
      CodeUri: functions/{folder}
      Timeout: {timeout}
",
        name = id("Function"),
        timeout = job.function.timeout_s,
    );
    if job.function.memory_mb != USUAL_MEMORY_MB {
        let _ = writeln!(text, "      MemorySize: {}", job.function.memory_mb);
    }
    if calls_out(job) {
        text += NETWORK;
    }
    if !sends_to(job).is_empty() {
        text += "      # It sends to queues of this stack, though never to its own. Lambda would take a chain of some
      # 16 hops for a loop and stop it; records and deduplication end such a chain here.
      RecursiveLoop: Allow
";
    }
    let _ = write!(
        text,
        "      Role: !GetAtt {role}.Arn
      LoggingConfig:
        LogGroup: !Ref {logs}
      Environment:
        Variables:
          JOBS_TABLE: !Ref JobsTable
          CONTROL_TABLE: !Ref ControlTable
",
        role = id("Role"),
        logs = id("LogGroup"),
    );
    for (name, value) in &job.function.variables {
        let _ = writeln!(text, "          {name}: {}", reference(value));
    }
    text += &UPDATES.replace("FOLDER", &job.folder);
    text
}

/// A version of each update, to which the deployment moves the events at once or step by step. `FOLDER` stands for
/// that of the type.
const UPDATES: &str = "      AutoPublishAlias: live
      # SAM would retain versions, also one of an update that was undone; then the same update could not be
      # tried again, because nothing has changed since that version.
      VersionDeletionPolicy: Delete
      # A version is published only if the code or a setting of the function has changed, and SAM does not
      # see the settings that come from parameters.
      Description: !Sub Release ${Release}
      VersionDescription: !Sub Release ${Release}
      DeploymentPreference:
        Enabled: !FindInMap [DeploymentPreferences, !Ref DeploymentPreference, Gradual]
        Type: !Ref DeploymentPreference
        # Alarms of infra/monitoring.yaml, which must be there before. One that fires undoes the update.
        Alarms: !If
          - Brakes
          - - !Sub ${AWS::StackName}-FailureShare-FOLDER
            - !Sub ${AWS::StackName}-FunctionErrors-FOLDER
            - !Sub ${AWS::StackName}-Throttles-FOLDER
          - [!Ref AWS::NoValue]
";

/// What brings the messages of a queue to the function. It is no event of SAM's, because that would always
/// call the published version.
fn mapping(
    job: &JobType,
    event: &str,
    queue: &str,
    parameter: &str,
    batching_window_s: u64,
) -> String {
    let id = |ending: &str| job.logical_id(ending);
    let window = match batching_window_s {
        0 => String::new(),
        seconds => format!("      MaximumBatchingWindowInSeconds: {seconds}\n"),
    };
    format!(
        "  {mapping}:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      FunctionName: !If [Gradual, !Ref {function}.Alias, !Ref {function}]
      EventSourceArn: !GetAtt {queue}.Arn
      BatchSize: {BATCH_SIZE}
{window}      FunctionResponseTypes: [ReportBatchItemFailures]
      ScalingConfig:
        MaximumConcurrency: !Ref {parameter}
",
        mapping = id(&format!("Function{event}")),
        function = id("Function"),
        queue = id(queue),
        parameter = id(parameter),
    )
}
