use super::*;
use crate::{
    base::time::Time,
    ports::{ExtendVisibility, Queue, maintenance::QueueMaintenance},
    testing::{TestClock, sqs::fairness::Fairness},
};

const DEAD: &str = "arn:aws:sqs:eu-west-1:123456789012:test-dlq";
const VISIBILITY: Duration = Duration::from_secs(90);

fn sqs() -> SimulatedSqs<TestClock> {
    let sqs = SimulatedSqs::new(TestClock::default());
    sqs.create(DEAD, QueueSettings::default());
    sqs.create(ARN, QueueSettings::with_dead_letters(DEAD));
    sqs
}

fn receipts(received: &[ReceivedMessage]) -> Vec<String> {
    received.iter().filter_map(|message| message.receipt.clone()).collect()
}

fn of_group(group: &str) -> OutgoingMessage {
    OutgoingMessage::new("x".into(), None, Some(group.into()))
}

#[tokio::test(start_paused = true)]
async fn a_received_message_is_hidden_until_its_time_out_and_counts_its_receives() {
    let sqs = sqs();
    sqs.send("a");
    let first = sqs.receive(10);
    assert_eq!((first[0].receives, sqs.receive(10)), (1, Vec::new()));
    tokio::time::advance(VISIBILITY).await;
    let again = sqs.receive(10);
    assert_eq!((again[0].receives, again[0].sent_at), (2, first[0].sent_at));
}

#[tokio::test(start_paused = true)]
async fn a_stale_receipt_handle_deletes_nothing_and_says_so_to_nobody() {
    let sqs = sqs();
    sqs.send("a");
    let stale = receipts(&sqs.receive(10));
    tokio::time::advance(VISIBILITY).await;
    let latest = receipts(&sqs.receive(10));
    assert_eq!(sqs.delete(ARN, &stale).await, Ok(()));
    assert_eq!(sqs.len(), 1);
    assert_eq!(sqs.delete(ARN, &latest).await, Ok(()));
    assert_eq!(sqs.len(), 0);
    assert_eq!(sqs.delete(ARN, &latest).await, Ok(()), "idempotent");
}

#[tokio::test(start_paused = true)]
async fn the_receive_after_the_last_allowed_one_moves_the_message_with_its_first_time() {
    let sqs = sqs();
    sqs.create(
        ARN,
        QueueSettings {
            redrive: Some(Redrive { dead: DEAD.into(), max_receives: 2 }),
            ..QueueSettings::default()
        },
    );
    sqs.send("a");
    let sent_at = sqs.messages(ARN)[0].sent_at;
    for _ in 0..2 {
        assert_eq!(sqs.receive(10).len(), 1);
        tokio::time::advance(VISIBILITY).await;
        assert_eq!(sqs.messages(DEAD), [], "it moves only when it is received again");
    }
    assert_eq!(sqs.receive(10), []);
    let dead = QueueMaintenance::receive(&sqs, DEAD, VISIBILITY).await.unwrap();
    assert_eq!((dead[0].sent_at, dead[0].source.as_deref()), (sent_at, Some(ARN)));
}

#[tokio::test(start_paused = true)]
async fn a_message_is_gone_after_the_retention_also_in_the_dead_letter_queue() {
    let sqs = sqs();
    sqs.send("a");
    sqs.bury(DEAD, ARN, OutgoingMessage::new("b".into(), None, None));
    tokio::time::advance(QueueSettings::default().retention).await;
    assert_eq!((sqs.receive(10), sqs.receive_from(DEAD, 10)), (Vec::new(), Vec::new()));
    assert!(sqs.is_empty());
}

#[tokio::test(start_paused = true)]
async fn times_are_whole_seconds_and_nothing_is_hidden_over_twelve_hours() {
    let sqs = sqs();
    let later = OutgoingMessage {
        delay: Duration::from_millis(2_900),
        ..OutgoingMessage::new("a".into(), None, None)
    };
    sqs.send_to(ARN, later);
    assert_eq!(sqs.next_in(ARN), Some(Duration::from_secs(2)), "a delay is cut");
    tokio::time::advance(Duration::from_secs(2)).await;
    let receipt = receipts(&sqs.receive(10)).remove(0);
    let hide = async |span| {
        sqs.extend_visibility(ARN, &[ExtendVisibility { receipt: receipt.clone(), span }]).await
    };
    assert_eq!(hide(Duration::from_millis(2_100)).await, Ok(()));
    assert_eq!(sqs.next_in(ARN), Some(Duration::from_secs(3)), "a time-out is rounded up");
    assert_eq!(hide(Duration::from_hours(11)).await, Ok(()));
    tokio::time::advance(Duration::from_hours(2)).await;
    let error = hide(Duration::from_hours(11)).await.unwrap_err();
    assert!(error.to_string().contains("InvalidParameterValue"), "{error}");
    assert_eq!(hide(Duration::from_hours(10)).await, Ok(()), "12 hours after the receive");
}

