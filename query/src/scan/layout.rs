//! Which rows of which parts a scan reads, and who reads what: pruning by time and the cut into partitions.

use std::ops::Range;

use datafusion::common::Result;
use ovate_storage::BLOCK_ROWS;
use ovate_storage::snapshot::{Part, Snapshot};

use super::column::external;
use super::ranges::Ranges;

/// A partition of its own is worth it from this many rows on: a few hundred microseconds of work.
pub(crate) const ROWS_PER_PARTITION: usize = 64 << 10;

/// A stretch of one part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unit {
    /// The part, as an index of the snapshot's.
    pub(crate) part: usize,
    /// The rows.
    pub(crate) rows: Range<usize>,
    /// Least and greatest `__time` of the rows; of more rows than these where a stretch was cut.
    pub(crate) time_range: (i64, i64),
    /// Set where rows of the stretch may lie outside of the time asked for or of what is visible of the part.
    pub(crate) accepted: Option<Ranges>,
}

/// All units of a scan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Layout {
    /// The units of each partition; at least one partition.
    pub(crate) partitions: Vec<Vec<Unit>>,
    /// Parts of the snapshot that are not read.
    pub(crate) parts_pruned: usize,
    /// Whether the rows, read partition by partition in this order, are in order of `__time`.
    pub(crate) ordered: bool,
}

/// How to lay a scan out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// The most partitions.
    pub(crate) partitions_max: usize,
    /// Whether to begin with the parts whose last rows are the newest, for readers that stop early.
    pub(crate) newest_first: bool,
}

impl Layout {
    /// What has to be read of `snapshot` to find all rows with `__time` in `time`.
    pub(crate) fn new(snapshot: &Snapshot, time: &Ranges, shape: Shape) -> Result<Self> {
        let mut units = Vec::new();
        let mut parts_pruned = 0;
        for (index, part) in snapshot.parts.iter().enumerate() {
            let before = units.len();
            append_units(&mut units, index, part, time)?;
            parts_pruned += usize::from(units.len() == before);
        }
        if shape.newest_first {
            units.sort_by_key(|unit| std::cmp::Reverse(unit.time_range.1));
        } else {
            units.sort_by_key(|unit| unit.time_range);
        }
        let ordered = !shape.newest_first
            && units.iter().all(|unit| snapshot.parts[unit.part].sorted_by_time() || unit.rows.len() == 1)
            && units.windows(2).all(|pair| pair[0].time_range.1 <= pair[1].time_range.0);
        let partitions = if shape.newest_first { deal(units, shape) } else { cut(units, shape) };
        Ok(Self { partitions, parts_pruned, ordered })
    }

    /// All units.
    pub(crate) fn units(&self) -> impl Iterator<Item = &Unit> {
        self.partitions.iter().flatten()
    }

    /// The number of rows in all units.
    pub(crate) fn rows(&self) -> usize {
        self.units().map(|unit| unit.rows.len()).sum()
    }
}

fn append_units(units: &mut Vec<Unit>, index: usize, part: &Part, time: &Ranges) -> Result<()> {
    if part.rows() == 0 {
        return Ok(());
    }
    let (low, high) = part.time_range();
    let accepted = time.intersect(&Ranges::of_interval(part.visible()));
    if !accepted.overlaps(low, high) {
        return Ok(());
    }
    let whole = |accepted| Unit { part: index, rows: 0..part.rows(), time_range: (low, high), accepted };
    if accepted.covers(low, high) {
        units.push(whole(None));
    } else if part.sorted_by_time() {
        let times = part.time().map_err(external)?;
        let times = times.values();
        for (from, to) in accepted.iter() {
            let rows = times.partition_point(|&t| t < from)..times.partition_point(|&t| t <= to);
            if !rows.is_empty() {
                let time_range = (times[rows.start], times[rows.end - 1]);
                units.push(Unit { part: index, rows, time_range, accepted: None });
            }
        }
    } else {
        units.push(whole(Some(accepted)));
    }
    Ok(())
}

