//! Sets of 64-bit integers as sorted, disjoint, closed ranges.
//!
//! One representation serves `__time`, LONG columns and, through [`of_double`], floats: what a filter can accept
//! ([`super::bounds`]) and what a part or a block contains are compared here. Closed ranges reach both ends of
//! `i64` without overflow.

use ovate_storage::time::Interval;

/// A set of `i64`; the pairs are inclusive, ascending, and neither overlap nor touch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Ranges(Vec<(i64, i64)>);

impl Ranges {
    /// The empty set.
    pub(crate) const fn none() -> Self {
        Self(Vec::new())
    }

    /// Every number.
    pub(crate) fn all() -> Self {
        Self(vec![(i64::MIN, i64::MAX)])
    }

    /// `low ..= high`; empty when `high < low`.
    pub(crate) fn between(low: i64, high: i64) -> Self {
        if low <= high { Self(vec![(low, high)]) } else { Self::none() }
    }

    /// The milliseconds of a half-open interval.
    pub(crate) fn of_interval(interval: Interval) -> Self {
        match interval {
            _ if interval.is_empty() => Self::none(),
            // Nothing comes after the last millisecond, so an interval that ends there means "no end".
            Interval { start_ms, end_ms: i64::MAX } => Self::between(start_ms, i64::MAX),
            Interval { start_ms, end_ms } => Self::between(start_ms, end_ms - 1),
        }
    }

    /// Whether nothing is inside.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether everything is inside.
    #[cfg(test)]
    pub(crate) fn is_all(&self) -> bool {
        self.0 == [(i64::MIN, i64::MAX)]
    }

    /// Whether `value` is inside.
    pub(crate) fn contains(&self, value: i64) -> bool {
        match self.0.as_slice() {
            [(low, high)] => *low <= value && value <= *high,
            many => {
                let at = many.partition_point(|&(_, high)| high < value);
                many.get(at).is_some_and(|&(low, _)| low <= value)
            }
        }
    }

    /// Whether all of `low ..= high` is inside.
    pub(crate) fn covers(&self, low: i64, high: i64) -> bool {
        let at = self.0.partition_point(|&(_, end)| end < low);
        self.0.get(at).is_some_and(|&(start, end)| start <= low && high <= end)
    }

    /// Whether any of `low ..= high` is inside.
    pub(crate) fn overlaps(&self, low: i64, high: i64) -> bool {
        let at = self.0.partition_point(|&(_, end)| end < low);
        self.0.get(at).is_some_and(|&(start, _)| start <= high)
    }

    /// What is in either.
    pub(crate) fn union(&self, other: &Self) -> Self {
        let mut all: Vec<_> = self.0.iter().chain(&other.0).copied().collect();
        all.sort_unstable();
        let mut merged: Vec<(i64, i64)> = Vec::with_capacity(all.len());
        for (low, high) in all {
            match merged.last_mut() {
                Some(last) if low <= last.1.saturating_add(1) => last.1 = last.1.max(high),
                _ => merged.push((low, high)),
            }
        }
        Self(merged)
    }

    /// What is in both.
    pub(crate) fn intersect(&self, other: &Self) -> Self {
        let (mut left, mut right) = (self.0.iter().peekable(), other.0.iter().peekable());
        let mut shared = Vec::new();
        while let (Some(&&(a, b)), Some(&&(c, d))) = (left.peek(), right.peek()) {
            if a.max(c) <= b.min(d) {
                shared.push((a.max(c), b.min(d)));
            }
            if b <= d {
                left.next();
            } else {
                right.next();
            }
        }
        Self(shared)
    }

    /// What is not inside.
    pub(crate) fn complement(&self) -> Self {
        let mut outside = Vec::with_capacity(self.0.len() + 1);
        let mut next = Some(i64::MIN);
        for &(low, high) in &self.0 {
            if let Some(start) = next
                && start < low
            {
                outside.push((start, low - 1));
            }
            next = high.checked_add(1);
        }
        outside.extend(next.map(|start| (start, i64::MAX)));
        Self(outside)
    }

    /// The inclusive pairs, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (i64, i64)> + '_ {
        self.0.iter().copied()
    }

    /// The ranges as half-open intervals of time, clipped to what Druid calls eternity.
    pub(crate) fn intervals(&self) -> Vec<Interval> {
        let clip = |(low, high): (i64, i64)| {
            Interval::new(low, high.saturating_add(1)).intersect(Interval::ETERNITY)
        };
        self.iter().map(clip).filter(|interval| !interval.is_empty()).collect()
    }
}

/// Maps a double to an integer with the same order: IEEE 754's total order, in which -0.0 comes just before 0.0.
pub(crate) fn of_double(value: f64) -> i64 {
    let bits = value.to_bits() as i64;
    bits ^ (((bits >> 63) as u64) >> 1) as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_ends_of_i64_are_reachable() {
        assert_eq!(Ranges::all().complement(), Ranges::none());
        assert_eq!(Ranges::none().complement(), Ranges::all());
        let top = Ranges::between(i64::MAX, i64::MAX);
        assert_eq!(top.complement(), Ranges::between(i64::MIN, i64::MAX - 1));
        assert_eq!(top.union(&top.complement()), Ranges::all());
        assert!(top.covers(i64::MAX, i64::MAX) && !top.overlaps(0, i64::MAX - 1));
    }

    #[test]
    fn an_empty_interval_holds_no_millisecond() {
        assert!(Ranges::of_interval(Interval::new(5, 5)).is_empty());
        assert_eq!(Ranges::of_interval(Interval::new(5, 6)), Ranges::between(5, 5));
    }

    #[test]
    fn doubles_keep_their_order() {
        let ordered =
            [f64::NEG_INFINITY, -1.5, -f64::MIN_POSITIVE, -0.0, 0.0, f64::MIN_POSITIVE, 1.5, f64::INFINITY];
        assert!(ordered.windows(2).all(|pair| of_double(pair[0]) < of_double(pair[1])));
    }

    fn set() -> impl Strategy<Value = (Ranges, Vec<bool>)> {
        prop::collection::vec((0i64..40, 0i64..12), 0..5).prop_map(|pairs| {
            let mut ranges = Ranges::none();
            let mut model = vec![false; 64];
            for (low, width) in pairs {
                ranges = ranges.union(&Ranges::between(low, low + width));
                model[low as usize..=(low + width) as usize].fill(true);
            }
            (ranges, model)
        })
    }

    proptest! {
        #[test]
        fn set_algebra_equals_a_table_of_flags((a, x) in set(), (b, y) in set(), low in 0i64..64, high in 0i64..64) {
            for i in 0..64i64 {
                let (in_a, in_b) = (x[i as usize], y[i as usize]);
                prop_assert_eq!(a.contains(i), in_a);
                prop_assert_eq!(a.union(&b).contains(i), in_a || in_b);
                prop_assert_eq!(a.intersect(&b).contains(i), in_a && in_b);
                prop_assert_eq!(a.complement().contains(i), !in_a);
            }
            if low <= high {
                prop_assert_eq!(a.covers(low, high), (low..=high).all(|i| x[i as usize]));
                prop_assert_eq!(a.overlaps(low, high), (low..=high).any(|i| x[i as usize]));
            }
            prop_assert_eq!(a.complement().complement(), a);
        }
    }
}
