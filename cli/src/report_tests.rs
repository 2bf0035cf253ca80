//! Reports of days that are given.

use super::*;

fn at(text: &str) -> Time {
    Time::parse_rfc3339(text).unwrap()
}

/// The name of a day's item, its hours, and counts: counter, hour, number.
type Entry<'a> = (&'a str, usize, &'a [(&'a str, usize, u64)]);

fn days(entries: &[Entry<'_>]) -> Days {
    let mut days = Days::default();
    for (name, hours, counts) in entries {
        let mut day = Day { hours: *hours, ..Day::default() };
        for (counter, hour, count) in *counts {
            day.add(counter, *hour, *count);
        }
        days.insert(name, &serde_json::to_string(&day).unwrap());
    }
    days
}

fn period() -> Period {
    Period::last(Duration::from_hours(24), at("2026-11-29T10:20:00Z"))
}

#[test]
fn a_period_has_whole_hours_and_the_dates_of_its_days() {
    assert_eq!(
        (period().from, period().until),
        (at("2026-11-28T10:00:00Z"), at("2026-11-29T10:00:00Z"))
    );
    assert_eq!(period().dates(), ["2026-11-28", "2026-11-29"]);
    assert_eq!(period().hours(at("2026-11-28T00:00:00Z")), 10..24);
    assert_eq!(period().hours(at("2026-11-29T00:00:00Z")), 0..10);
    assert_eq!(period().length(), 24);
}

#[test]
fn only_the_hours_of_the_period_count_and_unknown_ones_are_named() {
    let days = days(&[
        ("2026-11-28#a", 24, &[("succeeded", 9, 100), ("succeeded", 10, 30), ("dead", 23, 10)]),
        ("2026-11-29#a", 8, &[("succeeded", 7, 60), ("jobs", 7, 25), ("done_ms", 7, 45_000)]),
        ("2026-11-29#b", 8, &[("jobs", 0, 75)]),
    ]);
    let (types, unknown) = of_types(&days, &["a"], &["a", "b"], period());
    let [a] = types.as_slice() else { panic!("{types:?}") };
    assert_eq!((a.succeeded, a.dead, a.failure_percent), (90, 10, Some(10.0)));
    assert_eq!((a.share_of_jobs_percent, a.done_mean_ms), (Some(25.0), Some(500)));
    assert_eq!(unknown, 2);
}

#[test]
fn kpis_are_compared_with_the_plans_targets() {
    let days = days(&[(
        "2026-11-29#a",
        10,
        &[("succeeded", 1, 90), ("dead", 1, 10), ("done_ms", 1, 90 * 30_000), ("jobs", 1, 100)],
    )]);
    let (types, _) = of_types(&days, &["a"], &["a"], period());
    let kpis = kpis(&types, &[], 7);
    let found: Vec<_> = kpis.iter().map(|kpi| (kpi.value, kpi.reached)).collect();
    let expected = [
        (Some(10.0), Some(false)),
        (Some(30.0), Some(true)),
        (Some(100.0), None),
        (None, None),
        (Some(0.0), None),
        (Some(90.0), None),
        (Some(7.0), None),
    ];
    assert_eq!(found, expected);
}

#[test]
fn stuck_jobs_are_to_be_found_within_five_minutes() {
    let recovery = |entries: &[Entry<'_>]| {
        let (types, _) = of_types(&days(entries), &["a", "b"], &["a", "b"], period());
        let kpis = kpis(&types, &[], 0);
        let kpi = kpis.iter().find(|kpi| kpi.name.contains("stuck")).unwrap();
        (kpi.value, kpi.target, kpi.reached)
    };
    let day = "2026-11-29#a";
    let of_a = (day, 10, &[("lease_over", 1, 3), ("overdue_ms", 1, 120_000)][..]);
    assert_eq!(recovery(&[of_a]), (Some(40.0), Some(300.0), Some(true)));
    let of_b = ("2026-11-29#b", 10, &[("lease_over", 2, 1), ("overdue_ms", 2, 1_880_000)][..]);
    assert_eq!(recovery(&[of_a, of_b]), (Some(500.0), Some(300.0), Some(false)));
    let untimed = (day, 10, &[("lease_over", 1, 3)][..]);
    assert_eq!(recovery(&[untimed]), (None, Some(300.0), None), "an earlier version counted them");
    assert_eq!(recovery(&[]), (None, Some(300.0), None));
    let counts = [("lease_over", 1, 30), ("lease_over", 2, 3), ("overdue_ms", 2, 120_000)];
    let upgraded = (day, 10, &counts[..]);
    assert_eq!(recovery(&[upgraded]), (Some(40.0), Some(300.0), Some(true)), "of the hours since");
    assert_eq!(recovery(&[upgraded, of_b]), (Some(500.0), Some(300.0), Some(false)));
}

#[test]
fn each_type_has_its_part_of_the_slots() {
    let (mut types, _) = of_types(&Days::default(), &["a", "b", "c"], &["a", "b", "c"], period());
    share_slots(&mut types, &BTreeMap::from([("a", 30), ("b", 10)]));
    let shares: Vec<_> = types.iter().map(|of| of.share_of_slots_percent).collect();
    assert_eq!(shares, [Some(75.0), Some(25.0), None]);
    share_slots(&mut types, &BTreeMap::new());
    assert!(types.iter().all(|of| of.share_of_slots_percent.is_none()));
}

#[test]
fn without_a_job_there_is_no_number() {
    let (types, unknown) = of_types(&Days::default(), &["a"], &["a"], period());
    assert_eq!((types[0].failure_percent, types[0].done_percentiles_ms), (None, None));
    assert_eq!(unknown, 24);
    assert_eq!(kpis(&types, &[], 0)[0].reached, None);
}

#[test]
fn the_worst_hosts_come_first() {
    let days = days(&[
        ("2026-11-28#page/a", 24, &[("failed", 12, 1), ("calls", 12, 9)]),
        ("2026-11-28#page/b", 24, &[("failed", 12, 3), ("calls", 12, 4)]),
        ("2026-11-28#page/c", 24, &[("failed", 2, 99)]),
    ]);
    let hosts = of_hosts(&days, period(), 10);
    let names: Vec<&str> = hosts.iter().map(|host| host.dependency.as_str()).collect();
    assert_eq!(names, ["page/b", "page/a"], "the third failed before the period");
}