fn partitions_for(units: &[Unit], shape: Shape) -> usize {
    let rows: usize = units.iter().map(|unit| unit.rows.len()).sum();
    rows.div_ceil(ROWS_PER_PARTITION).clamp(1, shape.partitions_max.max(1))
}

/// Cuts the units, in their order, into stretches of about the same number of rows, at borders of blocks.
fn cut(units: Vec<Unit>, shape: Shape) -> Vec<Vec<Unit>> {
    let count = partitions_for(&units, shape);
    let mut left: usize = units.iter().map(|unit| unit.rows.len()).sum();
    let mut units = units.into_iter();
    let mut next = units.next();
    let mut partitions = Vec::with_capacity(count);
    for index in 0..count {
        let mut wanted = left.div_ceil(count - index);
        let mut own = Vec::new();
        while wanted > 0
            && let Some(unit) = next.take()
        {
            let border = (unit.rows.start + wanted).next_multiple_of(BLOCK_ROWS);
            let (mine, rest) = if border < unit.rows.end {
                let rest = Unit { rows: border..unit.rows.end, ..unit.clone() };
                (Unit { rows: unit.rows.start..border, ..unit }, Some(rest))
            } else {
                (unit, None)
            };
            wanted = wanted.saturating_sub(mine.rows.len());
            left -= mine.rows.len();
            own.push(mine);
            next = rest.or_else(|| units.next());
        }
        partitions.push(own);
    }
    partitions
}

/// Deals the units out, so that every partition begins with one of the first.
fn deal(units: Vec<Unit>, shape: Shape) -> Vec<Vec<Unit>> {
    let count = partitions_for(&units, shape);
    let mut partitions = vec![Vec::new(); count];
    let mut rows = vec![0; count];
    for unit in units {
        let emptiest = (0..count).min_by_key(|&partition| rows[partition]).unwrap_or(0);
        rows[emptiest] += unit.rows.len();
        partitions[emptiest].push(unit);
    }
    partitions
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn unit(part: usize, rows: Range<usize>) -> Unit {
        Unit { part, rows, time_range: (0, 0), accepted: None }
    }

    #[test]
    fn a_small_scan_stays_in_one_partition() {
        let shape = Shape { partitions_max: 8, newest_first: false };
        assert_eq!(cut(vec![unit(0, 0..100), unit(1, 0..100)], shape).len(), 1);
        assert_eq!(cut(Vec::new(), shape), [Vec::new()]);
    }

    proptest! {
        #[test]
        fn a_cut_keeps_every_row_once_and_in_order(
            sizes in prop::collection::vec((0usize..30_000, 1usize..200_000), 1..8),
            partitions_max in 1usize..6,
        ) {
            let units: Vec<_> =
                sizes.iter().enumerate().map(|(i, &(start, len))| unit(i, start..start + len)).collect();
            let total: usize = units.iter().map(|unit| unit.rows.len()).sum();
            let shape = Shape { partitions_max, newest_first: false };
            let count = partitions_for(&units, shape);
            let partitions = cut(units.clone(), shape);
            prop_assert_eq!(partitions.len(), count);
            let mut joined: Vec<Unit> = Vec::new();
            for piece in partitions.iter().flatten() {
                prop_assert!(!piece.rows.is_empty());
                match joined.last_mut() {
                    Some(last) if last.part == piece.part => {
                        prop_assert_eq!(last.rows.end, piece.rows.start);
                        prop_assert_eq!(piece.rows.start % BLOCK_ROWS, 0);
                        last.rows.end = piece.rows.end;
                    }
                    _ => joined.push(piece.clone()),
                }
            }
            prop_assert_eq!(joined, units.clone());
            for partition in &partitions {
                let rows: usize = partition.iter().map(|unit| unit.rows.len()).sum();
                prop_assert!(rows <= total.div_ceil(count) + BLOCK_ROWS * count);
            }
            let dealt = deal(units, shape);
            prop_assert_eq!(dealt.iter().flatten().map(|unit| unit.rows.len()).sum::<usize>(), total);
        }
    }
}
