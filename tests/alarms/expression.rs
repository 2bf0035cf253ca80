//! Metric math, as far as the alarms use it.
//!
//! A value that is missing makes everything missing that is calculated with it, except `FILL`, `MAX`, and the branch
//! of an `IF` that is not taken. Source: "Using math expressions with CloudWatch metrics" in the CloudWatch user guide.

use std::collections::BTreeMap;

/// The values of the metrics of an alarm in one period, by id; `None` where there is none.
pub(super) type Values = BTreeMap<String, Option<f64>>;

/// The value of an expression.
///
/// # Panics
/// If it uses what the alarms did not use so far, or a metric that the alarm does not read.
pub(super) fn value(expression: &str, values: &Values) -> Option<f64> {
    let tokens = tokens(expression);
    let mut reader = Reader { tokens: &tokens, at: 0, values };
    let value = reader.comparison();
    assert_eq!(reader.at, tokens.len(), "{expression}: it does not end after {:?}", reader.at);
    value
}

fn tokens(text: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
        let length = if is_word(first) {
            rest.find(|c: char| !is_word(c)).unwrap_or(rest.len())
        } else if rest.starts_with(">=") || rest.starts_with("<=") {
            2
        } else {
            1
        };
        tokens.push(rest[..length].to_owned());
        rest = rest[length..].trim_start();
    }
    tokens
}

struct Reader<'a> {
    tokens: &'a [String],
    at: usize,
    values: &'a Values,
}

impl Reader<'_> {
    fn peek(&self) -> &str {
        self.tokens.get(self.at).map_or("", String::as_str)
    }

    fn take(&mut self) -> String {
        let token = self.peek().to_owned();
        self.at += 1;
        token
    }

    fn expect(&mut self, expected: &str) {
        let found = self.take();
        assert_eq!(found, expected, "token {} of {:?}", self.at, self.tokens);
    }

    fn comparison(&mut self) -> Option<f64> {
        let left = self.sum();
        let sign = self.peek().to_owned();
        if ![">", ">=", "<", "<="].contains(&sign.as_str()) {
            return left;
        }
        self.at += 1;
        let (left, right) = (left, self.sum());
        let (left, right) = (left?, right?);
        let holds = match sign.as_str() {
            ">" => left > right,
            ">=" => left >= right,
            "<" => left < right,
            _ => left <= right,
        };
        Some(f64::from(u8::from(holds)))
    }

    fn sum(&mut self) -> Option<f64> {
        let mut left = self.product();
        while ["+", "-"].contains(&self.peek()) {
            let sign = self.take();
            let right = self.product();
            left = left.zip(right).map(|(a, b)| if sign == "+" { a + b } else { a - b });
        }
        left
    }

    fn product(&mut self) -> Option<f64> {
        let mut left = self.atom();
        while ["*", "/"].contains(&self.peek()) {
            let sign = self.take();
            let right = self.atom();
            left = left.zip(right).and_then(|(a, b)| match sign.as_str() {
                "*" => Some(a * b),
                _ if b == 0.0 => None,
                _ => Some(a / b),
            });
        }
        left
    }

    fn atom(&mut self) -> Option<f64> {
        let token = self.take();
        match token.as_str() {
            "(" => {
                let value = self.comparison();
                self.expect(")");
                value
            }
            "IF" => match self.arguments("(", ")").as_slice() {
                [condition, then, otherwise] => {
                    condition.and_then(|holds| if holds == 0.0 { *otherwise } else { *then })
                }
                others => panic!("IF has {} arguments", others.len()),
            },
            "FILL" => match self.arguments("(", ")").as_slice() {
                [value, default] => value.or(*default),
                others => panic!("FILL has {} arguments", others.len()),
            },
            "MAX" => {
                self.expect("(");
                let values = self.arguments("[", "]");
                self.expect(")");
                values.into_iter().flatten().reduce(f64::max)
            }
            number if number.starts_with(|c: char| c.is_ascii_digit()) => {
                Some(number.parse().unwrap())
            }
            id => {
                *self.values.get(id).unwrap_or_else(|| panic!("{id:?} is no metric of the alarm"))
            }
        }
    }

    fn arguments(&mut self, open: &str, close: &str) -> Vec<Option<f64>> {
        self.expect(open);
        let mut arguments = vec![self.comparison()];
        while self.peek() == "," {
            self.at += 1;
            arguments.push(self.comparison());
        }
        self.expect(close);
        arguments
    }
}

#[test]
fn expressions_have_their_value_or_none() {
    let given = [("a", Some(6.0)), ("b", Some(2.0)), ("gone", None), ("zero", Some(0.0))];
    let values: Values = given.map(|(id, value)| (id.to_owned(), value)).into();
    let cases = [
        ("100 * (a + b) / (a + b + b)", Some(80.0)),
        ("a - b - b", Some(2.0)),
        ("a + gone", None),
        ("FILL(gone, 3) + 1", Some(4.0)),
        ("MAX([a, FILL(gone, 0), b])", Some(6.0)),
        ("a / zero", None),
        ("IF(a >= 6, b, a)", Some(2.0)),
        ("IF(zero > 0, a / zero, 7)", Some(7.0)),
        ("IF(gone > 0, 1, 2)", None),
    ];
    for (expression, expected) in cases {
        assert_eq!(value(expression, &values), expected, "{expression}");
    }
}
