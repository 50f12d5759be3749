//! From brokers to offsets: is the topic there, is it the same stream as before, where does reading start.

use std::collections::BTreeMap;
use std::time::Duration;

use arrow::array::{Float32Array, Float64Array, Int64Array};
use ovate_storage::{BatchColumn, ColumnType, Progress, RowBatch, StreamIdentity, TableSchema};

use super::clock::now_ms;
use super::options::OffsetPolicy;
use super::runner::{Leave, RETRY, Runner};
use super::start::{OffsetGap, Plan, StartRules, plan};
use super::state::DetailedState;
use crate::kafka::{Stream, StreamError, Watermarks, compare};

/// One question to the brokers. Commands wait as long.
pub(super) const ASK: Duration = Duration::from_secs(1);

impl Runner {
    /// Waits until the brokers answer and know the topic.
    pub(super) fn await_topic(&mut self, stream: &Stream) -> Result<Vec<i32>, Leave> {
        loop {
            self.pulse()?;
            match stream.partitions(ASK) {
                Ok(partitions) => {
                    self.reached();
                    return Ok(partitions);
                }
                Err(error @ StreamError::TopicMissing(_)) => {
                    self.reached();
                    self.note("TopicMissing", error.to_string(), true);
                    self.board.set_state(&self.id, DetailedState::ConnectingToStream);
                }
                Err(error) => {
                    // Connection errors wait among the events, and say more than a timeout does.
                    self.trouble(&stream.explain(error));
                }
            }
            self.rest(RETRY)?;
        }
    }

    /// The offsets to start at, committed before the first message is read: a crash before the first publish then
    /// leads back to the same place, whatever the stream's end is by then.
    pub(super) fn start_at(
        &mut self,
        stream: &Stream,
        partitions: &[i32],
    ) -> Result<BTreeMap<i32, i64>, Leave> {
        let topic = self.spec.io.topic.clone();
        let stored = self.datasource.writer().progress().clone();
        let known = offsets_of(&stored, &topic);
        let found = stream.identity(ASK);
        self.identity = merge(&stored.identity, &found, &topic);
        if !known.is_empty()
            && let Err(mismatch) = compare(&stored.identity, &found, &topic)
        {
            self.note("StreamIdentityChanged", mismatch.to_string(), true);
            return self.start_anew(stream, partitions, &stored, &mismatch.to_string());
        }
        let watermarks = self.watermarks(stream, partitions)?;
        let plan = plan(&known, &watermarks, self.rules(), now_ms()).map_err(|refused| {
            self.note("OffsetOutOfRange", refused.to_string(), true);
            Leave::Halt(DetailedState::OffsetsOutOfRange)
        })?;
        self.note_gaps(&plan.gaps);
        self.positions.clone_from(&plan.offsets);
        if plan.offsets.iter().any(|(partition, offset)| known.get(partition) != Some(offset)) {
            self.commit_positions()?;
        }
        Ok(plan.offsets)
    }

    /// Another stream stands where the stored offsets point: under the policy to stop, stops; else publishes what
    /// the old one has left and starts the new one.
    fn start_anew(
        &mut self,
        stream: &Stream,
        partitions: &[i32],
        stored: &Progress,
        reason: &str,
    ) -> Result<BTreeMap<i32, i64>, Leave> {
        let rules = self.rules();
        if rules.policy == OffsetPolicy::Fail {
            return Err(Leave::Halt(DetailedState::StreamIdentityChanged));
        }
        let topic = self.spec.io.topic.clone();
        let watermarks = self.watermarks(stream, partitions)?;
        let rules = StartRules { earliest: rules.policy == OffsetPolicy::Earliest, ..rules };
        let Ok(Plan { offsets, .. }) = plan(&BTreeMap::new(), &watermarks, rules, now_ms()) else {
            return Err(Leave::Again);
        };
        let gaps: Vec<OffsetGap> = offsets_of(stored, &topic)
            .into_iter()
            .map(|(partition, expected)| OffsetGap {
                partition,
                expected,
                resumed: offsets.get(&partition).copied().unwrap_or(0),
                timestamp: now_ms(),
                reason: reason.to_owned(),
            })
            .collect();
        let mut fresh = stored.clone();
        fresh.partitions.retain(|key, _| key.topic != topic);
        fresh.identity = self.identity.clone();
        for (partition, offset) in &offsets {
            fresh.set(&topic, *partition, *offset);
        }
        self.published_or_leave()?;
        if let Err(error) = self.datasource.reset(Some(&fresh)) {
            self.note("StorageError", error.to_string(), false);
            return Err(Leave::Again);
        }
        self.note_gaps(&gaps);
        Ok(offsets)
    }

