//! The groups of some of the rows: filled from selections, merged, and turned into rows at the end.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, PrimitiveArray, RecordBatch, UInt32Array, new_empty_array,
};
use arrow::compute::{take, take_arrays};
use arrow::datatypes::{Float64Type, Int64Type};
use datafusion::common::{Result, internal_err};
use datafusion::execution::memory_pool::MemoryReservation;
use ovate_storage::time::Interval;

use super::accumulate::{Accumulate, RowGroups, accumulator, counts_from_rows, counts_rows};
use super::chunk::{ByCode, Chunk};
use super::counts::RowCounts;
use super::groups::Groups;
use super::keys::{Ids, KeyIds};
use super::leading::Leading;
use super::packed::{self, Packed};
use super::plan::{AggregatePlan, Input, KeySource, Outcome};
use super::weights::{Countable, ROWS_MAX, Weights};
use crate::scan::column::{PartColumn, PartColumns, external};
use crate::scan::rows::Rows;
use crate::scan::stream::Selected;
use crate::search::partition_point;

/// Rows worked on at once: ids, groups and values of so many stay in the processor's cache.
const CHUNK_ROWS: usize = 8192;
/// A chunk ends with its bucket of time if that has so many rows in it: then the bucket is settled for all of them.
const BUCKET_ROWS: usize = 1024;

/// Groups by the values of their keys, and what is known of each.
#[derive(Debug)]
pub(super) struct Tally {
    /// By key, one value for each group.
    keys: Vec<ArrayRef>,
    /// By aggregate, its state: one row for each group.
    states: Vec<Vec<ArrayRef>>,
    /// The rows of each group; none if they are not counted.
    rows: Vec<i64>,
    groups: usize,
}

impl Tally {
    /// The number of groups.
    pub(super) fn len(&self) -> usize {
        self.groups
    }

    /// Bytes taken.
    pub(super) fn bytes(&self) -> usize {
        let arrays = self.keys.iter().chain(self.states.iter().flatten());
        size_of::<Self>()
            + self.rows.len() * size_of::<i64>()
            + arrays.map(Array::get_array_memory_size).sum::<usize>()
    }
}

/// Groups and what is known of each.
pub(super) struct Partial {
    plan: Arc<AggregatePlan>,
    keys: Vec<KeyIds>,
    groups: Groups,
    accumulators: Vec<Box<dyn Accumulate>>,
    /// The rows of each group, if some aggregate asks for them.
    row_counts: Option<RowCounts>,
    /// The short way to groups, if keys are of the kind.
    packed: Option<Packed>,
    by_code: ByCode,
    reservation: MemoryReservation,
    /// How rows are weighed, if every aggregate counts them, whatever is in them.
    weights: Option<Weights>,
    /// Of the rows at hand, by key.
    ids: Vec<Ids>,
    /// Room for the groups of the rows at hand.
    row_groups: Vec<u32>,
}

impl Partial {
    /// No rows yet; memory is taken from `reservation`.
    pub(super) fn new(plan: Arc<AggregatePlan>, reservation: MemoryReservation) -> Result<Self> {
        let fields = plan.schema.fields().iter().take(plan.keys.len());
        let types: Vec<_> = fields.map(|field| field.data_type().clone()).collect();
        let keys: Vec<KeyIds> = types.iter().cloned().map(KeyIds::new).collect();
        let accumulators = plan.aggregates.iter().map(accumulator).collect::<Result<_>>()?;
        let only_counts = plan.aggregates.iter().all(|a| a.filter.is_none() && counts_rows(&a.function));
        let mut partial = Self {
            row_counts: plan.aggregates.iter().any(counts_from_rows).then(RowCounts::default),
            weights: only_counts.then(Weights::default),
            groups: Groups::new(keys.len()),
            ids: keys.iter().map(|_| Ids::default()).collect(),
            packed: packed::fits(&types).then(Packed::default),
            by_code: ByCode::default(),
            row_groups: Vec::new(),
            plan,
            keys,
            accumulators,
            reservation,
        };
        if partial.keys.is_empty() {
            partial.begin()?;
        }
        Ok(partial)
    }

