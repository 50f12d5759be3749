//! One key of a grouping at work: the ids of its values, for the rows of a chunk.
//!
//! ```text
//!  codes of a dictionary ──► ids by code, filled as codes are met; of an expression over them too
//!  __time in buckets     ──► in a sorted part one search per bucket, otherwise the last bucket remembered
//!  anything else         ──► values hashed, unless met lately
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

use super::chunk::{Chunk, DICTIONARIES_MAX};
use super::plan::{Key, KeySource};
use super::values::{NULL, Values, Word};
use crate::scan::column::{Codes, PartColumn, external};
use crate::scan::dictionaries::identity;
use crate::scan::rows::Rows;

/// Numbers remembered with their ids, by some bits of theirs: few enough to stay in the processor's caches.
const RECENT: usize = 4096;
/// Dictionaries with fewer values are looked up as codes are met.
const IN_ORDER_MIN: usize = 64;
/// Buckets remembered; beyond that times are scattered so widely that keeping them sorted would cost more.
const BUCKETS_MAX: usize = 4096;

/// The ids of a chunk's rows.
#[derive(Debug, Default)]
pub(super) struct Ids {
    /// The id of all rows; `None`: they differ.
    pub(super) same: Option<u32>,
    /// One id a row, if they differ.
    pub(super) each: Vec<u32>,
}

impl Ids {
    /// Room for one id a row, empty.
    pub(super) fn each(&mut self) -> &mut Vec<u32> {
        self.same = None;
        self.each.clear();
        &mut self.each
    }
}

