//! The case study's three datasources, made so that what Druid was recorded to answer about them is true here:
//! 100,000 events, one every 36 ms from 2026-11-23T10:00:00Z, rejections per ten minutes as recorded; 200 alerts of
//! five devices; 1,000 devices, the first of them real.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

use arrow::array::{Float32Array, Int64Array};
use ovate_query::{Engine, EngineOptions, ServerRow, SupervisorRow, SystemTables, TaskRow};
use ovate_storage::time::{Granularity, format_instant};
use ovate_storage::{
    BatchColumn, ColumnSpec, ColumnType, Datasource, Progress, RowBatch, Store, StoreOptions, TableSchema,
};

/// 2026-11-23T10:00:00Z.
pub(crate) const START_MS: i64 = 1_795_428_000_000;
pub(crate) const EVENTS: usize = 100_000;

/// An engine over the three datasources; events sealed up to the 60,000th and hot after it.
pub(crate) fn engine() -> Arc<Engine> {
    static ENGINE: OnceLock<(Arc<Engine>, tempfile::TempDir)> = OnceLock::new();
    let (engine, _) = ENGINE.get_or_init(|| {
        let (store, folder) = store();
        let options = EngineOptions { threads: 2, ..EngineOptions::default() };
        (Engine::new(store, Arc::new(System), options).unwrap(), folder)
    });
    Arc::clone(engine)
}

/// The three datasources, and copies under the names that Superset's statements also use.
pub(crate) fn store() -> (Arc<Store>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), StoreOptions::default()).unwrap();
    devices(&store);
    let events = declare(
        &store,
        "EVENTS_GEO",
        Granularity::day(),
        &[
            ("deviceId", ColumnType::String),
            ("deviceCity", ColumnType::String),
            ("deviceRegion", ColumnType::String),
            ("messageName", ColumnType::String),
            ("eventNotificationName", ColumnType::String),
            ("timestamp", ColumnType::String),
            ("deviceLatitude", ColumnType::Float),
            ("deviceLongitude", ColumnType::Float),
        ],
    );
    let rejected = rejected();
    append_events(&events, 0..60_000, &rejected);
    events.publish(START_MS).unwrap();
    append_events(&events, 60_000..EVENTS, &rejected);
    alerts(&store);
    (store, folder)
}

pub(crate) fn declare(
    store: &Arc<Store>,
    name: &str,
    chunks: Granularity,
    columns: &[(&str, ColumnType)],
) -> Arc<Datasource> {
    let schema = TableSchema {
        columns: columns.iter().map(|(name, kind)| ColumnSpec::dimension(*name, *kind)).collect(),
        segment_granularity: chunks,
        query_granularity: Granularity::NONE,
        rollup: false,
    };
    store.ensure_datasource(name, Arc::new(schema)).unwrap()
}

/// A value of a row.
#[derive(Clone)]
pub(crate) enum Value {
    Text(String),
    Long(i64),
    Float(f32),
}

pub(crate) fn append(datasource: &Datasource, rows: &[(i64, Vec<Value>)]) {
    let mut writer = datasource.writer();
    let schema = Arc::clone(writer.schema());
    let column = |writer: &mut ovate_storage::Writer, i: usize, kind: ColumnType| match kind {
        ColumnType::String => {
            let dictionary = writer.dictionary(i);
            let code = |row: &(i64, Vec<Value>)| match &row.1[i] {
                Value::Text(text) => dictionary.intern(text),
                _ => panic!("column {i} is text"),
            };
            BatchColumn::Codes(rows.iter().map(code).collect())
        }
        ColumnType::Long => {
            BatchColumn::Long(Int64Array::from_iter_values(rows.iter().map(|row| match row.1[i] {
                Value::Long(number) => number,
                _ => panic!("column {i} is long"),
            })))
        }
        _ => BatchColumn::Float(Float32Array::from_iter_values(rows.iter().map(|row| match row.1[i] {
            Value::Float(number) => number,
            _ => panic!("column {i} is float"),
        }))),
    };
    let columns =
        (0..schema.columns.len()).map(|i| column(&mut writer, i, schema.columns[i].column_type)).collect();
    let batch = RowBatch { time: rows.iter().map(|row| row.0).collect(), raw_time: None, columns };
    writer.append(batch, &Progress::default(), START_MS).unwrap();
}

