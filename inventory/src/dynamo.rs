//! Stores vehicles in a DynamoDB table with partition key `dealer` and sort key `vin`.

pub(crate) mod items;
mod listing;

use std::collections::{BTreeSet, HashMap};

use aws_config::SdkConfig;
use aws_sdk_dynamodb::{
    Client,
    error::SdkError,
    operation::update_item::{UpdateItemError, UpdateItemOutput},
    types::{KeysAndAttributes, PutRequest, WriteRequest},
};

use crate::{
    link::{self, KeptLink},
    vehicles::{CarAndPage, Known, Listing, PAGE_PREFIX, Vehicle, Vehicles},
};
use evenkeel::aws::{
    failure::port_error,
    item::{Item, Reader, ms, owned, s},
    rounds,
};
use evenkeel::{base::time::Time, ports::PortError};
use items::{
    CAR, addresses, data, encode, kept_link, kept_page, key, key_of, keyed, known, value,
    vin_of_link,
};

/// Sort key of the item about a dealer's list as a whole.
const LIST: &str = "#list";

/// Most items of one `BatchWriteItem` (DynamoDB's limit).
const WRITES_A_CALL: usize = 25;

/// How often the items of a batch are asked for or sent that the call before has left out.
const MOST_ROUNDS: u32 = 6;

/// Most pages of one query; DynamoDB returns at most one megabyte per page.
const MOST_PAGES: usize = 200;

/// Items by dealer and sort key.
type Items = HashMap<[String; 2], Item>;

/// [`Vehicles`] on a DynamoDB table.
#[derive(Clone, Debug)]
pub struct DynamoVehicles {
    client: Client,
    table: String,
}

impl DynamoVehicles {
    /// Uses the table named `table`.
    #[must_use]
    pub fn new(config: &SdkConfig, table: String) -> Self {
        Self { client: Client::new(config), table }
    }

    async fn item(&self, dealer: &str, sort: &str) -> Result<Option<Item>, PortError> {
        let get = self.client.get_item().table_name(&self.table);
        let get = get.key("dealer", s(dealer)).key("vin", s(sort)).consistent_read(true);
        Ok(get.send().await.map_err(|error| port_error(&error))?.item)
    }

    /// The items with these keys of dealer and sort key, as far as they exist. At most 100. Strongly consistent.
    async fn items(&self, keys: BTreeSet<[String; 2]>) -> Result<Items, PortError> {
        let mut found = Items::new();
        // DynamoDB refuses a call without keys.
        if keys.is_empty() {
            return Ok(found);
        }
        let key = |[dealer, sort]: [String; 2]| keyed([("dealer", dealer), ("vin", sort)]);
        let mut keys: Vec<Item> = keys.into_iter().map(key).collect();
        for round in 0..MOST_ROUNDS {
            rounds::pause(round).await;
            let wanted = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true);
            let wanted = wanted.build().map_err(|error| PortError::Broken(error.to_string()))?;
            let get = self.client.batch_get_item().request_items(&self.table, wanted);
            let answer = get.send().await.map_err(|error| port_error(&error))?;
            let items = answer.responses.unwrap_or_default().into_values().flatten();
            found.extend(items.filter_map(|item| Some((key_of(&item)?, item))));
            let left = answer.unprocessed_keys.unwrap_or_default().into_values();
            keys = left.flat_map(|left| left.keys).collect();
            if keys.is_empty() {
                return Ok(found);
            }
        }
        Err(PortError::Unavailable(format!("{} items were not read", keys.len())))
    }

    /// What `read` finds in the items of these cars with this prefix, in the order of the cars. Strongly consistent.
    async fn each<T>(
        &self,
        cars: &[(String, String)],
        prefix: &str,
        read: impl Fn(&Item) -> Option<T>,
    ) -> Result<Vec<Option<T>>, PortError> {
        let keys = || cars.iter().map(|car| key(car, prefix));
        let items = self.items(keys().collect()).await?;
        Ok(keys().map(|key| items.get(&key).and_then(&read)).collect())
    }

    /// All items of a dealer whose sort keys begin with `prefix`, with these attributes.
    async fn query(
        &self,
        dealer: &str,
        prefix: &str,
        attributes: &[&str],
    ) -> Result<Vec<Item>, PortError> {
        let (mut found, mut start) = (Vec::new(), None);
        let names: Vec<String> = (0..attributes.len()).map(|index| format!("#a{index}")).collect();
        for _ in 0..MOST_PAGES {
            let mut query = self
                .client
                .query()
                .table_name(&self.table)
                .key_condition_expression("dealer = :dealer AND begins_with(vin, :prefix)")
                .expression_attribute_values(":dealer", s(dealer))
                .expression_attribute_values(":prefix", s(prefix))
                .projection_expression(names.join(", "))
                .consistent_read(true)
                .set_exclusive_start_key(start);
            for (name, attribute) in names.iter().zip(attributes) {
                query = query.expression_attribute_names(name, *attribute);
            }
            let page = query.send().await.map_err(|error| port_error(&error))?;
            found.extend(page.items.unwrap_or_default());
            start = page.last_evaluated_key;
            if start.is_none() {
                return Ok(found);
            }
        }
        Err(PortError::Broken(format!("{dealer}: more than {MOST_PAGES} MB of vehicles")))
    }

    async fn write(&self, items: Vec<Item>) -> Result<(), PortError> {
        for chunk in items.chunks(WRITES_A_CALL) {
            let mut requests = chunk.iter().map(put).collect::<Result<Vec<_>, _>>()?;
            for round in 0..MOST_ROUNDS {
                rounds::pause(round).await;
                let write = self.client.batch_write_item();
                let write = write.request_items(&self.table, std::mem::take(&mut requests));
                let answer = write.send().await.map_err(|error| port_error(&error))?;
                let left = answer.unprocessed_items.unwrap_or_default();
                requests = left.into_values().flatten().collect();
                if requests.is_empty() {
                    break;
                }
            }
            if !requests.is_empty() {
                let why = format!("{} vehicles were not written", requests.len());
                return Err(PortError::Unavailable(why));
            }
        }
        Ok(())
    }
}

