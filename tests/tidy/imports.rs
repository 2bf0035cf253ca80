//! What each file of a crate imports from the other files of the crate.
//!
//! This reads `use` declarations and paths that begin with `crate`, `self` or `super`. It neither
//! follows re-exports nor expands macros.

use std::collections::BTreeMap;

use super::{
    files::File,
    rust_text::{code, without_items, word},
};

/// Where something is within its crate: `["record", "due"]` for `crate::record::due`.
pub(super) type Place = Vec<String>;

/// A file that is a module of a crate.
pub(super) struct Module {
    /// From the root of the repository.
    pub(super) path: String,
    /// The modules and items that it imports.
    pub(super) imports: Vec<Place>,
}

/// Every file of the crate that begins with the file `root`. Items with an attribute of `left_out`
/// do not count, and nor do files that only such items declare.
pub(super) fn modules(files: &[File], root: &str, left_out: &[&str]) -> BTreeMap<Place, Module> {
    let folder = root.rsplit_once('/').map_or("", |(folder, _)| folder);
    let text = |path: &str| files.iter().find(|file| file.path == path).map(|file| &file.text);
    let mut modules = BTreeMap::new();
    let mut open = vec![(Place::new(), root.to_owned())];
    while let Some((place, path)) = open.pop() {
        let Mentions { declared, imports } =
            mentions(&code(&without_items(text(&path).unwrap(), left_out)), &place);
        for child in declared {
            let stem = format!("{folder}/{}", child.join("/"));
            let mut names = [format!("{stem}.rs"), format!("{stem}/mod.rs")].into_iter();
            let found = names.find(|name| text(name).is_some());
            assert!(found.is_some(), "{path} declares {}, which has no file", child.join("::"));
            open.extend(found.map(|found| (child, found)));
        }
        modules.insert(place, Module { path, imports });
    }
    modules
}

/// The module that an import names, or that contains what it names.
pub(super) fn holder<'a>(
    modules: &'a BTreeMap<Place, Module>,
    import: &[String],
) -> Option<(&'a Place, &'a Module)> {
    (0..=import.len()).rev().find_map(|length| modules.get_key_value(&import[..length]))
}

#[derive(Default)]
struct Mentions {
    /// The modules that the file declares and that have files of their own.
    declared: Vec<Place>,
    imports: Vec<Place>,
}

/// What the module at `place` declares and imports.
fn mentions(code: &str, place: &[String]) -> Mentions {
    let tokens = tokens(code);
    let mut found = Mentions::default();
    // Differs from `place` within an inline module, `mod name { … }`.
    let mut here = place.to_vec();
    // The depths at which the inline modules around the token began.
    let mut inline = Vec::new();
    let mut depth = 0;
    let mut at = 0;
    while at < tokens.len() {
        at += match &tokens[at..] {
            ["mod", name, ";", ..] => {
                found.declared.push(resolve(&[*name], &here));
                3
            }
            ["mod", name, "{", ..] => {
                here.push((*name).to_owned());
                inline.push(depth);
                depth += 1;
                3
            }
            ["{", ..] => {
                depth += 1;
                1
            }
            ["}", ..] => {
                depth -= 1;
                if inline.last() == Some(&depth) {
                    inline.pop();
                    here.pop();
                }
                1
            }
            // `impl Trait + use<'a>` imports nothing.
            ["use", "<", ..] => 1,
            ["use", tree @ ..] => {
                let length = tree.iter().position(|token| *token == ";").unwrap_or(tree.len());
                let mut paths = Vec::new();
                leaves(&tree[..length], &[], &mut paths);
                found.imports.extend(paths.iter().map(|path| resolve(path, &here)));
                length + 2
            }
            ["crate" | "self" | "super", "::", ..] => {
                let path = inline_path(&tokens[at..]);
                // `pub(in crate::a)` imports nothing.
                if !tokens[..at].ends_with(&["pub", "(", "in"]) {
                    found.imports.push(resolve(&path, &here));
                }
                2 * path.len() - 1
            }
            _ => 1,
        };
    }
    found
}

