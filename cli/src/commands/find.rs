//! Finds the record of a job from what an operator knows of it.

use crate::{
    args::OneJob,
    deployment::{Deployment, JobType},
    exit::{Exit, Failure},
    ports::{Kept, Ports},
};

/// What was found for an id.
#[derive(Debug)]
pub(crate) struct Found {
    /// The key that was looked for; of several types without a record, that of the first.
    pub(crate) key: String,
    /// The item; `None` if there is none.
    pub(crate) item: Option<Kept>,
    /// Every key that was looked for.
    pub(crate) keys: Vec<String>,
    /// DynamoDB's read units.
    pub(crate) units: f64,
}

/// The keys that an id may stand for.
fn keys(stack: &Deployment, job: &OneJob) -> Result<Vec<String>, Failure> {
    if job.id.starts_with("q#") {
        return Ok(vec![job.id.clone()]);
    }
    let is_key = |(kind, rest): (&str, &str)| {
        let is_type = stack.types.iter().any(|job| job.kind == kind);
        is_type && (rest.starts_with("g:") || rest.starts_with("d:"))
    };
    if job.id.split_once('#').is_some_and(is_key) {
        return Ok(vec![job.id.clone()]);
    }
    let of = |one: &JobType| format!("{}#g:{}", one.kind, job.id);
    Ok(stack.chosen(job.kind.as_deref())?.into_iter().map(of).collect())
}

/// Reads the item with the id. Fails if several job types have a job with it.
pub(crate) async fn find<P: Ports>(
    ports: &P,
    stack: &Deployment,
    job: &OneJob,
) -> Result<Found, Failure> {
    let keys = keys(stack, job)?;
    let mut found = Vec::new();
    let mut units = 0.0;
    for key in &keys {
        let read = ports.item(&stack.jobs, key).await?;
        units += read.units;
        found.extend(read.value.map(|item| (key.clone(), item)));
    }
    if found.len() > 1 {
        let keys: Vec<&str> = found.iter().map(|(key, _)| key.as_str()).collect();
        let message = format!("id: {:?} is known to several types: {}", job.id, keys.join(", "));
        return Err(Failure::usage(message).hint("name one with --type, or give the whole key"));
    }
    let (key, item) = match found.pop() {
        Some((key, item)) => (key, Some(item)),
        None => (keys.first().cloned().unwrap_or_default(), None),
    };
    Ok(Found { key, item, keys, units })
}

/// The failure of a command that needs a record.
pub(crate) fn absent(job: &OneJob) -> Failure {
    let message = format!("no record of {:?}", job.id);
    Failure::new(Exit::Failed, "not_found", message).hint(format!(
        "its message may not be claimed yet: `evenkeel jobs explain {}`; or it was rejected: `evenkeel rejected list`",
        job.id
    ))
}

/// The failure of a command that cannot read a record.
pub(crate) fn unreadable(key: &str, why: &str) -> Failure {
    Failure::new(Exit::Failed, "unreadable", format!("{key} cannot be read: {why}"))
        .hint("a newer version may have written it: update this command")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{memory::MemoryPorts, stack, stack::Target};

    const TYPES: &str = r#"[{"type":"a"},{"type":"b"}]"#;

    async fn found(ports: &MemoryPorts, id: &str, kind: Option<&str>) -> Result<Found, Failure> {
        let stack = stack::find(ports, &Target::default()).await.unwrap();
        find(ports, &stack, &OneJob { id: id.to_owned(), kind: kind.map(str::to_owned) }).await
    }

    #[tokio::test]
    async fn an_id_a_key_and_a_type_lead_to_the_record() {
        let item = || Kept::Unreadable("for this test".to_owned());
        let ports = MemoryPorts::stack("s", TYPES)
            .with_item("a#g:1", item())
            .with_item("b#g:2", item())
            .with_item("a#g:2", item())
            .with_item("b#g:x#y", item());
        for (id, kind, key) in [
            ("1", None, "a#g:1"),
            ("b#g:2", None, "b#g:2"),
            ("2", Some("b"), "b#g:2"),
            ("x#y", None, "b#g:x#y"),
        ] {
            let found = found(&ports, id, kind).await.unwrap();
            assert_eq!((found.key.as_str(), found.item.is_some()), (key, true), "{id}");
        }
        let several = found(&ports, "2", None).await.unwrap_err();
        assert!(several.message.contains("a#g:2, b#g:2"), "{}", several.message);
        let none = found(&ports, "nope", None).await.unwrap();
        assert_eq!((none.key.as_str(), none.item.is_some(), none.units), ("a#g:nope", false, 1.0));
        assert_eq!(found(&ports, "1", Some("z")).await.unwrap_err().code, "usage");
    }
}
