//! Writes what a command has found: data to standard output, everything else to standard error.

use std::io::{self, Write};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    args::Form,
    exit::{Exit, Failure},
    pager::Pager,
    table::{BAD, NAME, styled},
    text::{clean, escape_json, redact},
};

/// What a command has found, in both forms.
#[derive(Debug)]
pub struct Answer {
    /// The whole answer.
    value: Value,
    /// The field of `value` that is a list, which `--output jsonl` prints entry by entry.
    list: Option<&'static str>,
    /// The answer for people. Ends with a line feed, unless it is empty.
    text: String,
    /// A remark for people, on standard error.
    remark: Option<String>,
    exit: Exit,
}

impl Answer {
    /// An answer that is one thing.
    pub(crate) fn one<T: Serialize>(value: &T, text: String) -> Result<Self, Failure> {
        let value = serde_json::to_value(value)
            .map_err(|error| Failure::new(Exit::Failed, "not_json", error.to_string()))?;
        Ok(Self { value, list: None, text, remark: None, exit: Exit::Done })
    }

    /// An answer whose field `list` has the entries.
    pub(crate) fn list<T: Serialize>(
        value: &T,
        list: &'static str,
        text: String,
    ) -> Result<Self, Failure> {
        Ok(Self { list: Some(list), ..Self::one(value, text)? })
    }

    /// The same with a remark on standard error, such as what an empty list means.
    pub(crate) fn remark(mut self, remark: impl Into<String>) -> Self {
        self.remark = Some(remark.into());
        self
    }

    /// The same with this exit status.
    pub(crate) fn exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// The answer as a value, for those who show it in another form.
    pub(crate) fn into_value<T: DeserializeOwned>(self) -> Result<T, Failure> {
        serde_json::from_value(self.value)
            .map_err(|error| Failure::new(Exit::Failed, "unreadable", error.to_string()))
    }

    /// The field `read_units` of the answer, if it has one.
    pub(crate) fn read_units(&self) -> Option<f64> {
        self.value.get("read_units").and_then(Value::as_f64)
    }
}

/// Where a command writes. Colours are stripped by the writers, if they have to be.
pub struct Streams<'a> {
    /// For the data of an answer.
    pub out: &'a mut dyn Write,
    /// For everything else.
    pub err: &'a mut dyn Write,
    /// Whether `out` is a terminal, whose screen can be cleared.
    pub is_terminal: bool,
    /// What shows long text; only on a terminal.
    pub pager: Option<Pager>,
}

/// Clears a terminal's screen and goes to its first line.
const CLEAR: &str = "\u{1b}[H\u{1b}[2J";

impl<'a> Streams<'a> {
    /// Streams that are no terminal, such as pipes and files.
    pub fn plain(out: &'a mut dyn Write, err: &'a mut dyn Write) -> Self {
        Self { out, err, is_terminal: false, pager: None }
    }
}

impl Streams<'_> {
    /// Writes an answer and returns the exit status. A reader that has gone, such as `head`, is no failure.
    pub(crate) fn answer(&mut self, answer: &Answer, form: Form) -> Exit {
        let written = match form {
            Form::Text => self.text(&answer.text),
            Form::Json => write_value(self.out, &answer.value, true),
            Form::Jsonl => self.lines(answer),
        };
        if let Some(remark) = &answer.remark
            && form == Form::Text
        {
            self.note(remark);
        }
        self.finished(written, answer.exit)
    }

    /// Writes text for people, through the pager if there is one.
    fn text(&mut self, text: &str) -> io::Result<()> {
        let has_shown = self.pager.as_ref().is_some_and(|pager| pager.show(text));
        if has_shown { Ok(()) } else { self.out.write_all(text.as_bytes()) }
    }

    /// Writes an answer that takes the place of the one before: on a terminal, on a screen of its own; as JSON, as one
    /// line. Fails if nobody reads it any more.
    pub(crate) fn view(&mut self, answer: &Answer, form: Form) -> io::Result<()> {
        if form != Form::Text {
            write_value(self.out, &answer.value, false)?;
            return self.out.flush();
        }
        if self.is_terminal {
            self.out.write_all(CLEAR.as_bytes())?;
        }
        self.out.write_all(answer.text.as_bytes())?;
        self.out.flush()?;
        if let Some(remark) = &answer.remark {
            self.note(remark);
        }
        Ok(())
    }

    /// Writes one entry of what goes on: a line of JSON, or of text. Fails if nobody reads it any more.
    pub(crate) fn entry<T: Serialize>(
        &mut self,
        entry: &T,
        text: &str,
        form: Form,
    ) -> io::Result<()> {
        match form {
            Form::Text => self.out.write_all(format!("{text}\n").as_bytes())?,
            Form::Json | Form::Jsonl => {
                write_value(self.out, &serde_json::to_value(entry)?, false)?;
            }
        }
        self.out.flush()
    }

    /// Of a list each entry, and on standard error what else belongs to the answer, such as the cursor.
    fn lines(&mut self, answer: &Answer) -> io::Result<()> {
        let Some(list) = answer.list else { return write_value(self.out, &answer.value, false) };
        let mut rest = answer.value.clone();
        let entries = rest.as_object_mut().and_then(|fields| fields.remove(list));
        for entry in entries.as_ref().and_then(Value::as_array).into_iter().flatten() {
            write_value(self.out, entry, false)?;
        }
        write_value(self.err, &rest, false)
    }

    /// Writes the address of a server that is ready: as `{"url": …}` unless the form is text. If nobody reads it, there
    /// is nobody to tell.
    pub(crate) fn announce(&mut self, url: &str, form: Form) {
        let line = match form {
            Form::Text => format!("{url}\n"),
            Form::Json | Form::Jsonl => format!("{}\n", json!({ "url": url })),
        };
        let _ = self.out.write_all(line.as_bytes()).and_then(|()| self.out.flush());
    }

    /// Writes why a command could not do its work, and returns the exit status.
    pub fn failure(&mut self, failure: &Failure, form: Form) -> Exit {
        let message = redact(&failure.message);
        let written = if form == Form::Text {
            let hint = failure
                .hint
                .as_ref()
                .map(|hint| format!("{} {}\n", styled(NAME, "hint:"), clean(hint)));
            let text = format!(
                "{} {}\n{}",
                styled(BAD, "error:"),
                clean(&message),
                hint.unwrap_or_default()
            );
            self.err.write_all(text.as_bytes())
        } else {
            let shown = Failure { message, ..failure.clone() };
            write_value(self.err, &json!({ "error": shown }), form == Form::Json)
        };
        self.finished(written, failure.exit())
    }

    /// Writes a line for people to standard error. If that fails there is nobody to tell.
    pub(crate) fn note(&mut self, text: &str) {
        let _ = writeln!(self.err, "{}", clean(&redact(text)));
    }

    fn finished(&mut self, written: io::Result<()>, exit: Exit) -> Exit {
        match written.and_then(|()| self.out.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                self.note(&format!("the output could not be written: {error}"));
                Exit::Failed
            }
            _ => exit,
        }
    }
}

