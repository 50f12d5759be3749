//! A run: rows that arrived together, as immutable columns.
//!
//! Appending makes a new run; small neighbours are merged so that their number stays small, and what has grown large
//! is [settled](super::settle). A run is never changed, so a query that holds one is never in the way of the writer.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float32Array, Float64Array, Int64Array, StringViewArray, UInt32Array,
};
use arrow::buffer::ScalarBuffer;
use arrow::compute::{concat, take};
use arrow::datatypes::{Float32Type, Float64Type, Int64Type};

use crate::dictionary::{Dictionary, NULL_CODE};
use crate::error::Result;
use crate::rows::{BatchColumn, RowBatch};
use crate::schema::ColumnSpec;
use crate::segment::lists_at;
use crate::snapshot::next_serial;

/// One column of a run. The same shapes as [`BatchColumn`], shared instead of owned.
#[derive(Debug, Clone)]
pub(crate) enum RunColumn {
    Codes(ScalarBuffer<u32>),
    MultiCodes {
        ends: ScalarBuffer<u32>,
        codes: ScalarBuffer<u32>,
    },
    Text(StringViewArray),
    Long(Int64Array),
    Float(Float32Array),
    Double(Float64Array),
    /// The column did not exist yet when these rows arrived.
    Absent,
}

/// What settled runs have besides.
#[derive(Debug)]
struct Settled {
    /// For each column its numbers as a dictionary array too, where few of them differ.
    coded: Vec<Option<ArrayRef>>,
    serial: u64,
}

/// Rows in order of arrival or, once settled, of `__time`.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) time: ScalarBuffer<i64>,
    /// Schema columns, then companions; columns added to the schema later are missing at the end.
    pub(crate) columns: Vec<RunColumn>,
    pub(crate) time_range: (i64, i64),
    /// Whether the rows are in order of `__time`, settled or by chance.
    pub(crate) sorted: bool,
    settled: Option<Settled>,
    pub(crate) bytes: usize,
}

impl RunColumn {
    fn bytes(&self) -> usize {
        match self {
            Self::Codes(codes) => codes.len() * 4,
            Self::MultiCodes { ends, codes } => (ends.len() + codes.len()) * 4,
            Self::Text(array) => array.get_buffer_memory_size(),
            Self::Long(array) => array.get_buffer_memory_size(),
            Self::Float(array) => array.get_buffer_memory_size(),
            Self::Double(array) => array.get_buffer_memory_size(),
            Self::Absent => 0,
        }
    }

    /// The values at `rows`.
    pub(super) fn at(&self, rows: &UInt32Array) -> Result<Self> {
        let pick = |array: &dyn Array| take(array, rows, None);
        Ok(match self {
            Self::Codes(codes) => Self::Codes(rows.values().iter().map(|&row| codes[row as usize]).collect()),
            Self::MultiCodes { ends, codes } => {
                let (ends, codes) = lists_at(ends, codes, rows);
                Self::MultiCodes { ends, codes }
            }
            Self::Text(array) => Self::Text(pick(array)?.as_string_view().clone()),
            Self::Long(array) => Self::Long(pick(array)?.as_primitive::<Int64Type>().clone()),
            Self::Float(array) => Self::Float(pick(array)?.as_primitive::<Float32Type>().clone()),
            Self::Double(array) => Self::Double(pick(array)?.as_primitive::<Float64Type>().clone()),
            Self::Absent => Self::Absent,
        })
    }
}

impl From<BatchColumn> for RunColumn {
    fn from(column: BatchColumn) -> Self {
        match column {
            BatchColumn::Codes(codes) => Self::Codes(codes.into()),
            BatchColumn::MultiCodes { ends, codes } => {
                Self::MultiCodes { ends: ends.into(), codes: codes.into() }
            }
            BatchColumn::Text(array) => Self::Text(compact(array)),
            BatchColumn::Long(array) => Self::Long(array),
            BatchColumn::Float(array) => Self::Float(array),
            BatchColumn::Double(array) => Self::Double(array),
        }
    }
}

