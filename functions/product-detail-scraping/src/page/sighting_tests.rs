use Role::{Listed, Main as Alone};

use super::*;

const OURS: &str = "1HGCM82633A004352";
const OTHER: &str = "1M8GDM9AXKP042788";

fn base() -> Url {
    "https://www.dealer.example/used/1.htm".parse().unwrap()
}

fn year(year: u16) -> Details {
    Details { year: Some(year), ..Details::default() }
}

/// A car: its VIN, its place and its year.
type Car<'a> = (Option<&'a str>, Role, u16);

fn sightings<'s>(base: &'s Url, budget: &'s Budget, cars: &[Car<'_>]) -> Sightings<'s> {
    let mut seen = Sightings::new(Provenance::JsonLd, OURS, base, budget);
    for (vin, role, number) in cars {
        seen.see(vin.map(str::to_owned), *role, |_| year(*number));
    }
    seen
}

/// The years of the cars that may be the job's, and the number of warnings.
fn years(cars: &[Car<'_>], admits: bool) -> (Vec<u16>, usize) {
    let (details, warnings) = sightings(&base(), &Budget::unlimited(), cars).chosen(|_| admits);
    (details.iter().filter_map(|details| details.year).collect(), warnings.len())
}

#[test]
fn the_jobs_car_is_distinguished_from_others() {
    let cases: &[(&[Car<'_>], &[u16], usize)] = &[
        (&[], &[], 0),
        (&[(Some(OURS), Alone, 2003), (Some(OTHER), Alone, 1989)], &[2003], 0),
        (&[(Some(OURS), Listed, 2003), (Some(OTHER), Alone, 1989)], &[2003], 0),
        (&[(Some(OTHER), Alone, 1989)], &[], 0),
        (&[(Some(OURS), Alone, 2003), (Some(OURS), Listed, 2004)], &[2003, 2004], 0),
        (&[(Some(OURS), Alone, 2003), (None, Alone, 2005)], &[2003], 0),
        (&[(None, Alone, 2005)], &[2005], 0),
        (&[(None, Listed, 2005)], &[], 0),
        (&[(None, Alone, 2005), (None, Alone, 2005)], &[2005], 0),
        (&[(None, Alone, 2005), (None, Alone, 2006)], &[], 1),
        (&[(None, Alone, 2005), (Some(OTHER), Alone, 1989)], &[], 1),
        (&[(None, Alone, 2005), (Some(OTHER), Listed, 1989)], &[2005], 0),
    ];
    for (cars, expected, warnings) in cases {
        assert_eq!(years(cars, true), (expected.to_vec(), *warnings), "{cars:?}");
    }
}

#[test]
fn a_car_without_a_vin_that_is_not_admitted_gives_a_warning() {
    assert_eq!(years(&[(None, Alone, 2005)], false), (vec![], 1));
    assert_eq!(years(&[(Some(OURS), Alone, 2003)], false), (vec![2003], 0));
}

#[test]
fn what_stands_for_itself_is_what_the_page_is_about() {
    let cases: &[(&[Car<'_>], Main)] = &[
        (&[], Main::Unknown),
        (&[(Some(OURS), Alone, 1), (Some(OTHER), Listed, 1)], Main::Ours),
        (&[(Some(OURS), Listed, 1), (Some(OTHER), Alone, 1)], Main::Other),
        (&[(Some(OURS), Alone, 1), (Some(OTHER), Alone, 1)], Main::Unknown),
        (&[(Some(OURS), Listed, 1)], Main::Unknown),
        (&[(None, Alone, 1)], Main::Unnamed),
        (&[(None, Alone, 1), (Some(OURS), Alone, 1)], Main::Ours),
    ];
    for (cars, expected) in cases {
        assert_eq!(sightings(&base(), &Budget::unlimited(), cars).main(), *expected, "{cars:?}");
    }
}

#[test]
fn the_number_of_sightings_is_bounded() {
    let base = base();
    let budget = Budget::unlimited();
    let mut seen = Sightings::new(Provenance::JsonLd, OURS, &base, &budget);
    for number in 0..1_000_u16 {
        seen.see(Some(OURS.into()), Alone, |_| year(number));
        seen.see(None, Alone, |_| year(number));
        seen.name(format!("{number:017}"), Listed);
        assert_eq!(seen.parse("[]").is_some(), usize::from(number) < MAX_BLOCKS);
        seen.bad_block("é".repeat(40).as_str());
    }
    assert_eq!((seen.ours.len(), seen.unnamed.len()), (MAX_SIGHTINGS, 2));
    assert_eq!((seen.others.len(), seen.warnings.len()), (MAX_OTHER_VINS, MAX_WARNINGS));
}

#[test]
fn equal_cars_are_kept_once_and_not_read_for_ever() {
    let base = base();
    let budget = Budget::unlimited();
    let mut seen = Sightings::new(Provenance::JsonLd, OURS, &base, &budget);
    let mut reads = 0;
    for _ in 0..1_000 {
        seen.see(Some(OURS.into()), Alone, |_| {
            reads += 1;
            year(2003)
        });
    }
    assert_eq!((seen.ours.len(), reads), (1, MAX_READ));
}

#[test]
fn the_bytes_of_all_blocks_together_are_bounded() {
    let base = base();
    let budget = Budget::unlimited();
    let mut seen = Sightings::new(Provenance::JsonLd, OURS, &base, &budget);
    let block = format!("[{}]", " ".repeat(200 * 1024));
    let parsed = (0..20).filter(|_| seen.parse(&block).is_some()).count();
    assert_eq!(parsed, MAX_PARSED_BYTES / block.len());
    assert_eq!(seen.warnings.len(), 1, "one for all that are skipped");
}
