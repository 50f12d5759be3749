//! COUNT, by group.
//!
//! Rows are counted once for all aggregates of a grouping ([`RowCounts`]). A COUNT then keeps no more than what its group
//! falls short of that, which is nothing for rows that all have a value. A COUNT with a FILTER counts by itself: most
//! rows may fall short.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Int64Array};
use arrow::datatypes::Int64Type;
use datafusion::common::Result;

use super::accumulate::{Accumulate, RowGroups};
use super::chunk::CodeSlice;
use super::folds::{Add, fold_each, numbers, wanted};

/// The number of rows of each group.
#[derive(Debug, Default)]
pub(super) struct RowCounts {
    counts: Vec<i64>,
}

impl RowCounts {
    /// Counts rows. There are `groups` groups, to one of which each row belongs.
    pub(super) fn add(&mut self, rows: RowGroups<'_>, groups: usize) {
        self.counts.resize(groups, 0);
        match rows {
            RowGroups::One { group, rows } => self.counts[group] += rows as i64,
            RowGroups::Each(groups) => fold_each::<_, Add>(&mut self.counts, groups, |_| 1),
        }
    }

    /// Counts each row as many times as `weights` says.
    pub(super) fn add_weights(&mut self, rows: RowGroups<'_>, weights: &[i64], groups: usize) {
        self.counts.resize(groups, 0);
        add_each(&mut self.counts, rows, weights);
    }

    /// By group.
    pub(super) fn values(&self) -> &[i64] {
        &self.counts
    }

    /// Bytes taken.
    pub(super) fn bytes(&self) -> usize {
        self.counts.capacity() * size_of::<i64>()
    }
}

/// COUNT: of rows if there is no argument, otherwise of values.
pub(super) struct Counts {
    counts: Vec<i64>,
    /// Whether `counts` are to be added to the rows of each group; they are not above 0 then.
    from_rows: bool,
}

impl Counts {
    /// COUNT without a FILTER.
    pub(super) fn of_all() -> Self {
        Self { counts: Vec::new(), from_rows: true }
    }

    /// COUNT with one.
    pub(super) fn of_some() -> Self {
        Self { counts: Vec::new(), from_rows: false }
    }
}

impl Accumulate for Counts {
    fn update(
        &mut self,
        rows: RowGroups<'_>,
        arguments: &[ArrayRef],
        filter: Option<&BooleanArray>,
        groups: usize,
    ) -> Result<()> {
        self.counts.resize(groups, 0);
        let counts = &mut self.counts;
        let nulls = arguments.first().and_then(Array::logical_nulls);
        let wanted = wanted(nulls.as_ref(), filter);
        let (counted, step) = if self.from_rows { (wanted.map(|wanted| !&wanted), -1) } else { (wanted, 1) };
        match (rows, &counted) {
            (_, None) if self.from_rows => {}
            (RowGroups::One { group, rows }, None) => counts[group] += step * rows as i64,
            (RowGroups::One { group, .. }, Some(counted)) => {
                counts[group] += step * counted.count_set_bits() as i64;
            }
            (RowGroups::Each(groups), None) => fold_each::<_, Add>(counts, groups, |_| step),
            (RowGroups::Each(groups), Some(counted)) => {
                counted.set_indices().for_each(|row| counts[groups[row] as usize] += step);
            }
        }
        Ok(())
    }

    fn update_coded(&mut self, _: RowGroups<'_>, _: CodeSlice<'_>, _: &ArrayRef, _: usize) -> Result<bool> {
        Ok(self.from_rows)
    }

    fn merge(&mut self, rows: RowGroups<'_>, state: &[ArrayRef], groups: usize) -> Result<()> {
        self.counts.resize(groups, 0);
        add_each(&mut self.counts, rows, numbers::<Int64Type>(state)?.values());
        Ok(())
    }

