//! Imports run downward: within the engine from layer to layer, and across the crates.

use super::{
    crates, files,
    imports::modules,
    rust_text::{TEST, TESTING},
};

/// The modules of `shared/src`, from bottom to top.
const LAYERS: [&str; 16] = [
    "base",
    "payload",
    "failure",
    "dependency",
    "http",
    "policy",
    "record",
    "message",
    "ports",
    "job",
    "telemetry",
    "gates",
    "aws",
    "worker",
    "lambda",
    "testing",
];

#[test]
fn no_import_of_the_engine_runs_upward() {
    let files = files::rust();
    let layer = |name: &String| LAYERS.iter().position(|layer| layer == name);
    let mut upward = Vec::new();
    let mut count = 0;
    // Tests may use the top layer, and code for other crates' tests is left out with it.
    for (place, module) in modules(&files, "shared/src/lib.rs", &TESTING) {
        // The crate's root declares the layers and belongs to none.
        let Some(own) = place.first().and_then(layer) else { continue };
        for import in module.imports {
            let Some(imported) = import.first().and_then(layer) else { continue };
            count += usize::from(imported < own);
            if imported > own {
                upward.push(format!("{} imports crate::{}", module.path, import.join("::")));
            }
        }
    }
    assert_eq!(upward, Vec::<String>::new());
    assert!(count > 300, "the rule sees the imports");
}

#[test]
fn every_module_of_the_engine_has_a_layer() {
    let files = files::rust();
    let modules = modules(&files, "shared/src/lib.rs", &TEST);
    let mut declared: Vec<&str> =
        modules.keys().filter(|place| place.len() == 1).map(|place| place[0].as_str()).collect();
    let mut layers = LAYERS;
    declared.sort_unstable();
    layers.sort_unstable();
    assert_eq!(declared, layers);
}

/// The crates of the workspace that the crate in `folder` may import.
fn may_import(folder: &str) -> &'static [&'static str] {
    match folder {
        "shared" | "tests/sandbox" | "xtask" => &[],
        // The operators' command reads what the engine writes; the job types' schemas are files.
        "inventory" | "functions/sweeper" | "cli" => &["evenkeel"],
        // It creates jobs of the two other types: with their payload types, the compiler checks
        // that it writes what they read.
        "functions/dealer-com-feed" => {
            &["evenkeel", "inventory", "product-detail-scraping", "url-shortening"]
        }
        // Its report is a page like that of the operators' command.
        "demo" => &["evenkeel-cli", "sandbox", "xtask"],
        "tests/page-bench" => {
            &["bench-engine", "dealer-com-feed", "inventory", "product-detail-scraping"]
        }
        "tests/bench-engine" => &[
            "dealer-com-feed",
            "evenkeel",
            "evenkeel-cli",
            "inventory",
            "product-detail-scraping",
            "sweeper",
            "url-shortening",
        ],
        _ if folder.starts_with("functions/") => &["evenkeel", "inventory"],
        _ => panic!("{folder} has no rule here: which crates may it import?"),
    }
}

/// An import needs a dependency, so the manifests tell.
#[test]
fn no_crate_depends_on_one_above_it_or_beside_it() {
    let crates = crates::all(&files::all());
    let mut wrong = Vec::new();
    let mut count = 0;
    for package in &crates {
        let allowed = may_import(&package.folder);
        for name in &package.dependencies {
            if crates.iter().any(|other| other.name == *name) {
                count += 1;
                if !allowed.contains(&name.as_str()) {
                    wrong.push(format!("{} depends on {name}", package.name));
                }
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert!(count >= 12, "the rule sees the dependencies");
}
