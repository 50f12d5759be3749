//! One datasource: its writer, what it shows to queries, and what becomes of its rows.
//!
//! ```text
//!  append ─► hot ─► freeze ─► frozen ─► publish ─► sealed ─► compact ─► sealed, fewer and larger
//!                                                        └─► mark unused ─► kill
//! ```
//!
//! * [`state`]: what snapshots are taken from, replaced as a whole.
//! * [`segments`]: which segments there are, and every change of that: one commit, one swap.
//! * [`placing`]: how rows become files, and how files get their place.
//! * [`publishing`], [`compacting`]: the two that write segments.
//! * [`marking`]: taking segments out of use and back, and removing them for good.
//!
//! A row is hot, frozen or sealed, never two of these and never none, because each step is one swap of [`State`].
//!
//! A call to the disk that fails changes nothing that can be seen. What follows depends on what is known:
//!
//! * No room, or a file that cannot be made, written or renamed: nothing was committed. The files of the attempt
//!   are removed, and the next one writes all of them anew. That holds for a sync of such a file that finds no
//!   room as well: the file is thrown away and no sync is ever tried again on it, so nothing rests on bytes that
//!   the kernel may have dropped.
//! * No room in the catalog: the commit is in doubt. Whoever changes segments next looks it up first.
//! * Any other failure of a sync or of the catalog, and any of syncing a folder that stays: it is not known what
//!   is on disk, and asking again would prove nothing. The datasource is poisoned until the process starts anew
//!   and reads what is there. (Linux may show what it has failed to write until the machine starts anew as well;
//!   `verify` then finds what is missing.)

mod compacting;
mod marking;
mod placing;
mod publishing;
mod segments;
mod state;

use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use arc_swap::ArcSwap;

use self::publishing::Pending;
use self::segments::Segments;
use crate::catalog::{Catalog, SegmentRecord};
use crate::disk::{Disk, is_full};
use crate::error::{Result, StorageError};
use crate::hot::Writer;
use crate::progress::Progress;
use crate::schema::TableSchema;
use crate::segment::DecodedColumns;
use crate::snapshot::{Part, Snapshot};

pub use self::compacting::Compacted;
pub use self::marking::Selection;
pub use self::publishing::Published;
pub(crate) use self::state::State;

/// What all datasources of a store share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) folder: PathBuf,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) catalog: Catalog,
    pub(crate) segment_rows_max: usize,
    pub(crate) settled_rows_min: usize,
    pub(crate) decoded: Arc<DecodedColumns>,
    /// Held exclusively while files that the catalog named are removed; shared by whoever reads them all.
    pub(crate) removals: RwLock<()>,
    /// The locked `LOCK`: a [`Datasource`] may outlive its store, and writes. Last, so that it is let go after the catalog.
    pub(crate) _lock: File,
}

/// One datasource of a [`crate::Store`].
#[derive(Debug)]
pub struct Datasource {
    name: Arc<str>,
    shared: Arc<Shared>,
    state: Arc<ArcSwap<State>>,
    writer: Mutex<Writer>,
    /// Held while segments change, so that the timeline and the catalog agree. Taken by [`Self::segments`].
    segments: Mutex<Segments>,
    /// Frozen rows that a publish has not finished. Held during a publish: there is one at a time.
    pending: Mutex<Option<Pending>>,
    /// Held during a compaction: there is one at a time.
    compacting: Mutex<()>,
    poison: Mutex<Option<String>>,
    /// Whether the datasource's folder is known to be there after a crash.
    has_folder: AtomicBool,
}

/// A segment that cannot answer for its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// What the catalog says of it.
    pub record: SegmentRecord,
    /// Which file, and what is wrong with it: the error of every query that needs it.
    pub reason: String,
}

/// A lock whose holder cannot leave it half-changed; see each use.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Datasource {
    pub(crate) fn new(
        name: &str,
        shared: Arc<Shared>,
        schema: Arc<TableSchema>,
        progress: Progress,
        records: Vec<SegmentRecord>,
    ) -> Self {
        let name: Arc<str> = name.into();
        let segments = Segments::new(&shared, records);
        let state = Arc::new(ArcSwap::from_pointee(State::new(&schema, segments.timeline())));
        let settled_rows_min = shared.settled_rows_min;
        let writer = Writer::new(Arc::clone(&name), Arc::clone(&state), schema, progress, settled_rows_min);
        Self {
            writer: Mutex::new(writer),
            name,
            shared,
            state,
            segments: Mutex::new(segments),
            pending: Mutex::new(None),
            compacting: Mutex::new(()),
            poison: Mutex::new(None),
            has_folder: AtomicBool::new(false),
        }
    }

    /// The datasource's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// All rows there are now, each exactly once. Never waits for the writer.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        let state = self.state.load();
        let hot = state.frozen.iter().chain(state.hot.iter()).cloned().map(Part::Hot);
        Arc::new(Snapshot {
            datasource: Arc::clone(&self.name),
            schema: Arc::clone(&state.schema),
            parts: state.sealed.iter().cloned().chain(hot).collect(),
            generation: state.generation,
        })
    }

    /// The single writer. Appends and publishes take turns here; hold it no longer than a batch takes.
    pub fn writer(&self) -> MutexGuard<'_, Writer> {
        lock(&self.writer)
    }

    /// Why ingestion has stopped, if it has. Reads go on.
    pub fn poisoned(&self) -> Option<String> {
        lock(&self.poison).clone()
    }

    /// The segments that queries need and that were found to be damaged, in order of time. Damage is found by the
    /// first query that meets it. Never waits for the writer.
    pub fn quarantined(&self) -> Vec<Quarantined> {
        let mut found: Vec<Quarantined> = Vec::new();
        for part in self.state.load().sealed.iter() {
            let Part::Segment(part) = part else { continue };
            let record = part.handle().record();
            // A segment may answer for several stretches of time.
            if found.iter().any(|known| known.record.id == record.id) {
                continue;
            }
            if let Some(reason) = part.handle().damage() {
                found.push(Quarantined { record: record.clone(), reason: reason.to_owned() });
            }
        }
        found
    }

    fn refuse_if_poisoned(&self) -> Result<()> {
        match self.poisoned() {
            Some(reason) => Err(StorageError::Poisoned { datasource: self.name.to_string(), reason }),
            None => Ok(()),
        }
    }

    /// Passes a result on, and stops all further writes where it says that the disk cannot be relied on.
    fn noted<T>(&self, result: Result<T>) -> Result<T> {
        if let Err(error) = &result
            && poisons(error)
        {
            lock(&self.poison).get_or_insert_with(|| error.to_string());
        }
        result
    }
}

/// Syncing a folder that stays, whatever becomes of the attempt.
const SYNC_ENTRIES: &str = "sync the entries of";

/// After these it is not known what the disk holds. See the head of the module.
fn poisons(error: &StorageError) -> bool {
    match error {
        StorageError::Io { action, source, .. } => {
            *action == SYNC_ENTRIES || (*action == "sync" && !is_full(source))
        }
        StorageError::Catalog { .. } => true,
        _ => false,
    }
}