/// Words, `::`, and every other character by itself.
fn tokens(code: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let other = if rest.starts_with("::") { 2 } else { first.len_utf8() };
        let (token, after) = rest.split_at(word(rest).len().max(other));
        tokens.push(token);
        rest = after.trim_start();
    }
    tokens
}

/// Adds the paths of a `use` tree, such as `a::{b, c::{self, d as e}}`.
fn leaves<'a>(tree: &[&'a str], prefix: &[&'a str], paths: &mut Vec<Vec<&'a str>>) {
    let mut depth = 0;
    let items = tree.split(|token| {
        match *token {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        depth == 0 && *token == ","
    });
    // A comma may be followed by nothing.
    for item in items.filter(|item| !item.is_empty()) {
        let mut path = prefix.to_vec();
        let mut rest = item;
        loop {
            match rest {
                ["::", after @ ..] => rest = after,
                ["{", inner @ .., "}"] => {
                    leaves(inner, &path, paths);
                    break;
                }
                [] | ["as" | "*", ..] => {
                    paths.push(path);
                    break;
                }
                [name, after @ ..] => {
                    path.push(*name);
                    rest = after;
                }
            }
        }
    }
}

/// The path that `tokens` begin with.
fn inline_path<'a>(tokens: &[&'a str]) -> Vec<&'a str> {
    let mut path = vec![tokens[0]];
    let mut rest = &tokens[1..];
    while let ["::", name, after @ ..] = rest
        && !word(name).is_empty()
    {
        path.push(*name);
        rest = after;
    }
    path
}

/// Where a path leads from the module `here`. A path into another crate seems to lead to an item of
/// `here`, which is harmless: no file imports itself.
fn resolve(path: &[&str], here: &[String]) -> Place {
    let mut place = here.to_vec();
    for name in path {
        match *name {
            "crate" => place.clear(),
            "self" => {}
            "super" => {
                place.pop();
            }
            name => place.push(name.to_owned()),
        }
    }
    place
}

/// What a text in the module `crate::a::b` imports.
fn imports_of(code: &str) -> Vec<String> {
    let found = mentions(code, &["a".to_owned(), "b".to_owned()]);
    found.imports.iter().map(|place| place.join("::")).collect()
}

#[test]
fn a_use_tree_is_read_to_its_leaves() {
    let tree = "pub(crate) use crate::{c::{self, D, e::{F as G}}, h::*, };";
    assert_eq!(imports_of(tree), ["c", "c::D", "c::e::F", "h"]);
}

#[test]
fn paths_lead_where_their_first_words_say() {
    let uses = "use self::c::D; use super::e; use super::super::f;";
    assert_eq!(imports_of(uses), ["a::b::c::D", "a::e", "f"]);
    assert_eq!(imports_of("use super::{self, c};"), ["a", "a::c"]);
    assert_eq!(imports_of("let d = crate::c::d::<E>(super::f);"), ["c::d", "a::f"]);
    assert_eq!(imports_of("mod c { use super::d; } use super::e;"), ["a::b::d", "a::e"]);
}

#[test]
fn what_only_looks_like_an_import_is_none() {
    let signature = "pub(in crate::a) fn c(&self) -> impl D + use<'_> { self.e }";
    assert!(imports_of(signature).is_empty());
    assert_eq!(imports_of("for c in crate::d() {}"), ["d"]);
}

#[test]
fn declared_modules_are_those_with_files() {
    let found = mentions("mod c; pub mod d { mod e; } mod f;", &["a".to_owned()]);
    let declared: Vec<String> = found.declared.iter().map(|place| place.join("::")).collect();
    assert_eq!(declared, ["a::c", "a::d::e", "a::f"]);
}
