use std::sync::Mutex;

use futures_util::future::BoxFuture;

use super::*;
use crate::{
    base::time::Time,
    message::{OutgoingMessage, Purpose, Woken},
    policy::MAX_RECEIVES,
    record::trace::Trace,
    testing::{
        ARN, Faults, TestClock,
        containers::{Function, FunctionSettings},
        sqs::QueueSettings,
    },
};

const DEAD: &str = "arn:aws:sqs:eu-west-1:123456789012:test-dlq";
const VISIBILITY: Duration = Duration::from_secs(90);
const TIMEOUT: Duration = Duration::from_secs(15);

type Answers = Arc<dyn Fn(&Value) -> Result<Value, String> + Send + Sync>;

/// Records its events, takes `takes`, and answers as told.
struct Answering {
    answers: Answers,
    takes: Duration,
    events: Arc<Mutex<Vec<Value>>>,
}

impl Function for Answering {
    fn invoke(&self, event: Value, _: Time) -> BoxFuture<'_, Result<Value, String>> {
        Box::pin(async move {
            let answer = (self.answers)(&event);
            self.events.lock().unwrap().push(event);
            tokio::time::sleep(self.takes).await;
            answer
        })
    }
}

/// A queue, a function, and the mapping between them.
struct Bench {
    sqs: SimulatedSqs<TestClock>,
    mappings: MemoryMappings,
    function: Arc<Containers<TestClock>>,
    events: Arc<Mutex<Vec<Value>>>,
    settings: MappingSettings,
}

impl Bench {
    fn new(
        takes: Duration,
        answers: impl Fn(&Value) -> Result<Value, String> + Send + Sync + 'static,
    ) -> Self {
        let clock = TestClock::default();
        let sqs = SimulatedSqs::new(clock);
        sqs.create(DEAD, QueueSettings::default());
        sqs.create(ARN, QueueSettings::with_dead_letters(DEAD));
        let (events, answers): (Arc<Mutex<Vec<Value>>>, Answers) =
            (Arc::default(), Arc::new(answers));
        let kept = Arc::clone(&events);
        let start = move |_: &Faults| -> Box<dyn Function> {
            let (answers, events) = (Arc::clone(&answers), Arc::clone(&kept));
            Box::new(Answering { answers, takes, events })
        };
        let settings = FunctionSettings::with_timeout(TIMEOUT);
        let function = Arc::new(Containers::new(settings, clock, Faults::default(), start));
        let settings = MappingSettings::new("normal", ARN);
        Self { sqs, mappings: MemoryMappings::default(), function, events, settings }
    }

    fn mapping(&self) -> EventSourceMapping<TestClock> {
        let (settings, sqs) = (self.settings.clone(), self.sqs.clone());
        EventSourceMapping::new(settings, sqs, self.mappings.clone(), Arc::clone(&self.function))
    }

    fn send(&self, count: usize) {
        for n in 0..count {
            self.sqs.send(&n.to_string());
        }
    }

    /// Lets the mapping run for a while.
    async fn run(&self, span: Duration) {
        let (mapping, stop) = (self.mapping(), Stop::default());
        let end = async {
            tokio::time::sleep(span).await;
            stop.stop();
        };
        tokio::join!(mapping.run(&stop), end);
    }

    /// The number of messages in each event so far.
    fn batches(&self) -> Vec<usize> {
        let events = self.events.lock().unwrap();
        events.iter().map(|event| event["Records"].as_array().unwrap().len()).collect()
    }
}

#[expect(clippy::unnecessary_wraps, reason = "an answer of a function may be an error")]
fn nothing_failed(_: &Value) -> Result<Value, String> {
    Ok(json!({ "batchItemFailures": [] }))
}

