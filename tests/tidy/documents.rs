//! What the documents name exists: paths, headings, commands. And the documents stay short.

use std::{collections::BTreeSet, fs, path::Path};

use super::{
    files::{self, File, root},
    rust_text::code,
};

/// What the name of a file ends with, if a document names it.
const EXTENSIONS: [&str; 11] =
    ["html", "json", "lock", "md", "py", "rs", "sh", "toml", "txt", "yaml", "yml"];

/// Every Markdown file.
pub(super) fn documents() -> Vec<File> {
    let found: Vec<File> =
        files::all().into_iter().filter(|file| file.has_extension("md")).collect();
    assert!(found.len() >= 20, "the documents are found");
    found
}

/// Without the blocks of code.
pub(super) fn prose(text: &str) -> String {
    let mut prose = String::new();
    let mut fenced = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            prose.push_str(line);
        }
        prose.push('\n');
    }
    assert!(!fenced, "a block of code has no end:\n{text}");
    prose
}

/// What stands between backticks.
pub(super) fn spans(prose: &str) -> Vec<&str> {
    let mut spans = Vec::new();
    let mut rest = prose;
    while let Some(start) = rest.find('`') {
        let after = rest[start..].trim_start_matches('`');
        let ticks = &rest[start..rest.len() - after.len()];
        rest = after;
        if let Some(end) = after.find(ticks) {
            spans.push(&after[..end]);
            rest = &after[end + ticks.len()..];
        }
    }
    spans
}

/// The targets of links to places in the repository.
fn links(prose: &str) -> Vec<&str> {
    let targets = prose.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    targets.map(|(target, _)| target).filter(|target| !target.contains("://")).collect()
}

/// Whether a span is a path in the repository: not one from the root of the file system, of what a
/// build makes, or with a placeholder.
fn is_path(span: &str) -> bool {
    let extension = Path::new(span).extension();
    let known = extension.is_some_and(|own| EXTENSIONS.iter().any(|extension| own == *extension));
    let elsewhere = span.starts_with('/') || span.starts_with("target/") || span.contains("://");
    let placeholder = span.contains("NAME") || span.contains(['*', '<', '{', '$', '…']);
    let other = elsewhere || placeholder || span.contains(char::is_whitespace);
    span.contains('/') && (known || span.ends_with('/')) && !other
}

/// The folder of a document.
fn folder(document: &File) -> &Path {
    Path::new(&document.path).parent().unwrap()
}

#[test]
fn every_path_in_a_document_exists() {
    let mut missing = Vec::new();
    let mut count = 0;
    for document in documents() {
        let prose = prose(&document.text);
        for path in spans(&prose).into_iter().filter(|span| is_path(span)) {
            count += 1;
            let beside = root().join(folder(&document)).join(path);
            if !root().join(path).exists() && !beside.exists() {
                missing.push(format!("{}: {path}", document.path));
            }
        }
    }
    assert_eq!(missing, Vec::<String>::new());
    assert!(count > 100, "the rule sees the paths");
}

/// What a link to this heading has after its `#`.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.collect::<String>().replace(' ', "-")
}

#[test]
fn every_link_of_a_document_leads_to_a_file_and_a_heading() {
    let mut missing = Vec::new();
    let mut count = 0;
    for document in documents() {
        for link in links(&prose(&document.text)) {
            count += 1;
            let (path, wanted) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() {
                root().join(&document.path)
            } else {
                root().join(folder(&document)).join(path)
            };
            let found = target.exists()
                && (wanted.is_empty()
                    || prose(&fs::read_to_string(&target).unwrap())
                        .lines()
                        .any(|line| line.starts_with('#') && anchor(line) == wanted));
            if !found {
                missing.push(format!("{}: {link}", document.path));
            }
        }
    }
    assert_eq!(missing, Vec::<String>::new());
    assert!(count > 50, "the rule sees the links");
}

