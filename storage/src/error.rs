//! What can go wrong in the store: one enum, with the path, id or offset that is concerned.

use std::path::{Path, PathBuf};

/// An error of the store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// A call to the file system failed.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried: a verb, such as `open`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A file's bytes are not what was written: checksum, length, magic or structure.
    #[error("{} is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// A file was written by a newer release.
    #[error("{} has format version {found}; this release reads up to {supported}", path.display())]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// The version it states.
        found: u32,
        /// The newest version that is known here.
        supported: u32,
    },
    /// The data folder is in use.
    #[error("the data folder {} is in use by process {pid}", path.display())]
    Locked {
        /// The data folder.
        path: PathBuf,
        /// The process that holds it, as it wrote itself down; `unknown` when it could not.
        pid: String,
    },
    /// The catalog refused a transaction.
    #[error("catalog: {action}: {source}")]
    Catalog {
        /// What was tried.
        action: &'static str,
        /// redb's reason.
        source: Box<redb::Error>,
    },
    /// An earlier failed sync left it unknown what is on disk; ingestion of the datasource has stopped.
    #[error("ingestion of {datasource} has stopped after a failed write: {reason}; restart to recover")]
    Poisoned {
        /// The datasource.
        datasource: String,
        /// The first failure.
        reason: String,
    },
    /// A batch does not continue where the last one ended.
    #[error(
        "offsets of {datasource}, topic {topic}, partition {partition} do not connect: stored {stored}, batch starts at {start}"
    )]
    OffsetGap {
        /// The datasource.
        datasource: String,
        /// The Kafka topic.
        topic: String,
        /// The Kafka partition.
        partition: i32,
        /// The next offset expected.
        stored: i64,
        /// The offset offered.
        start: i64,
    },
    /// A folder that must be empty is not.
    #[error("{} is not empty; a backup needs a folder of its own", path.display())]
    NotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// There is no such datasource.
    #[error("unknown datasource {0}")]
    UnknownDatasource(String),
    /// A name that could not be a file name, or that the store reserves.
    #[error("{kind} name {name:?} is not allowed: {reason}")]
    BadName {
        /// `datasource` or `column`.
        kind: &'static str,
        /// The name offered.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Rows do not fit the schema they are appended to.
    #[error("rows do not fit {datasource}: {reason}")]
    SchemaMismatch {
        /// The datasource.
        datasource: String,
        /// What does not fit.
        reason: String,
    },
    /// The rows do not fit into one segment; several are needed.
    #[error(
        "column {column} has {found} {unit}, a segment takes at most {max}; write the rows as several segments"
    )]
    SegmentTooLarge {
        /// The column that is too large.
        column: String,
        /// What was counted: `rows`, `values`, `bytes of text`, `bytes of posting lists`.
        unit: &'static str,
        /// How much there is.
        found: u64,
        /// How much fits.
        max: u64,
    },
    /// Arrow refused an array.
    #[error("arrow: {0}")]
    Arrow(#[from] arrow::error::ArrowError),
    /// A Parquet file could not be written or read.
    #[error("{0}")]
    Parquet(#[from] parquet::errors::ParquetError),
}

/// The result of a call to the store.
pub type Result<T, E = StorageError> = std::result::Result<T, E>;

impl StorageError {
    /// Wraps an I/O error with what was tried on which path.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { action, path, source }
    }

    /// A damage report.
    pub fn damaged(path: &Path, reason: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_path_buf(), reason: reason.into() }
    }
}
