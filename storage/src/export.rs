//! `export`: published rows as Parquet files, for others to read.
//!
//! ```text
//!  segment, as far as it is visible ─► TARGET/<datasource>/<segment id>.parquet
//! ```
//!
//! The files are those of cold segments (`FORMAT.md`), without columns that only the store needs. Rows that a later
//! version of their chunk overshadows are left out, and so are rows that are not published yet.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, TimestampMillisecondArray};

use crate::disk::Disk;
use crate::error::{Result, StorageError};
use crate::names::folder_name;
use crate::schema::{COMPANION_PREFIX, ColumnSpec};
use crate::segment::{Segment, arrow_schema, parquet_file};
use crate::snapshot::{Part, SegmentPart};
use crate::store::sync_ancestors;
use crate::verify::WorkProgress;

/// What was exported.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ExportReport {
    /// Files.
    pub files: usize,
    /// Their rows.
    pub rows: u64,
}

impl crate::Store {
    /// Writes all rows of `datasources` that are published into the folder `target`, which must be empty or missing: a file
    /// for each segment. `progress` is called before each. May run while rows arrive and are published.
    ///
    /// After an error `target` may hold some of the files, each of them whole.
    pub fn export(
        &self,
        datasources: &[String],
        target: &Path,
        mut progress: impl FnMut(&WorkProgress<'_>),
    ) -> Result<ExportReport> {
        let disk = &*self.shared().disk;
        if !disk.list(target).map_err(StorageError::io("list", target))?.is_empty() {
            return Err(StorageError::NotEmpty { path: target.to_path_buf() });
        }
        let mut parts = Vec::new();
        for name in datasources {
            let datasource =
                self.datasource(name).ok_or_else(|| StorageError::UnknownDatasource(name.clone()))?;
            parts.extend(datasource.snapshot().parts.iter().filter_map(|part| match part {
                Part::Segment(part) => Some(part.clone()),
                Part::Hot(_) => None,
            }));
        }
        let records = parts.iter().map(|part| part.handle().record());
        let (segments, bytes) = (parts.len(), records.map(|record| record.size_bytes).sum());
        let (mut report, mut bytes_done) = (ExportReport::default(), 0);
        for (segments_done, part) in parts.iter().enumerate() {
            let record = part.handle().record();
            progress(&WorkProgress { segment: &record.id, segments_done, segments, bytes_done, bytes });
            bytes_done += record.size_bytes;
            let rows = export(disk, part, target)?;
            report.files += usize::from(rows > 0);
            report.rows += rows as u64;
        }
        if report.files > 0 {
            disk.sync_folder(target).map_err(StorageError::io("sync", target))?;
            sync_ancestors(disk, target)?;
        }
        Ok(report)
    }
}

/// Writes the visible rows of a segment. Returns how many.
pub(crate) fn export(disk: &dyn Disk, part: &SegmentPart, target: &Path) -> Result<usize> {
    let (handle, visible) = (part.handle(), part.visible());
    let record = handle.record();
    let time = handle.read(Segment::time)?;
    let from = time.values().partition_point(|&time| time < visible.start_ms);
    let to = time.values().partition_point(|&time| time < visible.end_ms);
    if from == to {
        return Ok(0);
    }
    let mut arrays: Vec<ArrayRef> =
        vec![Arc::new(TimestampMillisecondArray::new(time.values().slice(from, to - from), None))];
    let mut specs: Vec<&ColumnSpec> = Vec::new();
    for spec in record.columns.iter().filter(|spec| !spec.name.starts_with(COMPANION_PREFIX)) {
        if let Some(array) = handle.read(|segment| segment.column(&spec.name))? {
            arrays.push(array.slice(from, to - from));
            specs.push(spec);
        }
    }
    let described = (record.datasource.as_str(), record.interval, record.version.as_str());
    let schema = arrow_schema(described, &specs, &arrays)?;

    let folder = target.join(folder_name(&record.datasource));
    disk.create_folder(&folder).map_err(StorageError::io("create", &folder))?;
    // A segment of which a later one covers the middle is visible in two stretches.
    let stretch = if from == 0 { String::new() } else { format!(".{from}") };
    let path = folder.join(format!("{}{stretch}.parquet", folder_name(&record.id)));
    let unfinished = path.with_extension("unfinished");
    let mut file = disk.create(&unfinished).map_err(StorageError::io("create", &unfinished))?;
    parquet_file::write(&mut file, &unfinished, &schema, &arrays)?;
    file.sync().map_err(StorageError::io("sync", &unfinished))?;
    // Damage that was met while the rows were read has made zeros of them.
    handle.all_read()?;
    disk.rename(&unfinished, &path).map_err(StorageError::io("rename", &unfinished))?;
    disk.sync_folder(&folder).map_err(StorageError::io("sync", &folder))?;
    Ok(to - from)
}
