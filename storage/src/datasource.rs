//! One datasource: its writer, what it shows to queries, and how hot rows become segments.
//!
//! ```text
//!  publish:  freeze hot rows ─► write + sync segment folders under tmp/ ─► rename ─► sync folder
//!            ─► catalog commit (segments + offsets) ─► swap the state: segments in, frozen rows out
//! ```
//!
//! A crash before the commit leaves files that the catalog does not name (removed at the next start) and offsets
//! that lead back to the same rows; a crash after it leaves everything in place. Rows are visible throughout: hot,
//! then frozen, then sealed, never twice, because each step is one swap of [`State`].
//!
//! A call to the disk that fails, too, leaves the rows frozen and visible. What follows depends on what is known:
//!
//! * No room, or a file that cannot be made, written or renamed: nothing was committed. The files of the attempt
//!   are removed, and the next publish writes all of them anew. That holds for a sync of such a file that finds no
//!   room as well: the file is thrown away and no sync is ever tried again on it, so nothing rests on bytes that
//!   the kernel may have dropped.
//! * No room in the catalog: the commit is in doubt. The next publish looks it up first ([`Pending::in_doubt`]).
//! * Any other failure of a sync or of the catalog, and any of syncing a folder that stays: it is not known what
//!   is on disk, and asking again would prove nothing. The datasource is poisoned until the process starts anew
//!   and reads what is there. (Linux may show what it has failed to write until the machine starts anew as well;
//!   `verify` then finds what is missing.)

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use arc_swap::ArcSwap;

use crate::catalog::{Catalog, SegmentRecord};
use crate::disk::{Disk, is_full, remove_if_there};
use crate::error::{Result, StorageError};
use crate::hot::{Frozen, HotPart, Writer};
use crate::progress::Progress;
use crate::schema::{ColumnSpec, TableSchema};
use crate::seal::{Chunk, Sealing};
use crate::snapshot::{Part, SegmentHandle, SegmentPart, Snapshot, SnapshotSchema};
use crate::time::{Interval, format_instant};
use crate::timeline::visible_stretches;

/// What snapshots are taken from. Replaced as a whole, never changed.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) sealed: Arc<[Part]>,
    pub(crate) frozen: Arc<[HotPart]>,
    pub(crate) hot: Arc<[HotPart]>,
    pub(crate) current: Arc<TableSchema>,
    pub(crate) schema: Arc<SnapshotSchema>,
    pub(crate) generation: u64,
}

impl State {
    /// Recomputes the visible columns if `current` is another schema than before.
    pub(crate) fn refresh_schema(&mut self, current: &Arc<TableSchema>) {
        if !Arc::ptr_eq(&self.current, current) {
            self.current = Arc::clone(current);
            self.schema = schema_of(current, &self.sealed);
        }
    }
}

fn schema_of(current: &TableSchema, sealed: &[Part]) -> Arc<SnapshotSchema> {
    Arc::new(SnapshotSchema::union(Some(current), sealed.iter().map(Part::columns)))
}

/// What a publish did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Published {
    /// The ids of the new segments.
    pub segments: Vec<String>,
    /// The rows in them.
    pub rows: u64,
    /// The bytes of their files.
    pub size_bytes: u64,
}

impl Published {
    fn add(&mut self, other: Self) {
        self.segments.extend(other.segments);
        self.rows += other.rows;
        self.size_bytes += other.size_bytes;
    }
}

/// What all datasources of a store share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) folder: PathBuf,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) catalog: Catalog,
    pub(crate) segment_rows_max: usize,
    /// Held exclusively while files that the catalog named are removed; shared by whoever reads them all.
    pub(crate) removals: RwLock<()>,
}

/// One datasource of a [`crate::Store`].
#[derive(Debug)]
pub struct Datasource {
    name: Arc<str>,
    shared: Arc<Shared>,
    state: Arc<ArcSwap<State>>,
    writer: Mutex<Writer>,
    /// Used segments by id. Held while segments change, so that the timeline and the catalog agree.
    segments: Mutex<BTreeMap<String, Arc<SegmentHandle>>>,
    /// Frozen rows that a publish has not finished. Held during a publish: there is one at a time.
    pending: Mutex<Option<Pending>>,
    poison: Mutex<Option<String>>,
    /// Whether the datasource's folder is known to be there after a crash.
    has_folder: AtomicBool,
}

