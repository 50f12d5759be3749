//! Rollup: rows with equal time and dimensions become one, their metrics combined.
//!
//! Runs are rolled up when they are made and again whenever they are merged, so the closer rows lie the fewer
//! remain; a published segment is rolled up completely. As in Druid, rows of one key may stand in several
//! segments, so queries aggregate again.

use std::hash::BuildHasher;

use arrow::array::{Array, Float32Array, Float64Array, Int64Array, StringViewArray, UInt32Array};
use hashbrown::{DefaultHashBuilder, HashTable};

use super::run::{Run, RunColumn};
use crate::error::Result;
use crate::schema::{ColumnRole, ColumnSpec, Rollup};
use crate::segment::list_range;

/// `run` with one row per key. `specs` are the run's columns without companions; the companion of a `First` or
/// `Last` metric is found through [`ColumnSpec::companion`] at `companions[metric]`.
pub(crate) fn roll_up(run: &Run, specs: &[ColumnSpec], companions: &[Option<usize>]) -> Result<Run> {
    let (group_of, first_rows) = group(run, specs);
    if first_rows.len() == run.rows() {
        return Ok(Run::new(run.time.clone(), run.columns.clone()));
    }
    let pick = |at: usize| -> Result<RunColumn> {
        let column = &run.columns[at];
        match specs.get(at).map(|spec| spec.role) {
            Some(ColumnRole::Metric(rollup)) => {
                let times = companions.get(at).copied().flatten().map(|c| long(&run.columns[c]));
                Ok(fold(column, rollup, times, &group_of, first_rows.len()))
            }
            Some(ColumnRole::Dimension) => column.at(&first_rows),
            // A companion column follows its metric: the earliest or latest of the times.
            None => {
                let owner = companions.iter().position(|c| *c == Some(at));
                let earliest =
                    owner.is_some_and(|o| matches!(specs[o].role, ColumnRole::Metric(Rollup::First)));
                let rollup = if earliest { Rollup::Min } else { Rollup::Max };
                Ok(fold(column, rollup, None, &group_of, first_rows.len()))
            }
        }
    };
    let time = first_rows.values().iter().map(|&row| run.time[row as usize]).collect();
    Ok(Run::new(time, (0..run.columns.len()).map(pick).collect::<Result<_>>()?))
}

/// Per row the number of its group, and per group its first row.
fn group(run: &Run, specs: &[ColumnSpec]) -> (Vec<u32>, UInt32Array) {
    let dimensions: Vec<&RunColumn> = run
        .columns
        .iter()
        .zip(specs)
        .filter(|(_, spec)| spec.role == ColumnRole::Dimension)
        .map(|(column, _)| column)
        .collect();
    let hasher = DefaultHashBuilder::default();
    let mut table: HashTable<(u64, u32)> = HashTable::new();
    let mut first_rows: Vec<u32> = Vec::new();
    let mut group_of = Vec::with_capacity(run.rows());
    for row in 0..run.rows() {
        let hash = dimensions.iter().fold(hasher.hash_one(run.time[row]), |hash, column| {
            hasher.hash_one((hash, key_hash(column, row, &hasher)))
        });
        let same = |&(other_hash, group): &(u64, u32)| {
            let other = first_rows[group as usize] as usize;
            other_hash == hash
                && run.time[other] == run.time[row]
                && dimensions.iter().all(|column| key_equal(column, other, row))
        };
        let group = if let Some(&(_, group)) = table.find(hash, same) {
            group
        } else {
            let group = first_rows.len() as u32;
            first_rows.push(row as u32);
            table.insert_unique(hash, (hash, group), |entry| entry.0);
            group
        };
        group_of.push(group);
    }
    (group_of, first_rows.into())
}

fn key_hash(column: &RunColumn, row: usize, hasher: &DefaultHashBuilder) -> u64 {
    match column {
        RunColumn::Codes(codes) => u64::from(codes[row]),
        RunColumn::MultiCodes { .. } => hasher.hash_one(multi(column, row)),
        RunColumn::Text(array) => hasher.hash_one(array.is_valid(row).then(|| array.value(row))),
        RunColumn::Long(array) => hasher.hash_one(array.is_valid(row).then(|| array.value(row))),
        RunColumn::Float(array) => hasher.hash_one(array.is_valid(row).then(|| array.value(row).to_bits())),
        RunColumn::Double(array) => hasher.hash_one(array.is_valid(row).then(|| array.value(row).to_bits())),
        RunColumn::Absent => 0,
    }
}

