//! What can go wrong in ingestion: a specification that cannot be taken, and what a running supervisor meets.

/// Why a supervisor specification is refused. Every variant names the place in the JSON by its path, such as
/// `spec.dataSchema.timestampSpec.format`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpecError {
    /// A key that neither Druid nor this release knows.
    #[error("{path}: unknown key{}", hint(nearest.as_deref()))]
    UnknownKey {
        /// The key with its path.
        path: String,
        /// The known key of that place that is spelled most like it.
        nearest: Option<String>,
    },
    /// A value of another JSON type than the key takes.
    #[error("{path}: expected {expected}, found {found}")]
    WrongType {
        /// The key with its path.
        path: String,
        /// What the key takes.
        expected: String,
        /// What stands there, shortened.
        found: String,
    },
    /// A key that must be there.
    #[error("{path}: missing; expected {expected}")]
    Missing {
        /// The key with its path.
        path: String,
        /// What the key takes.
        expected: String,
    },
    /// Something that Druid has and this release does not.
    #[error("{path}: {what} is not supported; {instead}")]
    Unsupported {
        /// The key with its path.
        path: String,
        /// The thing, by Druid's name.
        what: String,
        /// What is supported, or what to do.
        instead: String,
    },
    /// A value of the right type that makes no sense.
    #[error("{path}: {reason}")]
    Invalid {
        /// The key with its path.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map(|name| format!("; did you mean {name:?}?")).unwrap_or_default()
}

impl SpecError {
    /// The place in the JSON that is at fault.
    pub fn path(&self) -> &str {
        match self {
            Self::UnknownKey { path, .. }
            | Self::WrongType { path, .. }
            | Self::Missing { path, .. }
            | Self::Unsupported { path, .. }
            | Self::Invalid { path, .. } => path,
        }
    }

    pub(crate) fn invalid(path: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Invalid { path: path.into(), reason: reason.into() }
    }
}

/// What goes wrong with supervisors.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IngestError {
    /// The specification is refused.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// There is no supervisor with this id.
    #[error("unknown supervisor {0}")]
    UnknownSupervisor(String),
    /// There is no task with this id.
    #[error("unknown task {0}")]
    UnknownTask(String),
    /// It is suspended already.
    #[error("supervisor {0} is already suspended")]
    AlreadySuspended(String),
    /// It is running already.
    #[error("supervisor {0} is already running")]
    AlreadyRunning(String),
    /// A request to set offsets that cannot be followed.
    #[error("resetOffsets: {0}")]
    BadOffsets(String),
    /// The store refused.
    #[error(transparent)]
    Storage(#[from] ovate_storage::StorageError),
    /// The operating system refused a thread, or one ended that should not have.
    #[error("thread {name}: {reason}")]
    Thread {
        /// The thread.
        name: String,
        /// What happened.
        reason: String,
    },
    /// All supervisors have been shut down.
    #[error("the supervisors are shut down")]
    ShutDown,
}
