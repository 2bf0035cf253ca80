//! Long text on a terminal goes through a pager, as git shows it.

use std::{
    io::{self, Write as _},
    process::{Command, Stdio},
};

/// Text of at most so many lines is written as it is: every terminal shows it at once.
const FEW_LINES: usize = 24;

/// The pager without `PAGER`, and its options: it ends by itself if all fits on the screen, shows colours, and leaves
/// the text on the screen at its end.
const USUAL: (&str, &str) = ("less", "-FRX");

/// The program that shows long text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pager {
    /// A command for the shell, from `PAGER`; `None` for the usual pager.
    named: Option<String>,
    /// Whether the terminal shows colours.
    colors: bool,
}

impl Pager {
    /// The pager that the variable `PAGER` names, or the usual one; `None` if it names `cat`.
    #[must_use]
    pub fn of(variable: Option<String>, colors: bool) -> Option<Self> {
        (variable.as_deref() != Some("cat")).then_some(Self { named: variable, colors })
    }

    /// Shows a text, and returns when the reader has left the pager. Returns false, and shows nothing, if the text is
    /// short or the pager cannot be started.
    pub(crate) fn show(&self, text: &str) -> bool {
        if text.lines().count() <= FEW_LINES {
            return false;
        }
        let Ok(mut child) = self.command().stdin(Stdio::piped()).spawn() else { return false };
        let text = if self.colors {
            text.to_owned()
        } else {
            anstream::adapter::strip_str(text).to_string()
        };
        // A reader who leaves before the end closes the pipe. That is no failure.
        let written = child.stdin.take().map_or(Ok(()), |mut pipe| pipe.write_all(text.as_bytes()));
        let ended = child.wait();
        let is_read = match &written {
            Ok(()) => true,
            Err(error) => error.kind() == io::ErrorKind::BrokenPipe,
        };
        // A shell that does not know the program ends with 127 and has shown nothing.
        is_read && ended.is_ok_and(|status| status.code() != Some(127))
    }

    fn command(&self) -> Command {
        let Some(named) = &self.named else {
            let (program, options) = USUAL;
            let mut command = Command::new(program);
            command.arg(options);
            return command;
        };
        let mut command = Command::new("sh");
        command.args(["-c", named]);
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(variable: &str) -> Option<Pager> {
        Pager::of(Some(variable.to_owned()), false)
    }

    #[test]
    fn cat_means_no_pager() {
        assert_eq!(named("cat"), None);
        assert!(named("more").is_some() && Pager::of(None, true).is_some());
    }

    #[test]
    fn long_text_is_shown_and_short_text_is_not() {
        let lines = |count: usize| "line\n".repeat(count);
        let reads_all = named("cat > /dev/null").unwrap();
        assert!(!reads_all.show(&lines(FEW_LINES)));
        assert!(reads_all.show(&lines(FEW_LINES + 1)));
        // One that reads nothing, of a text larger than any pipe holds.
        assert!(named("true").unwrap().show(&lines(100_000)));
        assert!(!named("a-program-that-nobody-has 2> /dev/null").unwrap().show(&lines(100)));
    }
}
