//! Functions that give a part of a text.

use arrow::array::ArrayRef;
use datafusion::error::Result;

use crate::native::library::text::Ends;
use crate::native::library::utf16;
use crate::sql::args::{Args, parts, texts};
use crate::sql::convert::Kind::{Long, Text};
use crate::sql::spec::{Returns, Spec};

pub(super) const SPECS: &[Spec] = &[
    Spec::new("SUBSTRING", &[Text, Long, Long], Returns::Text, substring).required(2).aliases(&["SUBSTR"]),
    Spec::new("LEFT", &[Text, Long], Returns::Text, |args| edge(args, |_, count| (0, count))),
    Spec::new("RIGHT", &[Text, Long], Returns::Text, |args| {
        edge(args, |length, count| (length.saturating_sub(count), length))
    }),
    Spec::new("BTRIM", &[Text, Text], Returns::Text, |args| trim(args, Ends::BOTH))
        .required(1)
        .aliases(&["TRIM"]),
    Spec::new("LTRIM", &[Text, Text], Returns::Text, |args| trim(args, Ends::START)).required(1),
    Spec::new("RTRIM", &[Text, Text], Returns::Text, |args| trim(args, Ends::END)).required(1),
];

/// From a position counted from 1; what lies before the text counts towards the length, as in the SQL standard. NULL where
/// the text has ended by then, as in Druid.
fn substring(args: &Args) -> Result<ArrayRef> {
    let (text, start) = (args.text(0)?, args.long(1)?);
    let length = args.optional(2, |i| args.long(i))?;
    texts(args, |row, out| {
        let (Some(text), Some(start)) = (text.get(row), start.get(row)) else { return Ok(None) };
        let start = start.saturating_sub(1);
        let end = match length.map(|length| length.get(row)) {
            None => usize::MAX,
            Some(None) => return Ok(None),
            Some(Some(length)) => clamp(start.saturating_add(length)),
        };
        if clamp(start) >= utf16::length(text) {
            return Ok(None);
        }
        out.push_str(&utf16::slice(text, clamp(start), end));
        Ok(Some(()))
    })
}

fn clamp(position: i64) -> usize {
    usize::try_from(position.max(0)).unwrap_or(usize::MAX)
}

/// NULL for a negative count.
fn edge(args: &Args, range: impl Fn(usize, usize) -> (usize, usize)) -> Result<ArrayRef> {
    let (text, count) = (args.text(0)?, args.long(1)?);
    texts(args, |row, out| {
        let (Some(text), Some(count)) = (text.get(row), count.get(row)) else { return Ok(None) };
        let Ok(count) = usize::try_from(count) else { return Ok(None) };
        let (start, end) = range(utf16::length(text), count);
        out.push_str(&utf16::slice(text, start, end));
        Ok(Some(()))
    })
}

/// Characters of a set are cut off; the set is a blank unless given. NULL as the set leaves the text as it is.
fn trim(args: &Args, ends: Ends) -> Result<ArrayRef> {
    let text = args.text(0)?;
    let set = args.optional(1, |i| args.text(i))?;
    parts(args, |row| {
        let set = set.map_or(" ", |set| set.get(row).unwrap_or_default());
        Ok(text.get(row).map(|text| ends.cut(text, set)))
    })
}
