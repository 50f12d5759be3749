//! The rows that oracles ask about: every type of column, with NULLs, empty texts, texts beyond ASCII, and numbers
//! whose sums are exact in whatever order they are added.

use std::path::Path;
use std::sync::Arc;

use ovate_query::scan::PostingsUse;
use ovate_query::{Engine, EngineOptions, NoSystem};
use ovate_storage::{CompactionOptions, DecodedColumns, Progress, Store, StoreOptions};

use crate::table::{self, Dice, Row, START_MS};

/// Rows are this far apart, so that they cover three days and no two have one time.
const STEP_MS: i64 = 259_229;
const ROWS: usize = 1_000;

pub(super) const CITIES: [&str; 8] =
    ["Bern", "Basel", "Zürich", "Genève", "", "東京 🗼", "bern", "a city with a name longer than a view"];
pub(super) const TAGS: [&str; 5] = ["red", "green", "blue", "", "größe"];

fn row(dice: &mut Dice, serial: usize) -> Row {
    Row {
        time: START_MS + STEP_MS * serial as i64,
        city: dice.maybe(|dice| dice.pick(&CITIES).to_owned()),
        device: dice.maybe(|dice| format!("device-{}", dice.roll(60))),
        note: dice.maybe(|dice| format!("note {} of many", dice.roll(1 << 40))),
        tags: (0..dice.roll(4)).map(|_| dice.pick(&TAGS).to_owned()).collect(),
        level: dice.maybe(|dice| dice.roll(7) as i64 - 3),
        serial: Some(serial as i64),
        ratio: dice.maybe(|dice| dice.roll(9) as f32 / 2.0 - 2.0),
        value: dice.maybe(|dice| dice.roll(4_000) as f64 / 4.0 - 500.0),
    }
}

/// How much of the rows is in segments.
#[derive(Clone, Copy)]
enum Sealed {
    All,
    None,
    Half,
    /// All of them, a quarter at a time, and merged afterwards.
    Compacted,
    /// The same, as Parquet, of which nothing is kept that was decoded.
    Cold,
}

fn store(folder: &Path, sealed: Sealed) -> Arc<Store> {
    let decoded = DecodedColumns::new(0);
    let store = Store::open(folder, StoreOptions { decoded, ..StoreOptions::default() }).unwrap();
    let datasource = store.ensure_datasource("t", table::schema()).unwrap();
    let mut dice = Dice(7);
    let rows: Vec<Row> = (0..ROWS).map(|serial| row(&mut dice, serial)).collect();
    for (number, rows) in rows.chunks(ROWS / 4).enumerate() {
        let mut writer = datasource.writer();
        let batch = table::batch(&mut writer, rows);
        writer.append(batch, &Progress::default(), START_MS).unwrap();
        drop(writer);
        let publishes = match sealed {
            Sealed::All => number == 3,
            Sealed::None => false,
            Sealed::Half => number == 1,
            Sealed::Compacted | Sealed::Cold => true,
        };
        if publishes {
            datasource.publish(START_MS).unwrap();
        }
    }
    if matches!(sealed, Sealed::Compacted | Sealed::Cold) {
        let cold_before_ms = matches!(sealed, Sealed::Cold).then_some(i64::MAX);
        let options = CompactionOptions { quiet_ms: 0, cold_before_ms, ..CompactionOptions::default() };
        while datasource.compact(&options, START_MS).unwrap().is_some() {}
        // A segment a day.
        assert_eq!(store.segment_records(None).unwrap().len(), 3);
    }
    store
}

/// The same rows, served in different ways. The first is the one that others are compared with.
pub(super) struct Worlds {
    pub(super) engines: Vec<(&'static str, Arc<Engine>)>,
    _folders: Vec<tempfile::TempDir>,
}

impl Worlds {
    pub(super) fn new() -> Self {
        let folders: Vec<_> = (0..5).map(|_| tempfile::tempdir().unwrap()).collect();
        let sealed = store(folders[0].path(), Sealed::All);
        let hot = store(folders[1].path(), Sealed::None);
        let half = store(folders[2].path(), Sealed::Half);
        let compacted = store(folders[3].path(), Sealed::Compacted);
        let cold = store(folders[4].path(), Sealed::Cold);
        let engine = |store: &Arc<Store>, threads, postings| {
            let options =
                EngineOptions { threads, postings, rows_per_thread_min: 0, ..EngineOptions::default() };
            Engine::new(Arc::clone(store), Arc::new(NoSystem), options).unwrap()
        };
        let engines = vec![
            ("sealed, one thread", engine(&sealed, 1, PostingsUse::Auto)),
            ("sealed, bitmaps always", engine(&sealed, 1, PostingsUse::Always)),
            ("sealed, bitmaps never", engine(&sealed, 1, PostingsUse::Never)),
            ("sealed, eight threads", engine(&sealed, 8, PostingsUse::Auto)),
            ("compacted", engine(&compacted, 1, PostingsUse::Auto)),
            ("cold", engine(&cold, 2, PostingsUse::Auto)),
            ("hot", engine(&hot, 1, PostingsUse::Auto)),
            ("half sealed, half hot, eight threads", engine(&half, 8, PostingsUse::Always)),
        ];
        Self { engines, _folders: folders }
    }
}
