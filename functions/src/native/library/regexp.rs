//! Regular expressions and LIKE patterns. Patterns are literals, compiled once.
//!
//! Patterns are written for Java's engine. What Rust's reads differently is translated ([`compile`]): `\d`, `\w`,
//! `\s` and POSIX classes (`\p{Alpha}`) mean ASCII, `\Q…\E` quotes, `\h` is a blank, `\Z` the end. What needs
//! backtracking (look-around, back references, possessive quantifiers) is refused. In exchange every match takes time
//! linear in the text, so no pattern can stop a stream.

use regex::{Regex, RegexBuilder};

use super::text::MADE_MAX;
use super::{Call, Definition, function};
use crate::native::error::ExpressionError;
use crate::native::kernel::{Text, Truth, map1};
use crate::native::types::{Type, Typed};

type Lowered = Result<Typed, ExpressionError>;

pub(super) const FUNCTIONS: &[Definition] = &[
    function("regexp_extract", 2, 3, extract),
    function("regexp_like", 2, 2, matches),
    function("regexp_replace", 3, 3, replace),
    function("like", 2, 3, like),
];

/// The largest compiled pattern, in bytes.
const COMPILED_MAX: usize = 1 << 20;

/// Compiles a pattern that was written for `java.util.regex`.
pub(crate) fn compile(pattern: &str) -> Result<Regex, String> {
    let unusable = |reason: &str| format!("has a pattern that cannot be used: {reason}");
    RegexBuilder::new(&translate(pattern).map_err(unusable)?)
        .size_limit(COMPILED_MAX)
        .build()
        .map_err(|error| unusable(last_line(&error.to_string())))
}

/// The regex crate explains itself over several lines, with a picture; the last says what is wrong.
fn last_line(text: &str) -> &str {
    text.lines().last().unwrap_or(text).trim_start_matches("error: ")
}

/// A LIKE pattern as a regular expression over the whole text: `%` any characters, `_` one.
pub(crate) fn like_pattern(pattern: &str, escape: Option<char>) -> String {
    let mut out = String::from("(?s)\\A");
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            c if Some(c) == escape => out.push_str(&regex::escape(&chars.next().unwrap_or(c).to_string())),
            '%' => out.push_str(".*?"),
            '_' => out.push('.'),
            c => out.push_str(&regex::escape(&c.to_string())),
        }
    }
    out + "\\z"
}

/// Java's notation in Rust's.
fn translate(pattern: &str) -> Result<String, &'static str> {
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern;
    let mut class_depth = 0_usize;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        let repeats = match c {
            '*' | '+' | '?' => Some(""),
            '{' => rest.find('}').map(|end| &rest[..=end]).filter(|counts| is_counts(counts)),
            _ => None,
        };
        match c {
            _ if class_depth == 0
                && let Some(counts) = repeats =>
            {
                out.push(c);
                out.push_str(counts);
                rest = &rest[counts.len()..];
                // What Rust would read as a repeated repetition.
                if rest.starts_with('+') {
                    return Err("possessive quantifiers are not supported");
                }
            }
            '\\' => rest = escape(rest, class_depth > 0, &mut out),
            '[' => {
                class_depth += 1;
                out.push(c);
                // `[]…]` and `[^]…]` hold a bracket.
                if let Some(after) = rest.strip_prefix('^') {
                    out.push('^');
                    rest = after;
                }
                if let Some(after) = rest.strip_prefix(']') {
                    out.push_str("\\]");
                    rest = after;
                }
            }
            ']' => {
                class_depth = class_depth.saturating_sub(1);
                out.push(c);
            }
            c => out.push(c),
        }
    }
    Ok(out)
}

/// Whether this is what follows the bracket of `{2}`, `{2,}` or `{2,5}`.
fn is_counts(text: &str) -> bool {
    let counts = text.trim_end_matches('}');
    counts.starts_with(|c: char| c.is_ascii_digit()) && counts.chars().all(|c| c.is_ascii_digit() || c == ',')
}

