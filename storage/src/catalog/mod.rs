//! The catalog: what the store holds, in one redb file.
//!
//! Segments added, segments removed and the stream offsets they cover change in ONE transaction
//! ([`Catalog::publish`]): that is what makes ingestion exactly-once. Values are JSON, so that any redb reader can
//! show them; keys order them as they are listed.
//!
//! | table | key | value |
//! |---|---|---|
//! | `meta` | name | text: format version |
//! | `datasources` | name | [`DatasourceRecord`] |
//! | `segments` | segment id | [`SegmentRecord`] |
//! | `progress` | datasource | [`Progress`] |
//! | `offset_events` | (datasource, number) | JSON of whoever reads the stream |
//! | `supervisors` | id | [`SupervisorRecord`] |
//! | `supervisor_history` | (id, number) | [`HistoryRecord`] |
//! | `rules` | datasource, or `_default` | list of [`crate::retention::Rule`] |
//! | `rule_history` | (datasource, number) | [`RuleChange`] |
//!
//! A table that an older release did not know is made by its first entry; until then it reads as empty.

mod contents;
mod events;
mod file;
mod rules;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use redb::{
    Database, Key, ReadOnlyTable, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition,
    TableError, Value as Stored, WriteTransaction,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use self::contents::Contents;
pub use self::events::OFFSET_EVENTS_KEPT;
use self::file::CatalogFile;
pub use self::rules::RuleChange;
use crate::disk::Disk;
use crate::error::{Result, StorageError};
use crate::progress::Progress;
use crate::schema::{ColumnSpec, TableSchema};
use crate::segment::SegmentFiles;
use crate::time::Interval;

type Json<'a> = TableDefinition<'a, &'static str, &'static str>;
const META: Json = TableDefinition::new("meta");
const DATASOURCES: Json = TableDefinition::new("datasources");
const SEGMENTS: Json = TableDefinition::new("segments");
const PROGRESS: Json = TableDefinition::new("progress");
const SUPERVISORS: Json = TableDefinition::new("supervisors");
const RULES: Json = TableDefinition::new("rules");
type History<'a> = TableDefinition<'a, (&'static str, u64), &'static str>;
const HISTORY: History = TableDefinition::new("supervisor_history");
const RULE_HISTORY: History = TableDefinition::new("rule_history");
const OFFSET_EVENTS: History = TableDefinition::new("offset_events");

/// The version of the tables above. A catalog of a newer version is refused.
const FORMAT_VERSION: u32 = 1;

/// A published segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SegmentRecord {
    /// `datasource_start_end_version`, then `_partition` unless that is 0: Druid's segment id.
    pub id: String,
    /// The datasource.
    pub datasource: String,
    /// The time chunk.
    pub interval: Interval,
    /// When the chunk's version was begun, as an instant: greater versions overshadow lesser ones.
    pub version: String,
    /// The number of the segment within its chunk and version.
    pub partition_num: u32,
    /// Rows.
    pub rows: u64,
    /// Bytes on disk.
    pub size_bytes: u64,
    /// Least `__time`.
    pub min_time_ms: i64,
    /// Greatest `__time`.
    pub max_time_ms: i64,
    /// The columns besides `__time`, hidden ones included.
    pub columns: Arc<[ColumnSpec]>,
    /// Whether rows of equal `__time` and dimensions were made one when they were published. What was not is never rolled
    /// up later: equal rows may be different events.
    #[serde(default)]
    pub rollup: bool,
    /// Lengths and checksum of the files.
    pub files: SegmentFiles,
    /// Unused segments do not answer queries; they wait for [`crate::Store::kill`].
    pub used: bool,
    /// When it was published.
    pub created_ms: i64,
}

/// A datasource that a supervisor or an embedding program has declared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DatasourceRecord {
    /// The shape of rows to come.
    pub schema: Arc<TableSchema>,
}

/// A supervisor as it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SupervisorRecord {
    /// The supervisor's id: its datasource.
    pub id: String,
    /// The specification.
    pub spec: Value,
    /// Whether it is suspended.
    pub suspended: bool,
}

/// One state that a supervisor has had.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HistoryRecord {
    /// The supervisor's id.
    pub id: String,
    /// When the state began.
    pub version_ms: i64,
    /// The specification; `None` marks a termination.
    pub spec: Option<Value>,
}

/// The catalog file. All calls block; none takes longer than a few synced writes.
#[derive(Debug)]
pub struct Catalog {
    file: CatalogFile,
}

/// Turns any of redb's errors into ours.
fn failed<E: Into<redb::Error>>(action: &'static str) -> impl FnOnce(E) -> StorageError {
    move |source| StorageError::Catalog { action, source: Box::new(source.into()) }
}

