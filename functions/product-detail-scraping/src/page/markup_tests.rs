use proptest::prelude::*;

use super::*;

/// Longer than the longest tag.
const LONG: usize = 64 * 1024;

fn markup(html: &str) -> Markup<'_> {
    Markup::of(html, &Budget::unlimited())
}

/// The names of the tags, with a slash before those of end tags.
fn names(html: &str) -> Vec<String> {
    let markup = markup(html);
    let tags = markup.tags().filter(|tag| !tag.name.is_empty());
    tags.map(|tag| format!("{}{}", if tag.closing { "/" } else { "" }, tag.name)).collect()
}

/// The texts behind the tags and comments.
fn texts(html: &str) -> Vec<String> {
    markup(html).tags().map(|tag| tag.text.to_owned()).collect()
}

#[test]
fn tags_are_found_and_lookalikes_are_not() {
    let cases: &[(&str, &[&str])] = &[
        ("", &[]),
        ("a < b, c > d", &[]),
        ("<p>1 <b>2</b>", &["p", "b", "/b"]),
        ("<!doctype html><html>", &["html"]),
        ("<?xml version='1'?><p></ q><i></><u>", &["p", "i", "u"]),
        ("<![CDATA[<p>]]><b>", &["b"]),
        ("<a title='>'><b>", &["a", "b"]),
        ("<a title=5\"><b>", &["a", "b"]),
        ("<a =\">\"><b>", &["a", "b"]),
        ("<a b=c=\"d><e>", &["a", "e"]),
        ("<a b='c'='d><e>", &["a", "e"]),
        ("<a title=\"never closed><b>", &["a", "b"]),
        ("<title><p>", &["title"]),
        ("<iframe><p></iframe><b>", &["iframe", "/iframe", "b"]),
        ("<p", &[]),
    ];
    for (html, expected) in cases {
        assert_eq!(names(html), *expected, "{html}");
    }
}

#[test]
fn comments_end_as_in_a_browser() {
    let cases: &[(&str, &[&str])] = &[
        ("<!-- <p> --><b>", &["b"]),
        ("<!-- <p> --!><b>", &["b"]),
        ("<!-- <p> ---><b>", &["b"]),
        ("<!-- <p> --!-><i> --><b>", &["b"]),
        ("<!--><p>", &["p"]),
        ("<!---><p>", &["p"]),
        ("<!--!><p>--><b>", &["b"]),
        // Without an end, it must not hide the rest of a truncated page.
        ("<!-- <p>", &["p"]),
    ];
    for (html, expected) in cases {
        assert_eq!(names(html), *expected, "{html}");
    }
}

#[test]
fn scripts_end_as_in_a_browser() {
    let cases: &[(&str, &[&str])] = &[
        ("<script>if (a<b) '<p>'</script ><b>", &["script", "/script", "b"]),
        ("<SCRIPT><p></Script><b>", &["SCRIPT", "/Script", "b"]),
        ("<script></scripted></script-x></script>", &["script", "/script"]),
        ("<script><!--</script><b>", &["script", "/script", "b"]),
        ("<script><!--<script></script><p>--></script><b>", &["script", "/script", "b"]),
        ("<script><!--<script></script><p></script><b>", &["script", "/script", "b"]),
        ("<script><!--><script></script><b>", &["script", "/script", "b"]),
        ("<script><!--<script>--></script><b>", &["script", "/script", "b"]),
        ("<script><!--<scripts></script><b>", &["script", "/script", "b"]),
        // Without an end, it must not hide the rest of a truncated page.
        ("<script><!--<script></script><b>", &["script", "/script", "b"]),
    ];
    for (html, expected) in cases {
        assert_eq!(names(html), *expected, "{html}");
    }
}

#[test]
fn the_text_behind_a_tag_ends_with_the_next_tag_or_comment() {
    let cases: &[(&str, &[&str])] = &[
        ("1 < 2<b>3 <4</b>", &["1 < 2", "3 <4", ""]),
        ("<b>$<!-- -->25,995</b> ", &["$", "25,995", " "]),
        ("<!-- --> <b>x", &["x"]),
        ("<script>a<b></script>", &["a<b>", ""]),
    ];
    for (html, expected) in cases {
        assert_eq!(texts(html), *expected, "{html}");
    }
}

