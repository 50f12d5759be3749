//! The hot index: rows that just arrived, columnar from the first moment.
//!
//! ```text
//!  append(RowBatch) ─► new run ─► merge small neighbours, settle a large run ─► swap the state that snapshots are
//!                                                                               taken from
//!  publish          ─► freeze: runs and dictionaries move out, still visible ─► segments take their place
//! ```
//!
//! One [`Writer`] per datasource appends; readers never wait for it. Invariants: every code in a run is a code of
//! the current dictionaries (checked on append); runs are never changed; a freeze takes all rows there are, so the
//! offsets that travel with it cover exactly the rows that travel with it.

mod part;
mod rollup;
mod run;
mod settle;

use std::sync::Arc;

use arc_swap::ArcSwap;
use arrow::array::Int64Array;

pub use part::HotPart;
pub(crate) use run::{Run, RunColumn};

use crate::datasource::State;
use crate::dictionary::{Dictionary, NULL_CODE};
use crate::error::{Result, StorageError};
use crate::progress::Progress;
use crate::rows::{BatchColumn, RowBatch};
use crate::schema::{ColumnRole, ColumnSpec, ColumnType, Rollup, TableSchema};

/// Runs grow by merging up to this many rows; beyond, copying costs more than another run to visit.
const RUN_ROWS_MAX: usize = 128 << 10;
/// A string column is judged nearly unique no earlier than this many rows into a generation.
const PLAIN_ROWS_MIN: usize = 16 << 10;

/// Rows, dictionaries and progress of one generation, on their way into segments.
#[derive(Debug)]
pub(crate) struct Frozen {
    pub(crate) schema: Arc<TableSchema>,
    /// Schema columns, then companions: what [`Run::columns`] holds.
    pub(crate) columns: Arc<[ColumnSpec]>,
    pub(crate) companions: Arc<[Option<usize>]>,
    pub(crate) runs: Vec<Arc<Run>>,
    pub(crate) dictionaries: Vec<Dictionary>,
    pub(crate) progress: Progress,
}

impl Frozen {
    pub(crate) fn rows(&self) -> usize {
        self.runs.iter().map(|run| run.rows()).sum()
    }
}

/// The single writer of a datasource. See [`crate::Datasource::writer`].
#[derive(Debug)]
pub struct Writer {
    datasource: Arc<str>,
    state: Arc<ArcSwap<State>>,
    schema: Arc<TableSchema>,
    columns: Arc<[ColumnSpec]>,
    companions: Arc<[Option<usize>]>,
    dictionaries: Vec<Dictionary>,
    plain: Vec<bool>,
    runs: Vec<Arc<Run>>,
    rows: usize,
    /// Memory of rows that were frozen and are no segments yet.
    frozen_bytes: usize,
    generation: u64,
    oldest_ms: Option<i64>,
    progress: Progress,
    /// A run of so many rows is settled; smaller ones will be merged with what comes.
    settled_rows_min: usize,
}

impl Writer {
    pub(crate) fn new(
        datasource: Arc<str>,
        state: Arc<ArcSwap<State>>,
        schema: Arc<TableSchema>,
        progress: Progress,
        settled_rows_min: usize,
    ) -> Self {
        let (columns, companions) = physical_columns(&schema);
        let width = schema.columns.len();
        Self {
            datasource,
            state,
            columns,
            companions,
            dictionaries: (0..width).map(|_| Dictionary::new()).collect(),
            plain: vec![false; width],
            schema,
            runs: Vec::new(),
            rows: 0,
            frozen_bytes: 0,
            generation: 0,
            oldest_ms: None,
            progress,
            settled_rows_min,
        }
    }

    /// The shape that batches must have.
    pub fn schema(&self) -> &Arc<TableSchema> {
        &self.schema
    }

    /// Changes the shape of batches to come. Within one hot generation columns may only be added at the end of the
    /// dimensions ([`TableSchema::with_dimensions`]) or stay as they are; for anything else publish first.
    pub fn set_schema(&mut self, schema: Arc<TableSchema>) -> Result<()> {
        let schema = self.with_known_multi_values(schema);
        if schema == self.schema {
            return Ok(());
        }
        if self.rows > 0 && !self.extends(&schema) {
            return Err(StorageError::SchemaMismatch {
                datasource: self.datasource.to_string(),
                reason: "columns may only be added while rows are hot; publish before any other change"
                    .into(),
            });
        }
        if self.rows > 0 {
            self.rearrange(&schema);
        } else {
            self.dictionaries = schema.columns.iter().map(|_| Dictionary::new()).collect();
            self.plain = vec![false; schema.columns.len()];
        }
        (self.columns, self.companions) = physical_columns(&schema);
        self.schema = schema;
        self.generation += 1;
        self.show();
        Ok(())
    }

