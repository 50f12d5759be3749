//! Rows of several texts: multi-value dimensions and arrays of texts. A plain text is a list of one.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ListBuilder, StringViewArray, StringViewBuilder};
use arrow::datatypes::{DataType, Field};
use datafusion::error::Result;

use super::regexp::compiled;
use crate::native::library::arrays::split_text;
use crate::sql::args::{Args, booleans, longs, parts, texts};
use crate::sql::convert::Kind::{Long, Text, TextList};
use crate::sql::spec::{Returns, Spec};

pub(super) const SPECS: &[Spec] = &[
    Spec::new("STRING_TO_MV", &[Text, Text], Returns::TextList, split).aliases(&["STRING_TO_ARRAY"]),
    Spec::new("MV_TO_STRING", &[TextList, Text], Returns::Text, join).aliases(&["ARRAY_TO_STRING"]),
    Spec::new("MV_TO_ARRAY", &[TextList], Returns::TextList, |args| filter(args, |_, _| true))
        .aliases(&["ARRAY_TO_MV"]),
    Spec::new("MV_LENGTH", &[TextList], Returns::Long, length),
    Spec::new("MV_OFFSET", &[TextList, Long], Returns::Text, |args| element(args, 0)),
    Spec::new("MV_ORDINAL", &[TextList, Long], Returns::Text, |args| element(args, 1)),
    Spec::new("MV_CONTAINS", &[TextList, TextList], Returns::Boolean, |args| {
        compare(args, |left, right| right.iter().all(|wanted| left.iter().any(|have| have == wanted)))
    }),
    Spec::new("MV_OVERLAP", &[TextList, TextList], Returns::Boolean, |args| {
        compare(args, |left, right| right.iter().any(|wanted| left.iter().any(|have| have == wanted)))
    }),
    Spec::new("MV_FILTER_ONLY", &[TextList, TextList], Returns::TextList, |args| {
        filter(args, |value, wanted| wanted.is_some_and(|wanted| wanted.iter().any(|text| text == value)))
    }),
    Spec::new("MV_FILTER_NONE", &[TextList, TextList], Returns::TextList, |args| {
        filter(args, |value, unwanted| {
            !unwanted.is_some_and(|unwanted| unwanted.iter().any(|text| text == value))
        })
    }),
];

fn builder() -> ListBuilder<StringViewBuilder> {
    ListBuilder::new(StringViewBuilder::new())
        .with_field(Arc::new(Field::new_list_field(DataType::Utf8View, true)))
}

/// The separator is a regular expression, as in Java; empty texts at the end are dropped.
///
/// Pieces take memory that no pool counts, so a batch makes no more of them than of texts.
fn split(args: &Args) -> Result<ArrayRef> {
    let text = args.text(0)?;
    let mut separators = args.compiled(1, compiled)?;
    let mut lists = builder();
    let mut bytes = 0;
    for row in 0..args.rows() {
        let (Some(text), Some(separator)) = (text.get(row), separators.get(row)?) else {
            lists.append(false);
            continue;
        };
        let pieces = split_text(text, separator);
        bytes += text.len() + pieces.len() * size_of::<u128>();
        args.check_bytes(bytes, row)?;
        for piece in pieces {
            lists.values().append_value(piece);
        }
        lists.append(true);
    }
    Ok(Arc::new(lists.finish()))
}

fn join(args: &Args) -> Result<ArrayRef> {
    let (lists, separator) = (args.lists(0)?, args.text(1)?);
    texts(args, |row, out| {
        let (Some(list), Some(separator)) = (lists.get(row), separator.get(row)) else { return Ok(None) };
        for (i, text) in list.iter().enumerate() {
            if i > 0 {
                out.push_str(separator);
            }
            out.push_str(text.unwrap_or("null"));
        }
        Ok(Some(()))
    })
}

fn length(args: &Args) -> Result<ArrayRef> {
    let lists = args.lists(0)?;
    longs(args, |row| Ok(lists.get(row).map(|list| list.len() as i64)))
}

fn element(args: &Args, first: i64) -> Result<ArrayRef> {
    let (lists, index) = (args.lists(0)?, args.long(1)?);
    let rows: Vec<Option<StringViewArray>> = (0..args.rows()).map(|row| lists.get(row)).collect();
    parts(args, |row| {
        let (Some(Some(list)), Some(index)) = (rows.get(row), index.get(row)) else { return Ok(None) };
        let index = index.checked_sub(first).and_then(|index| usize::try_from(index).ok());
        Ok(index.filter(|index| *index < list.len() && list.is_valid(*index)).map(|index| list.value(index)))
    })
}

fn compare(args: &Args, holds: impl Fn(&StringViewArray, &StringViewArray) -> bool) -> Result<ArrayRef> {
    let (left, right) = (args.lists(0)?, args.lists(1)?);
    booleans(args, |row| Ok(left.get(row).zip(right.get(row)).map(|(left, right)| holds(&left, &right))))
}

/// The texts of the first list that pass, against the second where there is one. An empty list is NULL.
fn filter(args: &Args, passes: impl Fn(Option<&str>, Option<&StringViewArray>) -> bool) -> Result<ArrayRef> {
    let left = args.lists(0)?;
    let right = args.optional(1, |i| args.lists(i))?;
    let mut lists = builder();
    for row in 0..args.rows() {
        let right = right.and_then(|right| right.get(row));
        let mut any = false;
        for text in left.get(row).iter().flatten() {
            if passes(text, right.as_ref()) {
                lists.values().append_option(text);
                any = true;
            }
        }
        lists.append(any);
    }
    Ok(Arc::new(lists.finish()))
}