fn key_equal(column: &RunColumn, a: usize, b: usize) -> bool {
    match column {
        RunColumn::Codes(codes) => codes[a] == codes[b],
        RunColumn::MultiCodes { .. } => multi(column, a) == multi(column, b),
        RunColumn::Text(array) => {
            array.is_valid(a) == array.is_valid(b) && (array.is_null(a) || array.value(a) == array.value(b))
        }
        RunColumn::Long(array) => {
            array.is_valid(a) == array.is_valid(b) && (array.is_null(a) || array.value(a) == array.value(b))
        }
        RunColumn::Float(array) => {
            array.is_valid(a) == array.is_valid(b)
                && (array.is_null(a) || array.value(a).to_bits() == array.value(b).to_bits())
        }
        RunColumn::Double(array) => {
            array.is_valid(a) == array.is_valid(b)
                && (array.is_null(a) || array.value(a).to_bits() == array.value(b).to_bits())
        }
        RunColumn::Absent => true,
    }
}

fn multi(column: &RunColumn, row: usize) -> &[u32] {
    let RunColumn::MultiCodes { ends, codes } = column else { return &[] };
    &codes[list_range(ends, row)]
}

fn long(column: &RunColumn) -> &Int64Array {
    static NONE: std::sync::LazyLock<Int64Array> = std::sync::LazyLock::new(|| Int64Array::new_null(0));
    if let RunColumn::Long(array) = column { array } else { &NONE }
}

/// Combines a metric's values per group. NULL counts only where all values are NULL.
fn fold(
    column: &RunColumn,
    rollup: Rollup,
    times: Option<&Int64Array>,
    group_of: &[u32],
    groups: usize,
) -> RunColumn {
    match column {
        RunColumn::Long(array) => {
            let value = |row| array.is_valid(row).then(|| array.value(row));
            let combine = |a: i64, b: i64| match rollup {
                Rollup::Sum => a.wrapping_add(b),
                Rollup::Min => a.min(b),
                _ => a.max(b),
            };
            RunColumn::Long(
                fold_values(value, combine, rollup, times, group_of, groups)
                    .into_iter()
                    .collect::<Int64Array>(),
            )
        }
        RunColumn::Float(array) => {
            let value = |row| array.is_valid(row).then(|| array.value(row));
            let combine = |a: f32, b: f32| match rollup {
                Rollup::Sum => a + b,
                Rollup::Min => a.min(b),
                _ => a.max(b),
            };
            RunColumn::Float(
                fold_values(value, combine, rollup, times, group_of, groups)
                    .into_iter()
                    .collect::<Float32Array>(),
            )
        }
        RunColumn::Double(array) => {
            let value = |row| array.is_valid(row).then(|| array.value(row));
            let combine = |a: f64, b: f64| match rollup {
                Rollup::Sum => a + b,
                Rollup::Min => a.min(b),
                _ => a.max(b),
            };
            RunColumn::Double(
                fold_values(value, combine, rollup, times, group_of, groups)
                    .into_iter()
                    .collect::<Float64Array>(),
            )
        }
        RunColumn::Codes(codes) => {
            let value = |row: usize| Some(codes[row]).filter(|code| *code != crate::dictionary::NULL_CODE);
            let folded = fold_values(value, |a, _| a, rollup, times, group_of, groups);
            RunColumn::Codes(
                folded.into_iter().map(|code| code.unwrap_or(crate::dictionary::NULL_CODE)).collect(),
            )
        }
        RunColumn::Text(array) => {
            let value = |row| array.is_valid(row).then(|| array.value(row));
            let folded = fold_values(value, |a, _| a, rollup, times, group_of, groups);
            RunColumn::Text(folded.into_iter().collect::<StringViewArray>())
        }
        RunColumn::MultiCodes { .. } | RunColumn::Absent => RunColumn::Absent,
    }
}

fn fold_values<T: Copy>(
    value: impl Fn(usize) -> Option<T>,
    combine: impl Fn(T, T) -> T,
    rollup: Rollup,
    times: Option<&Int64Array>,
    group_of: &[u32],
    groups: usize,
) -> Vec<Option<T>> {
    let mut folded: Vec<Option<T>> = vec![None; groups];
    let mut best: Vec<Option<i64>> = vec![None; groups];
    for (row, &group) in group_of.iter().enumerate() {
        let slot = &mut folded[group as usize];
        if let (Rollup::First | Rollup::Last, Some(times)) = (rollup, times) {
            let time = times.is_valid(row).then(|| times.value(row));
            let best = &mut best[group as usize];
            let wins = match (time, *best) {
                (_, None) => true,
                (None, Some(_)) => false,
                (Some(t), Some(b)) => {
                    if rollup == Rollup::First {
                        t < b
                    } else {
                        t >= b
                    }
                }
            };
            if wins {
                (*slot, *best) = (value(row), time);
            }
        } else if let Some(new) = value(row) {
            *slot = Some(slot.map_or(new, |old| combine(old, new)));
        }
    }
    folded
}