    /// The running dictionary of a string column, to intern into. It is another one after every publish, which
    /// [`Self::generation`] tells.
    pub fn dictionary(&mut self, column: usize) -> &mut Dictionary {
        &mut self.dictionaries[column]
    }

    /// Whether a string column holds so many different values that codes would only cost: give
    /// [`BatchColumn::Text`] then.
    pub fn is_plain(&self, column: usize) -> bool {
        self.plain[column]
    }

    /// Changes whenever codes handed out before are void.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Makes rows visible to every snapshot taken from now on. `now_ms` is the caller's clock, for
    /// [`Self::oldest_ms`]. `progress` says how far the streams have been read with these rows included.
    pub fn append(&mut self, batch: RowBatch, progress: &Progress, now_ms: i64) -> Result<()> {
        batch.check(&self.datasource, &self.schema)?;
        self.check_codes(&batch)?;
        if batch.rows() == 0 {
            self.progress.advance(progress);
            return Ok(());
        }
        self.note_multi_values(&batch);
        let companions = self.companion_columns(&batch)?;
        let mut run = Run::from_batch(batch, companions);
        if self.schema.rollup {
            run = run.rolled_up(&self.schema.columns, &self.companions)?;
        }
        // From here on the rows are in, and so are their offsets.
        self.progress.advance(progress);
        self.rows += run.rows();
        self.oldest_ms.get_or_insert(now_ms);
        self.runs.push(Arc::new(run));
        self.merge_small_runs()?;
        self.judge_dictionaries();
        self.show();
        Ok(())
    }

    /// Rows not yet published.
    pub fn hot_rows(&self) -> usize {
        self.rows
    }

    /// Memory of rows not yet published, dictionaries included.
    pub fn hot_bytes(&self) -> usize {
        self.runs.iter().map(|run| run.bytes).sum::<usize>()
            + self.dictionaries.iter().map(Dictionary::bytes).sum::<usize>()
    }

    /// [`Self::hot_bytes`], and what is on its way into segments, or waits to be when there is room on the disk.
    pub fn unpublished_bytes(&self) -> usize {
        self.hot_bytes() + self.frozen_bytes
    }

    /// The latest `__time` among the rows not yet published.
    pub fn latest_time_ms(&self) -> Option<i64> {
        self.runs.iter().map(|run| run.time_range.1).max()
    }

    /// When the first unpublished row was appended, in the caller's clock.
    pub fn oldest_ms(&self) -> Option<i64> {
        self.oldest_ms
    }

    /// How far the streams have been read, hot rows included.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Drops all unpublished rows and reads on from `progress`: what a supervisor's reset does.
    pub fn clear_hot(&mut self, progress: Progress) {
        drop(self.take_generation());
        self.progress = progress;
        self.show();
    }

    /// Moves all rows out. They stay visible: the state keeps their parts as frozen until segments replace them.
    pub(crate) fn freeze(&mut self) -> Frozen {
        let parts = self.parts();
        self.frozen_bytes += self.hot_bytes();
        let frozen = self.take_generation();
        let state = self.state.load_full();
        self.state.store(Arc::new(State {
            frozen: state.frozen.iter().cloned().chain(parts).collect(),
            hot: Arc::from([]),
            generation: state.generation + 1,
            ..State::clone(&state)
        }));
        frozen
    }

    /// The frozen rows have become segments, or were dropped.
    pub(crate) fn frozen_gone(&mut self) {
        self.frozen_bytes = 0;
    }

    fn take_generation(&mut self) -> Frozen {
        let fresh = (0..self.schema.columns.len()).map(|_| Dictionary::new()).collect();
        self.generation += 1;
        self.rows = 0;
        self.oldest_ms = None;
        Frozen {
            schema: Arc::clone(&self.schema),
            columns: Arc::clone(&self.columns),
            companions: Arc::clone(&self.companions),
            runs: std::mem::take(&mut self.runs),
            dictionaries: std::mem::replace(&mut self.dictionaries, fresh),
            progress: self.progress.clone(),
        }
    }

