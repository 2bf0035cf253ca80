//! A car has one link, which follows its address: `url_shortening` in the whole engine, with overtaking messages,
//! crashes, and links that people change or delete.

mod audit;
mod update_faults;

use std::time::Duration;

use evenkeel::{
    base::time::Time,
    ports::notes::{FINDING, Finding},
    record::{Phase, Record},
    testing::Fault as PortFault,
};
use inventory::{
    link::KeptLink,
    vehicles::{Vehicle, Vehicles as _},
};
use sandbox::rebrandly::{Link, LinkStatus};
use serde_json::{Value, json};
use url_shortening::result::{Shortened, Via};

use crate::bench::{Bench, Kind, third_parties::preload};

const VIN: &str = "1HGCM82633A004352";
const A: &str = "https://www.acme.example/used/car";
const B: &str = "https://www.acme.example/certified/car";
const C: &str = "https://www.acme.example/gone";

/// Sends a message about a car of the dealer `acme`, with these fields in the payload besides.
fn ask(bench: &Bench, vin: &str, destination: &str, more: &Value) {
    let mut payload = json!({"destination": destination, "dealer_slug": "acme", "vin": vin});
    for (name, value) in more.as_object().into_iter().flatten() {
        payload[name] = value.clone();
    }
    let body = json!({"version": 1, "type": "url_shortening", "payload": payload});
    bench.send(&body.to_string());
}

/// The same, and lets the job end.
async fn asked(bench: &Bench, vin: &str, destination: &str, more: &Value) {
    ask(bench, vin, destination, more);
    bench.drain().await;
}

/// The record of the job for this destination.
fn record(bench: &Bench, destination: &str) -> Record {
    let of = |record: &Record| record.work.payload.contains(&format!("\"{destination}\""));
    bench.store.records().into_iter().find(of).unwrap()
}

fn shortened(record: &Record) -> Shortened {
    match &record.phase {
        Phase::Succeeded { result, .. } => serde_json::from_str(result).unwrap(),
        other => panic!("{other:?}: {:?}", record.history),
    }
}

fn kept(bench: &Bench) -> KeptLink {
    bench.vehicles.kept_link("acme", VIN).unwrap()
}

/// The links that are not deleted.
async fn links(bench: &Bench) -> Vec<Link> {
    let links = bench.links().await.into_iter();
    links.filter(|link| link.status == LinkStatus::Active).collect()
}

async fn the_only_link(bench: &Bench) -> Link {
    let mut links = links(bench).await;
    assert_eq!(links.len(), 1, "{links:?}");
    links.remove(0)
}

/// The feed lists the car.
async fn list(bench: &Bench, addresses: &[&str]) {
    list_car(bench, VIN, addresses).await;
}

