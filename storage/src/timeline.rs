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
//!
//! New rows must neither hide others nor be hidden: [`chunk_of`] says where they belong.

use crate::time::{Interval, format_instant};

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

/// A time chunk and the version of it that rows belong to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Chunk {
    /// The time chunk.
    pub interval: Interval,
    /// Its version.
    pub version: String,
}

/// The chunk that rows at `time_ms` belong to, beside the segments in use, and the stretch of time around it that
/// the same is true for. Where there are segments, rows join them in their chunk and version, even if chunks are cut
/// differently by now; elsewhere they begin a version at `now_ms`, whose chunk is as much of `bucket` (the chunk as
/// they are cut now) as no segment lies in.
pub fn chunk_of<'a>(
    time_ms: i64,
    bucket: Interval,
    used: impl Iterator<Item = (Interval, &'a str)>,
    now_ms: i64,
) -> (Chunk, Interval) {
    let mut seen: Option<(Interval, &str)> = None;
    let mut stretch = bucket;
    for (interval, version) in used {
        if interval.contains(time_ms) {
            stretch = stretch.intersect(interval);
            if seen.is_none_or(|(_, greatest)| version > greatest) {
                seen = Some((interval, version));
            }
        } else if interval.end_ms <= time_ms {
            stretch.start_ms = stretch.start_ms.max(interval.end_ms);
        } else {
            stretch.end_ms = stretch.end_ms.min(interval.start_ms);
        }
    }
    let chunk = match seen {
        Some((interval, version)) => Chunk { interval, version: version.to_owned() },
        None => Chunk { interval: stretch, version: format_instant(now_ms) },
    };
    (chunk, stretch)
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

    #[test]
    fn rows_join_what_is_there_however_chunks_are_cut_now() {
        let day = Interval::new(0, 24);
        let hours = [(Interval::new(4, 5), "v1"), (Interval::new(10, 11), "v2")];
        let at = |time, used: &[(Interval, &str)]| {
            let (Chunk { interval, version }, _) = chunk_of(time, day, used.iter().copied(), 0);
            (interval.start_ms, interval.end_ms, version)
        };
        assert_eq!(at(4, &hours), (4, 5, "v1".to_owned()));
        assert_eq!(at(7, &hours), (5, 10, "1970-01-01T00:00:00.000Z".to_owned()));
        assert_eq!(at(20, &hours).0, 11);
        assert_eq!(at(4, &[(day, "v0"), hours[0]]), (4, 5, "v1".to_owned()));
        assert_eq!(at(5, &[(day, "v0"), hours[0]]), (0, 24, "v0".to_owned()));
    }

    proptest! {
        #[test]
        fn rows_that_come_are_seen_and_hide_no_others(
            segments in prop::collection::vec((0i64..40, 1i64..20, 0u8..4), 0..8),
            times in prop::collection::vec(0i64..60, 1..8),
        ) {
            let version = |number: i64| format!("v{number:03}");
            let mut used: Vec<(Interval, String)> = segments
                .into_iter()
                .map(|(start, length, number)| (Interval::new(start, start + length), version(number.into())))
                .collect();
            let answers = |used: &[(Interval, String)]| -> Vec<Option<String>> {
                let greatest = |t| used.iter().filter(|s| s.0.contains(t)).map(|s| s.1.clone()).max();
                (0..80).map(greatest).collect()
            };
            for (number, time) in times.into_iter().enumerate() {
                let before = answers(&used);
                let width = [1, 7, 10][number % 3];
                let bucket = Interval::new(time / width * width, time / width * width + width);
                let at = |time| chunk_of(time, bucket, used.iter().map(|(i, v)| (*i, v.as_str())), 0);
                let (chunk, stretch) = at(time);
                prop_assert!(chunk.interval.contains(time) && stretch.contains(time));
                for other in stretch.start_ms..stretch.end_ms {
                    prop_assert_eq!(&at(other).0, &chunk);
                }
                used.push((chunk.interval, chunk.version.clone()));
                let after = answers(&used);
                prop_assert_eq!(after[time as usize].as_ref(), Some(&chunk.version));
                for (seen, now) in before.iter().zip(&after) {
                    prop_assert!(seen.is_none() || seen == now);
                }
            }
        }

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
