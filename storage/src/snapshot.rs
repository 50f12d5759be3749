//! What a query sees of a datasource: all rows of one moment, each exactly once, sealed and hot alike.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use arrow::array::{ArrayRef, Int64Array};

use crate::catalog::SegmentRecord;
use crate::datasource::Shared;
use crate::disk::Disk;
use crate::error::{Result, StorageError};
use crate::hot::HotPart;
use crate::names::segment_folder;
use crate::schema::{COMPANION_PREFIX, ColumnSpec, ColumnType, TIME_COLUMN, TableSchema};
use crate::segment::{BlockStats, DecodedColumns, Postings, Segment};
use crate::time::{Granularity, Interval, format_instant};

/// All rows of a datasource at one moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The datasource's name.
    pub datasource: Arc<str>,
    /// Every column that some row may have.
    pub schema: Arc<SnapshotSchema>,
    /// Where the rows are. Sealed parts come first, in order of time.
    pub parts: Vec<Part>,
    /// Larger for a later snapshot of the same datasource.
    pub generation: u64,
}

/// The columns of a snapshot besides `__time`: those of the current schema, then those that only older segments
/// have. Hidden columns are not among them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SnapshotSchema {
    /// In the order of `SELECT *`, which puts `__time` first.
    pub columns: Vec<ColumnSpec>,
}

impl SnapshotSchema {
    /// The current schema, completed by what segments hold. A column that some segment holds with several values
    /// is multi-value for all; of two types the current one wins, between segments the wider one.
    pub(crate) fn union<'a>(
        current: Option<&TableSchema>,
        segments: impl Iterator<Item = &'a [ColumnSpec]>,
    ) -> Self {
        let mut columns: Vec<ColumnSpec> = current.map(|schema| schema.columns.clone()).unwrap_or_default();
        let current_count = columns.len();
        let mut at: HashMap<String, usize> =
            columns.iter().enumerate().map(|(i, column)| (column.name.clone(), i)).collect();
        let mut seen: Option<*const ColumnSpec> = None;
        for specs in segments {
            // Segments written with one schema share one list; no need to look at it again.
            if seen == Some(specs.as_ptr()) {
                continue;
            }
            seen = Some(specs.as_ptr());
            for spec in specs.iter().filter(|spec| !spec.name.starts_with(COMPANION_PREFIX)) {
                let i = *at.entry(spec.name.clone()).or_insert_with(|| {
                    columns.push(spec.clone());
                    columns.len() - 1
                });
                let known = &mut columns[i];
                known.multi_value |= spec.multi_value && known.column_type == ColumnType::String;
                if i >= current_count {
                    known.column_type = wider(known.column_type, spec.column_type);
                }
            }
        }
        Self { columns }
    }
}

fn wider(a: ColumnType, b: ColumnType) -> ColumnType {
    use ColumnType::{Double, Float, Long, String};
    match (a, b) {
        _ if a == b => a,
        (String, _) | (_, String) => String,
        (Double, _) | (_, Double) | (Long, Float) | (Float, Long) => Double,
        _ => a,
    }
}

/// A piece of a snapshot that answers for some of its rows. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Part {
    /// Rows of a published segment.
    Segment(SegmentPart),
    /// Rows that just arrived.
    Hot(HotPart),
}

/// A published segment, opened by the first query that needs it.
#[derive(Debug, Clone)]
pub struct SegmentPart {
    handle: Arc<SegmentHandle>,
    visible: Interval,
}

/// One segment of the catalog and its files. Shared by all snapshots that see it.
#[derive(Debug)]
pub struct SegmentHandle {
    record: SegmentRecord,
    folder: PathBuf,
    disk: Arc<dyn Disk>,
    decoded: Arc<DecodedColumns>,
    /// The segment, or why it can never be opened.
    opened: OnceLock<Result<Segment, String>>,
    serial: u64,
}

/// A number that was never given before in this process.
pub(crate) fn next_serial() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed)
}

impl SegmentHandle {
    pub(crate) fn new(record: SegmentRecord, shared: &Shared) -> Self {
        let folder = segment_folder(&shared.folder, &record.datasource, &record.id);
        let (disk, decoded) = (Arc::clone(&shared.disk), Arc::clone(&shared.decoded));
        Self { record, folder, disk, decoded, opened: OnceLock::new(), serial: next_serial() }
    }

