//! `evenkeel schema`.

use serde_json::{Value, json};

use crate::{
    exit::{Exit, Failure},
    output::Answer,
    schema,
    table::table,
};

/// The schema of a job type's messages, or the list of types.
pub(crate) fn show(kind: Option<&str>) -> Result<Answer, Failure> {
    let kinds: Vec<&str> = schema::kinds().collect();
    let Some(kind) = kind else {
        let rows = kinds.iter().map(|kind| vec![(*kind).to_owned()]).collect();
        return Answer::list(&json!({ "types": kinds }), "types", table(&["TYPE"], rows));
    };
    let text = schema::text(kind).ok_or_else(|| {
        Failure::usage(format!("type: {kind:?}, expected one of {}", kinds.join(", ")))
    })?;
    let value: Value = serde_json::from_str(text)
        .map_err(|error| Failure::new(Exit::Failed, "not_json", error.to_string()))?;
    Answer::one(&value, format!("{}\n", text.trim_end()))
}