fn encode<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|e| damaged("encode", &e))
}

fn decode<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|e| damaged("decode", &e))
}

fn damaged(action: &'static str, error: &serde_json::Error) -> StorageError {
    StorageError::Catalog { action, source: Box::new(redb::Error::Corrupted(error.to_string())) }
}

impl Catalog {
    /// Opens the catalog file, or makes it. Every page is verified.
    pub fn open(disk: &Arc<dyn Disk>, path: &Path) -> Result<Self> {
        let catalog = Self { file: CatalogFile::open(disk, path, |database| write(database, "make", fill))? };
        let found = catalog.read("open", |t| get_text(t, META, "format_version"))?;
        let found = found.and_then(|text| text.parse().ok()).unwrap_or(u32::MAX);
        if found > FORMAT_VERSION {
            return Err(StorageError::NewerFormat { path: path.into(), found, supported: FORMAT_VERSION });
        }
        Ok(catalog)
    }

    /// Makes a catalog that holds `contents`. There must be none.
    pub(crate) fn create(disk: &Arc<dyn Disk>, path: &Path, contents: &Contents) -> Result<()> {
        CatalogFile::open(disk, path, |database| write(database, "make", |t| contents.write(t)))?;
        Ok(())
    }

    /// Everything there is, as of one moment.
    pub(crate) fn contents(&self) -> Result<Contents> {
        self.read("read", Contents::read)
    }

    /// The declared datasources by name.
    pub fn datasources(&self) -> Result<BTreeMap<String, DatasourceRecord>> {
        self.all(DATASOURCES)
    }

    /// Declares a datasource, or changes its shape.
    pub fn put_datasource(&self, name: &str, record: &DatasourceRecord) -> Result<()> {
        self.put(DATASOURCES, name, record)
    }

    /// Forgets a declaration; published segments stay.
    pub fn remove_datasource(&self, name: &str) -> Result<()> {
        self.write("remove datasource", |t| remove(t, DATASOURCES, name))
    }

    /// All segments, used and unused, by id.
    pub fn segments(&self) -> Result<Vec<SegmentRecord>> {
        self.segments_from("")
    }

    /// Those whose ids begin with a text: of a datasource (and of others whose names go on after it), of a chunk.
    pub fn segments_from(&self, start: &str) -> Result<Vec<SegmentRecord>> {
        let found = self.read("read", |transaction| starting_with(transaction, SEGMENTS, start))?;
        Ok(found.into_values().collect())
    }

    /// The commit point: segments added, segments removed, offsets advanced, all or nothing.
    pub fn publish(
        &self,
        added: &[SegmentRecord],
        removed: &[String],
        progress: Option<(&str, &Progress)>,
    ) -> Result<()> {
        self.write("publish", |transaction| {
            for record in added {
                insert(transaction, SEGMENTS, &record.id, record)?;
            }
            removed.iter().try_for_each(|id| remove(transaction, SEGMENTS, id))?;
            if let Some((datasource, progress)) = progress {
                insert(transaction, PROGRESS, datasource, progress)?;
            }
            Ok(())
        })
    }

    /// Marks segments used or unused.
    pub fn set_used(&self, ids: &[String], used: bool) -> Result<()> {
        self.write("mark segments", |transaction| set_used(transaction, ids, used))
    }

    /// Forgets segments. Their files may be removed afterwards, never before.
    pub fn remove_segments(&self, ids: &[String]) -> Result<()> {
        self.write("remove segments", |transaction| {
            ids.iter().try_for_each(|id| remove(transaction, SEGMENTS, id))
        })
    }

    /// The committed offsets of a datasource.
    pub fn progress(&self, datasource: &str) -> Result<Option<Progress>> {
        self.get(PROGRESS, datasource)
    }

    /// The committed offsets of all datasources.
    pub fn all_progress(&self) -> Result<BTreeMap<String, Progress>> {
        self.all(PROGRESS)
    }

    /// Replaces the committed offsets; `None` forgets them. `events` say why, see [`Self::offset_events`].
    pub fn set_progress(
        &self,
        datasource: &str,
        progress: Option<&Progress>,
        events: &[Value],
    ) -> Result<()> {
        self.write("set offsets", |transaction| {
            match progress {
                Some(progress) => insert(transaction, PROGRESS, datasource, progress)?,
                None => remove(transaction, PROGRESS, datasource)?,
            }
            events::add(transaction, datasource, events)
        })
    }

    /// All supervisors by id.
    pub fn supervisors(&self) -> Result<Vec<SupervisorRecord>> {
        Ok(self.all(SUPERVISORS)?.into_values().collect())
    }

