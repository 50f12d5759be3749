//! Segments: as the coordinator knows them from the services (served), and as the catalog holds them (published).

use std::collections::BTreeMap;

use ovate_storage::snapshot::{HOT_VERSION, HotSegment};
use ovate_storage::time::{Granularity, Interval};
use ovate_storage::{ColumnRole, ColumnSpec, Part, SegmentRecord, Snapshot};
use serde_json::{Value, json};

/// A segment that answers queries now. Rows that are not published yet count as one of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Served {
    pub(crate) id: String,
    pub(crate) datasource: String,
    pub(crate) interval: Interval,
    pub(crate) version: String,
    pub(crate) partition_num: u32,
    pub(crate) size_bytes: u64,
}

/// The segments behind a snapshot, in order of time. `granularity` gives the time chunks of hot rows.
pub(crate) fn served(snapshot: &Snapshot, granularity: Option<&Granularity>) -> Vec<Served> {
    let mut by_id = BTreeMap::new();
    for part in snapshot.parts.iter().filter(|part| part.rows() > 0) {
        if let Part::Segment(segment) = part {
            let record = segment.handle().record();
            by_id.entry(record.id.clone()).or_insert_with(|| from_record(record));
        }
    }
    let mut all: Vec<_> = by_id.into_values().collect();
    all.extend(snapshot.hot_segment(granularity).map(|hot| from_hot(&snapshot.datasource, hot)));
    all.sort_by_key(|segment| (segment.interval, segment.partition_num));
    all
}

fn from_record(record: &SegmentRecord) -> Served {
    Served {
        id: record.id.clone(),
        datasource: record.datasource.clone(),
        interval: record.interval,
        version: record.version.clone(),
        partition_num: record.partition_num,
        size_bytes: record.size_bytes,
    }
}

fn from_hot(datasource: &str, hot: HotSegment) -> Served {
    Served {
        id: hot.id,
        datasource: datasource.to_owned(),
        interval: hot.interval,
        version: HOT_VERSION.to_owned(),
        partition_num: 0,
        size_bytes: hot.size_bytes,
    }
}

/// Start and end as instants.
pub(crate) fn bounds(interval: Interval) -> [String; 2] {
    use ovate_storage::time::format_instant;
    [format_instant(interval.start_ms), format_instant(interval.end_ms)]
}

/// A served segment in full. The services do not know of loading and columns, so those fields are empty, as Druid's.
pub(crate) fn served_json(segment: &Served) -> Value {
    json!({
        "dataSource": segment.datasource,
        "interval": segment.interval.to_string(),
        "version": segment.version,
        "loadSpec": {},
        "dimensions": "",
        "metrics": "",
        "shardSpec": shard_spec(segment.partition_num),
        "binaryVersion": null,
        "size": segment.size_bytes,
        "identifier": segment.id,
    })
}

/// A segment of the catalog in full.
pub(crate) fn published_json(record: &SegmentRecord) -> Value {
    json!({
        "dataSource": record.datasource,
        "interval": record.interval.to_string(),
        "version": record.version,
        "loadSpec": { "type": "local" },
        "dimensions": names(&record.columns, |role| role == ColumnRole::Dimension),
        "metrics": names(&record.columns, |role| role != ColumnRole::Dimension),
        "shardSpec": shard_spec(record.partition_num),
        "binaryVersion": 9,
        "size": record.size_bytes,
        "identifier": record.id,
    })
}

fn shard_spec(partition_num: u32) -> Value {
    json!({ "type": "numbered", "partitionNum": partition_num, "partitions": 0 })
}

fn names(columns: &[ColumnSpec], wanted: impl Fn(ColumnRole) -> bool) -> String {
    let names = columns.iter().filter(|column| wanted(column.role)).map(|column| column.name.as_str());
    let visible = names.filter(|name| !name.starts_with(ovate_storage::schema::COMPANION_PREFIX));
    visible.collect::<Vec<_>>().join(",")
}
