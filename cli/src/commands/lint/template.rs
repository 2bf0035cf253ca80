//! Rules for a template: what keeps messages from being lost, delivered too early or deleted unread.

use evenkeel::policy::{BATCH_SIZE, EARLIEST_RETURN, MAX_RECEIVES, QUEUE_RETENTION};

use super::{finding, yaml::Node};
use crate::shapes::Finding;

/// Function time-outs for which a message stays invisible, as AWS asks ("Using Lambda with Amazon SQS").
const VISIBILITY_TIMEOUTS: u64 = 6;

/// SQS's `VisibilityTimeout` if a queue names none, in seconds.
const USUAL_VISIBILITY_S: u64 = 30;

/// Lambda's time-out if a function names none, in seconds.
const USUAL_TIMEOUT_S: u64 = 3;

/// Longest time-out of a function that takes messages, in seconds: a process that dies is not noticed before.
const LONGEST_TIMEOUT_S: u64 = 60;

/// `MaximumConcurrency` that SQS takes.
const SLOTS: std::ops::RangeInclusive<u64> = 2..=1_000;

/// What delivers a queue's messages to a function: an event source mapping, or an event of a SAM function.
struct Source<'a> {
    /// Its path within the template.
    path: String,
    node: &'a Node,
    function: Option<&'a str>,
    queue: Option<&'a str>,
}

/// Checks a template. Fails if it is none.
pub(super) fn check(text: &str) -> Result<Vec<Finding>, String> {
    let root = Node::read(text)?;
    if root.get("Resources").is_none_or(|resources| resources.fields().next().is_none()) {
        return Err("expected a template with Resources".to_owned());
    }
    let mut findings = Vec::new();
    for source in sources(&root) {
        findings.extend(of_source(&root, &source));
        if let Some(queue) = source.queue {
            findings.extend(of_queue(&root, queue, source.function));
        }
        if let Some(function) = source.function {
            findings.extend(of_function(&root, function));
        }
    }
    let functions = of_type(&root, "AWS::Serverless::Function");
    findings.extend(functions.flat_map(|(name, function)| of_variables(name, function)));
    Ok(findings)
}

/// Names and nodes of the resources of a type.
fn of_type<'a>(root: &'a Node, kind: &'a str) -> impl Iterator<Item = (&'a str, &'a Node)> {
    let resources = root.get("Resources").into_iter().flat_map(Node::fields);
    resources.filter(move |(_, node)| node.get("Type").and_then(Node::text) == Some(kind))
}

fn sources(root: &Node) -> Vec<Source<'_>> {
    let mut sources = Vec::new();
    for (name, mapping) in of_type(root, "AWS::Lambda::EventSourceMapping") {
        let Some(node) = mapping.get("Properties") else { continue };
        let queue = node.get("EventSourceArn").and_then(Node::reference);
        let function = node.get("FunctionName").and_then(Node::reference);
        // Other sources, such as streams, have other rules.
        if queue.is_some_and(|queue| is_queue(root, queue)) {
            let path = format!("Resources.{name}.Properties");
            sources.push(Source { path, node, function, queue });
        }
    }
    for (name, function) in of_type(root, "AWS::Serverless::Function") {
        let events = function.at(&["Properties", "Events"]).into_iter().flat_map(Node::fields);
        for (event, node) in events {
            let is_queue = node.get("Type").and_then(Node::text) == Some("SQS");
            let Some(node) = node.get("Properties").filter(|_| is_queue) else { continue };
            let path = format!("Resources.{name}.Properties.Events.{event}.Properties");
            let queue = node.get("Queue").and_then(Node::reference);
            sources.push(Source { path, node, function: Some(name), queue });
        }
    }
    sources
}

fn is_queue(root: &Node, name: &str) -> bool {
    let kind = root.at(&["Resources", name, "Type"]).and_then(Node::text);
    kind == Some("AWS::SQS::Queue")
}

fn of_source(root: &Node, source: &Source<'_>) -> Vec<Finding> {
    let Source { path, node, .. } = source;
    let mut findings = Vec::new();
    let mut add = |field: &str, rule: &str, message: String| {
        let line = node.get(field).map_or(node.line, |node| node.line);
        findings.push(finding(line, format!("{path}.{field}"), rule, message));
    };
    let reported = node.get("FunctionResponseTypes").map(Node::entries).unwrap_or_default();
    if !reported.iter().any(|entry| entry.text() == Some("ReportBatchItemFailures")) {
        let message = "expected [ReportBatchItemFailures]: without it a whole batch is deleted, whatever its jobs did";
        add("FunctionResponseTypes", "partial_batches", message.to_owned());
    }
    if node.get("FilterCriteria").is_some() {
        let message = "expected none: a filter deletes what it does not match, for good";
        add("FilterCriteria", "no_filter", message.to_owned());
    }
    if let Some(size) = node.get("BatchSize").and_then(Node::number)
        && size > BATCH_SIZE as u64
    {
        add("BatchSize", "batch_size", format!("{size}, expected at most {BATCH_SIZE}"));
    }
    if let Some(message) = slots_problem(root, node) {
        add("ScalingConfig", "concurrency", message);
    }
    findings
}

