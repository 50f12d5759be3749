//! The form each column takes on disk, and its sorted dictionary where it gets one.
//!
//! Strings come with the hot index's dictionary, which is unsorted and may hold values that none of the rows at
//! hand has. Here it becomes the segment's: the values in use, each once, sorted. What stays is a table from given
//! code to sorted rank, so that rows are translated once, while they are put into order.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, Float32Array, Float64Array, Int64Array, PrimitiveArray,
    StringArray, StringViewArray,
};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{Float32Type, Float64Type, Int64Type};
use hashbrown::HashMap;

use super::input::{InputColumn, too_large};
use crate::dictionary::NULL_CODE;
use crate::error::Result;
use crate::schema::ColumnSpec;

/// The bounds of the decisions made here. Constants but for tests, which cannot fill gigabytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Below this many rows strings always get a dictionary and numbers never do: nothing is to be gained.
    pub(super) rows_min: usize,
    /// The text of one column or dictionary; Arrow's offsets end at twice this.
    pub(super) text_bytes_max: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { rows_min: 1024, text_bytes_max: 1 << 30 }
    }
}

/// Numbers with more different values than this stay plain: their codes would need more than 16 bits.
const NUMBERS_MAX: usize = 1 << 16;

impl Bounds {
    /// With these, strings get a dictionary in any case.
    pub(super) const STRINGS_CODED: Self = Self { rows_min: usize::MAX, text_bytes_max: 1 << 30 };

    /// Whether so many different strings make a dictionary a burden: most of them would be read once.
    fn nearly_unique(self, distinct: usize, rows: usize) -> bool {
        rows >= self.rows_min && distinct > rows / 2
    }

    /// How many different values a column of numbers may have to get a dictionary; `None`: it gets none.
    pub(super) fn numbers_max(self, rows: usize) -> Option<usize> {
        (rows >= self.rows_min).then_some(NUMBERS_MAX.min(rows / 8))
    }
}

/// A column in its form on disk, rows still in the order given.
pub(super) enum Prepared {
    Coded(Coded),
    List { ends: ScalarBuffer<u32>, items: Coded },
    Text(Text),
    Long(Int64Array),
    Float(Float32Array),
    Double(Float64Array),
}

/// Values by code.
pub(super) struct Coded {
    /// As given, [`NULL_CODE`] for NULL.
    codes: ScalarBuffer<u32>,
    /// For each given code its place in `values`.
    ranks: Vec<u32>,
    /// The values in use, sorted.
    pub(super) values: ArrayRef,
}

impl Coded {
    /// The place in `values` of row `row`, [`NULL_CODE`] for NULL.
    pub(super) fn rank(&self, row: usize) -> u32 {
        let code = self.codes[row];
        if code == NULL_CODE { NULL_CODE } else { self.ranks[code as usize] }
    }

    /// The number of rows, or of items where rows hold several.
    pub(super) fn len(&self) -> usize {
        self.codes.len()
    }
}

/// Strings without a dictionary on disk, wherever they came from.
pub(super) enum Text {
    Plain(StringViewArray),
    Coded { codes: ScalarBuffer<u32>, values: Strings },
}

impl Text {
    pub(super) fn value(&self, row: usize) -> Option<&str> {
        match self {
            Self::Plain(array) => array.is_valid(row).then(|| array.value(row)),
            Self::Coded { codes, values } => (codes[row] != NULL_CODE).then(|| values.value(codes[row])),
        }
    }

    pub(super) fn rows(&self) -> usize {
        match self {
            Self::Plain(array) => array.len(),
            Self::Coded { codes, .. } => codes.len(),
        }
    }
}

/// A dictionary as it was given.
pub(super) enum Strings {
    View(StringViewArray),
    Utf8(StringArray),
}

impl Strings {
    /// `values` was checked to be one of the two.
    fn new(values: &ArrayRef) -> Self {
        match values.as_string_view_opt() {
            Some(views) => Self::View(views.clone()),
            None => Self::Utf8(values.as_string::<i32>().clone()),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::View(array) => array.len(),
            Self::Utf8(array) => array.len(),
        }
    }

    fn value(&self, code: u32) -> &str {
        match self {
            Self::View(array) => array.value(code as usize),
            Self::Utf8(array) => array.value(code as usize),
        }
    }
}