impl Run {
    /// A run of at least one row.
    pub(crate) fn new(time: ScalarBuffer<i64>, columns: Vec<RunColumn>) -> Self {
        let (mut low, mut high) = (i64::MAX, i64::MIN);
        let mut sorted = true;
        for &t in &time {
            low = low.min(t);
            sorted &= high <= t;
            high = high.max(t);
        }
        let bytes = time.len() * 8 + columns.iter().map(RunColumn::bytes).sum::<usize>();
        Self { time, columns, time_range: (low, high), sorted, settled: None, bytes }
    }

    /// The same rows, which are in order, with numbers as codes for each column that has them.
    pub(super) fn settled(mut self, coded: Vec<Option<ArrayRef>>) -> Self {
        debug_assert!(self.sorted);
        self.bytes += coded.iter().flatten().map(Array::get_array_memory_size).sum::<usize>();
        self.settled = Some(Settled { coded, serial: next_serial() });
        self
    }

    /// Whether the run has its final size and form.
    pub(super) fn is_settled(&self) -> bool {
        self.settled.is_some()
    }

    /// A number that no other rows have; `None` unless the run is settled.
    pub(super) fn serial(&self) -> Option<u64> {
        self.settled.as_ref().map(|settled| settled.serial)
    }

    /// The numbers of a column as codes, if few of them differ and the run is settled.
    pub(super) fn coded(&self, at: usize) -> Option<&ArrayRef> {
        self.settled.as_ref()?.coded.get(at)?.as_ref()
    }

    /// The same rows with each column taken from the place that `from` gives it; `None`: they lack it.
    pub(super) fn rearranged(&self, from: impl Iterator<Item = Option<usize>> + Clone) -> Self {
        let column = |at: Option<usize>| at.map_or(RunColumn::Absent, |at| self.column(at).clone());
        let run = Self::new(self.time.clone(), from.clone().map(column).collect());
        if !self.is_settled() {
            return run;
        }
        run.settled(from.map(|at| self.coded(at?).cloned()).collect())
    }

    pub(crate) fn from_batch(batch: RowBatch, companions: Vec<RunColumn>) -> Self {
        let columns = batch.columns.into_iter().map(RunColumn::from).chain(companions).collect();
        Self::new(batch.time.into(), columns)
    }

    pub(crate) fn rows(&self) -> usize {
        self.time.len()
    }

    /// The rows of all `runs`, in their order. `dictionaries` turn codes into text where a column changed its
    /// form between runs.
    pub(crate) fn concat(runs: &[Arc<Self>], dictionaries: &[Dictionary]) -> Result<Self> {
        let width = runs.iter().map(|run| run.columns.len()).max().unwrap_or(0);
        let time: Vec<i64> = runs.iter().flat_map(|run| run.time.iter().copied()).collect();
        let columns =
            (0..width).map(|at| concat_column(runs, at, dictionaries.get(at))).collect::<Result<Vec<_>>>()?;
        Ok(Self::new(time.into(), columns))
    }

    /// One row per time and dimensions; see [`super::rollup`].
    pub(crate) fn rolled_up(&self, specs: &[ColumnSpec], companions: &[Option<usize>]) -> Result<Self> {
        super::rollup::roll_up(self, specs, companions)
    }

    /// The same rows, with the text of one column as codes of `dictionary`.
    pub(crate) fn with_codes(&self, at: usize, dictionary: &mut Dictionary) -> Self {
        let mut columns = self.columns.clone();
        if let RunColumn::Text(array) = &self.columns[at] {
            let codes = array.iter().map(|text| text.map_or(NULL_CODE, |text| dictionary.intern(text)));
            columns[at] = RunColumn::Codes(codes.collect());
        }
        let run = Self::new(self.time.clone(), columns);
        if let Some(settled) = &self.settled { run.settled(settled.coded.clone()) } else { run }
    }

    fn column(&self, at: usize) -> &RunColumn {
        self.columns.get(at).unwrap_or(&RunColumn::Absent)
    }
}

/// The same strings, in buffers of their own if the ones they are in are more than twice as large as needed.
fn compact(array: StringViewArray) -> StringViewArray {
    let needed: usize = array.lengths().map(|length| length as usize + size_of::<u128>()).sum();
    if array.get_buffer_memory_size() > 2 * needed { array.gc() } else { array }
}