/// A key and the values met so far.
#[derive(Debug)]
pub(super) struct KeyIds {
    pub(super) values: Values,
    remaps: Vec<Remap>,
    /// Whether values came from elsewhere than the first dictionary.
    mixed: bool,
    buckets: Buckets,
    /// Numbers, by their bits, and their ids; 0: none.
    recent: Vec<(u64, u32)>,
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
        Self {
            values: Values::new(data_type),
            remaps: Vec::new(),
            mixed: false,
            buckets: Buckets::default(),
            recent: Vec::new(),
        }
    }

    /// Writes the ids of the rows into `ids`.
    pub(super) fn read(&mut self, key: &Key, chunk: &mut Chunk<'_>, ids: &mut Ids) -> Result<()> {
        match &key.source {
            KeySource::Column(index) => match &*chunk.columns.column(*index)? {
                PartColumn::Missing => ids.same = Some(NULL),
                PartColumn::Coded(coded) => {
                    let source = Source { dictionary: &coded.dictionary, values: &coded.values, null: None };
                    // Many of the values will be met, and a walk along all of them is faster than to look up half.
                    let in_order = coded.sorted
                        && coded.values.len() >= IN_ORDER_MIN
                        && coded.values.len() <= 2 * chunk.part_rows();
                    self.coded(&coded.codes, &source, in_order, &chunk.rows, ids.each())?;
                }
                PartColumn::Plain(_) => {
                    let array = chunk.decode(*index)?;
                    self.plain(&array, ids.each())?;
                }
            },
            KeySource::Buckets(granularity) => {
                let part = chunk.columns.part();
                let time = part.time().map_err(external)?;
                self.bucketed(granularity, time.values(), part.sorted_by_time(), &chunk.rows, ids);
            }
            KeySource::Computed(input) => {
                if let Some((column, results)) = chunk.by_code(input)? {
                    let PartColumn::Coded(coded) = &*column else {
                        return internal_err!("a column without codes was evaluated by code");
                    };
                    let null = Some(results.len() - 1);
                    let source = Source { dictionary: &coded.dictionary, values: &results, null };
                    self.coded(&coded.codes, &source, false, &chunk.rows, ids.each())?;
                } else {
                    let array = chunk.evaluate(input)?;
                    self.plain(&array, ids.each())?;
                }
            }
        }
        Ok(())
    }

    /// Writes the ids of these values into `ids`.
    pub(super) fn read_values(&mut self, values: &ArrayRef, ids: &mut Ids) -> Result<()> {
        self.plain(values, ids.each())
    }

    /// Bytes taken.
    pub(super) fn bytes(&self) -> usize {
        let remaps: usize = self.remaps.iter().map(|remap| remap.ids.capacity() * size_of::<u32>()).sum();
        self.values.bytes()
            + remaps
            + self.buckets.known.capacity() * size_of::<Bucket>()
            + self.recent.capacity() * size_of::<(u64, u32)>()
    }

    fn coded(
        &mut self,
        codes: &Codes,
        source: &Source<'_>,
        in_order: bool,
        rows: &Rows,
        ids: &mut Vec<u32>,
    ) -> Result<()> {
        let wanted = identity(source.dictionary);
        let at = self.remaps.iter().position(|remap| identity(&remap.dictionary) == wanted);
        let at = at.unwrap_or_else(|| {
            let ids = match source
                .values
                .as_string_view_opt()
                .filter(|texts| in_order && texts.null_count() == 0)
            {
                Some(texts) => self.values.sorted_texts(texts.iter().map(Option::unwrap_or_default)),
                None => vec![0; source.values.len()],
            };
            if self.remaps.len() == DICTIONARIES_MAX {
                self.remaps.remove(0);
            }
            self.remaps.push(Remap { dictionary: Arc::clone(source.dictionary), ids });
            self.remaps.len() - 1
        });
        // The values of one text dictionary differ: while there is no other, they need not be compared.
        let text = matches!(source.dictionary.data_type(), DataType::Utf8 | DataType::Utf8View);
        let only = at == 0 && !self.mixed && text && source.null.is_none();
        self.mixed |= !only;
        let values = &mut self.values;
        let remap = &mut self.remaps[at].ids;
        let null = match source.null {
            Some(code) => {
                if remap[code] == 0 {
                    remap[code] = intern(values, source.values, code, false)?;
                }
                remap[code]
            }
            None => NULL,
        };
        let intern = |code: usize| intern(values, source.values, code, only);
        match codes {
            Codes::U8(codes) => map_codes(codes, rows, remap, null, intern, ids),
            Codes::U16(codes) => map_codes(codes, rows, remap, null, intern, ids),
            Codes::U32(codes) => map_codes(codes, rows, remap, null, intern, ids),
        }
    }

    fn plain(&mut self, array: &ArrayRef, ids: &mut Vec<u32>) -> Result<()> {
        self.mixed = true;
        let Self { values, recent, .. } = self;
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
            DataType::Int64 => words::<Int64Type>(values, recent, array, ids),
            DataType::Int32 => words::<Int32Type>(values, recent, array, ids),
            DataType::Date32 => words::<Date32Type>(values, recent, array, ids),
            DataType::Float32 => words::<Float32Type>(values, recent, array, ids),
            DataType::Float64 => words::<Float64Type>(values, recent, array, ids),
            DataType::Timestamp(TimeUnit::Millisecond, None) => {
                words::<TimestampMillisecondType>(values, recent, array, ids);
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
        ids: &mut Ids,
    ) {
        let Self { values, buckets, .. } = self;
        if sorted && let Some(last) = rows.len().checked_sub(1) {
            let bucket = buckets.find(time[rows.nth(0)], granularity, values);
            // Whichever way the rows run, what lies between is in the bucket as well.
            if bucket.holds(time[rows.nth(0)]) && bucket.holds(time[rows.nth(last)]) {
                ids.same = Some(bucket.id);
                return;
            }
        }
        let ids = ids.each();
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
            Rows::Positions(positions) if sorted && positions.first() <= positions.last() => {
                let mut left = &positions[..];
                while let Some(&first) = left.first() {
                    let bucket = buckets.find(time[first as usize], granularity, values);
                    let count = count_while(left, |row| time[row as usize] < bucket.end_ms).max(1);
                    ids.resize(ids.len() + count, bucket.id);
                    left = &left[count..];
                }
            }
            _ => ids.extend(
                (0..rows.len()).map(|index| buckets.find(time[rows.nth(index)], granularity, values).id),
            ),
        }
    }
}

