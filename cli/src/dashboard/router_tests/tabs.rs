//! One reader for all tabs.

use std::sync::Arc;

use tokio::sync::{oneshot, watch};

use super::*;
use crate::dashboard::question::Ask;

#[tokio::test(start_paused = true)]
async fn the_reader_reads_by_itself_only_while_a_tab_listens() {
    let ports = ports();
    let stack = deployment(&ports).await;
    let (_questions, asks) = mpsc::channel(4);
    let ticks = Arc::new(watch::channel(0).0);
    let clock = Virtual(Instant::now());
    let reader = Reader::new(&ports, &stack, &clock, ticks.clone());
    let scenario = async {
        tokio::time::sleep(Duration::from_mins(1)).await;
        assert_eq!(*ticks.borrow(), 0, "no tab, no read");
        let (mut tab, mut other) = (ticks.subscribe(), ticks.subscribe());
        tab.changed().await.unwrap();
        let first = *tab.borrow_and_update();
        tab.changed().await.unwrap();
        let second = *tab.borrow_and_update();
        assert_eq!(second - first, 2_000, "what changes by the second is two seconds old at most");
        assert_eq!(*other.borrow_and_update(), second, "the other is told of the same read");
        drop(tab);
        other.changed().await.unwrap();
        let third = *other.borrow_and_update();
        assert_eq!(third - second, 2_000, "one tab is left");
        drop(other);
        tokio::time::sleep(Duration::from_mins(1)).await;
        assert_eq!(*ticks.borrow(), third, "the last tab is closed");
    };
    tokio::select! {
        biased;
        () = reader.run(asks) => panic!("it runs as long as somebody may ask"),
        () = scenario => {}
    }
}

/// The read units that were used by the end of a minute in which so many tabs listened. Asking for them is one read of
/// what is due.
async fn units_of_a_minute(tabs: usize) -> f64 {
    let ports = ports();
    let stack = deployment(&ports).await;
    let (questions, asks) = mpsc::channel(4);
    let ticks = Arc::new(watch::channel(0).0);
    let clock = Virtual(Instant::now());
    let reader = Reader::new(&ports, &stack, &clock, ticks.clone());
    let scenario = async {
        let listening: Vec<watch::Receiver<u64>> = (0..tabs).map(|_| ticks.subscribe()).collect();
        tokio::time::sleep(Duration::from_mins(1)).await;
        drop(listening);
        let (reply, answer) = oneshot::channel();
        questions.send(Ask { question: Question::Live, reply }).await.unwrap();
        answer.await.unwrap().unwrap().live.units
    };
    tokio::select! {
        biased;
        () = reader.run(asks) => panic!("it runs as long as somebody may ask"),
        units = scenario => units,
    }
}

#[tokio::test(start_paused = true)]
async fn several_tabs_cost_as_many_reads_as_one() {
    let none = units_of_a_minute(0).await;
    let one = units_of_a_minute(1).await;
    assert!(one > 2.0 * none, "{one} read units with a tab, and {none} without");
    for tabs in [2, 20] {
        let several = units_of_a_minute(tabs).await;
        assert!((several - one).abs() < 0.01, "{several} with {tabs} tabs, and {one} with one");
    }
}