    /// Swaps in a state whose hot parts are the current runs.
    fn show(&mut self) {
        let hot = self.parts();
        let state = self.state.load_full();
        let mut next = State { hot: hot.into(), generation: state.generation + 1, ..State::clone(&state) };
        next.refresh_schema(&self.schema);
        self.state.store(Arc::new(next));
    }

    fn parts(&mut self) -> Vec<HotPart> {
        let dictionaries = self.dictionaries.iter_mut().map(Dictionary::snapshot).collect();
        part::parts_of(&self.runs, Arc::clone(&self.columns), dictionaries)
    }

    fn merge_small_runs(&mut self) -> Result<()> {
        let rows_max = if self.schema.rollup { RUN_ROWS_MAX * 8 } else { RUN_ROWS_MAX };
        // Runs of doubling sizes have twice as many rows as the largest of them: enough of them together are one run at once.
        let first = self.runs.iter().rposition(|run| run.is_settled()).map_or(0, |at| at + 1);
        let unsettled = &self.runs[first..];
        let rows: usize = unsettled.iter().map(|run| run.rows()).sum();
        if unsettled.len() > 1 && rows >= self.settled_rows_min && rows <= rows_max && !self.schema.rollup {
            let merged = Run::concat(unsettled, &self.dictionaries)?;
            self.runs.truncate(first);
            self.runs.push(Arc::new(merged));
        }
        while let [.., before, last] = self.runs.as_slice() {
            let settled = before.is_settled() || last.is_settled();
            if settled || before.rows() > 2 * last.rows() || before.rows() + last.rows() > rows_max {
                break;
            }
            let mut merged = Run::concat(&[Arc::clone(before), Arc::clone(last)], &self.dictionaries)?;
            if self.schema.rollup {
                merged = merged.rolled_up(&self.schema.columns, &self.companions)?;
                self.rows -= before.rows() + last.rows() - merged.rows();
            }
            self.runs.truncate(self.runs.len() - 2);
            self.runs.push(Arc::new(merged));
        }
        self.settle_last_run()
    }

    fn settle_last_run(&mut self) -> Result<()> {
        if let Some(last) = self.runs.last_mut()
            && last.rows() >= self.settled_rows_min
            && !last.is_settled()
            && !self.schema.rollup
        {
            *last = Arc::new(settle::settle(last)?);
        }
        Ok(())
    }

    /// Decides once per generation and column whether a dictionary still pays.
    fn judge_dictionaries(&mut self) {
        if self.rows < PLAIN_ROWS_MIN || self.schema.rollup {
            return;
        }
        for (at, spec) in self.schema.columns.iter().enumerate() {
            let single = spec.column_type == ColumnType::String && !spec.multi_value;
            if single && !self.plain[at] && self.dictionaries[at].len() > self.rows / 2 {
                self.plain[at] = true;
            }
        }
    }

    fn check_codes(&self, batch: &RowBatch) -> Result<()> {
        for (at, column) in batch.columns.iter().enumerate() {
            let known = self.dictionaries[at].len() as u32;
            let (codes, null_allowed) = match column {
                BatchColumn::Codes(codes) => (codes, true),
                BatchColumn::MultiCodes { ends, codes } => {
                    let ordered =
                        ends.is_sorted() && ends.last().copied().unwrap_or(0) as usize == codes.len();
                    if !ordered {
                        return Err(self.mismatch(format!(
                            "ends of column {} are not those of its codes",
                            self.schema.columns[at].name
                        )));
                    }
                    (codes, false)
                }
                BatchColumn::Text(_) if self.schema.columns[at].multi_value => {
                    let name = &self.schema.columns[at].name;
                    return Err(
                        self.mismatch(format!("column {name} holds several values a row, which needs codes"))
                    );
                }
                _ => continue,
            };
            let bad = codes.iter().find(|&&code| code >= known && !(null_allowed && code == NULL_CODE));
            if let Some(code) = bad {
                return Err(self.mismatch(format!(
                    "code {code} of column {} is not in its dictionary of {known}",
                    self.schema.columns[at].name
                )));
            }
        }
        Ok(())
    }

    fn mismatch(&self, reason: String) -> StorageError {
        StorageError::SchemaMismatch { datasource: self.datasource.to_string(), reason }
    }

