//! The groups of some of the rows: filled from selections, merged, and turned into rows at the end.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use datafusion::common::Result;
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};

use super::groups::Groups;
use super::keys::KeyIds;
use super::plan::{AggregatePlan, Chunk, Input};
use crate::scan::rows::Rows;
use crate::scan::stream::Selected;

/// Rows worked on at once: ids, groups and values of so many stay in the processor's cache.
const CHUNK_ROWS: usize = 8192;

/// Groups and what is known of each.
pub(super) struct Partial {
    plan: Arc<AggregatePlan>,
    keys: Vec<KeyIds>,
    groups: Groups,
    accumulators: Vec<Box<dyn GroupsAccumulator>>,
    reservation: MemoryReservation,
    /// Of the rows at hand, by key.
    ids: Vec<Vec<u32>>,
    row_groups: Vec<usize>,
}

impl Partial {
    /// No rows yet; memory is taken from `reservation`.
    pub(super) fn new(plan: Arc<AggregatePlan>, reservation: MemoryReservation) -> Result<Self> {
        let keys: Vec<KeyIds> = plan
            .schema
            .fields()
            .iter()
            .take(plan.keys.len())
            .map(|field| KeyIds::new(field.data_type().clone()))
            .collect();
        let accumulators = plan
            .aggregates
            .iter()
            .map(|aggregate| aggregate.function.create_groups_accumulator())
            .collect::<Result<_>>()?;
        Ok(Self {
            groups: Groups::new(keys.len()),
            ids: vec![Vec::new(); keys.len()],
            row_groups: Vec::new(),
            plan,
            keys,
            accumulators,
            reservation,
        })
    }

    /// The number of groups.
    pub(super) fn len(&self) -> usize {
        self.groups.len()
    }

    /// Adds rows. Fails when there is no memory for their groups.
    pub(super) fn update(&mut self, selected: Selected) -> Result<()> {
        let Selected { columns, rows } = selected;
        // Positions are found once here, not once per column.
        let rows = if let Rows::Mask { .. } = rows { Rows::Positions(rows.into_positions()) } else { rows };
        for start in (0..rows.len()).step_by(CHUNK_ROWS) {
            let rows = rows.slice(start, CHUNK_ROWS.min(rows.len() - start));
            self.update_chunk(&mut Chunk::new(&columns, rows))?;
        }
        self.account()
    }

    fn update_chunk(&mut self, chunk: &mut Chunk<'_>) -> Result<()> {
        let plan = Arc::clone(&self.plan);
        for ((key, values), ids) in plan.keys.iter().zip(&mut self.keys).zip(&mut self.ids) {
            values.read(key, chunk, ids)?;
        }
        self.assign(chunk.rows.len());
        for (aggregate, accumulator) in plan.aggregates.iter().zip(&mut self.accumulators) {
            let filter = aggregate.filter.as_ref().map(|filter| chunk.test(filter)).transpose()?;
            let arguments = evaluate(chunk, &aggregate.arguments)?;
            accumulator.update_batch(&arguments, &self.row_groups, filter.as_ref(), self.groups.len())?;
        }
        Ok(())
    }

    /// Adds the groups of `other`.
    pub(super) fn merge(&mut self, mut other: Self) -> Result<()> {
        if self.groups.len() == 0 {
            *self = other;
            return Ok(());
        }
        for (key, values) in self.keys.iter_mut().enumerate() {
            let translated = values.values.merge(&other.keys[key].values);
            let ids = other.groups.ids(key).iter().map(|&id| translated[id as usize]);
            self.ids[key].clear();
            self.ids[key].extend(ids);
        }
        self.assign(other.groups.len());
        for (own, others) in self.accumulators.iter_mut().zip(&mut other.accumulators) {
            own.merge_batch(&others.state(EmitTo::All)?, &self.row_groups, self.groups.len())?;
        }
        self.account()
    }

    /// One row for each group.
    pub(super) fn finish(mut self) -> Result<RecordBatch> {
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.plan.schema.fields().len());
        for (key, values) in self.keys.iter().enumerate() {
            columns.push(values.values.array(self.groups.ids(key))?);
        }
        for accumulator in &mut self.accumulators {
            columns.push(accumulator.evaluate(EmitTo::All)?);
        }
        Ok(RecordBatch::try_new(Arc::clone(&self.plan.schema), columns)?)
    }

    fn assign(&mut self, rows: usize) {
        let ends: Vec<u32> = self.keys.iter().map(|key| key.values.end()).collect();
        self.groups.assign(&self.ids, &ends, rows, &mut self.row_groups);
    }

    fn account(&mut self) -> Result<()> {
        let keys: usize = self.keys.iter().map(KeyIds::bytes).sum();
        let accumulators: usize = self.accumulators.iter().map(|accumulator| accumulator.size()).sum();
        self.reservation.try_resize(keys + accumulators + self.groups.bytes())
    }
}

fn evaluate(chunk: &mut Chunk<'_>, inputs: &[Input]) -> Result<Vec<ArrayRef>> {
    inputs.iter().map(|input| chunk.evaluate(input)).collect()
}
