//! What people read, over tables as large as they get: 94,000 jobs that have succeeded, 1,000 open ones, 4,000 parked
//! and 1,000 dead. `cargo xtask scale` runs it; every run of the tests does the same over a hundredth, without times.
//!
//! ```text
//! amounts ─► fill ─► tables on dynoxide or MiniStack ◄─ SDK ─┐
//!                                                            │
//! commands, dashboard ─► MeasuredPorts: calls, units, waiting ┘
//!          └─► table: median and longest, read units, bounds
//! ```

mod bounds;
mod commands;
mod dashboard;
mod fill;
mod hour;
mod measured_ports;
mod meter;
mod place;
mod stack;
mod table;

use std::time::Duration;

use bounds::Bounds;
use fill::Amounts;
use place::{Place, Service};
use table::Table;

/// What `cargo xtask scale` asks for.
#[derive(Clone, Debug)]
struct Selection {
    amounts: Amounts,
    service: Service,
    /// How often each is measured.
    rounds: usize,
    /// Whether too much time is a failure. A machine that runs other tests beside says nothing about it.
    is_timed: bool,
    /// Whether the tables are written into the documents.
    writes: bool,
    /// How long a page is left open, instead of all else.
    left_open: Option<Duration>,
}

/// What `cargo xtask scale` asks for, or else a hundredth of it on dynoxide.
#[expect(clippy::disallowed_methods, reason = "cargo xtask scale asks this way")]
fn selection() -> Selection {
    let asked = |name: &str| std::env::var(name).ok();
    let number = |name: &str| asked(name).map(|text| text.parse::<u64>().unwrap());
    let is_asked = asked("SCALE_SERVICE").is_some();
    let service = match asked("SCALE_SERVICE").as_deref() {
        Some("ministack") => Service::MiniStack,
        _ => Service::Dynoxide,
    };
    Selection {
        amounts: if is_asked { Amounts::WHOLE } else { Amounts::HUNDREDTH },
        service,
        rounds: number("SCALE_ROUNDS").map_or(1, |rounds| usize::try_from(rounds).unwrap()),
        is_timed: is_asked,
        writes: asked("SCALE_WRITE").is_some(),
        left_open: number("SCALE_LEAVE_OPEN").map(Duration::from_mins),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_a_socket_what_people_read_is_quick_and_cheap() {
    let selection = selection();
    let place = Place::start(selection.service).await;
    let filled = fill::fill(&place, selection.amounts).await;
    println!("{}: filled with {} jobs", selection.service.name(), selection.amounts.jobs());
    if let Some(span) = selection.left_open {
        hour::leave_open(&place, span).await;
        return place.stop().await;
    }
    let commands = commands::measure(&place, &filled, selection.rounds).await;
    let pages = dashboard::measure(&place, &filled, selection.rounds).await;
    let (commands, mut pages) = (Table::of("command", commands), Table::of("page", pages));
    let bounds = Bounds::of(selection.service);
    let mut broken = Vec::new();
    if selection.is_timed {
        pages.remark(dashboard::leave_tab_open(&place, bounds.units_a_second, &mut broken).await);
        broken.extend(commands.beyond(bounds.command));
        broken.extend(pages.beyond(bounds.page));
    }
    println!("{}\n{}", commands.markdown(), pages.markdown());
    if selection.writes {
        commands.write("docs/cli.md", selection.service);
        pages.write("docs/dashboard.md", selection.service);
    }
    place.stop().await;
    assert!(broken.is_empty(), "beyond its bound:\n{}", broken.join("\n"));
}