    /// Makes the group that there is without keys, with or without rows.
    fn begin(&mut self) -> Result<()> {
        let Self { plan, groups, row_groups, accumulators, row_counts, .. } = self;
        groups.assign(&[], &[], 1, row_groups);
        let nothing = RowGroups::One { group: 0, rows: 0 };
        if let Some(row_counts) = row_counts {
            row_counts.add(nothing, 1);
        }
        for (aggregate, accumulator) in plan.aggregates.iter().zip(accumulators) {
            let arguments = aggregate.arguments.iter().map(|input| Ok(new_empty_array(&input.data_type()?)));
            // None of no rows is wanted: so a sum of them is NULL.
            let filter = BooleanArray::from(Vec::<bool>::new());
            accumulator.update(nothing, &arguments.collect::<Result<Vec<_>>>()?, Some(&filter), 1)?;
        }
        Ok(())
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
        let plan = Arc::clone(&self.plan);
        let mut by_code = std::mem::take(&mut self.by_code);
        let countable = if self.weights.is_some() { Countable::of(&plan, &columns)? } else { None };
        let mut start = 0;
        while start < rows.len() {
            let most = if countable.is_some() { ROWS_MAX } else { CHUNK_ROWS };
            let (count, is_one_bucket) = chunk_rows(&plan, &columns, &rows, start, most)?;
            let weighed = match (&mut self.weights, &countable) {
                (Some(weights), Some(by)) if is_one_bucket => weights.weigh(by, &rows.slice(start, count)),
                _ => None,
            };
            if let Some((representatives, weights)) = weighed {
                let representatives = Rows::positions(representatives);
                self.count_chunk(
                    &mut Chunk::new(&columns, representatives, rows.len(), &mut by_code),
                    &weights,
                )?;
                start += count;
            } else {
                let count = count.min(CHUNK_ROWS);
                let chunk = rows.slice(start, count);
                self.update_chunk(&mut Chunk::new(&columns, chunk, rows.len(), &mut by_code))?;
                start += count;
            }
        }
        self.by_code = by_code;
        self.account()
    }

    /// Counts each row of a chunk as many times as `weights` says.
    fn count_chunk(&mut self, chunk: &mut Chunk<'_>, weights: &[i64]) -> Result<()> {
        self.read_keys(chunk)?;
        let ends = self.ends();
        let Self { groups, ids, row_groups, row_counts, .. } = self;
        let rows = groups.assign(ids, &ends, chunk.rows.len(), row_groups);
        if let Some(row_counts) = row_counts {
            row_counts.add_weights(rows, weights, groups.len());
        }
        Ok(())
    }

    fn read_keys(&mut self, chunk: &mut Chunk<'_>) -> Result<()> {
        let mut keys = self.plan.keys.iter().zip(&mut self.keys).zip(&mut self.ids);
        keys.try_for_each(|((key, values), ids)| values.read(key, chunk, ids))
    }

    fn update_chunk(&mut self, chunk: &mut Chunk<'_>) -> Result<()> {
        let plan = Arc::clone(&self.plan);
        let is_packed = self.find_packed(chunk)?;
        if !is_packed {
            self.read_keys(chunk)?;
        }
        let ends = self.ends();
        let Self { groups, ids, row_groups, accumulators, row_counts, .. } = self;
        let rows = if is_packed {
            RowGroups::Each(row_groups)
        } else {
            groups.assign(ids, &ends, chunk.rows.len(), row_groups)
        };
        if let Some(row_counts) = row_counts {
            row_counts.add(rows, groups.len());
        }
        for (aggregate, accumulator) in plan.aggregates.iter().zip(accumulators) {
            // Values that are wanted again, each by itself, are better decoded once.
            if (aggregate.reads_alone || matches!(rows, RowGroups::One { .. }))
                && let (None, [argument]) = (&aggregate.filter, aggregate.arguments.as_slice())
                && let Some((codes, values)) = chunk.coded(argument)?
                && accumulator.update_coded(rows, codes.slice(), &values, groups.len())?
            {
                continue;
            }
            let filter = aggregate.filter.as_ref().map(|filter| chunk.test(filter)).transpose()?;
            let arguments = if counts_rows(&aggregate.function) {
                Vec::new()
            } else {
                evaluate(chunk, &aggregate.arguments)?
            };
            accumulator.update(rows, &arguments, filter.as_ref(), groups.len())?;
        }
        Ok(())
    }

    /// Finds the groups of a chunk's rows the short way; whether there is one.
    fn find_packed(&mut self, chunk: &mut Chunk<'_>) -> Result<bool> {
        if self.packed.is_none() {
            return Ok(false);
        }
        let Some(values) = self.key_values(chunk)? else { return Ok(false) };
        let plan = Arc::clone(&self.plan);
        self.find_by_values(&values, |keys, ids, firsts| {
            let mut chunk = chunk.some(firsts);
            let mut keys = plan.keys.iter().zip(keys).zip(ids);
            keys.try_for_each(|((key, known), ids)| known.read(key, &mut chunk, ids))
        })?;
        Ok(true)
    }

