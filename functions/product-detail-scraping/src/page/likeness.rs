//! Whether two descriptions of cars may be of one car: by year, make, model and title.

use super::{
    agreement::{equal, similar},
    record::Details,
};

/// Whether two descriptions agree, for each of what identifies a kind of car that both tell.
pub(crate) fn comparisons(one: &Details, other: &Details) -> Vec<bool> {
    let both = |one: &Option<String>, other: &Option<String>| {
        one.as_ref().zip(other.as_ref()).map(|(one, other)| similar(one, other))
    };
    // A title says the year, the make and the model in words.
    let says = |title: &Option<String>, word: &Option<String>| {
        let (title, word) = title.as_ref().zip(word.as_ref())?;
        similar(title, word).then_some(true)
    };
    // One that begins with a year names the make, too.
    let names = |of: &Details, word: &Option<String>| {
        let title = of.title.as_ref().filter(|title| year_in(title).is_some())?;
        Some(similar(title, word.as_ref()?))
    };
    let found = [
        year_of(one).zip(year_of(other)).map(|(one, other)| equal(&one, &other)),
        both(&one.make, &other.make),
        both(&one.model, &other.model),
        says(&one.title, &other.make),
        says(&one.title, &other.model),
        says(&other.title, &one.make),
        says(&other.title, &one.model),
        names(other, &one.make),
        names(one, &other.make),
        titles_agree(one, other),
    ];
    found.into_iter().flatten().collect()
}

/// Whether two titles that begin with a year have another word in common.
pub(crate) fn titles_agree(one: &Details, other: &Details) -> Option<bool> {
    let words = |of: &Details| -> Option<Vec<String>> {
        let title = of.title.as_ref().filter(|title| year_in(title).is_some())?;
        let words = title.split(|c: char| !c.is_alphanumeric());
        let words = words
            .filter(|word| word.len() > 1 && !COMMON_WORDS.contains(&word.to_lowercase().as_str()));
        Some(words.filter(|word| year_in(word).is_none()).map(str::to_lowercase).collect())
    };
    let (one, other) = (words(one)?, words(other)?);
    Some(one.iter().any(|word| other.contains(word)))
}

/// Words that the titles of all cars have in common.
const COMMON_WORDS: [&str; 9] =
    ["awd", "car", "certified", "for", "new", "owned", "pre", "sale", "used"];

fn year_of(details: &Details) -> Option<u16> {
    details.year.or_else(|| year_in(details.title.as_ref()?))
}

/// The model year in a title.
pub(crate) fn year_in(title: &str) -> Option<u16> {
    let years = title.split(|c: char| !c.is_ascii_digit()).filter_map(|word| word.parse().ok());
    years.into_iter().find(|year| (1950..2100).contains(year))
}

/// Whether a heading is certainly of another car than this one: of another year, or the name of a car without any word
/// of its make and its model. Dealers abbreviate, so one word in common is enough.
fn is_of_another(heading: &Details, known: &Details) -> bool {
    let Some(title) = heading.title.as_ref() else { return false };
    let year = year_in(title);
    if year.zip(year_of(known)).is_some_and(|(one, other)| one != other) {
        return true;
    }
    if year.is_none() && !words(title).any(|word| MAKES.contains(&word.as_str())) {
        return false;
    }
    let names = [&known.make, &known.model];
    // A title names both.
    let names =
        names.into_iter().flatten().chain(known.title.as_ref().filter(|_| !has_name(known)));
    let is_name = |word: &String| year_in(word).is_none() && !COMMON_WORDS.contains(&word.as_str());
    let mut words = names.flat_map(|name| words(name)).filter(is_name).peekable();
    let title: String = letters(title);
    words.peek().is_some() && !words.any(|word| title.contains(&word))
}

fn has_name(known: &Details) -> bool {
    known.make.is_some() || known.model.is_some()
}

/// The same of the most trusted description, which is the first that tells a year, a make or a model.
pub(crate) fn contradicts<'d>(
    heading: &Details,
    known: impl IntoIterator<Item = &'d Details>,
) -> bool {
    let tells = |details: &&Details| year_of(details).is_some() || has_name(details);
    known.into_iter().find(tells).is_some_and(|known| is_of_another(heading, known))
}

