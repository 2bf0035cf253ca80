//! `evenkeel COMMAND`.

use std::{
    env,
    io::{self, IsTerminal as _, Write},
    process::ExitCode,
    time::Duration,
};

use anstream::{AutoStream, ColorChoice};
use clap::{Parser, error::ErrorKind};
use evenkeel::base::{
    config::{Environment, Reader},
    time::SystemClock,
};
use evenkeel_cli::{
    Exit, Failure, Pager, Stop, Streams, Surroundings, Target,
    args::{CarsCommand, Cli, Color, Command, Form},
    aws,
};

/// How long a command may take to end after Ctrl-C: one call and its time-out.
const GRACE: Duration = Duration::from_secs(15);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let environment = Environment::of_process();
    let no_color = Reader::new(&environment).optional("NO_COLOR").is_some();
    let exit = match Cli::try_parse() {
        Ok(cli) => {
            let folder = env::current_dir().unwrap_or_default();
            let choice = colors(cli.global.color, no_color);
            run(&cli, &Surroundings { environment, folder }, choice).await
        }
        Err(error) => refused(&error, colors(Color::Auto, no_color)),
    };
    ExitCode::from(exit.code())
}

/// Whether colours are written. `Auto` becomes a decision by the stream's own nature.
const fn colors(color: Color, no_color: bool) -> ColorChoice {
    match color {
        Color::Always => ColorChoice::Always,
        Color::Never => ColorChoice::Never,
        Color::Auto if no_color => ColorChoice::Never,
        Color::Auto => ColorChoice::Auto,
    }
}

async fn run(cli: &Cli, surroundings: &Surroundings, choice: ColorChoice) -> Exit {
    let stop = Stop::default();
    let mut out = AutoStream::new(io::stdout(), choice);
    let mut err = AutoStream::new(io::stderr(), choice);
    let is_terminal = io::stdout().is_terminal();
    let variable = Reader::new(&surroundings.environment).optional("PAGER");
    let colors = AutoStream::choice(&io::stdout()) != ColorChoice::Never;
    let colors = choice == ColorChoice::Always || (choice == ColorChoice::Auto && colors);
    let pager = Pager::of(variable, colors).filter(|_| is_terminal && !cli.global.no_pager);
    let mut streams = Streams { out: &mut out, err: &mut err, is_terminal, pager };
    let connect = async |target: Target| aws::connect(&target).await;
    let clock = SystemClock;
    // On the heap: it holds every command.
    let mut command =
        Box::pin(evenkeel_cli::run(cli, surroundings, &clock, &stop, connect, &mut streams));
    tokio::select! {
        biased;
        exit = &mut command => return exit,
        _ = tokio::signal::ctrl_c() => stop.request(),
    }
    // The dashboard has no other end.
    if matches!(cli.command, Command::Dashboard(_)) {
        return Exit::Done;
    }
    // A command that sends or imports ends by itself and says how far it got; others are cut off.
    let may_end =
        matches!(cli.command, Command::Submit(_) | Command::Cars(CarsCommand::ImportLinks(_)));
    let grace = if may_end { GRACE } else { Duration::ZERO };
    tokio::select! {
        biased;
        exit = &mut command => exit,
        _ = tokio::signal::ctrl_c() => Exit::Interrupted,
        () = tokio::time::sleep(grace) => Exit::Interrupted,
    }
}

/// Says what is wrong with the command line, or prints the help or the version that was asked for.
fn refused(error: &clap::Error, choice: ColorChoice) -> Exit {
    let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    let words: Vec<String> = env::args().skip(1).collect();
    let json = words.iter().any(|word| word == "--json" || word.contains("--output=json"))
        || words.windows(2).any(|pair| pair[0] == "--output" && pair[1].starts_with("json"));
    if json && !asked {
        let text = error.to_string();
        let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
        let failure = Failure::usage(message).hint("see `evenkeel --help`");
        let (mut out, mut err) = (io::stdout(), io::stderr());
        return Streams::plain(&mut out, &mut err).failure(&failure, Form::Json);
    }
    let text = error.render().to_string();
    // If nobody reads it, there is nobody to tell.
    let _ = if asked {
        AutoStream::new(io::stdout(), choice).write_all(text.as_bytes())
    } else {
        AutoStream::new(io::stderr(), choice).write_all(text.as_bytes())
    };
    if asked { Exit::Done } else { Exit::Usage }
}
