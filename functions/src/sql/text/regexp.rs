//! Regular expressions in Java's notation; see [`crate::native`] for what of it is understood.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use arrow::array::ArrayRef;
use datafusion::error::Result;
use regex::Regex;

use crate::native::library::compile_regex;
use crate::native::library::regexp::{Piece, pieces, replace_all};
use crate::sql::args::{Args, Numbers, booleans, parts, texts};
use crate::sql::convert::Kind::{Long, Text};
use crate::sql::spec::{Returns, Spec};
use crate::sql::text::build::too_long;

pub(super) const SPECS: &[Spec] = &[
    Spec::new("REGEXP_EXTRACT", &[Text, Text, Long], Returns::Text, extract).required(2),
    Spec::new("REGEXP_LIKE", &[Text, Text], Returns::Boolean, is_like),
    Spec::new("REGEXP_REPLACE", &[Text, Text, Text], Returns::Text, replace),
];

/// A query runs the same few patterns over many batches; compiling one costs as much as matching thousands of rows.
static COMPILED: Mutex<VecDeque<(String, Regex)>> = Mutex::new(VecDeque::new());

/// How many patterns are kept.
const COMPILED_MAX: usize = 64;

pub(super) fn compiled(pattern: &str) -> Result<Regex, String> {
    let mut known = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, regex)) = known.iter().find(|(text, _)| text == pattern) {
        return Ok(regex.clone());
    }
    drop(known);
    let regex = compile_regex(pattern)?;
    known = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    known.push_front((pattern.to_owned(), regex.clone()));
    known.truncate(COMPILED_MAX);
    Ok(regex)
}

/// The whole match, or a group of it; NULL where there is no match.
fn extract(args: &Args) -> Result<ArrayRef> {
    let text = args.text(0)?;
    let mut patterns = args.compiled(1, compiled)?;
    let group = args.optional(2, |i| args.long(i))?;
    if let Some(index) = group.filter(Numbers::is_literal).and_then(|group| group.get(0))
        && patterns.is_literal()
        && let Some(regex) = patterns.get(0)?
    {
        group_index(args, regex, index)?;
    }
    parts(args, |row| {
        let index = group.map_or(Some(0), |group| group.get(row));
        let (Some(text), Some(index), Some(regex)) = (text.get(row), index, patterns.get(row)?) else {
            return Ok(None);
        };
        let found = match group_index(args, regex, index)? {
            0 => regex.find(text),
            index => regex.captures(text).and_then(|captures| captures.get(index)),
        };
        Ok(found.map(|found| found.as_str()))
    })
}

fn group_index(args: &Args, regex: &Regex, index: i64) -> Result<usize> {
    let groups = regex.captures_len();
    usize::try_from(index).ok().filter(|index| *index < groups).ok_or_else(|| {
        args.wrong(2, format!("there is no group {index} in a pattern with {} groups", groups - 1)).into()
    })
}

fn is_like(args: &Args) -> Result<ArrayRef> {
    let text = args.text(0)?;
    let mut patterns = args.compiled(1, compiled)?;
    booleans(args, |row| {
        let (Some(text), Some(regex)) = (text.get(row), patterns.get(row)?) else { return Ok(None) };
        Ok(Some(regex.is_match(text)))
    })
}

fn replace(args: &Args) -> Result<ArrayRef> {
    let (text, replacement) = (args.text(0)?, args.text(2)?);
    let mut patterns = args.compiled(1, compiled)?;
    let mut last: Option<(String, &str, Vec<Piece>)> = None;
    texts(args, |row, out| {
        let (Some(text), Some(replacement), Some(regex)) =
            (text.get(row), replacement.get(row), patterns.get(row)?)
        else {
            return Ok(None);
        };
        let stale =
            last.as_ref().is_none_or(|(pattern, text, _)| pattern != regex.as_str() || *text != replacement);
        if stale {
            let made = pieces(replacement, regex).map_err(|problem| args.wrong(2, problem))?;
            last = Some((regex.as_str().to_owned(), replacement, made));
        }
        let made = last.as_ref().map(|(_, _, made)| made.as_slice()).unwrap_or_default();
        out.push_str(&replace_all(text, regex, made).ok_or_else(|| too_long(args))?);
        Ok(Some(()))
    })
}
