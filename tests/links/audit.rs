//! The audit of links: what has become of them since their jobs ended, and what is mended.

use super::*;

/// Asks the function to check the results of all jobs, as the audit does.
pub(super) async fn check(bench: &Bench) {
    bench.store.records().iter().for_each(|record| bench.ask_for_check(record));
    bench.poll().await;
    assert!(bench.sqs.is_empty(), "the message of a check is acknowledged, whatever it finds");
}

/// What the checks found, and whether its job runs again.
pub(super) fn findings(bench: &Bench) -> Vec<(String, bool)> {
    let notes = bench.store.all_notes(FINDING).into_iter();
    let read = |(_, text): (String, String)| serde_json::from_str::<Finding>(&text).unwrap();
    notes.map(read).map(|finding| (finding.what, finding.repaired)).collect()
}

/// A stale process posted the earlier address after the newer one.
#[tokio::test(start_paused = true)]
async fn the_audit_sets_a_link_again_that_leads_to_an_earlier_address() {
    let bench = Bench::of(&[Kind::SHORTENING]);
    asked(&bench, VIN, A, &json!({})).await;
    tokio::time::advance(Duration::from_hours(1)).await;
    asked(&bench, VIN, B, &json!({})).await;
    // The superseded job is sound, which makes the other finding credible.
    let link = the_only_link(&bench).await;
    bench.by_hand("POST", &link.id, &json!({"title": "abc", "destination": A}).to_string()).await;
    tokio::time::advance(Duration::from_hours(2)).await;
    check(&bench).await;
    assert_eq!(findings(&bench), [("result_lost".to_owned(), true)]);
    bench.wake(&record(&bench, B));
    bench.drain().await;
    assert_eq!(the_only_link(&bench).await.destination, B);
}

/// Else it would outdo every address that was read between the two.
#[tokio::test(start_paused = true)]
async fn a_job_that_is_done_again_wants_its_address_as_of_when_it_was_sent() {
    let bench = Bench::of(&[Kind::SHORTENING]);
    asked(&bench, VIN, A, &json!({})).await;
    tokio::time::advance(Duration::from_hours(1)).await;
    asked(&bench, VIN, B, &json!({})).await;
    let (link, wanted) = (the_only_link(&bench).await, kept(&bench));
    bench.by_hand("POST", &link.id, &json!({"title": "abc", "destination": A}).to_string()).await;
    tokio::time::advance(Duration::from_hours(2)).await;
    let read_at = bench.now().before(Duration::from_hours(1)).as_millis();
    check(&bench).await;
    bench.wake(&record(&bench, B));
    bench.drain().await;
    assert_eq!((kept(&bench).wanted.as_str(), kept(&bench).as_of), (B, wanted.as_of));
    // A feed that was read before the repair, and whose message comes after it.
    asked(&bench, VIN, C, &json!({"as_of": read_at})).await;
    assert_eq!(the_only_link(&bench).await.destination, C);
}

#[tokio::test(start_paused = true)]
async fn a_link_that_leads_elsewhere_is_reported_and_left_alone() {
    let bench = Bench::of(&[Kind::SHORTENING]);
    asked(&bench, VIN, A, &json!({})).await;
    let link = the_only_link(&bench).await;
    let elsewhere = r#"{"title":"moved","destination":"https://elsewhere.example/"}"#;
    bench.by_hand("POST", &link.id, elsewhere).await;
    tokio::time::advance(Duration::from_hours(2)).await;
    check(&bench).await;
    assert_eq!(findings(&bench), [("result_changed".to_owned(), false)]);
    assert_eq!(the_only_link(&bench).await.destination, "https://elsewhere.example/");
}

#[tokio::test(start_paused = true)]
async fn a_deleted_link_is_made_again_only_if_that_is_asked_for_and_the_car_is_listed() {
    for (recreate, listed, expected) in [
        (false, true, ("result_changed", false)),
        (true, false, ("result_changed", false)),
        (true, true, ("result_lost", true)),
    ] {
        let bench = Bench::of(&[Kind::SHORTENING]);
        asked(&bench, VIN, A, &json!({"recreate": recreate})).await;
        // A check that finds its link makes the others credible.
        asked(&bench, "1HGCM82633A000001", C, &json!({})).await;
        if listed {
            list(&bench, &[A]).await;
        }
        let gone = shortened(&record(&bench, A));
        bench.by_hand("DELETE", &gone.link_id, "").await;
        tokio::time::advance(Duration::from_hours(2)).await;
        check(&bench).await;
        let (what, repaired) = expected;
        assert_eq!(findings(&bench), [(what.to_owned(), repaired)], "{recreate} {listed}");
        assert!(kept(&bench).deleted_at.is_some());
        if !repaired {
            assert_eq!(links(&bench).await.len(), 1, "that of the other car");
            continue;
        }
        bench.wake(&record(&bench, A));
        bench.drain().await;
        let again = shortened(&record(&bench, A));
        assert_ne!(again.slashtag, gone.slashtag, "a deleted link's slashtag stays reserved");
        let kept = kept(&bench);
        assert_eq!((kept.link_id, kept.deleted_at), (again.link_id, None));
    }
}

