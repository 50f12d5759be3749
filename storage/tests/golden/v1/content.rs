//! The rows of the golden segment of format version 1. Never to be changed: the files beside it were written from
//! these rows.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float32Array, Float64Array, Int64Array, StringViewArray};
use ovate_storage::NULL_CODE;
use ovate_storage::schema::{ColumnSpec, ColumnType, Rollup};
use ovate_storage::segment::{InputColumn, SegmentInput};
use ovate_storage::time::Interval;

pub(crate) const DATASOURCE: &str = "golden";
pub(crate) const VERSION: &str = "2026-11-23T10:00:00.000Z";
/// 2026-11-23.
pub(crate) const INTERVAL: Interval = Interval::new(1_795_392_000_000, 1_795_478_400_000);
pub(crate) const ROWS: usize = 1100;

/// One row of the segment, in its order; every time differs from every other.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) time: i64,
    /// Dictionary with 8-bit keys, one value NULL.
    pub(crate) city: Option<&'static str>,
    /// Dictionary with 16-bit keys.
    pub(crate) device: String,
    /// Several values a row; none is NULL.
    pub(crate) tags: Vec<&'static str>,
    /// Nearly unique: plain text.
    pub(crate) message: Option<String>,
    /// Few different values: a dictionary of longs.
    pub(crate) status: Option<i64>,
    /// Plain longs.
    pub(crate) offset: i64,
    /// A dictionary of doubles with NaN and both zeros.
    pub(crate) score: Option<f64>,
    /// Plain floats.
    pub(crate) weight: Option<f32>,
}

pub(crate) fn row(i: usize) -> Row {
    let cities = ["Zürich", "", "Genève", "nul\0byte", "emoji 😀"];
    let tags = ["a", "b", "", "long tag with more than twelve bytes"];
    let scores = [f64::NAN, -0.0, 0.0, 1.5, f64::NEG_INFINITY];
    Row {
        time: INTERVAL.start_ms + i as i64 * 7_919,
        city: (i % 6 < 5).then(|| cities[i % 6]),
        device: format!("device {:03}", i * 31 % 300),
        tags: (0..i % 4).map(|at| tags[(i + at) % 4]).collect(),
        message: (i % 50 != 7).then(|| format!("message number {i} \"quoted\" \\ back")),
        status: (!i.is_multiple_of(11)).then(|| [200, 404, 500, -1][i % 4]),
        offset: i as i64 * i as i64 - 1_000,
        score: (i % 7 < 5).then(|| scores[i % 7]),
        weight: (!i.is_multiple_of(13)).then(|| i as f32 / 8.0),
    }
}

pub(crate) fn columns() -> Vec<ColumnSpec> {
    let mut tags = ColumnSpec::dimension("tags", ColumnType::String);
    tags.multi_value = true;
    vec![
        ColumnSpec::dimension("city", ColumnType::String),
        ColumnSpec::dimension("device", ColumnType::String),
        tags,
        ColumnSpec::dimension("message", ColumnType::String),
        ColumnSpec::dimension("status", ColumnType::Long),
        ColumnSpec::metric("offset", ColumnType::Long, Rollup::Last),
        ColumnSpec::metric("score", ColumnType::Double, Rollup::Max),
        ColumnSpec::metric("weight", ColumnType::Float, Rollup::Sum),
    ]
}

/// The rows as a writer's input, last row first: sorting is the writer's.
#[allow(dead_code)] // Of use only to the program that writes the files.
pub(crate) fn with_input<T>(run: impl FnOnce(&SegmentInput<'_>) -> T) -> T {
    let rows: Vec<Row> = (0..ROWS).rev().map(row).collect();
    let mut values: Vec<String> = Vec::new();
    let mut code = |value: &str| {
        let known = values.iter().position(|known| known == value);
        known.unwrap_or_else(|| {
            values.push(value.to_owned());
            values.len() - 1
        }) as u32
    };
    let cities: Vec<u32> = rows.iter().map(|row| row.city.map_or(NULL_CODE, &mut code)).collect();
    let devices: Vec<u32> = rows.iter().map(|row| code(&row.device)).collect();
    let (mut ends, mut tags) = (Vec::new(), Vec::new());
    for row in &rows {
        tags.extend(row.tags.iter().map(|tag| code(tag)));
        ends.push(tags.len() as u32);
    }
    let dictionary: ArrayRef = Arc::new(StringViewArray::from_iter_values(values));
    let coded =
        |codes: Vec<u32>| InputColumn::Codes { codes: codes.into(), values: ArrayRef::clone(&dictionary) };
    let values = [
        coded(cities),
        coded(devices),
        InputColumn::MultiCodes {
            ends: ends.into(),
            codes: tags.into(),
            values: ArrayRef::clone(&dictionary),
        },
        InputColumn::Text(rows.iter().map(|row| row.message.as_deref()).collect()),
        InputColumn::Long(rows.iter().map(|row| row.status).collect::<Int64Array>()),
        InputColumn::Long(rows.iter().map(|row| Some(row.offset)).collect::<Int64Array>()),
        InputColumn::Double(rows.iter().map(|row| row.score).collect::<Float64Array>()),
        InputColumn::Float(rows.iter().map(|row| row.weight).collect::<Float32Array>()),
    ];
    let time: Vec<i64> = rows.iter().map(|row| row.time).collect();
    run(&SegmentInput {
        datasource: DATASOURCE,
        interval: INTERVAL,
        version: VERSION,
        columns: &columns(),
        time: &time,
        values: &values,
        rows: None,
    })
}