    /// Writes the groups of rows whose keys have these values into `row_groups`. Of rows with the same values only the first
    /// is looked up the long way: `read` finds the ids of such rows.
    fn find_by_values(
        &mut self,
        values: &[ArrayRef],
        read: impl FnOnce(&mut [KeyIds], &mut [Ids], &[u32]) -> Result<()>,
    ) -> Result<()> {
        let Some(mut packed) = self.packed.take() else { return internal_err!("values are not packed") };
        let mut row_groups = std::mem::take(&mut self.row_groups);
        packed.read(values, &mut row_groups)?;
        let (unknown, firsts) = packed.unknown(values, &row_groups);
        if !firsts.is_empty() {
            read(&mut self.keys, &mut self.ids, &firsts)?;
            let ends = self.ends();
            let mut found = Vec::new();
            let found = self.groups.assign(&self.ids, &ends, firsts.len(), &mut found);
            let group_of = |first: usize| match found {
                RowGroups::One { group, .. } => group as u32,
                RowGroups::Each(groups) => groups[first],
            };
            for (row, first) in unknown {
                row_groups[row as usize] = group_of(first as usize);
            }
            for (first, &row) in firsts.iter().enumerate() {
                packed.put(values, row as usize, group_of(first));
            }
        }
        self.row_groups = row_groups;
        self.packed = Some(packed);
        Ok(())
    }

    /// The values of all keys, if all are columns, unless they have codes that lead to their groups as fast.
    fn key_values(&self, chunk: &mut Chunk<'_>) -> Result<Option<Vec<ArrayRef>>> {
        let mut is_worth_it = self.groups.outgrow_arrays();
        let mut columns = Vec::with_capacity(self.plan.keys.len());
        for key in &self.plan.keys {
            let KeySource::Column(index) = key.source else { return Ok(None) };
            is_worth_it |= matches!(*chunk.columns.column(index)?, PartColumn::Plain(_));
            columns.push(index);
        }
        if !is_worth_it {
            return Ok(None);
        }
        columns.into_iter().map(|index| chunk.decode(index)).collect::<Result<_>>().map(Some)
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
            self.ids[key].each().extend(ids);
        }
        let states = other.states()?;
        self.join_ids(other.groups.len(), counted(other.row_counts.as_ref()), &states)
    }

    /// Adds the groups of a tally.
    pub(super) fn add(&mut self, tally: &Tally) -> Result<()> {
        if self.packed.is_some() {
            self.find_by_values(&tally.keys, |keys, ids, firsts| {
                let firsts = UInt32Array::from(firsts.to_vec());
                let mut keys = keys.iter_mut().zip(ids).zip(&tally.keys);
                keys.try_for_each(|((known, ids), given)| {
                    known.read_values(&take(given, &firsts, None)?, ids)
                })
            })?;
            let row_groups = std::mem::take(&mut self.row_groups);
            self.join(RowGroups::Each(&row_groups), &tally.rows, &tally.states)?;
            self.row_groups = row_groups;
            return Ok(());
        }
        for ((known, ids), given) in self.keys.iter_mut().zip(&mut self.ids).zip(&tally.keys) {
            known.read_values(given, ids)?;
        }
        self.join_ids(tally.groups, &tally.rows, &tally.states)
    }

    /// Adds what is known of so many groups, whose keys are in `ids`.
    fn join_ids(&mut self, count: usize, row_counts: &[i64], states: &[Vec<ArrayRef>]) -> Result<()> {
        let ends = self.ends();
        let mut row_groups = std::mem::take(&mut self.row_groups);
        let rows = self.groups.assign(&self.ids, &ends, count, &mut row_groups);
        self.join(rows, row_counts, states)?;
        self.row_groups = row_groups;
        Ok(())
    }

    /// Adds what is known of these groups.
    fn join(&mut self, rows: RowGroups<'_>, row_counts: &[i64], states: &[Vec<ArrayRef>]) -> Result<()> {
        let groups = self.groups.len();
        if let Some(own) = &mut self.row_counts {
            own.add_weights(rows, row_counts, groups);
        }
        for (accumulator, state) in self.accumulators.iter_mut().zip(states) {
            accumulator.merge(rows, state, groups)?;
        }
        self.account()
    }

    /// All groups, in a form that can be added many times.
    pub(super) fn tally(mut self) -> Result<Tally> {
        let states = self.states()?;
        Ok(Tally {
            keys: self.key_columns(None)?,
            states,
            rows: counted(self.row_counts.as_ref()).to_vec(),
            groups: self.groups.len(),
        })
    }

    fn states(&mut self) -> Result<Vec<Vec<ArrayRef>>> {
        let rows = counted(self.row_counts.as_ref());
        self.accumulators.iter_mut().map(|own| own.state(rows)).collect()
    }

    /// The keys of these groups, or of all.
    fn key_columns(&self, groups: Option<&[u32]>) -> Result<Vec<ArrayRef>> {
        let keys = self.keys.iter().enumerate();
        let column = |(key, known): (usize, &KeyIds)| {
            let ids = self.groups.ids(key);
            match groups {
                Some(groups) => {
                    let ids: Vec<u32> = groups.iter().map(|&group| ids[group as usize]).collect();
                    known.values.array(&ids)
                }
                None => known.values.array(ids),
            }
        };
        keys.map(column).collect()
    }

    /// One row for each group, or for each that is `leading`.
    pub(super) fn finish(mut self, leading: Option<&Leading>) -> Result<RecordBatch> {
        let rows = counted(self.row_counts.as_ref());
        let accumulators = self.accumulators.iter_mut();
        let finished: Vec<ArrayRef> = accumulators.map(|own| own.finish(rows)).collect::<Result<_>>()?;
        let outcome = |result: &Outcome| -> Result<ArrayRef> {
            Ok(match *result {
                Outcome::Of(at) => Arc::clone(&finished[at]),
                Outcome::Average { sum, count } => Arc::new(averages(&finished[sum], &finished[count])?),
            })
        };
        let mut results: Vec<ArrayRef> = self.plan.results.iter().map(outcome).collect::<Result<_>>()?;
        let groups = match leading {
            Some(leading) => leading.groups(&results[leading.result])?,
            None => None,
        };
        let mut columns = self.key_columns(groups.as_deref())?;
        if let Some(groups) = groups {
            results = take_arrays(&results, &UInt32Array::from(groups), None)?;
        }
        columns.append(&mut results);
        Ok(RecordBatch::try_new(Arc::clone(&self.plan.schema), columns)?)
    }

    /// By key, one more than the greatest id.
    fn ends(&self) -> Vec<u32> {
        self.keys.iter().map(|key| key.values.end()).collect()
    }

    fn account(&mut self) -> Result<()> {
        let keys: usize = self.keys.iter().map(KeyIds::bytes).sum();
        let accumulators: usize = self.accumulators.iter().map(|accumulator| accumulator.bytes()).sum();
        let counts = self.row_counts.as_ref().map_or(0, RowCounts::bytes)
            + self.weights.as_ref().map_or(0, Weights::bytes)
            + self.packed.as_ref().map_or(0, Packed::bytes);
        self.reservation.try_resize(keys + accumulators + counts + self.groups.bytes() + self.by_code.bytes())
    }
}

