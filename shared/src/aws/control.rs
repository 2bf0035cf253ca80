//! The control table on DynamoDB: breakers, limiters, quotas, call statistics and notes.

use aws_config::retry::RetryConfig;
use aws_sdk_dynamodb::{
    Config,
    types::{AttributeValue, KeysAndAttributes, ReturnValue},
};
use futures_util::future::{join_all, try_join_all};

use std::collections::BTreeMap;

use super::{
    control_item::{
        breaker_key, bucket_key, bucket_partition, bucket_sort, decode_breaker, decode_bucket,
        decode_key, decode_limiter, encode_breaker, encode_counts, encode_limiter, encode_note,
        limiter_key, note, note_key, seen,
    },
    failure::port_error,
    item::{self, Attribute, Item, Reader, n, s},
    jobs::DynamoStore,
    quota_item::{decode_quota, encode_quota, quota_key},
    rounds,
    swap::swapped,
};
use crate::{
    base::time::Time,
    dependency::{
        breaker::Breaker,
        limiter::Limiter,
        quota::Usage,
        stats::{Bucket, BucketKey, ContainerCounts},
    },
    ports::{Control, LimiterSwap, PortError, Seen, Swapped, notes::NoteKey},
};

/// Maximum pages of one query for buckets. Five minutes of a shard are a few kilobytes.
const MOST_PAGES: usize = 20;

/// How often the items that a call has left out are asked for.
const MOST_ROUNDS: u32 = 4;

impl DynamoStore {
    async fn control_item(&self, key: Vec<Attribute>) -> Result<Option<Item>, PortError> {
        let get = self.client.get_item().table_name(&self.tables.control);
        let answer = get.set_key(Some(item::owned(key))).consistent_read(true).send().await;
        Ok(answer.map_err(|error| port_error(&error))?.item)
    }

    /// The control items with these keys, in the order of the keys.
    async fn control_items(&self, keys: &[Vec<Attribute>]) -> Result<Vec<Option<Item>>, PortError> {
        // A call must not name a key twice.
        let mut left: BTreeMap<String, Item> = BTreeMap::new();
        for key in keys {
            let item = item::owned(key.clone());
            left.insert(partition(&item), item);
        }
        let mut found: BTreeMap<String, Item> = BTreeMap::new();
        let table = &self.tables.control;
        for round in 0..MOST_ROUNDS {
            rounds::pause(round).await;
            let asked = std::mem::take(&mut left).into_values().collect();
            let wanted = KeysAndAttributes::builder().set_keys(Some(asked)).consistent_read(true);
            let wanted = wanted.build().map_err(|error| PortError::Broken(error.to_string()))?;
            let get = self.client.batch_get_item().request_items(table, wanted);
            let answer = get.send().await.map_err(|error| port_error(&error))?;
            let items = answer.responses.and_then(|mut all| all.remove(table)).unwrap_or_default();
            found.extend(items.into_iter().map(|item| (partition(&item), item)));
            let rest = answer.unprocessed_keys.and_then(|mut all| all.remove(table));
            let rest = rest.map(|rest| rest.keys).unwrap_or_default();
            left.extend(rest.into_iter().map(|item| (partition(&item), item)));
            if left.is_empty() {
                let one = |key: &Vec<Attribute>| found.get(&partition(&item::owned(key.clone())));
                return Ok(keys.iter().map(|key| one(key).cloned()).collect());
            }
        }
        Err(PortError::Unavailable(format!("{} control items were not read", left.len())))
    }

    async fn buckets_of_shard(
        &self,
        subject: &str,
        shard: u8,
        from: Time,
    ) -> Result<Vec<(BucketKey, Bucket)>, PortError> {
        let mut found = Vec::new();
        let mut start = None;
        for _ in 0..MOST_PAGES {
            let page = self
                .client
                .query()
                .table_name(&self.tables.control)
                .key_condition_expression("pk = :pk AND sk >= :from")
                .expression_attribute_values(":pk", s(bucket_partition(subject, shard)))
                .expression_attribute_values(":from", s(bucket_sort(from, 0)))
                .consistent_read(true)
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(|error| port_error(&error))?;
            let items = page.items.unwrap_or_default();
            let read = |item: &Item| Some((decode_key(subject, shard, item)?, decode_bucket(item)));
            found.extend(items.iter().filter_map(read));
            start = page.last_evaluated_key;
            if start.is_none() {
                break;
            }
        }
        Ok(found)
    }
}

/// The partition key of an item. Breakers and limiters are alone in their partitions.
fn partition(item: &Item) -> String {
    Reader(item).text("pk").unwrap_or_default()
}

impl Control for DynamoStore {
    async fn breaker(&self, dependency: &str) -> Result<Seen<Breaker>, PortError> {
        seen(self.control_item(breaker_key(dependency)).await?.as_ref(), decode_breaker)
    }

    async fn breakers(
        &self,
        dependencies: &[String],
    ) -> Result<Vec<Result<Seen<Breaker>, PortError>>, PortError> {
        let keys: Vec<_> = dependencies.iter().map(|dependency| breaker_key(dependency)).collect();
        let items = self.control_items(&keys).await?;
        Ok(items.iter().map(|item| seen(item.as_ref(), decode_breaker)).collect())
    }

    async fn swap_breaker(
        &self,
        dependency: &str,
        next: &Breaker,
        revision: u64,
    ) -> Result<Swapped<Breaker>, PortError> {
        match self.swap(encode_breaker(dependency, next), revision).await? {
            Ok(()) => Ok(Swapped::Yes),
            Err(current) => Ok(Swapped::No(seen(current.as_ref(), decode_breaker)?)),
        }
    }

