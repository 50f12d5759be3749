//! Where reading starts: a pure decision over what is stored, what Kafka has, and the policy.
//!
//! | stored for the partition | stored for the topic | starts at |
//! |---|---|---|
//! | in range | | the stored offset |
//! | out of range | | by policy: nowhere (fail), Kafka's first, Kafka's end; it is a gap |
//! | nothing | nothing | Kafka's first or end, as `useEarliestOffset` says |
//! | nothing | something | Kafka's first: the partition was added later, so none of it was meant to be skipped |
//! | something, and Kafka does not list it | | nowhere; it is a gap |

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::gap::{GapAction, GapCause, OffsetGap};
use super::options::OffsetPolicy;
use crate::kafka::Watermarks;

/// Where to start. Under the policy to stop a plan with gaps is not to be followed.
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

/// For so long an answer has to stand that brokers may give for a moment while they change.
const DOUBT: Duration = Duration::from_secs(3);

/// Since when the brokers give an answer that they may give for a moment only.
#[derive(Debug, Default)]
pub(crate) struct Doubt(Option<Instant>);

impl Doubt {
    /// Whether to believe an answer now. Another answer in between, and it has to stand all the time again.
    pub(crate) fn is_over(&mut self, is_doubtful: bool, now: Instant) -> bool {
        if !is_doubtful {
            self.0 = None;
            return true;
        }
        now.saturating_duration_since(*self.0.get_or_insert(now)) >= DOUBT
    }
}

/// Decides for every partition in `found`, and names those of `stored` that are not there.
pub(crate) fn plan(
    stored: &BTreeMap<i32, i64>,
    found: &BTreeMap<i32, Watermarks>,
    rules: StartRules,
    now_ms: i64,
) -> Plan {
    let mut plan = Plan::default();
    for (&partition, &watermarks) in found {
        let Watermarks { low, high } = watermarks;
        let offset = match stored.get(&partition) {
            Some(&offset) if (low..=high).contains(&offset) => offset,
            Some(&offset) => {
                let (gap, resumed) = out_of_range(partition, offset, watermarks, rules.policy, now_ms);
                plan.gaps.push(gap);
                resumed
            }
            None if !stored.is_empty() || rules.earliest => low,
            None => high,
        };
        plan.offsets.insert(partition, offset);
    }
    for (&partition, &from) in stored.iter().filter(|(partition, _)| !found.contains_key(partition)) {
        plan.gaps.push(removed(partition, from, rules.policy, now_ms));
    }
    plan
}

/// A partition whose stored offset Kafka does not have, and where reading goes on if it does.
fn out_of_range(
    partition: i32,
    from: i64,
    Watermarks { low, high }: Watermarks,
    policy: OffsetPolicy,
    now_ms: i64,
) -> (OffsetGap, i64) {
    let (cause, nearest) =
        if from < low { (GapCause::RetentionPassed, low) } else { (GapCause::BeyondEnd, high) };
    let to = match policy {
        OffsetPolicy::Fail => nearest,
        OffsetPolicy::Earliest => low,
        OffsetPolicy::Latest => high,
    };
    let reason =
        format!("partition {partition}: offset {from} is to be read next, Kafka has {low} to {high}");
    let action = GapAction::of(policy);
    (OffsetGap { partition, from, to: Some(to), timestamp: now_ms, cause, action, reason }, to)
}