/// The rows of each group; none if they are not counted.
fn counted(row_counts: Option<&RowCounts>) -> &[i64] {
    row_counts.map_or(&[], RowCounts::values)
}

/// Sums over counts; NULL where the sum is.
fn averages(sums: &ArrayRef, counts: &ArrayRef) -> Result<PrimitiveArray<Float64Type>> {
    let (sums, counts) = (sums.as_primitive_opt::<Float64Type>(), counts.as_primitive_opt::<Int64Type>());
    let (Some(sums), Some(counts)) = (sums, counts) else {
        return internal_err!("an average is a sum of doubles over a count");
    };
    let quotients = sums.values().iter().zip(counts.values()).map(|(sum, &count)| sum / count as f64);
    Ok(PrimitiveArray::new(quotients.collect(), sums.nulls().cloned()))
}

fn evaluate(chunk: &mut Chunk<'_>, inputs: &[Input]) -> Result<Vec<ArrayRef>> {
    inputs.iter().map(|input| chunk.evaluate(input)).collect()
}

/// How many rows from `start` on make the next chunk, up to `most` of one bucket of time; and whether they are of one.
fn chunk_rows(
    plan: &AggregatePlan,
    columns: &PartColumns,
    rows: &Rows,
    start: usize,
    most: usize,
) -> Result<(usize, bool)> {
    let mut count = most.min(rows.len() - start);
    let part = columns.part();
    let mut is_one_bucket = true;
    for key in &plan.keys {
        let KeySource::Buckets(granularity) = &key.source else { continue };
        if !part.sorted_by_time() {
            return Ok((CHUNK_ROWS.min(count), false));
        }
        let time = part.time().map_err(external)?;
        let times = time.values();
        let Interval { start_ms, end_ms } = granularity.bucket(times[rows.nth(start)]);
        let last_ms = times[rows.nth(start + count - 1)];
        if last_ms < start_ms {
            // Rows that run backwards.
            return Ok((CHUNK_ROWS.min(count), false));
        }
        if last_ms < end_ms {
            continue;
        }
        // How many of them lie in the bucket of the first.
        let in_bucket = partition_point(count, |at| times[rows.nth(start + at)] < end_ms);
        if in_bucket >= BUCKET_ROWS {
            count = in_bucket;
        } else {
            count = count.min(CHUNK_ROWS);
            is_one_bucket = false;
        }
    }
    Ok((count, is_one_bucket))
}
