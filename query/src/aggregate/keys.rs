//! One key of a grouping at work: the ids of its values, for the rows of a chunk.
//!
//! ```text
//!  codes of a dictionary ──► ids by code, filled as codes are met
//!  __time in buckets     ──► in a sorted part one search per bucket, otherwise the last bucket remembered
//!  anything else         ──► values hashed, unless equal to the one before
//! ```
//!
//! Codes mean something only within one dictionary, ids everywhere: that is how parts meet. A dictionary costs
//! nothing but the codes that the rows hold.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Float32Type, Float64Type, Int32Type, Int64Type, TimeUnit,
    TimestampMillisecondType,
};
use datafusion::common::{Result, internal_err};
use ovate_storage::time::Granularity;

use super::plan::{Chunk, Key, KeySource};
use super::values::{NULL, Values, Word};
use crate::scan::column::{Coded, Codes, PartColumn, external};
use crate::scan::dictionaries::identity;
use crate::scan::rows::Rows;

/// Buckets remembered; beyond that times are scattered so widely that keeping them sorted would cost more.
const BUCKETS_MAX: usize = 4096;

/// A key and the values met so far.
#[derive(Debug)]
pub(super) struct KeyIds {
    pub(super) values: Values,
    remaps: Vec<Remap>,
    /// Whether values came from elsewhere than the first dictionary.
    mixed: bool,
    buckets: Buckets,
}

/// The ids of one dictionary's codes.
#[derive(Debug)]
struct Remap {
    /// Kept, so that its address stays its own.
    dictionary: ArrayRef,
    /// 0: not met yet.
    ids: Vec<u32>,
}

#[derive(Debug, Default)]
struct Buckets {
    /// Start, end and id, by start.
    known: Vec<Bucket>,
    last: Bucket,
}

#[derive(Debug, Default, Clone, Copy)]
struct Bucket {
    start_ms: i64,
    end_ms: i64,
    id: u32,
}

impl KeyIds {
    /// No values yet, of this type.
    pub(super) fn new(data_type: DataType) -> Self {
        Self { values: Values::new(data_type), remaps: Vec::new(), mixed: false, buckets: Buckets::default() }
    }

    /// Writes the ids of the rows into `ids`.
    pub(super) fn read(&mut self, key: &Key, chunk: &mut Chunk<'_>, ids: &mut Vec<u32>) -> Result<()> {
        ids.clear();
        match &key.source {
            KeySource::Column(index) => match &*chunk.columns.column(*index)? {
                PartColumn::Missing => ids.resize(chunk.rows.len(), NULL),
                PartColumn::Coded(coded) => self.coded(coded, &chunk.rows, ids)?,
                PartColumn::Plain(_) => {
                    let array = chunk.decode(*index)?;
                    self.plain(&array, ids)?;
                }
            },
            KeySource::Buckets(granularity) => {
                let part = chunk.columns.part();
                let time = part.time().map_err(external)?;
                self.bucketed(granularity, time.values(), part.sorted_by_time(), &chunk.rows, ids);
            }
            KeySource::Computed(input) => {
                let array = chunk.evaluate(input)?;
                self.plain(&array, ids)?;
            }
        }
        Ok(())
    }

    /// Bytes taken.
    pub(super) fn bytes(&self) -> usize {
        let remaps: usize = self.remaps.iter().map(|remap| remap.ids.capacity() * size_of::<u32>()).sum();
        self.values.bytes() + remaps + self.buckets.known.capacity() * size_of::<Bucket>()
    }