    /// Commits the positions, and with them whatever is hot.
    pub(super) fn commit_positions(&mut self) -> Result<(), Leave> {
        let progress = self.progress();
        {
            let mut writer = self.datasource.writer();
            let nothing = no_rows(writer.schema());
            if let Err(error) = writer.append(nothing, &progress, now_ms()) {
                drop(writer);
                self.note("StorageError", error.to_string(), false);
                return Err(Leave::Again);
            }
        }
        self.published_or_leave()
    }

    fn published_or_leave(&mut self) -> Result<(), Leave> {
        match self.publish_now() {
            Ok(_) => Ok(()),
            Err(error) => {
                self.note("PublishFailed", error.to_string(), false);
                Err(match self.datasource.poisoned() {
                    Some(_) => Leave::Halt(DetailedState::PublishFailed),
                    None => Leave::Again,
                })
            }
        }
    }

    /// Where the partitions begin and end.
    pub(super) fn watermarks(
        &mut self,
        stream: &Stream,
        partitions: &[i32],
    ) -> Result<BTreeMap<i32, Watermarks>, Leave> {
        let mut found = BTreeMap::new();
        for &partition in partitions {
            self.pulse()?;
            match stream.watermarks(partition, ASK) {
                Ok(watermarks) => {
                    found.insert(partition, watermarks);
                }
                Err(error) => {
                    self.trouble(&error);
                    return Err(Leave::Again);
                }
            }
        }
        let mut view = self.board.view();
        view.latest.extend(found.iter().map(|(partition, watermarks)| (*partition, watermarks.high)));
        view.latest_at_ms = Some(now_ms());
        Ok(found)
    }

    pub(super) fn rules(&self) -> StartRules {
        let earliest = self.spec.io.use_earliest_offset;
        let policy = match (self.spec.tuning.reset_offset_automatically, earliest) {
            (false, _) => self.options.offset_policy,
            (true, true) => OffsetPolicy::Earliest,
            (true, false) => OffsetPolicy::Latest,
        };
        StartRules { earliest, policy }
    }

    fn note_gaps(&self, gaps: &[OffsetGap]) {
        for gap in gaps {
            tracing::warn!(
                supervisor = &*self.id,
                partition = gap.partition,
                expected = gap.expected,
                resumed = gap.resumed,
                reason = gap.reason,
                "messages were never read"
            );
            self.metrics.gap();
            self.board.view().note_gap(gap.clone());
        }
    }
}

/// What is stored for one topic.
pub(super) fn offsets_of(progress: &Progress, topic: &str) -> BTreeMap<i32, i64> {
    let of_topic = progress.partitions.iter().filter(|(key, _)| key.topic == topic);
    of_topic.map(|(key, offset)| (key.partition, *offset)).collect()
}

/// What is known of the stream from now on.
fn merge(stored: &StreamIdentity, found: &StreamIdentity, topic: &str) -> StreamIdentity {
    let mut merged = stored.clone();
    if found.cluster_id.is_some() {
        merged.cluster_id.clone_from(&found.cluster_id);
    }
    if let Some(id) = found.topic_ids.get(topic) {
        merged.topic_ids.insert(topic.to_owned(), id.clone());
    }
    merged
}

/// A batch that only carries progress.
fn no_rows(schema: &TableSchema) -> RowBatch {
    let empty = |column_type: ColumnType| match column_type {
        ColumnType::String => BatchColumn::Codes(Vec::new()),
        ColumnType::Long => BatchColumn::Long(Int64Array::from(Vec::<i64>::new())),
        ColumnType::Float => BatchColumn::Float(Float32Array::from(Vec::<f32>::new())),
        ColumnType::Double => BatchColumn::Double(Float64Array::from(Vec::<f64>::new())),
    };
    RowBatch {
        time: Vec::new(),
        raw_time: Some(Vec::new()),
        columns: schema.columns.iter().map(|column| empty(column.column_type)).collect(),
    }
}
