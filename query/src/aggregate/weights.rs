//! Rows that are only counted: a row and a weight for each combination of codes.
//!
//! ```text
//!  codes of the keys ─► one number a row ─► how often it occurs ─► a row of each number, and its weight
//! ```
//!
//! What a row is counted under is decided by its codes, where all rows lie in one bucket of time. So ids and groups are found
//! for one row of each combination, and the others cost an addition.

use std::cell::RefCell;
use std::sync::Arc;

use arrow::array::{Array, ArrowPrimitiveType, PrimitiveArray};
use arrow::datatypes::ArrowNativeType;
use datafusion::common::Result;

use super::plan::{AggregatePlan, KeySource};
use crate::scan::column::{Codes, PartColumn, PartColumns};
use crate::scan::rows::Rows;

/// Rows weighed at once, at most: their numbers stay in the processor's second cache.
pub(super) const ROWS_MAX: usize = 64 << 10;
/// Fewer rows are not worth it.
const ROWS_MIN: usize = 1024;
/// Slots, two to the power of this: 512 KiB, of which a few thousand combinations touch little.
const SLOT_BITS: u32 = 16;
/// What stands in an empty slot; no number.
const NONE: u32 = u32::MAX;
/// Up to so many combinations rows take turns at several counts of each.
const FEW: usize = 1024;
/// Counts that rows take turns at: a row need not wait for the count that the row before has just written.
const LANES: usize = 4;
/// With fewer rows to a combination that saves nothing.
const ROWS_PER_COMBINATION_MIN: usize = 4;
/// After so many rows it is asked whether weighing saves anything: fewer than half of them must be the first of their
/// combination.
const TRIAL_ROWS: usize = 16 << 10;
/// More numbers than this crowd the slots.
const SLOTS_USED_MAX: usize = (1 << SLOT_BITS) / 4;

/// The columns of one part that decide what its rows are counted under.
pub(super) struct Countable {
    coded: Vec<Arc<PartColumn>>,
    /// How many combinations of codes there can be, NULLs among them; less than [`NONE`].
    combinations: usize,
}

impl Countable {
    /// `None`: keys that have no codes, or none at all, or too many combinations.
    pub(super) fn of(plan: &AggregatePlan, columns: &PartColumns) -> Result<Option<Self>> {
        let (mut coded, mut combinations) = (Vec::new(), 1usize);
        for key in &plan.keys {
            match &key.source {
                KeySource::Buckets(_) => {}
                KeySource::Column(index) => {
                    let column = columns.column(*index)?;
                    match &*column {
                        PartColumn::Missing => continue,
                        PartColumn::Coded(coded) => {
                            combinations = combinations.saturating_mul(coded.values.len() + 1);
                        }
                        PartColumn::Plain(_) => return Ok(None),
                    }
                    coded.push(column);
                }
                KeySource::Computed(_) => return Ok(None),
            }
        }
        let fit = combinations < NONE as usize;
        Ok((!coded.is_empty() && fit).then_some(Self { coded, combinations }))
    }
}

thread_local! {
    /// Numbers, each at the place that its bits give or behind it, and how often they occur; empty between two uses. To make
    /// them would take a short statement more time than to use them, so each thread keeps its own.
    static SLOTS: RefCell<Vec<(u32, u32)>> = const { RefCell::new(Vec::new()) };
}

/// Rooms for weighing.
#[derive(Debug, Default)]
pub(super) struct Weights {
    numbers: Vec<u32>,
    /// Whether weighing was found to save nothing.
    is_futile: bool,
}

/// Rows that stand for all, and for how many each of them does.
pub(super) type Weighed = (Vec<u32>, Vec<i64>);

impl Weights {
    /// Weighs up to [`ROWS_MAX`] rows of one bucket of time. `None`: that would save nothing.
    pub(super) fn weigh(&mut self, by: &Countable, rows: &Rows) -> Option<Weighed> {
        if self.is_futile || rows.len() < ROWS_MIN {
            return None;
        }
        if let ([column], Rows::Range(range)) = (by.coded.as_slice(), rows)
            && let PartColumn::Coded(column) = &**column
            && column.codes.nulls().is_none()
        {
            // Codes are numbers already.
            let range = range.clone();
            return match &column.codes {
                Codes::U8(codes) => self.count(&codes.values()[range], by.combinations, rows),
                Codes::U16(codes) => self.count(&codes.values()[range], by.combinations, rows),
                Codes::U32(codes) => self.count(&codes.values()[range], by.combinations, rows),
            };
        }
        let mut numbers = std::mem::take(&mut self.numbers);
        number(by, rows, &mut numbers);
        let weighed = self.count(&numbers, by.combinations, rows);
        self.numbers = numbers;
        weighed
    }

