//! The conformance suite of the port [`Vehicles`]. Each case uses dealers of its own and expects a
//! table without items for them.

use crate::vehicles::{Known, Vehicle, Vehicles};
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
}

fn vehicle(vin: &str, hash: &str) -> Vehicle {
    let data = format!(r#"{{"vin":"{vin}","hash":"{hash}"}}"#);
    Vehicle { vin: vin.into(), hash: Some(hash.into()), list: "used".into(), data }
}

async fn known<V: Vehicles>(vehicles: &V, dealer: &str) -> Vec<Known> {
    let mut known = vehicles.known(dealer).await.unwrap_or_default();
    known.sort_by(|one, other| one.vin.cmp(&other.vin));
    known
}

fn as_known(vehicle: &Vehicle) -> Known {
    let Vehicle { vin, hash, list, .. } = vehicle.clone();
    Known { vin, hash, list, kept_at: NOW }
}

async fn an_unknown_dealer_has_no_items<V: Vehicles>(vehicles: &V) {
    assert_eq!(vehicles.known("stranger").await, Ok(Vec::new()));
    assert_eq!(vehicles.data("stranger", "1HGCM82633A004352").await, Ok(None));
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
    assert_eq!(vehicles.data("kept", &new.vin).await, Ok(Some(new.data)));
    assert_eq!(vehicles.data("another", &new.vin).await, Ok(None));
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
    assert_eq!(known(vehicles, "gone").await, [Known { hash: None, ..as_known(&car) }]);
    assert_eq!(vehicles.data("gone", &car.vin).await, Ok(Some(car.data.clone())));
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