/// Whether a text between a page's heading and its end is the title of another car: it begins with a year, and has
/// another year than the heading, or no word in common with it.
pub(crate) fn announces_another(text: &str, heading: &str) -> bool {
    let is_year = |word: &str| word.len() == 4 && year_in(word).is_some();
    let mut parts = text.split_ascii_whitespace();
    if !parts.next().is_some_and(is_year) || parts.next().is_none() {
        return false;
    }
    let said: Vec<String> = words(text).collect();
    if said.iter().any(|word| OF_AWARDS.contains(&word.as_str())) {
        return false;
    }
    let differs = year_in(text).zip(year_in(heading)).is_some_and(|(one, other)| one != other);
    let headed: Vec<String> = words(heading).collect();
    let is_common = |word: &String| year_in(word).is_none() && headed.contains(word);
    differs || !said.iter().any(is_common)
}

/// Words of texts that begin with a year and are no title: awards, events, notes on the model year.
const OF_AWARDS: [&str; 16] = [
    "award",
    "awards",
    "best",
    "clearance",
    "edmunds",
    "epa",
    "event",
    "iihs",
    "kbb",
    "model",
    "nhtsa",
    "pick",
    "rating",
    "safety",
    "top",
    "year",
];

/// Names of makes, or the first word of each, in lower case.
const MAKES: [&str; 62] = [
    "acura",
    "alfa",
    "aston",
    "audi",
    "bentley",
    "bmw",
    "buick",
    "cadillac",
    "chevrolet",
    "chevy",
    "chrysler",
    "citroen",
    "cupra",
    "dacia",
    "dodge",
    "ferrari",
    "fiat",
    "ford",
    "genesis",
    "gmc",
    "honda",
    "hummer",
    "hyundai",
    "infiniti",
    "isuzu",
    "jaguar",
    "jeep",
    "kia",
    "lamborghini",
    "lexus",
    "lincoln",
    "lotus",
    "lucid",
    "maserati",
    "mazda",
    "mclaren",
    "mercedes",
    "mercury",
    "mini",
    "mitsubishi",
    "nissan",
    "opel",
    "peugeot",
    "polestar",
    "pontiac",
    "porsche",
    "ram",
    "renault",
    "rivian",
    "rover",
    "saab",
    "saturn",
    "scion",
    "seat",
    "skoda",
    "subaru",
    "suzuki",
    "tesla",
    "toyota",
    "vauxhall",
    "volkswagen",
    "volvo",
];

/// The words of a name in lower case, without single letters.
fn words(name: &str) -> impl Iterator<Item = String> + '_ {
    let words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() > 1);
    words.map(str::to_lowercase)
}

fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn titled(title: &str) -> Details {
        Details { title: Some(title.into()), ..Details::default() }
    }

    #[test]
    fn a_heading_is_of_another_car_if_nothing_of_it_fits() {
        let known = Details {
            year: Some(2003),
            make: Some("Mercedes-Benz".into()),
            model: Some("C 300".into()),
            ..Details::default()
        };
        for (heading, expected) in [
            ("2003 Mercedes C300", false),
            ("Used 2003 C300 4MATIC", false),
            ("2021 Mercedes C300", true),
            ("2003 Kia Sorento", true),
            ("Kia Sorento", true),
            ("Mercedes C300", false),
            ("One of our best", false),
        ] {
            assert_eq!(is_of_another(&titled(heading), &known), expected, "{heading}");
        }
        assert!(!is_of_another(&Details::default(), &known));
        let known = titled("Certified 2003 Honda Accord");
        assert!(!is_of_another(&titled("Used 2003 Accord EX"), &known));
        assert!(is_of_another(&titled("Used 2003 Kia Sorento"), &known));
        assert!(is_of_another(&titled("Used 2021 Accord EX"), &known));
        for heading in ["2003 Kia Sorento", "Kia Sorento"] {
            assert!(!is_of_another(&titled(heading), &Details::default()), "{heading}");
        }
    }

    #[test]
    fn the_most_trusted_description_decides() {
        let year = |year| Details { year: Some(year), ..Details::default() };
        let heading = titled("2003 Honda");
        let (ours, other) = (year(2003), year(2004));
        assert!(!contradicts(&heading, [&Details::default(), &ours, &other]));
        assert!(contradicts(&heading, [&other, &ours]));
        assert!(!contradicts(&heading, []));
    }

    #[test]
    fn a_text_that_begins_with_a_year_may_announce_another_car() {
        for (text, expected) in [
            ("2021 Kia Sorento", true),
            ("2018 Honda Accord", true),
            ("2019 Honda Accord EX", false),
            ("2019 Accord", false),
            ("2019 IIHS Top Safety Pick", false),
            ("2019", false),
            ("Kia Sorento", false),
            ("20190 miles", false),
        ] {
            assert_eq!(announces_another(text, "Used 2019 Honda Accord"), expected, "{text}");
        }
        assert!(announces_another("2021 Kia", "This car is gone"));
    }
}
