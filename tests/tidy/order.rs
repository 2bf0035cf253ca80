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

/// Whether a file is part of what is deployed, apart from its test modules.
fn is_shipped(path: &str) -> bool {
    let is_test = path.ends_with("_tests.rs") || path.contains("/testing/");
    let folders = ["shared/src/", "inventory/src/", "functions/"];
    !is_test && folders.iter().any(|folder| path.starts_with(folder))
}

/// Whether a file is part of a scenario in virtual time, whose trace depends on its order.
fn is_simulation(path: &str) -> bool {
    let folders = [
        "shared/src/",
        "inventory/src/",
        "tests/bench",
        "tests/engine",
        "tests/simulation",
        "tests/sweeps",
    ];
    // The server over sockets and its process take what comes first.
    let in_process = path.starts_with("tests/sandbox/src/")
        && !["connection.rs", "main.rs", "server.rs"].iter().any(|name| path.ends_with(name));
    in_process || folders.iter().any(|folder| path.starts_with(folder))
}

#[test]
fn every_select_takes_its_branches_in_order() {
    let (mut found, mut seen) = (Vec::new(), 0);
    let ordered = |path: &str| is_shipped(path) || is_simulation(path);
    for file in files::rust().into_iter().filter(|file| ordered(&file.path)) {
        let code = without_comments(&file.text);
        seen += code.matches("select! {").count();
        if unordered(&code) > 0 {
            found.push(file.path);
        }
    }
    assert_eq!(found, Vec::<String>::new());
    assert!(seen >= 8, "the rule sees the engine's and the simulation's");
}

/// A frozen container runs nothing: what an invocation has not waited for must not exist.
#[test]
fn nothing_that_is_deployed_spawns_a_task() {
    let mut found = Vec::new();
    for file in files::rust().into_iter().filter(|file| is_shipped(&file.path)) {
        let code = without_comments(&without_items(&file.text, &TEST));
        let spawns = ["spawn(", "spawn_local(", "JoinSet"];
        found.extend(spawns.iter().any(|word| code.contains(word)).then_some(file.path));
    }
    assert_eq!(found, Vec::<String>::new());
}

/// Files that name maps of random order: the SDK's items are such maps, and the queue's addresses are
/// only looked up.
fn may_use_unordered_maps(path: &str) -> bool {
    path.starts_with("shared/src/aws/") || path == "inventory/src/dynamo.rs"
}

#[test]
fn maps_of_shipped_code_have_an_order() {
    let (mut found, mut seen) = (Vec::new(), 0);
    for file in files::rust().into_iter().filter(|file| is_shipped(&file.path)) {
        let code = without_comments(&without_items(&file.text, &TEST));
        let is_unordered = code.contains("HashMap") || code.contains("HashSet");
        seen += usize::from(is_unordered);
        if is_unordered && !may_use_unordered_maps(&file.path) {
            found.push(file.path);
        }
    }
    assert_eq!(found, Vec::<String>::new());
    assert!(seen >= 3, "the rule sees those of the SDK");
}

#[test]
fn an_unordered_select_is_found() {
    assert_eq!(unordered("tokio::select! { a = b => {} }"), 1);
    assert_eq!(unordered("tokio::select! {\n    biased;\n    a = b => {} }"), 0);
}