    /// What the catalog says of it.
    pub fn record(&self) -> &SegmentRecord {
        &self.record
    }

    /// Where its files are.
    pub fn folder(&self) -> &std::path::Path {
        &self.folder
    }

    /// The segment, mapped. A segment that is damaged stays so: every query that needs it is told the same. A call
    /// to the disk that fails is tried again by the next query: too many open files are not damage.
    pub fn open(&self) -> Result<&Segment> {
        if let Some(reason) = self.damage() {
            return Err(self.damaged(reason));
        }
        if let Some(Ok(segment)) = self.opened.get() {
            return Ok(segment);
        }
        let opened = match Segment::open(&*self.disk, &self.folder, Some(&self.record.files), &self.decoded) {
            Err(StorageError::Io { source, action, path }) if source.kind() != ErrorKind::NotFound => {
                return Err(StorageError::Io { action, path, source });
            }
            opened => opened.map_err(|error| error.to_string()),
        };
        self.opened.get_or_init(|| opened).as_ref().map_err(|reason| self.damaged(reason))
    }

    /// What was found to be wrong with the segment's files, if anything was. A segment is in quarantine from then on
    /// until the process starts anew: whatever needs it fails, even where its bytes are sound.
    pub fn damage(&self) -> Option<&str> {
        match self.opened.get()? {
            Ok(segment) => segment.damage(),
            Err(reason) => Some(reason),
        }
    }

    /// Reads of the segment. Damage that this or anybody finds is named in the same words ever after.
    pub(crate) fn read<'a, T>(&'a self, call: impl FnOnce(&'a Segment) -> Result<T>) -> Result<T> {
        let result = call(self.open()?);
        match self.damage() {
            Some(reason) => Err(self.damaged(reason)),
            None => result,
        }
    }

    /// An error if the segment was found to be damaged after it was opened. To be asked when everything that is used of
    /// it has been read: a mapped file that somebody cuts off, or that the disk cannot give, reads as zeros.
    pub fn all_read(&self) -> Result<()> {
        self.damage().map_or(Ok(()), |reason| Err(self.damaged(reason)))
    }

    fn damaged(&self, reason: &str) -> StorageError {
        StorageError::damaged(&self.folder, format!("segment {}: {reason}", self.record.id))
    }
}

impl SegmentPart {
    pub(crate) fn new(handle: Arc<SegmentHandle>, visible: Interval) -> Self {
        Self { handle, visible }
    }

    /// The segment's record and files.
    pub fn handle(&self) -> &Arc<SegmentHandle> {
        &self.handle
    }

    /// As [`Part::visible`].
    pub(crate) fn visible(&self) -> Interval {
        self.visible
    }
}

impl Part {
    /// The segment's id, or `hot`.
    pub fn id(&self) -> &str {
        match self {
            Self::Segment(part) => &part.handle.record.id,
            Self::Hot(_) => "hot",
        }
    }

    /// As [`SegmentHandle::all_read`]; nothing is lost of rows in memory.
    pub fn all_read(&self) -> Result<()> {
        match self {
            Self::Segment(part) => part.handle.all_read(),
            Self::Hot(_) => Ok(()),
        }
    }

    /// The number of rows stored, before any clipping to [`Self::visible`].
    pub fn rows(&self) -> usize {
        match self {
            Self::Segment(part) => part.handle.record.rows as usize,
            Self::Hot(part) => part.rows(),
        }
    }