    fn coded(&mut self, coded: &Coded, rows: &Rows, ids: &mut Vec<u32>) -> Result<()> {
        let wanted = identity(&coded.dictionary);
        let at = self.remaps.iter().position(|remap| identity(&remap.dictionary) == wanted);
        let at = at.unwrap_or_else(|| {
            let ids = vec![0; coded.values.len()];
            self.remaps.push(Remap { dictionary: Arc::clone(&coded.dictionary), ids });
            self.remaps.len() - 1
        });
        // The values of one text dictionary differ: while there is no other, they need not be compared.
        let text = matches!(coded.dictionary.data_type(), DataType::Utf8 | DataType::Utf8View);
        let only = at == 0 && !self.mixed && text;
        self.mixed |= !only;
        let values = &mut self.values;
        let remap = &mut self.remaps[at].ids;
        let intern = |code: usize| intern(values, &coded.values, code, only);
        match &coded.codes {
            Codes::U8(codes) => map_codes(codes, rows, remap, intern, ids),
            Codes::U16(codes) => map_codes(codes, rows, remap, intern, ids),
            Codes::U32(codes) => map_codes(codes, rows, remap, intern, ids),
        }
    }

    fn plain(&mut self, array: &ArrayRef, ids: &mut Vec<u32>) -> Result<()> {
        self.mixed = true;
        let values = &mut self.values;
        match array.data_type() {
            DataType::Utf8View => {
                let texts = array.as_string_view();
                let mut last: Option<(&str, u32)> = None;
                ids.extend(texts.iter().map(|text| match (text, last) {
                    (None, _) => NULL,
                    (Some(text), Some((same, id))) if same == text => id,
                    (Some(text), _) => {
                        let id = values.text(text);
                        last = Some((text, id));
                        id
                    }
                }));
            }
            DataType::Boolean => ids.extend(
                array.as_boolean().iter().map(|value| value.map_or(NULL, |v| values.word(u64::from(v)))),
            ),
            DataType::Int64 => words::<Int64Type>(values, array, ids),
            DataType::Int32 => words::<Int32Type>(values, array, ids),
            DataType::Date32 => words::<Date32Type>(values, array, ids),
            DataType::Float32 => words::<Float32Type>(values, array, ids),
            DataType::Float64 => words::<Float64Type>(values, array, ids),
            DataType::Timestamp(TimeUnit::Millisecond, None) => {
                words::<TimestampMillisecondType>(values, array, ids);
            }
            other => return internal_err!("{other} is no type of a key"),
        }
        Ok(())
    }

    fn bucketed(
        &mut self,
        granularity: &Granularity,
        time: &[i64],
        sorted: bool,
        rows: &Rows,
        ids: &mut Vec<u32>,
    ) {
        let Self { values, buckets, .. } = self;
        match rows {
            Rows::Range(range) if sorted => {
                let mut left = &time[range.clone()];
                while let (Some(&first), Some(&last)) = (left.first(), left.last()) {
                    let bucket = buckets.find(first, granularity, values);
                    let count = if last < bucket.end_ms {
                        left.len()
                    } else {
                        left.partition_point(|&time_ms| time_ms < bucket.end_ms).max(1)
                    };
                    ids.resize(ids.len() + count, bucket.id);
                    left = &left[count..];
                }
            }
            Rows::Range(range) => {
                let times = &time[range.clone()];
                ids.extend(times.iter().map(|&time_ms| buckets.find(time_ms, granularity, values).id));
            }
            Rows::Positions(positions) => {
                let times = positions.iter().map(|&row| time[row as usize]);
                ids.extend(times.map(|time_ms| buckets.find(time_ms, granularity, values).id));
            }
            Rows::Mask { .. } => {
                let positions = rows.clone().into_positions();
                self.bucketed(granularity, time, sorted, &Rows::Positions(positions), ids);
            }
        }
    }
}

impl Buckets {
    fn find(&mut self, time_ms: i64, granularity: &Granularity, values: &mut Values) -> Bucket {
        if self.last.holds(time_ms) {
            return self.last;
        }
        let next = self.known.partition_point(|bucket| bucket.start_ms <= time_ms);
        if let Some(bucket) = next.checked_sub(1).map(|at| self.known[at])
            && bucket.holds(time_ms)
        {
            self.last = bucket;
            return bucket;
        }
        let interval = granularity.bucket(time_ms);
        let id = values.word(Int64Type::word(interval.start_ms));
        let bucket = Bucket { start_ms: interval.start_ms, end_ms: interval.end_ms, id };
        // At the ends of time a bucket may not hold its own time; it is asked for anew then.
        if bucket.holds(time_ms) {
            self.last = bucket;
            if self.known.len() < BUCKETS_MAX {
                self.known.insert(next, bucket);
            }
        }
        bucket
    }
}

