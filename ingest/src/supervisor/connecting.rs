//! From brokers to offsets: is the topic there, is it the same stream as before, where does reading start.
//!
//! Brokers that do not answer are asked again and again, and ever more patiently. What they answer about offsets is
//! followed by policy; see [`super::gap`]. An answer that brokers may give for a moment while they change, such as an
//! end below what was read, has to stand for a while first.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use arrow::array::{Float32Array, Float64Array, Int64Array};
use ovate_storage::{BatchColumn, ColumnType, Progress, RowBatch, StreamIdentity, TableSchema, fail_point};

use super::clock::now_ms;
use super::gap::{GapAction, GapCause, OffsetGap, events_of};
use super::options::OffsetPolicy;
use super::runner::{Leave, RETRY, Runner};
use super::start::{Plan, StartRules, plan};
use super::state::DetailedState;
use crate::kafka::{Explained, Mismatch, Stream, StreamError, Watermarks, compare, tells_less};

/// One question to the brokers, at first and at most. Commands wait as long.
pub(super) const ASK: Duration = Duration::from_secs(1);
const ASK_MAX: Duration = Duration::from_secs(5);

impl Runner {
    /// Waits until the brokers answer and know the topic.
    pub(super) fn await_topic(&mut self, stream: &Stream) -> Result<Vec<i32>, Leave> {
        loop {
            self.pulse()?;
            match stream.partitions(self.ask) {
                Ok(partitions) => {
                    // They may still refuse all else that is to be asked, so trouble is not over.
                    self.was_connected = true;
                    return Ok(partitions);
                }
                Err(error @ StreamError::TopicMissing(_)) if self.has_read() => self.trouble(&error),
                Err(error @ StreamError::TopicMissing(_)) => {
                    self.was_connected = true;
                    self.unreachable_since = None;
                    self.note("TopicMissing", error.to_string(), true);
                    self.board.set_state(&self.id, DetailedState::ConnectingToStream);
                }
                Err(error) => {
                    let (error, explained) = stream.explain(error);
                    if explained == Explained::No {
                        self.ask_more_patiently();
                    }
                    self.trouble(&error);
                }
            }
            self.rest(RETRY)?;
        }
    }

    /// Whether offsets of the topic are stored: then it has been there.
    fn has_read(&self) -> bool {
        !offsets_of(self.datasource.writer().progress(), &self.spec.io.topic).is_empty()
    }

    fn ask_more_patiently(&mut self) {
        self.ask = (self.ask * 2).min(ASK_MAX);
    }

    /// The offsets to start at, committed before the first message is read, with what is known of the stream by now: a
    /// crash before the first publish then leads back to the same place of the same stream, whatever its end is by then.
    pub(super) fn start_at(
        &mut self,
        stream: &Stream,
        partitions: &[i32],
    ) -> Result<BTreeMap<i32, i64>, Leave> {
        let topic = self.spec.io.topic.clone();
        let stored = self.datasource.writer().progress().clone();
        let known = offsets_of(&stored, &topic);
        let found = self.identify(stream, &stored.identity)?;
        self.identity = merge(&stored.identity, &found, &topic);
        if !known.is_empty()
            && let Err(mismatch) = compare(&stored.identity, &found, &topic)
        {
            return self.start_anew(stream, partitions, &stored, &mismatch);
        }
        let watermarks = self.watermarks(stream, partitions)?;
        let plan = plan(&known, &watermarks, self.rules(), now_ms());
        self.stand_by_doubtful(&plan.gaps)?;
        self.stop_if_told(&plan.gaps, DetailedState::OffsetsOutOfRange)?;
        self.positions.clone_from(&plan.offsets);
        if !plan.gaps.is_empty() {
            self.replace_progress(&stored, &plan.gaps)?;
        } else if self.identity != stored.identity
            || plan.offsets.iter().any(|(partition, offset)| known.get(partition) != Some(offset))
        {
            fail_point!("start.before_offsets");
            self.commit_positions()?;
            fail_point!("start.offsets_stored");
        }
        self.note_gaps(&plan.gaps);
        Ok(plan.offsets)
    }

    /// Which stream this is. Brokers that once told ids have to tell them: without, another stream of the same name
    /// could not be told from the one whose offsets are stored.
    fn identify(&mut self, stream: &Stream, stored: &StreamIdentity) -> Result<StreamIdentity, Leave> {
        let found = stream.identity(self.ask).and_then(|found| {
            if tells_less(stored, &found, &self.spec.io.topic) {
                return Err(StreamError::Kafka {
                    action: "cannot tell whether this is the stream of the stored offsets",
                    reason: "the brokers do not tell cluster id and topic id as they did".into(),
                    fatal: false,
                });
            }
            Ok(found)
        });
        found.map_err(|error| {
            self.ask_more_patiently();
            self.trouble(&error);
            Leave::Again
        })
    }