/// Decides the form of one column; `None` if no row has a value to write.
pub(super) fn prepare(spec: &ColumnSpec, column: InputColumn, bounds: Bounds) -> Result<Option<Prepared>> {
    Ok(Some(match column {
        InputColumn::Absent => return Ok(None),
        InputColumn::Codes { codes, values } if spec.multi_value => {
            let (ends, codes) = one_a_row(&codes);
            list(spec, ends, codes, Strings::new(&values), bounds)?
        }
        InputColumn::Codes { codes, values } => strings(spec, codes, Strings::new(&values), bounds)?,
        InputColumn::MultiCodes { ends, codes, values } => {
            list(spec, ends, codes, Strings::new(&values), bounds)?
        }
        InputColumn::Text(array) => match intern(&array, bounds, spec.multi_value) {
            Some((codes, values)) if spec.multi_value => {
                let (ends, codes) = one_a_row(&codes);
                list(spec, ends, codes, Strings::View(values), bounds)?
            }
            Some((codes, values)) => strings(spec, codes, Strings::View(values), bounds)?,
            None => Prepared::Text(Text::Plain(array)),
        },
        InputColumn::Long(array) => {
            numbers::<Int64Type>(&array, bounds.numbers_max(array.len())).unwrap_or(Prepared::Long(array))
        }
        InputColumn::Float(array) => {
            numbers::<Float32Type>(&array, bounds.numbers_max(array.len())).unwrap_or(Prepared::Float(array))
        }
        InputColumn::Double(array) => {
            numbers::<Float64Type>(&array, bounds.numbers_max(array.len())).unwrap_or(Prepared::Double(array))
        }
    }))
}

/// Rows of one value or none as rows that may have several.
fn one_a_row(codes: &[u32]) -> (ScalarBuffer<u32>, ScalarBuffer<u32>) {
    let ends = codes.iter().scan(0, |end, &code| {
        *end += u32::from(code != NULL_CODE);
        Some(*end)
    });
    (ends.collect(), codes.iter().copied().filter(|&code| code != NULL_CODE).collect())
}

fn list(
    spec: &ColumnSpec,
    ends: ScalarBuffer<u32>,
    codes: ScalarBuffer<u32>,
    values: Strings,
    bounds: Bounds,
) -> Result<Prepared> {
    if codes.len() > i32::MAX as usize {
        return Err(too_large(&spec.name, "values", codes.len() as u64, i32::MAX as u64));
    }
    let used = used_codes(&codes, values.len());
    Ok(Prepared::List { ends, items: coded(spec, codes, used, &values, bounds)? })
}

fn strings(spec: &ColumnSpec, codes: ScalarBuffer<u32>, values: Strings, bounds: Bounds) -> Result<Prepared> {
    let used = used_codes(&codes, values.len());
    if bounds.nearly_unique(used.len(), codes.len()) {
        return Ok(Prepared::Text(Text::Coded { codes, values }));
    }
    Ok(Prepared::Coded(coded(spec, codes, used, &values, bounds)?))
}

/// The codes that some row has, ascending.
fn used_codes(codes: &[u32], known: usize) -> Vec<u32> {
    let mut used = vec![false; known];
    for &code in codes {
        if code != NULL_CODE {
            used[code as usize] = true;
        }
    }
    (0..known as u32).filter(|&code| used[code as usize]).collect()
}

/// Sorts the used part of a dictionary. Codes of equal strings, which a careless caller may give, become one.
fn coded(
    spec: &ColumnSpec,
    codes: ScalarBuffer<u32>,
    used: Vec<u32>,
    values: &Strings,
    bounds: Bounds,
) -> Result<Coded> {
    // The first eight bytes decide nearly every comparison, without a visit to the text.
    let mut sorted: Vec<(u64, u32)> =
        used.into_iter().map(|code| (prefix(values.value(code)), code)).collect();
    sorted.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| values.value(a.1).cmp(values.value(b.1))));
    let mut ranks = vec![NULL_CODE; values.len()];
    let mut distinct: Vec<&str> = Vec::with_capacity(sorted.len());
    for (_, code) in sorted {
        let value = values.value(code);
        if distinct.last() != Some(&value) {
            distinct.push(value);
        }
        ranks[code as usize] = distinct.len() as u32 - 1;
    }
    let values = utf8(&spec.name, distinct.len(), bounds, distinct.into_iter().map(Some))?;
    Ok(Coded { codes, ranks, values: Arc::new(values) })
}

