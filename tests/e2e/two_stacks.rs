//! Two stacks of one account, as a first deployment beside another meets them.

use xtask::workspace::Workspace;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_stacks_live_side_by_side_and_one_can_go() {
    let workspace = Workspace::find().await.unwrap();
    let shown = demo::two_stacks::side_by_side(&workspace).await;
    shown.unwrap_or_else(|error| panic!("{error:#}"));
}
