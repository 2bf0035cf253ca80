//! Nothing that the engine or a function does depends on chance that is not an argument.

use super::{
    files,
    rust_text::{TEST, without_comments, without_items},
};

/// The `select!`s of a text without `biased;`: which of several ready branches they take is random.
fn unordered(code: &str) -> usize {
    let bodies = code.split("select! {").skip(1);
    bodies.filter(|body| !body.trim_start().starts_with("biased;")).count()
}

#[test]
fn every_select_takes_its_branches_in_order() {
    let (mut found, mut seen) = (Vec::new(), 0);
    let shipped = ["shared/src/", "inventory/src/", "functions/"];
    for file in files::rust() {
        let is_test = file.path.ends_with("_tests.rs") || file.path.contains("/testing/");
        if is_test || !shipped.iter().any(|folder| file.path.starts_with(folder)) {
            continue;
        }
        let code = without_comments(&without_items(&file.text, &TEST));
        seen += code.matches("select! {").count();
        if unordered(&code) > 0 {
            found.push(file.path);
        }
    }
    assert_eq!(found, Vec::<String>::new());
    assert!(seen >= 2, "the rule sees the engine's");
}

#[test]
fn an_unordered_select_is_found() {
    assert_eq!(unordered("tokio::select! { a = b => {} }"), 1);
    assert_eq!(unordered("tokio::select! {\n    biased;\n    a = b => {} }"), 0);
}