/// Whether an update took effect; `false` if its condition did not hold.
fn took_effect(
    answer: Result<UpdateItemOutput, SdkError<UpdateItemError>>,
) -> Result<bool, PortError> {
    match answer {
        Ok(_) => Ok(true),
        Err(error) => match error.as_service_error() {
            Some(refused) if refused.is_conditional_check_failed_exception() => Ok(false),
            _ => Err(port_error(&error)),
        },
    }
}

fn put(item: &Item) -> Result<WriteRequest, PortError> {
    let put = PutRequest::builder().set_item(Some(item.clone())).build();
    let put = put.map_err(|error| PortError::Broken(error.to_string()))?;
    Ok(WriteRequest::builder().put_request(put).build())
}

impl Vehicles for DynamoVehicles {
    async fn known(&self, dealer: &str) -> Result<Vec<Known>, PortError> {
        let attributes = ["vin", "hash", "list", "seen_at", "addresses", "asked", "pending"];
        Ok(self.query(dealer, CAR, &attributes).await?.iter().filter_map(known).collect())
    }

    async fn data(&self, cars: &[(String, String)]) -> Result<Vec<Option<String>>, PortError> {
        self.each(cars, CAR, data).await
    }

    async fn with_pages(&self, cars: &[(String, String)]) -> Result<Vec<CarAndPage>, PortError> {
        let keys = cars.iter().flat_map(|car| [CAR, PAGE_PREFIX].map(|prefix| key(car, prefix)));
        let items = self.items(keys.collect()).await?;
        let of = |car| CarAndPage {
            data: items.get(&key(car, CAR)).and_then(data),
            page: items.get(&key(car, PAGE_PREFIX)).and_then(kept_page),
        };
        Ok(cars.iter().map(of).collect())
    }

    async fn keep(&self, dealer: &str, cars: &[Vehicle], now: Time) -> Result<(), PortError> {
        self.write(cars.iter().map(|car| owned(encode(dealer, car, now))).collect()).await
    }

    async fn unlist(
        &self,
        dealer: &str,
        vins: &[String],
        began: Time,
        now: Time,
    ) -> Result<(), PortError> {
        for vin in vins {
            self.unlist_car(dealer, vin, began, now).await?;
        }
        Ok(())
    }

