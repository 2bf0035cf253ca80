//! Fuzz targets, one for each decoder of what comes from outside.
//!
//! `cargo test` runs each target with a thousand random inputs, `cargo xtask fuzz` for minutes. Random input rarely
//! resembles a page or a message. So each target has a corpus, `tests/fuzz/__fuzz__/TARGET/corpus/`, and every input is
//! also written into one of its files: inserted, in place of a part, as the end of a part, and as a piece of syntax.
//! Which file and where follows from the input, so an input that fails fails again.
//!
//! A target returns whether it accepted what it read. Each must accept a file of its corpus, or it would fuzz the first
//! check only.

use std::{collections::BTreeSet, fs, path::PathBuf};

/// Random inputs of a target in `cargo test`; of one that runs much for each input.
const ITERATIONS: usize = 1_000;
const FEW: usize = 100;

/// Most bytes of an input.
const MAX_BYTES: usize = 8 * 1024;

/// What decoders may take for more than text.
const PIECES: [&str; 20] = [
    "\"",
    "\\",
    "\\ud800",
    "{",
    "}",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    "]",
    "null",
    "-1",
    "1e999",
    "18446744073709551616",
    "9007199254740993",
    "\0",
    "\r\n",
    "\u{feff}",
    "\u{202e}",
    "</script>",
    "<!--",
    "%00",
    ";",
];

/// Runs a target, which must be the test of the same name.
macro_rules! target {
    ($name:literal, $parse:expr) => {
        target!($name, $crate::fuzz::ITERATIONS, $parse)
    };
    ($name:literal, $iterations:expr, $parse:expr) => {{
        let seeds = $crate::fuzz::seeds($name);
        let accepts = |seed: &String| $crate::fuzz::accepted(seed, &$parse);
        assert!(seeds.iter().any(accepts), "a file of the corpus is accepted");
        bolero::check!(name = $name)
            .with_iterations($iterations)
            .with_max_len($crate::fuzz::MAX_BYTES)
            .for_each(|input: &[u8]| $crate::fuzz::each(input, &seeds, &$parse));
    }};
}

/// The same for a target that reads bytes, which need not be UTF-8.
macro_rules! bytes_target {
    ($name:literal, $parse:expr) => {{
        let seeds = $crate::fuzz::bytes_of_seeds($name);
        let accepts = |seed: &Vec<u8>| $crate::fuzz::accepted_bytes(seed, &$parse);
        assert!(seeds.iter().any(accepts), "a file of the corpus is accepted");
        bolero::check!(name = $name)
            .with_iterations($crate::fuzz::ITERATIONS)
            .with_max_len($crate::fuzz::MAX_BYTES)
            .for_each(|input: &[u8]| $crate::fuzz::each_of_bytes(input, &seeds, &$parse));
    }};
}

mod addresses;
mod calls;
mod items;
mod operators;
mod pages;
mod services;
mod stored;

/// Where bolero looks for the corpus of a target in the folder of this module.
fn corpora() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/__fuzz__")
}

/// The corpus of a target.
fn seeds(target: &str) -> Vec<String> {
    let seeds = bytes_of_seeds(target).into_iter();
    seeds.map(|bytes| String::from_utf8(bytes).unwrap()).collect()
}

/// The corpus of a target that reads bytes.
fn bytes_of_seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = corpora().join(target).join("corpus");
    let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{target}: {error}"));
    let mut paths: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{target} has a corpus");
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// Whether a target accepts a text.
fn accepted(text: &str, parse: &dyn Fn(&str) -> bool) -> bool {
    parse(text)
}

/// Whether a target accepts these bytes.
fn accepted_bytes(bytes: &[u8], parse: &dyn Fn(&[u8]) -> bool) -> bool {
    parse(bytes)
}

/// A number that follows from an input.
fn sum_of(input: &[u8]) -> usize {
    input
        .iter()
        .fold(input.len(), |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(*byte)))
}

/// Calls `parse` with an input, by itself and in files of the corpus.
fn each_of_bytes(input: &[u8], seeds: &[Vec<u8>], parse: &dyn Fn(&[u8]) -> bool) {
    parse(input);
    let sum = sum_of(input);
    let seed = &seeds[sum % seeds.len()];
    let at = (sum / 3) % (seed.len() + 1);
    let end = (at + input.len()).min(seed.len());
    for parts in [
        [&seed[..at], input, &seed[at..]],
        [&seed[..at], input, &seed[end..]],
        [&seed[..at], &seed[..0], &seed[..0]],
    ] {
        parse(&parts.concat());
    }
}

/// Calls `parse` with an input, by itself and in texts of the corpus.
fn each(input: &[u8], seeds: &[String], parse: &dyn Fn(&str) -> bool) {
    let text = String::from_utf8_lossy(input);
    parse(&text);
    let sum = sum_of(input);
    let (seed, other) = (&seeds[sum % seeds.len()], &seeds[(sum / 7) % seeds.len()]);
    let at = seed.floor_char_boundary((sum / 3) % (seed.len() + 1));
    let end = seed.ceil_char_boundary((at + input.len()).min(seed.len()));
    let rest = other.floor_char_boundary(at.min(other.len()));
    let piece = PIECES[(sum / 5) % PIECES.len()];
    for texts in [
        [&seed[..at], &text, &seed[at..]],
        [&seed[..at], &text, &seed[end..]],
        [&seed[..at], piece, &seed[at..]],
        [&seed[..at], piece, &other[rest..]],
        [&seed[..at], "", ""],
    ] {
        parse(&texts.concat());
    }
}

/// Waits for a target that is asynchronous, on a clock that nothing turns.
fn wait<T>(work: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build().unwrap().block_on(work)
}

#[test]
fn every_corpus_has_its_target() {
    let folders = fs::read_dir(corpora()).unwrap();
    let corpora: BTreeSet<String> =
        folders.map(|folder| folder.unwrap().file_name().into_string().unwrap()).collect();
    let mut targets = BTreeSet::new();
    for module in ["addresses", "calls", "items", "operators", "pages", "services", "stored"] {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("fuzz/{module}.rs"));
        let text = fs::read_to_string(path).unwrap();
        for rest in text.split("target!(\"").skip(1) {
            let (name, _) = rest.split_once('"').unwrap();
            assert!(text.contains(&format!("fn {name}() {{")), "{name} is the name of its test");
            targets.insert(name.to_owned());
        }
    }
    assert_eq!(corpora, targets);
}
