//! The numbers of the template that the documents and the issues name.

use super::*;

/// A cell of a table with names or values, as a list without backticks.
fn listed(cell: &str) -> Vec<&str> {
    cell.split(", ").map(|text| text.trim().trim_matches('`')).collect()
}

/// The rows of the table of the template's parameters in docs/configuration.md: names and defaults.
fn documented(page: &str) -> Vec<(Vec<&str>, Vec<&str>)> {
    let (_, table) = page.split_once("## Parameters of the template").unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    let rows = rows.map(|line| {
        let cells: Vec<&str> = line.split(" | ").collect();
        (listed(cells[0].trim_start_matches("| ")), listed(cells[1]))
    });
    rows.collect()
}

#[test]
fn the_documented_defaults_are_those_of_the_template() {
    let template = load();
    let page = fs::read_to_string(root().join("docs/configuration.md")).unwrap();
    let parameters = template["Parameters"].as_object().unwrap();
    let mut known = BTreeSet::new();
    for (names, defaults) in documented(&page) {
        for (place, name) in names.iter().enumerate() {
            known.insert((*name).to_owned());
            let parameter = parameters.get(*name).unwrap_or_else(|| panic!("{name} is unknown"));
            // One default may stand for all names of a row.
            let documented = if defaults.len() == 1 { defaults[0] } else { defaults[place] };
            let default = match &parameter["Default"] {
                Value::Null => "required".to_owned(),
                Value::String(text) if text.is_empty() => "empty".to_owned(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            assert_eq!(documented, default, "{name}");
        }
    }
    let all: BTreeSet<String> = parameters.keys().cloned().collect();
    assert_eq!(known, all, "every parameter is documented");
}

/// 4 batches of 10 jobs are 5 seconds of slots at 8 calls a second. A run may wait for one, and a message comes back
/// after six time-outs.
#[test]
fn the_numbers_of_links_are_those_that_the_rate_needs() {
    let template = load();
    let default = |name: &str| number(&template["Parameters"][name]["Default"]);
    let slots = ["UrlShorteningConcurrency", "UrlShorteningHighConcurrency"].map(default);
    assert_eq!((slots, default("RebrandlyRatePerSecond")), ([4, 2], 8));
    assert_eq!(number(&properties(&template, "UrlShorteningFunction")["Timeout"]), 20);
    for queue in ["UrlShorteningQueue", "UrlShorteningHighQueue"] {
        let hidden = number(&properties(&template, queue)["VisibilityTimeout"]);
        assert_eq!(hidden, 120, "{queue}");
    }
}

/// Scheduler's calls may be 119 seconds apart, and the sweeper may stay awake until the next one.
#[test]
fn the_sweeper_has_time_until_the_next_call_of_its_schedule() {
    assert_eq!(number(&properties(&load(), "SweeperFunction")["Timeout"]), 130);
}

/// How long a breaker stays open after it trips: links, feeds, pages.
#[test]
fn the_first_wait_of_a_breaker_is_that_of_its_policy() {
    let policies =
        [url_shortening::POLICY, dealer_com_feed::POLICY, product_detail_scraping::POLICY];
    let waits = policies.map(|policy| policy.breaker.open_wait.as_secs());
    assert_eq!(waits, [60, 120, 300]);
}

/// How long after its creation a job without a deadline is given up: seven days for links, an hour for feeds, a day for
/// pages.
#[test]
fn a_job_is_given_up_after_the_time_of_its_policy() {
    let policies =
        [url_shortening::POLICY, dealer_com_feed::POLICY, product_detail_scraping::POLICY];
    let seconds = policies.map(|policy| policy.give_up_after.as_secs());
    assert_eq!(seconds, [7 * 24, 1, 24].map(|hours| hours * 3_600));
}
