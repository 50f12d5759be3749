//! Rows that are only counted: one row and a weight for each combination of codes.
//!
//! ```text
//!  codes of the keys ─► one small number a row ─► histogram ─► a row of each number, and how often it occurs
//! ```
//!
//! What a row is counted under is decided by its codes, where they are few and all rows lie in one bucket of time. So
//! ids and groups are found for one row of each combination, and the others cost an addition.

use arrow::array::{Array, ArrowPrimitiveType, PrimitiveArray};
use arrow::datatypes::ArrowNativeType;
use datafusion::common::Result;

use super::plan::{AggregatePlan, KeySource};
use crate::scan::column::{Codes, PartColumn, PartColumns, external};
use crate::scan::rows::Rows;

/// More combinations than this are not worth a histogram.
const COMBINATIONS_MAX: usize = 1024;
/// With fewer rows to a combination nothing is saved.
const ROWS_PER_COMBINATION_MIN: usize = 4;
/// Counts that rows take turns at: a row need not wait for the count that the row before has just written.
const LANES: usize = 4;

/// A row of each combination of the keys' codes among `rows`, and how many rows have it. `None`: the keys are not of the
/// kind, or there are too many combinations.
pub(super) fn weighted(
    plan: &AggregatePlan,
    columns: &PartColumns,
    rows: &Rows,
) -> Result<Option<(Vec<u32>, Vec<i64>)>> {
    let most = COMBINATIONS_MAX.min(rows.len() / ROWS_PER_COMBINATION_MIN);
    let (mut coded, mut combinations) = (Vec::new(), 1);
    for key in &plan.keys {
        match &key.source {
            KeySource::Buckets(granularity) => {
                let part = columns.part();
                let time = part.time().map_err(external)?;
                let [first, last] = [0, rows.len() - 1].map(|index| time.value(rows.nth(index)));
                let (low, high) = (first.min(last), first.max(last));
                if !part.sorted_by_time() || high >= granularity.bucket(low).end_ms {
                    return Ok(None);
                }
            }
            KeySource::Column(index) => {
                let column = columns.column(*index)?;
                match &*column {
                    PartColumn::Missing => continue,
                    PartColumn::Coded(coded) => combinations *= coded.values.len() + 1,
                    PartColumn::Plain(_) => return Ok(None),
                }
                if combinations > most {
                    return Ok(None);
                }
                coded.push(column);
            }
            KeySource::Computed(_) => return Ok(None),
        }
    }
    if coded.is_empty() {
        return Ok(None);
    }
    let mut numbers = vec![0u16; rows.len()];
    for column in &coded {
        let PartColumn::Coded(column) = &**column else { continue };
        let values = column.values.len();
        match &column.codes {
            Codes::U8(codes) => append(codes, values, rows, &mut numbers),
            Codes::U16(codes) => append(codes, values, rows, &mut numbers),
            Codes::U32(codes) => append(codes, values, rows, &mut numbers),
        }
    }
    Ok(Some(histogram(&numbers, combinations, rows)))
}

/// Makes the codes of a column, which has so many values, the last digit of each row's number. NULL is the last digit there
/// is.
fn append<K: ArrowPrimitiveType>(codes: &PrimitiveArray<K>, values: usize, rows: &Rows, numbers: &mut [u16]) {
    let native = codes.values();
    let base = values as u16 + 1;
    let digit = |code: K::Native| code.as_usize() as u16;
    let nulls = codes.nulls().filter(|nulls| nulls.null_count() > 0);
    match (rows, nulls) {
        (Rows::Range(range), None) => {
            for (number, &code) in numbers.iter_mut().zip(&native[range.clone()]) {
                *number = *number * base + digit(code);
            }
        }
        (Rows::Positions(positions), None) => {
            for (number, &row) in numbers.iter_mut().zip(positions) {
                *number = *number * base + digit(native[row as usize]);
            }
        }
        _ => {
            for (index, number) in numbers.iter_mut().enumerate() {
                let row = rows.nth(index);
                let is_null = nulls.is_some_and(|nulls| nulls.is_null(row));
                // What stands under a NULL may be no code at all.
                *number = *number * base + if is_null { values as u16 } else { digit(native[row]) };
            }
        }
    }
}

/// A row of each number, and how often the number occurs.
fn histogram(numbers: &[u16], combinations: usize, rows: &Rows) -> (Vec<u32>, Vec<i64>) {
    let mut lanes = vec![[0u32; LANES]; combinations];
    let chunks = numbers.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (lane, &number) in chunk.iter().enumerate() {
            lanes[number as usize][lane] += 1;
        }
    }
    for &number in rest {
        lanes[number as usize][0] += 1;
    }
    let mut missing = lanes.iter().filter(|lanes| **lanes != [0; LANES]).count();
    let (mut representatives, mut weights) = (Vec::with_capacity(missing), Vec::with_capacity(missing));
    for (index, &number) in numbers.iter().enumerate() {
        if missing == 0 {
            break;
        }
        let counts = std::mem::take(&mut lanes[number as usize]);
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
    use arrow::datatypes::UInt8Type;

    #[test]
    fn each_combination_has_its_first_row_and_its_weight() {
        let codes = |codes: &[Option<u8>]| codes.iter().copied().collect::<PrimitiveArray<UInt8Type>>();
        let a = codes(&[Some(1), Some(0), None, Some(1), Some(1), Some(0)]);
        let b = codes(&[Some(2), Some(2), Some(2), Some(2), Some(0), Some(2)]);
        for (rows, expected) in [
            (Rows::Range(0..6), (vec![0, 1, 2, 4], vec![2, 2, 1, 1])),
            (Rows::positions(vec![1, 3, 5]), (vec![1, 3], vec![2, 1])),
        ] {
            let mut numbers = vec![0; rows.len()];
            append(&a, 2, &rows, &mut numbers);
            append(&b, 3, &rows, &mut numbers);
            assert_eq!(histogram(&numbers, 12, &rows), expected);
        }
    }
}