    async fn limiter(&self, dependency: &str) -> Result<Seen<Limiter>, PortError> {
        seen(self.control_item(limiter_key(dependency)).await?.as_ref(), decode_limiter)
    }

    async fn swap_limiter(
        &self,
        dependency: &str,
        next: &Limiter,
        revision: u64,
    ) -> Result<Swapped<Limiter>, PortError> {
        match self.swap(encode_limiter(dependency, next), revision).await? {
            Ok(()) => Ok(Swapped::Yes),
            Err(current) => Ok(Swapped::No(seen(current.as_ref(), decode_limiter)?)),
        }
    }

    async fn limiters(
        &self,
        names: &[String],
    ) -> Result<Vec<Result<Seen<Limiter>, PortError>>, PortError> {
        let keys: Vec<_> = names.iter().map(|name| limiter_key(name)).collect();
        let items = self.control_items(&keys).await?;
        Ok(items.iter().map(|item| seen(item.as_ref(), decode_limiter)).collect())
    }

    async fn swap_limiters(
        &self,
        swaps: &[LimiterSwap],
    ) -> Result<Vec<Result<Swapped<Limiter>, PortError>>, PortError> {
        let swap = |swap: &LimiterSwap| {
            self.swap_statement(encode_limiter(&swap.name, &swap.next), swap.revision)
        };
        let answers = self.run(swaps.iter().map(swap).collect()).await?;
        let answers = swaps.iter().zip(answers).map(async |(swap, answer)| {
            match swapped(answer)? {
                Ok(()) => Ok(Swapped::Yes),
                Err(Some(current)) => Ok(Swapped::No(seen(Some(&current), decode_limiter)?)),
                // The answer to a refused insert has no item.
                Err(None) => Ok(Swapped::No(self.limiter(&swap.name).await?)),
            }
        });
        Ok(join_all(answers).await)
    }

    async fn quota(&self, limiter: &str, what: &str) -> Result<Seen<Usage>, PortError> {
        seen(self.control_item(quota_key(limiter, what)).await?.as_ref(), decode_quota)
    }

    async fn swap_quota(
        &self,
        limiter: &str,
        what: &str,
        next: &Usage,
        revision: u64,
    ) -> Result<Swapped<Usage>, PortError> {
        match self.swap_once(encode_quota(limiter, what, next), revision).await? {
            Ok(()) => Ok(Swapped::Yes),
            Err(current) => Ok(Swapped::No(seen(current.as_ref(), decode_quota)?)),
        }
    }

    async fn add_to_bucket(
        &self,
        key: &BucketKey,
        bucket: &Bucket,
        expires_at: Time,
    ) -> Result<Bucket, PortError> {
        let place = bucket_key(key);
        let mut update = self
            .client
            .update_item()
            .table_name(&self.tables.control)
            .set_key(Some(item::owned(place)))
            .expression_attribute_names("#end", "expires_at")
            .expression_attribute_values(":end", n(expires_at.as_secs_ceil()))
            .return_values(ReturnValue::AllNew);
        let mut added = Vec::with_capacity(bucket.counts.len() + 1);
        // Counters have names such as `first`, which DynamoDB reserves.
        for (index, (name, count)) in bucket.counts.iter().enumerate() {
            added.push(format!("#c{index} :c{index}"));
            update = update
                .expression_attribute_names(format!("#c{index}"), name)
                .expression_attribute_values(format!(":c{index}"), n(*count));
        }
        if !bucket.oldest.is_empty() {
            added.push("received :received".to_owned());
            let oldest = bucket.oldest.iter().map(ToString::to_string).collect();
            update = update.expression_attribute_values(":received", AttributeValue::Ss(oldest));
        }
        let add =
            if added.is_empty() { String::new() } else { format!(" ADD {}", added.join(", ")) };
        let update = update.update_expression(format!("SET #end = :end{add}"));
        // No retries: a call that timed out may have taken effect, and counting twice is worse than
        // losing counts.
        let once = Config::builder().retry_config(RetryConfig::disabled());
        let answer = update.customize().config_override(once).send().await;
        let answer = answer.map_err(|error| port_error(&error))?;
        Ok(decode_bucket(&answer.attributes.unwrap_or_default()))
    }

    async fn put_counts(&self, counts: &ContainerCounts) -> Result<(), PortError> {
        let key = bucket_key(&counts.key).into_iter();
        let key = key.map(|(name, value)| (name.to_owned(), value));
        let item: Item = key.chain(encode_counts(counts)).collect();
        let put = self.client.put_item().table_name(&self.tables.control).set_item(Some(item));
        put.send().await.map(drop).map_err(|error| port_error(&error))
    }

    async fn note(&self, place: &NoteKey) -> Result<Seen<Option<String>>, PortError> {
        let get = self.client.get_item().table_name(&self.tables.control);
        let get = get.set_key(Some(item::owned(note_key(place)))).consistent_read(true);
        let answer = get.send().await.map_err(|error| port_error(&error))?;
        Ok(note(answer.item.as_ref()))
    }

    async fn put_note(&self, place: &NoteKey, text: &str, until: Time) -> Result<(), PortError> {
        let put = self.client.put_item().table_name(&self.tables.control);
        let put = put.set_item(Some(item::owned(encode_note(place, text, until).item())));
        put.send().await.map(drop).map_err(|error| port_error(&error))
    }

    async fn buckets(
        &self,
        subject: &str,
        shards: u8,
        from: Time,
    ) -> Result<Vec<(BucketKey, Bucket)>, PortError> {
        let each = (0..shards).map(|shard| self.buckets_of_shard(subject, shard, from));
        Ok(try_join_all(each).await?.into_iter().flatten().collect())
    }
}
