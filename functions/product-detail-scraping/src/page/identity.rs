//! Decides whether a page is about the job's car. A page that shows another car, and names ours in a list, a link or a
//! sentence, is not: its title and its price belong to the other one.

use super::{
    PageError,
    agreement::{equal, similar},
    challenge, has_word,
    quality::MAX_OTHER_VINS,
    record::Details,
    sighting::{Main, Sightings},
    visible::Visible,
    vocabulary::Provenance,
};

/// What proves that a page is about the job's car.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The source that names the car's VIN.
    pub(crate) from: Provenance,
    pub(crate) proof: Proof,
}

/// How far a page's car without a VIN can be the job's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// The page's main entity, its heading or its own address has the VIN: unless the car contradicts what is known.
    Strong,
    /// A row or an attribute has it: if the car agrees with what is known.
    Weak,
    /// Only an entry of a list has it: never.
    None,
}

/// Finds what proves that the page is about the car `vin`.
pub(crate) fn decide(
    page: &str,
    vin: &str,
    seen: &[Sightings<'_>],
    visible: &Visible,
    feed: &Details,
) -> Result<Identity, PageError> {
    let of = |from, proof| Ok(Identity { from, proof });
    let linked = seen.iter().filter(|source| source.source().has_entities());
    let deciding = linked.filter(|source| [Main::Ours, Main::Other].contains(&source.main()));
    let deciding: Vec<_> = deciding.collect();
    match deciding.first() {
        Some(source) if source.main() == Main::Ours => {
            // If another source says that the page is about another car, only what has our VIN is ours, unless the
            // heading is of our car.
            let is_agreed = deciding.iter().all(|source| source.main() == Main::Ours);
            let headed = visible.headed();
            let known = source.named().chain([feed]);
            let verdicts: Vec<bool> = known.flat_map(|known| comparisons(known, &headed)).collect();
            let is_headed = !verdicts.is_empty() && verdicts.iter().all(|agrees| *agrees);
            let proof = match (is_agreed, is_headed) {
                (true, _) => Proof::Strong,
                (false, true) => Proof::Weak,
                (false, false) => Proof::None,
            };
            return of(source.source(), proof);
        }
        Some(_) => return Err(other_vehicle(vin, seen)),
        None => {}
    }
    let named = seen.iter().find(|source| source.names_ours());
    let from = named.map_or(Provenance::Page, Sightings::source);
    if visible.is_headed(vin, has_word) && challenge::recognise_known(page).is_none() {
        return of(from, Proof::Strong);
    }
    // The page of another car may have a row that says that ours is sold.
    let is_plausible = || comparisons(feed, &visible.headed()).into_iter().all(|agrees| agrees);
    match named {
        Some(source) if source.main() == Main::Ours && is_plausible() => {
            return of(from, Proof::Weak);
        }
        Some(source) if source.named().next().is_some() => return of(from, Proof::None),
        _ => {}
    }
    if visible.labelled_vins() == [vin] && is_plausible() {
        return of(Provenance::Page, Proof::Weak);
    }
    if let Some(wall) = challenge::recognise(page) {
        return Err(PageError::Challenge { wall });
    }
    let names_others = seen.iter().any(|source| !source.others().is_empty());
    Err(if names_others { other_vehicle(vin, seen) } else { PageError::NoVin })
}

fn other_vehicle(vin: &str, seen: &[Sightings<'_>]) -> PageError {
    PageError::OtherVehicle { expected: vin.to_owned(), found: other_vins(seen) }
}

/// The VINs of other cars, without duplicates, at most [`MAX_OTHER_VINS`].
pub(crate) fn other_vins(seen: &[Sightings<'_>]) -> Vec<String> {
    let mut vins: Vec<String> = Vec::new();
    for vin in seen.iter().flat_map(Sightings::others) {
        if vins.len() < MAX_OTHER_VINS && !vins.contains(vin) {
            vins.push(vin.clone());
        }
    }
    vins
}

impl Proof {
    /// Whether a car without a VIN may be the job's, of which `known` is known. The page's heading may contradict it; as a
    /// proof it is worth no more than the car itself.
    pub(crate) fn admits(
        self,
        from: Provenance,
        unnamed: &Details,
        known: &[Details],
        heading: &Details,
    ) -> bool {
        let verdicts = || known.iter().flat_map(|known| comparisons(unnamed, known));
        let of_heading = || comparisons(unnamed, heading);
        let contradicts = verdicts().chain(of_heading()).any(|agrees| !agrees);
        match self {
            // Without anything to compare with, it may as well be an accessory or another car.
            // The `meta` elements are about the page, whatever that is.
            Self::Strong => {
                let has_verdict = verdicts().chain(of_heading()).next().is_some();
                !contradicts && (has_verdict || from == Provenance::OpenGraph)
            }
            Self::Weak => !contradicts && verdicts().count() > 0,
            Self::None => false,
        }
    }
}

/// Whether two descriptions agree, for each of what identifies a kind of car that both tell.
fn comparisons(one: &Details, other: &Details) -> Vec<bool> {
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
fn titles_agree(one: &Details, other: &Details) -> Option<bool> {
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

fn year_in(title: &str) -> Option<u16> {
    let years = title.split(|c: char| !c.is_ascii_digit()).filter_map(|word| word.parse().ok());
    years.into_iter().find(|year| (1950..2100).contains(year))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn car(year: u16, make: &str, title: &str) -> Details {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Details {
            year: (year > 0).then_some(year),
            make: some(make),
            title: some(title),
            ..Details::default()
        }
    }

    #[test]
    fn a_car_without_a_vin_must_not_contradict_what_is_known() {
        let known = [Details { model: Some("Accord".into()), ..car(2021, "Honda", "") }];
        let cases = [
            (car(2021, "HONDA", ""), true, true),
            (car(0, "", "Certified 2021 Honda Accord EX"), true, true),
            (car(0, "", "Certified 2025 Coupe"), false, false),
            (car(2021, "Kia", ""), false, false),
            (car(2021, "", "2021 Kia K5"), false, false),
            (car(0, "", "One of our best"), false, false),
            (car(0, "", ""), false, false),
        ];
        for (unnamed, strong, weak) in cases {
            let (from, none) = (Provenance::JsonLd, Details::default());
            assert_eq!(Proof::Strong.admits(from, &unnamed, &known, &none), strong, "{unnamed:?}");
            assert_eq!(Proof::Weak.admits(from, &unnamed, &known, &none), weak, "{unnamed:?}");
            assert!(!Proof::None.admits(from, &unnamed, &known, &none));
        }
    }
}