/// Rows on their way into segments.
#[derive(Debug)]
struct Pending {
    frozen: Frozen,
    /// The segments of a commit that failed and may have taken effect all the same.
    in_doubt: Vec<SegmentRecord>,
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
        let segments: BTreeMap<String, Arc<SegmentHandle>> =
            records.into_iter().map(|record| (record.id.clone(), handle(&shared, record))).collect();
        let sealed: Arc<[Part]> = timeline_of(&segments).into();
        let state = Arc::new(ArcSwap::from_pointee(State {
            schema: schema_of(&schema, &sealed),
            sealed,
            frozen: Arc::from([]),
            hot: Arc::from([]),
            current: Arc::clone(&schema),
            generation: 0,
        }));
        Self {
            writer: Mutex::new(Writer::new(Arc::clone(&name), Arc::clone(&state), schema, progress)),
            name,
            shared,
            state,
            segments: Mutex::new(segments),
            pending: Mutex::new(None),
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

    /// Moves all rows that are not in segments yet into segments, those that an earlier publish left behind
    /// included, and commits them together with the offsets they cover. Blocks while files are written and synced;
    /// appends go on meanwhile. With nothing hot, commits the offsets alone.
    ///
    /// # Errors
    /// A write that failed for want of space leaves the rows visible and is tried again by the next call. A failed
    /// sync or commit poisons the datasource: what is on disk is not known any more, so it takes no further rows.
    pub fn publish(&self, now_ms: i64) -> Result<Published> {
        let mut pending = lock(&self.pending);
        self.refuse_if_poisoned()?;
        crate::fail_point!("publish.begin");
        let mut published = Published::default();
        if pending.is_some() {
            published.add(self.publish_pending(&mut pending, now_ms)?);
        }
        *pending = Some(Pending { frozen: self.writer().freeze(), in_doubt: Vec::new() });
        crate::fail_point!("publish.frozen");
        published.add(self.publish_pending(&mut pending, now_ms)?);
        Ok(published)
    }

    fn publish_pending(&self, pending: &mut Option<Pending>, now_ms: i64) -> Result<Published> {
        // Taken out only when it is done: rows are not lost even if this panics.
        let Some(work) = pending.as_mut() else { return Ok(Published::default()) };
        let result = self.publish_frozen(work, now_ms);
        match &result {
            Ok(_) => *pending = None,
            Err(error) if poisons(error) => *lock(&self.poison) = Some(error.to_string()),
            Err(_) => {}
        }
        result
    }

    fn publish_frozen(&self, work: &mut Pending, now_ms: i64) -> Result<Published> {
        let catalog = &self.shared.catalog;
        let mut segments = lock(&self.segments);
        if let Some(published) = self.settle(work, &mut segments)? {
            return Ok(published);
        }
        let frozen = &work.frozen;
        if frozen.rows() == 0 {
            if !frozen.progress.partitions.is_empty()
                && catalog.progress(&self.name)?.as_ref() != Some(&frozen.progress)
            {
                catalog.publish(&[], &[], Some((&self.name, &frozen.progress)))?;
                crate::fail_point!("publish.offsets_stored");
            }
            return Ok(Published::default());
        }
        let mut records = Vec::new();
        if let Err(error) = self.write_segments(frozen, &segments, now_ms, &mut records) {
            if !poisons(&error) {
                self.discard(&records);
            }
            return Err(error);
        }
        crate::fail_point!("publish.before_commit");
        if let Err(error) = catalog.publish(&records, &[], Some((&self.name, &frozen.progress))) {
            work.in_doubt = records;
            return Err(error);
        }
        crate::fail_point!("publish.committed");
        Ok(self.take_over(records, &mut segments))
    }

    /// Finds out what became of a commit that failed. `Some` if it took effect: the rows are where they belong.
    fn settle(
        &self,
        work: &mut Pending,
        segments: &mut BTreeMap<String, Arc<SegmentHandle>>,
    ) -> Result<Option<Published>> {
        if work.in_doubt.is_empty() {
            return Ok(None);
        }
        let stored = self.shared.catalog.segments()?;
        let committed = work.in_doubt.iter().all(|record| stored.contains(record));
        let records = std::mem::take(&mut work.in_doubt);
        if committed {
            return Ok(Some(self.take_over(records, segments)));
        }
        self.discard(&records);
        Ok(None)
    }

    /// Committed segments take the place of the frozen rows.
    fn take_over(
        &self,
        records: Vec<SegmentRecord>,
        segments: &mut BTreeMap<String, Arc<SegmentHandle>>,
    ) -> Published {
        let published = Published {
            segments: records.iter().map(|record| record.id.clone()).collect(),
            rows: records.iter().map(|record| record.rows).sum(),
            size_bytes: records.iter().map(|record| record.size_bytes).sum(),
        };
        for record in records {
            segments.insert(record.id.clone(), handle(&self.shared, record));
        }
        self.show(segments, true);
        crate::fail_point!("handoff.shown");
        published
    }

    /// Removes the files of an attempt, so that a full disk is not filled further. What cannot be removed is
    /// overwritten by the next attempt or removed at the next start.
    fn discard(&self, records: &[SegmentRecord]) {
        for record in records {
            let folder = segment_folder(&self.shared.folder, &self.name, &record.id);
            if let Err(error) = remove_if_there(&*self.shared.disk, &folder) {
                tracing::warn!(folder = %folder.display(), %error, "cannot remove an unpublished segment");
            }
        }
    }

    /// Writes the segments of `frozen`, each into its place, and adds them to `records` one by one.
    fn write_segments(
        &self,
        frozen: &Frozen,
        segments: &BTreeMap<String, Arc<SegmentHandle>>,
        now_ms: i64,
        records: &mut Vec<SegmentRecord>,
    ) -> Result<()> {
        let sealing = Sealing::new(frozen)?;
        let mut chunks: VecDeque<Chunk> = sealing.chunks(self.shared.segment_rows_max).into();
        // Unused segments keep their files and ids until they are killed, so their numbers are taken too.
        let mut stored = self.shared.catalog.segments()?;
        stored.retain(|record| record.datasource == *self.name);
        let columns = shared_columns(&frozen.columns, segments);
        while let Some(chunk) = chunks.pop_front() {
            let place = next_partition(chunk.interval, &stored, now_ms);
            let record = match self.write_segment(&sealing, &chunk, place, &columns, now_ms) {
                Err(StorageError::SegmentTooLarge { .. }) if let Some(halves) = sealing.halves(&chunk) => {
                    halves.into_iter().rev().for_each(|half| chunks.push_front(half));
                    continue;
                }
                written => written?,
            };
            stored.push(record.clone());
            records.push(record);
        }
        Ok(())
    }

    /// Writes one segment and gives it its place. Not visible before the catalog names it.
    fn write_segment(
        &self,
        sealing: &Sealing<'_>,
        chunk: &Chunk,
        (version, partition_num): (String, u32),
        columns: &Arc<[ColumnSpec]>,
        now_ms: i64,
    ) -> Result<SegmentRecord> {
        let id = segment_id(&self.name, chunk.interval, &version, partition_num);
        let disk = &*self.shared.disk;
        let folder = segment_folder(&self.shared.folder, &self.name, &id);
        let temporary = self.shared.folder.join("tmp").join(folder_name(&id));
        remove_if_there(disk, &temporary).map_err(StorageError::io("remove", &temporary))?;
        crate::fail_point!("segment.begin");
        let written = match sealing.write(chunk, disk, &temporary, &self.name, &version) {
            Err(error) if !poisons(&error) => {
                // Only to give the room back.
                let _ = remove_if_there(disk, &temporary);
                return Err(error);
            }
            written => written?,
        };
        crate::fail_point!("segment.synced");
        let parent = self.make_folder()?;
        // An earlier attempt may have come as far as this; the catalog does not name the folder.
        remove_if_there(disk, &folder).map_err(StorageError::io("remove", &folder))?;
        disk.rename(&temporary, &folder).map_err(StorageError::io("rename", &temporary))?;
        crate::fail_point!("segment.renamed");
        disk.sync_folder(&parent).map_err(StorageError::io(SYNC_ENTRIES, &parent))?;
        crate::fail_point!("segment.in_place");
        Ok(SegmentRecord {
            id,
            datasource: self.name.to_string(),
            interval: chunk.interval,
            version,
            partition_num,
            rows: written.rows,
            size_bytes: written.size_bytes,
            min_time_ms: written.min_time_ms,
            max_time_ms: written.max_time_ms,
            columns: Arc::clone(columns),
            files: written.files,
            used: true,
            created_ms: now_ms,
        })
    }

    /// The folder of the datasource, there even after a crash.
    fn make_folder(&self) -> Result<PathBuf> {
        let disk = &*self.shared.disk;
        let root = self.shared.folder.join("segments");
        let folder = root.join(folder_name(&self.name));
        if !self.has_folder.load(Ordering::Acquire) {
            disk.create_folder(&folder).map_err(StorageError::io("create", &folder))?;
            // Also if it was there before: whoever made it may have died before this.
            disk.sync_folder(&root).map_err(StorageError::io(SYNC_ENTRIES, &root))?;
            self.has_folder.store(true, Ordering::Release);
        }
        Ok(folder)
    }

    /// Drops all unpublished rows and replaces the committed offsets: reading goes on from `progress`, or from
    /// wherever the caller decides when that is `None`.
    pub fn reset(&self, progress: Option<&Progress>) -> Result<()> {
        let mut pending = lock(&self.pending);
        if let Some(work) = pending.as_mut() {
            self.settle(work, &mut lock(&self.segments))?;
        }
        self.shared.catalog.set_progress(&self.name, progress)?;
        crate::fail_point!("reset.stored");
        let mut writer = self.writer();
        *pending = None;
        writer.clear_hot(progress.cloned().unwrap_or_default());
        let state = self.state.load_full();
        self.state.store(Arc::new(State {
            frozen: Arc::from([]),
            generation: state.generation + 1,
            ..State::clone(&state)
        }));
        crate::fail_point!("reset.cleared");
        Ok(())
    }

    /// Takes segments that lie inside `interval` (all, if `None`) out of use. Returns how many.
    pub(crate) fn mark_unused(&self, interval: Option<Interval>) -> Result<usize> {
        let mut segments = lock(&self.segments);
        let ids: Vec<String> = segments
            .values()
            .map(|handle| handle.record())
            .filter(|record| interval.is_none_or(|interval| interval.covers(record.interval)))
            .map(|record| record.id.clone())
            .collect();
        self.shared.catalog.set_used(&ids, false)?;
        crate::fail_point!("unused.stored");
        segments.retain(|id, _| !ids.contains(id));
        self.show(&segments, false);
        Ok(ids.len())
    }

    /// Puts unused segments that lie inside `interval` (all, if `None`) back into use. Returns how many.
    pub(crate) fn mark_used(&self, interval: Option<Interval>) -> Result<usize> {
        let mut segments = lock(&self.segments);
        let mut records = self.unused()?;
        records.retain(|record| interval.is_none_or(|interval| interval.covers(record.interval)));
        let ids: Vec<String> = records.iter().map(|record| record.id.clone()).collect();
        self.shared.catalog.set_used(&ids, true)?;
        for record in records {
            let record = SegmentRecord { used: true, ..record };
            segments.insert(record.id.clone(), handle(&self.shared, record));
        }
        self.show(&segments, false);
        Ok(ids.len())
    }

    /// Removes unused segments inside `interval` for good, first from the catalog, then from disk. Returns how
    /// many. Files that cannot be removed now are removed at the next start.
    pub(crate) fn kill(&self, interval: Interval) -> Result<usize> {
        // Held until the files are gone, so that no publish takes an id whose files are about to be removed.
        let _segments = lock(&self.segments);
        let _removing = self.shared.removals.write().unwrap_or_else(PoisonError::into_inner);
        let mut records = self.unused()?;
        records.retain(|record| interval.covers(record.interval));
        let ids: Vec<String> = records.into_iter().map(|record| record.id).collect();
        self.shared.catalog.remove_segments(&ids)?;
        crate::fail_point!("kill.forgotten");
        for id in &ids {
            // A query may still have the files mapped; unlinking does not disturb it.
            if let Err(error) = self.remove_files(id) {
                tracing::warn!(segment = id, %error, "cannot remove a killed segment; the next start will");
            }
        }
        Ok(ids.len())
    }

    /// Takes a segment's files away at once, then removes them one by one.
    fn remove_files(&self, id: &str) -> std::io::Result<()> {
        let disk = &*self.shared.disk;
        let doomed = self.shared.folder.join("tmp").join(folder_name(id));
        remove_if_there(disk, &doomed)?;
        match disk.rename(&segment_folder(&self.shared.folder, &self.name, id), &doomed) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
            renamed => renamed.and_then(|()| {
                crate::fail_point!("kill.moved");
                disk.remove(&doomed)
            }),
        }
    }

