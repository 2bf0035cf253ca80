//! Recognises the challenge page of a bot wall, so that the job stops and reports it. The job never
//! tries to evade a wall: the remedy is a feed that the dealer has authorised.

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

/// The wall that made this challenge page, or `None` if it is no challenge. Only meaningful for a
/// page without any car: a real page may contain the same words.
#[must_use]
pub fn recognise(html: &str) -> Option<&'static str> {
    let head = html[..html.floor_char_boundary(SEARCHED_BYTES)].to_ascii_lowercase();
    let wall = WALLS.iter().find(|(_, marks)| marks.iter().all(|mark| head.contains(mark)))?;
    Some(wall.0)
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
            ("", None),
        ];
        for (html, expected) in cases {
            assert_eq!(recognise(html), expected, "{html}");
        }
    }

    proptest! {
        #[test]
        fn text_beyond_the_searched_part_is_ignored(text in ".{0,100}") {
            let page = format!("{}{text}<div id=px-captcha>", "é".repeat(SEARCHED_BYTES / 2));
            prop_assert_eq!(recognise(&page), None);
        }
    }
}
