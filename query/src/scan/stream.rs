//! The scan of one partition at work: units → selected rows → batches.
//!
//! [`Selections`] yields [`Selected`]: which rows of which part, nothing decoded. [`batches`] decodes them into
//! record batches; an operator of our own may take the selections instead and work on codes.
//!
//! Work is done in steps of a few blocks, with a chance for other tasks, and for cancellation, between them.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::compute::BatchCoalescer;
use arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::physical_plan::metrics::{BaselineMetrics, Count, ExecutionPlanMetricsSet, MetricBuilder};
use futures::Stream;
use futures::stream::try_unfold;
use ovate_storage::BLOCK_ROWS;

use super::bounds::{Target, TargetKind, bounds};
use super::column::PartColumns;
use super::exec::ScanPlan;
use super::filter::{Node, TIME_INDEX};
use super::layout::Unit;
use super::ranges::Ranges;
use super::rows::Rows;
use super::select::{Checks, Context};
use super::truth::Truths;

/// Blocks filtered between two chances to cancel: about a millisecond.
const BLOCKS_PER_STEP: usize = 16;

/// Rows of one part that passed all filters.
#[derive(Debug)]
pub(crate) struct Selected {
    /// The part's columns, coded or to be decoded.
    pub(crate) columns: Arc<PartColumns>,
    /// The rows, in the order in which they are to come out.
    pub(crate) rows: Rows,
}

/// The rows that one partition selects.
pub(crate) struct Selections {
    plan: Arc<ScanPlan>,
    truths: Arc<Truths>,
    units: VecDeque<Unit>,
    active: Option<Active>,
    /// The columns of the part that was opened last: the next unit may be of it as well.
    last: Option<(usize, Arc<PartColumns>)>,
    /// Rows still allowed out.
    fetch: usize,
    /// Rows to collect before they are given out; `None`: only their number matters.
    batch_rows: Option<usize>,
    metrics: ScanMetrics,
}

/// A unit being read.
struct Active {
    columns: Arc<PartColumns>,
    checks: Checks,
    unit: Unit,
    /// What is left of the unit's rows.
    left: std::ops::Range<usize>,
}

#[derive(Debug, Clone)]
struct ScanMetrics {
    rows_scanned: Count,
    rows_selected: Count,
    blocks_skipped: Count,
    units_skipped: Count,
    bytes_scanned: Count,
}

impl ScanMetrics {
    fn new(metrics: &ExecutionPlanMetricsSet, partition: usize) -> Self {
        let counter = |name: &'static str| MetricBuilder::new(metrics).counter(name, partition);
        Self {
            rows_scanned: counter("rows_scanned"),
            rows_selected: counter("rows_selected"),
            blocks_skipped: counter("blocks_skipped"),
            units_skipped: counter("units_skipped"),
            bytes_scanned: counter("bytes_scanned"),
        }
    }
}

