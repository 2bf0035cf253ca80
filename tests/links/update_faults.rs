//! Updates of a link while calls to Rebrandly fail: before their work, after it, and late.

use sandbox::{Fault, FaultKind, Method, Scope, Target};

use super::{
    audit::{check, findings},
    *,
};

/// How a call fails, and whether only after its work.
type Failure = (FaultKind, bool);

/// Refused, broken off or without an answer, each before and after the work.
fn failures() -> [Failure; 7] {
    [
        (FaultKind::status(500), false),
        (FaultKind::status(503), true),
        (FaultKind::status(429), false),
        (FaultKind::Reset, false),
        (FaultKind::Reset, true),
        (FaultKind::Hang, false),
        (FaultKind::Hold, true),
    ]
}

async fn strike(bench: &Bench, on: Target, (kind, after_work): Failure, calls: u64) {
    let fault = Fault { kind, on, scope: Scope::calls(calls), after_work };
    bench.control().add_fault(&fault).await.unwrap();
}

/// The calls that set or create a link with this destination.
fn posts(destination: &str) -> Target {
    let destination = Some(destination.to_owned());
    Target { method: Some(Method::Post), destination, ..Target::default() }
}

/// How many such calls were made.
async fn posted(bench: &Bench, destination: &str) -> usize {
    let calls = bench.control().calls().await.unwrap();
    let of = |call: &&sandbox::Call| call.destination.as_deref() == Some(destination);
    calls.iter().filter(of).count()
}

/// A car whose link leads to [`A`] for an hour.
async fn linked() -> Bench {
    let bench = Bench::of(&[Kind::SHORTENING]);
    asked(&bench, VIN, A, &json!({})).await;
    tokio::time::advance(Duration::from_hours(1)).await;
    bench
}

/// The only link leads there, and is kept so.
async fn assert_set(bench: &Bench, destination: &str, case: &str) {
    let (link, kept) = (the_only_link(bench).await, kept(bench));
    assert_eq!((link.destination.as_str(), &link.id), (destination, &kept.link_id), "{case}");
    assert!(kept.wanted == destination && kept.is_set(), "{case}: {kept:?}");
}

#[tokio::test(start_paused = true)]
async fn an_update_whose_call_fails_is_made_again() {
    for failure in failures() {
        for calls in [1, 2] {
            let case = format!("{failure:?}, {calls} times");
            let bench = linked().await;
            let id = kept(&bench).link_id;
            strike(&bench, posts(B), failure.clone(), calls).await;
            asked(&bench, VIN, B, &json!({})).await;
            assert_set(&bench, B, &case).await;
            let done = shortened(&record(&bench, B));
            assert_eq!((done.via, done.link_id), (Via::Updated, id), "{case}");
            assert_eq!(posted(&bench, B).await as u64, calls + 1, "{case}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn overlapping_updates_end_with_the_newest_whichever_call_fails() {
    for failure in failures() {
        for struck in [B, C] {
            for order in [[(B, 1_000), (C, 0)], [(C, 0), (B, 1_000)]] {
                let case = format!("{failure:?} on {struck}, {order:?}");
                let bench = linked().await;
                strike(&bench, posts(struck), failure.clone(), 1).await;
                let now = bench.now().as_millis();
                for (address, age) in order {
                    ask(&bench, VIN, address, &json!({"as_of": now - age}));
                }
                bench.drain().await;
                assert_set(&bench, C, &case).await;
                let ids = [B, C].map(|address| shortened(&record(&bench, address)).link_id);
                let id = kept(&bench).link_id;
                assert_eq!(ids, [id.clone(), id], "{case}");
            }
        }
    }
}

/// The older call does its work after the newer one, when its process has long given it up.
#[tokio::test(start_paused = true)]
async fn the_audit_mends_what_a_late_call_has_set() {
    let bench = linked().await;
    strike(&bench, posts(B), (FaultKind::Latency(60_000), false), 1).await;
    let now = bench.now().as_millis();
    ask(&bench, VIN, B, &json!({"as_of": now - 1_000}));
    let newer = async {
        while posted(&bench, B).await == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        ask(&bench, VIN, C, &json!({"as_of": now}));
        tokio::time::sleep(Duration::from_secs(10)).await;
    };
    bench.work_while(newer).await;
    bench.drain().await;
    assert_set(&bench, C, "in time").await;
    tokio::time::sleep(Duration::from_mins(2)).await;
    assert_eq!(the_only_link(&bench).await.destination, B, "the late call has done its work");
    assert!(kept(&bench).wanted == C && kept(&bench).is_set());
    tokio::time::advance(Duration::from_hours(2)).await;
    check(&bench).await;
    assert_eq!(findings(&bench), [("result_lost".to_owned(), true)]);
    bench.wake(&record(&bench, C));
    bench.drain().await;
    assert_set(&bench, C, "mended").await;
}

#[tokio::test(start_paused = true)]
async fn cars_that_share_a_name_keep_their_links_whichever_call_fails() {
    let twin = "2HGCM82633A004352";
    for failure in failures() {
        let case = format!("{failure:?}");
        let bench = linked().await;
        let second = Some("acme-3a004352".to_owned());
        let creation = Target { method: Some(Method::Post), slashtag: second, ..Target::default() };
        strike(&bench, creation, failure.clone(), 1).await;
        strike(&bench, posts(C), failure.clone(), 1).await;
        asked(&bench, twin, B, &json!({})).await;
        let ids = [VIN, twin].map(|vin| bench.vehicles.kept_link("acme", vin).unwrap().link_id);
        tokio::time::advance(Duration::from_hours(1)).await;
        asked(&bench, VIN, C, &json!({})).await;
        let links = links(&bench).await;
        let leads = ids
            .map(|id| links.iter().find(|link| link.id == id).map(|link| link.destination.clone()));
        assert_eq!((links.len(), leads), (2, [Some(C.to_owned()), Some(B.to_owned())]), "{case}");
    }
}

/// The link is deleted between the write of what is wanted and the call that sets it.
#[tokio::test(start_paused = true)]
async fn a_link_that_is_deleted_while_its_update_is_under_way_is_not_made_again_unasked() {
    for failure in failures() {
        for recreate in [false, true] {
            let case = format!("{failure:?}, recreate: {recreate}");
            let bench = linked().await;
            list(&bench, &[A]).await;
            let id = kept(&bench).link_id;
            strike(&bench, posts(B), (FaultKind::Hang, false), 1).await;
            ask(&bench, VIN, B, &json!({"recreate": recreate}));
            bench.work_while(deleted_meanwhile(&bench, &id, failure.clone())).await;
            bench.drain().await;
            if recreate {
                assert_set(&bench, B, &case).await;
                assert_ne!(kept(&bench).link_id, id, "{case}");
                continue;
            }
            let Phase::Dead { why, .. } = record(&bench, B).phase else { panic!("{case}") };
            assert!(why.contains("was deleted"), "{case}: {why}");
            assert_eq!(links(&bench).await, [], "{case}");
            assert!(kept(&bench).deleted_at.is_some(), "{case}");
        }
    }
}

/// Deletes the link while the call that sets it hangs, and lets the call go on. The next look for the link fails.
async fn deleted_meanwhile(bench: &Bench, id: &str, failure: Failure) {
    while bench.control().held().await.unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let wanting = kept(bench);
    assert!(wanting.wanted == B && !wanting.is_set(), "{wanting:?}");
    bench.by_hand("DELETE", id, "").await;
    let looks = Target { method: Some(Method::Get), ..Target::default() };
    strike(bench, looks, failure, 1).await;
    bench.control().release_held().await.unwrap();
}
