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

/// Of what is left of a partition a reader takes this part: opening a stretch has its price, so the first are large and
/// only the last are small.
const TAKEN: usize = 4;

/// What is left of all partitions.
#[derive(Debug)]
pub(crate) struct Morsels {
    left: Vec<Mutex<Left>>,
    /// Stretches begin and end at multiples of this, but at the ends of units; `None`: each is a unit.
    rows_min: Option<usize>,
}

#[derive(Debug)]
struct Left {
    units: VecDeque<Unit>,
    rows: usize,
}

impl Morsels {
    /// Deals out stretches of `rows_min` rows or more, or else units as they are.
    pub(crate) fn new(partitions: &[Vec<Unit>], rows_min: Option<usize>) -> Self {
        let left = |units: &Vec<Unit>| {
            let rows = units.iter().map(|unit| unit.rows.len()).sum();
            Mutex::new(Left { units: units.iter().cloned().collect(), rows })
        };
        Self { left: partitions.iter().map(left).collect(), rows_min }
    }

    /// What the reader of `partition` should read next; `None`: there is nothing left.
    pub(crate) fn next(&self, partition: usize) -> Option<Unit> {
        if let Some(own) = self.of(partition)?.take_first(self.rows_min) {
            return Some(own);
        }
        loop {
            let rows = |&other: &usize| self.of(other).map_or(0, |left| left.rows);
            let fullest = (0..self.left.len()).max_by_key(rows)?;
            if rows(&fullest) == 0 {
                return None;
            }
            // Its reader may have taken the last one meanwhile.
            if let Some(morsel) = self.of(fullest)?.take_last(self.rows_min) {
                return Some(morsel);
            }
        }
    }

    fn of(&self, partition: usize) -> Option<MutexGuard<'_, Left>> {
        // A reader that panics does so outside of the lock.
        self.left.get(partition).map(|units| units.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Left {
    fn take_first(&mut self, rows_min: Option<usize>) -> Option<Unit> {
        let wanted = self.rows / TAKEN;
        let unit = self.units.front_mut()?;
        let border = rows_min.map_or(unit.rows.end, |rows_min| {
            let next = unit.rows.start / rows_min * rows_min + rows_min;
            ((unit.rows.start + wanted) / rows_min * rows_min).max(next)
        });
        let taken = if border < unit.rows.end {
            let taken = Unit { rows: unit.rows.start..border, ..unit.clone() };
            unit.rows.start = border;
            taken
        } else {
            self.units.pop_front()?
        };
        self.rows -= taken.rows.len();
        Some(taken)
    }

    fn take_last(&mut self, rows_min: Option<usize>) -> Option<Unit> {
        let wanted = self.rows / TAKEN;
        let unit = self.units.back_mut()?;
        let border = rows_min.map_or(unit.rows.start, |rows_min| {
            let last = (unit.rows.end - 1) / rows_min * rows_min;
            unit.rows.end.saturating_sub(wanted.max(rows_min)).next_multiple_of(rows_min).min(last)
        });
        let taken = if border > unit.rows.start {
            let taken = Unit { rows: border..unit.rows.end, ..unit.clone() };
            unit.rows.end = border;
            taken
        } else {
            self.units.pop_back()?
        };
        self.rows -= taken.rows.len();
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn unit(part: usize, rows: std::ops::Range<usize>) -> Unit {
        Unit { part, rows, time_range: (0, 0), accepted: None }
    }

    fn all(morsels: &Morsels, partition: usize) -> Vec<std::ops::Range<usize>> {
        std::iter::from_fn(|| morsels.next(partition)).map(|unit| unit.rows).collect()
    }

    #[test]
    fn stretches_begin_at_places_that_do_not_depend_on_where_the_unit_begins() {
        let cut = |rows| all(&Morsels::new(&[vec![unit(0, rows)]], Some(100)), 0);
        assert_eq!(cut(0..205), [0..100, 100..200, 200..205]);
        assert_eq!(cut(99..101), [99..100, 100..101]);
        let stolen = Morsels::new(&[vec![], vec![unit(0, 99..205)]], Some(100));
        assert_eq!(all(&stolen, 0), [200..205, 100..200, 99..100]);
    }

    #[test]
    fn units_that_are_not_to_be_cut_are_not() {
        let morsels = Morsels::new(&[vec![unit(0, 7..205)], vec![unit(1, 0..1000), unit(2, 0..1)]], None);
        assert_eq!(all(&morsels, 0), [7..205, 0..1, 0..1000]);
    }

    #[test]
    fn stretches_get_smaller_as_less_is_left() {
        let morsels = Morsels::new(&[vec![unit(0, 0..1000), unit(1, 0..300)]], Some(100));
        assert_eq!(
            all(&morsels, 0),
            [0..300, 300..500, 500..700, 700..800, 800..900, 900..1000, 0..100, 100..200, 200..300]
        );
    }

    #[test]
    fn readers_take_their_own_first_and_then_the_last_of_the_fullest() {
        let partitions = [vec![unit(0, 0..10)], vec![unit(1, 0..30)], vec![unit(2, 0..20)]];
        let morsels = Morsels::new(&partitions, Some(10));
        let next = |partition| morsels.next(partition).map(|unit| (unit.part, unit.rows.start));
        assert_eq!([next(0), next(0), next(0)], [Some((0, 0)), Some((1, 20)), Some((2, 10))]);
        assert_eq!([next(1), next(2), next(2)], [Some((1, 0)), Some((2, 0)), Some((1, 10))]);
        assert_eq!([next(0), next(1), next(2), next(3)], [None; 4]);
    }

    proptest! {
        #[test]
        fn whoever_reads_every_row_is_read_once(
            sizes in prop::collection::vec(prop::collection::vec((0usize..50, 1usize..200), 0..4), 1..4),
            rows_min in prop::option::of(1usize..70),
            readers in prop::collection::vec(0usize..4, 0..100),
        ) {
            let mut part = 0;
            let mut next = |(start, len): (usize, usize)| {
                part += 1;
                unit(part, start..start + len)
            };
            let partitions: Vec<Vec<Unit>> =
                sizes.iter().map(|units| units.iter().map(|&size| next(size)).collect()).collect();
            let morsels = Morsels::new(&partitions, rows_min);
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