    /// Bytes on disk or in memory.
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Segment(part) => part.handle.record.size_bytes,
            Self::Hot(part) => part.bytes() as u64,
        }
    }

    /// Least and greatest `__time` stored, both inclusive.
    pub fn time_range(&self) -> (i64, i64) {
        match self {
            Self::Segment(part) => (part.handle.record.min_time_ms, part.handle.record.max_time_ms),
            Self::Hot(part) => part.time_range(),
        }
    }

    /// Rows outside are overshadowed by a later version and must not be read.
    pub fn visible(&self) -> Interval {
        match self {
            Self::Segment(part) => part.visible,
            Self::Hot(_) => Interval::new(i64::MIN, i64::MAX),
        }
    }

    /// A number that no other rows have as long as the process runs. `None`: rows that have yet to find their final
    /// form, and those of a damaged segment, of which nothing may be known from before.
    pub fn serial(&self) -> Option<u64> {
        match self {
            Self::Segment(part) => part.handle.damage().is_none().then_some(part.handle.serial),
            Self::Hot(part) => part.serial(),
        }
    }

    /// Whether rows are in order of `__time`.
    pub fn sorted_by_time(&self) -> bool {
        match self {
            Self::Segment(_) => true,
            Self::Hot(part) => part.sorted_by_time(),
        }
    }

    /// `__time`, in milliseconds, without NULLs.
    pub fn time(&self) -> Result<Int64Array> {
        match self {
            Self::Segment(part) => part.handle.read(Segment::time),
            Self::Hot(part) => Ok(part.time()),
        }
    }

    /// A column in its physical form: a dictionary array, plain text, numbers, or a list of one of these. `None`:
    /// the part has no such column, which reads as NULL. No copy is made and repeated calls are cheap.
    pub fn column(&self, name: &str) -> Result<Option<ArrayRef>> {
        match self {
            Self::Segment(part) => part.handle.read(|segment| segment.column(name)),
            Self::Hot(part) => part.column(name),
        }
    }

    /// Every column but `__time`, hidden ones included.
    pub fn columns(&self) -> &[ColumnSpec] {
        match self {
            Self::Segment(part) => &part.handle.record.columns,
            Self::Hot(part) => part.columns(),
        }
    }

    /// How a column was declared when these rows were written.
    pub fn column_spec(&self, name: &str) -> Option<&ColumnSpec> {
        self.columns().iter().find(|spec| spec.name == name)
    }

    /// Posting lists of a sealed string column that has a bitmap index.
    pub fn postings(&self, name: &str) -> Result<Option<Postings>> {
        match self {
            Self::Segment(part) => part.handle.read(|segment| segment.postings(name)),
            Self::Hot(_) => Ok(None),
        }
    }

    /// Statistics per [`crate::BLOCK_ROWS`] rows of a sealed column, `__time` included.
    pub fn blocks(&self, name: &str) -> Result<Option<&[BlockStats]>> {
        match self {
            Self::Segment(part) => part.handle.read(|segment| segment.blocks(name)),
            Self::Hot(_) => Ok(None),
        }
    }
}

/// The version under which rows that are not published yet are listed.
pub const HOT_VERSION: &str = "hot";

/// Rows that are not published yet, as the one segment that they are listed as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HotSegment {
    /// Like a segment's id, with [`HOT_VERSION`].
    pub id: String,
    /// Where the rows lie.
    pub interval: Interval,
    /// Their number.
    pub rows: usize,
    /// Memory of the rows, dictionaries not included.
    pub size_bytes: u64,
}

impl Snapshot {
    /// The declared form of a column; `None` for `__time` and for unknown names.
    pub fn column(&self, name: &str) -> Option<&ColumnSpec> {
        (name != TIME_COLUMN).then(|| self.schema.columns.iter().find(|c| c.name == name)).flatten()
    }

    /// The number of rows stored.
    pub fn rows(&self) -> usize {
        self.parts.iter().map(Part::rows).sum()
    }

    /// The rows that are not published yet, over their time chunks; without `granularity`, over the times that they
    /// have. `None`: there are no such rows.
    pub fn hot_segment(&self, granularity: Option<&Granularity>) -> Option<HotSegment> {
        let hot = || self.parts.iter().filter(|part| matches!(part, Part::Hot(_)) && part.rows() > 0);
        let first_ms = hot().map(|part| part.time_range().0).min()?;
        let last_ms = hot().map(|part| part.time_range().1).max()?;
        let interval = match granularity {
            Some(chunk) => Interval::new(chunk.bucket(first_ms).start_ms, chunk.bucket(last_ms).end_ms),
            None => Interval::new(first_ms, last_ms.saturating_add(1)),
        };
        let [start, end] = [interval.start_ms, interval.end_ms].map(format_instant);
        Some(HotSegment {
            id: format!("{}_{start}_{end}_{HOT_VERSION}", self.datasource),
            interval,
            rows: hot().map(Part::rows).sum(),
            size_bytes: hot().map(Part::bytes).sum(),
        })
    }
}
