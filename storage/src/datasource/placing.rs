//! How rows become files, and how files get their place.
//!
//! ```text
//!  write:  rows ─► tmp/<datasource>.<purpose>.<n>/, every file synced
//!  place:  numbers within chunk and version ─► rename to segments/<datasource>/<id>/ ─► sync that folder
//! ```
//!
//! Writing takes long and needs no lock, though a publish, of which there is one at a time, holds the one on segments
//! from the choice of chunks on. Placing is quick and happens under the lock on segments, since it is there
//! that a segment gets its number. Until the catalog names them, files in place are nothing but files.

use std::collections::{BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::segments::Segments;
use super::{Datasource, SYNC_ENTRIES, poisons};
use crate::catalog::SegmentRecord;
use crate::disk::remove_if_there;
use crate::error::{Result, StorageError};
use crate::hot::Frozen;
use crate::names::{folder_name, segment_folder, segment_id};
use crate::schema::ColumnSpec;
use crate::seal::{Chunk, Sealing};
use crate::segment::{Form, SegmentSummary};

/// A segment that is written and synced and has neither number nor place.
#[derive(Debug)]
pub(super) struct Unplaced {
    folder: PathBuf,
    chunk: crate::timeline::Chunk,
    written: SegmentSummary,
}

impl Datasource {
    /// Writes all rows of `sealing`, each chunk as one segment of `form`, or as several where it is too large for one.
    /// After an error nothing is left of them, unless it is one that poisons.
    pub(super) fn write(
        &self,
        sealing: &Sealing<'_>,
        chunks: Vec<Chunk>,
        form: Form,
        purpose: &str,
    ) -> Result<Vec<Unplaced>> {
        let disk = &*self.shared.disk;
        let mut chunks: VecDeque<Chunk> = chunks.into();
        let mut unplaced = Vec::new();
        while let Some(chunk) = chunks.pop_front() {
            let name = format!("{}.{purpose}.{}", folder_name(&self.name), unplaced.len());
            let folder = self.shared.folder.join("tmp").join(name);
            remove_if_there(disk, &folder).map_err(StorageError::io("remove", &folder))?;
            crate::fail_point!("segment.begin");
            match sealing.write(&chunk, form, disk, &folder, &self.name) {
                Ok(written) => {
                    crate::fail_point!("segment.synced");
                    unplaced.push(Unplaced { folder, chunk: chunk.place, written });
                }
                Err(StorageError::SegmentTooLarge { .. }) if let Some(halves) = sealing.halves(&chunk) => {
                    halves.into_iter().rev().for_each(|half| chunks.push_front(half));
                }
                Err(error) => {
                    if !poisons(&error) {
                        // Only to give the room back.
                        let _ = remove_if_there(disk, &folder);
                        self.discard_unplaced(&unplaced);
                    }
                    return Err(error);
                }
            }
        }
        Ok(unplaced)
    }

    /// Gives every segment its number and its place. After an error nothing is left of them, unless it is one that
    /// poisons.
    pub(super) fn place(
        &self,
        unplaced: &[Unplaced],
        frozen: &Frozen,
        segments: &Segments,
        now_ms: i64,
    ) -> Result<Vec<SegmentRecord>> {
        let mut records = Vec::new();
        if let Err(error) = self.place_each(unplaced, frozen, segments, now_ms, &mut records) {
            if !poisons(&error) {
                self.discard(&records);
                self.discard_unplaced(unplaced);
            }
            return Err(error);
        }
        Ok(records)
    }

    fn place_each(
        &self,
        unplaced: &[Unplaced],
        frozen: &Frozen,
        segments: &Segments,
        now_ms: i64,
        records: &mut Vec<SegmentRecord>,
    ) -> Result<()> {
        let disk = &*self.shared.disk;
        let columns = shared_columns(&frozen.columns, segments);
        let parent = self.make_folder()?;
        let mut taken = segments.doomed().to_vec();
        let mut looked_up = BTreeSet::new();
        for segment in unplaced {
            let first = segment_id(&self.name, segment.chunk.interval, &segment.chunk.version, 0);
            if !looked_up.contains(&first) {
                // Unused segments keep their files and ids until they are killed, so their numbers are taken too.
                taken.extend(self.shared.catalog.segments_from(&first)?);
                looked_up.insert(first);
            }
            let record = self.record(segment, &taken, &columns, frozen.schema.rollup, now_ms);
            let folder = segment_folder(&self.shared.folder, &self.name, &record.id);
            // An earlier attempt may have come as far as this; the catalog does not name the folder.
            remove_if_there(disk, &folder).map_err(StorageError::io("remove", &folder))?;
            disk.rename(&segment.folder, &folder).map_err(StorageError::io("rename", &segment.folder))?;
            crate::fail_point!("segment.renamed");
            taken.push(record.clone());
            records.push(record);
        }
        disk.sync_folder(&parent).map_err(StorageError::io(SYNC_ENTRIES, &parent))?;
        crate::fail_point!("segment.in_place");
        Ok(())
    }

    fn record(
        &self,
        segment: &Unplaced,
        taken: &[SegmentRecord],
        columns: &Arc<[ColumnSpec]>,
        rollup: bool,
        now_ms: i64,
    ) -> SegmentRecord {
        let Unplaced { chunk, written, .. } = segment;
        let same = taken.iter().filter(|taken| {
            *taken.datasource == *self.name
                && taken.interval == chunk.interval
                && taken.version == chunk.version
        });
        let partition_num = same.map(|record| record.partition_num + 1).max().unwrap_or(0);
        SegmentRecord {
            id: segment_id(&self.name, chunk.interval, &chunk.version, partition_num),
            datasource: self.name.to_string(),
            interval: chunk.interval,
            version: chunk.version.clone(),
            partition_num,
            rows: written.rows,
            size_bytes: written.size_bytes,
            min_time_ms: written.min_time_ms,
            max_time_ms: written.max_time_ms,
            columns: Arc::clone(columns),
            rollup,
            files: written.files,
            used: true,
            created_ms: now_ms,
        }
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

    /// Removes the files of an attempt, so that a full disk is not filled further. What cannot be removed is
    /// overwritten by the next attempt or removed at the next start.
    pub(super) fn discard(&self, records: &[SegmentRecord]) {
        let root = &self.shared.folder;
        self.discard_folders(records.iter().map(|record| segment_folder(root, &self.name, &record.id)));
    }

    /// As [`Self::discard`], of segments without a place.
    pub(super) fn discard_unplaced(&self, unplaced: &[Unplaced]) {
        self.discard_folders(unplaced.iter().map(|segment| segment.folder.clone()));
    }

    fn discard_folders(&self, folders: impl Iterator<Item = PathBuf>) {
        for folder in folders {
            if let Err(error) = remove_if_there(&*self.shared.disk, &folder) {
                tracing::warn!(folder = %folder.display(), %error, "cannot remove an unpublished segment");
            }
        }
    }
}

/// Segments written with one schema share one list of columns.
fn shared_columns(columns: &Arc<[ColumnSpec]>, segments: &Segments) -> Arc<[ColumnSpec]> {
    let mut known = segments.used.values().map(|handle| &handle.record().columns);
    Arc::clone(known.find(|known| *known == columns).unwrap_or(columns))
}
