//! SUM, MIN and MAX of numbers, by group.
//!
//! Results are DataFusion's: sums of whole numbers wrap around, a group without a value is NULL. Two things that DataFusion leaves to the order of rows are settled in MIN and MAX:
//! NaN is greater than any number, and -0.0 less than 0.0.

use std::cmp::Ordering;
use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, PrimitiveArray};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::ArrowNativeType;
use datafusion::common::{Result, internal_err};

use super::accumulate::{Accumulate, RowGroups};
use super::chunk::CodeSlice;

/// How a value joins those before it.
pub(super) trait Fold<N>: Send {
    /// What a group begins with.
    const START: N;
    /// Both.
    fn fold(a: N, b: N) -> N;

    /// All.
    fn fold_all(a: N, values: &[N]) -> N
    where
        N: Copy,
    {
        values.iter().fold(a, |a, &b| Self::fold(a, b))
    }
}

/// SUM.
pub(super) struct Add;
/// MIN.
pub(super) struct Least;
/// MAX.
pub(super) struct Greatest;

impl Fold<i64> for Add {
    const START: i64 = 0;

    fn fold(a: i64, b: i64) -> i64 {
        a.wrapping_add(b)
    }
}

impl Fold<f64> for Add {
    const START: f64 = 0.0;

    fn fold(a: f64, b: f64) -> f64 {
        a + b
    }

    // Additions that do not wait for each other.
    fn fold_all(a: f64, values: &[f64]) -> f64 {
        let mut lanes = [0.0; 8];
        let chunks = values.chunks_exact(lanes.len());
        let rest = chunks.remainder();
        for chunk in chunks {
            lanes.iter_mut().zip(chunk).for_each(|(lane, value)| *lane += value);
        }
        a + lanes.iter().chain(rest).sum::<f64>()
    }
}

impl Fold<i64> for Least {
    const START: i64 = i64::MAX;

    fn fold(a: i64, b: i64) -> i64 {
        a.min(b)
    }
}

impl Fold<i64> for Greatest {
    const START: i64 = i64::MIN;

    fn fold(a: i64, b: i64) -> i64 {
        a.max(b)
    }
}

/// The order of two numbers, NaN of either sign last.
macro_rules! order {
    ($a:expr, $b:expr) => {{
        let (a, b) = ($a, $b);
        let (a, b) = (if a.is_nan() { a.abs() } else { a }, if b.is_nan() { b.abs() } else { b });
        a.total_cmp(&b)
    }};
}

macro_rules! extremes {
    ($native:ty) => {
        impl Fold<$native> for Least {
            const START: $native = <$native>::NAN;

            fn fold(a: $native, b: $native) -> $native {
                if order!(a, b) == Ordering::Greater { b } else { a }
            }
        }

        impl Fold<$native> for Greatest {
            const START: $native = <$native>::NEG_INFINITY;

            fn fold(a: $native, b: $native) -> $native {
                if order!(a, b) == Ordering::Less { b } else { a }
            }
        }
    };
}

extremes!(f32);
extremes!(f64);

/// SUM, MIN or MAX.
pub(super) struct Folds<T: ArrowPrimitiveType, O> {
    values: Vec<T::Native>,
    seen: Seen,
    how: PhantomData<O>,
}

impl<T: ArrowPrimitiveType, O> Default for Folds<T, O> {
    fn default() -> Self {
        Self { values: Vec::new(), seen: Seen::default(), how: PhantomData }
    }
}

impl<T: ArrowPrimitiveType, O: Fold<T::Native>> Accumulate for Folds<T, O> {
    fn update(
        &mut self,
        rows: RowGroups<'_>,
        arguments: &[ArrayRef],
        filter: Option<&BooleanArray>,
        groups: usize,
    ) -> Result<()> {
        let numbers = numbers::<T>(arguments)?;
        let wanted = wanted(numbers.nulls(), filter);
        self.values.resize(groups, O::START);
        self.seen.add(rows, wanted.as_ref(), groups);
        let (values, native) = (&mut self.values, numbers.values());
        match (rows, &wanted) {
            (RowGroups::One { group, .. }, None) => {
                values[group] = O::fold_all(values[group], native);
            }
            (RowGroups::One { group, .. }, Some(wanted)) => {
                values[group] = wanted.set_indices().fold(values[group], |a, row| O::fold(a, native[row]));
            }
            (RowGroups::Each(groups), None) => {
                fold_each::<_, O>(values, groups, |row| native[row]);
            }
            (RowGroups::Each(groups), Some(wanted)) => {
                for row in wanted.set_indices() {
                    let own = &mut values[groups[row] as usize];
                    *own = O::fold(*own, native[row]);
                }
            }
        }
        Ok(())
    }