/// Java's POSIX classes, which are ASCII.
fn posix_class(name: &str) -> Option<&'static str> {
    Some(match name {
        "Lower" => "a-z",
        "Upper" => "A-Z",
        "ASCII" => "\\x00-\\x7F",
        "Alpha" => "A-Za-z",
        "Digit" => "0-9",
        "Alnum" => "0-9A-Za-z",
        "Punct" => "!-/:-@\\[-`{-~",
        "Graph" => "!-~",
        "Print" => " -~",
        "Blank" => " \\t",
        "Cntrl" => "\\x00-\\x1F\\x7F",
        "XDigit" => "0-9A-Fa-f",
        "Space" => " \\t\\n\\x0B\\f\\r",
        _ => return None,
    })
}

/// What follows a backslash; gives back what follows that.
fn escape<'a>(rest: &'a str, in_class: bool, out: &mut String) -> &'a str {
    let Some(c) = rest.chars().next() else {
        out.push('\\');
        return rest;
    };
    let after = &rest[c.len_utf8()..];
    let ascii = match c {
        'd' => Some("0-9"),
        'D' => Some("^0-9"),
        'w' => Some("0-9A-Za-z_"),
        'W' => Some("^0-9A-Za-z_"),
        's' => Some(" \\t\\n\\x0B\\f\\r"),
        'S' => Some("^ \\t\\n\\x0B\\f\\r"),
        'h' => Some(" \\t\\u{A0}\\u{1680}\\u{180E}\\u{2000}-\\u{200A}\\u{202F}\\u{205F}\\u{3000}"),
        _ => None,
    };
    if let Some(class) = ascii {
        // A class inside a class is their union, negated or not.
        out.push('[');
        out.push_str(class);
        out.push(']');
        return after;
    }
    if let 'p' | 'P' = c
        && let Some((name, after)) = after.strip_prefix('{').and_then(|named| named.split_once('}'))
        && let Some(class) = posix_class(name)
    {
        out.push_str(if c == 'p' { "[" } else { "[^" });
        out.push_str(class);
        out.push(']');
        return after;
    }
    match c {
        'Q' => {
            let (quoted, after) = after.split_once("\\E").unwrap_or((after, ""));
            out.push_str(&regex::escape(quoted));
            after
        }
        'Z' if !in_class => {
            out.push_str("\\n?\\z");
            after
        }
        'R' if !in_class => {
            out.push_str("(?:\\r\\n|[\\n\\x0B\\f\\r\\u{85}\\u{2028}\\u{2029}])");
            after
        }
        'e' => {
            out.push_str("\\x1B");
            after
        }
        // Java takes any escaped character that is no letter as itself; Rust only some.
        c if !c.is_ascii_alphanumeric() => {
            out.push_str(&regex::escape(&c.to_string()));
            after
        }
        c => {
            out.push('\\');
            out.push(c);
            after
        }
    }
}

fn pattern(call: &Call) -> Result<Option<Regex>, ExpressionError> {
    match call.literal_text(1, "the pattern")? {
        Some(pattern) => compile(pattern).map(Some).map_err(|problem| call.error(problem)),
        None => Ok(None),
    }
}

/// The match, or one of its groups; NULL where there is none.
fn extract(call: &Call) -> Lowered {
    let text = call.text(0)?;
    let Some(regex) = pattern(call)? else { return Ok(Typed::null()) };
    let index = call.literal_long(2, "the group")?.unwrap_or(0);
    let groups = regex.captures_len();
    let Some(index) = usize::try_from(index).ok().filter(|index| *index < groups) else {
        return Err(call.error(format!("asks for group {index} of a pattern with {}", groups - 1)));
    };
    let constants = format!("{:?}, {index}", regex.as_str());
    let kernel = if index == 0 {
        map1::<Text, Text>(move |s| regex.find(s).map(|m| m.as_str().to_owned()))
    } else {
        map1::<Text, Text>(move |s| regex.captures(s)?.get(index).map(|m| m.as_str().to_owned()))
    };
    Ok(call.function_with(&constants, vec![text], Type::Text, kernel))
}

