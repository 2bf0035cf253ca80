//! What operators write: command lines, files of messages, and the configuration of the functions.

use clap::Parser as _;
use evenkeel::{
    base::config::{Environment, Reader, Tables},
    http,
};
use evenkeel_cli::{args::Cli, count_rows};
use sweeper::config::Config;
use url_shortening::rebrandly;

use super::FEW;

const KIND: &str = "url_shortening";

#[test]
fn command_line() {
    target!("command_line", FEW, |text: &str| {
        let words = text.trim_end().split(' ');
        match Cli::try_parse_from(std::iter::once("evenkeel").chain(words)) {
            Ok(_) => true,
            Err(error) => {
                assert!(!error.to_string().is_empty(), "it says what is wrong");
                false
            }
        }
    });
}

/// Counts the rows of a file; there are no more than lines.
fn rows(text: &str, format: &str) -> bool {
    let Some(counts) = count_rows(text, format, KIND) else { return false };
    let rows: u64 = counts.iter().sum();
    let lines = text.split(['\n', '\r']).count();
    assert!(usize::try_from(rows).unwrap() <= lines, "{counts:?}");
    counts[0] > 0
}

#[test]
fn csv_of_submit() {
    target!("csv_of_submit", |text: &str| rows(text, "csv"));
}

#[test]
fn json_lines_of_submit() {
    target!("json_lines_of_submit", |text: &str| rows(text, "jsonl"));
}

/// Environment variables from lines such as `NAME=value`.
#[test]
fn configuration() {
    target!("configuration", |text: &str| {
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let environment: Environment = pairs.map(owned).collect();
        let mut reader = Reader::new(&environment);
        let tables = Tables::read(&mut reader);
        let sweeper = Config::read(&mut reader);
        let outbound = http::Settings::read(&mut reader);
        let account = rebrandly::Settings::read(&mut reader);
        match reader.finish((tables, sweeper, outbound, account)) {
            Ok((tables, ..)) => {
                assert!(!tables.jobs.is_empty() && !tables.control.is_empty());
                true
            }
            Err(error) => {
                assert!(error.to_string().len() > "configuration: ".len(), "it names a problem");
                false
            }
        }
    });
}