#[test]
fn attributes_are_read_in_every_notation() {
    let markup = markup("<x a=1 B = 'two 2' c=\"3>\" d e=/f/ A=2 g=>");
    let tag = markup.tags().next().unwrap();
    let expected = [
        ("a", Some("1")),
        ("b", Some("two 2")),
        ("C", Some("3>")),
        ("d", Some("")),
        ("e", Some("/f/")),
        ("f", None),
        ("g", Some("")),
    ];
    for (name, value) in expected {
        assert_eq!(tag.attribute(name), value, "{name}");
    }
    assert_eq!(tag.attributes().last(), Some(("g", "")));
}

#[test]
fn a_tag_that_ends_itself_is_told_from_a_value_that_ends_with_a_slash() {
    for (html, expected) in [
        ("<a/>", true),
        ("<a b/>", true),
        ("<a b=/c/>", false),
        ("<a b='c'/>", true),
        ("<a / >", false),
    ] {
        assert_eq!(markup(html).tags().next().unwrap().self_closing, expected, "{html}");
    }
}

#[test]
fn an_unclosed_tag_hides_at_most_one_window() {
    let long = format!("<p {}><b>", "a ".repeat(LONG));
    assert_eq!(names(&long), ["b"]);
}

#[test]
fn after_a_quotation_mark_without_a_partner_values_are_still_read() {
    let markup = markup("<a b=\"><c d='>'><e f='<'>");
    let read: Vec<_> = markup.tags().map(|tag| (tag.name, tag.attributes().next())).collect();
    let expected = [("a", Some(("b", ""))), ("c", Some(("d", ">"))), ("e", Some(("f", "<")))];
    assert_eq!(read, expected);
}

#[test]
fn tags_beyond_the_budget_are_left_out() {
    let budget = Budget::new(usize::MAX, 10_000);
    let html = "<b>".repeat(1_000);
    let found = Markup::of(&html, &budget).tags().count();
    assert!((50..1_000).contains(&found), "{found}");
    assert!(budget.is_exceeded() && !budget.is_spent(), "something is left for the readers");
}

#[test]
fn references_are_decoded_once() {
    let cases = [
        ("", ""),
        ("a&amp;b", "a&b"),
        ("&amp;quot;", "&quot;"),
        ("17&quot; &#39;&#x27; &lt;b&gt;", "17\" '' <b>"),
        ("&#xD800;&#99999999;&#;&;&", "\u{fffd}\u{fffd}&#;&;&"),
        ("4MATIC&reg; &eacute;toile &rsquo;", "4MATIC® étoile ’"),
        ("&copy=1;&é;", "&copy=1;&é;"),
    ];
    for (text, expected) in cases {
        assert_eq!(decode(text), expected);
    }
    // Only in an attribute may it be part of an address.
    assert_eq!(
        (decode("&copy2024").as_str(), decode_text("&copy2024").as_str()),
        ("&copy2024", "©2024")
    );
}

proptest! {
    #[test]
    fn tags_are_together_no_longer_than_the_page(html in "[<>/!='\" a-cé-]{0,200}|.{0,200}") {
        let markup = markup(&html);
        let length = |tag: Tag<'_>| {
            let attributes = tag.attributes().map(|(name, value)| name.len() + value.len());
            tag.name.len() + attributes.sum::<usize>() + tag.text.len()
        };
        prop_assert!(markup.tags().map(length).sum::<usize>() <= html.len());
    }

    #[test]
    fn every_byte_is_looked_at_a_few_times_at_most(
        parts in prop::collection::vec(
            prop::sample::select(vec![
                "<", ">", "\"", "'", "=", "a", " ", "/", "!", "--", "<a b=\"", "<!--", "-->",
                "</", "<script>", "</script>", "<title>", "?",
            ]),
            1..12,
        ),
    ) {
        let part = parts.concat();
        let budget = Budget::unlimited();
        let html = part.repeat(200_000 / part.len());
        let _ = Markup::of(&html, &budget);
        prop_assert!(budget.steps_taken() <= html.len() * 6, "{}", budget.steps_taken());
    }

    #[test]
    fn decoding_never_lengthens_a_text(text in "[&#xamp;0-9é]{0,100}|.{0,100}") {
        prop_assert!(decode(&text).len() <= text.len());
    }
}
