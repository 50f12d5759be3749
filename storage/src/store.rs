//! The store: a data folder, its catalog, and the datasources in it.
//!
//! ```text
//!  DIR/LOCK                  held by the one process that may write; holds its pid
//!  DIR/catalog.redb          what is true
//!  DIR/segments/<datasource>/<segment id>/{data.arrow or data.parquet, index.ovate}
//!  DIR/tmp/                  segments being written; emptied at start
//! ```

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use crate::catalog::{Catalog, DatasourceRecord, SegmentRecord};
use crate::datasource::{Datasource, Selection, Shared};
use crate::disk::{Disk, RealDisk};
use crate::error::{Result, StorageError};
use crate::names::folder_name;
use crate::orphans;
use crate::schema::{COMPANION_PREFIX, TIME_COLUMN, TableSchema};
use crate::segment::DecodedColumns;
use crate::time::{Granularity, Interval};

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// The file system.
    pub disk: Arc<dyn Disk>,
    /// A chunk with more rows is published as several segments.
    pub segment_rows_max: usize,
    /// Hot rows are put into the order and the forms that segments have once so many of them are together.
    pub settled_rows_min: usize,
    /// Columns of cold segments that are kept in memory.
    pub decoded: Arc<DecodedColumns>,
    /// Whether to remove what a crash left behind. Not when a folder is only looked at.
    pub remove_orphans: bool,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            disk: Arc::new(RealDisk),
            segment_rows_max: 5_000_000,
            settled_rows_min: 64 << 10,
            decoded: DecodedColumns::new(DecodedColumns::BYTES_MAX),
            remove_orphans: true,
        }
    }
}

/// An open data folder.
#[derive(Debug)]
pub struct Store {
    shared: Arc<Shared>,
    datasources: RwLock<BTreeMap<String, Entry>>,
}

#[derive(Debug)]
struct Entry {
    datasource: Arc<Datasource>,
    /// Declared datasources are listed even while they have no rows.
    declared: bool,
}

impl Store {
    /// Opens a data folder, or makes one. Ready in milliseconds: segments are opened by the queries that need them.
    pub fn open(folder: &Path, options: StoreOptions) -> Result<Arc<Self>> {
        let disk = &options.disk;
        disk.create_folder(folder).map_err(StorageError::io("create", folder))?;
        let lock = lock_folder(folder)?;
        let catalog = open_folder(disk, folder)?;
        let shared = Arc::new(Shared {
            folder: folder.to_path_buf(),
            disk: Arc::clone(disk),
            catalog,
            segment_rows_max: options.segment_rows_max.max(1),
            settled_rows_min: options.settled_rows_min,
            decoded: Arc::clone(&options.decoded),
            removals: RwLock::new(()),
            _lock: lock,
        });
        let store = Self { datasources: RwLock::new(load(&shared)?), shared };
        if options.remove_orphans {
            orphans::remove(&store.shared)?;
        }
        Ok(Arc::new(store))
    }

    /// The names of all datasources that are declared or have rows, sorted.
    pub fn datasources(&self) -> Vec<String> {
        let datasources = self.datasources.read().unwrap_or_else(PoisonError::into_inner);
        datasources.iter().filter(|(_, entry)| entry.is_listed()).map(|(name, _)| name.clone()).collect()
    }

    /// A datasource that is declared or has rows.
    pub fn datasource(&self, name: &str) -> Option<Arc<Datasource>> {
        let datasources = self.datasources.read().unwrap_or_else(PoisonError::into_inner);
        datasources.get(name).filter(|entry| entry.is_listed()).map(|entry| Arc::clone(&entry.datasource))
    }

    /// Declares a datasource, or changes the shape of its rows to come. A change other than added dimensions
    /// requires that nothing is hot: publish first.
    pub fn ensure_datasource(&self, name: &str, schema: Arc<TableSchema>) -> Result<Arc<Datasource>> {
        check_schema(name, &schema)?;
        let mut datasources = self.datasources.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = datasources.get_mut(name) {
            entry.datasource.writer().set_schema(Arc::clone(&schema))?;
            self.shared.catalog.put_datasource(name, &DatasourceRecord { schema })?;
            entry.declared = true;
            return Ok(Arc::clone(&entry.datasource));
        }
        check_datasource_name(name)?;
        self.shared.catalog.put_datasource(name, &DatasourceRecord { schema: Arc::clone(&schema) })?;
        let progress = self.shared.catalog.progress(name)?.unwrap_or_default();
        let datasource =
            Arc::new(Datasource::new(name, Arc::clone(&self.shared), schema, progress, Vec::new()));
        datasources.insert(name.to_owned(), Entry { datasource: Arc::clone(&datasource), declared: true });
        Ok(datasource)
    }