    fn update_coded(
        &mut self,
        rows: RowGroups<'_>,
        codes: CodeSlice<'_>,
        values: &ArrayRef,
        groups: usize,
    ) -> Result<bool> {
        let table = numbers::<T>(std::slice::from_ref(values))?.values();
        self.values.resize(groups, O::START);
        self.seen.add(rows, None, groups);
        match codes {
            CodeSlice::U8(codes) => fold_codes::<_, _, O>(&mut self.values, rows, codes, table),
            CodeSlice::U16(codes) => fold_codes::<_, _, O>(&mut self.values, rows, codes, table),
            CodeSlice::U32(codes) => fold_codes::<_, _, O>(&mut self.values, rows, codes, table),
        }
        Ok(true)
    }

    fn merge(&mut self, rows: RowGroups<'_>, state: &[ArrayRef], groups: usize) -> Result<()> {
        self.update(rows, state, None, groups)
    }

    fn state(&mut self, rows: &[i64]) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.finish(rows)?])
    }

    fn finish(&mut self, _: &[i64]) -> Result<ArrayRef> {
        let values = std::mem::take(&mut self.values);
        let nulls = std::mem::take(&mut self.seen).nulls();
        Ok(Arc::new(PrimitiveArray::<T>::try_new(values.into(), nulls)?))
    }

    fn bytes(&self) -> usize {
        self.values.capacity() * size_of::<T::Native>() + self.seen.bytes()
    }
}

/// Folds the value under each row's code into its group. As for plain values, folds do not wait for each other.
fn fold_codes<K: ArrowNativeType, N: Copy, O: Fold<N>>(
    values: &mut [N],
    rows: RowGroups<'_>,
    codes: &[K],
    table: &[N],
) {
    let group = match rows {
        RowGroups::One { group, .. } => group,
        RowGroups::Each(groups) => {
            return fold_each::<_, O>(values, groups, |row| table[codes[row].as_usize()]);
        }
    };
    let mut lanes = [O::START; 8];
    let chunks = codes.chunks_exact(lanes.len());
    let rest = chunks.remainder();
    for chunk in chunks {
        for (lane, code) in lanes.iter_mut().zip(chunk) {
            *lane = O::fold(*lane, table[code.as_usize()]);
        }
    }
    let rest = rest.iter().map(|code| table[code.as_usize()]);
    values[group] = lanes.into_iter().chain(rest).fold(values[group], O::fold);
}

/// Folds the value of each row into its group.
///
/// Where there are few groups, many rows would wait for the sum that the row before has just written. So rows take
/// turns at several sums for each group.
pub(super) fn fold_each<N: Copy, O: Fold<N>>(values: &mut [N], groups: &[u32], value: impl Fn(usize) -> N) {
    const LANES: usize = 4;
    const FEW: usize = 64;
    let fold = |own: &mut N, row| *own = O::fold(*own, value(row));
    let mut done = 0;
    if values.len() <= FEW && groups.len() >= LANES * FEW {
        let mut lanes = [[O::START; FEW]; LANES];
        for groups in groups.chunks_exact(LANES) {
            for (lane, &group) in lanes.iter_mut().zip(groups) {
                // The remainder is the group itself, and spares a check.
                fold(&mut lane[group as usize % FEW], done);
                done += 1;
            }
        }
        for lane in &lanes {
            values.iter_mut().zip(lane).for_each(|(own, &other)| *own = O::fold(*own, other));
        }
    }
    for (row, &group) in groups.iter().enumerate().skip(done) {
        fold(&mut values[group as usize], row);
    }
}

/// Which groups have had a value.
#[derive(Default)]
struct Seen {
    groups: usize,
    /// One flag a group; `None`: all have.
    flags: Option<Vec<bool>>,
}

impl Seen {
    fn add(&mut self, rows: RowGroups<'_>, wanted: Option<&BooleanBuffer>, groups: usize) {
        // While every row counts, so does every group: none is made without a row.
        if wanted.is_some() && self.flags.is_none() {
            self.flags = Some(vec![true; self.groups]);
        }
        self.groups = groups;
        let Some(flags) = &mut self.flags else { return };
        flags.resize(groups, false);
        match (rows, wanted) {
            (RowGroups::One { group, rows }, None) => flags[group] |= rows > 0,
            (RowGroups::One { group, .. }, Some(wanted)) => {
                flags[group] = flags[group] || wanted.count_set_bits() > 0;
            }
            (RowGroups::Each(groups), None) => groups.iter().for_each(|&group| flags[group as usize] = true),
            (RowGroups::Each(groups), Some(wanted)) => {
                wanted.set_indices().for_each(|row| flags[groups[row] as usize] = true);
            }
        }
    }

    fn nulls(self) -> Option<NullBuffer> {
        self.flags.map(NullBuffer::from).filter(|nulls| nulls.null_count() > 0)
    }

    fn bytes(&self) -> usize {
        self.flags.as_ref().map_or(0, Vec::capacity)
    }
}

/// The only argument, as numbers.
pub(super) fn numbers<T: ArrowPrimitiveType>(arguments: &[ArrayRef]) -> Result<&PrimitiveArray<T>> {
    let Some(numbers) = arguments.first().and_then(|argument| argument.as_primitive_opt::<T>()) else {
        return internal_err!("an aggregate of {} has other arguments", T::DATA_TYPE);
    };
    Ok(numbers)
}

