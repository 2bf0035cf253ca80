//! A car that the dealer no longer lists, or lists again: written together with its page, which expires while the car
//! is gone.

use aws_sdk_dynamodb::{
    error::SdkError,
    operation::transact_write_items::{TransactWriteItemsError, TransactWriteItemsOutput},
    types::{TransactWriteItem, Update, builders::UpdateBuilder},
};
use evenkeel::{
    aws::{
        failure::port_error,
        item::{ms, n},
        rounds,
    },
    base::time::Time,
    ports::PortError,
};

use super::{
    DynamoVehicles,
    items::{CAR, encode, keyed},
};
use crate::vehicles::{PAGE_PREFIX, RETENTION, Vehicle};

/// How often a car is written that another process writes at the same moment.
const MOST_CONFLICTS: u32 = 4;

/// Attributes of a car that it does not always have.
const OPTIONAL: [&str; 5] = ["asked", "expires_at", "hash", "pending", "unlisted_at"];

impl DynamoVehicles {
    /// Marks a car as unlisted unless it was stored at `began` or later, and lets its page expire with it: both, or
    /// neither. A car without a page gets an item that has nothing but its end, so that a page which is stored later
    /// expires as well.
    pub(super) async fn unlist_car(
        &self,
        dealer: &str,
        vin: &str,
        began: Time,
        now: Time,
    ) -> Result<(), PortError> {
        let end = n((now + RETENTION).as_secs_ceil());
        let car = self
            .update(dealer, format!("{CAR}{vin}"))
            .update_expression("SET unlisted_at = :now, expires_at = :end REMOVE #hash, pending")
            .condition_expression("attribute_exists(vin) AND seen_at < :began")
            .expression_attribute_names("#hash", "hash")
            .expression_attribute_values(":now", ms(now))
            .expression_attribute_values(":end", end.clone())
            .expression_attribute_values(":began", ms(began));
        let page = self
            .update(dealer, format!("{PAGE_PREFIX}{vin}"))
            .update_expression("SET expires_at = :end")
            .expression_attribute_values(":end", end);
        self.write_both(car, page).await
    }

    /// Stores a car that is listed again, and lets its page stay: both, or neither.
    pub(super) async fn relist_car(
        &self,
        dealer: &str,
        car: &Vehicle,
        now: Time,
    ) -> Result<(), PortError> {
        let mut update = self.update(dealer, format!("{CAR}{}", car.vin));
        let mut attributes = encode(dealer, car, now);
        attributes.retain(|(name, _)| !["dealer", "vin"].contains(name));
        let is_set = |name: &str| attributes.iter().any(|(set, _)| *set == name);
        let gone: Vec<&str> = OPTIONAL.into_iter().filter(|name| !is_set(name)).collect();
        let (mut sets, mut removed) = (Vec::new(), Vec::new());
        // Attributes have names such as `hash`, which DynamoDB reserves.
        for (index, name) in gone.into_iter().enumerate() {
            removed.push(format!("#r{index}"));
            update = update.expression_attribute_names(format!("#r{index}"), name);
        }
        for (index, (name, value)) in attributes.into_iter().enumerate() {
            sets.push(format!("#s{index} = :s{index}"));
            update = update
                .expression_attribute_names(format!("#s{index}"), name)
                .expression_attribute_values(format!(":s{index}"), value);
        }
        // A stored car lacks some of them: it is listed, or it is not.
        let whole = format!("SET {} REMOVE {}", sets.join(", "), removed.join(", "));
        let page = self
            .update(dealer, format!("{PAGE_PREFIX}{}", car.vin))
            .update_expression("REMOVE expires_at");
        self.write_both(update.update_expression(whole), page).await
    }

    fn update(&self, dealer: &str, sort: String) -> UpdateBuilder {
        let key = [("dealer", dealer.to_owned()), ("vin", sort)];
        Update::builder().table_name(&self.table).set_key(Some(keyed(key)))
    }

    /// Writes both, or neither if the condition of one does not hold.
    async fn write_both(&self, car: UpdateBuilder, page: UpdateBuilder) -> Result<(), PortError> {
        let both = [write(car)?, write(page)?];
        for round in 0..MOST_CONFLICTS {
            rounds::pause(round).await;
            let transaction = self.client.transact_write_items();
            let sent = transaction.set_transact_items(Some(both.to_vec())).send().await;
            match answer(sent)? {
                Answer::Conflict => {}
                Answer::Done => return Ok(()),
            }
        }
        Err(PortError::Unavailable("others write the same car".to_owned()))
    }
}

fn write(update: UpdateBuilder) -> Result<TransactWriteItem, PortError> {
    let update = update.build().map_err(|error| PortError::Broken(error.to_string()))?;
    Ok(TransactWriteItem::builder().update(update).build())
}

/// What has become of a transaction.
enum Answer {
    /// Both were written, or a condition does not hold.
    Done,
    /// Nothing was written, because another process writes one of them.
    Conflict,
}

fn answer(
    sent: Result<TransactWriteItemsOutput, SdkError<TransactWriteItemsError>>,
) -> Result<Answer, PortError> {
    let Err(error) = sent else { return Ok(Answer::Done) };
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) =
        error.as_service_error()
    else {
        return Err(port_error(&error));
    };
    let reasons = cancelled.cancellation_reasons();
    let is_for = |code: &str| reasons.iter().any(|reason| reason.code() == Some(code));
    if is_for("ConditionalCheckFailed") {
        return Ok(Answer::Done);
    }
    if is_for("TransactionConflict") { Ok(Answer::Conflict) } else { Err(port_error(&error)) }
}

#[cfg(test)]
mod tests {
    use evenkeel::aws::measured;

    use super::*;
    use crate::vehicles::Vehicles as _;

    /// A process that dies between two calls would leave a page that never expires, or one that does although its car
    /// is listed.
    #[tokio::test(start_paused = true)]
    async fn a_car_and_its_page_are_written_by_one_call() {
        let (config, calls) = measured::answering_each("{}".to_owned()).await;
        let vehicles = DynamoVehicles::new(&config, "vehicles".to_owned());
        let vins = ["1HGCM82633A004352", "1HGCM82633A004353"].map(str::to_owned);
        let now = Time::from_millis(1_800_000_000_000);
        assert_eq!(vehicles.unlist("acme", &vins, now, now).await, Ok(()));
        assert_eq!(calls.names(), ["TransactWriteItems"; 2]);
        let cars = vins.map(|vin| Vehicle {
            vin,
            hash: None,
            list: "used".into(),
            data: "{}".into(),
            addresses: Vec::new(),
            asked: None,
            pending: Some("h".into()),
        });
        assert_eq!(vehicles.relist("acme", &cars, now).await, Ok(()));
        assert_eq!(calls.names(), ["TransactWriteItems"; 4]);
    }
}