impl Selections {
    /// The selections of `units`, which are those of `partition` or some of them. `batch_rows` is how many rows to gather, `None` if only their number matters.
    pub(crate) fn new(
        plan: &Arc<ScanPlan>,
        truths: &Arc<Truths>,
        partition: usize,
        units: &[Unit],
        batch_rows: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> Self {
        let units = units.iter().cloned();
        let units = if plan.backward { units.rev().collect() } else { units.collect() };
        Self {
            plan: Arc::clone(plan),
            truths: Arc::clone(truths),
            units,
            active: None,
            last: None,
            fetch: plan.fetch.unwrap_or(usize::MAX),
            batch_rows,
            metrics: ScanMetrics::new(metrics, partition),
        }
    }

    /// Adds a unit behind those that are left.
    pub(crate) fn feed(&mut self, unit: Unit) {
        self.units.push_back(unit);
    }

    /// The next rows; never an empty selection.
    pub(crate) async fn next(&mut self) -> Result<Option<Selected>> {
        while self.fetch > 0 {
            if self.active.is_none() {
                let Some(unit) = self.units.pop_front() else { return Ok(None) };
                self.active = self.open(unit).await?;
                continue;
            }
            let rows = self.collect().await?;
            let Some(active) = &self.active else { return Ok(None) };
            let columns = Arc::clone(&active.columns);
            if active.left.is_empty() {
                self.active = None;
            }
            if !rows.is_empty() {
                self.fetch -= rows.len();
                self.metrics.rows_selected.add(rows.len());
                return Ok(Some(Selected { columns, rows }));
            }
        }
        Ok(None)
    }

    /// Applies the filters to a unit; `None` if they leave nothing.
    async fn open(&mut self, unit: Unit) -> Result<Option<Active>> {
        let columns = self.columns(unit.part);
        let plan = &self.plan;
        if !self.time_now().overlaps(unit.time_range.0, unit.time_range.1) {
            self.metrics.units_skipped.add(1);
            return Ok(None);
        }
        let context = Context {
            columns: &columns,
            truths: &self.truths,
            range: unit.rows.clone(),
            postings: plan.postings,
            counts: self.batch_rows.is_none()
                && unit.accepted.is_none()
                && matches!(plan.filters.conjuncts.as_slice(), [Node::Leaf(_)]),
        };
        let Some(checks) = Checks::new(&plan.filters.conjuncts, unit.accepted.as_ref(), &context).await?
        else {
            self.metrics.units_skipped.add(1);
            return Ok(None);
        };
        let left = unit.rows.clone();
        Ok(Some(Active { columns, checks, unit, left }))
    }

    fn columns(&mut self, part: usize) -> Arc<PartColumns> {
        if let Some((last, columns)) = &self.last
            && *last == part
        {
            return Arc::clone(columns);
        }
        let plan = &self.plan;
        let (schema, dictionaries) = (Arc::clone(&plan.schema), Arc::clone(&plan.dictionaries));
        let columns = Arc::new(PartColumns::new(plan.snapshot.parts[part].clone(), schema, dictionaries));
        self.last = Some((part, Arc::clone(&columns)));
        columns
    }

    /// The time that a reader above still asks for: a TopK narrows it as it finds better rows.
    fn time_now(&self) -> Ranges {
        let target = Target { column: TIME_INDEX, kind: TargetKind::Time };
        self.plan
            .dynamic
            .iter()
            .fold(Ranges::all(), |time, filter| time.intersect(&bounds(filter, target).can_hold))
    }

    /// Rows of the active unit: enough for a batch, or what the unit has left. Where only their number matters, they are
    /// others of that number.
    async fn collect(&mut self) -> Result<Rows> {
        let mut found = Found { counts: self.batch_rows.is_none(), ..Found::default() };
        let goal = self.batch_rows.unwrap_or(usize::MAX).min(self.fetch);
        let mut steps = 0;
        while found.len < goal {
            let Some(active) = &mut self.active else { break };
            if let (None, Some(count)) = (self.batch_rows, active.checks.count(&active.left)) {
                self.metrics.rows_scanned.add(active.left.len());
                active.left = 0..0;
                return Ok(Rows::Range(0..count.min(self.fetch)));
            }
            if !active.advance(self.plan.backward) {
                break;
            }
            if active.checks.is_empty() {
                let rows = active.take(goal - found.len, self.plan.backward);
                self.metrics.rows_scanned.add(rows.len());
                found.push(Rows::Range(rows));
                continue;
            }
            let block = active.take_block(self.plan.backward);
            if !self.plan.dynamic.is_empty() && !self.still_asked_for(&block)? {
                self.metrics.blocks_skipped.add(1);
                continue;
            }
            let Some(active) = &self.active else { break };
            self.metrics.rows_scanned.add(block.len());
            let (rows, skipped) = active.checks.narrow(&active.columns, block)?;
            self.metrics.blocks_skipped.add(usize::from(skipped));
            found.push(rows);
            steps += 1;
            if steps % BLOCKS_PER_STEP == 0 {
                tokio::task::yield_now().await;
            }
        }
        Ok(found.finish(self.fetch, self.plan.backward))
    }

    /// Whether a block may hold rows that a reader above still asks for.
    fn still_asked_for(&self, block: &std::ops::Range<usize>) -> Result<bool> {
        let Some(active) = &self.active else { return Ok(false) };
        let part = active.columns.part();
        let (low, high) = if part.sorted_by_time() {
            let time = part.time().map_err(super::column::external)?;
            (time.value(block.start), time.value(block.end - 1))
        } else {
            active.unit.time_range
        };
        Ok(self.time_now().overlaps(low, high))
    }
}

impl Active {
    /// Moves to the next row that may pass; whether there is one.
    fn advance(&mut self, backward: bool) -> bool {
        match self.checks.next_candidate(&self.left, backward) {
            Some(row) if backward => self.left.end = row + 1,
            Some(row) => self.left.start = row,
            None => self.left = 0..0,
        }
        !self.left.is_empty()
    }

    /// Up to `count` rows.
    fn take(&mut self, count: usize, backward: bool) -> std::ops::Range<usize> {
        let count = count.min(self.left.len());
        if backward {
            self.left.end -= count;
            self.left.end..self.left.end + count
        } else {
            self.left.start += count;
            self.left.start - count..self.left.start
        }
    }

