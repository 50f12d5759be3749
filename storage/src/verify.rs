//! `verify`: reads everything there is and says what does not fit.
//!
//! Every byte of every segment against its checksums, every segment against what the catalog says of it, every
//! posting list against its column, every value in the catalog, and the files that nothing refers to. Changes
//! nothing. May run on a store in use: what a publish is writing at that moment shows as an orphan.

use std::fmt;
use std::path::PathBuf;

use crate::catalog::{Catalog, SegmentRecord};
use crate::datasource::Shared;
use crate::error::{Result, StorageError};
use crate::names::{segment_folder, segment_id};
use crate::orphans;
use crate::segment::{DecodedColumns, Segment};

/// What has been checked and found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Segments checked, used and unused.
    pub segments: usize,
    /// The rows that the catalog says they have.
    pub rows: u64,
    /// The bytes that the catalog says they have.
    pub bytes: u64,
    /// What does not fit, segments in the order of the catalog.
    pub findings: Vec<Finding>,
}

/// Something that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// A segment that cannot answer for its rows: queries that need it fail.
    Damaged {
        /// The segment's id.
        segment: String,
        /// Whether queries need it.
        used: bool,
        /// What is wrong with it.
        reason: String,
    },
    /// A value in the catalog that cannot be read, or contradicts another.
    Catalog {
        /// What is wrong with it.
        reason: String,
    },
    /// Files of ours that the catalog does not name. Harmless: they are removed at the next start.
    Orphan {
        /// Where they are.
        path: PathBuf,
    },
}

impl Finding {
    /// Whether something is lost, rather than left over.
    pub fn is_damage(&self) -> bool {
        !matches!(self, Self::Orphan { .. })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged { segment, used, reason } => {
                let used = if *used { "" } else { " (unused)" };
                write!(f, "damaged  {segment}{used}: {reason}")
            }
            Self::Catalog { reason } => write!(f, "catalog  {reason}"),
            Self::Orphan { path } => write!(f, "orphan   {}", path.display()),
        }
    }
}

impl VerifyReport {
    /// Whether nothing is damaged. There may be orphans.
    pub fn is_sound(&self) -> bool {
        !self.findings.iter().any(Finding::is_damage)
    }
}

/// How far a verification or a backup has come: what is about to be read, and what has been.
#[derive(Debug, Clone, Copy)]
pub struct WorkProgress<'a> {
    /// The segment whose turn it is.
    pub segment: &'a str,
    /// Segments done before it.
    pub segments_done: usize,
    /// All segments.
    pub segments: usize,
    /// Bytes of the segments done before it.
    pub bytes_done: u64,
    /// Bytes of all segments.
    pub bytes: u64,
}

/// Checks everything, and calls `progress` before each segment.
pub(crate) fn verify(shared: &Shared, mut progress: impl FnMut(&WorkProgress<'_>)) -> Result<VerifyReport> {
    let records = shared.catalog.segments()?;
    let bytes = records.iter().map(|record| record.size_bytes).sum();
    let rows = records.iter().map(|record| record.rows).sum();
    let mut report = VerifyReport { segments: records.len(), rows, bytes, findings: Vec::new() };
    let mut bytes_done = 0;
    for (segments_done, record) in records.iter().enumerate() {
        let segments = records.len();
        progress(&WorkProgress { segment: &record.id, segments_done, segments, bytes_done, bytes });
        bytes_done += record.size_bytes;
        let Err(error) = check_segment(shared, record) else { continue };
        // It may have been killed since the list was made.
        if shared.catalog.segments()?.iter().any(|still| still.id == record.id) {
            let (segment, used) = (record.id.clone(), record.used);
            report.findings.push(Finding::Damaged { segment, used, reason: error.to_string() });
        }
    }
    let reasons = records.iter().filter_map(contradiction).chain(unreadable(&shared.catalog));
    report.findings.extend(reasons.map(|reason| Finding::Catalog { reason }));
    let orphans = orphans::find(shared, &shared.catalog.segments()?)?;
    report.findings.extend(orphans.into_iter().map(|path| Finding::Orphan { path }));
    Ok(report)
}

fn check_segment(shared: &Shared, record: &SegmentRecord) -> Result<()> {
    let folder = segment_folder(&shared.folder, &record.datasource, &record.id);
    // Read once: nothing is kept.
    let segment = Segment::open(&*shared.disk, &folder, Some(&record.files), &DecodedColumns::new(0))?;
    segment.verify()?;
    let found = (segment.datasource(), segment.interval(), segment.version(), segment.rows() as u64);
    let expected = (record.datasource.as_str(), record.interval, record.version.as_str(), record.rows);
    let (min, max) = segment.time_range();
    let unknown = segment.columns().iter().find(|column| !record.columns.contains(column));
    let reason = if found != expected {
        format!("it holds {found:?}, the catalog says {expected:?}")
    } else if (min, max) != (record.min_time_ms, record.max_time_ms) {
        format!("its times are {min} to {max}, the catalog says otherwise")
    } else if let Some(column) = unknown {
        format!("the catalog does not know its column {}", column.name)
    } else {
        return Ok(());
    };
    Err(StorageError::damaged(&folder, reason))
}

/// What in a record cannot be true.
fn contradiction(record: &SegmentRecord) -> Option<String> {
    let SegmentRecord { id, interval, min_time_ms, max_time_ms, .. } = record;
    let named = segment_id(&record.datasource, *interval, &record.version, record.partition_num);
    if *id != named {
        Some(format!("segment {id} should be called {named}"))
    } else if !(interval.contains(*min_time_ms) && interval.contains(*max_time_ms)) {
        Some(format!("segment {id} has rows from {min_time_ms} to {max_time_ms}, outside of its interval"))
    } else {
        None
    }
}

/// The tables that cannot be read to their end.
fn unreadable(catalog: &Catalog) -> Vec<String> {
    let tables: [(&str, Result<()>); 7] = [
        ("datasources", catalog.datasources().map(drop)),
        ("offsets", catalog.all_progress().map(drop)),
        ("supervisors", catalog.supervisors().map(drop)),
        ("supervisor history", catalog.supervisor_history(None).map(drop)),
        ("rules", catalog.rules().map(drop)),
        ("offset events", catalog.offset_events(None).map(drop)),
        ("rule history", catalog.rule_history(None).map(drop)),
    ];
    tables.into_iter().filter_map(|(name, read)| Some(format!("{name}: {}", read.err()?))).collect()
}

impl crate::Store {
    /// Checks every segment, used and unused, everything the catalog says, and what is left over. Reads every byte:
    /// `progress` is called before each segment. What does not fit is in the report; an error means that it could
    /// not be made.
    pub fn verify(&self, progress: impl FnMut(&WorkProgress<'_>)) -> Result<VerifyReport> {
        verify(self.shared(), progress)
    }
}