fn removed(partition: i32, from: i64, policy: OffsetPolicy, now_ms: i64) -> OffsetGap {
    let action = match policy {
        OffsetPolicy::Fail => GapAction::Stopped,
        OffsetPolicy::Earliest | OffsetPolicy::Latest => GapAction::Forgotten,
    };
    let reason = format!("partition {partition} is no longer there; offset {from} was to be read next");
    let cause = GapCause::PartitionRemoved;
    OffsetGap { partition, from, to: None, timestamp: now_ms, cause, action, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(stored: &[(i32, i64)], earliest: bool, policy: OffsetPolicy) -> Plan {
        let stored = stored.iter().copied().collect();
        let found = [(0, Watermarks { low: 10, high: 20 })].into();
        plan(&stored, &found, StartRules { earliest, policy }, 7)
    }

    /// Where it starts, and the one gap there is.
    fn gap(stored: (i32, i64), policy: OffsetPolicy) -> (Option<i64>, GapCause, Option<i64>, GapAction) {
        let plan = start(&[stored], false, policy);
        assert_eq!((plan.gaps.len(), plan.gaps[0].from, plan.gaps[0].timestamp), (1, stored.1, 7));
        let gap = &plan.gaps[0];
        (plan.offsets.get(&stored.0).copied(), gap.cause, gap.to, gap.action)
    }

    #[test]
    fn a_stored_offset_is_gone_on_from() {
        for offset in [10, 15, 20] {
            let plan = start(&[(0, offset)], true, OffsetPolicy::Fail);
            assert_eq!(plan, Plan { offsets: [(0, offset)].into(), gaps: vec![] });
        }
    }

    #[test]
    fn a_new_stream_starts_where_the_specification_says() {
        assert_eq!(start(&[], true, OffsetPolicy::Fail).offsets, [(0, 10)].into());
        assert_eq!(start(&[], false, OffsetPolicy::Fail).offsets, [(0, 20)].into());
    }

    #[test]
    fn a_partition_that_was_added_is_read_from_its_beginning() {
        assert_eq!(start(&[(1, 5)], false, OffsetPolicy::Fail).offsets, [(0, 10)].into());
    }

    #[test]
    fn an_offset_below_the_first_was_overtaken_by_retention() {
        use GapCause::RetentionPassed as Passed;
        assert_eq!(gap((0, 3), OffsetPolicy::Fail), (Some(10), Passed, Some(10), GapAction::Stopped));
        let earliest = (Some(10), Passed, Some(10), GapAction::ResumedAtEarliest);
        assert_eq!(gap((0, 3), OffsetPolicy::Earliest), earliest);
        assert_eq!(
            gap((0, 3), OffsetPolicy::Latest),
            (Some(20), Passed, Some(20), GapAction::ResumedAtLatest)
        );
    }

    #[test]
    fn an_offset_above_the_end_is_beyond_it() {
        use GapCause::BeyondEnd as Beyond;
        assert_eq!(gap((0, 21), OffsetPolicy::Fail), (Some(20), Beyond, Some(20), GapAction::Stopped));
        let earliest = (Some(10), Beyond, Some(10), GapAction::ResumedAtEarliest);
        assert_eq!(gap((0, 21), OffsetPolicy::Earliest), earliest);
        assert_eq!(
            gap((0, 21), OffsetPolicy::Latest),
            (Some(20), Beyond, Some(20), GapAction::ResumedAtLatest)
        );
    }

    #[test]
    fn a_partition_that_is_gone_and_back_is_believed_to_be_gone_only_if_it_stays_away() {
        let (mut doubt, began) = (Doubt::default(), Instant::now());
        let mut is_over = |gone: bool, ms: u64| doubt.is_over(gone, began + Duration::from_millis(ms));
        assert!(!is_over(true, 0) && !is_over(true, 2_999));
        assert!(is_over(false, 3_100), "it is back");
        assert!(!is_over(true, 3_200) && !is_over(true, 6_100), "what was before does not count");
        assert!(is_over(true, 6_200));
    }

    #[test]
    fn a_partition_whose_offset_was_forgotten_is_read_from_its_beginning_when_it_is_back() {
        let (rules, topic) =
            (StartRules { earliest: false, policy: OffsetPolicy::Latest }, [(0, 15), (1, 5)]);
        let both = [(0, Watermarks { low: 10, high: 20 }), (1, Watermarks { low: 0, high: 9 })];
        let gone = plan(&topic.into(), &both[..1].iter().copied().collect(), rules, 7);
        assert_eq!((&gone.offsets, gone.gaps.len()), (&[(0, 15)].into(), 1));
        let back = plan(&gone.offsets, &both.into(), rules, 8);
        assert_eq!(back, Plan { offsets: [(0, 15), (1, 0)].into(), gaps: vec![] });
    }

    #[test]
    fn a_partition_that_is_gone_is_named() {
        use GapCause::PartitionRemoved as Removed;
        assert_eq!(gap((1, 5), OffsetPolicy::Fail), (None, Removed, None, GapAction::Stopped));
        assert_eq!(gap((1, 5), OffsetPolicy::Earliest), (None, Removed, None, GapAction::Forgotten));
        assert_eq!(gap((1, 5), OffsetPolicy::Latest), (None, Removed, None, GapAction::Forgotten));
    }
}