    /// The time columns of `First` and `Last` metrics.
    fn companion_columns(&self, batch: &RowBatch) -> Result<Vec<RunColumn>> {
        let count = self.columns.len() - self.schema.columns.len();
        if count == 0 {
            return Ok(Vec::new());
        }
        let Some(raw) = &batch.raw_time else {
            return Err(
                self.mismatch("the schema has first or last metrics, the batch has no raw times".into())
            );
        };
        if raw.len() != batch.rows() {
            return Err(self.mismatch(format!("{} raw times for {} rows", raw.len(), batch.rows())));
        }
        Ok(vec![RunColumn::Long(Int64Array::from(raw.clone())); count])
    }

    /// A column is multi-value from the first row that holds several values, and then it has a dictionary: lists
    /// are lists of codes.
    fn note_multi_values(&mut self, batch: &RowBatch) {
        let becomes: Vec<usize> = batch
            .columns
            .iter()
            .zip(&self.schema.columns)
            .enumerate()
            .filter(|(_, (column, spec))| {
                matches!(column, BatchColumn::MultiCodes { .. }) && !spec.multi_value
            })
            .map(|(at, _)| at)
            .collect();
        if becomes.is_empty() {
            return;
        }
        let schema = Arc::make_mut(&mut self.schema);
        for &at in &becomes {
            schema.columns[at].multi_value = true;
        }
        for at in becomes {
            self.plain[at] = false;
            for run in &mut self.runs {
                if matches!(run.columns.get(at), Some(RunColumn::Text(_))) {
                    *run = Arc::new(run.with_codes(at, &mut self.dictionaries[at]));
                }
            }
        }
        (self.columns, self.companions) = physical_columns(&self.schema);
    }

    fn with_known_multi_values(&self, mut schema: Arc<TableSchema>) -> Arc<TableSchema> {
        let known =
            |name: &str| self.schema.index_of(name).is_some_and(|at| self.schema.columns[at].multi_value);
        if schema
            .columns
            .iter()
            .any(|c| !c.multi_value && c.column_type == ColumnType::String && known(&c.name))
        {
            let next = Arc::make_mut(&mut schema);
            for column in &mut next.columns {
                column.multi_value |= column.column_type == ColumnType::String && known(&column.name);
            }
        }
        schema
    }

    fn extends(&self, schema: &TableSchema) -> bool {
        let kept: Vec<&ColumnSpec> =
            schema.columns.iter().filter(|c| self.schema.index_of(&c.name).is_some()).collect();
        schema.segment_granularity == self.schema.segment_granularity
            && schema.query_granularity == self.schema.query_granularity
            && schema.rollup == self.schema.rollup
            && kept.into_iter().eq(self.schema.columns.iter())
            && schema
                .columns
                .iter()
                .all(|c| self.schema.index_of(&c.name).is_some() || c.role == ColumnRole::Dimension)
    }

    /// Puts dictionaries and the columns of all runs into the order of a schema that extends the current one.
    fn rearrange(&mut self, schema: &TableSchema) {
        let from: Vec<Option<usize>> =
            schema.columns.iter().map(|column| self.schema.index_of(&column.name)).collect();
        let old_width = self.schema.columns.len();
        for run in &mut self.runs {
            let companions = (old_width..run.columns.len()).map(Some);
            *run = Arc::new(run.rearranged(from.iter().copied().chain(companions)));
        }
        let mut old: Vec<Option<Dictionary>> = self.dictionaries.drain(..).map(Some).collect();
        self.dictionaries =
            from.iter().map(|at| at.and_then(|at| old[at].take()).unwrap_or_default()).collect();
        self.plain = from.iter().map(|at| at.is_some_and(|at| self.plain[at])).collect();
    }
}

/// The columns that runs and segments hold: the schema's, then the companions of its `First` and `Last` metrics.
/// Beside it, per schema column, where its companion stands.
pub(crate) fn physical_columns(schema: &TableSchema) -> (Arc<[ColumnSpec]>, Arc<[Option<usize>]>) {
    let mut columns = schema.columns.clone();
    let mut companions = vec![None; schema.columns.len()];
    for (at, spec) in schema.columns.iter().enumerate() {
        if let Some(name) = spec.companion() {
            companions[at] = Some(columns.len());
            let ColumnRole::Metric(rollup) = spec.role else { continue };
            let keep = if rollup == Rollup::First { Rollup::Min } else { Rollup::Max };
            columns.push(ColumnSpec::metric(name, ColumnType::Long, keep));
        }
    }
    (columns.into(), companions.into())
}
