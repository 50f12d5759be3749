//! Datasources, as the coordinator lists them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::segment::{Served, bounds, served_json};

/// The one tier there is.
const TIER: &str = "_default_tier";

/// Count, bytes and time of a datasource's segments: what `?simple` and the datasource itself show.
pub(crate) fn properties(segments: &[Served]) -> Value {
    let size: u64 = segments.iter().map(|segment| segment.size_bytes).sum();
    let count = segments.len();
    let start_ms = segments.iter().map(|segment| segment.interval.start_ms).min();
    let end_ms = segments.iter().map(|segment| segment.interval.end_ms).max();
    let [min_time, max_time] = start_ms
        .zip(end_ms)
        .map(|(start_ms, end_ms)| bounds(ovate_storage::time::Interval::new(start_ms, end_ms)))
        .map_or([Value::Null, Value::Null], |texts| texts.map(Value::from));
    json!({
        "tiers": { TIER: { "size": size, "replicatedSize": size, "segmentCount": count } },
        "segments": {
            "maxTime": max_time, "size": size, "minTime": min_time, "count": count, "replicatedSize": size,
        },
    })
}

/// A datasource with its properties: an entry of `?simple`.
pub(crate) fn simple(name: &str, segments: &[Served]) -> Value {
    json!({ "name": name, "properties": properties(segments) })
}

/// A datasource with its segments. `properties` is what Druid writes there: nothing of interest.
pub(crate) fn full(name: &str, properties: &Value, segments: &[Served]) -> Value {
    json!({
        "name": name,
        "properties": properties,
        "segments": segments.iter().map(served_json).collect::<Vec<_>>(),
    })
}

/// The intervals of the segments, latest first, each once.
pub(crate) fn intervals(segments: &[Served]) -> Vec<String> {
    let mut all: Vec<_> = segments.iter().map(|segment| segment.interval).collect();
    all.sort_by(|a, b| b.cmp(a));
    all.dedup();
    all.iter().map(ToString::to_string).collect()
}

/// Bytes and count per interval, latest first: `intervals?simple`.
pub(crate) fn intervals_simple(segments: &[Served]) -> Value {
    let mut sums: BTreeMap<_, (u64, u64)> = BTreeMap::new();
    for segment in segments {
        let (size, count) = sums.entry(segment.interval).or_default();
        *size += segment.size_bytes;
        *count += 1;
    }
    let entry = |(interval, (size, count)): (&ovate_storage::time::Interval, &(u64, u64))| {
        (interval.to_string(), json!({ "size": size, "count": count }))
    };
    Value::Object(sums.iter().rev().map(entry).collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use ovate_storage::time::Interval;

    use super::*;

    const DAY_MS: i64 = 86_400_000;

    fn segment(day: i64, size_bytes: u64) -> Served {
        let interval = Interval::new(day * DAY_MS, (day + 1) * DAY_MS);
        Served {
            id: format!("d{day}"),
            datasource: "D".to_owned(),
            interval,
            version: "v".to_owned(),
            partition_num: 0,
            size_bytes,
        }
    }

    #[test]
    fn properties_have_druids_fields_in_druids_order() {
        assert_eq!(
            properties(&[segment(1, 5), segment(0, 7)]).to_string(),
            concat!(
                r#"{"tiers":{"_default_tier":{"size":12,"replicatedSize":12,"segmentCount":2}},"segments":"#,
                r#"{"maxTime":"1970-01-03T00:00:00.000Z","size":12,"minTime":"1970-01-01T00:00:00.000Z","#,
                r#""count":2,"replicatedSize":12}}"#
            )
        );
    }

    #[test]
    fn intervals_come_latest_first_and_once() {
        let all = [segment(0, 1), segment(1, 2), segment(0, 4)];
        let day0 = "1970-01-01T00:00:00.000Z/1970-01-02T00:00:00.000Z";
        let day1 = "1970-01-02T00:00:00.000Z/1970-01-03T00:00:00.000Z";
        assert_eq!(intervals(&all), [day1, day0]);
        assert_eq!(
            intervals_simple(&all).to_string(),
            format!(r#"{{"{day1}":{{"size":2,"count":1}},"{day0}":{{"size":5,"count":2}}}}"#)
        );
    }
}
