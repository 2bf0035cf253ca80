use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::inventory;

/// A simulated site.
#[derive(Clone, Debug)]
struct Site {
    cars: u32,
    /// Most cars per page, independent of the requested page size.
    cap: u32,
    total: Total,
    start: Start,
    /// How many entries of the page before each further page repeats, as if cars had been added.
    overlap: u32,
    /// One of this many entries has no VIN; 0 means that all have one.
    bad_every: u32,
    /// Whether the order within a page changes with every request.
    shuffles: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Total {
    True,
    Absent,
    Lie(u32),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Start {
    Kept,
    Ignored,
    /// A start beyond the end returns the last page.
    Clamped,
    /// A start beyond the end continues at the beginning.
    Wrapped,
}

fn honest(cars: u32, cap: u32) -> Site {
    Site {
        cars,
        cap,
        total: Total::True,
        start: Start::Kept,
        overlap: 0,
        bad_every: 0,
        shuffles: false,
    }
}

impl Site {
    fn answer(&self, start: u32, fetches: u32) -> Page {
        let first = match self.start {
            Start::Kept => start.saturating_sub(self.overlap),
            Start::Ignored => 0,
            Start::Clamped if start >= self.cars => self.cars.saturating_sub(self.cap),
            Start::Clamped => start,
            Start::Wrapped => start % self.cars.max(1),
        };
        let entry = |car: u32| match car.checked_rem(self.bad_every) {
            Some(place) if place == self.bad_every - 1 => json!({"stockNumber": car}),
            _ => json!({"vin": vin(car)}),
        };
        let cars = first..self.cars.min(first + self.cap);
        let mut entries: Vec<Value> = cars.map(entry).collect();
        if self.shuffles && !entries.is_empty() {
            let by = usize::try_from(fetches).unwrap() % entries.len();
            entries.rotate_left(by);
        }
        let total = match self.total {
            Total::True => Some(self.cars),
            Total::Absent => None,
            Total::Lie(total) => Some(total),
        };
        answer(&entries, total, Some(self.cap))
    }
}

fn vin(car: u32) -> String {
    // No run of zeros, which would be a car on order.
    format!("1HGCM8{:02}3A{:02}Z{:04}", car / 1_000_000, car / 10_000 % 100, car % 10_000)
}

fn answer(entries: &[Value], total: Option<u32>, page_size: Option<u32>) -> Page {
    let info = json!({"totalCount": total, "pageSize": page_size});
    let body = json!({"pageInfo": info, "inventory": entries}).to_string();
    let site = "https://www.acme.example".parse().unwrap();
    inventory::read(body.as_bytes(), &site).unwrap()
}

/// A page with these cars.
fn page(cars: std::ops::Range<u32>, total: Option<u32>) -> Page {
    let entries: Vec<Value> = cars.map(|car| json!({"vin": vin(car)})).collect();
    answer(&entries, total, None)
}

/// Reads a site to the end, storing and loading the cursor after every page. Returns the cursor and
/// the number of pages fetched.
fn read_all(site: &Site) -> (Cursor, u32) {
    let mut cursor = Cursor::new(Condition::New);
    for fetches in 0..=MAX_PAGES {
        let Step::Fetch { start } = cursor.step() else { return (cursor, fetches) };
        let step = cursor.next(&site.answer(start, fetches));
        let stored = serde_json::to_string(&cursor).unwrap();
        cursor = serde_json::from_str(&stored).unwrap();
        assert_eq!(cursor.step(), step);
    }
    panic!("no end after {MAX_PAGES} pages");
}

#[test]
fn an_unannounced_page_limit_loses_no_car() {
    let (cursor, fetches) = read_all(&honest(5_000, 35));
    assert_eq!((cursor.vins().count(), cursor.pages(), fetches), (5_000, 143, 143));
    assert_eq!(cursor.step(), Step::Done(End::Total));
    assert!(cursor.is_whole() && cursor.is_healthy());
}

#[test]
fn lists_end_for_the_expected_reason() {
    let kept = |total, cars| Site { total, ..honest(cars, 35) };
    let lost = |start, total| Site { total, start, ..honest(100, 35) };
    // Expected: cars seen, pages fetched, why the list ended, whether the read is complete.
    let cases = [
        (kept(Total::True, 0), (0, 1, End::Empty, true)),
        (kept(Total::True, 20), (20, 1, End::Total, true)),
        (kept(Total::True, 100), (100, 3, End::Total, true)),
        // A full page at the total: one more request.
        (kept(Total::True, 70), (70, 3, End::Empty, true)),
        (kept(Total::Absent, 100), (100, 4, End::Empty, true)),
        // Wrong totals: the page's own count, zero, too low, too high.
        (kept(Total::Lie(35), 100), (100, 4, End::Empty, true)),
        (kept(Total::Lie(0), 100), (100, 4, End::Empty, true)),
        (kept(Total::Lie(50), 100), (100, 4, End::Empty, true)),
        (kept(Total::Lie(500), 100), (100, 4, End::Empty, false)),
        (kept(Total::Lie(5), 0), (0, 1, End::Empty, false)),
        // Sites that do not honour the requested start.
        (lost(Start::Ignored, Total::True), (35, 2, End::Repeated, false)),
        (lost(Start::Ignored, Total::Absent), (35, 2, End::Repeated, false)),
        (lost(Start::Ignored, Total::Lie(10)), (35, 2, End::Repeated, false)),
        (lost(Start::Clamped, Total::True), (100, 3, End::Total, true)),
        (lost(Start::Clamped, Total::Absent), (100, 5, End::Repeated, false)),
        (lost(Start::Wrapped, Total::True), (100, 3, End::Total, true)),
        (lost(Start::Wrapped, Total::Absent), (100, 4, End::Repeated, false)),
    ];
    for (site, expected) in cases {
        let (cursor, fetches) = read_all(&site);
        let Step::Done(end) = cursor.step() else { panic!("{site:?}: no end") };
        let seen = (cursor.vins().count(), fetches, end, cursor.is_whole());
        assert_eq!(seen, expected, "{site:?}");
    }
}

#[test]
fn a_repeated_page_is_recognised_in_another_order() {
    let site = Site { start: Start::Ignored, shuffles: true, ..honest(100, 35) };
    let (cursor, fetches) = read_all(&site);
    assert_eq!((cursor.step(), fetches), (Step::Done(End::Repeated), 2));
}

#[test]
fn different_pages_without_new_cars_end_the_list() {
    let mut cursor = Cursor::new(Condition::Used);
    assert_eq!(cursor.next(&page(0..30, None)), Step::Fetch { start: 30 });
    assert_eq!(cursor.next(&page(0..20, None)), Step::Fetch { start: 50 });
    assert_eq!(cursor.next(&page(0..21, None)), Step::Fetch { start: 71 });
    // A new car resets the count.
    assert_eq!(cursor.next(&page(20..31, None)), Step::Fetch { start: 82 });
    assert_eq!(cursor.next(&page(0..22, None)), Step::Fetch { start: 104 });
    assert_eq!(cursor.next(&page(0..23, None)), Step::Fetch { start: 127 });
    assert_eq!(cursor.next(&page(0..24, None)), Step::Done(End::Repeated));
    assert_eq!((cursor.vins().count(), cursor.is_whole()), (31, false));
}

#[test]
fn cars_listed_twice_count_once() {
    // Each page repeats ten cars of the page before. The number of entries reaches the total, but
    // some cars were not seen.
    let mut cursor = Cursor::new(Condition::Certified);
    assert_eq!(cursor.next(&page(0..35, Some(100))), Step::Fetch { start: 35 });
    assert_eq!(cursor.next(&page(25..60, Some(100))), Step::Fetch { start: 70 });
    assert_eq!(cursor.next(&page(50..85, Some(100))), Step::Done(End::Total));
    assert_eq!((cursor.vins().count(), cursor.is_whole()), (85, false));
}

#[test]
fn an_ended_list_stays_ended() {
    let mut cursor = Cursor::new(Condition::New);
    assert_eq!(cursor.step(), Step::Fetch { start: 0 });
    assert!(!cursor.is_whole());
    assert_eq!(cursor.next(&page(0..3, Some(3))), Step::Done(End::Total));
    let over = cursor.clone();
    assert_eq!(cursor.next(&page(3..6, Some(6))), Step::Done(End::Total));
    assert_eq!(cursor, over);
}

#[test]
fn an_endless_list_is_capped() {
    let mut cursor = Cursor::new(Condition::New);
    let mut pages = 0;
    while let Step::Fetch { start } = cursor.step() {
        cursor.next(&page(start..start + 2, None));
        pages += 1;
        assert!(pages <= MAX_PAGES);
    }
    assert_eq!((cursor.step(), pages), (Step::Done(End::Capped), MAX_PAGES));
    assert!(!cursor.is_whole());

    let mut cursor = Cursor::new(Condition::New);
    while let Step::Fetch { start } = cursor.step() {
        cursor.next(&page(start..start + 5_000, None));
    }
    assert_eq!((cursor.step(), cursor.pages()), (Step::Done(End::Capped), 2));
    assert_eq!(cursor.vins().count(), MAX_VINS);
    assert!(serde_json::to_string(&cursor).unwrap().len() < MAX_CURSOR_BYTES - REST_BYTES);
}

#[test]
fn bad_entries_advance_the_start_and_may_make_a_read_unhealthy() {
    // One of `bad_every` entries is bad.
    for (bad_every, healthy) in [(0, true), (100, true), (20, true), (16, false), (2, false)] {
        let site = Site { bad_every, ..honest(100, 35) };
        let (cursor, _) = read_all(&site);
        assert_eq!(cursor.step(), Step::Done(End::Total));
        assert_eq!(cursor.vins().count() + cursor.bad(), 100);
        assert_eq!((cursor.is_whole(), cursor.is_healthy()), (true, healthy), "{bad_every}");
    }
    let (cursor, _) = read_all(&Site { bad_every: 5, ..honest(5, 35) });
    assert!(cursor.is_healthy(), "one bad entry is always allowed");
}

#[test]
fn a_damaged_car_whose_vin_can_be_read_is_listed() {
    let read = |damaged: &str, total: u32| {
        let body = format!(
            r#"{{"pageInfo": {{"totalCount": {total}, "pageSize": 9}},
                "inventory": [{{"vin": "{}"}}, {damaged}, {{"vin": "{}"}}]}}"#,
            vin(1),
            vin(3)
        );
        let site = "https://www.acme.example".parse().unwrap();
        let mut cursor = Cursor::new(Condition::New);
        cursor.next(&inventory::read(body.as_bytes(), &site).unwrap());
        cursor.next(&answer(&[], Some(total), None));
        cursor
    };
    let named = read(&format!(r#"{{"vin": "{}", "title": "6'5" bed"}}"#, vin(2)), 3);
    assert!(named.vins().contains(&vin(2)), "it is not gone");
    assert_eq!((named.vins().count(), named.bad(), named.is_whole()), (3, 1, true));
    // It counts once: a total of four means that a car is missing.
    let fewer = read(&format!(r#"{{"vin": "{}", "title": "6'5" bed"}}"#, vin(2)), 4);
    assert!(!fewer.is_whole());
    for unnamed in [r#"{"vin": "1HGCM", "title": "6'5" bed"}"#, r#"{"vin": "11111111111111111"}"#] {
        let read = read(unnamed, 3);
        assert_eq!((read.vins().count(), read.bad(), read.is_whole()), (2, 1, true), "{unnamed}");
    }
}

#[test]
fn pages_without_readable_cars_are_distinguished() {
    let (cursor, fetches) = read_all(&Site { bad_every: 1, ..honest(100, 35) });
    assert_eq!((cursor.vins().count(), cursor.bad(), fetches), (0, 100, 3));
    assert!(!cursor.is_healthy());
    let ignores = Site { bad_every: 1, start: Start::Ignored, ..honest(100, 35) };
    let (cursor, fetches) = read_all(&ignores);
    assert_eq!((cursor.step(), cursor.bad(), fetches), (Step::Done(End::Repeated), 35, 2));
}

fn sites() -> impl Strategy<Value = Site> {
    let totals =
        prop_oneof![Just(Total::True), Just(Total::Absent), (0_u32..400).prop_map(Total::Lie),];
    let starts = prop_oneof![
        Just(Start::Kept),
        Just(Start::Ignored),
        Just(Start::Clamped),
        Just(Start::Wrapped),
    ];
    let numbers = (0_u32..200, 1_u32..60, 0_u32..5, 0_u32..30);
    (numbers, totals, starts, any::<bool>()).prop_map(|(numbers, total, start, shuffles)| {
        let (cars, cap, overlap, bad_every) = numbers;
        Site { cars, cap, total, start, overlap, bad_every, shuffles }
    })
}

proptest! {
    #[test]
    fn every_read_ends_after_a_bounded_number_of_pages(site in sites()) {
        let (cursor, fetches) = read_all(&site);
        // The pages of the list, and a few without new cars.
        prop_assert!(fetches <= site.cars / site.cap + 2 + BARREN_PAGES, "{} pages", fetches);
        prop_assert!(cursor.vins().count() <= site.cars);
    }

    #[test]
    fn a_site_that_honours_the_start_is_read_completely_despite_wrong_totals(
        site in sites(),
    ) {
        let site = Site { start: Start::Kept, overlap: 0, bad_every: 0, ..site };
        let (cursor, _) = read_all(&site);
        prop_assert_eq!(cursor.vins().count(), site.cars);
        prop_assert_eq!(cursor.is_whole(), !matches!(site.total, Total::Lie(n) if n > site.cars));
    }

    #[test]
    fn a_read_that_counts_as_complete_has_seen_every_car(site in sites()) {
        let site = Site { total: Total::True, ..site };
        let (cursor, _) = read_all(&Site { bad_every: 0, ..site.clone() });
        prop_assert!(!cursor.is_whole() || cursor.vins().count() == site.cars);
        let (cursor, _) = read_all(&Site { total: Total::Absent, overlap: 0, ..site.clone() });
        prop_assert!(!cursor.is_whole() || cursor.vins().count() + cursor.bad() == site.cars);
    }

    #[test]
    fn any_sequence_of_pages_is_accepted(
        pages in proptest::collection::vec((0_u32..50, 0_u32..8, 0_u32..60), 0..30),
    ) {
        let mut cursor = Cursor::new(Condition::New);
        for (first, count, total) in pages {
            let before = cursor.clone();
            let step = cursor.next(&page(first..first + count, Some(total)));
            prop_assert!(cursor.vins().count() >= before.vins().count());
            if let Step::Fetch { start } = step {
                prop_assert_eq!(before.step(), Step::Fetch { start: start - count });
            }
        }
    }
}