    /// Another stream stands where the stored offsets point: under the policy to stop, stops; else publishes what
    /// the old one has left and starts the new one.
    fn start_anew(
        &mut self,
        stream: &Stream,
        partitions: &[i32],
        stored: &Progress,
        mismatch: &Mismatch,
    ) -> Result<BTreeMap<i32, i64>, Leave> {
        let rules = self.rules();
        let watermarks = self.watermarks(stream, partitions)?;
        let rules = StartRules { earliest: rules.policy == OffsetPolicy::Earliest, ..rules };
        let Plan { offsets, .. } = plan(&BTreeMap::new(), &watermarks, rules, now_ms());
        let goes_on = rules.policy != OffsetPolicy::Fail;
        let cause = match mismatch {
            Mismatch::Cluster { .. } => GapCause::ClusterChanged,
            Mismatch::Topic { .. } => GapCause::TopicRecreated,
        };
        let gap = |(partition, from)| OffsetGap {
            partition,
            from,
            to: offsets.get(&partition).copied().filter(|_| goes_on),
            timestamp: now_ms(),
            cause,
            action: GapAction::of(rules.policy),
            reason: mismatch.to_string(),
        };
        let gaps: Vec<OffsetGap> = offsets_of(stored, &self.spec.io.topic).into_iter().map(gap).collect();
        self.stop_if_told(&gaps, DetailedState::StreamIdentityChanged)?;
        self.positions.clone_from(&offsets);
        self.replace_progress(stored, &gaps)?;
        self.note_gaps(&gaps);
        Ok(offsets)
    }

    /// Waits a while before it believes gaps that brokers may show for a moment.
    fn stand_by_doubtful(&mut self, gaps: &[OffsetGap]) -> Result<(), Leave> {
        let is_doubtful =
            |gap: &&OffsetGap| matches!(gap.cause, GapCause::BeyondEnd | GapCause::PartitionRemoved);
        let doubtful = gaps.iter().find(is_doubtful);
        if self.doubt.is_over(doubtful.is_some(), Instant::now()) {
            return Ok(());
        }
        if let Some(gap) = doubtful {
            self.note("OffsetOutOfRange", gap.reason.clone(), true);
        }
        Err(Leave::Again)
    }

    /// Under the policy to stop, offsets that do not meet end reading until somebody decides.
    fn stop_if_told(&self, gaps: &[OffsetGap], state: DetailedState) -> Result<(), Leave> {
        if gaps.is_empty() || self.rules().policy != OffsetPolicy::Fail {
            return Ok(());
        }
        let class = match state {
            DetailedState::StreamIdentityChanged => "StreamIdentityChanged",
            _ => "OffsetOutOfRange",
        };
        for gap in gaps {
            self.note(class, format!("{}; reset the supervisor or set its offsets", gap.reason), true);
        }
        self.keep_stops(gaps);
        self.note_gaps(gaps);
        Err(Leave::Halt(state))
    }

    /// Keeps stops that are not told yet. Where they cannot be kept, the next process tells them again.
    fn keep_stops(&self, gaps: &[OffsetGap]) {
        let told = self.board.view().gaps.clone();
        let new: Vec<OffsetGap> = gaps.iter().filter(|gap| !gap.is_told(&told)).cloned().collect();
        if !new.is_empty()
            && let Err(error) = self.datasource.add_offset_events(&events_of(&new))
        {
            self.note("StorageError", error.to_string(), false);
        }
    }

    /// Publishes what is hot, then makes the positions all that is stored for the topic, with the gaps that are why.
    fn replace_progress(&mut self, stored: &Progress, gaps: &[OffsetGap]) -> Result<(), Leave> {
        let mut fresh = stored.clone();
        fresh.partitions.retain(|key, _| key.topic != self.spec.io.topic);
        fresh.advance(&self.progress());
        self.published_or_leave()?;
        self.datasource.reset(Some(&fresh), &events_of(gaps)).map_err(|error| {
            self.note("StorageError", error.to_string(), false);
            Leave::Again
        })
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
            Err(_) if self.datasource.poisoned().is_some() => Err(Leave::Halt(DetailedState::PublishFailed)),
            Err(_) => Err(Leave::Again),
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
            match stream.watermarks(partition, self.ask) {
                Ok(watermarks) => {
                    found.insert(partition, watermarks);
                }
                Err(error) => {
                    self.ask_more_patiently();
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
                from = gap.from,
                to = gap.to,
                cause = gap.cause.label(),
                action = gap.action.label(),
                reason = gap.reason,
                "offsets do not meet"
            );
            self.metrics.gap(gap);
            let mut view = self.board.view();
            if gap.action != GapAction::Stopped || !gap.is_told(&view.gaps) {
                view.note_gap(gap.clone());
            }
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
