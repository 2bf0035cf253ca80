//! `--watch`: shows the answer of a command again and again.

use evenkeel::base::time::Clock;

use crate::{
    args::Command,
    commands::{self, Context},
    deployment::Deployment,
    exit::{Exit, Failure},
    output::{Streams, unread},
    ports::Ports,
};

/// Shows the answer of a command that may be watched, until nobody reads it. Ctrl-C ends it from outside. A service
/// that does not answer once is reported and asked again; any other failure is the end.
pub(crate) async fn run<P: Ports>(
    command: &Command,
    ports: &P,
    stack: &Deployment,
    mut context: Context<'_>,
    clock: &impl Clock,
    streams: &mut Streams<'_>,
) -> Result<Exit, Failure> {
    let every = command.watch().unwrap_or_default();
    loop {
        context.moment.now = clock.now();
        match commands::run(command, ports, stack, &context, clock).await {
            Ok(answer) => {
                if let Err(error) = streams.view(&answer, context.form) {
                    return unread(&error);
                }
            }
            Err(failure) if failure.code == "unavailable" => {
                streams.failure(&failure, context.form);
            }
            Err(failure) => return Err(failure),
        }
        tokio::time::sleep(every).await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clap::Parser as _;
    use evenkeel::base::time::{SystemClock, Time};

    use super::*;
    use crate::{Stop, args::Cli, memory::MemoryPorts, moment::Moment, stack, stack::Target};

    /// What a command writes within four and a half seconds.
    async fn told(words: &[&str], is_terminal: bool) -> String {
        let cli = Cli::parse_from(["evenkeel"].iter().chain(words));
        let ports = MemoryPorts::stack("s", r#"[{"type":"a","dependency":"d"}]"#);
        let stack = stack::find(&ports, &Target::default()).await.unwrap();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut streams = Streams { is_terminal, ..Streams::plain(&mut out, &mut err) };
        let moment = Moment { now: Time::default(), form: cli.global.time };
        let stop = Stop::default();
        let context = Context { form: cli.global.form(), moment, stop: &stop };
        let watch = run(&cli.command, &ports, &stack, context, &SystemClock, &mut streams);
        assert!(
            tokio::time::timeout(Duration::from_millis(4_500), watch).await.is_err(),
            "it goes on"
        );
        String::from_utf8(out).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_view_is_shown_again_as_a_line_of_json_or_on_a_clear_screen() {
        let lines = told(&["queues", "list", "--json", "--watch"], true).await;
        assert_eq!(lines.lines().count(), 3, "at once, and after two and four seconds: {lines}");
        for line in lines.lines() {
            let document: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(document["queues"].as_array().unwrap().len(), 3);
        }
        let clears = |text: &str| text.matches("\u{1b}[2J").count();
        assert_eq!(clears(&told(&["queues", "list", "--watch", "1"], true).await), 5);
        let piped = told(&["queues", "list", "--watch", "1"], false).await;
        assert_eq!((clears(&piped), piped.matches("s-a-dlq").count()), (0, 5));
    }
}
