//! Bodies that are longer than most, and no longer than a message may be.

use serde_json::json;

use crate::bench::Bench;

#[tokio::test(start_paused = true)]
async fn a_body_of_fifty_kilobytes_is_held_and_released_whole() {
    let bench = Bench::errands();
    let body = format!("{{{}", "x".repeat(50_000));
    bench.send(&body);
    bench.poll().await;
    let [held] = &bench.store.rejected_messages()[..] else { panic!("it is held") };
    assert_eq!((held.length, held.head.len()), (body.len(), body.len()));
    assert!(bench.sqs.is_empty());
    let act = json!({"do": "release", "type": "errand", "as_of": bench.now().as_millis()});
    let entry = bench.operate(&json!({"act": act, "reason": "an update"})).await.unwrap();
    assert_eq!(entry["counts"], json!({"done": 1}));
    assert!(bench.sqs.bodies(bench.queue()) == [body], "another body was sent");
    assert_eq!(bench.store.rejected_messages(), []);
}