/// The variants of an enum as clap spells them: `revoked-key` for `RevokedKey`.
fn variants(path: &str, name: &str) -> BTreeSet<String> {
    let code = code(&fs::read_to_string(root().join(path)).unwrap());
    let (_, rest) = code.split_once(&format!("enum {name} {{\n")).unwrap();
    let (body, _) = rest.split_once("\n}").unwrap();
    let mut found = BTreeSet::new();
    for line in body.lines().filter_map(|line| line.strip_prefix("    ")) {
        let mut spelled = String::new();
        for c in line.chars().take_while(|c| c.is_alphanumeric()) {
            if c.is_uppercase() && !spelled.is_empty() {
                spelled.push('-');
            }
            spelled.push(c.to_ascii_lowercase());
        }
        found.insert(spelled);
    }
    found.remove("");
    assert!(found.len() >= 5, "the variants of {name} are found");
    found
}

/// The name that a text begins with, empty if it begins with a placeholder or an option.
fn name(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_lowercase() && c != '-').unwrap_or(text.len());
    text[..end].trim_end_matches('-')
}

#[test]
fn every_command_in_a_document_exists() {
    let commands = variants("xtask/src/main.rs", "Command");
    let experiments = variants("demo/src/experiment.rs", "Name");
    let mut unknown = Vec::new();
    let mut count = 0;
    let workflows = files::all().into_iter().filter(|file| file.path.starts_with(".github/"));
    for document in documents().into_iter().chain(workflows) {
        let text = document.text.split_whitespace().collect::<Vec<_>>().join(" ");
        for rest in text.split("cargo xtask ").skip(1) {
            let command = name(rest);
            let experiment = rest.strip_prefix("experiment ").map_or("", name);
            count += usize::from(!command.is_empty());
            if !command.is_empty() && !commands.contains(command)
                || !experiment.is_empty() && !experiments.contains(experiment)
            {
                unknown.push(format!("{}: cargo xtask {command} {experiment}", document.path));
            }
        }
    }
    assert_eq!(unknown, Vec::<String>::new());
    assert!(count > 15, "the rule sees the commands");
}

#[test]
fn the_workflow_runs_the_two_commands_of_the_readme() {
    let read = |path: &str| fs::read_to_string(root().join(path)).unwrap();
    let (readme, workflow) = (read("README.md"), read(".github/workflows/ci.yml"));
    for command in ["cargo xtask demo", "cargo xtask test"] {
        assert!(readme.contains(&format!("{command} ")), "README.md: {command}");
        assert!(workflow.contains(&format!("- run: {command}\n")), "{command}");
    }
}

#[test]
fn the_first_documents_are_short() {
    let read = |path: &str| fs::read_to_string(root().join(path)).unwrap();
    assert!(read("README.md").lines().count() < 200);
    let architecture = read("ARCHITECTURE.md");
    assert!(architecture.len() <= 20_000, "{} bytes", architecture.len());
    let (_, rest) = architecture.split_once("\n## Glossary\n").unwrap();
    let glossary = rest.split("\n## ").next().unwrap();
    // Two rows of the table are its head.
    let terms = glossary.lines().filter(|line| line.starts_with('|')).count() - 2;
    assert!((10..=25).contains(&terms), "{terms} terms");
    assert!(read("CHANGELOG.md").contains("\n## "));
}

#[test]
fn spans_links_and_paths_are_told_apart() {
    let text = "A `docs/a.md` and ``b/`c``.\n```sh\n`no/` [no](no.md)\n```\n[d](e.md#f-g) [h](https://i.example/)";
    let prose = prose(text);
    assert_eq!(spans(&prose), ["docs/a.md", "b/`c"]);
    assert_eq!(links(&prose), ["e.md#f-g"]);
    for path in ["docs/a.md", "shared/src/", "../../shared/src/record.rs"] {
        assert!(is_path(path), "{path}");
    }
    for other in [
        "README.md",
        "target/local/env.sh",
        "/etc/hosts/",
        "functions/NAME/function.toml",
        "docs/*.md",
        "AWS/SQS",
        "cat docs/a.md",
        "https://example.com/a.html",
    ] {
        assert!(!is_path(other), "{other}");
    }
    assert_eq!(anchor("### A crash between POST and settle"), "a-crash-between-post-and-settle");
    assert_eq!(anchor("## `due`, the index"), "due-the-index");
}
