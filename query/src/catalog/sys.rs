//! `sys`: segments, servers, tasks and supervisors, column by column as Druid has them.
//!
//! Rows that just arrived show as one segment per datasource that is real-time and not published. A damaged segment
//! is active, as queries need it, and not available.

use ovate_storage::snapshot::HOT_VERSION;
use ovate_storage::time::{Interval, format_instant};
use ovate_storage::{ColumnRole, ColumnSpec, Part};
use serde_json::json;

use super::rows::Kind::{Long, Text};
use super::rows::{self, Cell, Declared};
use super::{Catalog, Found};
use crate::error::QueryError;

/// The tables, as they are listed.
pub(super) const TABLES: [&str; 5] = ["segments", "server_segments", "servers", "supervisors", "tasks"];

const SEGMENTS: [Declared; 19] = [
    ("segment_id", Text, true),
    ("datasource", Text, true),
    ("start", Text, true),
    ("end", Text, true),
    ("size", Long, true),
    ("version", Text, true),
    ("partition_num", Long, true),
    ("num_replicas", Long, true),
    ("num_rows", Long, true),
    ("is_active", Long, true),
    ("is_published", Long, true),
    ("is_available", Long, true),
    ("is_realtime", Long, true),
    ("is_overshadowed", Long, true),
    ("shard_spec", Text, true),
    ("dimensions", Text, true),
    ("metrics", Text, true),
    ("last_compaction_state", Text, true),
    ("replication_factor", Long, true),
];

const SERVER_SEGMENTS: [Declared; 2] = [("server", Text, true), ("segment_id", Text, true)];

const SERVERS: [Declared; 10] = [
    ("server", Text, true),
    ("host", Text, true),
    ("plaintext_port", Long, true),
    ("tls_port", Long, true),
    ("server_type", Text, true),
    ("tier", Text, true),
    ("curr_size", Long, true),
    ("max_size", Long, true),
    ("is_leader", Long, true),
    ("start_time", Text, true),
];

const SUPERVISORS: [Declared; 8] = [
    ("supervisor_id", Text, true),
    ("state", Text, true),
    ("detailed_state", Text, true),
    ("healthy", Long, true),
    ("type", Text, true),
    ("source", Text, true),
    ("suspended", Long, true),
    ("spec", Text, true),
];

const TASKS: [Declared; 14] = [
    ("task_id", Text, true),
    ("group_id", Text, true),
    ("type", Text, true),
    ("datasource", Text, true),
    ("created_time", Text, true),
    ("queue_insertion_time", Text, true),
    ("status", Text, true),
    ("runner_status", Text, true),
    ("duration", Long, true),
    ("location", Text, true),
    ("host", Text, true),
    ("plaintext_port", Long, true),
    ("tls_port", Long, true),
    ("error_msg", Text, true),
];

/// The columns of a table.
pub(super) fn declared(name: &str) -> &'static [Declared] {
    match name {
        "segments" => &SEGMENTS,
        "server_segments" => &SERVER_SEGMENTS,
        "servers" => &SERVERS,
        "supervisors" => &SUPERVISORS,
        "tasks" => &TASKS,
        _ => &[],
    }
}

/// A table of this schema; `None` if there is no such table.
pub(super) fn table(catalog: &Catalog, name: &str) -> Option<Result<Found, QueryError>> {
    let rows = match name {
        "segments" => {
            segments(catalog).map(|segments| segments.into_iter().map(|segment| segment.row).collect())
        }
        "server_segments" => server_segments(catalog),
        "servers" => Ok(servers(catalog)),
        "supervisors" => Ok(supervisors(catalog)),
        "tasks" => Ok(tasks(catalog)),
        _ => return None,
    };
    Some(rows.and_then(|rows: Vec<Vec<Cell>>| rows::table(declared(name), &rows)))
}

struct SegmentRow {
    id: String,
    is_available: bool,
    row: Vec<Cell>,
}