    fn unused(&self) -> Result<Vec<SegmentRecord>> {
        let mut records = self.shared.catalog.segments()?;
        records.retain(|record| record.datasource == *self.name && !record.used);
        Ok(records)
    }

    /// Swaps in the timeline of `segments`; frozen rows go when segments have taken their place.
    fn show(&self, segments: &BTreeMap<String, Arc<SegmentHandle>>, frozen_done: bool) {
        let sealed: Arc<[Part]> = timeline_of(segments).into();
        // The writer's lock orders this swap with the writer's own.
        let _writer = self.writer();
        let state = self.state.load_full();
        self.state.store(Arc::new(State {
            schema: schema_of(&state.current, &sealed),
            sealed,
            frozen: if frozen_done { Arc::from([]) } else { Arc::clone(&state.frozen) },
            generation: state.generation + 1,
            ..State::clone(&state)
        }));
    }

    fn refuse_if_poisoned(&self) -> Result<()> {
        match self.poisoned() {
            Some(reason) => Err(StorageError::Poisoned { datasource: self.name.to_string(), reason }),
            None => Ok(()),
        }
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

/// Rows join the version that their chunk already has; the first rows of a chunk begin one.
fn next_partition(interval: Interval, stored: &[SegmentRecord], now_ms: i64) -> (String, u32) {
    let of_chunk = || stored.iter().filter(|record| record.interval == interval);
    let version = of_chunk()
        .filter(|record| record.used)
        .map(|record| record.version.clone())
        .max()
        .unwrap_or_else(|| format_instant(now_ms));
    let taken =
        of_chunk().filter(|record| record.version == version).map(|record| record.partition_num + 1).max();
    (version, taken.unwrap_or(0))
}

/// Segments written with one schema share one list of columns.
fn shared_columns(
    columns: &Arc<[ColumnSpec]>,
    segments: &BTreeMap<String, Arc<SegmentHandle>>,
) -> Arc<[ColumnSpec]> {
    let mut known = segments.values().map(|handle| &handle.record().columns);
    Arc::clone(known.find(|known| *known == columns).unwrap_or(columns))
}

fn handle(shared: &Shared, record: SegmentRecord) -> Arc<SegmentHandle> {
    let folder = segment_folder(&shared.folder, &record.datasource, &record.id);
    Arc::new(SegmentHandle::new(record, folder, Arc::clone(&shared.disk)))
}

/// The visible stretches of all used segments, in order of time.
fn timeline_of(segments: &BTreeMap<String, Arc<SegmentHandle>>) -> Vec<Part> {
    let handles: Vec<&Arc<SegmentHandle>> = segments.values().collect();
    let keys: Vec<(Interval, &str)> =
        handles.iter().map(|handle| (handle.record().interval, handle.record().version.as_str())).collect();
    let mut parts: Vec<SegmentPart> = visible_stretches(&keys)
        .into_iter()
        .zip(&handles)
        .flat_map(|(stretches, handle)| {
            stretches.into_iter().map(|stretch| SegmentPart::new(Arc::clone(handle), stretch))
        })
        .collect();
    parts.sort_by_key(|part| (part.handle().record().min_time_ms, part.handle().record().partition_num));
    parts.into_iter().map(Part::Segment).collect()
}

/// Druid's segment id: `datasource_start_end_version`, and `_partition` unless that is 0.
pub(crate) fn segment_id(datasource: &str, interval: Interval, version: &str, partition_num: u32) -> String {
    let (start, end) = (format_instant(interval.start_ms), format_instant(interval.end_ms));
    let id = format!("{datasource}_{start}_{end}_{version}");
    if partition_num == 0 { id } else { format!("{id}_{partition_num}") }
}

/// Where a segment's files are: `segments/<datasource>/<segment id>`, both as [`folder_name`] writes them.
pub(crate) fn segment_folder(root: &std::path::Path, datasource: &str, id: &str) -> PathBuf {
    root.join("segments").join(folder_name(datasource)).join(folder_name(id))
}

/// A name as one path component: every byte that is not a letter, digit, `-`, `_` or `.` becomes `%XX`, and so does
/// a leading dot.
pub(crate) fn folder_name(name: &str) -> String {
    use std::fmt::Write;
    let mut text = String::with_capacity(name.len());
    for (at, byte) in name.bytes().enumerate() {
        let plain = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') || (byte == b'.' && at > 0);
        if plain {
            text.push(byte as char);
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_name_is_one_path_component_and_unlike_any_other() {
        assert_eq!(folder_name("EVENTS_GEO"), "EVENTS_GEO");
        assert_eq!(folder_name("../etc"), "%2E.%2Fetc");
        assert_eq!(folder_name("a:b%"), "a%3Ab%25");
    }

    #[test]
    fn a_segment_id_is_druids() {
        let day = Interval::new(0, 86_400_000);
        let id = segment_id("E", day, "2026-11-23T19:52:14.228Z", 0);
        assert_eq!(id, "E_1970-01-01T00:00:00.000Z_1970-01-02T00:00:00.000Z_2026-11-23T19:52:14.228Z");
        assert!(segment_id("E", day, "v", 3).ends_with("_v_3"));
    }
}