impl Bucket {
    const fn holds(self, time_ms: i64) -> bool {
        self.start_ms <= time_ms && time_ms < self.end_ms
    }
}

/// The id of a dictionary's value.
fn intern(values: &mut Values, dictionary: &ArrayRef, code: usize, is_new: bool) -> Result<u32> {
    if dictionary.is_null(code) {
        return Ok(NULL);
    }
    Ok(match dictionary.data_type() {
        DataType::Utf8View if is_new => values.new_text(dictionary.as_string_view().value(code)),
        DataType::Utf8View => values.text(dictionary.as_string_view().value(code)),
        DataType::Int64 => values.word(Int64Type::word(dictionary.as_primitive::<Int64Type>().value(code))),
        DataType::Float32 => {
            values.word(Float32Type::word(dictionary.as_primitive::<Float32Type>().value(code)))
        }
        DataType::Float64 => {
            values.word(Float64Type::word(dictionary.as_primitive::<Float64Type>().value(code)))
        }
        other => return internal_err!("{other} is no type of a dictionary"),
    })
}

fn map_codes<K: ArrowPrimitiveType>(
    codes: &PrimitiveArray<K>,
    rows: &Rows,
    remap: &mut [u32],
    mut intern: impl FnMut(usize) -> Result<u32>,
    ids: &mut Vec<u32>,
) -> Result<()>
where
    K::Native: Into<u32>,
{
    let native = codes.values();
    let nulls = codes.nulls().filter(|nulls| nulls.null_count() > 0);
    // First with the codes known, which the compiler makes the most of; then those met for the first time.
    match (rows, nulls) {
        (Rows::Range(range), None) => {
            ids.extend(native[range.clone()].iter().map(|&code| remap[code.into() as usize]));
        }
        (Rows::Range(range), Some(nulls)) => ids.extend(range.clone().map(|row| {
            // What stands under a NULL may be no code at all.
            if nulls.is_valid(row) { remap[native[row].into() as usize] } else { NULL }
        })),
        (Rows::Positions(rows), None) => {
            ids.extend(rows.iter().map(|&row| remap[native[row as usize].into() as usize]));
        }
        (Rows::Positions(rows), Some(nulls)) => ids.extend(rows.iter().map(|&row| {
            let row = row as usize;
            if nulls.is_valid(row) { remap[native[row].into() as usize] } else { NULL }
        })),
        (Rows::Mask { .. }, _) => {
            let rows = Rows::Positions(rows.clone().into_positions());
            return map_codes(codes, &rows, remap, intern, ids);
        }
    }
    if !ids.contains(&0) {
        return Ok(());
    }
    for (at, id) in ids.iter_mut().enumerate().filter(|(_, id)| **id == 0) {
        let row = match rows {
            Rows::Positions(rows) => rows[at] as usize,
            _ => rows.span().start + at,
        };
        let code = native[row].into() as usize;
        if remap[code] == 0 {
            remap[code] = intern(code)?;
        }
        *id = remap[code];
    }
    Ok(())
}

fn words<T: Word>(values: &mut Values, array: &ArrayRef, ids: &mut Vec<u32>) {
    let array = array.as_primitive::<T>();
    let mut last: Option<(u64, u32)> = None;
    let mut id_of = |value: T::Native| {
        let word = T::word(value);
        match last {
            Some((same, id)) if same == word => id,
            _ => {
                let id = values.word(word);
                last = Some((word, id));
                id
            }
        }
    };
    if array.null_count() == 0 {
        ids.extend(array.values().iter().map(|&value| id_of(value)));
    } else {
        ids.extend(array.iter().map(|value| value.map_or(NULL, &mut id_of)));
    }
}
