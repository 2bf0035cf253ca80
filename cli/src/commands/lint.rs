//! `evenkeel lint`: reads a function.toml, a template or messages, and says which safety rules they break. It asks no
//! stack.

mod function;
mod messages;
mod template;
mod yaml;

use std::fs;

use crate::{
    args::Lint,
    exit::{Exit, Failure},
    output::Answer,
    shapes::{Finding, Linted},
    table::table,
};

/// What a file is read as, by the end of its name.
#[derive(Clone, Copy)]
enum Kind {
    Function,
    Template,
    Messages,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::Template => "template",
            Self::Messages => "messages",
        }
    }

    fn of(given: &Lint) -> Result<Self, Failure> {
        let extension = given.path.extension().unwrap_or_default().to_string_lossy();
        match extension.to_ascii_lowercase().as_str() {
            "toml" => Ok(Self::Function),
            "yaml" | "yml" => Ok(Self::Template),
            "json" | "jsonl" | "ndjson" => Ok(Self::Messages),
            _ => Err(Failure::usage(format!(
                "{}: expected a function.toml, a template (.yaml, .yml) or messages (.json, .jsonl, .ndjson)",
                given.path.display()
            ))),
        }
    }
}

/// Checks a file. Status 3 if it breaks a rule. Fails if it cannot be read as what its name says.
pub(crate) fn run(given: &Lint) -> Result<Answer, Failure> {
    let (kind, path) = (Kind::of(given)?, given.path.display().to_string());
    let unreadable = |why: String| Failure::usage(format!("{path}: {why}"));
    let text = fs::read_to_string(&given.path).map_err(|error| unreadable(error.to_string()))?;
    let findings = match kind {
        Kind::Function => function::check(&text),
        Kind::Template => template::check(&text),
        Kind::Messages => messages::check(&text, given.kind.as_deref()),
    };
    let mut findings = findings.map_err(unreadable)?;
    findings.sort();
    findings.dedup();
    let row = |found: &Finding| {
        vec![found.line.to_string(), found.field.clone(), found.rule.clone(), found.message.clone()]
    };
    let text = table(&["LINE", "FIELD", "RULE", "WHAT"], findings.iter().map(row).collect());
    let (exit, remark) = match findings.len() {
        0 => (Exit::Done, format!("{path}: no finding, read as {}", kind.name())),
        1 => (Exit::No, format!("{path}: 1 finding")),
        count => (Exit::No, format!("{path}: {count} findings")),
    };
    let linted = Linted { path: path.clone(), read_as: kind.name().to_owned(), findings };
    Ok(Answer::list(&linted, "findings", text)?.remark(remark).exit(exit))
}

/// A finding at a line and a field.
fn finding(line: u64, field: impl Into<String>, rule: &str, message: String) -> Finding {
    Finding { line, field: field.into(), rule: rule.to_owned(), message }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn nothing_is_found_in_the_files_of_this_repository() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let functions = fs::read_dir(root.join("functions")).unwrap();
        let functions = functions.map(|entry| entry.unwrap().path().join("function.toml"));
        let mut files: Vec<_> = functions.filter(|path| path.exists()).collect();
        assert!(files.len() >= 3, "the job types are found");
        files.push(root.join("template.yaml"));
        files.push(root.join("infra/monitoring.yaml"));
        for path in files {
            let text = format!("{:?}", run(&Lint { path: path.clone(), kind: None }).unwrap());
            assert!(text.contains("exit: Done"), "{}: {text}", path.display());
        }
    }
}
