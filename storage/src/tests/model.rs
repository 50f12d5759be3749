//! The store against a list of rows: append, publish, merge, mark, kill, cut chunks differently, crash, look.

use std::collections::BTreeMap;
use std::path::PathBuf;

use proptest::test_runner::TestRunner;

use super::compaction::EAGER;
use super::*;
use crate::disk::Disk;
use crate::disk::simulated::SimulatedDisk;
use crate::{CompactionOptions, Form, Rule, RuleChange, Selection};

#[derive(Debug, Clone)]
enum Step {
    Append(Vec<Row>),
    Publish,
    Compact,
    /// Chunks that end within so many hours are cold.
    Cool(i64),
    Hours(bool),
    Unuse(i64),
    Use,
    Kill(i64),
    /// Keeps what lies in the last so many hours of the four there are.
    Retain(i64),
    PowerCut,
    Restart,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => prop::collection::vec(any_row(), 0..12).prop_map(Step::Append),
        4 => Just(Step::Publish),
        3 => Just(Step::Compact),
        1 => (1i64..5).prop_map(Step::Cool),
        1 => any::<bool>().prop_map(Step::Hours),
        1 => (0i64..4).prop_map(Step::Unuse),
        1 => Just(Step::Use),
        1 => (0i64..4).prop_map(Step::Kill),
        1 => (1i64..4).prop_map(Step::Retain),
        1 => Just(Step::PowerCut),
        1 => Just(Step::Restart),
    ]
}

/// A row of the model, and the chunk that it was published into.
#[derive(Debug, Clone)]
struct Known {
    row: Row,
    chunk: Option<Interval>,
    used: bool,
}

struct Model {
    folder: PathBuf,
    rollup: bool,
    disk: SimulatedDisk,
    /// Nothing only while one store is closed and the next not yet opened: the lock is shared.
    open: Option<(Arc<Store>, Arc<Datasource>)>,
    schema: Arc<TableSchema>,
    rows: Vec<Known>,
    offset: i64,
    committed: i64,
    now_ms: i64,
}

impl Model {
    fn start(folder: PathBuf, rollup: bool) -> Self {
        std::fs::create_dir(&folder).unwrap();
        let disk = SimulatedDisk::with_folder(folder.parent().unwrap());
        let schema = schema(rollup);
        let open = Some(open_on(&disk, &folder, &schema));
        Self { folder, rollup, disk, open, schema, rows: Vec::new(), offset: 0, committed: 0, now_ms: 0 }
    }

    fn store(&self) -> Arc<Store> {
        Arc::clone(&self.open.as_ref().unwrap().0)
    }

    fn datasource(&self) -> Arc<Datasource> {
        Arc::clone(&self.open.as_ref().unwrap().1)
    }