/// The rows that have a value and pass the filter; `None`: all.
pub(super) fn wanted(nulls: Option<&NullBuffer>, filter: Option<&BooleanArray>) -> Option<BooleanBuffer> {
    let nulls = nulls.filter(|nulls| nulls.null_count() > 0).map(NullBuffer::inner);
    let passed = filter.map(|filter| match filter.nulls() {
        Some(nulls) => filter.values() & nulls.inner(),
        None => filter.values().clone(),
    });
    match (nulls, passed) {
        (Some(nulls), Some(passed)) => Some(nulls & &passed),
        (Some(nulls), None) => Some(nulls.clone()),
        (None, passed) => passed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Float64Array, Int64Array};
    use arrow::datatypes::{Float64Type, Int64Type};

    fn double(numbers: &[Option<f64>]) -> ArrayRef {
        Arc::new(numbers.iter().copied().collect::<Float64Array>())
    }

    #[test]
    fn one_group_at_once_is_the_same_as_row_by_row() {
        let numbers = double(&[Some(1.5), None, Some(-2.0), Some(4.0)]);
        let filter = BooleanArray::from(vec![Some(true), Some(true), None, Some(true)]);
        for filter in [None, Some(&filter)] {
            let (mut whole, mut single) =
                (Folds::<Float64Type, Add>::default(), Folds::<Float64Type, Add>::default());
            let arguments = [Arc::clone(&numbers)];
            whole.update(RowGroups::One { group: 1, rows: 4 }, &arguments, filter, 2).unwrap();
            single.update(RowGroups::Each(&[1, 1, 1, 1]), &arguments, filter, 2).unwrap();
            assert_eq!(&whole.finish(&[]).unwrap(), &single.finish(&[]).unwrap());
        }
    }

    #[test]
    fn rows_of_few_groups_are_folded_like_rows_of_many() {
        for count in [255_u32, 256, 1003] {
            let groups: Vec<u32> = (0..count).map(|row| row * row % 7).collect();
            let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..i64::from(count)));
            // As many groups as are few, and one more.
            for of in [64, 65] {
                let (mut sums, mut greatest) =
                    (Folds::<Int64Type, Add>::default(), Folds::<Int64Type, Greatest>::default());
                let arguments = [Arc::clone(&numbers)];
                let rows = RowGroups::Each(&groups);
                sums.update(rows, &arguments, None, of).unwrap();
                greatest.update(rows, &arguments, None, of).unwrap();
                let found = [&mut sums as &mut dyn Accumulate, &mut greatest]
                    .map(|own| own.finish(&[]).unwrap().as_primitive::<Int64Type>().values().to_vec());
                for group in 0..7_u32 {
                    let rows = (0..count).filter(|&row| groups[row as usize] == group).map(i64::from);
                    let expected = [rows.clone().sum(), rows.max().unwrap_or(i64::MIN)];
                    assert_eq!(found.each_ref().map(|values| values[group as usize]), expected);
                }
            }
        }
    }

    #[test]
    fn groups_without_a_value_are_null() {
        let mut sums = Folds::<Float64Type, Add>::default();
        sums.update(RowGroups::Each(&[0, 1]), &[double(&[Some(1.0), Some(2.0)])], None, 2).unwrap();
        sums.update(RowGroups::Each(&[1, 2]), &[double(&[Some(3.0), None])], None, 3).unwrap();
        assert_eq!(&sums.finish(&[]).unwrap(), &double(&[Some(1.0), Some(5.0), None]));
    }

    #[test]
    fn sums_of_whole_numbers_wrap_around() {
        let mut sums = Folds::<Int64Type, Add>::default();
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![i64::MAX, 1]));
        sums.update(RowGroups::One { group: 0, rows: 2 }, &[numbers], None, 1).unwrap();
        assert_eq!(sums.finish(&[]).unwrap().as_primitive::<Int64Type>().values(), &[i64::MIN]);
    }

    #[test]
    fn extremes_do_not_depend_on_the_order_of_rows() {
        let numbers = [-f64::NAN, 0.0, -0.0, f64::NAN];
        let least = |rows: &[usize]| {
            rows.iter().fold(<Least as Fold<f64>>::START, |a, &row| Least::fold(a, numbers[row]))
        };
        let greatest = |rows: &[usize]| {
            rows.iter().fold(<Greatest as Fold<f64>>::START, |a, &row| Greatest::fold(a, numbers[row]))
        };
        for rows in [[0, 1, 2, 3], [3, 2, 1, 0], [1, 0, 3, 2], [2, 3, 0, 1]] {
            assert_eq!(least(&rows).to_bits(), (-0.0f64).to_bits());
            assert!(greatest(&rows).is_nan());
        }
        assert_eq!(greatest(&[1, 2]).to_bits(), 0.0f64.to_bits());
        assert!(least(&[0]).is_nan());
    }
}
