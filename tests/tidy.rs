//! Rules about the source itself that no lint holds.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The workspace.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every Rust file below the source folders, with its path from the root.
fn sources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = ["shared", "functions", "tests", "xtask", "demo"]
        .iter()
        .map(|name| root().join(name))
        .collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
                found.push((name, fs::read_to_string(path).unwrap()));
            }
        }
    }
    assert!(found.len() > 30, "the sources are found");
    found
}

/// The files but `allowed` that name `word` outside comments.
fn naming(word: &str, allowed: impl Fn(&str) -> bool) -> Vec<String> {
    let names = |text: &str| {
        text.lines().any(|line| line.contains(word) && !line.trim_start().starts_with("//"))
    };
    sources()
        .into_iter()
        .filter(|(name, text)| name != "tests/tidy.rs" && !allowed(name) && names(text))
        .map(|(name, _)| name)
        .collect()
}

#[test]
fn aws_sdk_types_stay_in_their_folder() {
    let inside = |name: &str| name.starts_with("shared/src/aws/");
    assert_eq!(naming("aws_sdk_", inside), Vec::<String>::new());
    assert_eq!(naming("aws_config", inside), Vec::<String>::new());
    assert_eq!(naming("aws_smithy", inside), Vec::<String>::new());
    assert!(!naming("aws_sdk_", |_| false).is_empty(), "the rule looks where they are");
}

#[test]
fn lambda_runtime_types_stay_in_their_file() {
    let inside = |name: &str| name == "shared/src/lambda.rs";
    assert_eq!(naming("lambda_runtime", inside), Vec::<String>::new());
    assert_eq!(naming("aws_lambda_events", inside), Vec::<String>::new());
    assert!(!naming("lambda_runtime", |_| false).is_empty(), "the rule looks where they are");
}

#[test]
fn the_engine_knows_no_job_type() {
    let engine = sources().into_iter().filter(|(name, _)| name.starts_with("shared/src/"));
    for (name, text) in engine {
        let code = text.split("#[cfg(test)]").next().unwrap();
        let doubles = name.starts_with("shared/src/testing/");
        for business in ["url_short", "UrlShort", "ebrandly_", "dealer_com", "product_detail"] {
            let named = code
                .lines()
                .any(|line| line.contains(business) && !line.trim_start().starts_with("//"));
            assert!(doubles || !named, "{name} names {business}");
        }
    }
}

#[test]
fn a_function_is_short() {
    for (name, text) in sources() {
        let lines: Vec<&str> = text.lines().collect();
        for (start, line) in lines.iter().enumerate() {
            let indent = line.len() - line.trim_start().len();
            let head = line.trim_start();
            let is_fn = head
                .trim_start_matches("pub(crate) ")
                .trim_start_matches("pub(super) ")
                .trim_start_matches("pub ")
                .trim_start_matches("const ")
                .trim_start_matches("async ")
                .starts_with("fn ");
            // Where the signature ends says whether there is a body: not in a trait's declaration.
            let mut rest = lines[start..].iter();
            let opens = rest.find(|line| line.ends_with(['{', ';', '}']));
            if !is_fn || !opens.is_some_and(|line| line.ends_with('{')) {
                continue;
            }
            let close = format!("{}}}", " ".repeat(indent));
            let end = lines[start..].iter().position(|line| *line == close);
            let length = end.unwrap_or_else(|| panic!("{name}:{}: no end", start + 1));
            assert!(length < 70, "{name}:{}: {length} lines", start + 1);
        }
    }
}
