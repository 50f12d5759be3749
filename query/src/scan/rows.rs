//! Which rows of a part are meant: a stretch, a mask over a stretch, or a list of positions.
//!
//! Filters narrow [`Rows`] step by step; the form follows the density, so that a filter over everything runs over
//! plain slices and a filter after a selective one touches only what is left.

use std::ops::Range;

use arrow::array::{Array, ArrayRef, BooleanArray, UInt32Array};
use arrow::buffer::{BooleanBuffer, Buffer, ScalarBuffer};
use arrow::compute::take;
use arrow::error::ArrowError;
use roaring::RoaringBitmap;

/// Below one row in this many, positions are cheaper than a mask.
const SPARSE: usize = 8;

/// Rows of one part, by position, ascending; only positions handed out by a backward scan descend.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Rows {
    /// All of a stretch.
    Range(Range<usize>),
    /// Those of the stretch from `start` on whose bit is set; `count` bits are.
    Mask {
        /// The row of the first bit.
        start: usize,
        /// One bit a row.
        mask: BooleanBuffer,
        /// The number of bits set.
        count: usize,
    },
    /// These.
    Positions(ScalarBuffer<u32>),
}

impl Rows {
    /// No row.
    pub(crate) const fn none() -> Self {
        Self::Range(0..0)
    }

    /// The rows at `positions`.
    pub(crate) fn positions(positions: Vec<u32>) -> Self {
        Self::Positions(positions.into())
    }

    /// The rows of the stretch from `start` on whose bit is set, in the form that fits their density.
    pub(crate) fn of_mask(start: usize, mask: BooleanBuffer) -> Self {
        let count = mask.count_set_bits();
        if count == 0 {
            Self::none()
        } else if count == mask.len() {
            Self::Range(start..start + count)
        } else if count * SPARSE < mask.len() {
            Self::positions(mask.set_indices().map(|i| (start + i) as u32).collect())
        } else {
            Self::Mask { start, mask, count }
        }
    }

    /// The rows of `bitmap` within `range`.
    pub(crate) fn of_bitmap(bitmap: &RoaringBitmap, range: Range<usize>) -> Self {
        let positions: Vec<u32> = bitmap.range(range.start as u32..range.end as u32).collect();
        if positions.len() == range.len() { Self::Range(range) } else { Self::positions(positions) }
    }

    /// The number of rows.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Range(range) => range.len(),
            Self::Mask { count, .. } => *count,
            Self::Positions(positions) => positions.len(),
        }
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The shortest stretch that holds all rows.
    pub(crate) fn span(&self) -> Range<usize> {
        match self {
            Self::Range(range) => range.clone(),
            Self::Mask { start, mask, .. } => *start..*start + mask.len(),
            Self::Positions(positions) => match (positions.first(), positions.last()) {
                (Some(&first), Some(&last)) => first.min(last) as usize..first.max(last) as usize + 1,
                _ => 0..0,
            },
        }
    }

    /// The row at `index` in their order; of a mask, which has to be counted through, only the first is found fast.
    pub(crate) fn nth(&self, index: usize) -> usize {
        match self {
            Self::Range(range) => range.start + index,
            Self::Positions(positions) => positions[index] as usize,
            Self::Mask { start, mask, .. } => *start + mask.set_indices().nth(index).unwrap_or(0),
        }
    }

    /// Appends the positions to `positions`.
    pub(crate) fn append_to(&self, positions: &mut Vec<u32>) {
        match self {
            Self::Range(range) => positions.extend(range.start as u32..range.end as u32),
            Self::Mask { start, mask, .. } => {
                positions.extend(mask.set_indices().map(|i| (*start + i) as u32));
            }
            Self::Positions(own) => positions.extend_from_slice(own),
        }
    }

    /// The positions.
    pub(crate) fn into_positions(self) -> ScalarBuffer<u32> {
        if let Self::Positions(positions) = self {
            return positions;
        }
        let mut positions = Vec::with_capacity(self.len());
        self.append_to(&mut positions);
        positions.into()
    }

    /// `count` of the rows, from the one at `start` in their order.
    pub(crate) fn slice(&self, start: usize, count: usize) -> Self {
        match self {
            Self::Range(range) => Self::Range(range.start + start..range.start + start + count),
            _ => Self::Positions(self.clone().into_positions().slice(start, count)),
        }
    }

    /// Keeps the rows for which `test` says yes, by position.
    pub(crate) fn filter(self, test: impl Fn(usize) -> bool) -> Self {
        match self {
            Self::Range(range) => {
                let start = range.start;
                Self::of_mask(start, BooleanBuffer::collect_bool(range.len(), |i| test(start + i)))
            }
            Self::Mask { start, mask, .. } => {
                let passed = BooleanBuffer::collect_bool(mask.len(), |i| test(start + i));
                Self::of_mask(start, &mask & &passed)
            }
            Self::Positions(positions) => {
                Self::positions(positions.iter().copied().filter(|&row| test(row as usize)).collect())
            }
        }
    }

    /// Keeps the rows whose value among `values`, which has one for each row of the part, passes. Over a stretch all values
    /// are compared before anything is made of it, which processors do many at a time.
    pub(crate) fn filter_by<V: Copy>(self, values: &[V], test: impl Fn(V) -> bool) -> Self {
        let Self::Range(range) = self else { return self.filter(|row| test(values[row])) };
        let start = range.start;
        let flags: Vec<bool> = values[range].iter().map(|&value| test(value)).collect();
        Self::of_mask(start, packed(&flags))
    }

    /// Keeps the rows for which `verdicts`, one for each row of [`Self::dense`]'s form, is `wanted`; NULL is not.
    pub(crate) fn keep(self, verdicts: &BooleanArray, wanted: bool) -> Self {
        let mut passed = if wanted { verdicts.values().clone() } else { !verdicts.values() };
        if let Some(nulls) = verdicts.nulls() {
            passed = &passed & nulls.inner();
        }
        match self {
            Self::Range(range) => Self::of_mask(range.start, passed),
            Self::Mask { start, mask, .. } => Self::of_mask(start, &mask & &passed),
            Self::Positions(positions) => {
                Self::positions(passed.set_indices().filter_map(|i| positions.get(i).copied()).collect())
            }
        }
    }

    /// What to read so that [`Self::keep`] can be given one verdict per row read: a mask's whole stretch, otherwise
    /// the rows themselves.
    pub(crate) fn dense(&self) -> Self {
        match self {
            Self::Mask { .. } => Self::Range(self.span()),
            other => other.clone(),
        }
    }

    /// The rows that are in `self` or in `other`, both within `span`.
    pub(crate) fn union(&self, other: &Self, span: &Range<usize>) -> Self {
        if self.is_empty() || other.len() == span.len() {
            return other.clone();
        }
        if other.is_empty() || self.len() == span.len() {
            return self.clone();
        }
        Self::of_mask(span.start, &self.mask_over(span) | &other.mask_over(span))
    }

    fn mask_over(&self, span: &Range<usize>) -> BooleanBuffer {
        let mut bits = vec![false; span.len()];
        match self {
            Self::Range(range) => bits[range.start - span.start..range.end - span.start].fill(true),
            Self::Mask { start, mask, .. } => {
                for i in mask.set_indices() {
                    bits[start + i - span.start] = true;
                }
            }
            Self::Positions(positions) => {
                for &row in positions {
                    bits[row as usize - span.start] = true;
                }
            }
        }
        BooleanBuffer::from(bits)
    }

    /// The values of `array`, which has one for each row of the part, at these rows.
    pub(crate) fn read(&self, array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
        match self {
            Self::Range(range) => Ok(array.slice(range.start, range.len())),
            Self::Mask { .. } | Self::Positions(_) => {
                take(array, &UInt32Array::new(self.clone().into_positions(), None), None)
            }
        }
    }
}