fn matches(call: &Call) -> Lowered {
    let text = call.text(0)?;
    let Some(regex) = pattern(call)? else { return Ok(Typed::null()) };
    Ok(condition(call, text, regex))
}

fn condition(call: &Call, text: datafusion::logical_expr::Expr, regex: Regex) -> Typed {
    let constants = format!("{:?}", regex.as_str());
    call.function_with(
        &constants,
        vec![text],
        Type::Truth,
        map1::<Text, Truth>(move |s| Some(regex.is_match(s))),
    )
}

fn replace(call: &Call) -> Lowered {
    let text = call.text(0)?;
    let Some(regex) = pattern(call)? else { return Ok(Typed::null()) };
    let Some(replacement) = call.literal_text(2, "the replacement")? else { return Ok(Typed::null()) };
    let pieces = pieces(replacement, &regex).map_err(|problem| call.error(problem))?;
    let constants = format!("{:?}, {replacement:?}", regex.as_str());
    let kernel = map1::<Text, Text>(move |s| replace_all(s, &regex, &pieces));
    Ok(call.function_with(&constants, vec![text], Type::Text, kernel))
}

/// Replacements nest, so that texts could grow without bound: `None` as soon as one has grown beyond [`MADE_MAX`].
pub(crate) fn replace_all(text: &str, regex: &Regex, pieces: &[Piece]) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let (mut from, mut look_from) = (0, 0);
    // As Java finds them: a match of no width may follow right behind another match.
    while let Some(found) = (look_from <= text.len()).then(|| regex.captures_at(text, look_from)).flatten() {
        let whole = found.get(0)?;
        out.push_str(&text[from..whole.start()]);
        for piece in pieces {
            let piece = match piece {
                Piece::Literal(literal) => literal,
                Piece::Group(index) => found.get(*index).map_or("", |m| m.as_str()),
            };
            // Before it is made: a replacement may name a long group many times.
            if out.len() + piece.len() > MADE_MAX {
                return None;
            }
            out.push_str(piece);
        }
        from = whole.end();
        let next_char = text[from..].chars().next().map_or(1, char::len_utf8);
        look_from = if whole.is_empty() { from + next_char } else { from };
    }
    out.push_str(&text[from..]);
    Some(out)
}

/// A part of a replacement.
#[derive(Debug, PartialEq)]
pub(crate) enum Piece {
    Literal(String),
    Group(usize),
}

/// Java's replacement syntax: `$1`, `${name}`, and a backslash before what is meant literally.
pub(crate) fn pieces(replacement: &str, regex: &Regex) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut rest = replacement;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '\\' => {
                let next = rest.chars().next().ok_or("has a replacement that ends in a backslash")?;
                literal.push(next);
                rest = &rest[next.len_utf8()..];
            }
            '$' => {
                let (group, after) = group(rest, regex)?;
                if !literal.is_empty() {
                    pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                }
                pieces.push(Piece::Group(group));
                rest = after;
            }
            c => literal.push(c),
        }
    }
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    Ok(pieces)
}

/// The group that a reference means: as many digits as still name a group.
fn group<'a>(rest: &'a str, regex: &Regex) -> Result<(usize, &'a str), String> {
    if let Some((name, after)) = rest.strip_prefix('{').and_then(|named| named.split_once('}')) {
        let index = regex.capture_names().position(|known| known == Some(name));
        return index
            .map(|index| (index, after))
            .ok_or(format!("replaces by a group '{name}' that the pattern lacks"));
    }
    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    for length in (1..=digits.min(3)).rev() {
        match rest[..length].parse() {
            Ok(index) if index < regex.captures_len() => return Ok((index, &rest[length..])),
            _ => {}
        }
    }
    Err(format!(
        "replaces by '${}', where the pattern has {} groups",
        &rest[..digits],
        regex.captures_len() - 1
    ))
}