#[tokio::test(start_paused = true)]
async fn the_visibility_of_a_message_that_is_not_in_flight_cannot_be_changed() {
    let sqs = sqs();
    sqs.send("a");
    let stale = receipts(&sqs.receive(10)).remove(0);
    tokio::time::advance(VISIBILITY).await;
    let hide = ExtendVisibility { receipt: stale, span: Duration::from_secs(1) };
    let error = sqs.extend_visibility(ARN, std::slice::from_ref(&hide)).await.unwrap_err();
    assert!(error.to_string().contains("MessageNotInflight"), "{error}");
    let _ = sqs.receive(10);
    let error = sqs.extend_visibility(ARN, &[hide]).await.unwrap_err();
    assert!(error.to_string().contains("InvalidParameterValue"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_sqs_would_refuse_is_refused_and_the_others_are_sent() {
    let sqs = sqs();
    let plain = OutgoingMessage::new("a".into(), None, None);
    let late = OutgoingMessage { delay: Duration::from_secs(901), ..plain.clone() };
    let long = OutgoingMessage { body: "x".repeat(1024 * 1024 + 1), ..plain.clone() };
    let zero = OutgoingMessage { body: "a\0".into(), ..plain.clone() };
    let batch = [plain.clone(), late, of_group("two words"), zero, of_group("acme")];
    let sent = Queue::send(&sqs, ARN, &batch).await;
    assert_eq!(sent, Ok(vec![true, false, false, false, true]));
    let error = Queue::send(&sqs, ARN, &[long]).await.unwrap_err();
    assert!(error.to_string().contains("BatchRequestTooLong"), "{error}");
    let error = Queue::send(&sqs, ARN, &vec![plain.clone(); 11]).await.unwrap_err();
    assert!(error.to_string().contains("TooManyEntriesInBatchRequest"), "{error}");
    let error = Queue::send(&sqs, "arn:aws:sqs:eu-west-1:1:none", &[plain]).await.unwrap_err();
    assert!(matches!(error, PortError::Broken(_)), "{error}");
}

#[tokio::test(start_paused = true)]
async fn habits_shuffle_duplicate_bring_back_and_refuse() {
    let sqs = sqs();
    for n in 0..50 {
        sqs.send(&n.to_string());
    }
    let bodies = |received: &[ReceivedMessage]| -> Vec<String> {
        received.iter().filter_map(|message| message.body.clone()).collect()
    };
    let in_order: Vec<String> = (0..10).map(|n| n.to_string()).collect();
    assert_eq!(bodies(&sqs.receive(10)), in_order);
    sqs.show_all();
    sqs.behave(Habits { shuffles: true, ..Habits::default() }, 1);
    assert_ne!(bodies(&sqs.receive(10)), in_order);

    sqs.behave(Habits { delivers_twice: 1.0, ..Habits::default() }, 1);
    sqs.show_all();
    let (one, two) = (sqs.receive(1), sqs.receive(1));
    assert_eq!(
        (one[0].message_id.clone(), two[0].receives),
        (two[0].message_id.clone(), one[0].receives + 1)
    );

    sqs.behave(Habits { comes_again: 1.0, ..Habits::default() }, 1);
    sqs.remove(ARN, &receipts(&sqs.receive(1)));
    assert_eq!(sqs.len(), 50);

    sqs.behave(Habits { refuses: 1.0, ..Habits::default() }, 1);
    let sent = Queue::send(&sqs, ARN, &[of_group("acme")]).await;
    assert_eq!((sent, sqs.len()), (Ok(vec![false]), 50));
}

/// How many of the next ten messages are of the group `quiet`, behind 100 of the group `loud`.
fn quiet_among_the_next_ten(habits: Habits, in_flight: usize) -> usize {
    let sqs = sqs();
    sqs.behave(habits, 1);
    for _ in 0..in_flight + 100 {
        sqs.send_to(ARN, of_group("loud"));
    }
    for n in 0..5 {
        sqs.send_to(ARN, of_group("quiet"));
        sqs.send_to(ARN, of_group(&format!("other-{n}")));
    }
    for _ in 0..in_flight / 10 {
        let _ = sqs.receive(10);
    }
    let next = sqs.receive(10);
    next.iter().filter(|message| message.group.as_deref() != Some("loud")).count()
}

#[tokio::test(start_paused = true)]
async fn a_fair_queue_prefers_quiet_groups_once_a_loud_one_has_thirty_in_flight() {
    let fair = Habits { is_fair: true, ..Habits::default() };
    assert_eq!(quiet_among_the_next_ten(fair, 20), 0);
    assert_eq!(quiet_among_the_next_ten(fair, 30), 10);
    assert_eq!(quiet_among_the_next_ten(Habits::default(), 30), 0);
}

fn at(s: u64) -> Time {
    Time::from_millis(s * 1_000)
}

fn noisy(fairness: &mut Fairness, now: u64) -> Vec<(&str, u64)> {
    fairness.noisy(at(now)).into_iter().collect()
}

#[test]
fn a_group_is_noisy_by_its_messages_in_flight_or_by_its_processing_time() {
    let mut fairness = Fairness::default();
    fairness.sent("many", at(0));
    for n in 0..30 {
        fairness.begin(n, "many", at(0));
        for other in 1..10 {
            fairness.begin(n + 100 * other, &format!("other-{other}"), at(0));
        }
    }
    assert_eq!(noisy(&mut fairness, 0), [], "exactly a tenth is not more than a tenth");
    fairness.begin(99, "many", at(0));
    assert_eq!(noisy(&mut fairness, 0), [("many", 31)]);

    let mut fairness = Fairness::default();
    fairness.sent("slow", at(0));
    fairness.begin(0, "slow", at(0));
    fairness.end(0, at(60));
    for n in 1..100 {
        fairness.begin(n, &format!("quick-{n}"), at(60));
        fairness.end(n, at(61));
    }
    assert_eq!(noisy(&mut fairness, 61), [("slow", 0)]);
    fairness.sent("slow", at(590));
    assert_eq!(noisy(&mut fairness, 600), [], "only recent processing counts");
}

#[test]
fn a_noisy_group_is_quiet_after_five_minutes_of_silence_and_without_a_backlog() {
    let loud = || {
        let mut fairness = Fairness::default();
        fairness.sent("loud", at(0));
        (0..40).for_each(|n| fairness.begin(n, "loud", at(0)));
        fairness
    };
    assert_eq!(noisy(&mut loud(), 299), [("loud", 40)]);
    assert_eq!(noisy(&mut loud(), 300), [], "it has sent nothing for five minutes");
    let mut fairness = loud();
    fairness.end_backlogs(&["loud"].into());
    assert_eq!(noisy(&mut fairness, 10), [("loud", 40)]);
    fairness.end_backlogs(&[].into());
    assert_eq!(noisy(&mut fairness, 10), [], "no message of it waits");
}

/// Of two noisy groups, that with fewer messages in flight comes first.
#[tokio::test(start_paused = true)]
async fn noisy_groups_are_balanced_among_themselves() {
    let sqs = sqs();
    sqs.behave(Habits { is_fair: true, ..Habits::default() }, 1);
    let send = |group, count| (0..count).for_each(|_| drop(sqs.send_to(ARN, of_group(group))));
    send("loud", 50);
    for _ in 0..5 {
        let _ = sqs.receive(10);
    }
    send("noisy", 40);
    for _ in 0..4 {
        let _ = sqs.receive(10);
    }
    send("loud", 10);
    send("noisy", 10);
    let next = sqs.receive(10);
    assert!(next.iter().all(|message| message.group.as_deref() == Some("noisy")), "{next:?}");
}

#[tokio::test(start_paused = true)]
async fn waiting_ends_when_a_message_is_sent_or_becomes_visible() {
    let sqs = sqs();
    let began = tokio::time::Instant::now();
    let sender = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        sqs.send("a");
    };
    tokio::join!(sqs.visible(ARN), sender);
    assert_eq!(began.elapsed(), Duration::from_secs(3));
    let _ = sqs.receive(10);
    sqs.visible(ARN).await;
    assert_eq!(began.elapsed(), Duration::from_secs(3) + VISIBILITY);
}
