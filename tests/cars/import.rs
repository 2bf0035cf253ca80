//! Links of an older system: taken over by requests to the function, in virtual time.

use evenkeel::testing::containers::Invocation;

use super::*;
use crate::bench::third_parties::preload;

/// Asks the function to go on with an import until it is done. Returns it, and how many requests that took.
async fn import_links(dealer: &Dealer, import: Value) -> (Value, usize) {
    let (mut import, containers) = (import, dealer.functions[1].containers.clone());
    for number in 1..100 {
        let request = json!({"request": {"import_links": import}});
        let Invocation::Answered(answer) = containers.invoke(request).await else {
            panic!("{import}")
        };
        import = answer["answer"].clone();
        assert!(import.is_object(), "{answer}");
        if import["done"] == true {
            return (import, number);
        }
    }
    panic!("it is never done: {import}");
}

/// Asks the function once to go on with an import.
async fn ask(dealer: &Dealer, import: Value) -> Value {
    let request = json!({"request": {"import_links": import}});
    match dealer.functions[1].containers.invoke(request).await {
        Invocation::Answered(answer) => answer,
        other => panic!("{other:?}"),
    }
}

/// Lengths of the lists of an import's report.
fn counts(import: &Value) -> (usize, usize) {
    let count = |list: &str| import["report"][list].as_array().unwrap().len();
    (count("kept"), count("known"))
}

/// The old system named its links by dealer and whole VIN.
#[tokio::test(start_paused = true)]
async fn the_links_of_the_old_system_are_taken_over_and_never_doubled() {
    let policy = json!({"fan_out": {"scrape": false, "shorten": false}});
    let mut dealer =
        Dealer::new(&SiteSettings { cars: 12, ..SiteSettings::default() }, policy).await;
    dealer.read().await;
    let cars = dealer.control().cars(SLUG).await.unwrap();
    let mut old: Vec<_> =
        (0..600).map(|n| preload(&format!("other-{n}"), "https://other.example/")).collect();
    // Some lead to the addresses that the old system has invented.
    for (n, car) in cars[..9].iter().enumerate() {
        let (name, page) = if n < 5 {
            ("lake", dealer.page(&car.path))
        } else {
            (SLUG, format!("https://lake.example/vehicle/{}", car.vin))
        };
        old.push(preload(&format!("{name}-{}", car.vin), &page));
    }
    // A car with two links, one with a link of the dealer that had it before, and a link that names two cars.
    let [two, traded] = [&cars[8].vin, &cars[9].vin];
    old.push(preload("second", &format!("https://lake.example/?vin={two}")));
    old.push(preload(&format!("hill-cars-{traded}"), &format!("https://hill.example/{traded}")));
    old.push(preload("both", &format!("https://lake.example/{}/{}", cars[10].vin, cars[11].vin)));
    dealer.control().preload(&old).await.unwrap();
    let before = dealer.links().await;
    for (dry_run, expected) in [(true, (8, 0)), (false, (8, 0)), (false, (0, 8))] {
        let import = json!({"dealer": SLUG, "dry_run": dry_run});
        let (import, requests) = import_links(&dealer, import).await;
        assert_eq!((&import["read"], counts(&import)), (&json!(612), expected));
        assert!(requests > 2, "{requests}");
        let mut ambiguous: Vec<&String> =
            import["report"]["ambiguous"].as_object().unwrap().keys().collect();
        ambiguous.sort();
        let mut doubtful = vec![two, traded];
        doubtful.sort();
        assert_eq!(ambiguous, doubtful);
        let links = dealer.vehicles.links(SLUG).await.unwrap().len();
        assert_eq!(links, if dry_run { 0 } else { 8 });
    }
    assert_eq!(dealer.links().await, before, "nothing is changed at Rebrandly");
    // No car with an imported link gets a second one.
    dealer.policy = json!({"fan_out": {"scrape": false, "shorten": true}});
    let made = dealer.summary().await.made.shortening_jobs;
    let moved = 3;
    assert_eq!((made, dealer.links().await.len()), (4 + moved, 612 + 4));
}

