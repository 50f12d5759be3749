//! Messages in, rows out: by table, against a reference decoder, and with the case study's data.

mod cases;
mod discovery;
mod hostile;
mod model;
mod real;

use std::sync::Arc;

use arrow::array::{Array, AsArray};
use ovate_storage::{BatchColumn, Datasource, NULL_CODE, Progress, RowBatch, Store, StoreOptions, Writer};
use serde_json::{Map, Value, json};

use super::*;
use crate::spec::SupervisorSpec;

/// 2024-01-01.
const DAY: i64 = 1_704_067_200_000;

/// A pipeline with a store to write to.
struct Bench {
    datasource: Arc<Datasource>,
    pipeline: Pipeline,
    _folder: tempfile::TempDir,
}

impl Bench {
    fn new(spec: &SupervisorSpec, limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), StoreOptions::default()).unwrap();
        let schema = spec.ingestion.shared_table_schema();
        let datasource = store.ensure_datasource(&spec.ingestion.datasource, schema).unwrap();
        let pipeline = Pipeline::with_limits(&spec.ingestion, limits).unwrap();
        Self { datasource, pipeline, _folder: folder }
    }

    /// Decodes and appends; the rows as JSON.
    fn feed(&mut self, payloads: &[&[u8]], now_ms: i64) -> (Vec<Map<String, Value>>, Decoded) {
        let mut writer = self.datasource.writer();
        let messages = payloads.iter().enumerate().map(|(i, payload)| Message {
            payload: Some(payload),
            key: None,
            timestamp_ms: None,
            partition: 3,
            offset: i as i64,
        });
        let mut decoded = self.pipeline.decode(&mut writer, messages, now_ms).unwrap();
        let rows = rows(&decoded.batch, &mut writer);
        let batch = std::mem::take(&mut decoded.batch);
        writer.append(batch, &Progress::default(), now_ms).unwrap();
        (rows, decoded)
    }
}

fn rows(batch: &RowBatch, writer: &mut Writer) -> Vec<Map<String, Value>> {
    let names: Vec<String> = writer.schema().columns.iter().map(|column| column.name.clone()).collect();
    assert_eq!(names.len(), batch.columns.len());
    let mut rows: Vec<Map<String, Value>> =
        batch.time.iter().map(|ms| Map::from_iter([("__time".to_owned(), json!(ms))])).collect();
    for (at, (name, column)) in names.iter().zip(&batch.columns).enumerate() {
        assert_eq!(column.rows(), rows.len(), "{name}");
        for (i, row) in rows.iter_mut().enumerate() {
            row.insert(name.clone(), value(column, i, writer, at));
        }
    }
    rows
}

fn value(column: &BatchColumn, row: usize, writer: &mut Writer, at: usize) -> Value {
    let mut text = |code: u32| match code {
        NULL_CODE => Value::Null,
        code => json!(writer.dictionary(at).get(code).unwrap()),
    };
    match column {
        BatchColumn::Codes(codes) => text(codes[row]),
        BatchColumn::MultiCodes { ends, codes } => {
            let start = if row == 0 { 0 } else { ends[row - 1] as usize };
            let values: Vec<Value> =
                codes[start..ends[row] as usize].iter().map(|code| text(*code)).collect();
            match values.as_slice() {
                [] => Value::Null,
                [only] => only.clone(),
                _ => Value::Array(values),
            }
        }
        BatchColumn::Text(array) if array.is_null(row) => Value::Null,
        BatchColumn::Text(array) => json!(array.value(row)),
        BatchColumn::Long(array) => {
            (!array.is_null(row)).then(|| array.value(row)).map_or(Value::Null, Value::from)
        }
        BatchColumn::Float(array) => {
            (!array.is_null(row)).then(|| array.value(row)).map_or(Value::Null, |value| json!(value))
        }
        BatchColumn::Double(array) => {
            (!array.is_null(row)).then(|| array.value(row)).map_or(Value::Null, |value| json!(value))
        }
    }
}

/// A spec with these parts of `dataSchema` and `ioConfig` in place of the usual ones: a time `t` in `auto`, no rollup.
fn spec(data: Value, io: Value) -> SupervisorSpec {
    let mut data_schema = json!({
        "dataSource": "t",
        "timestampSpec": {"column": "t", "format": "auto"},
        "dimensionsSpec": {"dimensions": ["s"]},
        "granularitySpec": {"rollup": false},
    });
    let mut io_config = json!({
        "topic": "t",
        "inputFormat": {"type": "json"},
        "consumerProperties": {"bootstrap.servers": "b:1"},
    });
    for (target, parts) in [(&mut data_schema, data), (&mut io_config, io)] {
        target.as_object_mut().unwrap().extend(parts.as_object().unwrap().clone());
    }
    let posted = json!({"type": "kafka", "spec": {"dataSchema": data_schema, "ioConfig": io_config}});
    SupervisorSpec::parse(&posted).unwrap()
}

fn decode(spec: &SupervisorSpec, messages: &[&str]) -> (Vec<Map<String, Value>>, Decoded) {
    let payloads: Vec<&[u8]> = messages.iter().map(|message| message.as_bytes()).collect();
    Bench::new(spec, Limits::default()).feed(&payloads, DAY)
}

#[test]
fn a_batch_is_what_the_store_takes_and_shows() {
    let spec =
        spec(json!({"dimensionsSpec": {"dimensions": ["s", {"type": "long", "name": "l"}]}}), json!({}));
    let mut bench = Bench::new(&spec, Limits::default());
    bench.feed(&[br#"{"t":1,"s":"a","l":1}"#, br#"{"t":2,"s":["b","a"],"l":null}"#], DAY);
    bench.feed(&[br#"{"t":3,"s":null,"l":3}"#], DAY);
    let snapshot = bench.datasource.snapshot();
    assert_eq!(snapshot.parts.iter().map(ovate_storage::Part::rows).sum::<usize>(), 3);
    let lists: usize = snapshot
        .parts
        .iter()
        .map(|part| part.column("s").unwrap().unwrap())
        .map(|array| array.as_list_opt::<i32>().map_or(0, Array::len))
        .sum();
    assert_eq!(lists, 3, "one row with several values makes the column multi-value");
}
