//! IAM: what roles allow.

use anyhow::{Context as _, Result, bail};
use reqwest::{Method, Url};
use serde_json::Value;

use super::Client;

/// The inline policy of a role, as JSON. Fails if the role does not have it.
pub async fn policy(client: &Client, role: &str, policy: &str) -> Result<Value> {
    let answer = call(client, "GetRolePolicy", &named(role, policy)).await?;
    document(&answer, "PolicyDocument")
}

/// Writes the inline policy of a role. Its sessions are held to it at once.
pub async fn set_policy(client: &Client, role: &str, policy: &str, document: &Value) -> Result<()> {
    let text = document.to_string();
    let mut fields = named(role, policy).to_vec();
    fields.push(("PolicyDocument", &text));
    call(client, "PutRolePolicy", &fields).await.map(drop)
}

/// The ARN of the one managed policy of a role. Fails if there is none, or several.
pub async fn managed_policy(client: &Client, role: &str) -> Result<String> {
    let answer = call(client, "ListAttachedRolePolicies", &[("RoleName", role)]).await?;
    if answer.matches("<PolicyArn>").count() != 1 {
        bail!("{role}: expected one managed policy: {answer}");
    }
    between(&answer, "PolicyArn").map(str::to_owned).context("expected an ARN")
}

/// The document of a managed policy, as JSON, in the version that roles are held to.
pub async fn managed_document(client: &Client, arn: &str) -> Result<Value> {
    let answer = call(client, "GetPolicy", &[("PolicyArn", arn)]).await?;
    let version = between(&answer, "DefaultVersionId").context("GetPolicy: no version")?;
    let fields = [("PolicyArn", arn), ("VersionId", version)];
    document(&call(client, "GetPolicyVersion", &fields).await?, "Document")
}

/// IAM answers in XML, with documents as in an address.
fn document(answer: &str, name: &str) -> Result<Value> {
    let text = between(answer, name).with_context(|| format!("expected a {name}"))?;
    let decoded = Url::parse(&format!("http://document/?document={text}"))?;
    let text = decoded.query_pairs().next().map(|(_, text)| text.into_owned());
    serde_json::from_str(&text.unwrap_or_default()).with_context(|| format!("{name}: not JSON"))
}

/// Takes a managed policy from a role, or gives it.
pub async fn attach(client: &Client, role: &str, arn: &str, attached: bool) -> Result<()> {
    let action = if attached { "AttachRolePolicy" } else { "DetachRolePolicy" };
    call(client, action, &[("RoleName", role), ("PolicyArn", arn)]).await.map(drop)
}

const fn named<'a>(role: &'a str, policy: &'a str) -> [(&'a str, &'a str); 2] {
    [("RoleName", role), ("PolicyName", policy)]
}

/// What stands in the first element of this name.
fn between<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(text, _)| text)
}

async fn call(client: &Client, action: &str, fields: &[(&str, &str)]) -> Result<String> {
    let mut form = Url::parse("http://form")?;
    form.query_pairs_mut()
        .extend_pairs([("Action", action), ("Version", "2010-05-08")])
        .extend_pairs(fields);
    let body = form.query().unwrap_or_default().as_bytes().to_vec();
    client.rest("iam", Method::POST, "/", body).await.context(action.to_owned())
}

#[cfg(test)]
mod tests {
    use super::between;

    #[test]
    fn an_element_of_xml_is_found() {
        let xml = "<a><Arn>x</Arn><Arn>y</Arn></a>";
        assert_eq!((between(xml, "Arn"), between(xml, "Name")), (Some("x"), None));
    }
}
