//! Recognises the challenge page of a bot wall, so that the job stops and reports it. The job never
//! tries to evade a wall: the remedy is a feed that the dealer has authorised.

use inventory::budget::Budget;

use super::markup::{Markup, Tag};

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

/// Most links of a challenge: a dealer's page has a menu. One that says that it refused a request, or that it checks its
/// visitor, may have the links of a footer.
const MAX_LINKS: usize = 6;
const MAX_LINKS_OF_REFUSAL: usize = 20;

/// Most bytes of visible text of a page that only runs a script.
const MAX_TEXT_BYTES: usize = 300;

/// Parts of the addresses of scripts and frames that let a visitor prove that he is human. Those that only watch
/// visitors stand on ordinary pages, too.
const CHALLENGE_SCRIPTS: [&str; 9] = [
    "_sec/cp_challenge",
    "arkoselabs",
    "captcha",
    "challenge.js",
    "human-challenge",
    "/ips.js",
    "shieldsquare",
    "turnstile",
    "verify-human",
];

/// The ids of the element that a script fills with the whole page. Such a page has no links yet, either.
const SHELLS: [&str; 4] = ["root", "app", "__next", "__nuxt"];

/// Parts of scripts that prove the visitor without asking him, and then load the page again.
const PROVING: [&str; 5] = ["_cf_chl", "kpsdk", "__jsch", "_pxappid", "awswafcookie"];
const COOKIE: &str = "document.cookie";
const RELOADS: [&str; 3] = ["location.reload", "location.href", "location.replace"];

/// What challenges say, in lower case. Ordinary pages say it as well, but have more than that.
const SAYINGS: [&str; 21] = [
    "access to this page has been denied",
    "are you a human",
    "are you human",
    "automated requests",
    "automated traffic",
    "checking if the site connection is secure",
    "checking your browser",
    "confirm you are a human",
    "confirm you are human",
    "ddos protection by",
    "enable cookies and javascript",
    "enable javascript and cookies",
    "human verification",
    "not a bot",
    "please wait while we verify",
    "press & hold",
    "press and hold",
    "prove you are human",
    "turn javascript on and reload",
    "verifying your browser",
    "your request has been blocked",
];

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

/// What a page without a car is made of.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "any of them may hold with any other")]
struct Build {
    links: usize,
    /// Bytes of text that a visitor sees.
    text: usize,
    /// Whether a script loads a visitor's proof, runs one, or sets a cookie and loads the page again.
    has_proof_script: bool,
    has_proving_script: bool,
    has_reload: bool,
    /// Whether the browser is told to load the page again.
    has_refresh: bool,
    /// Whether it has what a dealer's page has: a menu, a phone number, or an element that a script fills.
    is_site: bool,
}

impl Build {
    fn of(head: &str) -> Self {
        let mut build = Self::default();
        let markup = Markup::of(head, &Budget::of(head.len()));
        for tag in markup.tags() {
            build.note(&tag);
        }
        build
    }

    fn note(&mut self, tag: &Tag<'_>) {
        let is_shell = tag.attribute("id").is_some_and(|id| SHELLS.contains(&id));
        let is_phone = tag.attribute("href").is_some_and(|href| href.starts_with("tel:"));
        self.is_site |= is_shell || is_phone || tag.begins("nav");
        self.links += usize::from(tag.begins("a"));
        let is_loaded = tag.begins("script") || tag.begins("iframe");
        let source = tag.attribute("src").filter(|_| is_loaded).unwrap_or_default();
        self.has_proof_script |= CHALLENGE_SCRIPTS.iter().any(|part| source.contains(part));
        let equivalent = tag.attribute("http-equiv").unwrap_or_default();
        self.has_refresh |= tag.begins("meta") && equivalent == "refresh";
        if tag.begins("script") {
            self.has_proving_script |= PROVING.iter().any(|part| tag.text.contains(part));
            let reloads = RELOADS.iter().any(|part| tag.text.contains(part));
            self.has_reload |= reloads && tag.text.contains(COOKIE);
        } else if !tag.begins("style") {
            self.text += tag.text.trim().len();
        }
    }
}

/// Whether a page has what a challenge is made of, and nothing of a dealer's: a script for the visitor's proof, or the
/// number of a refused request. `head` is in lower case.
fn is_built_like_one(head: &str) -> bool {
    let build = Build::of(head);
    let says = head.contains("press &amp; hold") || SAYINGS.iter().any(|part| head.contains(part));
    let is_script = build.has_proof_script && build.links <= MAX_LINKS;
    let is_bare = build.links == 0 && build.text <= MAX_TEXT_BYTES;
    let is_run = is_bare && (build.has_proving_script || build.has_reload);
    let is_refusal = build.links <= MAX_LINKS_OF_REFUSAL && has_number(head);
    let is_said = says && (is_bare || build.has_refresh || build.has_reload || is_script);
    !build.is_site && (is_script || is_run || is_refusal || is_said)
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
            ("<script>window.KPSDK={}</script><script src=/x/ips.js?a></script>", Some("unknown")),
            (
                "<meta http-equiv=refresh content='2; url=/?__jsch=1'><p>Checking your browser.</p>",
                Some("unknown"),
            ),
            (
                "<script>window._cf_chl={};location.reload()</script>\
                 <noscript>Please enable JavaScript and cookies to continue</noscript>",
                Some("unknown"),
            ),
            (
                "<script>document.cookie='a=1';location.reload()</script><p>One moment</p>",
                Some("unknown"),
            ),
            ("<div>Press &amp; Hold to confirm you are a human</div>", Some("unknown")),
            ("<script>document.cookie='a=1'</script><p>Welcome</p>", None),
            ("<meta http-equiv=refresh content='0; url=/home'><p>Moved</p>", None),
            ("<div id=root></div><noscript>Enable JavaScript and cookies</noscript>", None),
            ("<a href=tel:1>Call</a><p>Request ID: 4711</p>", None),
            ("<nav><a href=/>x</a></nav><p>Are you human? So are we.</p>", None),
            ("", None),
        ];
        for (html, expected) in cases {
            assert_eq!(recognise(html), expected, "{html}");
        }
        let menu = "<a href=/>x</a>".repeat(MAX_LINKS + 1);
        let refusal = "<h1>Pardon</h1><p>Request blocked. Incident Number: 18.0.0.0</p>";
        assert_eq!(recognise(&format!("{refusal}{menu}")), Some("unknown"));
        assert_eq!(recognise(&format!("{refusal}{}", menu.repeat(3))), None);
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