/// What a failed write means to a command that goes on: a reader that has gone, such as `head`, is its end.
pub(crate) fn unread(error: &io::Error) -> Result<Exit, Failure> {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Ok(Exit::Done);
    }
    let message = format!("the output could not be written: {error}");
    Err(Failure::new(Exit::Failed, "output", message))
}

fn write_value(out: &mut dyn Write, value: &Value, pretty: bool) -> io::Result<()> {
    let text =
        if pretty { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) };
    out.write_all((escape_json(&text?) + "\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl Fn(&mut Streams<'_>) -> Exit) -> (Exit, String, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let exit = write(&mut Streams::plain(&mut out, &mut err));
        let plain = |bytes: Vec<u8>| {
            anstream::adapter::strip_str(&String::from_utf8(bytes).unwrap()).to_string()
        };
        (exit, plain(out), plain(err))
    }

    fn list() -> Answer {
        let value = json!({ "jobs": [{ "key": "a\u{9b}" }, { "key": "b" }], "read_units": 1.5 });
        Answer::list(&value, "jobs", "KEY\na\n".into()).unwrap()
    }

    #[test]
    fn data_is_on_standard_output_and_all_else_on_standard_error() {
        let show = |form| written(|streams| streams.answer(&list().remark("2 jobs"), form));
        assert_eq!(show(Form::Text), (Exit::Done, "KEY\na\n".into(), "2 jobs\n".into()));
        let (_, out, err) = show(Form::Json);
        assert_eq!(serde_json::from_str::<Value>(&out).unwrap()["jobs"][0]["key"], "a\u{9b}");
        assert!(!out.contains('\u{9b}') && err.is_empty());
        let (_, out, err) = show(Form::Jsonl);
        assert_eq!(out, "{\"key\":\"a\\u009b\"}\n{\"key\":\"b\"}\n");
        assert_eq!(err, "{\"read_units\":1.5}\n");
    }

    #[test]
    fn an_empty_list_is_an_empty_array() {
        let answer = Answer::list(&json!({ "jobs": [] }), "jobs", String::new()).unwrap();
        let (_, out, _) = written(|streams| streams.answer(&answer, Form::Json));
        assert_eq!(out, "{\n  \"jobs\": []\n}\n");
    }

    #[test]
    fn a_failure_has_its_code_and_its_hint_in_both_forms() {
        let failure = Failure::new(Exit::Unreachable, "no_stack", "no stack at https://u:p@h/");
        let failure = failure.hint("name one with --stack");
        let show = |form| written(|streams| streams.failure(&failure, form));
        let (exit, out, err) = show(Form::Text);
        assert_eq!((exit, out.as_str()), (Exit::Unreachable, ""));
        assert_eq!(err, "error: no stack at https://***@h/\nhint: name one with --stack\n");
        let (_, _, err) = show(Form::Jsonl);
        let error = json!({ "error": { "code": "no_stack", "message": "no stack at https://***@h/",
            "hint": "name one with --stack" } });
        assert_eq!(serde_json::from_str::<Value>(&err).unwrap(), error);
    }
}
