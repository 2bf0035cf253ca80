//! CloudFormation: a template goes up as a change set, as `sam deploy` does it.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use roxmltree::{Document, Node};
use serde_json::Value;
use tokio::time::sleep;

use super::{Client, ServiceError};

/// Time between two looks at a change.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Looks after which a change counts as stuck: two minutes.
const MOST_LOOKS: u32 = 1200;

/// What a deployed stack consists of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deployed {
    /// The template's outputs.
    pub outputs: BTreeMap<String, String>,
    /// The physical name of each resource by its name in the template.
    pub resources: BTreeMap<String, String>,
}

/// Deploys a template, whose code is uploaded already, as a new stack or over an older one. Fails
/// with the reasons of every resource that failed.
pub async fn deploy(
    client: &Client,
    stack: &str,
    template: &Value,
    parameters: &BTreeMap<String, String>,
) -> Result<Deployed> {
    let kind = if status(client, stack).await?.is_some() { "UPDATE" } else { "CREATE" };
    if propose(client, stack, kind, template, parameters).await? {
        let names = [("StackName", stack), ("ChangeSetName", CHANGE_SET)];
        call(client, "ExecuteChangeSet", &names).await?;
        finished(client, stack).await?;
    }
    describe(client, stack).await
}

const CHANGE_SET: &str = "xtask";

/// Makes the change set and waits for it. False: it holds no change.
async fn propose(
    client: &Client,
    stack: &str,
    kind: &str,
    template: &Value,
    parameters: &BTreeMap<String, String>,
) -> Result<bool> {
    let body = template.to_string();
    let mut form: Vec<(String, &str)> = [
        ("StackName", stack),
        ("ChangeSetName", CHANGE_SET),
        ("ChangeSetType", kind),
        ("TemplateBody", &body),
        ("Capabilities.member.1", "CAPABILITY_IAM"),
        ("Capabilities.member.2", "CAPABILITY_AUTO_EXPAND"),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec();
    for (number, (key, value)) in (1..).zip(parameters) {
        form.push((format!("Parameters.member.{number}.ParameterKey"), key));
        form.push((format!("Parameters.member.{number}.ParameterValue"), value));
    }
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (&**name, *value)).collect();
    call(client, "CreateChangeSet", &form).await?;
    for _ in 0..MOST_LOOKS {
        let names = [("StackName", stack), ("ChangeSetName", CHANGE_SET)];
        let answer = call(client, "DescribeChangeSet", &names).await?;
        let document = Document::parse(&answer).context("DescribeChangeSet: expected XML")?;
        let root = document.root_element();
        match text(root, "Status").unwrap_or_default() {
            "CREATE_COMPLETE" => return Ok(true),
            "FAILED" => {
                let reason = text(root, "StatusReason").unwrap_or_default();
                ensure!(
                    reason.contains("didn't contain changes"),
                    "the change set failed: {reason}"
                );
                return Ok(false);
            }
            _ => sleep(LOOK_EVERY).await,
        }
    }
    bail!("the change set of {stack} is not ready after two minutes")
}

async fn finished(client: &Client, stack: &str) -> Result<()> {
    for _ in 0..MOST_LOOKS {
        match status(client, stack).await?.as_deref() {
            Some("CREATE_COMPLETE" | "UPDATE_COMPLETE") => return Ok(()),
            Some(going) if going.ends_with("_IN_PROGRESS") && !going.contains("ROLLBACK") => {
                sleep(LOOK_EVERY).await;
            }
            other => {
                let reasons = failures(client, stack).await?.join("\n");
                bail!("{stack} is {}:\n{reasons}", other.unwrap_or("gone"))
            }
        }
    }
    bail!("{stack} is not deployed after two minutes")
}

