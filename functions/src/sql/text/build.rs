//! Functions that make new texts: joined, padded, repeated, replaced, in another case.

use arrow::array::ArrayRef;
use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use datafusion::error::Result;

use crate::native::library::text::{self, MADE_MAX};
use crate::native::library::utf16;
use crate::sql::args::{Args, texts};
use crate::sql::convert::Kind::{Long, Text};
use crate::sql::error::FunctionError;
use crate::sql::spec::{Returns, Spec};

pub(super) const SPECS: &[Spec] = &[
    Spec::new("CONCAT", &[Text], Returns::Text, concat).variadic(),
    Spec::new("TEXTCAT", &[Text, Text], Returns::Text, concat),
    Spec::new("LOWER", &[Text], Returns::Text, |args| {
        map(args, |text, out| out.push_str(&text.to_lowercase()))
    }),
    Spec::new("UPPER", &[Text], Returns::Text, |args| {
        map(args, |text, out| out.push_str(&text.to_uppercase()))
    }),
    Spec::new("REVERSE", &[Text], Returns::Text, |args| {
        map(args, |text, out| out.extend(text.chars().rev()))
    }),
    Spec::new("REPEAT", &[Text, Long], Returns::Text, repeat),
    Spec::new("REPLACE", &[Text, Text, Text], Returns::Text, replace),
    Spec::new("LPAD", &[Text, Long, Text], Returns::Text, |args| pad(args, Side::Left)).required(2),
    Spec::new("RPAD", &[Text, Long, Text], Returns::Text, |args| pad(args, Side::Right)).required(2),
    Spec::new("DECODE_BASE64_UTF8", &[Text], Returns::Text, decode_base64),
];

fn map(args: &Args, write: impl Fn(&str, &mut String)) -> Result<ArrayRef> {
    let text = args.text(0)?;
    texts(args, |row, out| Ok(text.get(row).map(|text| write(text, out))))
}

/// NULL if any argument is.
fn concat(args: &Args) -> Result<ArrayRef> {
    let parts = (0..args.len()).map(|i| args.text(i)).collect::<Result<Vec<_>>>()?;
    texts(args, |row, out| {
        for part in &parts {
            let Some(text) = part.get(row) else { return Ok(None) };
            check_length(args, out.len() + text.len())?;
            out.push_str(text);
        }
        Ok(Some(()))
    })
}

/// Nothing for less than one time.
fn repeat(args: &Args) -> Result<ArrayRef> {
    let text = args.text(0)?;
    let times = args.long(1)?;
    texts(args, |row, out| {
        let (Some(text), Some(times)) = (text.get(row), times.get(row)) else { return Ok(None) };
        let Some(times) = usize::try_from(times).ok().filter(|times| *times > 0) else { return Ok(None) };
        check_length(args, text.len().saturating_mul(times))?;
        out.push_str(&text.repeat(times));
        Ok(Some(()))
    })
}

fn replace(args: &Args) -> Result<ArrayRef> {
    let (whole, from, to) = (args.text(0)?, args.text(1)?, args.text(2)?);
    texts(args, |row, out| {
        let (Some(whole), Some(from), Some(to)) = (whole.get(row), from.get(row), to.get(row)) else {
            return Ok(None);
        };
        out.push_str(&text::replace(whole, from, to).ok_or_else(|| too_long(args))?);
        Ok(Some(()))
    })
}

/// What Java's decoder takes: with padding or without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

/// To a length, cutting the end off a longer text. An empty padding only cuts. As Druid has it, a length of 0 gives NULL and
/// a negative one the empty text.
fn pad(args: &Args, side: Side) -> Result<ArrayRef> {
    let (text, length) = (args.text(0)?, args.long(1)?);
    let padding = args.optional(2, |i| args.text(i))?;
    texts(args, |row, out| {
        let padding = padding.map_or(Some(" "), |padding| padding.get(row));
        let (Some(text), Some(length), Some(padding)) = (text.get(row), length.get(row), padding) else {
            return Ok(None);
        };
        if length == 0 {
            return Ok(None);
        }
        let Ok(length) = usize::try_from(length) else { return Ok(Some(())) };
        check_length(args, length)?;
        let have = utf16::length(text);
        if length <= have {
            out.push_str(&utf16::slice(text, 0, length));
            return Ok(Some(()));
        }
        let (missing, unit) = (length - have, utf16::length(padding));
        let padding = if unit == 0 {
            String::new()
        } else {
            utf16::slice(&padding.repeat(missing.div_ceil(unit)), 0, missing)
        };
        let (first, second) =
            if side == Side::Left { (padding.as_str(), text) } else { (text, padding.as_str()) };
        out.push_str(first);
        out.push_str(second);
        Ok(Some(()))
    })
}

fn decode_base64(args: &Args) -> Result<ArrayRef> {
    let text = args.text(0)?;
    texts(args, |row, out| {
        let decoded = text.get(row).and_then(|text| BASE64.decode(text).ok());
        Ok(decoded.map(|bytes| out.push_str(&String::from_utf8_lossy(&bytes))))
    })
}

/// One call must not make a text that eats the memory of all queries.
fn check_length(args: &Args, bytes: usize) -> Result<(), FunctionError> {
    if bytes <= MADE_MAX { Ok(()) } else { Err(too_long(args)) }
}

pub(super) fn too_long(args: &Args) -> FunctionError {
    FunctionError::TooLong { function: args.function().to_owned(), bytes_max: MADE_MAX }
}
