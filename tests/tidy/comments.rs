//! A doc comment says more than the name below it. Where the name is the whole truth, the item goes
//! without one: `#[allow(missing_docs, reason = "…")]`.

use super::files;

/// Phrases that say nothing, even as one line of a longer comment.
const EMPTY: [&str; 8] =
    ["All of them.", "It.", "Its key.", "See above.", "The clock.", "The dice.", "When.", "Why."];

/// Comments of one or two words that do say something, and what.
const SHORT: [(&str, &str); 6] = [
    ("Epoch milliseconds.", "a unit"),
    ("HTTP status.", "which of several statuses"),
    ("In miles.", "a unit"),
    ("In milliseconds.", "a unit"),
    ("In seconds.", "a unit"),
    ("SentTimestamp.", "the attribute's name in SQS"),
];

/// A doc comment, with the number of its first line.
struct Comment<'a> {
    number: usize,
    lines: Vec<&'a str>,
}

/// The doc comments of a Rust file.
fn comments(text: &str) -> Vec<Comment<'_>> {
    let mut found: Vec<Comment<'_>> = Vec::new();
    let mut previous = None;
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        let marker = ["///", "//!"].into_iter().find(|marker| line.starts_with(marker));
        if let Some(marker) = marker {
            if previous != Some(marker) {
                found.push(Comment { number, lines: Vec::new() });
            }
            found.last_mut().unwrap().lines.push(line[marker.len()..].trim());
        }
        previous = marker;
    }
    found
}

/// Whether a comment is too short to say anything. A digit or a piece of code is a fact: a size, a
/// format, the name that something has elsewhere.
fn says_nothing(comment: &Comment<'_>) -> bool {
    let words: Vec<&str> = comment.lines.iter().flat_map(|line| line.split_whitespace()).collect();
    let text = words.join(" ");
    let fact = text.contains(|c: char| c == '`' || c.is_ascii_digit());
    let allowed = fact || SHORT.iter().any(|(short, _)| *short == text);
    comment.lines.iter().any(|line| EMPTY.contains(line)) || (words.len() <= 2 && !allowed)
}

#[test]
fn no_doc_comment_is_filler() {
    let mut filler = Vec::new();
    let mut count = 0;
    for file in files::rust() {
        for comment in comments(&file.text) {
            count += 1;
            if says_nothing(&comment) {
                filler.push(format!(
                    "{}:{}: {}",
                    file.path,
                    comment.number,
                    comment.lines.join(" ")
                ));
            }
        }
    }
    assert!(filler.is_empty(), "comments that say nothing:\n{}", filler.join("\n"));
    assert!(count > 2000, "the rule sees the comments");
}

#[test]
fn filler_is_told_from_what_says_something() {
    let judged = |text: &str| -> Vec<bool> { comments(text).iter().map(says_nothing).collect() };
    assert_eq!(judged("/// The status.\nstatus: u16,\n    /// When.\n    at: u64,"), [true, true]);
    assert_eq!(judged("/// Why.\n/// A sentence for the person who reads the record."), [true]);
    assert_eq!(judged("//! One file.\n\n/// `type#id`.\n/// 64 bits.\n"), [true, false]);
    assert_eq!(judged("/// In miles.\n// When.\nlet a; // Why."), [false]);
    assert_eq!(judged("/// What the sender asked for.\n"), [false]);
}