fn like(call: &Call) -> Lowered {
    let text = call.text(0)?;
    let Some(pattern) = call.literal_text(1, "the pattern")? else { return Ok(Typed::null()) };
    let escape = match call.literal_text(2, "the escape")? {
        None | Some("") => None,
        Some(escape) if escape.chars().count() == 1 => escape.chars().next(),
        Some(_) => return Err(call.error("takes one character as the escape, its argument 3")),
    };
    // Not `compile`: the pattern is of our making and in Rust's notation.
    let regex = RegexBuilder::new(&like_pattern(pattern, escape)).size_limit(COMPILED_MAX).build();
    let regex = regex.map_err(|error| call.error(format!("has a pattern that cannot be used: {error}")))?;
    Ok(condition(call, text, regex))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_words_and_blanks_are_ascii_as_in_java() {
        assert_eq!(translate(r"^(-?\d+(?:\.\d+)?)").unwrap(), r"^(-?[0-9]+(?:\.[0-9]+)?)");
        let regex = compile(r"^[\w-]+\s\D$").unwrap();
        assert!(regex.is_match("a-b x") && !regex.is_match("ä x") && !regex.is_match("a\u{a0}x"));
    }

    #[test]
    fn quoting_and_odd_escapes_are_read_as_java_reads_them() {
        assert!(compile(r"^\Qa.b\E+$").unwrap().is_match("a.bb"));
        assert!(compile(r"^\/\:\ x$").unwrap().is_match("/: x"));
        assert!(compile(r"x\Z").unwrap().is_match("x\n"));
        assert!(compile(r"^[\d.]+$").unwrap().is_match("1.5"));
    }

    #[test]
    fn posix_classes_are_ascii_as_in_java() {
        let is_match = |pattern: &str, text: &str| compile(pattern).unwrap().is_match(text);
        assert!(
            is_match(r"\p{Punct}", "+") && is_match(r"^[\p{Punct}x]+$", "-x]") && is_match(r"\P{Alpha}", "ü")
        );
        assert!(!is_match(r"\p{Alpha}", "ü") && !is_match(r"[^\p{Punct}]", "`~"));
        assert!(is_match(r"\p{L}", "ü"), "Unicode's own classes are what they are");
    }

    #[test]
    fn matches_of_no_width_are_those_that_java_finds() {
        let replaced = |pattern: &str, text: &str| {
            let regex = compile(pattern).unwrap();
            replace_all(text, &regex, &pieces("-", &regex).unwrap()).unwrap()
        };
        assert_eq!(replaced("b*", "abc"), "-a--c-");
        assert_eq!(replaced("", "äb"), "-ä-b-");
        assert_eq!(replaced("^", "ab"), "-ab");
        assert_eq!(replaced("b", "abcb"), "a-c-");
    }

    #[test]
    fn what_needs_backtracking_is_refused_with_the_reason() {
        for possessive in ["a++a", "a*+", "a?+", "a{2}+", "a{2,}+b", r"[x]{2,3}+"] {
            assert!(compile(possessive).unwrap_err().contains("possessive"), "{possessive}");
        }
        for fine in [r"a\++", "[+]+", "[*+]", "a+b+", "a+?"] {
            assert!(compile(fine).is_ok(), "{fine}");
        }
        let error = compile(r"(?=x)").unwrap_err();
        assert!(error.contains("look-around"), "{error}");
        assert!(compile(r"(a)\1").unwrap_err().contains("backreferences"));
    }

    #[test]
    fn a_replacement_takes_as_many_digits_as_name_a_group() {
        let regex = compile("(a)(b)").unwrap();
        assert_eq!(pieces("$12", &regex).unwrap(), [Piece::Group(1), Piece::Literal("2".into())]);
        assert_eq!(pieces(r"\$1", &regex).unwrap(), [Piece::Literal("$1".into())]);
        assert!(pieces("$3", &regex).is_err());
    }
}