    fn take(&mut self, step: Step) {
        // Every version is greater than those before.
        self.now_ms += 1;
        match step {
            Step::Append(rows) => {
                self.offset += rows.len() as i64;
                append(&mut self.datasource().writer(), &rows, self.offset);
                self.rows.extend(rows.into_iter().map(|row| Known { row, chunk: None, used: true }));
            }
            Step::Publish => self.publish(),
            Step::Compact => {
                while let Some(done) = self.datasource().compact(&EAGER, self.now_ms).unwrap() {
                    assert!(done.segments.len() < done.merged.len());
                }
            }
            Step::Cool(hours) => {
                let options = CompactionOptions { cold_before_ms: Some(hours * HOUR + 1), ..EAGER };
                while self.datasource().compact(&options, self.now_ms).unwrap().is_some() {}
                for record in self.store().segment_records(None).unwrap() {
                    let is_cold = record.used && record.interval.end_ms <= hours * HOUR;
                    assert!(!is_cold || record.files.form == Form::Parquet);
                }
            }
            Step::Hours(two) => {
                self.publish();
                let text = if two { r#"{"type":"period","period":"PT2H"}"# } else { "\"HOUR\"" };
                let mut schema = TableSchema::clone(&self.schema);
                schema.segment_granularity = serde_json::from_str(text).unwrap();
                self.schema = Arc::new(schema);
                self.store().ensure_datasource("ds", Arc::clone(&self.schema)).unwrap();
            }
            Step::Unuse(hour) => {
                let interval = Interval::new(hour * HOUR, (hour + 1) * HOUR);
                self.store().mark_unused("ds", &Selection::Inside(interval)).unwrap();
                self.mark(false, |chunk| interval.covers(chunk));
            }
            Step::Use => self.use_all(),
            Step::Kill(hour) => {
                let interval = Interval::new(0, (hour + 1) * HOUR);
                self.store().kill("ds", interval).unwrap();
                self.rows
                    .retain(|known| known.used || !known.chunk.is_some_and(|chunk| interval.covers(chunk)));
            }
            Step::Retain(hours) => {
                let rules =
                    format!(r#"[{{"type":"loadByPeriod","period":"PT{hours}H"}},{{"type":"dropForever"}}]"#);
                let rules: Vec<Rule> = serde_json::from_str(&rules).unwrap();
                let none = || String::new();
                let (author, comment, ip) = (none(), none(), none());
                let datasource = "ds".to_owned();
                let change = RuleChange { datasource, rules, author, comment, ip, time_ms: self.now_ms };
                self.store().set_rules(&change).unwrap();
                self.store().apply_rules(4 * HOUR).unwrap();
                self.mark(false, |chunk| chunk.end_ms <= (4 - hours) * HOUR);
            }
            Step::PowerCut => {
                let crash = self.disk.crash();
                self.reopen(crash.cut_off(crash.moments() - 1));
            }
            Step::Restart => self.reopen(self.disk.fork()),
        }
    }

    fn publish(&mut self) {
        self.datasource().publish(self.now_ms).unwrap();
        self.committed = self.offset;
        // Which chunk a row went into is the store's to decide; that it lies there is checked by `verify`.
        let snapshot = self.datasource().snapshot();
        for known in self.rows.iter_mut().filter(|known| known.chunk.is_none()) {
            let part = snapshot.parts.iter().find(|part| part.visible().contains(known.row.0)).unwrap();
            let Part::Segment(part) = part else { panic!("hot after a publish") };
            known.chunk = Some(part.handle().record().interval);
        }
    }

    fn mark(&mut self, used: bool, selected: impl Fn(Interval) -> bool) {
        for known in &mut self.rows {
            if known.chunk.is_some_and(&selected) {
                known.used = used;
            }
        }
    }

    /// What comes back may be overshadowed by what was published meanwhile, or hide it: the timeline's own test says
    /// which. Here only what is alone in its time comes back.
    fn use_all(&mut self) {
        let records = self.store().segment_records(None).unwrap();
        let alone = |record: &&crate::SegmentRecord| {
            !records.iter().any(|other| {
                other.interval.overlaps(record.interval)
                    && (other.interval, &other.version) != (record.interval, &record.version)
            })
        };
        let ids: Vec<String> =
            records.iter().filter(|record| !record.used).filter(alone).map(|r| r.id.clone()).collect();
        let chunks: Vec<Interval> =
            records.iter().filter(|record| ids.contains(&record.id)).map(|r| r.interval).collect();
        assert_eq!(self.store().mark_used("ds", &Selection::Ids(ids.clone())).unwrap(), ids.len());
        self.mark(true, |chunk| chunks.contains(&chunk));
    }

    fn reopen(&mut self, disk: SimulatedDisk) {
        self.open = None;
        self.open = Some(open_on(&disk, &self.folder, &self.schema));
        self.disk = disk;
        self.rows.retain(|known| known.chunk.is_some());
        self.offset = self.committed;
        let stored = self.store().catalog().progress("ds").unwrap().unwrap_or_default();
        assert_eq!(stored.next_offset("topic", 0).unwrap_or(0), self.committed);
    }

    fn check(&self) {
        let seen = rows_of(&self.datasource().snapshot());
        let mut expected: Vec<Row> =
            self.rows.iter().filter(|known| known.used).map(|known| known.row.clone()).collect();
        expected.sort();
        if self.rollup {
            assert_eq!(summed(&seen), summed(&expected));
        } else {
            assert_eq!(seen, expected);
        }
    }
}

fn open_on(disk: &SimulatedDisk, folder: &Path, schema: &Arc<TableSchema>) -> (Arc<Store>, Arc<Datasource>) {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let options = StoreOptions { disk, segment_rows_max: 50, settled_rows_min: 8, ..StoreOptions::default() };
    let store = Store::open(folder, options).unwrap();
    let datasource = store.ensure_datasource("ds", Arc::clone(schema)).unwrap();
    (store, datasource)
}

type Key = (i64, Option<String>, Vec<String>, Option<String>);

fn summed(rows: &[Row]) -> BTreeMap<Key, i64> {
    let mut sums: BTreeMap<Key, i64> = BTreeMap::new();
    for (time, name, tags, n, x) in rows {
        *sums.entry((*time, name.clone(), tags.clone(), x.clone())).or_default() += n.unwrap_or(0);
    }
    sums
}

fn run(rollup: bool, steps: Vec<Step>) {
    let real = tempfile::tempdir().unwrap();
    let mut model = Model::start(real.path().join("data"), rollup);
    for step in steps {
        model.take(step);
        model.check();
    }
    let report = model.store().verify(|_| {}).unwrap();
    assert!(report.is_sound(), "{report:?}");
}

const SEQUENCES: u32 = 250;

fn sequences(name: &str, rollup: bool, lengths: std::ops::Range<usize>) {
    let mut runner = TestRunner::new(ProptestConfig::with_cases(SEQUENCES));
    let steps = prop::collection::vec(any_step(), lengths.clone());
    let result = runner.run(&steps, |steps| {
        run(rollup, steps);
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{name}: {error}"));
    println!("model: {SEQUENCES} sequences of {lengths:?} steps, {name}");
}

#[test]
fn every_row_is_there_once_whatever_happens() {
    sequences("rows", false, 1..16);
}

#[test]
fn rows_survive_long_lives() {
    sequences("rows", false, 16..32);
}

#[test]
fn sums_are_those_of_all_rows_whatever_happens() {
    sequences("sums", true, 1..16);
}

#[test]
fn sums_survive_long_lives() {
    sequences("sums", true, 16..32);
}
