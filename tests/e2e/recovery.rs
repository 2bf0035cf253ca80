//! Runs the experiment `recovery`: jobs, messages and dead letters are broken on purpose, and the
//! scheduled sweeper repairs them.

use demo::experiment::recovery;
use xtask::{
    artifact::Profile,
    local::{Options, Stack},
    workspace::Workspace,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_scheduled_sweeper_repairs_everything() {
    let workspace = Workspace::find().await.unwrap();
    let options = Options { profile: Profile::Dev, ..Options::default() };
    let stack = Stack::start(&workspace, &options).await.unwrap();
    let recovered = recovery::on(&stack).await;
    let log = stack.log().unwrap();
    stack.stop().await.unwrap();
    let (page, holds) = recovered.unwrap_or_else(|error| panic!("{error:#}\n{log}"));
    assert!(holds, "{page}\n{log}");
}
