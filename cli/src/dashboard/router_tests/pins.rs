//! What operators have fixed of the queues.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_pinned_concurrency_is_shown_with_its_end_and_who_has_pinned_it() {
    let until = (NOW + Duration::from_mins(45)).as_millis();
    let act = json!({ "do": "pin", "queues": ["a-high"], "slots": 8, "until": until });
    let entry = json!({ "id": "9-p", "at": 1, "by": "arn:aws:iam::1:user/ada", "reason": "flood",
        "state": "running", "act": act });
    let pinned =
        ports().with_note("ops_open", "9-p", "{}").with_note("ops", "9-p", &entry.to_string());
    let shown = page(&pinned, "/queues").await;
    for part in ["Pinned until", "href=\"/operation?id=9-p\"", "in 45 min", ">ada<"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let shown = page(&ports(), "/queues").await;
    assert!(!shown.contains("/operation?id=") && !shown.contains("may not be shown"), "{shown}");
    let many = (0..11).map(|n| format!("9-{n:02}"));
    let many = many.fold(ports(), |ports, name| ports.with_note("ops_open", &name, "{}"));
    let shown = page(&many, "/queues").await;
    assert!(shown.contains("may not be shown: more than 10 acts are open"), "{shown}");
}