fn prefix(value: &str) -> u64 {
    let mut first = [0; 8];
    let len = value.len().min(8);
    first[..len].copy_from_slice(&value.as_bytes()[..len]);
    u64::from_be_bytes(first)
}

/// Text as one Arrow array of 32-bit offsets.
pub(super) fn utf8<'a>(
    column: &str,
    rows: usize,
    bounds: Bounds,
    values: impl Iterator<Item = Option<&'a str>> + Clone,
) -> Result<StringArray> {
    let bytes: usize = values.clone().flatten().map(str::len).sum();
    if bytes > bounds.text_bytes_max {
        return Err(too_large(column, "bytes of text", bytes as u64, bounds.text_bytes_max as u64));
    }
    let mut text = Vec::with_capacity(bytes);
    let mut offsets = Vec::with_capacity(rows + 1);
    offsets.push(0);
    let mut valid = Vec::with_capacity(rows);
    for value in values {
        text.extend_from_slice(value.unwrap_or_default().as_bytes());
        offsets.push(text.len() as i32);
        valid.push(value.is_some());
    }
    let nulls = valid.contains(&false).then(|| valid.into());
    Ok(StringArray::try_new(OffsetBuffer::new(offsets.into()), text.into(), nulls)?)
}

/// Gives codes to text that came without; `None` as soon as it proves nearly unique, unless it must have codes.
fn intern(
    array: &StringViewArray,
    bounds: Bounds,
    must: bool,
) -> Option<(ScalarBuffer<u32>, StringViewArray)> {
    let mut known: HashMap<&str, u32> = HashMap::new();
    let mut values: Vec<&str> = Vec::new();
    let mut codes = Vec::with_capacity(array.len());
    for value in array {
        let Some(value) = value else {
            codes.push(NULL_CODE);
            continue;
        };
        codes.push(*known.entry(value).or_insert_with(|| {
            values.push(value);
            values.len() as u32 - 1
        }));
        if !must && bounds.nearly_unique(values.len(), array.len()) {
            return None;
        }
    }
    Some((codes.into(), values.into_iter().map(Some).collect()))
}

/// A number type with a total order: that of `total_cmp` for floats, so that NaN and -0.0 are values like any.
pub(crate) trait Number: ArrowPrimitiveType {
    /// Orders as the value does; different for values of different bits.
    fn order_key(value: Self::Native) -> u64;
}

const SIGN: u64 = 1 << 63;

impl Number for Int64Type {
    fn order_key(value: i64) -> u64 {
        value as u64 ^ SIGN
    }
}

impl Number for Float64Type {
    fn order_key(value: f64) -> u64 {
        let bits = value.to_bits();
        if bits & SIGN == 0 { bits | SIGN } else { !bits }
    }
}

impl Number for Float32Type {
    fn order_key(value: f32) -> u64 {
        let bits = value.to_bits();
        u64::from(if bits >> 31 == 0 { bits | 1 << 31 } else { !bits })
    }
}

/// Numbers of at most so many different values as codes; `None` for all others, and without a bound.
pub(super) fn numbers<T: Number>(array: &PrimitiveArray<T>, distinct_max: Option<usize>) -> Option<Prepared> {
    let distinct_max = distinct_max?;
    let mut known: HashMap<u64, u32> = HashMap::new();
    let mut values: Vec<T::Native> = Vec::new();
    let mut codes = Vec::with_capacity(array.len());
    for value in array {
        let Some(value) = value else {
            codes.push(NULL_CODE);
            continue;
        };
        codes.push(*known.entry(T::order_key(value)).or_insert_with(|| {
            values.push(value);
            values.len() as u32 - 1
        }));
        if values.len() > distinct_max {
            return None;
        }
    }
    let mut sorted: Vec<u32> = (0..values.len() as u32).collect();
    sorted.sort_unstable_by_key(|&code| T::order_key(values[code as usize]));
    let mut ranks = vec![NULL_CODE; values.len()];
    for (rank, &code) in sorted.iter().enumerate() {
        ranks[code as usize] = rank as u32;
    }
    let values = PrimitiveArray::<T>::from_iter_values(sorted.iter().map(|&code| values[code as usize]));
    Some(Prepared::Coded(Coded { codes: codes.into(), ranks, values: Arc::new(values) }))
}
