//! The reader, with a service that does not answer.

use evenkeel::testing::TestClock;

use super::*;
use crate::{dashboard::acts::Act, memory::MemoryPorts, stack, stack::Target};

/// Asks a reader once, and stops it.
async fn asked(ports: &MemoryPorts, question: Question) -> Result<Reply, Failure> {
    let stack = stack::find(ports, &Target::default()).await.unwrap();
    let clock = TestClock::default();
    let (ticks, _) = watch::channel(0);
    let reader = Reader::new(ports, &stack, &clock, Arc::new(ticks));
    let (questions, asks) = mpsc::channel(1);
    let (reply, answer) = oneshot::channel();
    questions.send(Ask { question, reply }).await.unwrap();
    tokio::select! {
        biased;
        answer = answer => answer.unwrap(),
        () = reader.run(asks) => panic!("it goes on"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_shows_what_answers_and_names_what_does_not() {
    let ports = MemoryPorts::stack("s", r#"[{"type":"a","dependency":"d"}]"#).with_hanging_queues();
    let began = tokio::time::Instant::now();
    let reply = asked(&ports, Question::Live).await.unwrap();
    assert!(began.elapsed() < PAGE_WAITS, "{:?}", began.elapsed());
    assert!(reply.live.trouble.contains_key(&crate::dashboard::live::Part::Queues));
    assert!(reply.live.breakers.contains_key("d"), "what answers is shown");
}

#[tokio::test(start_paused = true)]
async fn a_page_whose_own_part_hangs_says_so_in_time() {
    let ports = MemoryPorts::stack("s", r#"[{"type":"a"}]"#).with_hanging_queues();
    let job = OneJob { id: "unknown".to_owned(), kind: Some("a".to_owned()) };
    let began = tokio::time::Instant::now();
    // Of a job without a record, the depth of its queue is read.
    let failure = asked(&ports, Question::Job(job)).await.unwrap_err();
    assert!(began.elapsed() < PAGE_WAITS + Duration::from_millis(10), "{:?}", began.elapsed());
    assert_eq!(failure.code, "late");
    assert!(failure.message.starts_with("the job: "), "{}", failure.message);
}

#[tokio::test(start_paused = true)]
async fn the_log_that_is_read_after_an_act_without_an_answer_is_not_older_than_the_act() {
    let ports =
        MemoryPorts::stack("s", r#"[{"type":"a","dependency":"d"}]"#).with_hanging_functions();
    let stack = stack::find(&ports, &Target::default()).await.unwrap();
    let clock = TestClock::default();
    let (ticks, _) = watch::channel(0);
    let reader = Reader::new(&ports, &stack, &clock, Arc::new(ticks));
    let (questions, asks) = mpsc::channel(1);
    let ask = async |question| {
        let (reply, answer) = oneshot::channel();
        questions.send(Ask { question, reply }).await.unwrap();
        answer.await.unwrap()
    };
    let log = || {
        let page = crate::args::Page { limit: 50, cursor: None };
        Question::Operations(crate::args::ListOps { page })
    };
    let scenario = async {
        let before = ask(log()).await.unwrap().read_at;
        let act = Question::Act(Act::FreeBreaker("d".to_owned()), "mended".to_owned(), None);
        let failure = ask(act).await.unwrap_err();
        assert_eq!((failure.code.as_str(), failure.may_be_done), ("late", true));
        let passed = clock.now().since(before);
        assert!(
            passed < Duration::from_secs(25),
            "the list before would still be kept: {passed:?}"
        );
        assert_eq!(ask(log()).await.unwrap().read_at, clock.now());
    };
    tokio::select! {
        biased;
        () = reader.run(asks) => panic!("it runs as long as somebody may ask"),
        () = scenario => {}
    }
}
