//! Decides whether a page is about the job's car. A page that shows another car, and names ours in a list, a link or a
//! sentence, is not: its title and its price belong to the other one.

use super::{
    PageError, challenge, has_word,
    likeness::{comparisons, contradicts},
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
    /// Whether the price that the page shows its visitors is the car's.
    pub(crate) is_shown: bool,
}

/// How far a page's car without a VIN can be the job's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// The page's main entity, its heading or its own address has the VIN: unless the car contradicts what is known.
    Strong,
    /// A row, an attribute or the window's title has it, or the heading says that the car is gone or names another: if
    /// the car agrees with what is known.
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
    let of = |from, proof| Ok(Identity { from, proof, is_shown: proof == Proof::Strong });
    let linked = seen.iter().filter(|source| source.source().has_entities());
    let deciding = linked.filter(|source| [Main::Ours, Main::Other].contains(&source.main()));
    let deciding: Vec<_> = deciding.collect();
    match deciding.first() {
        Some(source) if source.main() == Main::Ours => {
            // If another source says that the page is about another car, only what has our VIN is ours, unless the
            // heading is of our car.
            let is_agreed = deciding.iter().all(|source| source.main() == Main::Ours);
            let headed = visible.headed();
            let known: Vec<&Details> = source.named().chain([feed]).collect();
            let verdicts = known.iter().flat_map(|known| comparisons(known, &headed));
            let verdicts: Vec<bool> = verdicts.collect();
            let is_headed = !verdicts.is_empty() && verdicts.iter().all(|agrees| *agrees);
            let is_of_another = contradicts(&headed, known);
            let proof = match (is_agreed, is_headed) {
                (true, _) if !is_of_another => Proof::Strong,
                (true, _) | (false, true) => Proof::Weak,
                (false, false) => Proof::None,
            };
            return of(source.source(), proof);
        }
        Some(_) => return Err(other_vehicle(vin, seen)),
        None => {}
    }
    let named = seen.iter().find(|source| source.names_ours());
    let from = named.map_or(Provenance::Page, Sightings::source);
    // The page of another car may have a row that says that ours is sold, and the page of a car that is gone may show
    // another at its address.
    let headed = visible.headed();
    let known = || named.into_iter().flat_map(Sightings::named).chain([feed]);
    let is_possible = !contradicts(&headed, known()) && visible.is_headed_like_its_address();
    let is_plausible =
        || is_possible && comparisons(feed, &headed).into_iter().all(|agrees| agrees);
    if visible.is_headed(vin, has_word) && challenge::recognise_known(page).is_none() && is_possible
    {
        return of(from, if visible.is_gone() { Proof::Weak } else { Proof::Strong });
    }
    match named {
        // The page may be of another car where it has a heading.
        Some(_) if visible.is_of_body(vin) => {
            return Ok(Identity { from, proof: Proof::Strong, is_shown: false });
        }
        Some(source) if source.main() == Main::Ours && is_plausible() => {
            return of(from, Proof::Weak);
        }
        Some(source) if source.named().next().is_some() => return of(from, Proof::None),
        _ => {}
    }
    let is_told = visible.labelled_vins() == [vin] || visible.titled(vin, has_word).is_some();
    if is_told && is_plausible() {
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
