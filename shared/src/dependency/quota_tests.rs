use proptest::prelude::*;

use super::*;

const QUOTA: Quota = Quota { what: "creations", most: 1_000, month_begins: 1 };

fn at(text: &str) -> Time {
    Time::parse_rfc3339(text).unwrap()
}

fn midmonth() -> Time {
    at("2026-01-20T12:00:00Z")
}

/// The usage, the block and the warning of a request that is granted.
fn granted(usage: &Usage, quota: Quota, want: u32, now: Time) -> (Usage, Block, bool) {
    match usage.reserve(quota, want, "t".into(), now) {
        Reservation::Granted { next, block, warns } => (next, block, warns),
        Reservation::Refused(until) => panic!("refused until {until}"),
    }
}

fn used(used: u32) -> Usage {
    Usage { month: at("2026-01-01T00:00:00Z"), used, ..Usage::default() }
}

#[test]
fn a_block_is_what_a_batch_may_need_and_a_hundredth_of_what_is_left_at_most() {
    let units = |before, want| granted(&used(before), QUOTA, want, midmonth()).1.units;
    assert_eq!([units(0, 1), units(0, 10), units(400, 10), units(901, 10)], [1, 10, 6, 1]);
}

#[test]
fn there_is_one_warning_a_month_at_four_fifths() {
    let quota = Quota { most: 100, ..QUOTA };
    let mut usage = Usage::default();
    let mut warned_at = Vec::new();
    for _ in 0..100 {
        let (next, _, warns) = granted(&usage, quota, 10, midmonth());
        usage = next;
        warned_at.extend(warns.then_some(usage.used));
    }
    assert_eq!(warned_at, [80]);
    let until = at("2026-02-01T00:01:00Z");
    let full = usage.reserve(quota, 1, "t".into(), midmonth());
    assert_eq!(full, Reservation::Refused(until));
    let (next, _, warns) = granted(&usage, quota, 10, until);
    assert_eq!((next.used, next.warned, warns), (1, false, false), "a new month");
    assert_eq!(next.month, at("2026-02-01T00:00:00Z"));
}

#[test]
fn nothing_is_made_about_the_turn_of_the_month() {
    let refused = |now: &str, day| {
        let quota = Quota { month_begins: day, ..QUOTA };
        match Usage::default().reserve(quota, 1, "t".into(), at(now)) {
            Reservation::Refused(until) => Some(until.to_string()),
            Reservation::Granted { .. } => None,
        }
    };
    assert_eq!(refused("2026-02-28T23:58:59.999Z", 1), None);
    let march = Some("2026-03-01T00:01:00Z".to_owned());
    assert_eq!(refused("2026-02-28T23:59:00Z", 1), march);
    assert_eq!(refused("2026-03-01T00:00:59Z", 1), march);
    assert_eq!(refused("2026-03-01T00:01:00Z", 1), None);
    let middle = Some("2026-02-15T00:01:00Z".to_owned());
    assert_eq!(refused("2026-02-14T23:59:30Z", 15), middle);
    assert_eq!(refused("2026-02-28T23:59:30Z", 15), None);
}

#[test]
fn a_unit_of_another_month_is_neither_taken_nor_given_back() {
    let (next, mut block, _) = granted(&used(0), QUOTA, 10, midmonth());
    let unit = block.take(QUOTA, midmonth()).unwrap();
    let february = at("2026-02-03T00:00:00Z");
    assert_eq!(block.take(QUOTA, february), None);
    assert_eq!(block.take(QUOTA, at("2026-01-31T23:59:30Z")), None, "it might count for February");
    let (later, mut new, _) = granted(&next, QUOTA, 10, february);
    new.put_back(unit);
    assert_eq!(new.units, 10);
    assert_eq!(later.without(block, "t".into()), None);
    let mut joined = block;
    joined.add(new);
    assert_eq!(joined, new, "what is left of January is lost");
    block.put_back(unit);
    assert_eq!(next.without(block, "t".into()).map(|usage| usage.used), Some(0));
}

#[test]
fn a_change_of_the_day_begins_a_month_once() {
    let moved = Quota { month_begins: 15, ..QUOTA };
    let (next, ..) = granted(&used(500), moved, 1, midmonth());
    assert_eq!((next.used, next.month), (1, at("2026-01-15T00:00:00Z")));
    let (back, ..) = granted(&next, QUOTA, 1, midmonth());
    assert_eq!((back.used, back.month), (2, next.month), "an older version still counts");
}

proptest! {
    /// Containers that reserve, use and give back in any order never use more than the quota.
    #[test]
    fn no_more_is_used_than_the_quota(
        most in 1_u32..400,
        steps in proptest::collection::vec((0_usize..4, 0_u8..4, 1_u32..12), 0..400),
    ) {
        let quota = Quota { most, ..QUOTA };
        let (mut usage, mut blocks, mut made) = (Usage::default(), [Block::default(); 4], 0);
        for (container, step, want) in steps {
            let block = &mut blocks[container];
            match step {
                0 if block.units == 0 => {
                    let reserved = usage.reserve(quota, want, "t".into(), midmonth());
                    if let Reservation::Granted { next, block: new, .. } = reserved {
                        (usage, *block) = (next, new);
                    }
                }
                1 => made += u32::from(block.take(quota, midmonth()).is_some()),
                2 => {
                    if let Some(unit) = block.take(quota, midmonth()) {
                        block.put_back(unit);
                    }
                }
                _ => {
                    usage = usage.without(*block, "t".into()).unwrap_or(usage);
                    *block = Block::default();
                }
            }
            let held: u32 = blocks.iter().map(|block| block.units).sum();
            prop_assert!(made + held <= usage.used && usage.used <= most);
        }
    }
}
