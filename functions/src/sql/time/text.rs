//! `TIME_PARSE` and `TIME_FORMAT`: times as texts, and the plain conversions from and to milliseconds.

use arrow::array::ArrayRef;
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::error::Result;
use ovate_storage::time::parse::parse_iso;
use ovate_storage::time::{JodaPattern, Zone, write_instant};

use crate::sql::args::{Args, Compiled, texts, times};
use crate::sql::convert::Kind::{Long, Text, Time};
use crate::sql::convert::TIME;
use crate::sql::spec::{Returns, Spec};

pub(super) const SPECS: &[Spec] = &[
    Spec::new("TIME_PARSE", &[Text, Text, Text], Returns::Time, parse).required(1),
    Spec::new("TIME_FORMAT", &[Time, Text, Text], Returns::Text, format).required(1),
    Spec::new("MILLIS_TO_TIMESTAMP", &[Long], Returns::Time, |args| retype(args, &TIME)),
    Spec::new("TIMESTAMP_TO_MILLIS", &[Time], Returns::Long, |args| retype(args, &DataType::Int64)),
];

/// What cannot be read is NULL; without a pattern, or with a NULL one, texts are ISO-8601.
fn parse(args: &Args) -> Result<ArrayRef> {
    let text = args.text(0)?;
    let mut patterns = args.optional(1, |i| args.compiled(i, JodaPattern::compile))?;
    let mut zones = args.zone(2)?;
    times(args, |row| {
        let Some(text) = text.get(row) else { return Ok(None) };
        let zone = zones.get(row)?;
        Ok(match pattern(&mut patterns, row)? {
            Some(pattern) => pattern.parse(text, zone),
            None => parse_iso(text, zone),
        })
    })
}

/// Without a pattern, or with a NULL one, `2026-11-23T10:00:00.000+00:00`.
fn format(args: &Args) -> Result<ArrayRef> {
    let time = args.time(0)?;
    let mut patterns = args.optional(1, |i| args.compiled(i, JodaPattern::compile))?;
    let mut zones = args.zone(2)?;
    texts(args, |row, out| {
        let Some(time_ms) = time.get(row) else { return Ok(None) };
        let zone = zones.get(row)?;
        // Writing into a String does not fail.
        let _ = match pattern(&mut patterns, row)? {
            Some(pattern) => pattern.write(out, time_ms, zone),
            None => write_iso(out, time_ms, zone),
        };
        Ok(Some(()))
    })
}

/// As results are written, but UTC is `+00:00`.
fn write_iso(out: &mut String, time_ms: i64, zone: Zone) -> std::fmt::Result {
    write_instant(out, time_ms, zone)?;
    if zone == Zone::UTC {
        out.pop();
        out.push_str("+00:00");
    }
    Ok(())
}

fn pattern<'a>(
    patterns: &'a mut Option<Compiled<'_, JodaPattern>>,
    row: usize,
) -> Result<Option<&'a JodaPattern>> {
    match patterns {
        Some(patterns) => patterns.get(row),
        None => Ok(None),
    }
}

/// The same milliseconds under another type.
fn retype(args: &Args, wanted: &DataType) -> Result<ArrayRef> {
    let column = args.column(0)?;
    let rows = args.rows().min(column.array.len());
    Ok(cast(&column.array.slice(0, rows), wanted)?)
}
