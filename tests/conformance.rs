//! Runs the conformance suites of the ports on every implementation: simulated, and over the real SDK on
//! dynoxide (tables), MiniStack and moto (queues).

use std::time::Duration;

use evenkeel::{
    aws,
    base::time::Time,
    dependency::{
        breaker::{Breaker, State},
        limiter::Limiter,
    },
    http::transport,
    ports::{Control as _, Swapped},
    testing::{
        MemoryStore, SimulatedSqs, TestClock, conformance, control_conformance,
        maintenance_conformance,
        queue_conformance::{self, CaseQueues, MAX_RECEIVES},
        sqs::{QueueSettings, Redrive},
    },
};
use inventory::testing::{MemoryVehicles, conformance as vehicles_conformance};
use serde_json::json;
use xtask::{aws::dynamodb, local::Emulator, workspace::Workspace};

use crate::local_tables::LocalTables;

#[tokio::test]
async fn the_ports_in_memory_conform() {
    let store = MemoryStore::default();
    conformance::store(&store).await;
    control_conformance::control(&store).await;
    maintenance_conformance::maintenance(&store).await;
    vehicles_conformance::vehicles(&MemoryVehicles::default()).await;
    let kept = store.rejected_messages();
    let kept: Vec<_> = kept.iter().map(|body| (&*body.key, &*body.message_id)).collect();
    assert_eq!(kept, conformance::REJECTED);
}

#[tokio::test]
async fn the_ports_on_dynamodb_conform_over_a_socket_because_the_sdk_speaks_http() {
    let tables = LocalTables::start().await;
    let store = &tables.store;
    let vehicles = inventory::dynamo::local_table(&tables.config, conformance::AUXILIARY).await;
    conformance::store(store).await;
    control_conformance::control(store).await;
    maintenance_conformance::maintenance(store).await;
    vehicles_conformance::vehicles(&vehicles).await;
    let client = xtask::aws::Client::new(&tables.endpoint).unwrap();
    for (key, message_id) in conformance::REJECTED {
        let kept = dynamodb::get(&client, "jobs", &json!({ "pk": key })).await.unwrap().unwrap();
        assert_eq!(kept["message_id"], message_id);
        assert_eq!((&kept["state"], &kept["body"]), (&"rejected".into(), &"not json".into()));
    }
    the_page_of_a_car_expires_while_it_is_gone(store, &vehicles, &client).await;
    what_a_newer_version_wrote_survives(store, &client).await;
    what_a_newer_version_wrote_of_a_breaker_survives(store, &client).await;
    an_item_that_cannot_be_read_hides_none_that_is_read_with_it(store, &client).await;
}

/// The item of a page, which the engine writes, has an end while its car is not listed.
async fn the_page_of_a_car_expires_while_it_is_gone(
    store: &aws::DynamoStore,
    vehicles: &inventory::dynamo::DynamoVehicles,
    client: &xtask::aws::Client,
) {
    use evenkeel::{
        ports::{Store as _, Written},
        record::item::{Condition, TableItem, Value},
    };
    use inventory::vehicles::{CarAndPage, KeptPage, RETENTION, Vehicle, Vehicles as _};
    let dealer = "paged";
    let (now, later) = (Time::from_millis(1_800_000_000_000), Time::from_millis(1_800_000_060_000));
    let [car, late] = ["1HGCM82633A000007", "1HGCM82633A000008"].map(|vin| Vehicle {
        vin: vin.into(),
        hash: Some("h".into()),
        list: "used".into(),
        data: "{}".into(),
        addresses: Vec::new(),
        asked: None,
        pending: None,
    });
    let page = |vin: &str| TableItem {
        table: conformance::AUXILIARY.into(),
        key: [("dealer", dealer.into()), ("vin", format!("page#{vin}"))],
        attributes: vec![
            ("page", Value::Text("{}".into())),
            ("basis", Value::Text("[]".into())),
            ("asked_at", Value::Number(now.as_millis())),
        ],
        condition: Condition::Latest { by: "asked_at", seen: None },
    };
    let stored = async |vin: &str| {
        let key = json!({ "dealer": dealer, "vin": format!("page#{vin}") });
        dynamodb::get(client, conformance::AUXILIARY, &key).await.unwrap().unwrap()
    };
    let known = async |vin: &str| {
        let cars = [(dealer.to_owned(), vin.to_owned())];
        vehicles.with_pages(&cars).await.unwrap().remove(0)
    };
    vehicles.keep(dealer, &[car.clone(), late.clone()], now).await.unwrap();
    assert_eq!(store.put_item(&page(&car.vin)).await, Ok(Written::Yes));
    let data = Some("{}".to_owned());
    let kept = KeptPage { page: "{}".into(), basis: Some("[]".into()), asked_at: Some(now) };
    let with_page = CarAndPage { data: data.clone(), page: Some(kept) };
    assert_eq!(known(&car.vin).await, with_page);
    assert_eq!(known("1HGCM82633A000009").await, CarAndPage::default());
    let vins = [car.vin.clone(), late.vin.clone()];
    vehicles.unlist(dealer, &vins, later, later).await.unwrap();
    // The second one is scraped when it has gone.
    assert_eq!(known(&late.vin).await, CarAndPage { data, page: None });
    assert_eq!(store.put_item(&page(&late.vin)).await, Ok(Written::Yes));
    let end = json!((later + RETENTION).as_secs_ceil());
    for vin in &vins {
        assert_eq!((known(vin).await, &stored(vin).await["expires_at"]), (with_page.clone(), &end));
    }
    vehicles.relist(dealer, std::slice::from_ref(&car), later).await.unwrap();
    assert_eq!(
        (stored(&car.vin).await.get("expires_at"), known(&car.vin).await),
        (None, with_page)
    );
    let cars = vehicles.known(dealer).await.unwrap();
    let hashes: Vec<_> = cars.iter().map(|car| car.hash.as_deref()).collect();
    assert_eq!(hashes, [Some("h"), None], "by VIN");
}