/// What is wrong with a mapping's `MaximumConcurrency`.
fn slots_problem(root: &Node, mapping: &Node) -> Option<String> {
    let Some(most) = mapping.at(&["ScalingConfig", "MaximumConcurrency"]) else {
        return Some(
            "expected a MaximumConcurrency: a flood would take the whole account".to_owned(),
        );
    };
    if let Some(slots) = most.number() {
        let is_good = SLOTS.contains(&slots);
        return (!is_good).then(|| format!("MaximumConcurrency {slots}, expected 2 to 1000"));
    }
    let parameter = most.reference()?;
    let least = root.at(&["Parameters", parameter, "MinValue"]).and_then(Node::number);
    let is_good = least.is_some_and(|least| SLOTS.contains(&least));
    (!is_good).then(|| format!("expected MinValue 2 or more at the parameter {parameter}"))
}

/// The time-out of a function in seconds; `None` if the template leaves it to a parameter.
fn timeout(root: &Node, function: &str) -> Option<u64> {
    let own = root.at(&["Resources", function, "Properties", "Timeout"]);
    match own.or_else(|| root.at(&["Globals", "Function", "Timeout"])) {
        Some(node) => node.number(),
        None => Some(USUAL_TIMEOUT_S),
    }
}

fn of_queue(root: &Node, name: &str, function: Option<&str>) -> Vec<Finding> {
    let Some(queue) = root.at(&["Resources", name]) else { return Vec::new() };
    let property = |field: &str| queue.at(&["Properties", field]);
    let mut findings = Vec::new();
    let mut add = |field: &str, rule: &str, message: String| {
        let line = property(field).map_or(queue.line, |node| node.line);
        findings.push(finding(line, format!("Resources.{name}.Properties.{field}"), rule, message));
    };
    let hidden = property("VisibilityTimeout");
    let hidden = hidden.map_or(Some(USUAL_VISIBILITY_S), Node::number);
    let run = function.and_then(|function| timeout(root, function));
    if let (Some(hidden), Some(run)) = (hidden, run) {
        let least = (VISIBILITY_TIMEOUTS * run).max(EARLIEST_RETURN.as_secs() + 1);
        if hidden < least {
            let message = format!(
                "{hidden} s, expected at least {least}: six time-outs of the function, and more than {}",
                EARLIEST_RETURN.as_secs()
            );
            add("VisibilityTimeout", "visibility_timeout", message);
        }
    }
    let Some(redrive) = property("RedrivePolicy") else {
        let message = "expected one: a message that nobody can read comes back until it expires";
        add("RedrivePolicy", "redrive_policy", message.to_owned());
        return findings;
    };
    let receives = redrive.get("maxReceiveCount");
    let is_enough = receives
        .is_some_and(|count| count.number().is_none_or(|count| count >= u64::from(MAX_RECEIVES)));
    if !is_enough {
        let found = receives.and_then(Node::text).unwrap_or("none");
        let message = format!(
            "maxReceiveCount {found}, expected at least {MAX_RECEIVES}: a job must reach the limits of its policy first"
        );
        add("RedrivePolicy", "max_receives", message);
    }
    let Some(letters) = redrive.get("deadLetterTargetArn") else {
        let message = "expected a deadLetterTargetArn".to_owned();
        add("RedrivePolicy", "redrive_policy", message);
        return findings;
    };
    let kept = |queue: &Node| {
        let kept = queue.at(&["Properties", "MessageRetentionPeriod"]);
        kept.map_or(Some(QUEUE_RETENTION.as_secs()), Node::number)
    };
    let letters = letters.reference().and_then(|name| root.at(&["Resources", name]));
    if let (Some(own), Some(theirs)) = (kept(queue), letters.and_then(kept))
        && theirs <= own
    {
        let message = format!(
            "the dead-letter queue keeps messages for {theirs} s, expected more than the {own} s here: a message keeps \
             the time of its first send"
        );
        add("RedrivePolicy", "dead_letter_retention", message);
    }
    findings
}