/// The stack's status; none if there is no such stack.
async fn status(client: &Client, stack: &str) -> Result<Option<String>> {
    match call(client, "DescribeStacks", &[("StackName", stack)]).await {
        Err(error)
            if error
                .downcast_ref::<ServiceError>()
                .is_some_and(|refused| refused.code == "ValidationError") =>
        {
            Ok(None)
        }
        answer => {
            let answer = answer?;
            let document = Document::parse(&answer).context("DescribeStacks: expected XML")?;
            let status = text(document.root_element(), "StackStatus").map(str::to_owned);
            // A stack that only ever was a change set may be created as if it were new.
            Ok(status.filter(|status| status != "REVIEW_IN_PROGRESS"))
        }
    }
}

async fn failures(client: &Client, stack: &str) -> Result<Vec<String>> {
    let answer = call(client, "DescribeStackEvents", &[("StackName", stack)]).await?;
    let document = Document::parse(&answer).context("DescribeStackEvents: expected XML")?;
    let events = members(document.root_element(), "StackEvents");
    let failed = events.filter_map(|event| {
        let status = text(event, "ResourceStatus").filter(|status| status.ends_with("_FAILED"))?;
        let name = text(event, "LogicalResourceId").unwrap_or_default();
        Some(format!(
            "{name} {status}: {}",
            text(event, "ResourceStatusReason").unwrap_or_default()
        ))
    });
    Ok(failed.collect())
}

async fn describe(client: &Client, stack: &str) -> Result<Deployed> {
    let answer = call(client, "DescribeStacks", &[("StackName", stack)]).await?;
    let stacks = Document::parse(&answer).context("DescribeStacks: expected XML")?;
    let outputs = pairs(stacks.root_element(), "Outputs", "OutputKey", "OutputValue");
    let answer = call(client, "DescribeStackResources", &[("StackName", stack)]).await?;
    let parts = Document::parse(&answer).context("DescribeStackResources: expected XML")?;
    let list = "StackResources";
    let resources = pairs(parts.root_element(), list, "LogicalResourceId", "PhysicalResourceId");
    Ok(Deployed { outputs, resources })
}

async fn call(client: &Client, action: &str, form: &[(&str, &str)]) -> Result<String> {
    let mut whole = vec![("Action", action), ("Version", "2010-05-15")];
    whole.extend_from_slice(form);
    client.query("cloudformation", &whole).await
}

fn text<'a>(node: Node<'a, '_>, name: &str) -> Option<&'a str> {
    node.descendants()
        .find(|inner| inner.has_tag_name(name) || inner.tag_name().name() == name)?
        .text()
}

fn members<'a, 'd>(root: Node<'a, 'd>, list: &str) -> impl Iterator<Item = Node<'a, 'd>> {
    let list = root.descendants().find(|node| node.tag_name().name() == list);
    list.into_iter().flat_map(|list| list.children()).filter(Node::is_element)
}

fn pairs(root: Node<'_, '_>, list: &str, key: &str, value: &str) -> BTreeMap<String, String> {
    members(root, list)
        .filter_map(|member| Some((text(member, key)?.to_owned(), text(member, value)?.to_owned())))
        .collect()
}

#[cfg(test)]
mod tests {
    use roxmltree::Document;

    use super::{pairs, text};

    const STACK: &str = r#"<DescribeStacksResponse xmlns="http://cloudformation.amazonaws.com/doc/">
<DescribeStacksResult><Stacks><member><StackStatus>CREATE_COMPLETE</StackStatus><Outputs>
<member><OutputKey>A</OutputKey><OutputValue>1 &amp; 2</OutputValue></member>
<member><OutputKey>B</OutputKey><OutputValue>b</OutputValue></member>
</Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>"#;

    #[test]
    fn an_answer_is_read_in_its_name_space() {
        let document = Document::parse(STACK).expect("XML");
        assert_eq!(text(document.root_element(), "StackStatus"), Some("CREATE_COMPLETE"));
        let outputs = pairs(document.root_element(), "Outputs", "OutputKey", "OutputValue");
        assert_eq!(outputs["A"], "1 & 2");
        assert_eq!(outputs["B"], "b");
    }
}