/// One bit a flag.
fn packed(flags: &[bool]) -> BooleanBuffer {
    // Brings the lowest bits of eight bytes together in the topmost byte: no two products meet in one bit.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let gathered = |eight: [bool; 8]| u64::from_le_bytes(eight.map(u8::from)).wrapping_mul(GATHER) >> 56;
    let mut bytes = Vec::with_capacity(flags.len().div_ceil(8));
    let (eights, rest) = flags.as_chunks::<8>();
    bytes.extend(eights.iter().map(|&eight| gathered(eight) as u8));
    if !rest.is_empty() {
        let mut eight = [false; 8];
        eight[..rest.len()].copy_from_slice(rest);
        bytes.push(gathered(eight) as u8);
    }
    BooleanBuffer::new(Buffer::from_vec(bytes), 0, flags.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rows_of(start: usize, flags: &[bool]) -> Rows {
        Rows::of_mask(start, BooleanBuffer::from(flags.to_vec()))
    }

    fn model(start: usize, flags: &[bool]) -> Vec<u32> {
        flags.iter().enumerate().filter(|(_, set)| **set).map(|(i, _)| (start + i) as u32).collect()
    }

    proptest! {
        #[test]
        fn rows_behave_like_a_list_of_positions(
            (a, b, verdicts, nulls) in (1usize..200).prop_flat_map(|len| {
                let flags = || prop_oneof![
                    prop::collection::vec(any::<bool>(), len),
                    prop::collection::vec(prop::bool::weighted(0.05), len),
                    Just(vec![true; len]),
                    Just(vec![false; len]),
                ];
                (flags(), flags(), flags(), flags())
            }),
            start in 0usize..50,
            wanted: bool,
        ) {
            let (x, y) = (rows_of(start, &a), rows_of(start, &b));
            prop_assert_eq!(x.len(), model(start, &a).len());
            prop_assert_eq!(x.clone().into_positions().to_vec(), model(start, &a));
            let singly: Vec<u32> = (0..x.len()).map(|index| x.nth(index) as u32).collect();
            prop_assert_eq!(singly, model(start, &a));
            let span = start..start + a.len();
            let either: Vec<bool> = a.iter().zip(&b).map(|(x, y)| x | y).collect();
            prop_assert_eq!(x.union(&y, &span).into_positions().to_vec(), model(start, &either));

            let verdict = |i: usize| (!nulls[i]).then_some(verdicts[i]);
            let expected: Vec<bool> = (0..a.len()).map(|i| a[i] && verdict(i) == Some(wanted)).collect();
            let read = x.dense().into_positions();
            let answers: BooleanArray = read.iter().map(|&row| verdict(row as usize - start)).collect();
            prop_assert_eq!(x.clone().keep(&answers, wanted).into_positions().to_vec(), model(start, &expected));
            let filtered = x.clone().filter(|row| verdict(row - start) == Some(wanted));
            prop_assert_eq!(filtered.into_positions().to_vec(), model(start, &expected));
            let values: Vec<Option<bool>> = (0..start + a.len()).map(|row| verdict(row.max(start) - start)).collect();
            let filtered = x.filter_by(&values, |value| value == Some(wanted));
            prop_assert_eq!(filtered.into_positions().to_vec(), model(start, &expected));
        }
    }
}