/// The job that made the deleted link had said that there is none; so it says when it runs again.
#[tokio::test(start_paused = true)]
async fn a_link_that_is_made_again_is_kept_whatever_its_job_knew() {
    let bench = Bench::of(&[Kind::SHORTENING]);
    asked(&bench, VIN, A, &json!({"first_link": true, "recreate": true})).await;
    asked(&bench, "1HGCM82633A000001", C, &json!({})).await;
    list(&bench, &[A]).await;
    bench.by_hand("DELETE", &kept(&bench).link_id, "").await;
    tokio::time::advance(Duration::from_hours(2)).await;
    check(&bench).await;
    bench.wake(&record(&bench, A));
    bench.drain().await;
    let again = kept(&bench);
    assert_eq!((again.deleted_at, links(&bench).await.len()), (None, 2), "{again:?}");
    // The new one follows the car, and a crash between making and keeping it changes nothing.
    tokio::time::advance(Duration::from_hours(1)).await;
    asked(&bench, VIN, B, &json!({"recreate": true})).await;
    assert_eq!((kept(&bench).link_id, kept(&bench).wanted.as_str()), (again.link_id, B));
    assert_eq!(links(&bench).await.len(), 2);
}

/// A wrong setting answers 404 for each link. That must not count as deleted.
#[tokio::test(start_paused = true)]
async fn a_404_for_a_link_that_is_found_by_its_name_is_not_believed() {
    use sandbox::{Fault, FaultKind, Method, Scope, Target};
    let bench = Bench::of(&[Kind::SHORTENING]);
    asked(&bench, VIN, A, &json!({})).await;
    tokio::time::advance(Duration::from_hours(1)).await;
    let on = Target { method: Some(Method::Post), ..Target::default() };
    let fault =
        Fault { kind: FaultKind::status(404), on, scope: Scope::calls(2), after_work: false };
    bench.control().add_fault(&fault).await.unwrap();
    asked(&bench, VIN, B, &json!({})).await;
    assert_eq!(shortened(&record(&bench, B)).via, Via::Updated);
    assert_eq!(
        (the_only_link(&bench).await.destination.as_str(), kept(&bench).deleted_at),
        (B, None)
    );
}

/// The item of a link says that it is deleted, and it is not.
#[tokio::test(start_paused = true)]
async fn a_link_that_exists_after_all_follows_its_car_again() {
    let bench = Bench::of(&[Kind::SHORTENING]);
    asked(&bench, VIN, A, &json!({})).await;
    let before = kept(&bench);
    let deleted = KeptLink { deleted_at: Some(bench.now()), ..before.clone() };
    assert_eq!(bench.vehicles.replace_link("acme", VIN, Some(&before), &deleted).await, Ok(true));
    tokio::time::advance(Duration::from_hours(1)).await;
    asked(&bench, VIN, B, &json!({})).await;
    assert_eq!(
        (the_only_link(&bench).await.destination.as_str(), kept(&bench).deleted_at),
        (B, None)
    );
}

/// The workspace was changed, so that no link is found any more. No link must be created a second
/// time for that reason.
#[tokio::test(start_paused = true)]
async fn missing_results_are_not_trusted_if_no_check_succeeds() {
    let bench = Bench::of(&[Kind::SHORTENING]);
    list(&bench, &[A]).await;
    asked(&bench, VIN, A, &json!({"recreate": true})).await;
    bench.by_hand("DELETE", &the_only_link(&bench).await.id, "").await;
    tokio::time::advance(Duration::from_hours(2)).await;
    check(&bench).await;
    assert_eq!(findings(&bench), [("result_lost".to_owned(), false)]);
    assert_eq!(bench.only().phase.name(), "succeeded");
}
