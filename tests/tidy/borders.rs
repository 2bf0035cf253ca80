//! What may be named only in one place: the types of AWS, those of the Lambda runtime, and anything
//! that belongs to one job type.

use super::{
    crates, files,
    imports::modules,
    rust_text::{TEST, without_comments, without_items},
};

fn may_use_the_sdk(path: &str) -> bool {
    ["shared/src/aws/", "inventory/src/dynamo/", "cli/src/aws/"]
        .iter()
        .any(|folder| path.starts_with(folder))
        || ["inventory/src/dynamo.rs", "cli/src/aws.rs"].contains(&path)
}

fn may_use_the_runtime(path: &str) -> bool {
    path == "shared/src/lambda.rs"
}

/// The lines outside comments that have `word`, and whether their file is `allowed` to have it.
fn naming(word: &str, allowed: impl Fn(&str) -> bool) -> Vec<(bool, String)> {
    let mut found = Vec::new();
    // This file has the words to look for them.
    for file in files::rust().iter().filter(|file| file.path != "tests/tidy/borders.rs") {
        for (number, line) in (1..).zip(without_comments(&file.text).lines()) {
            if line.contains(word) {
                found.push((allowed(&file.path), format!("{}:{number}", file.path)));
            }
        }
    }
    found
}

fn check(word: &str, allowed: impl Fn(&str) -> bool) {
    let (inside, outside): (Vec<_>, Vec<_>) =
        naming(word, allowed).into_iter().partition(|(allowed, _)| *allowed);
    assert!(outside.is_empty(), "{word} outside its place: {outside:?}");
    assert!(!inside.is_empty(), "the rule looks where {word} is");
}

#[test]
fn aws_sdk_types_stay_in_their_places() {
    check("aws_sdk_", may_use_the_sdk);
    check("aws_config", may_use_the_sdk);
    check("aws_smithy", may_use_the_sdk);
}

#[test]
fn lambda_runtime_types_stay_in_their_file() {
    check("lambda_runtime", may_use_the_runtime);
    // One attribute that it cannot read fails a whole event (docs/decisions.md).
    assert_eq!(naming("aws_lambda_events", |_| false), []);
}

/// Beginnings of words that belong to a job type.
const BEGINNINGS: [&str; 6] = ["dealer", "rebrandly", "scrap", "shorten", "slashtag", "vehicle"];

/// Whole words that belong to a job type.
const WORDS: [&str; 4] = ["car", "cars", "vin", "vins"];

/// The beginnings of job types' dependency names, as literals.
const DEPENDENCIES: [&str; 2] = ["\"dealer.com/", "\"page/"];

/// The folders of the job types.
fn job_types() -> Vec<String> {
    let crates = crates::all(&files::all());
    let folders = crates.iter().filter_map(|found| found.folder.strip_prefix("functions/"));
    let found: Vec<String> = folders.filter(|name| *name != "sweeper").map(str::to_owned).collect();
    assert!(found.len() >= 3, "the job types are found");
    found
}

/// The words of a line in lower case: `url` and `shortening` for `UrlShortening`, `url_shortening`
/// and `url-shortening`.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut previous = ' ';
    for c in line.chars() {
        if !c.is_alphanumeric() || (previous.is_lowercase() && c.is_uppercase()) {
            words.push(String::new());
        }
        if c.is_alphanumeric() {
            words.last_mut().unwrap().push(c.to_ascii_lowercase());
        }
        previous = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// What a line names of a job type's business.
fn business(line: &str, job_types: &[String]) -> Option<String> {
    let words = words(line);
    let joined = format!("-{}-", words.join("-"));
    let named = |name: &&str| joined.contains(&format!("-{name}-"));
    let mut types = job_types.iter().map(String::as_str).chain(["product-detail"]);
    let belongs = |word: &&str| {
        WORDS.contains(word) || BEGINNINGS.iter().any(|beginning| word.starts_with(beginning))
    };
    let found = words.iter().map(String::as_str).find(belongs).or_else(|| types.find(named));
    let found = found.or_else(|| DEPENDENCIES.into_iter().find(|name| line.contains(name)));
    found.map(str::to_owned)
}

#[test]
fn the_engine_and_the_sweeper_know_no_job_type() {
    let job_types = job_types();
    let files = files::rust();
    let engine_modules = modules(&files, "shared/src/lib.rs", &TEST);
    let sweeper_modules = modules(&files, "functions/sweeper/src/lib.rs", &TEST);
    assert!(sweeper_modules.len() > 15, "the rule sees the sweeper");
    // The doubles are for the job types' tests too.
    let engine = |path: &str| {
        let mut all = engine_modules.values().chain(sweeper_modules.values());
        !path.starts_with("shared/src/testing/") && all.any(|file| file.path == path)
    };
    let mut named = Vec::new();
    let mut count = 0;
    for file in files.iter().filter(|file| engine(&file.path)) {
        count += 1;
        let code = without_comments(&without_items(&file.text, &TEST));
        for (number, line) in (1..).zip(code.lines()) {
            let found = business(line, &job_types);
            named.extend(found.map(|word| format!("{}:{number}: {word}", file.path)));
        }
    }
    assert_eq!(named, Vec::<String>::new());
    assert!(count > 60, "the rule sees the engine");
}

#[test]
fn words_of_a_job_type_are_found_in_every_spelling() {
    let types = ["web-hook".to_owned()];
    for line in [
        "Slashtag::of(name)",
        "let vin = 1;",
        "parse_vin(text)",
        "struct VinError;",
        "vehicles",
        "\"dealers\"",
        "is_rebrandly_down()",
        "shortened",
        "scraping",
        "cars[0]",
        "\"page/example.com\"",
        "ProductDetail",
        "WebHook",
        "web_hook",
        "\"web-hook-1\"",
    ] {
        assert!(business(line, &types).is_some(), "{line}");
    }
    for line in
        ["saving", "carry(scalar)", "http_page", "a page/answer", "web", "webhook", "detail"]
    {
        assert_eq!(business(line, &types), None, "{line}");
    }
}
