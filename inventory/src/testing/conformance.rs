//! The conformance suite of the port [`Vehicles`]. Each case uses dealers of its own and expects a
//! table without items for them.

use crate::{
    link::KeptLink,
    vehicles::{CarAndPage, Known, Listing, Vehicle, Vehicles},
};
use evenkeel::base::time::Time;

const NOW: Time = Time::from_millis(1_800_000_000_000);
const LATER: Time = Time::from_millis(1_800_000_060_000);

/// Runs every case.
///
/// # Panics
/// If the table does not conform.
pub async fn vehicles<V: Vehicles>(vehicles: &V) {
    an_unknown_dealer_has_no_items(vehicles).await;
    stored_cars_are_read_by_dealer(vehicles).await;
    many_cars_are_stored_in_one_call(vehicles).await;
    an_unlisted_car_keeps_its_data_and_loses_its_hash(vehicles).await;
    the_note_about_the_list_is_not_read_as_a_car(vehicles).await;
    a_link_is_stored_if_nobody_has_wanted_another_destination(vehicles).await;
    the_listing_of_a_car_has_its_addresses(vehicles).await;
}

fn vehicle(vin: &str, hash: &str) -> Vehicle {
    let data = format!(r#"{{"vin":"{vin}","hash":"{hash}"}}"#);
    Vehicle {
        vin: vin.into(),
        hash: Some(hash.into()),
        list: "used".into(),
        data,
        addresses: vec!["0a".into(), "0b".into()],
        asked: Some("7:0b".into()),
        pending: Some("h".into()),
    }
}

async fn known<V: Vehicles>(vehicles: &V, dealer: &str) -> Vec<Known> {
    let mut known = vehicles.known(dealer).await.unwrap_or_default();
    known.sort_by(|one, other| one.vin.cmp(&other.vin));
    known
}

async fn data<V: Vehicles>(vehicles: &V, dealer: &str, vin: &str) -> Option<String> {
    let asked = [(dealer.to_owned(), vin.to_owned())];
    let found = vehicles.data(&asked).await.unwrap_or_default();
    assert_eq!(found.len(), 1);
    found.into_iter().next().flatten()
}

fn as_known(vehicle: &Vehicle) -> Known {
    let Vehicle { vin, hash, list, addresses, asked, pending, .. } = vehicle.clone();
    Known { vin, hash, list, kept_at: NOW, addresses, asked, pending }
}

async fn an_unknown_dealer_has_no_items<V: Vehicles>(vehicles: &V) {
    assert_eq!(vehicles.known("stranger").await, Ok(Vec::new()));
    assert_eq!(data(vehicles, "stranger", "1HGCM82633A004352").await, None);
    assert_eq!(vehicles.list("stranger").await, Ok(None));
    let unknown = ["1HGCM82633A004352".to_owned()];
    assert_eq!(
        vehicles.unlist("stranger", &unknown, LATER, LATER).await,
        Ok(()),
        "unlisting an unknown car does not create it"
    );
    assert_eq!(vehicles.known("stranger").await, Ok(Vec::new()));
}

async fn stored_cars_are_read_by_dealer<V: Vehicles>(vehicles: &V) {
    let (old, new) = (vehicle("1HGCM82633A000001", "a"), vehicle("1HGCM82633A000001", "b"));
    let other = vehicle("1HGCM82633A000002", "c");
    assert_eq!(vehicles.keep("kept", &[old, other.clone()], NOW).await, Ok(()));
    assert_eq!(vehicles.keep("kept", std::slice::from_ref(&new), NOW).await, Ok(()));
    assert_eq!(known(vehicles, "kept").await, [as_known(&new), as_known(&other)]);
    assert_eq!(data(vehicles, "another", &new.vin).await, None);
    let unknown = "1HGCM82633A000009".to_owned();
    let asked =
        [&new.vin, &unknown, &other.vin, &new.vin].map(|vin| ("kept".to_owned(), vin.clone()));
    let found = [Some(new.data.clone()), None, Some(other.data), Some(new.data)];
    assert_eq!(
        vehicles.data(&asked).await,
        Ok(found.clone().into()),
        "in the order of the question"
    );
    let found = found.map(|data| CarAndPage { data, page: None });
    assert_eq!(vehicles.with_pages(&asked).await, Ok(found.into()), "without pages");
    assert_eq!(vehicles.with_pages(&[]).await, Ok(Vec::new()));
}

async fn many_cars_are_stored_in_one_call<V: Vehicles>(vehicles: &V) {
    let many: Vec<Vehicle> = (0..60).map(|n| vehicle(&format!("1HGCM82633A{n:06}"), "h")).collect();
    assert_eq!(vehicles.keep("many", &many, NOW).await, Ok(()));
    assert_eq!(known(vehicles, "many").await, many.iter().map(as_known).collect::<Vec<_>>());
}

async fn an_unlisted_car_keeps_its_data_and_loses_its_hash<V: Vehicles>(vehicles: &V) {
    let car = vehicle("1HGCM82633A000003", "d");
    assert_eq!(vehicles.keep("gone", std::slice::from_ref(&car), NOW).await, Ok(()));
    let vins = [car.vin.clone()];
    assert_eq!(vehicles.unlist("gone", &vins, NOW, LATER).await, Ok(()));
    assert_eq!(
        known(vehicles, "gone").await,
        [as_known(&car)],
        "the car was stored at `began`, so it stays listed"
    );
    for _ in 0..2 {
        let unlisted = vehicles.unlist("gone", &vins, LATER, LATER).await;
        assert_eq!(unlisted, Ok(()), "unlisting is idempotent");
    }
    assert_eq!(
        known(vehicles, "gone").await,
        [Known { hash: None, pending: None, ..as_known(&car) }]
    );
    assert_eq!(data(vehicles, "gone", &car.vin).await, Some(car.data.clone()));
    assert_eq!(vehicles.keep("gone", std::slice::from_ref(&car), NOW).await, Ok(()));
    assert_eq!(
        known(vehicles, "gone").await,
        [as_known(&car)],
        "storing the car again lists it again"
    );
}

async fn the_note_about_the_list_is_not_read_as_a_car<V: Vehicles>(vehicles: &V) {
    for note in ["first", "second"] {
        assert_eq!(vehicles.keep_list("noted", note, NOW).await, Ok(()));
        assert_eq!(vehicles.list("noted").await, Ok(Some(note.to_owned())));
    }
    assert_eq!(vehicles.known("noted").await, Ok(Vec::new()));
}

async fn the_listing_of_a_car_has_its_addresses<V: Vehicles>(vehicles: &V) {
    let car = vehicle("1HGCM82633A000004", "e");
    assert_eq!(vehicles.listing("listing", &car.vin).await, Ok(None));
    assert_eq!(vehicles.keep("listing", std::slice::from_ref(&car), NOW).await, Ok(()));
    let listing = Listing { is_listed: true, addresses: car.addresses.clone() };
    assert_eq!(vehicles.listing("listing", &car.vin).await, Ok(Some(listing.clone())));
    let gone = vehicles.unlist("listing", std::slice::from_ref(&car.vin), LATER, LATER).await;
    assert_eq!(gone, Ok(()));
    let unlisted = Listing { is_listed: false, ..listing };
    assert_eq!(vehicles.listing("listing", &car.vin).await, Ok(Some(unlisted)));
}

async fn a_link_is_stored_if_nobody_has_wanted_another_destination<V: Vehicles>(vehicles: &V) {
    const DEALER: &str = "linked";
    let address = |page: &str| format!("https://linked.example/{page}").parse();
    let (Ok(one), Ok(two)) = (address("1"), address("2")) else { return };
    let (vin, other) = ("1HGCM82633A000005", "1HGCM82633A000006");
    let link = KeptLink {
        wanted: String::new(),
        as_of: NOW,
        set: Some(NOW),
        link_id: "id".into(),
        slashtag: "linked-000005".into(),
        short_url: "go.linked.example/linked-000005".into(),
        addresses: Vec::new(),
        deleted_at: None,
    };
    let link = link.wanting(&one, NOW);
    let replace = async |before: Option<&KeptLink>, after: &KeptLink| {
        vehicles.replace_link(DEALER, vin, before, after).await
    };
    assert_eq!(replace(None, &link).await, Ok(true));
    assert_eq!(replace(None, &link).await, Ok(false), "there is one");
    let moved = link.wanting(&two, LATER);
    assert_eq!(replace(Some(&moved), &link).await, Ok(false), "it is not as read");
    assert_eq!(replace(Some(&link), &KeptLink { set: None, ..moved.clone() }).await, Ok(true));
    assert_eq!(replace(Some(&link), &link).await, Ok(false), "another one is wanted by now");
    let read = vehicles.links(DEALER).await;
    assert_eq!(read, Ok(vec![(vin.to_owned(), moved.clone())]), "what was set stays");
    let cars = [other, vin, vin].map(|vin| (DEALER.to_owned(), vin.to_owned()));
    let read = vehicles.kept_links(&cars).await;
    assert_eq!(read, Ok(vec![None, Some(moved.clone()), Some(moved.clone())]));
    let deleted = KeptLink { deleted_at: Some(LATER), ..moved.clone() };
    assert_eq!(replace(Some(&moved), &deleted).await, Ok(true));
    assert_eq!(vehicles.kept_links(&cars[1..2]).await, Ok(vec![Some(deleted)]));
    assert_eq!(vehicles.known(DEALER).await, Ok(Vec::new()), "a link is no car");
}
