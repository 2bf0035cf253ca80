//! Arguments of `evenkeel rejected`, `dlq`, `cars` and `submit`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Page, ReleaseRejected};

/// What to do with rejected messages.
#[derive(Clone, Debug, Subcommand)]
pub enum RejectedCommand {
    /// List rejected messages, the oldest first
    #[command(before_help = "Example: evenkeel rejected list --type url_shortening")]
    List(ListRejected),
    /// Show a rejected message with its body
    #[command(
        before_help = "Example: evenkeel rejected show q#4355a46b19d348dc2f57c046f8ef63d4538ebb9360"
    )]
    Show(OneRejected),
    /// Send rejected messages again, for instance after an update that can read them
    #[command(
        before_help = "Example: evenkeel rejected release --type url_shortening --flaw newer_version"
    )]
    Release(ReleaseRejected),
}

/// Which rejected messages to list.
#[derive(Clone, Debug, Args)]
pub struct ListRejected {
    /// Only those of this type's queues
    #[arg(long = "type", value_name = "TYPE")]
    pub kind: Option<String>,
    /// How much to show
    #[command(flatten)]
    pub page: Page,
}

/// A rejected message.
#[derive(Clone, Debug, Args)]
pub struct OneRejected {
    /// Its key: q# and 64 hexadecimal digits
    pub key: String,
}

/// Which dead letters to list.
#[derive(Clone, Debug, Args)]
pub struct ListDeadLetters {
    /// Only those of this type's queue
    #[arg(long = "type", value_name = "TYPE")]
    pub kind: Option<String>,
    /// Most entries to show, the latest first
    #[arg(long, value_name = "N", default_value_t = 50)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub limit: u16,
}

/// What to do with cars.
#[derive(Clone, Debug, Subcommand)]
pub enum CarsCommand {
    /// List a dealer's cars by VIN
    #[command(before_help = "Example: evenkeel cars list example-motors --limit 100")]
    List(ListCars),
    /// Show a car with its link and its page
    #[command(before_help = "Example: evenkeel cars show example-motors 1M8GDM9AXKP042788")]
    Show(OneCar),
    /// Export a dealer's cars with links, prices and mileage: as CSV, or as JSON lines with --output jsonl
    #[command(before_help = "Example: evenkeel cars export --dealer example-motors > cars.csv")]
    Export(ExportCars),
    /// Keep the links that another system has made for a dealer's cars
    #[command(
        before_help = "Example: evenkeel cars import-links --dealer example-motors --dry-run"
    )]
    ImportLinks(ImportLinks),
}

/// Whose cars to export.
#[derive(Clone, Debug, Args)]
pub struct ExportCars {
    /// The dealer's slug
    #[arg(long, value_name = "SLUG")]
    pub dealer: String,
    /// Most cars to export
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub limit: u16,
    /// Go on where an export ended: the cursor that it has printed
    #[arg(long, value_name = "CURSOR")]
    pub cursor: Option<String>,
}

/// Whose links to import.
#[derive(Clone, Debug, Args)]
pub struct ImportLinks {
    /// The dealer's slug
    #[arg(long, value_name = "SLUG")]
    pub dealer: String,
    /// Another name of the dealer in the names of its links; may be given several times
    #[arg(long = "name", value_name = "NAME")]
    pub names: Vec<String>,
    /// Why, for those who read the operations log later
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Store nothing, and say what would be kept
    #[arg(long)]
    pub dry_run: bool,
    /// Keep in this file how far it got, and go on there if it exists
    #[arg(long, value_name = "FILE")]
    pub progress: Option<PathBuf>,
}

/// Whose cars to list.
#[derive(Clone, Debug, Args)]
pub struct ListCars {
    /// The dealer's slug
    pub dealer: String,
    /// How much to show
    #[command(flatten)]
    pub page: Page,
}

/// Which car to show.
#[derive(Clone, Debug, Args)]
pub struct OneCar {
    /// The dealer's slug
    pub dealer: String,
    /// The VIN, 17 characters
    pub vin: String,
}

/// Which jobs to send.
#[derive(Clone, Debug, Args)]
pub struct Submit {
    /// The job type
    #[arg(value_name = "TYPE")]
    pub kind: String,
    /// A file of JSON lines (.jsonl, .ndjson) or CSV (.csv), or `-` for JSON lines on standard input
    #[arg(required_unless_present = "payload")]
    pub file: Option<PathBuf>,
    /// One payload as JSON, instead of a file
    #[arg(long, value_name = "JSON", conflicts_with = "file")]
    pub payload: Option<String>,
    /// The id of the job in `--payload`
    #[arg(long, value_name = "ID", requires = "payload")]
    pub id: Option<String>,
    /// Send to the high-priority queue
    #[arg(long)]
    pub high: bool,
    /// The message group of rows that name none, by which fair queues balance senders
    #[arg(long, value_name = "GROUP")]
    pub group: Option<String>,
    /// Begin with this line of the file, to resume after an interruption
    #[arg(long, value_name = "LINE", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    pub from_line: u64,
    /// Why, for those who read the operations log later
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Check the rows, and send nothing
    #[arg(long)]
    pub dry_run: bool,
}
