//! No files of a crate import each other in a loop.
//!
//! The file of a folder, such as `record.rs`, may import from its children, and they from it. So a
//! loop counts only if it remains without the imports downward or without those upward.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    crates,
    files::{self, File},
    imports::{Module, Place, holder, modules},
    rust_text::TEST,
};

/// Imports that do not count.
#[derive(Clone, Copy)]
enum LeftOut {
    /// From a file to the files in its folder.
    Downward,
    /// From the files in a folder to the folder's own file.
    Upward,
}

type Arrows<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

/// For each file of a crate, which others it imports from.
fn arrows(modules: &BTreeMap<Place, Module>, left_out: LeftOut) -> Arrows<'_> {
    let mut arrows = BTreeMap::new();
    for (place, module) in modules {
        let counts = |other: &Place| match left_out {
            LeftOut::Downward => !other.starts_with(place),
            LeftOut::Upward => !place.starts_with(other),
        };
        let imported = module.imports.iter().filter_map(|import| holder(modules, import));
        let others = imported.filter(|&(other, _)| counts(other));
        arrows.insert(module.path.as_str(), others.map(|(_, file)| file.path.as_str()).collect());
    }
    arrows
}

/// The files that a file imports from, directly or through others.
fn reached<'a>(file: &'a str, arrows: &Arrows<'a>) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut open = vec![file];
    while let Some(file) = open.pop() {
        for &next in &arrows[file] {
            if reached.insert(next) {
                open.push(next);
            }
        }
    }
    reached
}

/// The groups of files that reach each other.
fn loops(arrows: &Arrows<'_>) -> BTreeSet<Vec<String>> {
    let reach: Arrows<'_> = arrows.keys().map(|file| (*file, reached(file, arrows))).collect();
    let group = |file: &str| -> Vec<String> {
        let others = reach[file].iter().filter(|other| reach[**other].contains(file));
        others.map(|other| (*other).to_owned()).collect()
    };
    reach.keys().map(|file| group(file)).filter(|group| !group.is_empty()).collect()
}

/// The loops of the crate that begins with the file `root`, and how many arrows were looked at.
fn circles(files: &[File], root: &str) -> (BTreeSet<Vec<String>>, usize) {
    let modules = modules(files, root, &TEST);
    let mut found = BTreeSet::new();
    let mut count = 0;
    for left_out in [LeftOut::Downward, LeftOut::Upward] {
        let arrows = arrows(&modules, left_out);
        count += arrows.values().map(BTreeSet::len).sum::<usize>();
        found.extend(loops(&arrows));
    }
    (found, count)
}

#[test]
fn no_files_import_each_other_in_a_loop() {
    let files = files::all();
    let mut found = BTreeSet::new();
    let mut count = 0;
    for root in crates::all(&files).iter().flat_map(|package| &package.roots) {
        let (circles, arrows) = circles(&files, root);
        found.extend(circles);
        count += arrows;
    }
    assert!(found.is_empty(), "files that import each other in a loop: {found:#?}");
    assert!(count > 800, "the rule sees the imports");
}

/// The loops of a crate with these files below `src`.
fn circles_of(texts: &[(&str, &str)]) -> Vec<String> {
    let file = |(name, text): &(&str, &str)| File {
        path: format!("src/{name}"),
        text: (*text).to_owned(),
    };
    let files: Vec<File> = texts.iter().map(file).collect();
    let (found, _) = circles(&files, "src/lib.rs");
    found.iter().map(|group| group.join(" ").replace("src/", "")).collect()
}

#[test]
fn a_loop_of_two_is_found() {
    let found = circles_of(&[
        ("lib.rs", "mod a; mod b; mod c;"),
        ("a.rs", "use crate::{b::B as Other, c};"),
        ("b.rs", "fn b() -> super::a::A { todo() }"),
        ("c.rs", "struct C;"),
    ]);
    assert_eq!(found, ["a.rs b.rs"]);
}

#[test]
fn a_loop_of_three_is_found_across_folders() {
    let found = circles_of(&[
        ("lib.rs", "pub mod a; pub mod b; pub mod d;"),
        ("a.rs", "use crate::b::c::C;"),
        ("b/mod.rs", "pub mod c;"),
        ("b/c.rs", "use super::super::d::{self, D};"),
        ("d.rs", "fn d(a: crate::a::A) {}"),
    ]);
    assert_eq!(found, ["a.rs b/c.rs d.rs"]);
}

#[test]
fn a_loop_through_the_file_of_a_folder_is_found_whichever_way_it_runs() {
    let upward = circles_of(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use crate::b::c::C;"),
        ("b.rs", "mod c; use crate::a::A;"),
        ("b/c.rs", "use super::B;"),
    ]);
    assert_eq!(upward, ["a.rs b.rs b/c.rs"]);
    let downward = circles_of(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use crate::b::C;"),
        ("b.rs", "mod c; pub use c::C;"),
        ("b/c.rs", "use crate::a::A;"),
    ]);
    assert_eq!(downward, ["a.rs b.rs b/c.rs"]);
}

#[test]
fn files_without_a_loop_pass() {
    let found = circles_of(&[
        ("lib.rs", "mod a; mod b; pub use a::A;"),
        // The file of a folder and its child, in both directions.
        ("a.rs", "mod c; use c::C; use self::c::D; use crate::b::B; use serde::b;"),
        ("a/c.rs", "use super::A; use crate::b; // use crate::a::d;"),
        ("b.rs", "const TEXT: &str = \"use crate::a;\"; use std::{self, a::c};"),
    ]);
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn a_loop_that_exists_only_in_tests_passes() {
    let found = circles_of(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use crate::b::B; #[cfg(test)] #[path = \"a_tests.rs\"] mod tests;"),
        ("a_tests.rs", "use super::*;"),
        ("b.rs", "struct B; #[cfg(test)] mod tests { use crate::a::A; fn a() {} }"),
    ]);
    assert!(found.is_empty(), "{found:?}");
}