/// The first devices of the case study.
const DEVICES: [(&str, f32, f32); 10] = [
    ("b90f632f-02a2-475b-a0bd-a4353b26fd84", 47.375744, 8.529676),
    ("18ccf92e-fee9-4049-939f-58f24da5970d", 47.37078, 8.544633),
    ("acd7e674-75f8-46ae-8c3b-a014bd6a9bb1", 47.358566, 8.51683),
    ("6daeb2dc-9202-4491-a25b-9145de74f2b0", 47.37765, 8.528535),
    ("8497e664-091d-4ef0-97f4-56b86e606a74", 47.365803, 8.513172),
    ("35a61464-fbf8-4195-a801-70a2ab9370c4", 47.37507, 8.54421),
    ("035d531e-b03d-44d5-97fd-d8db7ab7b7c1", 47.379925, 8.546029),
    ("6ef386b5-5ee8-4001-badc-c2c2476eb89c", 47.38224, 8.544278),
    ("702c685b-e52b-4ae7-9fc1-702071825a43", 47.375973, 8.523801),
    ("ea9b98b4-6c76-43ea-b5b0-8446fcb06e07", 47.360424, 8.532141),
];

/// Device `i` of 1,000; each has 100 events.
fn device(i: usize) -> (String, f32, f32) {
    if let Some((id, latitude, longitude)) = DEVICES.get(i) {
        return ((*id).to_owned(), *latitude, *longitude);
    }
    let id = format!("{:08x}-0000-4000-8000-{:012x}", i.wrapping_mul(0x9e37_79b9) & 0xffff_ffff, i);
    (id, 47.36 + i as f32 / 50_000.0, 8.51 + i as f32 / 40_000.0)
}

fn text(value: impl Into<String>) -> Value {
    Value::Text(value.into())
}

fn devices(store: &Arc<Store>) {
    let devices = declare(
        store,
        "DEVICES",
        Granularity::ALL,
        &[
            ("payload.location.city", ColumnType::String),
            ("payload.location.countryCode", ColumnType::String),
            ("location", ColumnType::String),
            ("payload.location.region", ColumnType::String),
            ("payload.location.timezone", ColumnType::String),
            ("deviceId", ColumnType::String),
            ("latitude", ColumnType::Float),
            ("longitude", ColumnType::Float),
        ],
    );
    let row = |i| {
        let (id, latitude, longitude) = device(i);
        let values = vec![
            text("Zürich"),
            text("CH"),
            text(format!("{latitude},{longitude}")),
            text("Zurich"),
            text("Europe/Zurich"),
            text(id),
            Value::Float(latitude),
            Value::Float(longitude),
        ];
        // 2010-01-01T00:00:00Z.
        (1_262_304_000_000, values)
    };
    append(&devices, &(0..1000).map(row).collect::<Vec<_>>());
}

/// Which events are rejections: per ten minutes as many as recorded, the first and the last where recorded.
fn rejected() -> HashSet<usize> {
    const PER_TEN_MINUTES: [usize; 6] = [249, 230, 227, 278, 239, 240];
    let mut found = HashSet::from([64, 99_902]);
    for (window, wanted) in PER_TEN_MINUTES.iter().enumerate() {
        let events = (0..EVENTS).filter(|i| i * 36 / 600_000 == window && (64..=99_902).contains(i));
        let already = found.iter().filter(|i| **i * 36 / 600_000 == window).count();
        let candidates: Vec<usize> = events.filter(|i| i % 53 == 11 && !found.contains(i)).collect();
        found.extend(&candidates[..wanted - already]);
    }
    found
}

