//! `cargo xtask page-bench`: compares the tags of random pages with those of html5gum, then the speed of reading a
//! page and a feed with other parsers. Writes the page into the file that its
//! argument names, for parsers in other languages.
#![expect(clippy::print_stdout, reason = "a command's answer")]

use std::{env, error::Error, fs};

mod feeds;
mod page;
mod pages;
mod stopwatch;
mod tokens;

/// Random pages whose tags are compared.
const RANDOM_PAGES: u64 = 200_000;

fn main() -> Result<(), Box<dyn Error>> {
    let file = env::args().nth(1).ok_or("expected the name of a file for the page")?;
    tokens::compare(RANDOM_PAGES)?;
    println!("{RANDOM_PAGES} random pages have the tags that html5gum finds");
    let page = page::of_a_car();
    fs::write(&file, &page)?;
    println!("page of {} KB:", page.len() / 1_000);
    pages::compare(&page);
    feeds::compare();
    Ok(())
}