    /// Counts numbers less than `combinations`, one for each of the rows.
    fn count<N: ArrowNativeType>(
        &mut self,
        numbers: &[N],
        combinations: usize,
        rows: &Rows,
    ) -> Option<Weighed> {
        if combinations <= FEW.min(numbers.len() / ROWS_PER_COMBINATION_MIN) {
            return Some(histogram(numbers, combinations, rows));
        }
        // Taken away meanwhile, so that a panic cannot leave numbers behind.
        let mut slots = SLOTS.take();
        slots.resize(1 << SLOT_BITS, (NONE, 0));
        let weighed = self.count_in(&mut slots, numbers, rows);
        SLOTS.set(slots);
        weighed
    }

    fn count_in<N: ArrowNativeType>(
        &mut self,
        slots: &mut [(u32, u32)],
        numbers: &[N],
        rows: &Rows,
    ) -> Option<Weighed> {
        // The first row of each number, and the number's slot.
        let mut firsts: Vec<(usize, u32)> = Vec::new();
        let (mut index, mut is_futile) = (0, false);
        for numbers in numbers.chunks(TRIAL_ROWS) {
            for number in numbers {
                let number = number.as_usize() as u32;
                // The upper bits of a product depend on all bits of its factors.
                let mut at = number.wrapping_mul(0x9E37_79B1) >> (u32::BITS - SLOT_BITS);
                loop {
                    let slot = &mut slots[at as usize];
                    if slot.0 == number {
                        slot.1 += 1;
                        break;
                    }
                    if slot.0 == NONE {
                        *slot = (number, 1);
                        firsts.push((index, at));
                        break;
                    }
                    at = (at + 1) % (1 << SLOT_BITS);
                }
                index += 1;
            }
            is_futile = firsts.len() * 2 > index || firsts.len() > SLOTS_USED_MAX;
            if is_futile {
                // A few rows say nothing of the next.
                self.is_futile = index >= TRIAL_ROWS;
                break;
            }
        }
        let take =
            |&(_, at): &(usize, u32)| i64::from(std::mem::replace(&mut slots[at as usize], (NONE, 0)).1);
        let weights = firsts.iter().map(take).collect();
        let representatives = firsts.iter().map(|&(first, _)| rows.nth(first) as u32).collect();
        (!is_futile).then_some((representatives, weights))
    }

    /// Bytes taken.
    pub(super) fn bytes(&self) -> usize {
        self.numbers.capacity() * size_of::<u32>()
    }
}

/// Gives each row the number of its combination.
fn number(by: &Countable, rows: &Rows, numbers: &mut Vec<u32>) {
    numbers.clear();
    for column in &by.coded {
        let PartColumn::Coded(column) = &**column else { continue };
        let values = column.values.len();
        match &column.codes {
            Codes::U8(codes) => append(codes, values, rows, numbers),
            Codes::U16(codes) => append(codes, values, rows, numbers),
            Codes::U32(codes) => append(codes, values, rows, numbers),
        }
    }
}

/// Makes the codes of a column, which has so many values, the last digit of each row's number. NULL is the last digit there
/// is.
fn append<K: ArrowPrimitiveType>(
    codes: &PrimitiveArray<K>,
    values: usize,
    rows: &Rows,
    numbers: &mut Vec<u32>,
) {
    let native = codes.values();
    let digit = |code: K::Native| code.as_usize() as u32;
    match (rows, codes.nulls().filter(|nulls| nulls.null_count() > 0)) {
        (Rows::Range(range), None) => {
            put(native[range.clone()].iter().map(|&code| digit(code)), values, numbers);
        }
        (Rows::Positions(positions), None) => {
            put(positions.iter().map(|&row| digit(native[row as usize])), values, numbers);
        }
        (_, nulls) => put(
            (0..rows.len()).map(|index| {
                let row = rows.nth(index);
                // What stands under a NULL may be no code at all.
                if nulls.is_some_and(|nulls| nulls.is_null(row)) { values as u32 } else { digit(native[row]) }
            }),
            values,
            numbers,
        ),
    }
}

fn put(digits: impl Iterator<Item = u32>, values: usize, numbers: &mut Vec<u32>) {
    if numbers.is_empty() {
        numbers.extend(digits);
    } else {
        let base = values as u32 + 1;
        numbers.iter_mut().zip(digits).for_each(|(number, digit)| *number = *number * base + digit);
    }
}

