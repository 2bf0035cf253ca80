//! Reads the literals of JavaScript that scripts assign: objects, arrays and texts in every notation that a browser
//! accepts, which is more than JSON. What is no literal, such as a call, counts as null; nothing is executed.
//!
//! Grammar: ECMA-262, sections 12.9 (literals) and 13.2 (initializers).

use serde_json::{Map, Number, Value};

use crate::budget::Budget;

/// Longest literal that is read, in bytes. The worst case, an array of tiny objects, takes about 90 times its length
/// once parsed.
pub const MAX_VALUE_BYTES: usize = 256 * 1024;

/// Deepest nesting of objects and arrays.
const MAX_DEPTH: usize = 100;

/// Names that stand for no value.
const NOTHING: [&str; 5] = ["undefined", "null", "NaN", "Infinity", "void"];

/// Steps that a part of a literal costs beside one for each byte.
const PART_STEPS: usize = 8;

/// The literal at the start of `text`, and its length in bytes. `None` if there is none, if it is nested too deeply, if
/// it ends beyond [`MAX_VALUE_BYTES`], or if the budget is spent before its end.
#[must_use]
pub fn parse(text: &str, budget: &Budget) -> Option<(Value, usize)> {
    let text = &text[..text.floor_char_boundary(MAX_VALUE_BYTES)];
    let mut parser = Parser { text, at: 0, depth: 0, paid: 0, budget };
    let value = parser.value()?;
    Some((value, parser.at))
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    /// The place up to which the budget was charged.
    paid: usize,
    budget: &'a Budget,
}

