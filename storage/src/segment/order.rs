//! The order of rows in a segment: by `__time`, then by the dimensions in schema order, NULL first; rows that agree
//! in all of these keep the order they came in.
//!
//! No row is compared with another through all its columns. Rows are sorted by time; what ties is sorted, tie by
//! tie, by the first dimension; what still ties by the second; and so on. Each step sorts integers that hold the
//! key and the row's position together, so ties keep their order for free. Rows that come in order of time, as hot
//! rows mostly do, cost one pass.

use std::ops::Range;

use arrow::array::{Array, PrimitiveArray};

use super::input::list_range;
use super::prepare::{Number, Prepared};

/// For each row of the segment its position in the input; `None` if rows are in order already.
pub(super) fn sorted_order(time: &[i64], dimensions: &[&Prepared]) -> Option<Vec<u32>> {
    let mut order = by_time(time);
    let mut ties = runs(&order, 0, |a, b| time[a as usize] == time[b as usize]);
    for dimension in dimensions {
        if ties.is_empty() {
            break;
        }
        let mut sorter = Sorter::default();
        for tie in std::mem::take(&mut ties) {
            let start = tie.start;
            sorter.sort(&mut order[tie], start, dimension, &mut ties);
        }
    }
    let moved = order.iter().enumerate().any(|(at, &row)| at as u32 != row);
    moved.then_some(order)
}

#[allow(clippy::stable_sort_primitive)] // See below.
fn by_time(time: &[i64]) -> Vec<u32> {
    let all = 0..time.len() as u32;
    if time.is_sorted() {
        return all.collect();
    }
    let low = time.iter().copied().min().unwrap_or(0);
    let high = time.iter().copied().max().unwrap_or(0);
    if u32::try_from(high.abs_diff(low)).is_ok() {
        let mut keyed: Vec<u64> =
            all.map(|row| time[row as usize].abs_diff(low) << 32 | u64::from(row)).collect();
        // The stable sort, not for stability but because it merges the sorted stretches that arrivals consist of.
        keyed.sort();
        return keyed.into_iter().map(|key| key as u32).collect();
    }
    let mut order: Vec<u32> = all.collect();
    order.sort_by_key(|&row| time[row as usize]);
    order
}

/// The stretches of at least two neighbours that are equal.
fn runs(rows: &[u32], start: usize, equal: impl Fn(u32, u32) -> bool) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    push_runs(rows, start, equal, &mut found);
    found
}

fn push_runs<T: Copy>(
    items: &[T],
    start: usize,
    equal: impl Fn(T, T) -> bool,
    found: &mut Vec<Range<usize>>,
) {
    let mut at = 0;
    for run in items.chunk_by(|a, b| equal(*a, *b)) {
        if run.len() > 1 {
            found.push(start + at..start + at + run.len());
        }
        at += run.len();
    }
}

/// Sorts ties by one dimension, reusing its memory from tie to tie.
#[derive(Default)]
struct Sorter {
    narrow: Vec<u64>,
    wide: Vec<u128>,
}

impl Sorter {
    /// Sorts `rows`, which begin at `start` of the order, and adds what still ties to `ties`.
    fn sort(&mut self, rows: &mut [u32], start: usize, key: &Prepared, ties: &mut Vec<Range<usize>>) {
        match key {
            Prepared::Coded(coded) => {
                self.narrow.clear();
                // NULL_CODE + 1 wraps to 0: NULL first.
                self.narrow.extend(
                    rows.iter().map(|&row| {
                        u64::from(coded.rank(row as usize).wrapping_add(1)) << 32 | u64::from(row)
                    }),
                );
                self.narrow.sort_unstable();
                for (row, key) in rows.iter_mut().zip(&self.narrow) {
                    *row = *key as u32;
                }
                push_runs(&self.narrow, start, |a, b| a >> 32 == b >> 32, ties);
            }
            Prepared::Long(array) => self.sort_numbers(rows, start, array, ties),
            Prepared::Float(array) => self.sort_numbers(rows, start, array, ties),
            Prepared::Double(array) => self.sort_numbers(rows, start, array, ties),
            Prepared::Text(text) => {
                let value = |row: u32| text.value(row as usize);
                rows.sort_by(|&a, &b| value(a).cmp(&value(b)));
                push_runs(rows, start, |a, b| value(a) == value(b), ties);
            }
            Prepared::List { ends, items } => {
                let ranks = |row: u32| list_range(ends, row as usize).map(|at| items.rank(at));
                rows.sort_by(|&a, &b| ranks(a).cmp(ranks(b)));
                push_runs(rows, start, |a, b| ranks(a).eq(ranks(b)), ties);
            }
        }
    }

    fn sort_numbers<T: Number>(
        &mut self,
        rows: &mut [u32],
        start: usize,
        array: &PrimitiveArray<T>,
        ties: &mut Vec<Range<usize>>,
    ) {
        self.wide.clear();
        self.wide.extend(rows.iter().map(|&row| {
            let at = row as usize;
            let key =
                if array.is_valid(at) { 1 << 64 | u128::from(T::order_key(array.value(at))) } else { 0 };
            key << 32 | u128::from(row)
        }));
        self.wide.sort_unstable();
        for (row, key) in rows.iter_mut().zip(&self.wide) {
            *row = *key as u32;
        }
        push_runs(&self.wide, start, |a, b| a >> 32 == b >> 32, ties);
    }
}
