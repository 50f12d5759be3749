//! From the bytes of the case study's messages to columns, without Kafka. `cargo bench --workspace --bench decode`.

#![allow(missing_docs, clippy::unwrap_used)]

use std::sync::Arc;

use divan::{Bencher, counter::ItemsCount};
use ovate_ingest::pipeline::{Message, Pipeline};
use ovate_ingest::spec::SupervisorSpec;
use ovate_storage::{Store, StoreOptions};

fn main() {
    divan::main();
}

const DEVICES: usize = 1_000;
/// 2026-11-23T00:00:00Z.
const NOW_MS: i64 = 1_795_392_000_000;

/// Decoding one batch, as a supervisor does it before it appends the rows: one that one thread reads, and the largest,
/// which several read.
#[divan::bench(args = [2_000, 8_192], max_time = 3)]
fn events_geo(bencher: Bencher<'_, '_>, messages: usize) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), StoreOptions::default()).unwrap();
    let posted =
        serde_json::from_str(include_str!("../../src/demo/specs/events_geo_ingestion.json")).unwrap();
    let spec = SupervisorSpec::parse(&posted).unwrap().ingestion;
    let datasource = store.ensure_datasource("EVENTS_GEO", Arc::new(spec.table_schema())).unwrap();
    let mut pipeline = Pipeline::new(&spec).unwrap();
    let payloads: Vec<String> = (0..messages).map(message).collect();
    bencher.counter(ItemsCount::new(messages)).bench_local(|| {
        let messages = payloads.iter().map(|payload| Message {
            payload: Some(payload.as_bytes()),
            key: None,
            timestamp_ms: None,
            partition: 0,
            offset: 0,
        });
        pipeline.decode(&mut datasource.writer(), messages, NOW_MS).unwrap()
    });
}

/// Field by field as the case study's Flink job writes them.
fn message(number: usize) -> String {
    let device = number * 7_919 % DEVICES;
    let (second, milli) = (number / 1_000 % 60, number % 1_000);
    format!(
        "{{\"deviceId\":\"{device:08x}-0000-4000-8000-000000000000\",\"deviceCity\":\"Zürich\",\"deviceRegion\":\"Zurich\",\
         \"deviceLocation\":\"47.{device:03}7424811726,8.{device:03}675964932226\",\"messageName\":\"operatingNotification\",\
         \"eventNotificationName\":\"accessGranted\",\"timestamp\":\"2026-11-23T00:00:{second:02}.{milli:03}Z\",\
         \"eventTimestamp\":\"2026-11-23T00:00:{second:02}.{milli:03}Z\"}}"
    )
}