/// An attribute that this version does not know outlives its writes; a record of a newer format is left alone.
async fn what_a_newer_version_wrote_survives(
    store: &aws::DynamoStore,
    client: &xtask::aws::Client,
) {
    use evenkeel::ports::{PortError, Replacement, Store as _, Written};
    let key = "case#d:alone-1";
    let get = async || dynamodb::get(client, "jobs", &json!({ "pk": key })).await.unwrap().unwrap();
    let mut item = get().await;
    item["newest"] = json!("kept");
    item["cursor"] = json!("to be removed");
    dynamodb::put(client, "jobs", &item).await.unwrap();
    let mut record = store.read(key).await.unwrap().unwrap();
    let guard = record.guard();
    record.cursor = None;
    record.fence += 1;
    assert_eq!(store.replace(&record, Some(&guard)).await, Ok(Written::Yes));
    let mut item = get().await;
    assert_eq!((&item["newest"], item.get("cursor")), (&json!("kept"), None));
    // The same as one of several in a call.
    item["cursor"] = json!("to be removed");
    dynamodb::put(client, "jobs", &item).await.unwrap();
    let other = store.read("case#d:alone-2").await.unwrap().unwrap();
    let guard = Some(record.guard());
    record.fence += 1;
    let both = |record, guard| {
        let same = Replacement { record: other.clone(), guard: Some(other.guard()) };
        [Replacement { record, guard }, same]
    };
    let written = store.replace_all(&both(record.clone(), guard)).await;
    assert_eq!(written, Ok(vec![Ok(Written::Yes); 2]));
    let mut item = get().await;
    assert_eq!((&item["newest"], item.get("cursor")), (&json!("kept"), None));
    item["format"] = json!(2);
    dynamodb::put(client, "jobs", &item).await.unwrap();
    let newer = PortError::Unreadable("format: 2, expected at most 1".into());
    assert_eq!(store.read(key).await, Err(newer.clone()));
    let guard = evenkeel::record::Guard { state: record.phase.name(), fence: record.fence - 1 };
    assert_eq!(store.replace(&record, Some(&guard)).await, Err(newer.clone()), "it is refused");
    let written = store.replace_all(&both(record, Some(guard))).await;
    assert_eq!(written, Ok(vec![Ok(Written::No(None)), Ok(Written::Yes)]), "it is refused alone");
    let keys = [key.to_owned(), other.key.clone()];
    assert_eq!(store.read_all(&keys).await, Ok(vec![Err(newer), Ok(Some(other))]));
}

/// The same for the items that all functions share.
async fn what_a_newer_version_wrote_of_a_breaker_survives(
    store: &aws::DynamoStore,
    client: &xtask::aws::Client,
) {
    let key = |kind: &str| json!({ "pk": format!("{kind}#newer"), "sk": "state" });
    let get = async |kind| dynamodb::get(client, "control", &key(kind)).await.unwrap().unwrap();
    let state = State::Open { retry_at: Time::from_millis(9_000), wait: Duration::from_secs(1) };
    let open = Breaker { state, generation: 1, ..Breaker::default() };
    let limiter = Limiter::default();
    assert_eq!(store.swap_breaker("newer", &open, 0).await, Ok(Swapped::Yes));
    assert_eq!(store.swap_limiter("newer", &limiter, 0).await, Ok(Swapped::Yes));
    for kind in ["breaker", "limiter"] {
        let mut item = get(kind).await;
        item["newest"] = json!("kept");
        dynamodb::put(client, "control", &item).await.unwrap();
    }
    let closed = Breaker { state: State::Closed, ..open };
    assert_eq!(store.swap_breaker("newer", &closed, 1).await, Ok(Swapped::Yes));
    assert_eq!(store.swap_limiter("newer", &limiter, 1).await, Ok(Swapped::Yes));
    let (breaker, limiter) = (get("breaker").await, get("limiter").await);
    assert_eq!((&breaker["newest"], breaker.get("retry_at")), (&json!("kept"), None));
    assert_eq!((&limiter["newest"], &limiter["revision"]), (&json!("kept"), &json!(2)));
}

