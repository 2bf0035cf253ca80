//! What is kept as the page of a car when several jobs read it.

use serde_json::json;

use super::Pages;

impl Pages {
    /// Sends a job with this id for the first car's page.
    fn send_as(&self, id: &str) {
        let mut body = self.body(0);
        body["id"] = json!(id);
        self.send(&body.to_string());
    }

    /// How often the functions have made a port call with this name.
    fn count(&self, call: &str) -> usize {
        self.faults.calls().iter().filter(|made| **made == call).count()
    }
}

/// A call that names an item twice is refused as a whole.
#[tokio::test(start_paused = true)]
async fn jobs_about_one_car_in_one_batch_are_settled_by_one_call() {
    let pages = Pages::new(&[]).await;
    pages.send_as("one");
    pages.send_as("other");
    pages.drain().await;
    let states = ["one", "other"].map(|id| pages.phase(&format!("product_detail_scraping#g:{id}")));
    assert_eq!(states, ["succeeded"; 2]);
    // The second page is written by a call of its own.
    assert_eq!(["settle", "replace", "put_item"].map(|call| pages.count(call)), [1, 0, 1]);
}
