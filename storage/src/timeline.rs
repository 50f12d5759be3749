//! The timeline: which segment answers for which stretch of time.
//!
//! Where versions overlap, the greater one overshadows the lesser, millisecond by millisecond; segments of one
//! version stand side by side. Versions compare as text, as in Druid, where they are instants.
//!
//! ```text
//!  v2            [======)
//!  v1   [==============================)
//!  sees [1111111][2222222][111111111111)
//! ```

use crate::time::Interval;

/// For each segment, given as `(interval, version)`, the stretches of its interval that it answers for, in order
/// of time. An overshadowed segment gets none.
pub fn visible_stretches(segments: &[(Interval, &str)]) -> Vec<Vec<Interval>> {
    let mut by_version: Vec<usize> = (0..segments.len()).collect();
    by_version.sort_by(|&a, &b| segments[b].1.cmp(segments[a].1));
    let mut visible = vec![Vec::new(); segments.len()];
    let mut covered = Cover::default();
    for group in by_version.chunk_by(|&a, &b| segments[a].1 == segments[b].1) {
        for &at in group {
            visible[at] = covered.gaps_in(segments[at].0);
        }
        for &at in group {
            covered.add(segments[at].0);
        }
    }
    visible
}

/// A set of stretches, disjoint and in order.
#[derive(Debug, Default)]
struct Cover(Vec<Interval>);

impl Cover {
    /// What of `interval` is not covered.
    fn gaps_in(&self, interval: Interval) -> Vec<Interval> {
        let mut gaps = Vec::new();
        let mut from = interval.start_ms;
        let first = self.0.partition_point(|covered| covered.end_ms <= interval.start_ms);
        for covered in self.0[first..].iter().take_while(|covered| covered.start_ms < interval.end_ms) {
            gaps.push(Interval::new(from, covered.start_ms));
            from = covered.end_ms;
        }
        gaps.push(Interval::new(from, interval.end_ms));
        gaps.retain(|gap| !gap.is_empty());
        gaps
    }

    fn add(&mut self, interval: Interval) {
        let first = self.0.partition_point(|covered| covered.end_ms < interval.start_ms);
        let after = self.0.partition_point(|covered| covered.start_ms <= interval.end_ms);
        let mut joined = interval;
        for covered in &self.0[first..after.max(first)] {
            joined.start_ms = joined.start_ms.min(covered.start_ms);
            joined.end_ms = joined.end_ms.max(covered.end_ms);
        }
        self.0.splice(first..after.max(first), [joined]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_later_version_overshadows_what_it_covers() {
        let seen = visible_stretches(&[(Interval::new(0, 30), "v1"), (Interval::new(10, 20), "v2")]);
        assert_eq!(seen[0], [Interval::new(0, 10), Interval::new(20, 30)]);
        assert_eq!(seen[1], [Interval::new(10, 20)]);
    }

    #[test]
    fn segments_of_one_version_stand_side_by_side() {
        let day = Interval::new(0, 10);
        assert_eq!(visible_stretches(&[(day, "v"), (day, "v")]), [vec![day], vec![day]]);
    }

    proptest! {
        #[test]
        fn every_millisecond_is_answered_by_its_greatest_version(
            segments in prop::collection::vec((0i64..40, 1i64..20, 0u8..4), 0..12)
        ) {
            let names = ["v0", "v1", "v2", "v3"];
            let segments: Vec<(Interval, &str)> = segments
                .into_iter()
                .map(|(start, length, version)| (Interval::new(start, start + length), names[version as usize]))
                .collect();
            let visible = visible_stretches(&segments);
            for t in 0..60 {
                let greatest = segments.iter().filter(|s| s.0.contains(t)).map(|s| s.1).max();
                for (segment, stretches) in segments.iter().zip(&visible) {
                    let seen = stretches.iter().filter(|stretch| stretch.contains(t)).count();
                    let expected = segment.0.contains(t) && Some(segment.1) == greatest;
                    prop_assert_eq!(seen, usize::from(expected), "t={} {:?}", t, segment);
                }
            }
        }
    }
}
