//! Functions that look into a text: lengths, positions, containment, numbers.

use arrow::array::ArrayRef;
use datafusion::error::Result;

use crate::native::library::utf16;
use crate::sql::args::{Args, booleans, longs};
use crate::sql::convert::Kind::{Long, Text};
use crate::sql::spec::{Returns, Spec};

pub(super) const SPECS: &[Spec] = &[
    Spec::new("LENGTH", &[Text], Returns::Long, length).aliases(&[
        "CHAR_LENGTH",
        "CHARACTER_LENGTH",
        "STRLEN",
    ]),
    Spec::new("STRPOS", &[Text, Text], Returns::Long, |args| position(args, 0, 1)).aliases(&["STR_POSITION"]),
    Spec::new("POSITION", &[Text, Text, Long], Returns::Long, |args| position(args, 1, 0)).required(2),
    Spec::new("CONTAINS_STRING", &[Text, Text], Returns::Boolean, contains),
    Spec::new("ICONTAINS_STRING", &[Text, Text], Returns::Boolean, contains_ignoring_case),
    Spec::new("PARSE_LONG", &[Text, Long], Returns::Long, parse_long).required(1),
];

fn length(args: &Args) -> Result<ArrayRef> {
    let text = args.text(0)?;
    longs(args, |row| Ok(text.get(row).map(|text| utf16::length(text) as i64)))
}

/// From 1; 0 where there is none. A third argument says where to begin.
fn position(args: &Args, text_at: usize, part_at: usize) -> Result<ArrayRef> {
    let (text, part) = (args.text(text_at)?, args.text(part_at)?);
    let from = args.optional(2, |i| args.long(i))?;
    longs(args, |row| {
        let from = from.map_or(Some(1), |from| from.get(row));
        let (Some(text), Some(part), Some(from)) = (text.get(row), part.get(row), from) else {
            return Ok(None);
        };
        let from = usize::try_from(from.saturating_sub(1).max(0)).unwrap_or(usize::MAX);
        Ok(Some(utf16::find(text, part, from).map_or(0, |at| at as i64 + 1)))
    })
}

fn contains(args: &Args) -> Result<ArrayRef> {
    let (text, part) = (args.text(0)?, args.text(1)?);
    booleans(args, |row| Ok(text.get(row).zip(part.get(row)).map(|(text, part)| text.contains(part))))
}

fn contains_ignoring_case(args: &Args) -> Result<ArrayRef> {
    let text = args.text(0)?;
    let mut part = args.compiled(1, |part| Ok::<_, std::convert::Infallible>(part.to_lowercase()))?;
    booleans(args, |row| {
        let (Some(text), Some(part)) = (text.get(row), part.get(row)?) else { return Ok(None) };
        Ok(Some(text.to_lowercase().contains(part.as_str())))
    })
}

/// NULL when it is no number; with base 16 a leading `0x` is skipped.
fn parse_long(args: &Args) -> Result<ArrayRef> {
    let text = args.text(0)?;
    let radix = args.optional(1, |i| args.long(i))?;
    longs(args, |row| {
        let radix = radix.map_or(Some(10), |radix| radix.get(row));
        let (Some(text), Some(radix)) = (text.get(row), radix) else { return Ok(None) };
        let Some(radix) = u32::try_from(radix).ok().filter(|radix| (2..=36).contains(radix)) else {
            return Err(args.wrong(1, format!("{radix} is no radix; they run from 2 to 36")).into());
        };
        let prefixed =
            if radix == 16 { text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) } else { None };
        Ok(i64::from_str_radix(prefixed.unwrap_or(text), radix).ok())
    })
}