/// Joins one column of several runs. The widest form wins: text over one code, several codes over one code. Text and
/// several codes never meet: see `Writer::note_multi_values`.
fn concat_column(runs: &[Arc<Run>], at: usize, dictionary: Option<&Dictionary>) -> Result<RunColumn> {
    let columns = || runs.iter().map(|run| (run.column(at), run.rows()));
    let any = |test: fn(&RunColumn) -> bool| columns().any(|(column, _)| test(column));
    if any(|c| matches!(c, RunColumn::Text(_))) {
        return join(columns().map(|(column, rows)| text_of(column, rows, dictionary)), |array| {
            // `concat` keeps the buffers of all its inputs; run after run they would pile up.
            RunColumn::Text(compact(array.clone()))
        });
    }
    if any(|c| matches!(c, RunColumn::MultiCodes { .. })) {
        return Ok(concat_multi(columns()));
    }
    if any(|c| matches!(c, RunColumn::Codes(_))) {
        let mut all = Vec::with_capacity(columns().map(|(_, rows)| rows).sum());
        for (column, rows) in columns() {
            match column {
                RunColumn::Codes(codes) => all.extend_from_slice(codes),
                _ => all.resize(all.len() + rows, NULL_CODE),
            }
        }
        return Ok(RunColumn::Codes(all.into()));
    }
    if any(|c| matches!(c, RunColumn::Long(_))) {
        return join(columns().map(|(column, rows)| long_of(column, rows)), |array: &Int64Array| {
            RunColumn::Long(array.clone())
        });
    }
    if any(|c| matches!(c, RunColumn::Float(_))) {
        return join(columns().map(|(column, rows)| float_of(column, rows)), |array: &Float32Array| {
            RunColumn::Float(array.clone())
        });
    }
    if any(|c| matches!(c, RunColumn::Double(_))) {
        return join(columns().map(|(column, rows)| double_of(column, rows)), |array: &Float64Array| {
            RunColumn::Double(array.clone())
        });
    }
    Ok(RunColumn::Absent)
}

fn join<A: Array + 'static>(
    pieces: impl Iterator<Item = A>,
    wrap: impl Fn(&A) -> RunColumn,
) -> Result<RunColumn> {
    let pieces: Vec<ArrayRef> = pieces.map(|piece| Arc::new(piece) as ArrayRef).collect();
    let joined = concat(&pieces.iter().map(AsRef::as_ref).collect::<Vec<_>>())?;
    // `concat` returns the type it was given, so this is always `Some`.
    Ok(joined.as_any().downcast_ref::<A>().map_or(RunColumn::Absent, wrap))
}

fn concat_multi<'a>(columns: impl Iterator<Item = (&'a RunColumn, usize)>) -> RunColumn {
    let (mut all_ends, mut all_codes) = (Vec::new(), Vec::new());
    for (column, rows) in columns {
        let base = all_codes.len() as u32;
        match column {
            RunColumn::MultiCodes { ends, codes } => {
                all_ends.extend(ends.iter().map(|end| base + end));
                all_codes.extend_from_slice(codes);
            }
            RunColumn::Codes(codes) => {
                for &code in codes {
                    if code != NULL_CODE {
                        all_codes.push(code);
                    }
                    all_ends.push(all_codes.len() as u32);
                }
            }
            _ => all_ends.resize(all_ends.len() + rows, base),
        }
    }
    RunColumn::MultiCodes { ends: all_ends.into(), codes: all_codes.into() }
}

fn text_of(column: &RunColumn, rows: usize, dictionary: Option<&Dictionary>) -> StringViewArray {
    match column {
        RunColumn::Text(array) => array.clone(),
        RunColumn::Codes(codes) => {
            codes.iter().map(|&code| dictionary.and_then(|dictionary| dictionary.get(code))).collect()
        }
        _ => StringViewArray::new_null(rows),
    }
}

fn long_of(column: &RunColumn, rows: usize) -> Int64Array {
    if let RunColumn::Long(array) = column { array.clone() } else { Int64Array::new_null(rows) }
}

fn float_of(column: &RunColumn, rows: usize) -> Float32Array {
    if let RunColumn::Float(array) = column { array.clone() } else { Float32Array::new_null(rows) }
}

fn double_of(column: &RunColumn, rows: usize) -> Float64Array {
    if let RunColumn::Double(array) = column { array.clone() } else { Float64Array::new_null(rows) }
}
