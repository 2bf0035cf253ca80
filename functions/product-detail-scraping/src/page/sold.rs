//! What a page shows its visitors of whether its car can still be bought: headings, badges, rows and sentences.

use inventory::availability::{SOLD_ELSEWISE, words};

use super::{
    likeness::year_in,
    rows::{self, NEAR},
    shown_text::PageText,
    value,
    vocabulary::Availability,
};

/// Sentences that say that a car is sold.
const SOLD: [&str; 11] = [
    "has been sold",
    "has now been sold",
    "vehicle was sold",
    "car was sold",
    "is now sold",
    "vehicle is sold",
    "car is sold",
    "is already sold",
    "already been sold",
    "no longer available",
    "is no longer for sale",
];

/// Whole texts that say it, without what is no letter, and those that say that somebody has reserved it.
const SOLD_BADGES: [&str; 5] = ["sold", "soldout", "vehiclesold", "carsold", "justsold"];
const RESERVED_BADGES: [&str; 7] =
    ["salepending", "pendingsale", "pending", "deposittaken", "onhold", "reserved", "underoffer"];

/// Parts of a heading that say that the car is not there, and whole words that do.
const GONE: [&str; 11] = [
    "unavailable",
    "no longer",
    "not available",
    "not found",
    "not be found",
    "cannot find",
    "can't find",
    "couldn't find",
    "does not exist",
    "doesn't exist",
    "has left",
];
const GONE_WORDS: [&str; 5] = ["gone", "oops", "sorry", "404", "expired"];

/// Longest badge, in bytes.
const MAX_BADGE_BYTES: usize = 24;

/// What a page's words say. `places` are those of the heading and of the row of the VIN among the texts.
pub(super) fn state(
    heading: &str,
    title: &str,
    texts: &[PageText],
    places: [Option<usize>; 2],
) -> Option<Availability> {
    let known: Vec<usize> = places.into_iter().flatten().collect();
    let is_near = |at: usize| known.iter().any(|place| place.abs_diff(at) <= NEAR);
    let own = || texts.iter().enumerate().filter(|(_, text)| !text.is_link && !text.is_of_other);
    // "Sold: no" is a row.
    let is_label = |at: usize, text: &PageText| {
        let next = texts.get(at + 1).map(|next| next.text.as_str()).unwrap_or_default();
        text.text.ends_with(':') || value::boolean(next).is_some()
    };
    let badges: Vec<String> = own()
        .filter(|(at, text)| !text.is_aside && text.text.len() <= MAX_BADGE_BYTES && is_near(*at))
        .filter(|(at, text)| !is_label(*at, text))
        .map(|(_, text)| letters(&text.text))
        .collect();
    let has = |meant: &[&str]| badges.iter().any(|badge| meant.contains(&badge.as_str()));
    let row = known.iter().find_map(|place| rows::status(texts, *place));
    // "If this vehicle is no longer available …" says nothing of it.
    let sentences = own().map(|(_, text)| text.text.to_lowercase());
    let mut sentences = sentences.filter(|text| !text.contains("if ") && !text.contains("may "));
    let is_of_car =
        year_in(title).is_some() || words(title).next().is_some_and(|word| word == "sold");
    let is_sold = is_headed_sold(heading)
        || is_of_car && is_headed_sold(title)
        || has(&SOLD_BADGES)
        || sentences.any(|text| SOLD.iter().any(|phrase| says(&text, phrase)));
    let lower = letters(heading);
    let is_reserved =
        ["salepending", "pendingsale", "onhold"].iter().any(|part| lower.contains(part));
    match row {
        _ if is_sold => Some(Availability::Sold),
        Some(state) => Some(state),
        None if is_reserved || has(&RESERVED_BADGES) => Some(Availability::Reserved),
        None if is_gone(heading) => Some(Availability::OutOfStock),
        None => None,
    }
}

fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Whether a heading or a title says that its car is sold.
pub(super) fn is_headed_sold(heading: &str) -> bool {
    let words: Vec<String> = words(heading).collect();
    let mut sold = (0..words.len()).filter(|at| words[*at] == "sold").peekable();
    let is_elsewise = |at: usize| {
        let next = words.get(at + 1).map(String::as_str);
        let before = at.checked_sub(1).and_then(|at| words.get(at)).map(String::as_str);
        next.is_some_and(|next| SOLD_ELSEWISE.contains(&next)) || before == Some("not")
    };
    sold.peek().is_some() && !sold.any(is_elsewise)
}

/// Whether a heading says that its car is not there.
pub(super) fn is_gone(heading: &str) -> bool {
    let lower = heading.to_lowercase().replace('’', "'");
    let is_said = GONE.iter().any(|part| lower.contains(part));
    is_said || words(&lower).any(|word| GONE_WORDS.contains(&word.as_str()))
}

/// Whether a sentence, in lower case, says this of a car. "This vehicle is sold as is" does not say that it is sold.
fn says(sentence: &str, phrase: &str) -> bool {
    sentence.match_indices(phrase).any(|(at, _)| {
        let rest = sentence[at + phrase.len()..].trim_start();
        let next = rest.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
        !(phrase.ends_with("sold") && SOLD_ELSEWISE.contains(&next))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_says_that_a_car_is_sold_says_so() {
        let is_sold = |sentence: &str| SOLD.iter().any(|phrase| says(sentence, phrase));
        for sentence in ["this vehicle has been sold.", "this car is sold", "it is already sold!"] {
            assert!(is_sold(sentence), "{sentence}");
        }
        for sentence in [
            "this vehicle is sold as-is, without warranty.",
            "each car is sold with two keys",
            "5,000 cars already sold!",
        ] {
            assert!(!is_sold(sentence), "{sentence}");
        }
    }

    #[test]
    fn headings_badges_and_titles_say_it() {
        let badge = |text: &str| vec![PageText { text: text.into(), ..PageText::default() }];
        let said = |heading: &str, title: &str, texts: &[PageText]| {
            state(heading, title, texts, [Some(0), None])
        };
        let (sold, reserved) = (Some(Availability::Sold), Some(Availability::Reserved));
        assert_eq!(said("2019 Honda Accord - SOLD", "", &[]), sold);
        assert_eq!(said("2019 Honda Accord sold by Acme", "", &[]), None);
        assert_eq!(said("", "SOLD - 2019 Honda Accord | Acme", &[]), sold);
        assert_eq!(said("", "The most sold cars", &[]), None);
        assert_eq!(said("", "", &badge("SOLD!")), sold);
        assert_eq!(said("", "", &badge("Sold cars: 500")), None);
        assert_eq!(said("", "", &badge("Sold:")), None);
        assert_eq!(said("2019 Honda Accord - Sale Pending", "", &[]), reserved);
        assert_eq!(said("", "", &badge("Sale Pending")), reserved);
        assert_eq!(said("This vehicle is gone", "", &[]), Some(Availability::OutOfStock));
        let link = PageText { is_link: true, text: "Sold".into(), ..PageText::default() };
        let choice = PageText { is_aside: true, text: "Sold".into(), ..PageText::default() };
        let other = PageText { is_of_other: true, text: "Sold".into(), ..PageText::default() };
        assert_eq!(said("", "", &[link, choice, other]), None);
        let sentence = |is_of_other| {
            let text = "This vehicle has been sold.".into();
            vec![PageText { text, is_of_other, ..PageText::default() }]
        };
        assert_eq!(said("", "", &sentence(false)), sold);
        assert_eq!(said("", "", &sentence(true)), None, "a similar car");
    }
}
