//! YAML with the lines of its fields. CloudFormation's short tags are written out: `!Ref X` reads as `{"Ref": "X"}`,
//! `!GetAtt A.B` as `{"Fn::GetAtt": ["A", "B"]}`, every other `!Name` as `{"Fn::Name": …}`.

use std::collections::BTreeMap;

use saphyr::{LoadableYamlNode as _, MarkedYaml, Scalar, YamlData};

/// A value of a document.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// The line of its key, or its own within a list.
    pub(super) line: u64,
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    /// A text, a number or a truth value, as a text.
    Scalar(String),
    List(Vec<Node>),
    Map(BTreeMap<String, Node>),
}

impl Node {
    /// Reads one document. The error says what was expected.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let documents = MarkedYaml::load_from_str(text).map_err(|error| error.to_string())?;
        match documents.as_slice() {
            [document] => node(document, line(document)),
            others => Err(format!("expected one YAML document, found {}", others.len())),
        }
    }

    /// The field with this name.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        match &self.content {
            Content::Map(fields) => fields.get(name),
            Content::Scalar(_) | Content::List(_) => None,
        }
    }

    /// The field at the end of a path, such as `["Properties", "Timeout"]`.
    pub(super) fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |node, name| node.get(name))
    }

    /// Names and values of the fields; none if it is no mapping.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&str, &Self)> {
        let fields = match &self.content {
            Content::Map(fields) => Some(fields),
            Content::Scalar(_) | Content::List(_) => None,
        };
        fields.into_iter().flatten().map(|(name, node)| (name.as_str(), node))
    }

    /// The entries of a list; the value itself if it is none.
    pub(super) fn entries(&self) -> &[Self] {
        match &self.content {
            Content::List(entries) => entries,
            Content::Scalar(_) | Content::Map(_) => std::slice::from_ref(self),
        }
    }

    /// A text, or a number as it is written; `None` for anything larger.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar(text) => Some(text),
            Content::List(_) | Content::Map(_) => None,
        }
    }

    /// A whole number, also one in quotation marks, which CloudFormation takes as well.
    pub(super) fn number(&self) -> Option<u64> {
        self.text()?.parse().ok()
    }

    /// The resource or parameter that it refers to, by `Ref` or `GetAtt`. Of a choice (`Fn::If`), that of its last
    /// branch that refers to one.
    pub(super) fn reference(&self) -> Option<&str> {
        if let Some(name) = self.get("Ref") {
            return name.text();
        }
        if let Some(path) = self.get("Fn::GetAtt") {
            return path.entries().first()?.text();
        }
        let choice = self.get("Fn::If")?.entries();
        choice.iter().skip(1).rev().find_map(Self::reference)
    }
}

fn line(node: &MarkedYaml<'_>) -> u64 {
    u64::try_from(node.span.start.line()).unwrap_or(u64::MAX)
}

fn node(found: &MarkedYaml<'_>, at: u64) -> Result<Node, String> {
    let content = match &found.data {
        YamlData::Value(scalar) => Content::Scalar(plain(scalar)),
        YamlData::Representation(text, ..) => Content::Scalar(text.to_string()),
        YamlData::Sequence(items) => {
            let items = items.iter().map(|item| node(item, line(item)));
            Content::List(items.collect::<Result<_, String>>()?)
        }
        YamlData::Mapping(entries) => {
            let field = |(key, value): (&MarkedYaml<'_>, &MarkedYaml<'_>)| {
                let at = line(key);
                let Content::Scalar(name) = node(key, at)?.content else {
                    return Err(format!("line {at}: expected text as the key of a mapping"));
                };
                Ok((name, node(value, at)?))
            };
            Content::Map(entries.iter().map(field).collect::<Result<_, String>>()?)
        }
        YamlData::Tagged(tag, inner) => intrinsic(&tag.suffix, node(inner, at)?),
        // CloudFormation has no anchors.
        YamlData::Alias(_) | YamlData::BadValue => {
            return Err(format!("line {at}: expected a scalar, a list or a mapping"));
        }
    };
    Ok(Node { line: at, content })
}

fn plain(scalar: &Scalar<'_>) -> String {
    match scalar {
        Scalar::Null => String::new(),
        Scalar::Boolean(value) => value.to_string(),
        Scalar::Integer(value) => value.to_string(),
        Scalar::FloatingPoint(value) => value.to_string(),
        Scalar::String(value) => value.to_string(),
    }
}

fn intrinsic(tag: &str, argument: Node) -> Content {
    let at = argument.line;
    let (name, argument) = match (tag, &argument.content) {
        ("Ref" | "Condition", _) => (tag.to_owned(), argument),
        ("GetAtt", Content::Scalar(path)) => {
            let part = |text: &str| Node { line: at, content: Content::Scalar(text.to_owned()) };
            let parts = path.splitn(2, '.').map(part).collect();
            ("Fn::GetAtt".to_owned(), Node { line: at, content: Content::List(parts) })
        }
        _ => (format!("Fn::{tag}"), argument),
    };
    Content::Map(BTreeMap::from([(name, argument)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_have_their_lines_and_tags_are_written_out() {
        let text = "Resources:\n  Q:\n    Type: T\n    Arn: !GetAtt D.Arn\n    \
            Of: !If [C, !Ref F.Alias, !Ref F]\n    N: \"7\"\n";
        let root = Node::read(text).unwrap();
        let queue = root.at(&["Resources", "Q"]).unwrap();
        assert_eq!((queue.line, queue.get("Arn").unwrap().line), (2, 4));
        assert_eq!(queue.get("Arn").unwrap().reference(), Some("D"));
        assert_eq!(queue.get("Of").unwrap().reference(), Some("F"));
        assert_eq!(
            (queue.get("N").unwrap().number(), queue.get("Type").unwrap().number()),
            (Some(7), None)
        );
        assert!(Node::read("a: [").is_err() && Node::read("a: 1\n---\nb: 2\n").is_err());
    }
}
