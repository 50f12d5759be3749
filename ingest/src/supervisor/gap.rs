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
//! Each is an event: in the supervisor's status, in the log, and counted in `ovate_ingest_offset_gaps_total`. The last
//! hundred are kept in the catalog, in the commit that has moved the offsets. A stop moves none; one that a later
//! process finds as it was left is no other event.

use ovate_storage::time::Zone;
use ovate_storage::time::parse::parse_iso;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::options::OffsetPolicy;
use super::state::instant;

/// Why offsets do not meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    #[serde(serialize_with = "instant", deserialize_with = "from_instant")]
    pub timestamp: i64,
    /// Why.
    pub cause: GapCause,
    /// What was done.
    pub action: GapAction,
    /// The same for people.
    pub reason: String,
}

fn from_instant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_iso(&text, Zone::UTC).ok_or_else(|| serde::de::Error::custom(format!("{text:?} is not an instant")))
}

impl OffsetGap {
    /// Whether the last of `told` about this partition says the same.
    pub(crate) fn is_told(&self, told: &[Self]) -> bool {
        let what = |gap: &Self| (gap.from, gap.to, gap.cause, gap.action);
        let last = told.iter().rfind(|gap| gap.partition == self.partition);
        last.is_some_and(|last| what(last) == what(self))
    }
}

/// The gaps as they are kept in the catalog: as the status shows them.
pub(crate) fn events_of(gaps: &[OffsetGap]) -> Vec<Value> {
    // None of its fields can fail to become JSON.
    gaps.iter().filter_map(|gap| serde_json::to_value(gap).ok()).collect()
}

/// A gap that was kept. One that this release cannot read is said in the log and left where it is.
pub(crate) fn stored_gap(supervisor: &str, event: Value) -> Option<OffsetGap> {
    let read = OffsetGap::deserialize(&event);
    read.inspect_err(|error| tracing::warn!(supervisor, %event, %error, "cannot read a gap that was kept"))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_comes_back_as_it_was_kept() {
        let gap = OffsetGap {
            partition: 3,
            from: 7,
            to: None,
            timestamp: 1_795_428_000_123,
            cause: GapCause::TopicRecreated,
            action: GapAction::ResumedAtEarliest,
            reason: "another topic".into(),
        };
        let kept = events_of(std::slice::from_ref(&gap));
        assert_eq!(kept[0]["timestamp"], "2026-11-23T10:00:00.123Z");
        assert_eq!(stored_gap("S", kept[0].clone()), Some(gap.clone()));
        assert_eq!(stored_gap("S", serde_json::json!({"cause": "A_LATER_ONE"})), None);
        let again = OffsetGap { timestamp: 0, reason: "later".into(), ..gap.clone() };
        let other = OffsetGap { from: 8, ..gap.clone() };
        assert!(again.is_told(std::slice::from_ref(&gap)) && !gap.is_told(&[gap.clone(), other]));
    }
}
