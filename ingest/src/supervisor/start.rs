//! Where reading starts: a pure decision over what is stored, what Kafka has, and the policy.
//!
//! | stored for the partition | stored for the topic | starts at |
//! |---|---|---|
//! | in range | | the stored offset |
//! | out of range | | by policy: nowhere (fail), Kafka's first, Kafka's end; a gap is counted |
//! | nothing | nothing | Kafka's first or end, as `useEarliestOffset` says |
//! | nothing | something | Kafka's first: the partition was added later, so none of it was meant to be skipped |

use std::collections::BTreeMap;

use serde::Serialize;

use super::options::OffsetPolicy;
use super::state::instant;
use crate::kafka::Watermarks;

/// Messages that were never read, because Kafka no longer had them or because another stream took their place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OffsetGap {
    /// Kafka's partition.
    pub partition: i32,
    /// The offset that was to be read next.
    pub expected: i64,
    /// The offset that reading went on at.
    pub resumed: i64,
    /// When.
    #[serde(serialize_with = "instant")]
    pub timestamp: i64,
    /// Why.
    pub reason: String,
}

/// Where to start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) offsets: BTreeMap<i32, i64>,
    pub(crate) gaps: Vec<OffsetGap>,
}

/// What the specification and the options say about starting.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StartRules {
    pub(crate) earliest: bool,
    pub(crate) policy: OffsetPolicy,
}

/// An offset that is not there, under the policy to stop.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "partition {partition}: offset {stored} is to be read next, Kafka has {low} to {high}; reset the supervisor or set \
     its offsets"
)]
pub(crate) struct OutOfRange {
    pub(crate) partition: i32,
    pub(crate) stored: i64,
    pub(crate) low: i64,
    pub(crate) high: i64,
}

/// Decides for every partition in `found`.
pub(crate) fn plan(
    stored: &BTreeMap<i32, i64>,
    found: &BTreeMap<i32, Watermarks>,
    rules: StartRules,
    now_ms: i64,
) -> Result<Plan, OutOfRange> {
    let mut plan = Plan::default();
    for (&partition, &Watermarks { low, high }) in found {
        let offset = match stored.get(&partition) {
            Some(&offset) if (low..=high).contains(&offset) => offset,
            Some(&offset) => {
                let resumed = match rules.policy {
                    OffsetPolicy::Fail => return Err(OutOfRange { partition, stored: offset, low, high }),
                    OffsetPolicy::Earliest => low,
                    OffsetPolicy::Latest => high,
                };
                let reason = format!("Kafka has offsets {low} to {high}");
                plan.gaps.push(OffsetGap { partition, expected: offset, resumed, timestamp: now_ms, reason });
                resumed
            }
            None if !stored.is_empty() || rules.earliest => low,
            None => high,
        };
        plan.offsets.insert(partition, offset);
    }
    Ok(plan)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(low: i64, high: i64) -> BTreeMap<i32, Watermarks> {
        [(0, Watermarks { low, high })].into()
    }

    fn start(stored: &[(i32, i64)], earliest: bool, policy: OffsetPolicy) -> Result<Plan, OutOfRange> {
        let stored = stored.iter().copied().collect();
        plan(&stored, &found(10, 20), StartRules { earliest, policy }, 7)
    }

    #[test]
    fn a_stored_offset_is_gone_on_from() {
        for offset in [10, 15, 20] {
            let plan = start(&[(0, offset)], true, OffsetPolicy::Fail).unwrap();
            assert_eq!(plan, Plan { offsets: [(0, offset)].into(), gaps: vec![] });
        }
    }

    #[test]
    fn a_new_stream_starts_where_the_specification_says() {
        assert_eq!(start(&[], true, OffsetPolicy::Fail).unwrap().offsets, [(0, 10)].into());
        assert_eq!(start(&[], false, OffsetPolicy::Fail).unwrap().offsets, [(0, 20)].into());
    }

    #[test]
    fn a_partition_that_was_added_is_read_from_its_beginning() {
        assert_eq!(start(&[(1, 5)], false, OffsetPolicy::Fail).unwrap().offsets, [(0, 10)].into());
    }

    #[test]
    fn an_offset_that_is_gone_stops_reading_unless_the_policy_says_otherwise() {
        let refused = start(&[(0, 3)], true, OffsetPolicy::Fail).unwrap_err();
        assert_eq!(refused, OutOfRange { partition: 0, stored: 3, low: 10, high: 20 });
        let plan = start(&[(0, 3)], false, OffsetPolicy::Earliest).unwrap();
        assert_eq!((plan.offsets[&0], plan.gaps[0].expected, plan.gaps[0].resumed), (10, 3, 10));
        assert_eq!(start(&[(0, 21)], true, OffsetPolicy::Latest).unwrap().offsets, [(0, 20)].into());
    }
}
