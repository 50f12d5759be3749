//! Stretches dealt out while they are read: whoever is done with its own partition helps the others.
//!
//! ```text
//!  partition 0: ▮▮▮▮▮▮▮▮   its reader takes from the front,
//!  partition 1: ▮▮▮▮▮▮▮▮   others from the back of the partition that has most left
//! ```
//!
//! Partitions have as many rows, but not as much work, and not all of the processor: so readers that need no order meet at
//! the end instead of waiting for the slowest ("Morsel-driven parallelism", Leis et al., SIGMOD 2014).

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::layout::Unit;

/// What is left of all partitions.
#[derive(Debug)]
pub(crate) struct Morsels {
    left: Vec<Mutex<VecDeque<Unit>>>,
}

impl Morsels {
    /// Cuts each unit into stretches of up to `rows_max` rows, at places that do not depend on where it begins.
    pub(crate) fn new(partitions: &[Vec<Unit>], rows_max: usize) -> Self {
        let cut = |units: &Vec<Unit>| units.iter().flat_map(|unit| morsels(unit, rows_max)).collect();
        Self { left: partitions.iter().map(|units| Mutex::new(cut(units))).collect() }
    }

    /// What the reader of `partition` should read next; `None`: there is nothing left.
    pub(crate) fn next(&self, partition: usize) -> Option<Unit> {
        if let Some(own) = self.of(partition)?.pop_front() {
            return Some(own);
        }
        loop {
            let left = |&other: &usize| self.of(other).map_or(0, |units| units.len());
            let fullest = (0..self.left.len()).max_by_key(left)?;
            if left(&fullest) == 0 {
                return None;
            }
            // Its reader may have taken the last one meanwhile.
            if let Some(morsel) = self.of(fullest)?.pop_back() {
                return Some(morsel);
            }
        }
    }

    fn of(&self, partition: usize) -> Option<MutexGuard<'_, VecDeque<Unit>>> {
        // A reader that panics does so outside of the lock.
        self.left.get(partition).map(|units| units.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn morsels(unit: &Unit, rows_max: usize) -> impl Iterator<Item = Unit> {
    let rows = unit.rows.clone();
    (rows.start / rows_max..rows.end.div_ceil(rows_max)).map(move |morsel| Unit {
        rows: rows.start.max(morsel * rows_max)..rows.end.min((morsel + 1) * rows_max),
        ..unit.clone()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn unit(part: usize, rows: std::ops::Range<usize>) -> Unit {
        Unit { part, rows, time_range: (0, 0), accepted: None }
    }

    #[test]
    fn a_unit_is_cut_at_places_that_do_not_depend_on_where_it_begins() {
        let rows = |unit: Unit| morsels(&unit, 100).map(|morsel| morsel.rows).collect::<Vec<_>>();
        assert_eq!(rows(unit(0, 0..205)), [0..100, 100..200, 200..205]);
        assert_eq!(rows(unit(0, 99..101)), [99..100, 100..101]);
    }

    #[test]
    fn readers_take_their_own_first_and_then_the_last_of_the_fullest() {
        let morsels = Morsels::new(&[vec![unit(0, 0..10)], vec![unit(1, 0..30)], vec![unit(2, 0..20)]], 10);
        let next = |partition| morsels.next(partition).map(|unit| (unit.part, unit.rows.start));
        assert_eq!([next(0), next(0), next(0)], [Some((0, 0)), Some((1, 20)), Some((2, 10))]);
        assert_eq!([next(1), next(2), next(2)], [Some((1, 0)), Some((2, 0)), Some((1, 10))]);
        assert_eq!([next(0), next(1), next(2), next(3)], [None; 4]);
    }

    proptest! {
        #[test]
        fn whoever_reads_every_row_is_read_once(
            sizes in prop::collection::vec(prop::collection::vec((0usize..50, 1usize..200), 0..4), 1..4),
            rows_max in 1usize..70,
            readers in prop::collection::vec(0usize..4, 0..100),
        ) {
            let mut part = 0;
            let mut next = |(start, len): (usize, usize)| {
                part += 1;
                unit(part, start..start + len)
            };
            let partitions: Vec<Vec<Unit>> =
                sizes.iter().map(|units| units.iter().map(|&size| next(size)).collect()).collect();
            let morsels = Morsels::new(&partitions, rows_max);
            let all = readers.into_iter().map(|reader| reader % partitions.len()).chain(std::iter::repeat(0));
            let mut read: Vec<(usize, usize)> = Vec::new();
            let mut misses = 0;
            for reader in all {
                match morsels.next(reader) {
                    Some(unit) => read.extend(unit.rows.map(|row| (unit.part, row))),
                    None => misses += 1,
                }
                if misses > 0 && morsels.next(0).is_none() {
                    break;
                }
            }
            read.sort_unstable();
            let expected: Vec<(usize, usize)> = partitions
                .iter()
                .flatten()
                .flat_map(|unit| unit.rows.clone().map(|row| (unit.part, row)))
                .collect();
            prop_assert_eq!(read, expected);
        }
    }
}