    /// Forgets that a datasource was declared: it is listed only while it has rows.
    pub fn forget_datasource(&self, name: &str) -> Result<()> {
        let mut datasources = self.datasources.write().unwrap_or_else(PoisonError::into_inner);
        self.shared.catalog.remove_datasource(name)?;
        if let Some(entry) = datasources.get_mut(name) {
            entry.declared = false;
        }
        Ok(())
    }

    /// The catalog.
    pub fn catalog(&self) -> &Catalog {
        &self.shared.catalog
    }

    /// The columns of cold segments that are kept in memory.
    pub fn decoded(&self) -> &DecodedColumns {
        &self.shared.decoded
    }

    /// The data folder.
    pub fn folder(&self) -> &Path {
        &self.shared.folder
    }

    /// The catalog's segments, used and unused, of one datasource or of all.
    pub fn segment_records(&self, datasource: Option<&str>) -> Result<Vec<SegmentRecord>> {
        let Some(name) = datasource else { return self.shared.catalog.segments() };
        let mut records = self.shared.catalog.segments_from(&format!("{name}_"))?;
        records.retain(|record| record.datasource == name);
        Ok(records)
    }

    /// Takes published segments out of use. Returns how many. Hot rows stay.
    pub fn mark_unused(&self, datasource: &str, selection: &Selection) -> Result<usize> {
        self.known(datasource)?.mark_unused(selection)
    }

    /// Puts unused segments back into use. Returns how many.
    pub fn mark_used(&self, datasource: &str, selection: &Selection) -> Result<usize> {
        self.known(datasource)?.mark_used(selection)
    }

