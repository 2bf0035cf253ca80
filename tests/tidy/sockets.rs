//! A test that opens a socket says so in its name or in that of its module, with the reason: on a
//! paused clock time jumps while a socket waits, so tests of logic use none.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    files,
    rust_text::{code, word},
};

/// What opens a socket, or starts a process that does.
const OPENS: [&str; 10] = [
    "Emulator::",
    "LocalTables::start",
    "Sandbox::start",
    "Stack::start",
    "TcpListener::bind",
    "TcpStream::connect",
    "UdpSocket::bind",
    "Wire::lay",
    "aws::local::config",
    "transport::client",
];

/// The end-to-end tests: processes and sockets are what they are about.
const END_TO_END: &str = "tests/e2e/";

/// The functions of a file by name, with their code; tests are marked.
fn functions(text: &str) -> BTreeMap<&str, (String, bool)> {
    let code = code(text);
    let mut found = BTreeMap::new();
    let starts: Vec<usize> = code.match_indices("fn ").map(|(at, _)| at).collect();
    for (number, at) in starts.iter().enumerate() {
        let end = starts.get(number + 1).copied().unwrap_or(code.len());
        let before = &code[starts.get(number.wrapping_sub(1)).map_or(0, |at| *at)..*at];
        // What stands between the end of the previous item and this function: its attributes.
        let attributes = before.rfind('}').map_or(before, |end| &before[end..]);
        let is_test = attributes.contains("test]") || attributes.contains("test(");
        let name = word(&text[at + 3..]);
        found.insert(name, (code[*at..end].to_owned(), is_test));
    }
    found
}

/// Whether a function opens a socket, itself or through others of its file.
fn opens(
    name: &str,
    functions: &BTreeMap<&str, (String, bool)>,
    seen: &mut BTreeSet<String>,
) -> bool {
    let Some((body, _)) = functions.get(name) else { return false };
    if !seen.insert(name.to_owned()) {
        return false;
    }
    if OPENS.iter().any(|word| body.contains(word)) {
        return true;
    }
    // The name itself comes first in its code.
    let body = &body[3 + name.len()..];
    let called = |other: &&&str| {
        let call = format!("{other}(");
        body.match_indices(&call)
            .any(|(at, _)| !body[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
    };
    let calls: Vec<&str> = functions.keys().filter(called).copied().collect();
    calls.into_iter().any(|call| opens(call, functions, seen))
}

/// The tests of a file that open a socket and do not say so.
fn silent(path: &str, text: &str) -> Vec<String> {
    let module = path.rsplit('/').next().unwrap_or_default();
    if path.starts_with(END_TO_END) || module.contains("socket") {
        return Vec::new();
    }
    let functions = functions(text);
    let tests = functions.iter().filter(|(_, (_, is_test))| *is_test).map(|(name, _)| *name);
    let silent = tests
        .filter(|name| opens(name, &functions, &mut BTreeSet::new()) && !name.contains("socket"));
    silent.map(|name| format!("{path}: {name}")).collect()
}

#[test]
fn a_test_that_opens_a_socket_says_so() {
    let files = files::rust();
    let found: Vec<String> = files.iter().flat_map(|file| silent(&file.path, &file.text)).collect();
    assert_eq!(found, Vec::<String>::new());
    let seen = files.iter().filter(|file| OPENS.iter().any(|word| file.text.contains(word)));
    assert!(seen.count() > 8, "the rule sees the tests with sockets");
}

#[test]
fn a_silent_test_is_found_also_behind_a_helper() {
    let text = "
        async fn site() -> u16 { TcpListener::bind(\"x\") }
        #[tokio::test]
        async fn a_page_is_read() { site().await; }
        #[test]
        fn a_sum_is_right() { sum(); }
        #[test]
        fn a_socket_closes() { site(); }";
    assert_eq!(silent("tests/pages.rs", text), ["tests/pages.rs: a_page_is_read"]);
    assert_eq!(silent("tests/page_sockets.rs", text), Vec::<String>::new());
}