#[tokio::test(start_paused = true)]
async fn what_the_answer_does_not_name_is_deleted() {
    let bench = Bench::new(Duration::ZERO, |event| {
        let id = &event["Records"][1]["messageId"];
        Ok(json!({ "batchItemFailures": [{ "itemIdentifier": id }] }))
    });
    bench.send(3);
    let delivery = bench.mapping().deliver().await.unwrap();
    assert_eq!(delivery.failed, ["message-1"]);
    assert_eq!(bench.sqs.bodies(ARN), ["1"]);
    assert_eq!(bench.sqs.next_in(ARN), Some(VISIBILITY), "reporting it does not show it");
}

#[test]
fn answers_are_read_as_lambda_reads_them() {
    let batch = ["a".to_owned(), "b".to_owned()];
    let failing = |items: Value| failed_items(&json!({ "batchItemFailures": items }), &batch);
    let none = Some(Vec::new());
    assert_eq!(failed_items(&Value::Null, &batch), none);
    assert_eq!(failed_items(&json!({}), &batch), none);
    assert_eq!(failing(Value::Null), none);
    assert_eq!(failing(json!([])), none);
    assert_eq!(failing(json!([{ "itemIdentifier": "b" }])), Some(vec!["b".to_owned()]));
    for item in [json!(""), Value::Null, json!("c"), json!(1)] {
        assert_eq!(failing(json!([{ "itemIdentifier": item }])), None, "{item}");
    }
    assert_eq!(failing(json!([{ "itemId": "a" }])), None, "another key");
    assert_eq!(failing(json!("a")), None);
    assert_eq!(failed_items(&json!("ok"), &batch), None);
}