/// A row of each number, and how often the number occurs.
fn histogram<N: ArrowNativeType>(numbers: &[N], combinations: usize, rows: &Rows) -> Weighed {
    let mut lanes = vec![[0u32; LANES]; combinations];
    let chunks = numbers.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (lane, number) in chunk.iter().enumerate() {
            lanes[number.as_usize()][lane] += 1;
        }
    }
    for number in rest {
        lanes[number.as_usize()][0] += 1;
    }
    let mut missing = lanes.iter().filter(|lanes| **lanes != [0; LANES]).count();
    let (mut representatives, mut weights) = (Vec::with_capacity(missing), Vec::with_capacity(missing));
    for (index, number) in numbers.iter().enumerate() {
        if missing == 0 {
            break;
        }
        let counts = std::mem::take(&mut lanes[number.as_usize()]);
        let weight: u32 = counts.iter().sum();
        if weight > 0 {
            representatives.push(rows.nth(index) as u32);
            weights.push(i64::from(weight));
            missing -= 1;
        }
    }
    (representatives, weights)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::column::Coded;
    use arrow::array::{ArrayRef, StringViewArray};
    use arrow::datatypes::{UInt8Type, UInt16Type};
    use std::collections::HashMap;

    fn column(codes: Codes, values: usize) -> Arc<PartColumn> {
        let values: ArrayRef =
            Arc::new(StringViewArray::from_iter_values((0..values).map(|v| v.to_string())));
        Arc::new(PartColumn::Coded(Coded { codes, dictionary: Arc::clone(&values), values, sorted: false }))
    }

    #[test]
    fn each_of_few_combinations_has_its_first_row_and_its_weight() {
        let codes = |codes: &[Option<u8>]| codes.iter().copied().collect::<PrimitiveArray<UInt8Type>>();
        let a = codes(&[Some(1), Some(0), None, Some(1), Some(1), Some(0)]);
        let b = codes(&[Some(2), Some(2), Some(2), Some(2), Some(0), Some(2)]);
        for (rows, expected) in [
            (Rows::Range(0..6), (vec![0, 1, 2, 4], vec![2, 2, 1, 1])),
            (Rows::positions(vec![1, 3, 5]), (vec![1, 3], vec![2, 1])),
        ] {
            let mut numbers = Vec::new();
            append(&a, 2, &rows, &mut numbers);
            append(&b, 3, &rows, &mut numbers);
            assert_eq!(histogram(&numbers, 12, &rows), expected);
        }
    }

    #[test]
    fn each_of_many_combinations_has_its_weight() {
        const ROWS: usize = 60_000;
        let left = |row: usize| (row % 7 != 3).then_some((row * row / 1000 % 97) as u8);
        let right = |row: usize| (row / 5000 % 60) as u16;
        let by = Countable {
            coded: vec![
                column(Codes::U8((0..ROWS).map(left).collect::<PrimitiveArray<UInt8Type>>()), 97),
                column(Codes::U16((0..ROWS).map(right).collect::<Vec<_>>().into()), 60),
            ],
            combinations: 98 * 61,
        };
        let odd: Vec<u32> = (0..ROWS as u32).filter(|row| row % 2 == 1).collect();
        for rows in [Rows::Range(1000..ROWS), Rows::positions(odd)] {
            let mut weights = Weights::default();
            let (representatives, counts) = weights.weigh(&by, &rows).unwrap();
            let keys = representatives.iter().map(|&row| (left(row as usize), right(row as usize)));
            let found: HashMap<_, _> = keys.zip(counts).collect();
            assert_eq!(found.len(), representatives.len());
            // What was counted once is not there the next time.
            assert_eq!(weights.weigh(&by, &rows).unwrap().0, representatives);
            let mut expected = HashMap::new();
            for &row in &rows.into_positions() {
                *expected.entry((left(row as usize), right(row as usize))).or_insert(0) += 1;
            }
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn weighing_is_given_up_where_combinations_seldom_come_again() {
        let codes: Vec<u16> = (0..60_000).map(|row| row as u16).collect();
        let by = Countable {
            coded: vec![column(Codes::U16(PrimitiveArray::<UInt16Type>::from(codes)), 60_000)],
            combinations: 60_001,
        };
        let mut weights = Weights::default();
        assert_eq!(weights.weigh(&by, &Rows::Range(0..60_000)), None);
        assert!(weights.is_futile && SLOTS.with_borrow(|slots| slots.iter().all(|slot| *slot == (NONE, 0))));
    }
}
