//! Settling: a run that has reached its final size gets the order and the forms that segments have, so that queries
//! over rows of the last hour cost what they cost over rows of last year.
//!
//! ```text
//!  run in order of arrival ─► rows in order of __time ─► numbers of few different values also as codes
//! ```
//!
//! This is done once for each row, on the way in; smaller runs are left alone, because they are soon merged. Rolled up
//! runs are never settled: they are combined again and again. The rows of equal times stay in their order.

use arrow::array::{ArrayRef, UInt32Array};

use super::run::{Run, RunColumn};
use crate::error::Result;
use crate::segment::coded_numbers;

/// The same rows, settled.
pub(super) fn settle(run: &Run) -> Result<Run> {
    let order = (!run.sorted).then(|| order(&run.time));
    let (time, columns) = match &order {
        None => (run.time.clone(), run.columns.clone()),
        Some(order) => (
            order.values().iter().map(|&row| run.time[row as usize]).collect(),
            run.columns.iter().map(|column| column.at(order)).collect::<Result<_>>()?,
        ),
    };
    let coded = columns.iter().map(coded).collect::<Result<_>>()?;
    Ok(Run::new(time, columns).settled(coded))
}

/// Row positions in order of time, then of arrival.
fn order(time: &[i64]) -> UInt32Array {
    let mut rows: Vec<(i64, u32)> = time.iter().copied().zip(0..).collect();
    rows.sort_unstable();
    rows.into_iter().map(|(_, row)| row).collect::<Vec<_>>().into()
}

fn coded(column: &RunColumn) -> Result<Option<ArrayRef>> {
    match column {
        RunColumn::Long(array) => coded_numbers(array),
        RunColumn::Float(array) => coded_numbers(array),
        RunColumn::Double(array) => coded_numbers(array),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{AsArray, Float32Array, Int64Array, StringViewArray};
    use arrow::datatypes::{Float32Type, UInt8Type};

    fn run(time: Vec<i64>, columns: Vec<RunColumn>) -> Run {
        Run::new(time.into(), columns)
    }

    #[test]
    fn rows_are_put_into_the_order_of_their_times_and_equal_times_keep_theirs() {
        let text: StringViewArray = [Some("c"), None, Some("a"), Some("b")].into_iter().collect();
        let tags = RunColumn::MultiCodes { ends: vec![2, 2, 3, 4].into(), codes: vec![7, 8, 9, 6].into() };
        let codes = RunColumn::Codes(vec![3, 4, 1, 2].into());
        let settled = settle(&run(vec![30, 40, 10, 10], vec![RunColumn::Text(text), tags, codes])).unwrap();
        assert_eq!((settled.time.to_vec(), settled.time_range), (vec![10, 10, 30, 40], (10, 40)));
        let [RunColumn::Text(text), RunColumn::MultiCodes { ends, codes: tags }, RunColumn::Codes(codes)] =
            settled.columns.as_slice()
        else {
            panic!("other columns: {:?}", settled.columns)
        };
        assert_eq!(text.iter().collect::<Vec<_>>(), [Some("a"), Some("b"), Some("c"), None]);
        assert_eq!((ends.to_vec(), tags.to_vec()), (vec![1, 2, 4, 4], vec![9, 6, 7, 8]));
        assert_eq!(codes.to_vec(), [1, 2, 3, 4]);
    }

    #[test]
    fn numbers_of_few_values_get_codes_beside_them_and_others_do_not() {
        let few: Float32Array = (0..2000).map(|i| (i % 5 > 0).then_some((i % 5) as f32)).collect();
        let many = Int64Array::from_iter_values(0..2000);
        let columns = vec![RunColumn::Float(few.clone()), RunColumn::Long(many)];
        let settled = settle(&run((0..2000).rev().collect(), columns)).unwrap();
        let coded = settled.coded(0).unwrap().as_dictionary::<UInt8Type>();
        let decoded = coded.downcast_dict::<Float32Array>().unwrap();
        let backwards: Vec<_> = few.iter().rev().collect();
        assert_eq!(decoded.into_iter().collect::<Vec<_>>(), backwards);
        assert_eq!(coded.values().as_primitive::<Float32Type>().len(), 4);
        assert!(settled.coded(1).is_none() && settled.is_settled());
    }

    #[test]
    fn columns_that_change_places_take_their_codes_with_them() {
        let few = RunColumn::Long(Int64Array::from_iter_values((0..2000).map(|i| i % 3)));
        let settled = settle(&run((0..2000).collect(), vec![few])).unwrap();
        let wider = settled.rearranged([None, Some(0)].into_iter());
        assert!(wider.is_settled() && wider.coded(0).is_none() && wider.coded(1).is_some());
        assert!(matches!(wider.columns[..], [RunColumn::Absent, RunColumn::Long(_)]));
    }
}