    /// One supervisor.
    pub fn supervisor(&self, id: &str) -> Result<Option<SupervisorRecord>> {
        self.get(SUPERVISORS, id)
    }

    /// Stores a supervisor's new state and adds it to its history.
    pub fn put_supervisor(&self, id: &str, spec: &Value, suspended: bool, now_ms: i64) -> Result<()> {
        let record = SupervisorRecord { id: id.to_owned(), spec: spec.clone(), suspended };
        self.write("store supervisor", |transaction| {
            insert(transaction, SUPERVISORS, id, &record)?;
            let record = HistoryRecord { id: id.to_owned(), version_ms: now_ms, spec: Some(spec.clone()) };
            add_history(transaction, HISTORY, id, &record).map(drop)
        })
    }

    /// Removes a supervisor; its history ends with a tombstone.
    pub fn remove_supervisor(&self, id: &str, now_ms: i64) -> Result<()> {
        self.write("remove supervisor", |transaction| {
            remove(transaction, SUPERVISORS, id)?;
            let record = HistoryRecord { id: id.to_owned(), version_ms: now_ms, spec: None };
            add_history(transaction, HISTORY, id, &record).map(drop)
        })
    }

    /// What supervisors have been, newest first; of one or of all.
    pub fn supervisor_history(&self, id: Option<&str>) -> Result<Vec<HistoryRecord>> {
        self.read("read supervisor history", |transaction| history(transaction, HISTORY, id))
    }

    fn all<T: DeserializeOwned>(&self, definition: Json) -> Result<BTreeMap<String, T>> {
        self.read("read", |transaction| all(transaction, definition))
    }

    fn get<T: DeserializeOwned>(&self, definition: Json, key: &str) -> Result<Option<T>> {
        let text = self.read("read", |transaction| get_text(transaction, definition, key))?;
        text.map(|text| decode(&text)).transpose()
    }

    fn put<T: Serialize>(&self, definition: Json, key: &str, value: &T) -> Result<()> {
        self.write("write", |transaction| insert(transaction, definition, key, value))
    }

    /// Runs `call` on the state of one moment.
    fn read<T>(&self, action: &'static str, call: impl FnOnce(&ReadTransaction) -> Result<T>) -> Result<T> {
        self.file.with(action, |database| call(&database.begin_read().map_err(failed(action))?))
    }

    /// Runs `change` in one durable transaction. If `change` fails everything is as it was; if the disk does, the
    /// transaction may or may not have taken effect.
    fn write(
        &self,
        action: &'static str,
        change: impl FnOnce(&WriteTransaction) -> Result<()>,
    ) -> Result<()> {
        self.file.with(action, |database| write(database, action, change))
    }
}

/// The tables of a new catalog.
fn fill(transaction: &WriteTransaction) -> Result<()> {
    let mut meta = transaction.open_table(META).map_err(failed("make"))?;
    meta.insert("format_version", FORMAT_VERSION.to_string().as_str()).map_err(failed("make"))?;
    for table in [DATASOURCES, SEGMENTS, PROGRESS, SUPERVISORS] {
        transaction.open_table(table).map_err(failed("make"))?;
    }
    transaction.open_table(HISTORY).map_err(failed("make"))?;
    Ok(())
}

fn write(
    database: &Database,
    action: &'static str,
    change: impl FnOnce(&WriteTransaction) -> Result<()>,
) -> Result<()> {
    let mut transaction = database.begin_write().map_err(failed(action))?;
    transaction.set_two_phase_commit(true);
    change(&transaction)?;
    crate::fail_point!("catalog.before_commit");
    transaction.commit().map_err(failed(action))?;
    crate::fail_point!("catalog.committed");
    Ok(())
}

/// A table; `None` if no release that knew it has written to this catalog yet.
fn table<K: Key + 'static, V: Stored + 'static>(
    transaction: &ReadTransaction,
    definition: TableDefinition<K, V>,
) -> Result<Option<ReadOnlyTable<K, V>>> {
    match transaction.open_table(definition) {
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        table => table.map(Some).map_err(failed("read")),
    }
}

fn all<T: DeserializeOwned>(transaction: &ReadTransaction, definition: Json) -> Result<BTreeMap<String, T>> {
    starting_with(transaction, definition, "")
}

fn starting_with<T: DeserializeOwned>(
    transaction: &ReadTransaction,
    definition: Json,
    start: &str,
) -> Result<BTreeMap<String, T>> {
    let mut records = BTreeMap::new();
    let Some(table) = table(transaction, definition)? else { return Ok(records) };
    for entry in table.range(start..).map_err(failed("read"))? {
        let (key, value) = entry.map_err(failed("read"))?;
        if !key.value().starts_with(start) {
            break;
        }
        records.insert(key.value().to_owned(), decode(value.value())?);
    }
    Ok(records)
}