fn append_events(events: &Datasource, range: std::ops::Range<usize>, rejected: &HashSet<usize>) {
    let row = |i: usize| {
        let (id, latitude, longitude) = device(i % 1000);
        let time_ms = START_MS + 36 * i as i64;
        let name = if rejected.contains(&i) { "accessRejected" } else { "accessGranted" };
        // Flink cuts trailing zeros of the fraction, and the fraction where there is none.
        let timestamp = format_instant(time_ms).replace(".000Z", "Z");
        let values = vec![
            text(id),
            text("Zürich"),
            text("Zurich"),
            text("operatingNotification"),
            text(name),
            text(timestamp),
            Value::Float(latitude),
            Value::Float(longitude),
        ];
        (time_ms, values)
    };
    append(events, &range.map(row).collect::<Vec<_>>());
}

/// Device, latitude, longitude, alerts, sum of their counts.
const ALERTS: [(&str, f32, f32, usize, i64); 5] = [
    ("45b9bb04-6482-4fe5-93b0-51a29bcbeb50", 47.369972, 8.519484, 44, 3131),
    ("9a65b672-6a06-4835-a675-7744f92a2eee", 47.369858, 8.518805, 44, 2804),
    ("e7311a31-7091-4922-ada5-9565e6cbcae5", 47.369686, 8.520176, 42, 3065),
    ("bbe40d94-aa33-405b-83e2-c487ead14587", 47.36964, 8.519336, 39, 2943),
    ("b98f3f64-89d4-4e7b-a6d1-289688155a41", 47.37026, 8.520323, 31, 2097),
];

fn alerts(store: &Arc<Store>) {
    let alerts = declare(
        store,
        "ALERTS",
        Granularity::day(),
        &[
            ("window_start", ColumnType::String),
            ("total_count_per_deviceid", ColumnType::Long),
            ("deviceId", ColumnType::String),
            ("avg_error_count", ColumnType::Long),
            ("std_error_count", ColumnType::Long),
            ("deviceLatitude", ColumnType::Float),
            ("deviceLongitude", ColumnType::Float),
        ],
    );
    let mut rows = Vec::new();
    let mut count = 0;
    for (id, latitude, longitude, alerts_of_device, sum) in ALERTS {
        let mut left = sum;
        for i in 0..alerts_of_device {
            // 20, 66 and the rest spread evenly: the least count is 20 and exactly one is 66.
            let total = match (count, alerts_of_device - i) {
                (0, _) => 20,
                (1, _) => 66,
                (_, 1) => left,
                (_, n) => match left / n as i64 {
                    66 => 67,
                    even => even,
                },
            };
            left -= total;
            let end_ms = START_MS + 60_000 + 30_000 * (i * 99 / (alerts_of_device - 1)) as i64;
            let start = format_instant(end_ms - 60_000).replace(".000Z", "");
            let values = vec![
                text(start),
                Value::Long(total),
                text(id),
                Value::Long(if count < 112 { 1 } else { 2 }),
                Value::Long(1 + count % 5),
                Value::Float(latitude),
                Value::Float(longitude),
            ];
            rows.push((end_ms, values));
            count += 1;
        }
    }
    append(&alerts, &rows);
}

#[derive(Debug)]
pub(crate) struct System;

impl SystemTables for System {
    fn supervisors(&self) -> Vec<SupervisorRow> {
        let row = |id: &str| SupervisorRow {
            supervisor_id: id.to_owned(),
            state: "RUNNING".to_owned(),
            detailed_state: "RUNNING".to_owned(),
            healthy: true,
            kind: "kafka".to_owned(),
            source: id.to_owned(),
            suspended: false,
            spec: "{}".to_owned(),
        };
        ["DEVICES", "EVENTS_GEO", "ALERTS"].map(row).to_vec()
    }

    fn tasks(&self) -> Vec<TaskRow> {
        vec![TaskRow { task_id: "index_kafka_ALERTS".to_owned(), duration_ms: -1, ..TaskRow::default() }]
    }

    fn servers(&self) -> Vec<ServerRow> {
        vec![ServerRow {
            server: "127.0.0.1:8888".to_owned(),
            host: "127.0.0.1".to_owned(),
            plaintext_port: 8888,
            tls_port: -1,
            server_type: "historical".to_owned(),
            is_leader: Some(true),
            ..ServerRow::default()
        }]
    }
}