impl Parser<'_> {
    /// Pays for another part, and for all bytes since the last one.
    fn pay(&mut self) -> Option<()> {
        let steps = self.at.saturating_sub(self.paid) + PART_STEPS;
        self.paid = self.at;
        self.budget.step(steps).then_some(())
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        self.blank();
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// Skips white space and comments.
    fn blank(&mut self) {
        loop {
            let rest = &self.text[self.at..];
            let inner = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
            self.at += rest.len() - inner.len();
            let comment = if inner.starts_with("//") {
                inner.find('\n').unwrap_or(inner.len())
            } else if inner.starts_with("/*") {
                inner.find("*/").map_or(inner.len(), |end| end + "*/".len())
            } else {
                return;
            };
            self.at += comment;
        }
    }

    /// Reads a value. Every recursion goes through here, so that the depth is bounded.
    fn value(&mut self) -> Option<Value> {
        if self.depth == MAX_DEPTH {
            return None;
        }
        self.pay()?;
        self.depth += 1;
        let value = self.any();
        self.depth -= 1;
        value
    }

    fn any(&mut self) -> Option<Value> {
        self.blank();
        match self.peek()? {
            b'{' => self.object(),
            b'[' => self.array(),
            b'"' | b'\'' | b'`' => self.string().map(Value::String),
            b'-' | b'+' | b'.' | b'0'..=b'9' => Some(self.number()),
            b'!' => {
                self.at += 1;
                let inner = self.value()?;
                Some(inner.as_u64().map_or(Value::Null, |number| Value::Bool(number == 0)))
            }
            b'(' => {
                self.at += 1;
                let value = self.value()?;
                self.take(b')').map(|()| value)
            }
            _ => self.named(),
        }
    }

    fn object(&mut self) -> Option<Value> {
        self.at += 1;
        let mut object = Map::new();
        loop {
            self.pay()?;
            self.blank();
            match self.peek()? {
                b'}' => {
                    self.at += 1;
                    return Some(Value::Object(object));
                }
                b',' => self.at += 1,
                _ => {
                    let key = self.key()?;
                    self.take(b':')?;
                    let value = self.element()?;
                    // In a browser the last one would count. The first one is what other readers of the page see.
                    object.entry(key).or_insert(value);
                }
            }
        }
    }

    fn array(&mut self) -> Option<Value> {
        self.at += 1;
        let mut array = Vec::new();
        loop {
            self.pay()?;
            self.blank();
            match self.peek()? {
                b']' => {
                    self.at += 1;
                    return Some(Value::Array(array));
                }
                b',' => self.at += 1,
                _ => array.push(self.element()?),
            }
        }
    }

    /// A value up to the comma or bracket after it. A longer expression counts as null, except `literal || other`.
    fn element(&mut self) -> Option<Value> {
        let value = self.value()?;
        self.blank();
        match self.peek()? {
            b',' | b'}' | b']' => Some(value),
            b'|' | b'?' => self.expression().map(|()| value),
            _ => self.expression().map(|()| Value::Null),
        }
    }

    fn key(&mut self) -> Option<String> {
        match self.peek()? {
            b'"' | b'\'' => self.string(),
            _ => {
                let name = self.name();
                (!name.is_empty()).then(|| name.to_owned())
            }
        }
    }

    /// The identifier or number at this place.
    fn name(&mut self) -> &str {
        let rest = &self.text[self.at..];
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '$');
        let name = &rest[..end.unwrap_or(rest.len())];
        self.at += name.len();
        name
    }

    /// A value that begins with a name: a constant, `JSON.parse("…")`, `path || literal`, or something else.
    fn named(&mut self) -> Option<Value> {
        let start = self.at;
        match self.name() {
            "true" => return Some(Value::Bool(true)),
            "false" => return Some(Value::Bool(false)),
            "" => return None,
            name if NOTHING.contains(&name) => {
                if name == "void" {
                    self.blank();
                    self.name();
                }
                return Some(Value::Null);
            }
            _ => {}
        }
        if let Some(argument) = self.text[start..].strip_prefix("JSON.parse(") {
            self.at = self.text.len() - argument.len();
            let text = self.value()?;
            self.take(b')')?;
            self.budget.step(text.as_str()?.len()).then_some(())?;
            return serde_json::from_str(text.as_str()?).ok();
        }
        self.path()?;
        self.blank();
        let rest = &self.text[self.at..];
        if rest.starts_with("||") || rest.starts_with("??") {
            self.at += 2;
            return self.value();
        }
        self.expression().map(|()| Value::Null)
    }

    /// Skips what follows a name in a path: `.vehicles[0]['x']`.
    fn path(&mut self) -> Option<()> {
        loop {
            self.pay()?;
            match self.peek() {
                Some(b'.') => self.at += 1,
                Some(b'[') => {
                    let rest = &self.text[self.at..];
                    let Some(end) = rest.find([']', '\n']) else { return Some(()) };
                    self.at += end + 1;
                }
                _ => {
                    if self.name().is_empty() {
                        return Some(());
                    }
                }
            }
        }
    }

    /// Skips an expression up to the comma, semicolon or bracket that ends it.
    fn expression(&mut self) -> Option<()> {
        let mut open = 0_usize;
        loop {
            self.pay()?;
            self.blank();
            match self.peek() {
                None => return (open == 0).then_some(()),
                Some(b'"' | b'\'' | b'`') => drop(self.string()?),
                Some(b'(' | b'[' | b'{') => {
                    open += 1;
                    self.at += 1;
                }
                Some(b')' | b']' | b'}' | b',' | b';') if open == 0 => return Some(()),
                Some(b')' | b']' | b'}') => {
                    open -= 1;
                    self.at += 1;
                }
                Some(_) => self.at += self.text[self.at..].chars().next()?.len_utf8(),
            }
        }
    }

    fn number(&mut self) -> Value {
        let rest = &self.text[self.at..];
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+' | '_');
        let end = rest.find(|c: char| !is_part(c)).unwrap_or(rest.len());
        let digits = rest[..end].trim_start_matches('+').replace('_', "");
        self.at += end;
        if let Ok(whole) = digits.parse::<i64>() {
            return Value::from(whole);
        }
        let number = digits.parse::<f64>().ok().and_then(Number::from_f64);
        number.map_or(Value::Null, Value::Number)
    }

    fn string(&mut self) -> Option<String> {
        let quote = char::from(self.peek()?);
        self.at += 1;
        let mut text = String::new();
        loop {
            self.pay()?;
            let rest = &self.text[self.at..];
            let end = rest.find([quote, '\\'])?;
            text.push_str(&rest[..end]);
            self.at += end + 1;
            if rest[end..].starts_with(quote) {
                return Some(text);
            }
            self.escape(&mut text)?;
        }
    }

    /// Decodes what follows a backslash.
    fn escape(&mut self, text: &mut String) -> Option<()> {
        let rest = &self.text[self.at..];
        let next = rest.chars().next()?;
        self.at += next.len_utf8();
        let plain = match next {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            '0' => '\0',
            '\n' | '\r' => return Some(()),
            'x' => return self.code(rest.get(1..3), 2, text),
            'u' => {
                if let Some(code) = rest.strip_prefix("u{") {
                    let digits = &code[..code.find('}')?];
                    return self.code(Some(digits), digits.len() + 2, text);
                }
                return self.unit(text);
            }
            other => {
                // A browser drops the backslash. Before a letter, the page's author has probably meant it.
                if other.is_alphanumeric() {
                    text.push('\\');
                }
                other
            }
        };
        text.push(plain);
        Some(())
    }

    /// Adds the character of these hexadecimal digits, which take `length` bytes.
    fn code(&mut self, digits: Option<&str>, length: usize, text: &mut String) -> Option<()> {
        let code = u32::from_str_radix(digits?, 16).ok()?;
        text.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
        self.at += length;
        Some(())
    }

    /// Adds the character of the four digits after `\u`, and of the other half of a surrogate pair.
    fn unit(&mut self, text: &mut String) -> Option<()> {
        let digits = |at: usize| {
            let digits = self.text.get(at..at + 4)?;
            u16::from_str_radix(digits, 16).ok()
        };
        let first = digits(self.at)?;
        let is_pair = self.text.get(self.at + 4..self.at + 6) == Some("\\u");
        let second = if is_pair { digits(self.at + 6) } else { None };
        let pair = second.and_then(|second| char::decode_utf16([first, second]).next()?.ok());
        let is_high = (0xD800..=0xDBFF).contains(&first);
        if let Some(character) = pair.filter(|_| is_high) {
            text.push(character);
            self.at += 10;
        } else {
            let code = u32::from(first);
            text.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            self.at += 4;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn parse(text: &str) -> Option<(Value, usize)> {
        super::parse(text, &Budget::unlimited())
    }

    #[test]
    fn literals_are_read_in_every_notation() {
        let cases = [
            (
                r"{a: 1, 'b': 'it\'s', $c_1: `x`, 7: -2.5, }",
                json!({"a": 1, "b": "it's", "$c_1": "x", "7": -2.5}),
            ),
            (
                r#"["\x24\x2D\u00e9\ud83d\ude97\u{e9}", '\-\
x']"#,
                json!(["$-é🚗é", "-x"]),
            ),
            (
                "{a: undefined, b: NaN, c: void 0, d: !0, e: !1, f: null}",
                json!({"a": null, "b": null, "c": null, "d": true, "e": false, "f": null}),
            ),
            (
                "{a: f(1, {b: 2}), c: 'x' + 'y', d: new Date('1'), e: x.y[0] || 3, g: 4 || 5}",
                json!({"a": null, "c": null, "d": null, "e": 3, "g": 4}),
            ),
            ("{ // note, with 'marks'\n a: 1 /* } */ }", json!({"a": 1})),
            ("window.DDC || {a: 1}", json!({"a": 1})),
            (r#"JSON.parse("{\"a\": [1]}")"#, json!({"a": [1]})),
            ("[1_000, 1e3, +4, .5]", json!([1000, 1000.0, 4, 0.5])),
            ("({a: 1})", json!({"a": 1})),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text).map(|(value, _)| value), Some(expected), "{text}");
        }
    }

    #[test]
    fn the_end_of_a_literal_is_found() {
        assert_eq!(parse("{a: '}'}; next"), Some((json!({"a": "}"}), 8)));
    }

    #[test]
    fn what_is_no_literal_or_has_no_end_is_refused() {
        let deep = "[".repeat(MAX_DEPTH + 1) + &"]".repeat(MAX_DEPTH + 1);
        let many = |part: &str| part.repeat(80_000);
        let floods = [many("("), many("!"), many("a||"), many("JSON.parse("), many("[")];
        for text in &floods {
            assert_eq!(parse(text), None);
        }
        for text in ["", "{", "[1", "'a", "{a}", "{a:}", "<p>", &deep] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn work_grows_with_the_text_and_ends_with_the_budget() {
        for part in ["[", "{a:", "a||", "'\\x41", "[1,'a',{b:2}],", "a[0].b(", "/**/", "a[,"] {
            let steps = |bytes: usize| {
                let budget = Budget::unlimited();
                let _ = super::parse(&format!("[{}", part.repeat(bytes / part.len())), &budget);
                budget.steps_taken()
            };
            let (once, twice) = (steps(50_000), steps(100_000));
            assert!(twice * 10 <= once * 23, "{part}: {once} and {twice} steps");
        }
        let long = format!("[{}]", "1,".repeat(50_000));
        assert_eq!(super::parse(&long, &Budget::new(100_000, 0)), None);
    }

    proptest! {
        #[test]
        fn json_is_read_as_json(text in "[\\\\\"'é\n a-z{}\\[\\]]{0,20}", number in any::<i32>()) {
            let value = json!({"text": text, "list": [number, true, null, {"": []}]});
            prop_assert_eq!(parse(&value.to_string()).map(|(value, _)| value), Some(value));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[\\[\\]{}()\",:'`\\\\u0-9a|.!/*\n -]{0,80}|.{0,80}") {
            if let Some((_, length)) = parse(&text) {
                prop_assert!(text.is_char_boundary(length));
            }
        }
    }
}
