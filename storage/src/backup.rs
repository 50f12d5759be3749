//! `backup`: a copy of the store as one commit left it, segments and offsets alike, while work goes on.
//!
//! ```text
//!  one read of the catalog ─► link or copy the files of its segments, synced ─► a new catalog with what was read
//! ```
//!
//! The catalog comes last, so that a folder with a catalog is a whole backup. Files are linked where the file system
//! allows it, which takes no room and hardly any time: segments are never changed, only unlinked. Rows that are not
//! published yet are not in the backup, and neither are their offsets: a restored store reads them again. To
//! restore, open the backup, or a copy of it, as a data folder.

use std::path::Path;
use std::sync::PoisonError;

use crate::catalog::Catalog;
use crate::datasource::Shared;
use crate::disk::Disk;
use crate::error::{Result, StorageError};
use crate::names::segment_folder;
use crate::segment::INDEX_FILE;
use crate::store::sync_ancestors;
use crate::verify::WorkProgress;

/// What a backup holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BackupReport {
    /// Segments, used and unused.
    pub segments: usize,
    /// Their rows.
    pub rows: u64,
    /// Their bytes, which are shared with the store where files could be linked.
    pub bytes: u64,
}

impl crate::Store {
    /// Writes what is committed at this moment into the folder `target`, which must be empty or missing. May run
    /// while rows arrive and are published. `progress` is called before each segment.
    ///
    /// After an error `target` may hold files; it is not a backup, and can be removed.
    pub fn backup(&self, target: &Path, progress: impl FnMut(&WorkProgress<'_>)) -> Result<BackupReport> {
        backup(self.shared(), target, progress)
    }
}

fn backup(
    shared: &Shared,
    target: &Path,
    mut progress: impl FnMut(&WorkProgress<'_>),
) -> Result<BackupReport> {
    let disk = &*shared.disk;
    if !disk.list(target).map_err(StorageError::io("list", target))?.is_empty() {
        return Err(StorageError::NotEmpty { path: target.to_path_buf() });
    }
    // No file that the catalog names now is removed before it has been linked.
    let _kept = shared.removals.read().unwrap_or_else(PoisonError::into_inner);
    let contents = shared.catalog.contents()?;
    let records = &contents.segments;
    let report = BackupReport {
        segments: records.len(),
        rows: records.iter().map(|record| record.rows).sum(),
        bytes: records.iter().map(|record| record.size_bytes).sum(),
    };
    let root = target.join("segments");
    create(disk, &root)?;
    let mut bytes_done = 0;
    for (segments_done, record) in records.iter().enumerate() {
        let (segments, bytes) = (report.segments, report.bytes);
        progress(&WorkProgress { segment: &record.id, segments_done, segments, bytes_done, bytes });
        bytes_done += record.size_bytes;
        let from = segment_folder(&shared.folder, &record.datasource, &record.id);
        let to = segment_folder(target, &record.datasource, &record.id);
        create(disk, &to)?;
        for file in [record.files.form.data_file(), INDEX_FILE] {
            disk.link(&from.join(file), &to.join(file))
                .map_err(StorageError::io("copy", &from.join(file)))?;
        }
        sync(disk, &to)?;
        crate::fail_point!("backup.linked");
    }
    for folder in disk.list(&root).map_err(StorageError::io("list", &root))? {
        sync(disk, &folder)?;
    }
    sync(disk, &root)?;
    sync(disk, target)?;
    sync_ancestors(disk, target)?;
    crate::fail_point!("backup.before_catalog");
    Catalog::create(&shared.disk, &target.join("catalog.redb"), &contents)?;
    crate::fail_point!("backup.done");
    Ok(report)
}

fn create(disk: &dyn Disk, folder: &Path) -> Result<()> {
    disk.create_folder(folder).map_err(StorageError::io("create", folder))
}

fn sync(disk: &dyn Disk, folder: &Path) -> Result<()> {
    disk.sync_folder(folder).map_err(StorageError::io("sync", folder))
}