/// A page that cannot be read ends the request with what was read before. The next one goes on there.
#[tokio::test(start_paused = true)]
async fn an_import_that_is_cut_off_goes_on_where_it_was() {
    let policy = json!({"fan_out": {"scrape": false, "shorten": false}});
    let mut dealer = Dealer::new(&one_car(), policy).await;
    let unknown = ask(&dealer, json!({"dealer": SLUG})).await;
    assert_eq!(unknown["failure"]["code"], "no_cars", "{unknown}");
    dealer.read().await;
    let car = dealer.control().cars(SLUG).await.unwrap().remove(0);
    let mut old: Vec<_> =
        (0..100).map(|n| preload(&format!("other-{n}"), "https://other.example/")).collect();
    old.push(preload(&format!("{SLUG}-{}", car.vin), &dealer.page(&car.path)));
    dealer.control().preload(&old).await.unwrap();
    let fault = |calls| sandbox::Fault {
        kind: sandbox::FaultKind::status(503),
        on: sandbox::Target::default(),
        scope: sandbox::Scope::calls(calls),
        after_work: false,
    };
    dealer.control().add_fault(&fault(1)).await.unwrap();
    let failed = ask(&dealer, json!({"dealer": SLUG})).await;
    assert_eq!(failed["failure"]["class"], "transient", "{failed}");
    assert_eq!(failed["failure"]["code"], "http_503", "{failed}");
    let failing = async {
        tokio::time::sleep(Duration::from_millis(75)).await;
        dealer.control().add_fault(&fault(1)).await.unwrap();
    };
    let (cut_off, ()) = tokio::join!(ask(&dealer, json!({"dealer": SLUG})), failing);
    let cut_off = &cut_off["answer"];
    assert!(matches!(cut_off["read"].as_u64(), Some(25..=75)), "{cut_off}");
    let (import, _) = import_links(&dealer, cut_off.clone()).await;
    assert_eq!((&import["read"], counts(&import)), (&json!(101), (1, 0)));
    let wrong = ask(&dealer, json!({"dealer": ""})).await;
    assert_eq!(wrong["failure"]["code"], "invalid_request", "{wrong}");
    assert!(dealer.sqs.is_empty(), "a request is no message");
}

/// Lambda would drop an answer of more than 6 MB, and refuse such a request.
#[tokio::test(start_paused = true)]
async fn an_import_whose_state_lambda_does_not_carry_fails_and_says_so() {
    const LIMIT: usize = 6 * 1024 * 1024;
    let policy = json!({"fan_out": {"scrape": false, "shorten": false}});
    let mut dealer = Dealer::new(&one_car(), policy).await;
    dealer.read().await;
    dealer.control().preload(&[preload("other", "https://other.example/")]).await.unwrap();
    // What earlier requests have found.
    let found = |n: usize, length: usize| {
        let destination = format!("https://lake.example/{}", "x".repeat(length));
        let link = json!({"id": n.to_string(), "short_url": "go.example/a", "slashtag": "a",
            "destination": destination, "created_at": null});
        (format!("1HGCM82633A{n:06}"), json!([link]))
    };
    for (length, fits) in [(500, true), (900, false)] {
        let found: serde_json::Map<String, Value> = (0..7_000).map(|n| found(n, length)).collect();
        let answer = ask(&dealer, json!({"dealer": SLUG, "found": found})).await;
        assert!(answer.to_string().len() < LIMIT, "{length}");
        assert_eq!(answer["answer"]["read"] == 1, fits, "{length}");
        let failure = &answer["failure"];
        assert_eq!(failure["code"] == "too_many_links", !fits, "{length}: {failure}");
        let why = failure["message"].as_str().unwrap_or_default();
        assert_eq!(why.contains("expected at most 5000000"), !fits, "{length}: {why}");
    }
}
