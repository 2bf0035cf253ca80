//! Code of a job type that panics outside of a run.

use evenkeel::message::Flaw;

use crate::bench::{Bench, errands::errand};

/// Sends a job whose type panics, and nine others in the same batch.
async fn among_nine_others(name: &str) -> Bench {
    let bench = Bench::errands();
    bench.send(&errand(name, 0, &[]));
    for n in 0..9 {
        bench.send(&errand(&format!("job-{n}"), 20, &[]));
    }
    assert_eq!(bench.failed().await, Vec::<String>::new(), "{name}");
    for n in 0..9 {
        assert_eq!(bench.state(&format!("job-{n}")), "succeeded", "{name}");
    }
    bench
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_rates_of_a_body_rejects_that_body_alone() {
    let bench = among_nine_others("panics-in-rates").await;
    let [kept] = &bench.store.rejected_messages()[..] else { panic!("one is kept") };
    assert_eq!(kept.rejection.flaw, Flaw::Invalid);
    let reason = &kept.rejection.reason;
    assert!(reason.starts_with("payload: its job type cannot read it: "), "{reason}");
}

/// The runs read by themselves what it would have read for them.
#[tokio::test(start_paused = true)]
async fn a_panic_while_a_batch_is_prepared_keeps_no_job_from_running() {
    let bench = among_nine_others("panics-in-prepare").await;
    assert_eq!(bench.state("panics-in-prepare"), "succeeded");
    assert_eq!(bench.store.rejected_messages(), []);
}