async fn list_car(bench: &Bench, vin: &str, addresses: &[&str]) {
    let marks = addresses.iter().map(|address| inventory::link::mark(&address.parse().unwrap()));
    let car = Vehicle {
        vin: vin.into(),
        hash: Some("h".into()),
        list: "used".into(),
        data: "{}".into(),
        addresses: marks.collect(),
        asked: None,
        pending: None,
    };
    bench.vehicles.keep("acme", &[car], bench.now()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_link_follows_its_car_to_another_address_and_back() {
    let bench = Bench::of(&[Kind::SHORTENING]);
    asked(&bench, VIN, A, &json!({})).await;
    let first = shortened(&bench.only());
    assert_eq!((first.via, first.candidate), (Via::Created, Some(1)));
    for (hour, address) in [(1_u64, B), (2, A), (3, B)] {
        tokio::time::advance(Duration::from_hours(1)).await;
        let before = bench.control().calls().await.unwrap().len();
        asked(
            &bench,
            VIN,
            address,
            &json!({"as_of": bench.now().as_millis(), "title": hour.to_string().repeat(3)}),
        )
        .await;
        assert_eq!(bench.control().calls().await.unwrap().len() - before, 1, "one call, {hour}");
        let link = the_only_link(&bench).await;
        assert_eq!(
            (link.id.as_str(), link.destination.as_str()),
            (first.link_id.as_str(), address)
        );
        let kept = kept(&bench);
        assert!(kept.wanted == address && kept.is_set(), "{kept:?}");
    }
    let vias: Vec<Via> = bench.store.records().iter().map(|record| shortened(record).via).collect();
    assert_eq!(vias.iter().filter(|via| **via == Via::Updated).count(), 3, "{vias:?}");
}

#[tokio::test(start_paused = true)]
async fn an_older_destination_is_superseded_without_a_call() {
    let bench = Bench::of(&[Kind::SHORTENING]);
    let (old, new) = (bench.now().as_millis() - 60_000, bench.now().as_millis());
    asked(&bench, VIN, B, &json!({"as_of": new})).await;
    let calls = bench.control().calls().await.unwrap().len();
    asked(&bench, VIN, A, &json!({"as_of": old})).await;
    assert_eq!(shortened(&record(&bench, A)).via, Via::Superseded);
    assert_eq!(bench.control().calls().await.unwrap().len(), calls);
    assert_eq!(the_only_link(&bench).await.destination, B);
}

/// A time in the future would outdo everything that follows.
#[tokio::test(start_paused = true)]
async fn a_time_in_the_future_counts_as_now() {
    let bench = Bench::of(&[Kind::SHORTENING]);
    let future = (bench.now() + Duration::from_hours(1_000)).as_millis();
    asked(&bench, VIN, A, &json!({"as_of": future})).await;
    tokio::time::advance(Duration::from_hours(1)).await;
    asked(&bench, VIN, B, &json!({})).await;
    assert_eq!(the_only_link(&bench).await.destination, B);
}

#[tokio::test(start_paused = true)]
async fn cars_and_dealers_that_share_a_name_have_links_of_their_own() {
    let bench = Bench::of(&[Kind::SHORTENING]);
    let twin = "2HGCM82633A004352";
    asked(&bench, VIN, A, &json!({})).await;
    asked(&bench, twin, B, &json!({})).await;
    asked(&bench, VIN, C, &json!({"dealer_slug": "acme-north"})).await;
    let ids = |bench: &Bench| -> Vec<String> {
        [("acme", VIN), ("acme", twin), ("acme-north", VIN)]
            .map(|(dealer, vin)| bench.vehicles.kept_link(dealer, vin).unwrap().link_id)
            .into()
    };
    let made = ids(&bench);
    assert_eq!(bench.links().await.len(), 3);
    tokio::time::advance(Duration::from_mins(1)).await;
    // The twin moves to where the first one was.
    asked(&bench, VIN, "https://www.acme.example/moved", &json!({})).await;
    asked(&bench, twin, A, &json!({"as_of": bench.now().as_millis()})).await;
    assert_eq!(ids(&bench), made);
    let links = bench.links().await;
    assert_eq!(links.len(), 3);
    let leads = |id: &str| links.iter().find(|link| link.id == id).unwrap().destination.clone();
    assert_eq!(
        made.iter().map(|id| leads(id)).collect::<Vec<_>>(),
        ["https://www.acme.example/moved", A, C]
    );
}

/// Two cars that share the end of their VINs and their page: when one moves, the other's link stays.
#[tokio::test(start_paused = true)]
async fn cars_that_share_a_name_and_a_page_have_links_of_their_own() {
    let twin = "2HGCM82633A004352";
    // The second one finds the link at the wanted address, or at an earlier one of its own.
    for (wanted, addresses) in [(A, vec![]), (B, vec![A])] {
        let bench = Bench::of(&[Kind::SHORTENING]);
        asked(&bench, VIN, A, &json!({})).await;
        tokio::time::advance(Duration::from_mins(10)).await;
        list_car(&bench, twin, &addresses).await;
        asked(&bench, twin, wanted, &json!({})).await;
        let ids = [VIN, twin].map(|vin| bench.vehicles.kept_link("acme", vin).unwrap().link_id);
        assert_ne!(ids[0], ids[1]);
        tokio::time::advance(Duration::from_hours(1)).await;
        asked(&bench, VIN, C, &json!({"as_of": bench.now().as_millis()})).await;
        let links = links(&bench).await;
        let leads =
            ids.map(|id| links.iter().find(|link| link.id == id).unwrap().destination.clone());
        assert_eq!((links.len(), leads), (2, [C.to_owned(), wanted.to_owned()]));
    }
}

/// A link under a name that is not in the chain, as the old system and the import leave it.
#[tokio::test(start_paused = true)]
async fn a_car_with_a_kept_link_never_gets_a_second_one() {
    let bench = Bench::of(&[Kind::SHORTENING]);
    let slashtag = format!("acme-{}", VIN.to_lowercase());
    let old = bench.control().preload(&[preload(&slashtag, A)]).await.unwrap().remove(0);
    let link = KeptLink {
        wanted: A.into(),
        as_of: Time::from_millis(1_000),
        set: Some(Time::from_millis(1_000)),
        link_id: old.id.clone(),
        slashtag,
        short_url: old.short_url(),
        addresses: Vec::new(),
        deleted_at: None,
    };
    assert_eq!(bench.vehicles.replace_link("acme", VIN, None, &link).await, Ok(true));
    asked(&bench, VIN, B, &json!({})).await;
    // Even a sender who is wrong about it gets the kept one, if the name in the chain is taken.
    let link = the_only_link(&bench).await;
    assert_eq!((link.id, link.destination.as_str()), (old.id, B));
}

/// Umlauts are spelt in slashtags of new links only: a link that was made before that keeps its name.
#[tokio::test(start_paused = true)]
async fn a_link_with_the_old_spelling_of_its_dealer_stays() {
    let bench = Bench::of(&[Kind::SHORTENING]);
    let old = bench.control().preload(&[preload("m-ller-004352", A)]).await.unwrap().remove(0);
    let at = Time::from_millis(1_000);
    let link = KeptLink {
        wanted: A.into(),
        as_of: at,
        set: Some(at),
        link_id: old.id.clone(),
        slashtag: "m-ller-004352".into(),
        short_url: old.short_url(),
        addresses: Vec::new(),
        deleted_at: None,
    };
    assert_eq!(bench.vehicles.replace_link("Müller", VIN, None, &link).await, Ok(true));
    asked(&bench, VIN, B, &json!({"dealer_slug": "Müller"})).await;
    asked(&bench, "1HGCM82633A000001", C, &json!({"dealer_slug": "Müller"})).await;
    let names = links(&bench).await.into_iter().map(|link| (link.slashtag, link.destination));
    let names: Vec<_> = names.collect();
    let expected = [("m-ller-004352", B), ("mueller-000001", C)];
    assert_eq!(names, expected.map(|(name, leads)| (name.to_owned(), leads.to_owned())));
}

/// Jobs that find no link share one call.
#[tokio::test(start_paused = true)]
async fn the_links_of_a_batch_are_looked_up_in_one_call() {
    let bench = Bench::of(&[Kind::SHORTENING]);
    let lookups = |bench: &Bench| {
        let calls = bench.faults.trace().into_iter();
        let lookups = calls.filter(|call| call.name == "kept_links");
        lookups.map(|call| call.about.split(' ').count()).collect::<Vec<_>>()
    };
    // In a container whose gates are cold, the jobs do not start at the same time.
    asked(&bench, VIN, B, &json!({})).await;
    for car in 10..20 {
        ask(&bench, &format!("1HGCM82633A0000{car}"), &format!("{A}/{car}"), &json!({}));
    }
    bench.drain().await;
    assert_eq!(lookups(&bench), [1, 10]);
    let known = json!({"first_link": true});
    asked(&bench, "1HGCM82633A000020", &format!("{A}/20"), &known).await;
    assert_eq!(lookups(&bench), [1, 10], "its sender knows that there is none");
}

/// Every port call of an update fails in every way.
#[tokio::test(start_paused = true)]
async fn an_update_survives_every_fault_of_the_ports() {
    let scene = async |fault: Option<(usize, PortFault)>| {
        let bench = Bench::of(&[Kind::SHORTENING]);
        asked(&bench, VIN, A, &json!({})).await;
        tokio::time::advance(Duration::from_hours(1)).await;
        let before = bench.faults.calls().len();
        if let Some((number, fault)) = fault {
            bench.faults.at(before + number, before + number, fault);
        }
        asked(&bench, VIN, B, &json!({})).await;
        let link = the_only_link(&bench).await;
        assert_eq!(link.destination, B, "{fault:?}");
        assert_eq!(shortened(&record(&bench, B)).link_id, link.id, "{fault:?}");
        let kept = kept(&bench);
        assert!(kept.wanted == B && kept.is_set(), "{fault:?}: {kept:?}");
        bench.faults.calls().split_off(before)
    };
    let calls = scene(None).await;
    for call in ["kept_links", "replace_link", "settle"] {
        assert!(calls.contains(&call), "{calls:?}");
    }
    for number in 0..calls.len() {
        for fault in PortFault::ALL {
            scene(Some((number, fault))).await;
        }
    }
}

/// Two jobs set the destination of one link at the same time, in either order.
#[tokio::test(start_paused = true)]
async fn overlapping_updates_end_with_the_newest() {
    for order in [[(B, 1_000), (C, 0)], [(C, 0), (B, 1_000)]] {
        let bench = Bench::of(&[Kind::SHORTENING]);
        asked(&bench, VIN, A, &json!({})).await;
        tokio::time::advance(Duration::from_hours(1)).await;
        let now = bench.now().as_millis();
        for (address, age) in order {
            ask(&bench, VIN, address, &json!({"as_of": now - age}));
        }
        bench.drain().await;
        assert_eq!(the_only_link(&bench).await.destination, C, "{order:?}");
        let kept = kept(&bench);
        assert!(kept.wanted == C && kept.is_set(), "{order:?}: {kept:?}");
        assert_eq!(shortened(&record(&bench, B)).via, Via::Superseded, "{order:?}");
    }
}

/// A job died after it had made the link, before it was kept; meanwhile the car has moved.
#[tokio::test(start_paused = true)]
async fn a_link_that_leads_to_an_earlier_address_of_the_car_is_taken_over() {
    let bench = Bench::of(&[Kind::SHORTENING]);
    bench.control().preload(&[preload("acme-004352", A)]).await.unwrap();
    list(&bench, &[A, B]).await;
    asked(&bench, VIN, B, &json!({})).await;
    assert_eq!(the_only_link(&bench).await.destination, B);
    assert_eq!(kept(&bench).slashtag, "acme-004352");
}

/// The same if the feed does not know the address: a link that was just made is waited for.
#[tokio::test(start_paused = true)]
async fn a_link_that_was_just_made_is_waited_for() {
    let bench = Bench::of(&[Kind::SHORTENING]);
    ask(&bench, VIN, A, &json!({}));
    bench.faults.on("settle", PortFault::DieBefore);
    bench.poll().await;
    assert_eq!(the_only_link(&bench).await.destination, A);
    asked(&bench, VIN, B, &json!({"as_of": bench.now().as_millis()})).await;
    assert_eq!(the_only_link(&bench).await.destination, B);
    let results = bench.store.records().iter().map(shortened).collect::<Vec<_>>();
    assert_eq!(results[0].link_id, results[1].link_id);
}

/// An older job finds the link that a newer one has just made, and the newer one is not settled yet.
#[tokio::test(start_paused = true)]
async fn an_older_job_does_not_take_over_the_link_that_a_newer_one_has_just_made() {
    let bench = Bench::of(&[Kind::SHORTENING]);
    list(&bench, &[A, B]).await;
    let now = bench.now().as_millis();
    ask(&bench, VIN, B, &json!({"as_of": now}));
    bench.faults.on("settle", PortFault::DieBefore);
    bench.poll().await;
    assert_eq!(the_only_link(&bench).await.destination, B);
    asked(&bench, VIN, A, &json!({"as_of": now - 1_000})).await;
    assert_eq!(the_only_link(&bench).await.destination, B);
    let kept = kept(&bench);
    assert!(kept.wanted == B && kept.is_set(), "{kept:?}");
}

/// The link is deleted after the job has written what it wants.
#[tokio::test(start_paused = true)]
async fn a_job_whose_link_was_deleted_ends_with_the_reason() {
    for recreate in [false, true] {
        let bench = Bench::of(&[Kind::SHORTENING]);
        asked(&bench, VIN, A, &json!({})).await;
        list(&bench, &[A]).await;
        let gone = the_only_link(&bench).await;
        bench.by_hand("DELETE", &gone.id, "").await;
        tokio::time::advance(Duration::from_hours(1)).await;
        asked(&bench, VIN, B, &json!({"recreate": recreate})).await;
        let record = record(&bench, B);
        if recreate {
            assert_eq!(the_only_link(&bench).await.destination, B);
            assert_eq!(shortened(&record).via, Via::Created);
            continue;
        }
        let Phase::Dead { why, .. } = record.phase else { panic!("{record:?}") };
        assert!(why.contains("the car's link go.example/acme-004352 was deleted"), "{why}");
        assert_eq!(links(&bench).await, []);
    }
}

/// What a job costs at the tables, in the steady state of a busy container.
#[tokio::test(start_paused = true)]
async fn a_link_costs_half_a_round_trip_and_four_writes_at_most() {
    let bench = Bench::of(&[Kind::SHORTENING]);
    let send = |first: u32, first_link: bool| {
        for n in first..first + 200 {
            let more = json!({"first_link": first_link});
            ask(&bench, &format!("1HGCM82633A{n:06}"), &format!("{A}/{n}"), &more);
        }
    };
    send(1_000, true);
    bench.drain().await;
    for first_link in [true, false] {
        let (calls, units) = (bench.faults.calls().len(), bench.store.units());
        send(if first_link { 2_000 } else { 3_000 }, first_link);
        bench.drain().await;
        let calls = bench.faults.calls().len() - calls;
        let writes = bench.store.units().writes - units.writes;
        assert!(calls <= 100, "{calls} round trips for 200 jobs, {first_link}");
        assert!(writes <= 720, "{writes} write units for 200 jobs, {first_link}");
    }
}