    fn state(&mut self, rows: &[i64]) -> Result<Vec<ArrayRef>> {
        let mut counts = std::mem::take(&mut self.counts);
        // Groups whose rows all had a value may never have been told of.
        counts.resize(counts.len().max(rows.len()), 0);
        Ok(vec![Arc::new(Int64Array::from(counts))])
    }

    fn finish(&mut self, rows: &[i64]) -> Result<ArrayRef> {
        let mut counts = std::mem::take(&mut self.counts);
        if self.from_rows {
            counts.resize(rows.len(), 0);
            counts.iter_mut().zip(rows).for_each(|(count, rows)| *count += rows);
        }
        Ok(Arc::new(Int64Array::from(counts)))
    }

    fn bytes(&self) -> usize {
        self.counts.capacity() * size_of::<i64>()
    }
}

fn add_each(counts: &mut [i64], rows: RowGroups<'_>, more: &[i64]) {
    match rows {
        RowGroups::One { group, .. } => counts[group] += more.iter().sum::<i64>(),
        RowGroups::Each(groups) => {
            groups.iter().zip(more).for_each(|(&group, more)| counts[group as usize] += more);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{AsArray, Float64Array};

    fn counted(mut counts: Counts, rows: &RowCounts) -> Vec<i64> {
        counts.finish(rows.values()).unwrap().as_primitive::<Int64Type>().values().to_vec()
    }

    #[test]
    fn rows_of_few_groups_are_counted_like_rows_of_many() {
        for count in [255_u32, 256, 1003] {
            let groups: Vec<u32> = (0..count).map(|row| row * row % 7).collect();
            // As many groups as are few, and one more.
            for of in [64, 65] {
                let mut rows = RowCounts::default();
                rows.add(RowGroups::Each(&groups), of);
                for group in 0..7 {
                    let expected = groups.iter().filter(|own| **own == group).count() as i64;
                    assert_eq!(rows.values()[group as usize], expected);
                }
            }
        }
    }

    #[test]
    fn what_is_null_or_filtered_away_is_not_counted() {
        let values: ArrayRef = Arc::new(Float64Array::from(vec![Some(1.5), None, Some(-2.0), Some(4.0)]));
        let filter = BooleanArray::from(vec![Some(true), Some(true), None, Some(true)]);
        let arguments = [values];
        for (rows, expected) in [
            (RowGroups::One { group: 1, rows: 4 }, [vec![0, 3], vec![0, 2], vec![0, 3]]),
            (RowGroups::Each(&[1, 1, 0, 1]), [vec![1, 2], vec![0, 2], vec![0, 3]]),
        ] {
            let mut row_counts = RowCounts::default();
            row_counts.add(rows, 2);
            let (mut all, mut some, mut passed) = (Counts::of_all(), Counts::of_some(), Counts::of_some());
            all.update(rows, &arguments, None, 2).unwrap();
            some.update(rows, &arguments, Some(&filter), 2).unwrap();
            passed.update(rows, &[], Some(&filter), 2).unwrap();
            assert_eq!([all, some, passed].map(|counts| counted(counts, &row_counts)), expected);
        }
    }

    #[test]
    fn counts_of_other_groups_join() {
        let (mut rows, mut counts) = (RowCounts::default(), Counts::of_all());
        let values: [ArrayRef; 1] = [Arc::new(Float64Array::from(vec![Some(3.0), None]))];
        rows.add(RowGroups::Each(&[0, 1]), 2);
        counts.update(RowGroups::Each(&[0, 1]), &values, None, 2).unwrap();
        let state = counts.state(rows.values()).unwrap();
        let (mut all_rows, mut all) = (RowCounts::default(), Counts::of_all());
        all_rows.add(RowGroups::One { group: 0, rows: 5 }, 1);
        all_rows.add_weights(RowGroups::Each(&[2, 0]), rows.values(), 3);
        all.merge(RowGroups::Each(&[2, 0]), &state, 3).unwrap();
        assert_eq!(counted(all, &all_rows), [5, 0, 1]);
    }
}
