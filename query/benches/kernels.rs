//! The kernels of scan and aggregate, each by a statement that does little else: a million rows, one thread, in a
//! segment and while they are hot. `cargo bench --workspace --bench kernels`.

#![allow(missing_docs, clippy::unwrap_used)]

use std::fmt;
use std::sync::{Arc, LazyLock};

use arrow::array::Float32Array;
use divan::{Bencher, counter::ItemsCount};
use futures::StreamExt;
use ovate_query::{Engine, EngineOptions, NoSystem, SqlRequest};
use ovate_storage::time::Granularity;
use ovate_storage::{
    BatchColumn, ColumnSpec, ColumnType, Datasource, Progress, RowBatch, Store, StoreOptions, TableSchema,
};

fn main() {
    divan::main();
}

const ROWS: usize = 1_000_000;
const DEVICES: usize = 1_000;
/// 2026-11-23T00:00:00Z; the rows are of this day.
const START_MS: i64 = 1_795_392_000_000;
const STEP_MS: i64 = 86;

/// A statement that spends its time in one place: what it selects, and what follows `FROM` a table.
struct Kernel(&'static str, &'static str, &'static str);

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

const KERNELS: [Kernel; 9] = [
    Kernel("posting list of one code", "COUNT(*)", "WHERE device = 'device 0007'"),
    Kernel("codes by truth table", "SUM(latitude)", "WHERE device < 'device 0300'"),
    Kernel("regular expression per entry", "SUM(latitude)", "WHERE REGEXP_LIKE(device, '[02468]$')"),
    Kernel("range of a float", "COUNT(*)", "WHERE latitude > 47.5"),
    Kernel(
        "an hour found by search",
        "SUM(latitude)",
        "WHERE __time >= TIMESTAMP '2026-11-23 10:00:00' AND __time < TIMESTAMP '2026-11-23 11:00:00'",
    ),
    Kernel("sum of a float", "SUM(latitude)", ""),
    Kernel("sum by hour", "TIME_FLOOR(__time, 'PT1H'), SUM(latitude)", "GROUP BY 1"),
    Kernel("count by hour and code", "TIME_FLOOR(__time, 'PT1H'), device, COUNT(*)", "GROUP BY 1, 2"),
    Kernel("count by two floats", "longitude, latitude, COUNT(*)", "GROUP BY 1, 2"),
];

#[divan::bench(args = KERNELS, max_time = 2)]
fn sealed(bencher: Bencher<'_, '_>, kernel: &Kernel) {
    measure(bencher, kernel, "sealed");
}

#[divan::bench(args = KERNELS, max_time = 2)]
fn hot(bencher: Bencher<'_, '_>, kernel: &Kernel) {
    measure(bencher, kernel, "hot");
}

fn measure(bencher: Bencher<'_, '_>, Kernel(_, selected, rest): &Kernel, table: &str) {
    static ENGINE: LazyLock<(Arc<Engine>, tempfile::TempDir)> = LazyLock::new(engine);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let query = format!("SELECT {selected} FROM {table} {rest}");
    bencher.counter(ItemsCount::new(ROWS)).bench_local(|| runtime.block_on(answer(&ENGINE.0, &query)));
}

/// One engine over the same rows twice.
fn engine() -> (Arc<Engine>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), StoreOptions::default()).unwrap();
    filled(&store, "hot");
    filled(&store, "sealed").publish(START_MS).unwrap();
    let options = EngineOptions { threads: 1, ..EngineOptions::default() };
    (Engine::new(store, Arc::new(NoSystem), options).unwrap(), folder)
}

async fn answer(engine: &Arc<Engine>, query: &str) -> usize {
    let request = SqlRequest { query: query.to_owned(), ..SqlRequest::default() };
    let mut batches = engine.sql(request).await.unwrap().batches;
    let mut rows = 0;
    while let Some(batch) = batches.next().await {
        rows += batch.unwrap().num_rows();
    }
    rows
}

/// Every device has its place; which device comes next is a linear congruential generator's choice.
fn filled(store: &Arc<Store>, name: &str) -> Arc<Datasource> {
    let schema = TableSchema {
        columns: vec![
            ColumnSpec::dimension("device", ColumnType::String),
            ColumnSpec::dimension("latitude", ColumnType::Float),
            ColumnSpec::dimension("longitude", ColumnType::Float),
        ],
        segment_granularity: Granularity::day(),
        query_granularity: Granularity::NONE,
        rollup: false,
    };
    let datasource = store.ensure_datasource(name, Arc::new(schema)).unwrap();
    let mut state = 1_u64;
    let mut devices = Vec::with_capacity(ROWS);
    for _ in 0..ROWS {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        devices.push((state >> 33) as usize % DEVICES);
    }
    let mut writer = datasource.writer();
    let codes: Vec<u32> =
        (0..DEVICES).map(|device| writer.dictionary(0).intern(&format!("device {device:04}"))).collect();
    let place = |first: f32| {
        BatchColumn::Float(
            devices.iter().map(|&device| Some(first + device as f32 / 1_000.0)).collect::<Float32Array>(),
        )
    };
    let batch = RowBatch {
        time: (0..ROWS as i64).map(|row| START_MS + row * STEP_MS).collect(),
        raw_time: None,
        columns: vec![
            BatchColumn::Codes(devices.iter().map(|&device| codes[device]).collect()),
            place(47.0),
            place(8.0),
        ],
    };
    writer.append(batch, &Progress::default(), START_MS).unwrap();
    drop(writer);
    datasource
}