/// The breakers, and the limiters, of several dependencies are read in one call.
async fn an_item_that_cannot_be_read_hides_none_that_is_read_with_it(
    store: &aws::DynamoStore,
    client: &xtask::aws::Client,
) {
    use evenkeel::ports::{PortError, Seen};
    let names = ["beside-0", "beside-1", "beside-2"].map(str::to_owned);
    let state = State::Open { retry_at: Time::from_millis(9_000), wait: Duration::from_secs(1) };
    let open = Breaker { state, generation: 1, ..Breaker::default() };
    let limiter = Limiter { next_us: 7, ..Limiter::default() };
    for name in &names {
        assert_eq!(store.swap_breaker(name, &open, 0).await, Ok(Swapped::Yes));
        assert_eq!(store.swap_limiter(name, &limiter, 0).await, Ok(Swapped::Yes));
    }
    for (kind, name, value) in
        [("breaker", "state", json!("ajar")), ("limiter", "pace", json!("slow"))]
    {
        let key = json!({ "pk": format!("{kind}#beside-1"), "sk": "state" });
        let mut item = dynamodb::get(client, "control", &key).await.unwrap().unwrap();
        item[name] = value;
        dynamodb::put(client, "control", &item).await.unwrap();
    }
    let breakers = store.breakers(&names).await.unwrap();
    let [one, Err(PortError::Unreadable(why)), other] = &breakers[..] else {
        panic!("{breakers:?}")
    };
    assert!(why.contains("ajar"), "{why}");
    let seen = Ok(Seen { value: open, revision: 1 });
    assert_eq!((one, other), (&seen, &seen));
    let limiters = store.limiters(&names).await.unwrap();
    let [one, Err(PortError::Unreadable(why)), other] = &limiters[..] else {
        panic!("{limiters:?}")
    };
    assert!(why.contains("pace"), "{why}");
    let seen = Ok(Seen { value: limiter, revision: 1 });
    assert_eq!((one, other), (&seen, &seen));
}

#[tokio::test(start_paused = true)]
async fn simulated_sqs_conforms() {
    let sqs = SimulatedSqs::new(TestClock::default());
    let create = async |name: &'static str| {
        let [source, dead] = ["", "-dlq"].map(|end| crate::bench::arn(&format!("{name}{end}")));
        sqs.create(&dead, QueueSettings::default());
        let redrive = Some(Redrive { dead: dead.clone(), max_receives: MAX_RECEIVES });
        sqs.create(&source, QueueSettings { redrive, ..QueueSettings::default() });
        CaseQueues { source, dead }
    };
    assert_eq!(queue_conformance::queue(&sqs, create).await, []);
}

/// The cases in which MiniStack differs from AWS's documentation, sorted. docs/local.md says how.
const MINISTACK: [&str; 7] = [
    "entries-are-refused-one-by-one",
    "hidden-at-most-twelve-hours",
    "hidden-at-most-twelve-hours-from-the-receive",
    "latest-handle-deletes",
    "only-messages-in-flight-are-hidden",
    "stale-handle-deletes-nothing-silently",
    "traces-arrive-as-sent",
];

/// The cases in which moto differs.
const MOTO: [&str; 4] = [
    "moved-on-the-receive-after-the-last",
    "only-messages-in-flight-are-hidden",
    "stale-handle-deletes-nothing-silently",
    "traces-arrive-as-sent",
];

/// Asserts that the queues of an emulator differ from AWS's documentation in these cases and no other.
async fn check_queues(emulator: Emulator, known: &[&str]) {
    let client = transport::client().unwrap();
    let config = aws::local::config(client, emulator.endpoint()).await;
    let create = async |name: &'static str| {
        let dead = aws::local::queue(&config, &format!("{name}-dlq"), None).await;
        let source = aws::local::queue(&config, name, Some((&dead, MAX_RECEIVES))).await;
        CaseQueues { source, dead }
    };
    let found = queue_conformance::queue(&aws::SqsQueue::new(&config), create).await;
    let names: Vec<&str> = found.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, known, "{found:#?}");
    emulator.stop().await.unwrap();
}

#[tokio::test]
async fn ministack_differs_in_known_ways_over_a_socket_because_it_is_a_process() {
    let workspace = Workspace::find().await.unwrap();
    check_queues(Emulator::ministack(&workspace).await.unwrap(), &MINISTACK).await;
}

#[tokio::test]
async fn moto_differs_in_known_ways_over_a_socket_because_it_is_a_process() {
    let workspace = Workspace::find().await.unwrap();
    check_queues(Emulator::moto(&workspace).await.unwrap(), &MOTO).await;
}

/// The rows of docs/local.md whose column for an emulator says something else than "as AWS".
fn documented(column: usize) -> Vec<&'static str> {
    let page = include_str!("../docs/local.md");
    let rows = page.lines().map(|line| line.split('|').map(str::trim).collect::<Vec<_>>());
    let cases = rows.filter_map(|cells| {
        let name = cells.get(1)?.strip_prefix('`')?.strip_suffix('`')?;
        (cells.len() == 6 && *cells.get(column)? != "as AWS").then_some(name)
    });
    cases.collect()
}

#[test]
fn every_known_difference_is_documented() {
    assert_eq!((documented(3), documented(4)), (MINISTACK.to_vec(), MOTO.to_vec()));
}