/// The entries of a history, newest first; of one id or of all.
fn history<T: DeserializeOwned>(
    transaction: &ReadTransaction,
    definition: History,
    id: Option<&str>,
) -> Result<Vec<T>> {
    let mut records = Vec::new();
    let Some(table) = table(transaction, definition)? else { return Ok(records) };
    for entry in table.iter().map_err(failed("read"))? {
        let (key, value) = entry.map_err(failed("read"))?;
        if id.is_none_or(|id| key.value().0 == id) {
            records.push(decode::<T>(value.value())?);
        }
    }
    records.reverse();
    Ok(records)
}

fn get_text(transaction: &ReadTransaction, definition: Json, key: &str) -> Result<Option<String>> {
    let Some(table) = table(transaction, definition)? else { return Ok(None) };
    let value = table.get(key).map_err(failed("read"))?;
    Ok(value.map(|value| value.value().to_owned()))
}

fn insert<T: Serialize>(
    transaction: &WriteTransaction,
    definition: Json,
    key: &str,
    value: &T,
) -> Result<()> {
    let text = encode(value)?;
    let mut table = transaction.open_table(definition).map_err(failed("write"))?;
    table.insert(key, text.as_str()).map_err(failed("write"))?;
    Ok(())
}

fn remove(transaction: &WriteTransaction, definition: Json, key: &str) -> Result<()> {
    let mut table = transaction.open_table(definition).map_err(failed("remove"))?;
    table.remove(key).map_err(failed("remove"))?;
    Ok(())
}

fn set_used(transaction: &WriteTransaction, ids: &[String], used: bool) -> Result<()> {
    let mut table = transaction.open_table(SEGMENTS).map_err(failed("mark segments"))?;
    for id in ids {
        let Some(mut record) = table
            .get(id.as_str())
            .map_err(failed("mark segments"))?
            .map(|value| decode::<SegmentRecord>(value.value()))
            .transpose()?
        else {
            continue;
        };
        record.used = used;
        table.insert(id.as_str(), encode(&record)?.as_str()).map_err(failed("mark segments"))?;
    }
    Ok(())
}

/// Adds to a history. Returns the entry's number.
fn add_history<T: Serialize>(
    transaction: &WriteTransaction,
    definition: History,
    id: &str,
    record: &T,
) -> Result<u64> {
    let action = "write history";
    let mut table = transaction.open_table(definition).map_err(failed(action))?;
    let last = table
        .range((id, 0)..=(id, u64::MAX))
        .map_err(failed(action))?
        .next_back()
        .transpose()
        .map_err(failed(action))?
        .map_or(0, |(key, _)| key.value().1);
    table.insert((id, last + 1), encode(record)?.as_str()).map_err(failed(action))?;
    Ok(last + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn disk() -> Arc<dyn Disk> {
        Arc::new(crate::disk::RealDisk)
    }

    #[test]
    fn supervisors_come_back_after_a_restart_with_their_history() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("catalog.redb");
        {
            let catalog = Catalog::open(&disk(), &path).unwrap();
            catalog.put_supervisor("A", &json!({"v": 1}), false, 1).unwrap();
            catalog.put_supervisor("A", &json!({"v": 2}), true, 2).unwrap();
            catalog.put_supervisor("B", &json!({}), false, 3).unwrap();
            catalog.remove_supervisor("B", 4).unwrap();
        }
        let catalog = Catalog::open(&disk(), &path).unwrap();
        let all = catalog.supervisors().unwrap();
        assert_eq!(all.len(), 1);
        assert_eq!((all[0].spec["v"].as_i64(), all[0].suspended), (Some(2), true));
        let history = catalog.supervisor_history(Some("A")).unwrap();
        assert_eq!(history.iter().map(|h| h.version_ms).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(catalog.supervisor_history(Some("B")).unwrap()[0].spec, None);
    }

    #[test]
    fn offsets_can_be_replaced_and_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(&disk(), &folder.path().join("catalog.redb")).unwrap();
        let mut progress = Progress::default();
        progress.set("T", 0, 5);
        catalog.publish(&[], &[], Some(("ds", &progress))).unwrap();
        assert_eq!(catalog.progress("ds").unwrap(), Some(progress));
        catalog.set_progress("ds", None, &[]).unwrap();
        assert_eq!(catalog.progress("ds").unwrap(), None);
    }
}