/// How many of `rows` come before the first that does not `belong`, with none that does behind it. Of rows that lie far
/// apart each look waits for memory, so that steps double until they are too far.
fn count_while(rows: &[u32], belongs: impl Fn(u32) -> bool) -> usize {
    let mut far = 1;
    while far < rows.len() && belongs(rows[far]) {
        far *= 2;
    }
    let near = far / 2;
    near + rows[near..far.min(rows.len())].partition_point(|&row| belongs(row))
}

/// What codes stand for.
struct Source<'a> {
    dictionary: &'a ArrayRef,
    /// The key's value for each code of the dictionary.
    values: &'a ArrayRef,
    /// Where in `values` the key's value for NULL is; `None`: it is NULL.
    null: Option<usize>,
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

/// The id of the value of a code.
fn intern(values: &mut Values, by_code: &ArrayRef, code: usize, is_new: bool) -> Result<u32> {
    if by_code.is_null(code) {
        return Ok(NULL);
    }
    Ok(match by_code.data_type() {
        DataType::Utf8View if is_new => values.new_text(by_code.as_string_view().value(code)),
        DataType::Utf8View => values.text(by_code.as_string_view().value(code)),
        DataType::Boolean => values.word(u64::from(by_code.as_boolean().value(code))),
        DataType::Int64 => values.word(word::<Int64Type>(by_code, code)),
        DataType::Int32 => values.word(word::<Int32Type>(by_code, code)),
        DataType::Date32 => values.word(word::<Date32Type>(by_code, code)),
        DataType::Float32 => values.word(word::<Float32Type>(by_code, code)),
        DataType::Float64 => values.word(word::<Float64Type>(by_code, code)),
        DataType::Timestamp(TimeUnit::Millisecond, None) => {
            values.word(word::<TimestampMillisecondType>(by_code, code))
        }
        other => return internal_err!("{other} is no type of a key"),
    })
}

fn word<T: Word>(numbers: &ArrayRef, at: usize) -> u64 {
    T::word(numbers.as_primitive::<T>().value(at))
}

fn map_codes<K: ArrowPrimitiveType>(
    codes: &PrimitiveArray<K>,
    rows: &Rows,
    remap: &mut [u32],
    null: u32,
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
            if nulls.is_valid(row) { remap[native[row].into() as usize] } else { null }
        })),
        (Rows::Positions(rows), None) => {
            ids.extend(rows.iter().map(|&row| remap[native[row as usize].into() as usize]));
        }
        (Rows::Positions(rows), Some(nulls)) => ids.extend(rows.iter().map(|&row| {
            let row = row as usize;
            if nulls.is_valid(row) { remap[native[row].into() as usize] } else { null }
        })),
        (Rows::Mask { .. }, _) => {
            let rows = Rows::Positions(rows.clone().into_positions());
            return map_codes(codes, &rows, remap, null, intern, ids);
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

fn words<T: Word>(values: &mut Values, recent: &mut Vec<(u64, u32)>, array: &ArrayRef, ids: &mut Vec<u32>) {
    let array = array.as_primitive::<T>();
    recent.resize(RECENT, (0, 0));
    let mut id_of = |value: T::Native| {
        let word = T::word(value);
        // The upper bits of a product depend on all bits of its factors.
        let at = word.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (u64::BITS - RECENT.ilog2());
        let entry = &mut recent[at as usize];
        if entry.1 == 0 || entry.0 != word {
            *entry = (word, values.word(word));
        }
        entry.1
    };
    if array.null_count() == 0 {
        ids.extend(array.values().iter().map(|&value| id_of(value)));
    } else {
        ids.extend(array.iter().map(|value| value.map_or(NULL, &mut id_of)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn rows_that_belong_are_counted(rows in prop::collection::btree_set(0u32..200, 1..60), end in 0u32..220) {
            let rows: Vec<u32> = rows.into_iter().collect();
            prop_assert_eq!(
                count_while(&rows, |row| row < end),
                rows.iter().take_while(|row| **row < end).count()
            );
        }
    }
}
