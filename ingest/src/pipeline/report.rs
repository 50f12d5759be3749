//! What the pipeline says about messages besides their rows: counts, and samples of what was wrong.

use std::fmt;

use ovate_storage::RowBatch;

/// A message of a stream.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// The bytes; `None` for a tombstone.
    pub payload: Option<&'a [u8]>,
    /// The key's bytes.
    pub key: Option<&'a [u8]>,
    /// Kafka's own time of the message.
    pub timestamp_ms: Option<i64>,
    /// Where it stands.
    pub partition: i32,
    /// Where it stands.
    pub offset: i64,
}

/// Why a message or a row of it did not become a row, or not in full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RejectReason {
    /// Not JSON, from the place named on.
    UnparseableJson,
    /// JSON, but not an object.
    NotAnObject,
    /// The time field is absent or NULL, and the spec gives no value for that.
    MissingTimestamp,
    /// The time field is not in the spec's format.
    UnparseableTimestamp,
    /// The time is outside of what Druid accepts.
    TimestampOutOfRange,
    /// Objects and lists are nested deeper than allowed.
    TooDeep,
    /// The message has more bytes than allowed.
    TooLarge,
    /// An object has more fields than allowed.
    TooManyFields,
    /// The message has no bytes: a tombstone.
    NoPayload,
    /// The time is before what the spec accepts.
    TooLate,
    /// The time is after what the spec accepts.
    TooEarly,
    /// The spec's filter does not match.
    FilteredOut,
    /// A value cannot be of its column's type; it is NULL, and the row is kept.
    UnconvertibleValue,
}

/// What a reason means for the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Druid's `unparseable`.
    Unparseable,
    /// Druid's `thrownAway`: nothing is wrong with it, it is not wanted.
    ThrownAway,
    /// Druid's `processedWithError`.
    ProcessedWithError,
}

impl RejectReason {
    /// Every reason.
    pub const ALL: [Self; 13] = [
        Self::UnparseableJson,
        Self::NotAnObject,
        Self::MissingTimestamp,
        Self::UnparseableTimestamp,
        Self::TimestampOutOfRange,
        Self::TooDeep,
        Self::TooLarge,
        Self::TooManyFields,
        Self::NoPayload,
        Self::TooLate,
        Self::TooEarly,
        Self::FilteredOut,
        Self::UnconvertibleValue,
    ];

    /// A word for metrics and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::UnparseableJson => "unparseable_json",
            Self::NotAnObject => "not_an_object",
            Self::MissingTimestamp => "missing_timestamp",
            Self::UnparseableTimestamp => "unparseable_timestamp",
            Self::TimestampOutOfRange => "timestamp_out_of_range",
            Self::TooDeep => "too_deep",
            Self::TooLarge => "too_large",
            Self::TooManyFields => "too_many_fields",
            Self::NoPayload => "no_payload",
            Self::TooLate => "too_late",
            Self::TooEarly => "too_early",
            Self::FilteredOut => "filtered_out",
            Self::UnconvertibleValue => "unconvertible_value",
        }
    }

    /// Under which of Druid's counts it falls.
    pub fn outcome(self) -> Outcome {
        match self {
            Self::NoPayload | Self::TooLate | Self::TooEarly | Self::FilteredOut => Outcome::ThrownAway,
            Self::UnconvertibleValue => Outcome::ProcessedWithError,
            _ => Outcome::Unparseable,
        }
    }
}

impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Druid's counts of a run of messages, and how often each reason occurred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Messages read.
    pub messages: u64,
    /// Bytes of their payloads.
    pub bytes: u64,
    /// Rows kept without any fault.
    pub processed: u64,
    /// Rows kept with a value that could not be converted.
    pub processed_with_error: u64,
    /// Rows refused.
    pub unparseable: u64,
    /// Rows not wanted: filtered out, late, early, tombstones.
    pub thrown_away: u64,
    /// Fields that discovery passed over because the datasource has as many columns as it may have.
    pub fields_not_discovered: u64,
    by_reason: [u64; RejectReason::ALL.len()],
}

impl Counts {
    /// How often a reason occurred. A row counts once for each.
    pub fn of(&self, reason: RejectReason) -> u64 {
        self.by_reason[reason as usize]
    }

    pub(super) fn add(&mut self, reason: RejectReason) {
        self.by_reason[reason as usize] += 1;
        match reason.outcome() {
            Outcome::Unparseable => self.unparseable += 1,
            Outcome::ThrownAway => self.thrown_away += 1,
            Outcome::ProcessedWithError => self.processed_with_error += 1,
        }
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.messages += other.messages;
        self.bytes += other.bytes;
        self.processed += other.processed;
        self.processed_with_error += other.processed_with_error;
        self.unparseable += other.unparseable;
        self.thrown_away += other.thrown_away;
        self.fields_not_discovered += other.fields_not_discovered;
        for (mine, theirs) in self.by_reason.iter_mut().zip(other.by_reason) {
            *mine += theirs;
        }
    }
}

/// A sample of what was wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Why.
    pub reason: RejectReason,
    /// What exactly.
    pub detail: String,
    /// The message, shortened.
    pub input: String,
    /// Where it stands.
    pub partition: i32,
    /// Where it stands.
    pub offset: i64,
}

/// Rows, and what is to be said about the messages that they came from.
#[derive(Debug, Default)]
pub struct Decoded {
    /// The rows, for the writer that was given.
    pub batch: RowBatch,
    /// How many of what.
    pub counts: Counts,
    /// Samples of unparseable messages and unconvertible values, at most [`super::Limits::samples_max`]. Rows that
    /// are merely not wanted are only counted.
    pub rejected: Vec<Rejected>,
}
