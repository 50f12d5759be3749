//! Gaps: places where the offsets that are stored and the offsets that Kafka has do not meet.
//!
//! | cause | what Kafka did | `fail` | `earliest` | `latest` |
//! |---|---|---|---|---|
//! | retention passed | deleted messages that were not read yet | stops | goes on at its first | goes on at its end |
//! | beyond the end | has lost messages that were read, or never had the offset that was set | stops | the same | the same |
//! | topic made again | has another topic of this name | stops | reads it from its first | from its end |
//! | another cluster | is another cluster | stops | reads it from its first | from its end |
//! | partition removed | no longer lists a partition | stops | forgets its offset | the same |
//!
//! Each is an event: in the supervisor's status, in the log, and counted in `ovate_ingest_offset_gaps_total`. Events
//! of earlier processes are in the log only.

use serde::Serialize;

use super::options::OffsetPolicy;
use super::state::instant;

/// Why offsets do not meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum GapCause {
    /// The next offset is below the first that Kafka keeps: retention was faster, or messages were deleted.
    RetentionPassed,
    /// The next offset is above Kafka's end: the log was cut off, or an offset was set that never was.
    BeyondEnd,
    /// The topic was deleted and made again.
    TopicRecreated,
    /// The brokers are another cluster's.
    ClusterChanged,
    /// The partition is no longer there.
    PartitionRemoved,
}

impl GapCause {
    /// The label in the metrics.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::RetentionPassed => "retention_passed",
            Self::BeyondEnd => "beyond_end",
            Self::TopicRecreated => "topic_recreated",
            Self::ClusterChanged => "cluster_changed",
            Self::PartitionRemoved => "partition_removed",
        }
    }
}

/// What was done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum GapAction {
    /// Reading stopped: somebody has to decide.
    Stopped,
    /// Reading went on at the first message that Kafka has.
    ResumedAtEarliest,
    /// Reading went on at Kafka's end.
    ResumedAtLatest,
    /// The partition's offset was forgotten.
    Forgotten,
}

impl GapAction {
    /// What a policy does.
    pub(crate) fn of(policy: OffsetPolicy) -> Self {
        match policy {
            OffsetPolicy::Fail => Self::Stopped,
            OffsetPolicy::Earliest => Self::ResumedAtEarliest,
            OffsetPolicy::Latest => Self::ResumedAtLatest,
        }
    }

    /// The label in the metrics.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::ResumedAtEarliest => "resumed_at_earliest",
            Self::ResumedAtLatest => "resumed_at_latest",
            Self::Forgotten => "forgotten",
        }
    }
}

/// One partition's offsets that do not meet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OffsetGap {
    /// Kafka's partition.
    pub partition: i32,
    /// The offset that was to be read next.
    pub from: i64,
    /// The offset at which reading went on; where it stopped, the nearest one that Kafka has. `None` where there is
    /// none: the partition is gone, or offsets of another topic say nothing about this one.
    pub to: Option<i64>,
    /// When it was noticed.
    #[serde(serialize_with = "instant")]
    pub timestamp: i64,
    /// Why.
    pub cause: GapCause,
    /// What was done.
    pub action: GapAction,
    /// The same for people.
    pub reason: String,
}
