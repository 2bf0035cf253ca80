//! What the lists hold: jobs by their filters, successes, rejected messages and a dealer's cars.

use super::*;

/// An ended job, or a message that was rejected, so many minutes ago.
fn ended(id: &str, state: &str, ago: u64, [class, fingerprint]: [&str; 2]) -> DueItem {
    let at = NOW.before(Duration::from_mins(ago));
    DueItem {
        key: format!("a#g:{id}"),
        partition: "dead#a#3".into(),
        due_at: at,
        state: state.into(),
        kind: "a".into(),
        class: Some(class.into()),
        fingerprint: Some(fingerprint.into()),
        ..DueItem::default()
    }
}

/// The ids of the jobs whose pages a page leads to, in its order.
fn listed(page: &str) -> Vec<&str> {
    let links = page.split("href=\"/job?id=a%23g%3A").skip(1);
    links.filter_map(|link| link.split('"').next()).collect()
}

#[tokio::test(start_paused = true)]
async fn jobs_are_listed_by_class_by_fingerprint_and_since() {
    let ports = ports().with_due([
        ended("old", "dead", 180, ["transient", "f00d"]),
        ended("key", "dead", 6, ["systemic", "f00d"]),
        ended("new", "dead", 5, ["transient", "beef"]),
    ]);
    let cases: [(&str, &[&str]); 7] = [
        ("", &["old", "key", "new"]),
        ("&class=systemic", &["key"]),
        ("&fingerprint=f00d", &["old", "key"]),
        ("&since=1h", &["key", "new"]),
        ("&class=transient&since=1h", &["new"]),
        ("&class=transient&fingerprint=f00d", &["old"]),
        ("&class=permanent", &[]),
    ];
    for (filter, expected) in cases {
        let text = page(&ports, &format!("/jobs?state=dead{filter}")).await;
        assert_eq!(listed(&text), expected, "{filter}");
    }
    let text = page(&ports, "/jobs?state=dead&class=systemic&since=1h").await;
    for kept in ["name=\"class\" value=\"systemic\"", "<option value=\"1h\" selected>"] {
        assert!(text.contains(kept), "the form shows what was asked for: {kept}: {text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_that_goes_on_says_so_and_keeps_its_filter() {
    let many = (0..51).map(|n| ended(&n.to_string(), "dead", 100 - n, ["transient", "f00d"]));
    let other = ended("other", "dead", 1, ["systemic", "f00d"]);
    let ports = ports().with_due(many.chain([other]));
    let first = page(&ports, "/jobs?state=dead&class=transient").await;
    assert_eq!(listed(&first).len(), 50);
    assert!(first.contains("50+ shown"), "{first}");
    let (before, _) = first.split_once("The next 50").unwrap();
    let next = before.rsplit("href=\"").next().unwrap().split('"').next().unwrap();
    let next = page(&ports, &next.replace("&#38;", "&")).await;
    assert_eq!(listed(&next), ["50"], "of the same class");
    assert!(next.contains("1 shown") && !next.contains("The next 50"), "{next}");
}

#[tokio::test(start_paused = true)]
async fn of_fifty_one_successes_the_newest_fifty_are_shown() {
    let keys: Vec<String> = (0..51).map(|n| format!("a#g:{n}")).collect();
    let times = (60..).map(|ago| NOW.before(Duration::from_secs(ago)));
    let jobs: Vec<(Time, &str)> = times.zip(keys.iter().map(String::as_str)).collect();
    let text = page(&ports().with_succeeded("a", &jobs), "/succeeded?type=a").await;
    let expected: Vec<String> = (0..50).map(|n| n.to_string()).collect();
    assert_eq!(listed(&text), expected, "the newest first");
    assert!(text.contains("50 shown, the newest first"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn rejected_messages_are_listed_and_dead_jobs_are_not() {
    let ports = ports().with_due([
        ended("no-json", "rejected", 5, ["malformed", "f00d"]),
        ended("dead", "dead", 4, ["transient", "beef"]),
    ]);
    for path in ["/rejected", "/rejected?type=a"] {
        let text = page(&ports, path).await;
        assert_eq!(listed(&text), ["no-json"], "{path}");
        for part in [">rejected<", ">malformed<", "5 min ago", "1 shown"] {
            assert!(text.contains(part), "{path}: {part}: {text}");
        }
    }
    let text = page(&self::ports(), "/rejected").await;
    assert!(text.contains("No message is kept."), "{text}");
}

/// The cells of the rows of a page's only table, without their markup.
fn rows(page: &str) -> Vec<Vec<String>> {
    let (_, body) = page.split_once("<tbody>").unwrap();
    let rows = body.split("</tbody>").next().unwrap().split("<tr>").skip(1);
    let cell = |cell: &str| {
        let pieces = cell.split("</td>").next().unwrap_or_default().split('<');
        pieces.filter_map(|piece| piece.split_once('>')).map(|(_, text)| text).collect::<String>()
    };
    rows.map(|row| row.split("<td").skip(1).map(|it| cell(&format!("<td{it}"))).collect()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_dealers_cars_are_listed_by_vin_and_those_of_no_other() {
    let at = |minutes| json!(NOW.before(Duration::from_mins(minutes)).as_millis());
    let mut known = car("2", "used");
    known.extend([("hash".to_owned(), json!("h")), ("seen_at".to_owned(), at(3))]);
    let mut gone = car("3", "new");
    gone.extend([("seen_at".to_owned(), at(90)), ("unlisted_at".to_owned(), at(60))]);
    let mut new = car("1", "certified");
    new.extend([("pending".to_owned(), json!("h")), ("seen_at".to_owned(), at(1))]);
    let mut other = car("4", "used");
    other.insert("dealer".to_owned(), json!("n"));
    let ports = [known, gone, new, other].into_iter().fold(ports(), MemoryPorts::with_other);
    let text = page(&ports, "/cars?dealer=m").await;
    let expected = [
        ["1", "certified", "gone", "1 min ago", "", "to be created"],
        ["2", "used", "listed", "3 min ago", "", ""],
        ["3", "new", "gone", "1 h 30 min ago", "1 h ago", ""],
    ];
    assert_eq!(rows(&text), expected, "{text}");
    assert!(text.contains("3 shown by VIN"), "{text}");
    for vin in 1..=3 {
        let link = format!("href=\"/car?dealer=m&#38;vin={vin}\"");
        assert!(text.contains(&link), "{link}: {text}");
    }
    let text = page(&ports, "/cars?dealer=nobody").await;
    assert!(text.contains("This dealer has no cars here."), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_cars_page_leads_to_the_job_that_the_feed_has_created_last() {
    let mut known = car("1", "used");
    known.insert("hash".to_owned(), json!("0123456789abcdef".repeat(4)));
    let text = page(&ports().with_other(known), "/car?dealer=m&vin=1").await;
    let link = "href=\"/job?id=m%3A1%3A0123456789abcdef\"";
    assert!(text.contains(link) && fact(&text, "job") == "m:1:0123456789abcdef", "{text}");
    let text = page(&ports().with_other(car("1", "used")), "/car?dealer=m&vin=1").await;
    assert!(!text.contains("<dt>job</dt>"), "nothing tells of one: {text}");
}