    async fn relist(&self, dealer: &str, cars: &[Vehicle], now: Time) -> Result<(), PortError> {
        for car in cars {
            self.relist_car(dealer, car, now).await?;
        }
        Ok(())
    }

    async fn listing(&self, dealer: &str, vin: &str) -> Result<Option<Listing>, PortError> {
        let item = self.item(dealer, &format!("{CAR}{vin}")).await?;
        Ok(item.map(|item| Listing {
            is_listed: item.contains_key("hash"),
            addresses: addresses(&item),
        }))
    }

    async fn kept_links(
        &self,
        cars: &[(String, String)],
    ) -> Result<Vec<Option<KeptLink>>, PortError> {
        self.each(cars, link::PREFIX, kept_link).await
    }

    async fn links(&self, dealer: &str) -> Result<Vec<(String, KeptLink)>, PortError> {
        let attributes =
            "vin wanted as_of set_as_of link_id slashtag short_url addresses deleted_at";
        let attributes: Vec<&str> = attributes.split(' ').collect();
        let items = self.query(dealer, link::PREFIX, &attributes).await?;
        let read = |item: &Item| Some((vin_of_link(item)?, kept_link(item)?));
        Ok(items.iter().filter_map(read).collect())
    }

    async fn replace_link(
        &self,
        dealer: &str,
        vin: &str,
        before: Option<&KeptLink>,
        after: &KeptLink,
    ) -> Result<bool, PortError> {
        let mut update = self.client.update_item().table_name(&self.table);
        update = update.set_key(Some(keyed(link::key(dealer, vin))));
        let mut sets = Vec::new();
        // Whether a destination was set is told by the end of the job that has set it.
        let kept = after.attributes().into_iter();
        let kept = kept.filter(|(name, _)| before.is_none() || *name != "set_as_of");
        for (index, (name, of)) in kept.enumerate() {
            sets.push(format!("#s{index} = :s{index}"));
            update = update
                .expression_attribute_names(format!("#s{index}"), name)
                .expression_attribute_values(format!(":s{index}"), value(of));
        }
        update = update.update_expression(format!("SET {}", sets.join(", ")));
        update = match before {
            None => update.condition_expression("attribute_not_exists(vin)"),
            Some(before) => update
                .condition_expression("wanted = :wanted AND as_of = :as_of")
                .expression_attribute_values(":wanted", s(&before.wanted))
                .expression_attribute_values(":as_of", ms(before.as_of)),
        };
        took_effect(update.send().await)
    }

    fn table(&self) -> Option<&str> {
        Some(&self.table)
    }

    async fn list(&self, dealer: &str) -> Result<Option<String>, PortError> {
        let item = self.item(dealer, LIST).await?;
        Ok(item.and_then(|item| Reader(&item).text("note").ok()))
    }

    async fn keep_list(&self, dealer: &str, note: &str, now: Time) -> Result<(), PortError> {
        let key = vec![("dealer", s(dealer)), ("vin", s(LIST))];
        let note = [("note", s(note)), ("seen_at", ms(now))];
        self.write(vec![owned(key.into_iter().chain(note).collect())]).await
    }
}

/// Creates a table of vehicles on the local service at `config`, with the keys that template.yaml
/// declares.
///
/// # Panics
/// If the table cannot be created.
#[cfg(feature = "testing")]
#[expect(clippy::expect_used, reason = "a test whose set-up fails must stop")]
pub async fn local_table(config: &SdkConfig, table: &str) -> DynamoVehicles {
    use aws_sdk_dynamodb::types::{
        AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
    };
    let attribute = |name| {
        let definition = AttributeDefinition::builder().attribute_name(name);
        definition.attribute_type(ScalarAttributeType::S).build().expect("name and type are set")
    };
    let key = |name, kind| {
        let element = KeySchemaElement::builder().attribute_name(name).key_type(kind);
        element.build().expect("name and type are set")
    };
    let vehicles = Client::new(config)
        .create_table()
        .table_name(table)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(attribute("dealer"))
        .attribute_definitions(attribute("vin"))
        .key_schema(key("dealer", KeyType::Hash))
        .key_schema(key("vin", KeyType::Range));
    vehicles.send().await.expect("the table of vehicles is created");
    DynamoVehicles::new(config, table.to_owned())
}
