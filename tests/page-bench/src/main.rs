//! `cargo xtask page-bench`: compares the tags of random pages with those of html5gum, then the speed of reading a
//! page and a feed with other parsers. Writes the page into the file that its first argument names, for parsers in
//! other languages, and its own time in microseconds into the second.
#![expect(clippy::print_stdout, reason = "a command's answer")]

use std::{env, error::Error, fs};

use bench_engine::page;

mod feeds;
mod pages;
mod stopwatch;
mod tokens;

/// Random pages whose tags are compared.
const RANDOM_PAGES: u64 = 200_000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let (Some(page_file), Some(time_file)) = (arguments.next(), arguments.next()) else {
        return Err("expected the names of a file for the page and of one for our time".into());
    };
    tokens::compare(RANDOM_PAGES)?;
    println!("{RANDOM_PAGES} random pages have the tags that html5gum finds");
    let page = page::of_a_car(page::USUAL_BYTES);
    fs::write(&page_file, &page)?;
    println!("page of {} KB:", page.len() / 1_000);
    let (ours, page_held) = pages::compare(&page);
    fs::write(&time_file, ours.to_string())?;
    if page_held & feeds::compare() { Ok(()) } else { Err("ours is slower than promised".into()) }
}
