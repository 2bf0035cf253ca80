//! The words by which a page announces other cars than its own.

/// Parts of headings and of class names that announce other cars.
const OTHERS: [&str; 18] = [
    "similar",
    "recommend",
    "related",
    "may also",
    "might also",
    "might like",
    "may like",
    "may love",
    "might love",
    "viewed",
    "compare",
    "carousel",
    "suggest",
    "featured",
    "other vehicles",
    "other cars",
    "more vehicles",
    "more cars",
];

/// Parts of headings alone that do so.
const HEADING_OTHERS: [&str; 11] = [
    "check out",
    "these cars",
    "these vehicles",
    "more like",
    "instead",
    "alternatives",
    "also available",
    "our inventory",
    "new arrivals",
    "just arrived",
    "may be interested",
];

/// Parts of sentences that do so.
const SENTENCE_OTHERS: [&str; 14] = [
    "you may like",
    "you might like",
    "you may also like",
    "you might also like",
    "you may love",
    "you might love",
    "you may prefer",
    "you may be interested",
    "you might be interested",
    "check out these",
    "similar vehicles",
    "similar cars",
    "other cars you",
    "other vehicles you",
];

/// Longest sentence that announces other cars, in bytes. A longer one speaks of other things, too.
const MAX_SENTENCE_BYTES: usize = 80;

/// Whether a heading or a class name announces other cars.
pub(super) fn names_others(text: &str) -> bool {
    let text = text.to_ascii_lowercase().replace(['-', '_'], " ");
    OTHERS.iter().any(|part| text.contains(part))
}

/// Whether a heading of a section announces other cars.
pub(super) fn heads_others(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    names_others(text) || HEADING_OTHERS.iter().any(|part| lower.contains(part))
}

/// Whether a sentence announces other cars.
pub(super) fn says_others(text: &str) -> bool {
    if text.len() > MAX_SENTENCE_BYTES {
        return false;
    }
    let text = text.to_ascii_lowercase();
    SENTENCE_OTHERS.iter().any(|part| text.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_sentences_and_classes_announce_other_cars() {
        assert!(names_others("you-may-also-like") && names_others("similar_vehicles"));
        assert!(heads_others("Check out these cars") && !heads_others("Price and payment"));
        assert!(says_others("But you may love:") && says_others("You may also like"));
        assert!(!says_others("You may qualify for a rebate"));
        assert!(!says_others(&format!("you may like {}", "x".repeat(MAX_SENTENCE_BYTES))));
    }
}
