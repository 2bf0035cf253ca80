//! A running stack as variables of a shell: `target/local/env.sh`.

use std::fmt::Write as _;

use anyhow::Result;

use super::description::Description;

/// The file's text. Besides the outputs of the template, each under its own name in capitals, it
/// holds what AWS clients read, and the short names that our documents use.
pub(crate) fn text(stack: &Description) -> Result<String> {
    let pid = stack.holder.pid;
    let mut text = format!(
        "# Written by `cargo xtask up`. Read it with: . target/local/env.sh\n\
         kill -0 {pid} 2>/dev/null || echo 'This stack is gone; `cargo xtask up` starts one.' >&2\n"
    );
    let short = [
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_REGION", stack.region.as_str()),
        ("AWS_DEFAULT_REGION", stack.region.as_str()),
        ("AWS_ENDPOINT_URL", stack.endpoint.as_str()),
        ("ENDPOINT", stack.endpoint.as_str()),
        ("SANDBOX", stack.sandbox_url.as_str()),
        ("TABLE", stack.output("JobsTableName")?),
        ("CONTROL", stack.output("ControlTableName")?),
    ];
    let short = short.map(|(name, value)| (name.to_owned(), value));
    let outputs = stack.outputs.iter().map(|(name, value)| (in_capitals(name), value.as_str()));
    for (name, value) in short.into_iter().chain(outputs) {
        // Writing into a text does not fail.
        let _ = writeln!(text, "export {name}='{}'", value.replace('\'', r"'\''"));
    }
    Ok(text)
}

/// `UrlShorteningQueueUrl` is `URL_SHORTENING_QUEUE_URL`.
fn in_capitals(name: &str) -> String {
    let mut capitals = String::new();
    for (place, letter) in name.char_indices() {
        if place > 0 && letter.is_ascii_uppercase() {
            capitals.push('_');
        }
        capitals.push(letter.to_ascii_uppercase());
    }
    capitals
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{in_capitals, text};
    use crate::local::Description;

    #[test]
    fn a_shell_gets_addresses_and_every_output() {
        assert_eq!(in_capitals("UrlShorteningQueueUrl"), "URL_SHORTENING_QUEUE_URL");
        let outputs = [
            ("ControlTableName", "control"),
            ("JobsTableName", "it's jobs"),
            ("UrlShorteningQueueUrl", "http://127.0.0.1:1/q"),
        ];
        let outputs = BTreeMap::from(outputs.map(|(k, v)| (k.to_owned(), v.to_owned())));
        let aws = "http://127.0.0.1:1".to_owned();
        let stack = Description::of_ours(aws, "http://127.0.0.1:2".to_owned(), outputs);
        let text = text(&stack.expect("a stack")).expect("all outputs are there");
        for line in [
            "export AWS_ENDPOINT_URL='http://127.0.0.1:1'",
            "export SANDBOX='http://127.0.0.1:2'",
            r"export TABLE='it'\''s jobs'",
            "export CONTROL='control'",
            "export URL_SHORTENING_QUEUE_URL='http://127.0.0.1:1/q'",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}: {text}");
        }
    }
}
