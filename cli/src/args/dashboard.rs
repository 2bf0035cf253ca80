//! Arguments of `evenkeel dashboard`.

use clap::Args;

/// Where the dashboard listens.
#[derive(Clone, Debug, Args)]
pub struct ServeDashboard {
    /// Port on 127.0.0.1; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 8770)]
    pub port: u16,
    /// Refuse every request that would change something, and show no forms for it
    #[arg(long)]
    pub read_only: bool,
    /// End when standard input does, so that the dashboard stops with the program that started it
    #[arg(long)]
    pub exit_with_stdin: bool,
}
