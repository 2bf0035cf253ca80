//! What the page shows its visitors, as evidence for what other sources say.

use super::{
    agreement::same_distance,
    distance,
    quality::Code,
    record::Details,
    visible::Visible,
    vocabulary::{Found, Mileage, Provenance, Unit},
};

/// The amounts that the page shows, in cents, and what tells of its units.
#[derive(Debug, Default)]
pub(super) struct Shown {
    /// The price, if the page is the car's beyond doubt, and the manufacturer's price.
    pub(super) asked: Option<u64>,
    pub(super) msrp: Option<u64>,
    /// The currency of that price, if its sign stands for just one.
    pub(super) currency: Option<&'static str>,
    /// Prices that are struck through: what the car cost before.
    pub(super) struck: Vec<u64>,
    /// Payments, savings and fees, which explain what other sources give as the price.
    pub(super) others: Vec<(u64, Code)>,
    /// Distances with their unit.
    distances: Vec<Mileage>,
    /// Whether the page is of a country where cars may show kilometres.
    is_abroad: bool,
}

impl Shown {
    /// What the page of the car `vin` shows, which `is_ours` beyond doubt or may show another car's price.
    pub(super) fn of(visible: &Visible, vin: &str, is_ours: bool) -> Self {
        let asked = if is_ours { visible.price() } else { None };
        Self {
            asked,
            msrp: if is_ours { visible.msrp() } else { None },
            currency: asked.and_then(|_| visible.currency()),
            struck: visible.struck(vin, is_ours),
            others: visible.other_amounts().to_vec(),
            distances: visible.distances().to_vec(),
            is_abroad: visible.is_abroad(),
        }
    }
}

/// The unit of a mileage. If its source states none, it is that of the sources that state nearly the same distance;
/// then miles, unless anything tells of kilometres or of another country, or only the feed gives the mileage.
pub(super) fn unit(
    mileage: &Found<Mileage>,
    sources: &[(Provenance, Details)],
    shown: &Shown,
) -> Unit {
    if mileage.value.unit != Unit::Unstated {
        return mileage.value.unit;
    }
    let all = sources.iter().filter_map(|(_, details)| details.mileage.clone());
    let titled =
        sources.iter().filter_map(|(_, details)| distance::within(details.title.as_ref()?));
    let all = all.chain(titled).chain(shown.distances.iter().cloned());
    let stated: Vec<Mileage> = all.filter(|other| other.unit != Unit::Unstated).collect();
    let only = |fits: &dyn Fn(&Mileage) -> bool| {
        let mut units = stated.iter().filter(|other| fits(other)).map(|other| other.unit);
        let first = units.next()?;
        Some(if units.all(|unit| unit == first) { first } else { Unit::Unstated })
    };
    let equal = only(&|other| other.value == mileage.value.value);
    if let Some(unit) = equal.or_else(|| only(&|other| same_distance(other, &mileage.value))) {
        return unit;
    }
    let of_sources = sources.iter().filter_map(|(_, details)| details.mileage.as_ref());
    let has_metric = of_sources.into_iter().any(|other| other.unit == Unit::Kilometres);
    let mut currencies = sources.iter().filter_map(|(_, details)| details.currency.as_deref());
    let is_abroad = shown.is_abroad || currencies.any(|currency| currency != "USD");
    let is_unknown = mileage.from == Provenance::Feed || has_metric || is_abroad;
    if is_unknown { Unit::Unstated } else { Unit::Miles }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn miles(value: u32, unit: Unit) -> Details {
        Details { mileage: Some(Mileage { value, unit }), ..Details::default() }
    }

    #[test]
    fn a_unit_that_is_not_stated_is_taken_only_from_what_fits() {
        let of = |others: &[Details], shown: &Shown| {
            let own = miles(45_120, Unit::Unstated);
            let found = Found {
                value: Mileage { value: 45_120, unit: Unit::Unstated },
                from: Provenance::DataLayer,
            };
            let others = others.iter().map(|details| (Provenance::Feed, details.clone()));
            let sources: Vec<_> =
                [(Provenance::DataLayer, own)].into_iter().chain(others).collect();
            unit(&found, &sources, shown)
        };
        let none = Shown::default();
        assert_eq!(of(&[], &none), Unit::Miles);
        assert_eq!(of(&[miles(45_000, Unit::Kilometres)], &none), Unit::Kilometres);
        assert_eq!(of(&[miles(45_000, Unit::Miles)], &none), Unit::Miles);
        // A distance that does not fit still tells that there are kilometres.
        assert_eq!(of(&[miles(10, Unit::Kilometres)], &none), Unit::Unstated);
        let both = [miles(45_000, Unit::Kilometres), miles(45_100, Unit::Miles)];
        assert_eq!(of(&both, &none), Unit::Unstated);
        let euros = Details { currency: Some("EUR".into()), ..Details::default() };
        assert_eq!(of(&[euros], &none), Unit::Unstated);
        let abroad = Shown { is_abroad: true, ..Shown::default() };
        assert_eq!(of(&[], &abroad), Unit::Unstated);
        let distances = vec![Mileage { value: 45_120, unit: Unit::Kilometres }];
        assert_eq!(of(&[], &Shown { distances, ..Shown::default() }), Unit::Kilometres);
    }
}