    /// The rows up to the border of the block that the next row is in.
    fn take_block(&mut self, backward: bool) -> std::ops::Range<usize> {
        let count = if backward {
            let start = (self.left.end - 1) / BLOCK_ROWS * BLOCK_ROWS;
            self.left.end - start.max(self.left.start)
        } else {
            let end = (self.left.start / BLOCK_ROWS + 1) * BLOCK_ROWS;
            end.min(self.left.end) - self.left.start
        };
        self.take(count, backward)
    }
}

/// Rows of several blocks, in the order in which they were found.
#[derive(Debug, Default)]
struct Found {
    /// Only their number is kept.
    counts: bool,
    pieces: Vec<Rows>,
    len: usize,
}

impl Found {
    fn push(&mut self, rows: Rows) {
        if rows.is_empty() {
            return;
        }
        self.len += rows.len();
        if self.counts {
            return;
        }
        if let (Some(Rows::Range(last)), Rows::Range(next)) = (self.pieces.last_mut(), &rows) {
            if last.end == next.start {
                last.end = next.end;
                return;
            }
            if next.end == last.start {
                last.start = next.start;
                return;
            }
        }
        self.pieces.push(rows);
    }

    /// The first `fetch` rows; backward they descend.
    fn finish(mut self, fetch: usize, backward: bool) -> Rows {
        if self.counts {
            return Rows::Range(0..self.len.min(fetch));
        }
        if self.pieces.len() == 1 && !backward && self.len <= fetch {
            return self.pieces.pop().unwrap_or_else(Rows::none);
        }
        if let ([Rows::Range(range)], false) = (self.pieces.as_slice(), backward) {
            return Rows::Range(range.start..range.start + fetch.min(range.len()));
        }
        let mut positions = Vec::with_capacity(self.len);
        for piece in &self.pieces {
            let start = positions.len();
            piece.append_to(&mut positions);
            if backward {
                positions[start..].reverse();
            }
        }
        positions.truncate(fetch);
        Rows::positions(positions)
    }
}

/// The batches of one partition: `projection` decoded into `schema`, about `batch_rows` rows each.
pub(crate) fn batches(
    selections: Selections,
    projection: Vec<usize>,
    schema: SchemaRef,
    batch_rows: usize,
    baseline: BaselineMetrics,
) -> impl Stream<Item = Result<RecordBatch>> + Send {
    let reader = Reader {
        // Small pieces of many parts are joined; whatever is half a batch goes through as it is.
        small: BatchCoalescer::new(Arc::clone(&schema), batch_rows)
            .with_biggest_coalesce_batch_size(Some(batch_rows / 2)),
        selections,
        projection,
        schema,
        batch_rows,
        pending: VecDeque::new(),
        baseline,
        finished: false,
    };
    try_unfold(reader, |mut reader| async move { Ok(reader.next().await?.map(|batch| (batch, reader))) })
}

struct Reader {
    selections: Selections,
    projection: Vec<usize>,
    schema: SchemaRef,
    batch_rows: usize,
    /// Selections cut to the size of a batch.
    pending: VecDeque<Selected>,
    small: BatchCoalescer,
    baseline: BaselineMetrics,
    finished: bool,
}

impl Reader {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(batch) = self.small.next_completed_batch() {
                self.baseline.output_rows().add(batch.num_rows());
                return Ok(Some(batch));
            }
            if let Some(selected) = self.pending.pop_front() {
                let compute = self.baseline.elapsed_compute().clone();
                let _timer = compute.timer();
                let batch = self.decode(&selected)?;
                self.small.push_batch(batch)?;
                continue;
            }
            if self.finished {
                return Ok(None);
            }
            match self.selections.next().await? {
                Some(selected) if self.projection.is_empty() => {
                    self.baseline.output_rows().add(selected.rows.len());
                    return Ok(Some(self.count_only(selected.rows.len())?));
                }
                Some(selected) => self.cut(selected),
                None => {
                    self.finished = true;
                    self.small.finish_buffered_batch()?;
                }
            }
        }
    }

    fn cut(&mut self, selected: Selected) {
        let Selected { columns, rows } = selected;
        let batch_rows = self.batch_rows;
        // Positions are found once here, not once per column.
        let rows = if let Rows::Mask { .. } = rows { Rows::Positions(rows.into_positions()) } else { rows };
        for start in (0..rows.len()).step_by(batch_rows) {
            let count = batch_rows.min(rows.len() - start);
            let rows = rows.slice(start, count);
            self.pending.push_back(Selected { columns: Arc::clone(&columns), rows });
        }
    }

    fn decode(&self, selected: &Selected) -> Result<RecordBatch> {
        let mut columns = Vec::with_capacity(self.projection.len());
        for &index in &self.projection {
            columns.push(selected.columns.decode(index, &selected.rows)?);
            let bytes = selected.columns.row_bytes(index)? * selected.rows.len();
            self.selections.metrics.bytes_scanned.add(bytes);
        }
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }

    fn count_only(&self, rows: usize) -> Result<RecordBatch> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), Vec::new(), &options)?)
    }
}