    /// Removes unused segments inside `interval` for good, first from the catalog, then from disk. Returns how many.
    pub fn kill(&self, datasource: &str, interval: Interval) -> Result<usize> {
        match self.known(datasource) {
            Err(StorageError::UnknownDatasource(_)) => Ok(0),
            known => known?.kill(interval),
        }
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    fn known(&self, name: &str) -> Result<Arc<Datasource>> {
        let datasources = self.datasources.read().unwrap_or_else(PoisonError::into_inner);
        let entry = datasources.get(name).ok_or_else(|| StorageError::UnknownDatasource(name.to_owned()))?;
        Ok(Arc::clone(&entry.datasource))
    }
}

/// Makes the folders that are missing, durably, and opens the catalog.
fn open_folder(disk: &Arc<dyn Disk>, folder: &Path) -> Result<Catalog> {
    let (catalog, segments, tmp) = (folder.join("catalog.redb"), folder.join("segments"), folder.join("tmp"));
    let list = |path: &Path| disk.list(path).map_err(StorageError::io("list", path));
    let is_new = !list(folder)?.contains(&catalog);
    if is_new && list(&segments)?.iter().any(|path| list(path).is_ok_and(|entries| !entries.is_empty())) {
        // Without its catalog every segment would look like one that was never published.
        return Err(StorageError::damaged(&catalog, "it is missing, though there are segments"));
    }
    for folder in [&segments, &tmp] {
        disk.create_folder(folder).map_err(StorageError::io("create", folder))?;
    }
    if is_new {
        sync_ancestors(&**disk, folder)?;
    }
    disk.sync_folder(folder).map_err(StorageError::io("sync", folder))?;
    Catalog::open(disk, &catalog)
}

/// Makes a folder durable that may just have been made, together with those above it. What belongs to others and
/// cannot be opened was not made by this process.
pub(crate) fn sync_ancestors(disk: &dyn Disk, folder: &Path) -> Result<()> {
    for above in folder.ancestors().skip(1) {
        let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
        match disk.sync_folder(above) {
            Err(e) if matches!(e.kind(), ErrorKind::PermissionDenied | ErrorKind::InvalidInput) => {}
            synced => synced.map_err(StorageError::io("sync", above))?,
        }
    }
    Ok(())
}

impl Entry {
    fn is_listed(&self) -> bool {
        self.declared || !self.datasource.snapshot().parts.is_empty()
    }
}

fn load(shared: &Arc<Shared>) -> Result<BTreeMap<String, Entry>> {
    let declared = shared.catalog.datasources()?;
    let mut by_name: BTreeMap<String, Vec<SegmentRecord>> =
        declared.keys().map(|name| (name.clone(), Vec::new())).collect();
    for mut record in shared.catalog.segments()? {
        let records = by_name.entry(record.datasource.clone()).or_default();
        if let Some(same) = records.iter().rev().find(|other| other.columns == record.columns) {
            record.columns = Arc::clone(&same.columns);
        }
        records.push(record);
    }
    let mut entries = BTreeMap::new();
    for (name, records) in by_name {
        let used = records.into_iter().filter(|record| record.used).collect();
        let schema = declared.get(&name).map_or_else(undeclared, |record| Arc::clone(&record.schema));
        let progress = shared.catalog.progress(&name)?.unwrap_or_default();
        let datasource = Arc::new(Datasource::new(&name, Arc::clone(shared), schema, progress, used));
        let declared = declared.contains_key(&name);
        entries.insert(name, Entry { datasource, declared });
    }
    Ok(entries)
}

/// The schema of a datasource that has segments but takes no new rows.
fn undeclared() -> Arc<TableSchema> {
    Arc::new(TableSchema {
        columns: Vec::new(),
        segment_granularity: Granularity::ALL,
        query_granularity: Granularity::NONE,
        rollup: false,
    })
}

/// Takes the folder for this process, until the returned file is dropped or the process ends.
fn lock_folder(folder: &Path) -> Result<File> {
    let path = folder.join("LOCK");
    let mut file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(StorageError::io("open", &path))?;
    if let Err(error) = file.try_lock() {
        if let std::fs::TryLockError::Error(source) = error {
            return Err(StorageError::Io { action: "lock", path, source });
        }
        let mut pid = String::new();
        let _ = file.read_to_string(&mut pid);
        let pid = if pid.trim().is_empty() { "unknown".into() } else { pid.trim().to_owned() };
        return Err(StorageError::Locked { path: folder.to_path_buf(), pid });
    }
    let write = |file: &mut File| {
        file.set_len(0)?;
        file.write_all(std::process::id().to_string().as_bytes())
    };
    write(&mut file).map_err(StorageError::io("write", &path))?;
    Ok(file)
}

/// Bytes of an escaped name: with two ends of a chunk, a version and a number it is the name of a segment's folder, which
/// may have 255.
const NAME_BYTES_MAX: usize = 128;

/// Druid's rule for names, and a length that fits a file name once escaped.
fn check_datasource_name(name: &str) -> Result<()> {
    let reason = if name.is_empty() {
        "it is empty"
    } else if name.starts_with('.') {
        "it starts with a dot"
    } else if name.contains(['/', '\\', '\0']) {
        "it contains a slash, a backslash or NUL"
    } else if name.chars().any(char::is_control) {
        "it contains a control character"
    } else if folder_name(name).len() > NAME_BYTES_MAX {
        "it is longer than 128 bytes, three for each that is no ASCII letter, digit, '-', '_' or '.'"
    } else {
        return Ok(());
    };
    Err(StorageError::BadName { kind: "datasource", name: name.to_owned(), reason })
}

fn check_schema(datasource: &str, schema: &TableSchema) -> Result<()> {
    let mut seen = std::collections::HashSet::new();
    for column in &schema.columns {
        let reason = if column.name == TIME_COLUMN {
            "it is the time column, which every datasource has"
        } else if column.name.starts_with(COMPANION_PREFIX) {
            "its prefix is reserved"
        } else if !seen.insert(&column.name) {
            return Err(StorageError::SchemaMismatch {
                datasource: datasource.to_owned(),
                reason: format!("column {} is declared twice", column.name),
            });
        } else {
            continue;
        };
        return Err(StorageError::BadName { kind: "column", name: column.name.clone(), reason });
    }
    Ok(())
}
