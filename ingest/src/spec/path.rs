//! The JSON paths of a flattenSpec: the definite ones, which lead to one place.

use std::iter::Peekable;
use std::str::Chars;

use crate::error::SpecError;

/// One step into a JSON document.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step {
    /// Into the field of an object.
    Key(String),
    /// Into the element of a list, counted from 0.
    Index(usize),
}

/// A place in a JSON document. Without steps it is the document.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct JsonPath(pub Vec<Step>);

impl JsonPath {
    /// The path to a field at the top.
    pub fn root(name: impl Into<String>) -> Self {
        Self(vec![Step::Key(name.into())])
    }

    /// Reads `$.a.b`, `$['a']["b"]`, `$.a[0].b`; a trailing `[*]` is taken off, as a list is kept whole anyway.
    /// `at` is where the expression stands in the spec.
    pub fn parse(expression: &str, at: &str) -> Result<Self, SpecError> {
        let refuse = |what: &str| SpecError::Unsupported {
            path: at.to_owned(),
            what: format!("{what} in the path {expression:?}"),
            instead: "supported: $.name, $['name'] and $.list[0]".into(),
        };
        let text = expression.trim();
        let text = text.strip_suffix("[*]").unwrap_or(text);
        let text = text.strip_prefix('$').unwrap_or(text);
        let mut chars = text.chars().peekable();
        let mut steps = Vec::new();
        // Without `$.` the first name stands alone: `a.b` means `$.a.b`.
        if chars.peek().is_some_and(|c| !matches!(c, '.' | '[')) {
            steps.push(Step::Key(name(&mut chars)));
        }
        while let Some(c) = chars.next() {
            match c {
                '.' if chars.peek() == Some(&'.') => return Err(refuse("a deep scan (..)")),
                '.' if chars.peek() == Some(&'*') => return Err(refuse("a wildcard (*)")),
                '.' => match name(&mut chars) {
                    name if name.is_empty() => return Err(refuse("an empty name")),
                    name if name.ends_with(')') => return Err(refuse("a function")),
                    name => steps.push(Step::Key(name)),
                },
                '[' => steps.push(bracket(&mut chars).map_err(refuse)?),
                _ => return Err(refuse("an unexpected character")),
            }
        }
        Ok(Self(steps))
    }
}

fn name(chars: &mut Peekable<Chars<'_>>) -> String {
    let mut name = String::new();
    while let Some(c) = chars.next_if(|c| !matches!(c, '.' | '[')) {
        name.push(c);
    }
    name
}

/// What stands between `[` and `]`.
fn bracket(chars: &mut Peekable<Chars<'_>>) -> Result<Step, &'static str> {
    let Some(first) = chars.next() else { return Err("an open bracket") };
    match first {
        '\'' | '"' => {
            let mut name = String::new();
            loop {
                match chars.next() {
                    Some('\\') => name.extend(chars.next()),
                    Some(c) if c == first => break,
                    Some(c) => name.push(c),
                    None => return Err("an open quote"),
                }
            }
            match chars.next() {
                Some(']') => Ok(Step::Key(name)),
                Some(',') => Err("a union of names"),
                _ => Err("an open bracket"),
            }
        }
        '0'..='9' => {
            let mut digits = String::from(first);
            while let Some(digit) = chars.next_if(char::is_ascii_digit) {
                digits.push(digit);
            }
            match (chars.next(), digits.parse()) {
                (Some(']'), Ok(index)) => Ok(Step::Index(index)),
                (Some(':' | ','), _) => Err("a slice or union"),
                _ => Err("a bad index"),
            }
        }
        '*' => Err("a wildcard ([*])"),
        '?' => Err("a filter ([?])"),
        '-' => Err("an index from the end"),
        _ => Err("an unexpected bracket"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Step {
        Step::Key(name.into())
    }

    #[test]
    fn definite_paths_lead_to_one_place() {
        let cases = [
            ("$", vec![]),
            ("$.a", vec![key("a")]),
            ("a.b", vec![key("a"), key("b")]),
            ("$.payload.location.loc", vec![key("payload"), key("location"), key("loc")]),
            ("$['a.b'][\"c\"]", vec![key("a.b"), key("c")]),
            ("$['it\\'s']", vec![key("it's")]),
            ("$.a[10].b", vec![key("a"), Step::Index(10), key("b")]),
            ("$.tags[*]", vec![key("tags")]),
            ("$.größe", vec![key("größe")]),
        ];
        for (text, steps) in cases {
            assert_eq!(JsonPath::parse(text, "p"), Ok(JsonPath(steps)), "{text}");
        }
    }

    #[test]
    fn paths_that_lead_to_several_places_are_refused_by_name() {
        for (text, what) in [
            ("$..a", "a deep scan"),
            ("$.*", "a wildcard"),
            ("$.a[*].b", "a wildcard"),
            ("$.a[?(@.b > 1)]", "a filter"),
            ("$.a[-1]", "an index from the end"),
            ("$.a[0:2]", "a slice"),
            ("$['a','b']", "a union"),
            ("$.a.length()", "a function"),
            ("$.a[", "an open bracket"),
            ("$.a['b", "an open quote"),
            ("$.", "an empty name"),
        ] {
            let error = JsonPath::parse(text, "at").unwrap_err().to_string();
            assert!(error.starts_with(&format!("at: {what}")), "{text}: {error}");
        }
    }
}
