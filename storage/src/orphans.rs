//! Orphans: files in the data folder that the catalog does not name.
//!
//! A crash between writing a segment and committing it leaves them, and so does one between killing a segment and
//! removing its files. They hold nothing that the store has promised to keep. Only what looks like our own is ever
//! taken for one: everything under `tmp/`, and in `segments/<datasource>/` folders that hold a segment's files, or
//! some of them, and nothing else.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::catalog::SegmentRecord;
use crate::datasource::Shared;
use crate::disk::Disk;
use crate::error::{Result, StorageError};
use crate::names::segment_folder;
use crate::segment::{Form, INDEX_FILE};

/// The orphans of a data folder whose catalog has `records`, sorted.
pub(crate) fn find(shared: &Shared, records: &[SegmentRecord]) -> Result<Vec<PathBuf>> {
    let disk = &*shared.disk;
    let named: HashSet<PathBuf> =
        records.iter().map(|record| segment_folder(&shared.folder, &record.datasource, &record.id)).collect();
    let mut orphans = list(disk, &shared.folder.join("tmp"))?;
    for datasource in list(disk, &shared.folder.join("segments"))? {
        // A file that someone put there cannot be listed.
        for folder in disk.list(&datasource).unwrap_or_default() {
            if !named.contains(&folder) && is_ours(disk, &datasource, &folder) {
                orphans.push(folder);
            }
        }
    }
    Ok(orphans)
}

/// Removes what a crash left behind. An orphan that cannot be removed is left: it does no harm.
pub(crate) fn remove(shared: &Shared) -> Result<()> {
    for path in find(shared, &shared.catalog.segments()?)? {
        match shared.disk.remove(&path) {
            Ok(()) => tracing::info!(path = %path.display(), "removed what was never published"),
            Err(error) => tracing::warn!(path = %path.display(), %error, "cannot remove an orphan"),
        }
    }
    Ok(())
}

fn list(disk: &dyn Disk, path: &Path) -> Result<Vec<PathBuf>> {
    disk.list(path).map_err(StorageError::io("list", path))
}

/// Whether a folder holds a segment's files and nothing else; an empty one must bear a segment's name.
fn is_ours(disk: &dyn Disk, datasource: &Path, folder: &Path) -> bool {
    let Ok(entries) = disk.list(folder) else { return false };
    let names = [Form::Arrow.data_file(), Form::Parquet.data_file(), INDEX_FILE];
    let known =
        |path: &PathBuf| path.file_name().is_some_and(|name| names.iter().any(|known| name == *known));
    let (Some(prefix), Some(name)) = (datasource.file_name(), folder.file_name()) else { return false };
    let mut start = prefix.as_encoded_bytes().to_vec();
    start.push(b'_');
    let named = name.as_encoded_bytes().starts_with(&start);
    entries.iter().all(known) && (named || !entries.is_empty())
}
