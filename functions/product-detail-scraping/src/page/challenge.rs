//! Recognises the challenge page of a bot wall, so that the job stops and reports it. The job never
//! tries to evade a wall: the remedy is a feed that the dealer has authorised.

use inventory::budget::Budget;

use super::markup::Markup;

/// Bytes searched at the start of a page. Challenges are small pages.
const SEARCHED_BYTES: usize = 64 * 1024;

/// Walls, each with the texts, in lower case, that its challenge contains together. The script that
/// some walls add to every page is not sufficient.
const WALLS: [(&str, &[&str]); 14] = [
    ("akamai", &["<title>access denied</title>", "reference #"]),
    ("akamai", &["bm-verify"]),
    ("aws_waf", &["awswaf", "challenge-container"]),
    ("cloudflare", &["<title>just a moment"]),
    ("cloudflare", &["cf_chl_opt"]),
    ("cloudflare", &["<title>attention required", "cloudflare"]),
    ("datadome", &["captcha-delivery.com"]),
    ("imperva", &["_incapsula_resource", "incident id"]),
    ("imperva", &["<title>pardon our interruption"]),
    ("perimeterx", &["px-captcha"]),
    ("unknown", &["<title>", "are you a robot"]),
    ("unknown", &["<title>", "verify you are human"]),
    ("unknown", &["<title>", "verifying you are human"]),
    ("unknown", &["<title>", "unusual traffic from your"]),
];

/// Most links of a challenge: a dealer's page has a menu.
const MAX_LINKS: usize = 6;

/// Parts of the addresses of scripts and frames that let a visitor prove that he is human. Those that only watch
/// visitors stand on ordinary pages, too.
const CHALLENGE_SCRIPTS: [&str; 8] = [
    "_sec/cp_challenge",
    "arkoselabs",
    "captcha",
    "challenge.js",
    "human-challenge",
    "shieldsquare",
    "turnstile",
    "verify-human",
];

/// The ids of the element that a script fills with the whole page. Such a page has no links yet, either.
const SHELLS: [&str; 4] = ["root", "app", "__next", "__nuxt"];

/// Names that walls give to the number of a refused request.
const NUMBERS: [&str; 9] = [
    "block id",
    "event id",
    "incident id",
    "incident number",
    "incidentid",
    "ray id",
    "reference id",
    "request id",
    "support id",
];

/// How far the number stands behind its name, in bytes.
const NUMBER_WITHIN: usize = 40;

/// The wall that made this challenge page, or `None` if it is no challenge. Only meaningful for a
/// page without any car: a real page may contain the same words.
#[must_use]
pub fn recognise(html: &str) -> Option<&'static str> {
    let head = html[..html.floor_char_boundary(SEARCHED_BYTES)].to_ascii_lowercase();
    // Challenges are small pages.
    let is_small = html.len() <= SEARCHED_BYTES;
    let wall = recognise_known(html);
    wall.or_else(|| (is_small && is_built_like_one(&head)).then_some("unknown"))
}

/// The same by the texts of known walls alone.
#[must_use]
pub fn recognise_known(html: &str) -> Option<&'static str> {
    let head = html[..html.floor_char_boundary(SEARCHED_BYTES)].to_ascii_lowercase();
    let wall = WALLS.iter().find(|(_, marks)| marks.iter().all(|mark| head.contains(mark)));
    wall.map(|(name, _)| *name)
}

/// Whether a page has what a challenge is made of: next to no links, and either a script for the visitor's proof or the
/// number of a refused request.
fn is_built_like_one(head: &str) -> bool {
    let (mut links, mut has_script, mut is_shell) = (0, false, false);
    let markup = Markup::of(head, &Budget::of(head.len()));
    for tag in markup.tags() {
        is_shell |= tag.attribute("id").is_some_and(|id| SHELLS.contains(&id));
        links += usize::from(tag.begins("a"));
        let is_loaded = tag.begins("script") || tag.begins("iframe");
        let source = tag.attribute("src").filter(|_| is_loaded).unwrap_or_default();
        has_script |= CHALLENGE_SCRIPTS.iter().any(|part| source.contains(part));
    }
    !is_shell && links <= MAX_LINKS && (has_script || has_number(head))
}

fn has_number(head: &str) -> bool {
    NUMBERS.iter().any(|name| {
        head.find(name).is_some_and(|at| {
            let after = &head[at + name.len()..];
            let near = &after[..after.floor_char_boundary(NUMBER_WITHIN)];
            near.contains(|c: char| c.is_ascii_digit())
        })
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn challenges_are_distinguished_from_real_pages() {
        let cases = [
            ("<TITLE>Just a moment...</TITLE>", Some("cloudflare")),
            ("<title>Attention Required! | Cloudflare</title>", Some("cloudflare")),
            ("<title>Access Denied</title> Reference #18.2d3a", Some("akamai")),
            ("<title>Access Denied</title>", None),
            ("<script src=https://geo.captcha-delivery.com/c.js>", Some("datadome")),
            ("<div id=px-captcha>", Some("perimeterx")),
            ("<iframe src=/_Incapsula_Resource?x>Incident ID: 1", Some("imperva")),
            ("<script src=/_Incapsula_Resource?x>", None),
            ("<script src=/cdn-cgi/challenge-platform/scripts/jsd/main.js>", None),
            ("<title>x</title>Please verify you are human", Some("unknown")),
            ("<title>2003 Honda Accord</title> g-recaptcha", None),
            (
                "<h1>Unavailable</h1><div id=incidentid>Incident Number: 18.0.0.0</div>",
                Some("unknown"),
            ),
            (
                "<p>One moment</p><script src=https://hcaptcha.example/1/api.js></script>",
                Some("unknown"),
            ),
            ("<p>Support ID: none</p>", None),
            ("", None),
        ];
        for (html, expected) in cases {
            assert_eq!(recognise(html), expected, "{html}");
        }
        let menu = "<a href=/>x</a>".repeat(MAX_LINKS + 1);
        assert_eq!(recognise("<div id=root></div><script src=/recaptcha.js></script>"), None);
        assert_eq!(recognise(&format!("{menu}<script src=/recaptcha.js></script>")), None);
    }

    proptest! {
        #[test]
        fn text_beyond_the_searched_part_is_ignored(text in ".{0,100}") {
            let page = format!("{}{text}<div id=px-captcha>", "é".repeat(SEARCHED_BYTES / 2));
            prop_assert_eq!(recognise(&page), None);
        }
    }
}