#[tokio::test(start_paused = true)]
async fn an_error_a_time_out_a_death_and_a_throttle_delete_nothing_and_burn_a_receive() {
    type Cause = (&'static str, Duration, fn(&Value) -> Result<Value, String>);
    let causes: [Cause; 4] = [
        ("error", Duration::ZERO, |_| Err("broken".into())),
        ("time-out", Duration::from_mins(1), nothing_failed),
        ("death", Duration::from_secs(5), nothing_failed),
        ("throttle", Duration::ZERO, nothing_failed),
    ];
    for (cause, takes, answers) in causes {
        let bench = Bench::new(takes, answers);
        if cause == "throttle" {
            let settings = FunctionSettings::with_timeout(TIMEOUT);
            bench.function.set(FunctionSettings { concurrency: Some(0), ..settings });
        }
        bench.send(2);
        let mapping = bench.mapping();
        let kill = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            if cause == "death" {
                bench.function.kill();
            }
        };
        let (delivery, ()) = tokio::join!(mapping.deliver(), kill);
        assert_eq!(delivery.unwrap().failed.len(), 2, "{cause}");
        tokio::time::advance(VISIBILITY).await;
        let receives: Vec<u32> =
            bench.sqs.receive(10).iter().map(|message| message.receives).collect();
        assert_eq!(receives, [2, 2], "{cause}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_always_fails_ends_in_the_dead_letter_queue() {
    let bench = Bench::new(Duration::ZERO, |_| Err("broken".into()));
    bench.send(1);
    bench.run(VISIBILITY * (MAX_RECEIVES + 1)).await;
    assert_eq!(bench.batches().len(), usize::try_from(MAX_RECEIVES).unwrap());
    assert_eq!((bench.sqs.bodies(ARN).len(), bench.sqs.bodies(DEAD).len()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn the_maximum_concurrency_is_read_while_it_runs() {
    let bench = Bench::new(Duration::from_secs(10), nothing_failed);
    bench.mappings.put("normal", 2);
    bench.send(100);
    let change = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(bench.batches(), [10, 10]);
        bench.mappings.put("normal", 4);
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(bench.batches().len(), 4, "without waiting for an invocation to end");
    };
    tokio::join!(bench.run(Duration::from_secs(9)), change);
}

#[tokio::test(start_paused = true)]
async fn an_incomplete_batch_waits_for_its_window() {
    let mut bench = Bench::new(Duration::ZERO, nothing_failed);
    bench.settings.window = Duration::from_secs(5);
    let sender = async {
        for _ in 0..4 {
            bench.send(1);
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
        bench.send(10);
    };
    tokio::join!(bench.run(Duration::from_secs(60)), sender);
    assert_eq!(bench.batches(), [3, 10, 1]);
}

#[tokio::test(start_paused = true)]
async fn pollers_are_added_only_while_messages_are_left_over() {
    let mut bench = Bench::new(Duration::from_secs(10), nothing_failed);
    bench.settings.scales_up = true;
    bench.mappings.put("normal", 40);
    let story = async {
        // An hour with a little work adds none.
        for _ in 0..360 {
            bench.send(1);
            tokio::time::sleep(Duration::from_secs(10)).await;
        }
        let before = bench.batches().len();
        bench.send(1_000);
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!((4..=5).contains(&(bench.batches().len() - before)), "{:?}", bench.batches().len());
        tokio::time::sleep(Duration::from_millis(4_000)).await;
        let busy = bench.batches().len() - before;
        assert!((20..=25).contains(&busy), "five more a second: {busy}");
    };
    tokio::join!(bench.run(Duration::from_secs(3_606)), story);
}

/// Throttles keep the batch in hand. Only when its messages are visible again is a receive lost.
#[tokio::test(start_paused = true)]
async fn a_throttled_batch_is_tried_again_without_another_receive() {
    let bench = Bench::new(Duration::ZERO, nothing_failed);
    let settings = FunctionSettings::with_timeout(TIMEOUT);
    bench.mappings.put("normal", 2);
    bench.function.set(FunctionSettings { concurrency: Some(0), ..settings });
    bench.send(100);
    let back = async {
        tokio::time::sleep(Duration::from_secs(30)).await;
        let received =
            bench.sqs.messages(ARN).iter().filter(|message| message.receives > 0).count();
        assert_eq!(received, 20, "two batches are in hand, the others wait in the queue");
        bench.function.set(settings);
    };
    tokio::join!(bench.run(Duration::from_secs(60)), back);
    assert!(bench.sqs.is_empty());
    let events = bench.events.lock().unwrap();
    let receives = events.iter().flat_map(|event| event["Records"].as_array().unwrap());
    assert!(receives.into_iter().all(|r| r["attributes"]["ApproximateReceiveCount"] == "1"));
}

#[tokio::test(start_paused = true)]
async fn without_reports_of_failures_every_answer_deletes_the_batch() {
    let mut bench = Bench::new(Duration::ZERO, |_| {
        Ok(json!({ "batchItemFailures": [{ "itemIdentifier": "message-0" }] }))
    });
    bench.settings.reports_failures = false;
    bench.send(1);
    bench.mapping().deliver().await;
    assert!(bench.sqs.is_empty());
}

/// The engine's attributes reach the function as they were sent.
#[tokio::test(start_paused = true)]
async fn an_event_has_what_the_engine_reads() {
    let bench = Bench::new(Duration::ZERO, nothing_failed);
    let message = OutgoingMessage {
        purpose: Purpose::Redrive,
        sent_at: Some(Time::from_millis(5)),
        trace: Trace::of_header("Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0"),
        ..OutgoingMessage::new(
            "{}".into(),
            Some(Woken { key: "errand#g:a".into(), fence: 7 }),
            Some("acme".into()),
        )
    };
    bench.sqs.send_to(ARN, message);
    bench.mapping().deliver().await;
    let event = bench.events.lock().unwrap().remove(0);
    let record = &event["Records"][0];
    assert_eq!(record["eventSourceARN"], ARN);
    assert_eq!(record["attributes"]["ApproximateReceiveCount"], "1");
    assert_eq!(record["attributes"]["MessageGroupId"], "acme");
    let header = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0";
    assert_eq!(record["attributes"]["AWSTraceHeader"], header);
    assert_eq!(record["messageAttributes"][FENCE]["stringValue"], "7");
    assert_eq!(record["messageAttributes"][JOB]["stringValue"], "errand#g:a");
    assert_eq!(record["messageAttributes"][PURPOSE]["stringValue"], "redrive");
    assert_eq!(record["messageAttributes"][SENT_AT]["stringValue"], "5");
}