fn segments(catalog: &Catalog) -> Result<Vec<SegmentRow>, QueryError> {
    let records = catalog
        .store
        .segment_records(None)
        .map_err(|e| QueryError::Internal(format!("cannot list segments: {e}")))?;
    let declared = catalog
        .store
        .catalog()
        .datasources()
        .map_err(|e| QueryError::Internal(format!("cannot list datasources: {e}")))?;
    let mut out = Vec::new();
    let snapshots: Vec<_> = catalog
        .store
        .datasources()
        .iter()
        .filter_map(|name| catalog.store.datasource(name))
        .map(|d| d.snapshot())
        .collect();
    for record in records.iter().filter(|record| record.used) {
        let serving = snapshots.iter().filter(|s| *s.datasource == *record.datasource).flat_map(|s| &s.parts);
        let part = serving.into_iter().find(|part| part.id() == record.id);
        let is_damaged = matches!(part, Some(Part::Segment(part)) if part.handle().damage().is_some());
        out.push(segment(&Segment {
            id: record.id.clone(),
            datasource: &record.datasource,
            interval: record.interval,
            version: record.version.clone(),
            partition_num: i64::from(record.partition_num),
            rows: record.rows as i64,
            size_bytes: record.size_bytes as i64,
            columns: &record.columns,
            is_published: true,
            is_visible: part.is_some(),
            is_damaged,
        }));
    }
    for snapshot in &snapshots {
        let granularity =
            declared.get(&*snapshot.datasource).map(|record| &record.schema.segment_granularity);
        let Some(hot) = snapshot.hot_segment(granularity) else { continue };
        out.push(segment(&Segment {
            id: hot.id,
            datasource: &snapshot.datasource,
            interval: hot.interval,
            version: HOT_VERSION.to_owned(),
            partition_num: 0,
            rows: hot.rows as i64,
            size_bytes: 0,
            columns: &snapshot.schema.columns,
            is_published: false,
            is_visible: true,
            is_damaged: false,
        }));
    }
    Ok(out)
}

struct Segment<'a> {
    id: String,
    datasource: &'a str,
    interval: Interval,
    version: String,
    partition_num: i64,
    rows: i64,
    size_bytes: i64,
    columns: &'a [ColumnSpec],
    is_published: bool,
    is_visible: bool,
    is_damaged: bool,
}

fn segment(segment: &Segment<'_>) -> SegmentRow {
    let names = |is_dimension: bool| {
        let names: Vec<&str> = segment
            .columns
            .iter()
            .filter(|column| matches!(column.role, ColumnRole::Dimension) == is_dimension)
            .map(|column| column.name.as_str())
            .collect();
        json!(names).to_string()
    };
    let shard_spec =
        json!({"type": "numbered", "partitionNum": segment.partition_num, "partitions": 0}).to_string();
    let is_available = segment.is_visible && !segment.is_damaged;
    let row = vec![
        segment.id.clone().into(),
        segment.datasource.into(),
        format_instant(segment.interval.start_ms).into(),
        format_instant(segment.interval.end_ms).into(),
        segment.size_bytes.into(),
        segment.version.clone().into(),
        segment.partition_num.into(),
        i64::from(!segment.is_damaged).into(),
        segment.rows.into(),
        segment.is_visible.into(),
        segment.is_published.into(),
        is_available.into(),
        (!segment.is_published).into(),
        (!segment.is_visible).into(),
        shard_spec.into(),
        names(true).into(),
        names(false).into(),
        Cell::Null,
        if segment.is_published { 1_i64 } else { -1 }.into(),
    ];
    SegmentRow { id: segment.id.clone(), is_available, row }
}

fn server_segments(catalog: &Catalog) -> Result<Vec<Vec<Cell>>, QueryError> {
    let servers = catalog.system.servers();
    let holds_data = |kind: &str| matches!(kind, "historical" | "indexer");
    let server = servers.iter().find(|server| holds_data(&server.server_type)).or_else(|| servers.first());
    let Some(server) = server else { return Ok(Vec::new()) };
    let available = segments(catalog)?.into_iter().filter(|segment| segment.is_available);
    Ok(available.map(|segment| vec![server.server.clone().into(), segment.id.into()]).collect())
}

fn servers(catalog: &Catalog) -> Vec<Vec<Cell>> {
    let row = |server: crate::system::ServerRow| {
        vec![
            server.server.into(),
            server.host.into(),
            server.plaintext_port.into(),
            server.tls_port.into(),
            server.server_type.into(),
            server.tier.into(),
            server.curr_size_bytes.into(),
            server.max_size_bytes.into(),
            server.is_leader.into(),
            server.start_time.into(),
        ]
    };
    catalog.system.servers().into_iter().map(row).collect()
}

fn supervisors(catalog: &Catalog) -> Vec<Vec<Cell>> {
    let row = |supervisor: crate::system::SupervisorRow| {
        vec![
            supervisor.supervisor_id.into(),
            supervisor.state.into(),
            supervisor.detailed_state.into(),
            supervisor.healthy.into(),
            supervisor.kind.into(),
            supervisor.source.into(),
            supervisor.suspended.into(),
            supervisor.spec.into(),
        ]
    };
    catalog.system.supervisors().into_iter().map(row).collect()
}

fn tasks(catalog: &Catalog) -> Vec<Vec<Cell>> {
    let row = |task: crate::system::TaskRow| {
        vec![
            task.task_id.into(),
            task.group_id.into(),
            task.kind.into(),
            task.datasource.into(),
            task.created_time.into(),
            task.queue_insertion_time.into(),
            task.status.into(),
            task.runner_status.into(),
            task.duration_ms.into(),
            task.location.into(),
            task.host.into(),
            task.plaintext_port.into(),
            task.tls_port.into(),
            task.error_msg.into(),
        ]
    };
    catalog.system.tasks().into_iter().map(row).collect()
}