fn of_function(root: &Node, name: &str) -> Option<Finding> {
    let seconds = timeout(root, name).filter(|seconds| *seconds > LONGEST_TIMEOUT_S)?;
    let function = root.at(&["Resources", name])?;
    let line = function.at(&["Properties", "Timeout"]).map_or(function.line, |node| node.line);
    let field = format!("Resources.{name}.Properties.Timeout");
    let message = format!(
        "{seconds} s, expected at most {LONGEST_TIMEOUT_S}: a process that dies is not noticed before"
    );
    Some(finding(line, field, "timeout", message))
}

/// Variables whose names say that their values are keys. A key in a template is a key in a repository.
fn of_variables(name: &str, function: &Node) -> Vec<Finding> {
    let path = ["Properties", "Environment", "Variables"];
    let variables = function.at(&path).into_iter().flat_map(Node::fields);
    let keys = variables.filter(|(variable, _)| variable.ends_with("_KEY"));
    let found = |(variable, node): (&str, &Node)| {
        let field = format!("Resources.{name}.{}.{variable}", path.join("."));
        let message = "expected no key in a variable, but its secret's ARN".to_owned();
        finding(node.line, field, "no_key", message)
    };
    keys.map(found).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "\
Parameters:
  Most: { Type: Number, MinValue: 2 }
Resources:
  Q:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: 120
      RedrivePolicy: { deadLetterTargetArn: !GetAtt D.Arn, maxReceiveCount: 25 }
  D:
    Type: AWS::SQS::Queue
    Properties: { MessageRetentionPeriod: 1209600 }
  F:
    Type: AWS::Serverless::Function
    Properties:
      Timeout: 20
  M:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      FunctionName: !Ref F
      EventSourceArn: !GetAtt Q.Arn
      BatchSize: 10
      FunctionResponseTypes: [ReportBatchItemFailures]
      ScalingConfig: { MaximumConcurrency: !Ref Most }
";

    fn rules(text: &str) -> Vec<String> {
        let findings = check(text).unwrap();
        findings.iter().map(|found| format!("{} {}", found.line, found.rule)).collect()
    }

    #[test]
    fn each_broken_rule_is_named_with_its_line() {
        assert_eq!(rules(GOOD), [""; 0]);
        for (good, bad, expected) in [
            ("VisibilityTimeout: 120", "VisibilityTimeout: 119", "7 visibility_timeout"),
            ("      VisibilityTimeout: 120\n", "", "4 visibility_timeout"),
            ("maxReceiveCount: 25", "maxReceiveCount: 3", "8 max_receives"),
            ("deadLetterTargetArn: !GetAtt D.Arn, ", "", "8 redrive_policy"),
            ("      RedrivePolicy: {", "      Other: {", "4 redrive_policy"),
            ("1209600", "345600", "8 dead_letter_retention"),
            ("Timeout: 20", "Timeout: 90", "15 timeout"),
            ("BatchSize: 10", "BatchSize: 11", "21 batch_size"),
            ("[ReportBatchItemFailures]", "[]", "22 partial_batches"),
            ("BatchSize: 10", "FilterCriteria: { Filters: [] }", "21 no_filter"),
            ("MinValue: 2", "MinValue: 1", "23 concurrency"),
            ("!Ref Most", "1", "23 concurrency"),
            ("      ScalingConfig", "      Scaling", "18 concurrency"),
            ("Timeout: 20", "Environment: { Variables: { API_KEY: x } }", "15 no_key"),
        ] {
            assert!(GOOD.contains(good), "{good}");
            let found = rules(&GOOD.replacen(good, bad, 1));
            assert!(found.contains(&expected.to_owned()), "{bad}: {found:?}");
        }
    }

    #[test]
    fn an_event_of_a_sam_function_is_held_to_the_same_rules() {
        let event = "\
Resources:
  Q: { Type: AWS::SQS::Queue }
  F:
    Type: AWS::Serverless::Function
    Properties:
      Events:
        E: { Type: SQS, Properties: { Queue: !GetAtt Q.Arn } }
";
        assert_eq!(
            rules(event),
            ["7 partial_batches", "7 concurrency", "2 visibility_timeout", "2 redrive_policy"]
        );
        assert!(check("a: 1\n").unwrap_err().contains("Resources"));
    }

    /// A time-out or a number that a parameter decides is not guessed.
    #[test]
    fn what_a_parameter_decides_is_left_open() {
        let open = GOOD.replace("Timeout: 20", "Timeout: !Ref Most");
        assert_eq!(
            rules(&open.replace("maxReceiveCount: 25", "maxReceiveCount: !Ref Most")),
            [""; 0]
        );
    }
}
