//! What survives: a small workload on a disk that fails or crashes, and the promises that hold afterwards.
//!
//! Rows are numbered, and the offset that is committed with them is their count. So after any crash the offset says
//! which rows there must be: all below it, each once, and no others.

mod backups;
mod care;
mod crashes;
mod damage;
mod faults;
mod leftovers;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{AsArray, Int64Array};
use arrow::datatypes::Int64Type;

use super::HOUR;
use crate::disk::Disk;
use crate::disk::simulated::SimulatedDisk;
use crate::time::Granularity;
use crate::{
    BatchColumn, ColumnSpec, ColumnType, Datasource, Part, Progress, Result, RowBatch, Store, StoreOptions,
    TableSchema,
};

/// A data folder on a disk of its own. Only the lock is a real file.
struct World {
    _real: tempfile::TempDir,
    folder: PathBuf,
    disk: SimulatedDisk,
}

impl World {
    fn new() -> Self {
        let real = tempfile::tempdir().unwrap();
        let folder = real.path().join("data");
        std::fs::create_dir(&folder).unwrap();
        Self { disk: SimulatedDisk::with_folder(real.path()), folder, _real: real }
    }

    /// The same folder on another disk. One store at a time: the lock is shared.
    fn on(&self, disk: SimulatedDisk) -> Opened<'_> {
        Opened { world: self, disk }
    }

    fn open(&self) -> Result<(Arc<Store>, Arc<Datasource>)> {
        self.on(self.disk.clone()).open()
    }

    fn catalog(&self) -> PathBuf {
        self.folder.join("catalog.redb")
    }
}

struct Opened<'a> {
    world: &'a World,
    disk: SimulatedDisk,
}

impl Opened<'_> {
    fn store(&self) -> Result<Arc<Store>> {
        store_on(&self.disk, &self.world.folder)
    }

    fn open(&self) -> Result<(Arc<Store>, Arc<Datasource>)> {
        let store = self.store()?;
        let datasource = store.ensure_datasource("ds", schema())?;
        Ok((store, datasource))
    }

    /// The promises: whatever is here, it is a state that was committed, with all rows that were acknowledged.
    /// Returns how many rows there are.
    fn check(&self, acknowledged: i64, possible: &[i64]) -> i64 {
        let store = self.store().unwrap_or_else(|e| panic!("the store does not open: {e}"));
        let committed = committed(&store);
        assert!(committed >= acknowledged, "{acknowledged} rows were acknowledged, {committed} are left");
        assert!(possible.contains(&committed), "offset {committed} was never committed: {possible:?}");
        let found = store.datasource("ds").map(|ds| ids(&ds)).unwrap_or_default();
        assert_eq!(found, (0..committed).collect::<Vec<_>>(), "rows are not those before the offset");
        committed
    }

    /// The promises, and that work goes on from here: rows arrive again from the committed offset.
    fn check_and_go_on(&self, acknowledged: i64, possible: &[i64], rows: i64) {
        let committed = self.check(acknowledged, possible);
        {
            let (_store, datasource) = self.open().unwrap();
            append(&datasource, committed..rows);
            datasource.publish(9).unwrap();
            assert_eq!(ids(&datasource), (0..rows).collect::<Vec<_>>());
        }
        self.check(rows, &[rows]);
        let report = self.store().unwrap().verify(|_| {}).unwrap();
        assert!(report.is_sound(), "{report:?}");
    }
}

fn store_on(disk: &SimulatedDisk, folder: &Path) -> Result<Arc<Store>> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    Store::open(folder, StoreOptions { disk, segment_rows_max: 8, ..StoreOptions::default() })
}

fn schema() -> Arc<TableSchema> {
    Arc::new(TableSchema {
        columns: vec![
            ColumnSpec::dimension("id", ColumnType::Long),
            ColumnSpec::dimension("name", ColumnType::String),
        ],
        segment_granularity: serde_json::from_str("\"HOUR\"").unwrap(),
        query_granularity: Granularity::NONE,
        rollup: false,
    })
}

/// Rows go round three chunks, so that every publish after the first brings late rows.
fn append(datasource: &Datasource, rows: std::ops::Range<i64>) {
    let mut writer = datasource.writer();
    let codes = rows.clone().map(|row| writer.dictionary(1).intern(&format!("name {}", row % 4))).collect();
    let batch = RowBatch {
        time: rows.clone().map(|row| row % 3 * HOUR + row).collect(),
        raw_time: None,
        columns: vec![
            BatchColumn::Long(rows.clone().collect::<Vec<_>>().into_iter().map(Some).collect::<Int64Array>()),
            BatchColumn::Codes(codes),
        ],
    };
    let mut progress = Progress::default();
    progress.set("topic", 0, rows.end);
    writer.append(batch, &progress, 0).unwrap();
}

fn committed(store: &Store) -> i64 {
    let progress = store.catalog().progress("ds").unwrap().unwrap_or_default();
    progress.next_offset("topic", 0).unwrap_or(0)
}

/// The ids of all visible rows, sorted. Every column of every part is read.
fn ids(datasource: &Datasource) -> Vec<i64> {
    let mut ids = Vec::new();
    for part in &datasource.snapshot().parts {
        ids.extend(ids_of(part).unwrap());
    }
    ids.sort_unstable();
    ids
}

fn ids_of(part: &Part) -> Result<Vec<i64>> {
    part.column("name")?;
    let time = part.time()?;
    let ids = part.column("id")?;
    // A column without a value in any row is left out; every row has an id.
    let ids = ids.expect("ids");
    let numbers = if let Some(dictionary) = ids.as_any_dictionary_opt() {
        let values = dictionary.values().as_primitive::<Int64Type>();
        dictionary.normalized_keys().iter().map(|&key| values.value(key)).collect()
    } else {
        ids.as_primitive::<Int64Type>().values().to_vec()
    };
    assert!(numbers.iter().zip(time.values()).all(|(id, time)| id % 3 * HOUR + id == *time));
    Ok(numbers)
}

/// The workload: rows at which a publish ends.
const PUBLISHED: [i64; 3] = [7, 20, 33];

/// Publishes 7 rows into three new chunks, then 13, then 13 late ones. Tells the disk what was acknowledged.
fn publish_all(world: &World) {
    let (_store, datasource) = world.open().unwrap();
    let mut from = 0;
    for (at, rows) in PUBLISHED.into_iter().enumerate() {
        append(&datasource, from..rows);
        datasource.publish(at as i64).unwrap();
        world.disk.acknowledge(rows);
        from = rows;
    }
}
