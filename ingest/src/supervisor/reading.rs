//! The loop that most time is spent in: poll, decode, append; and now and then a look around.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use ovate_storage::fail_point;
use rdkafka::Message as _;
use rdkafka::message::BorrowedMessage;

use super::clock::now_ms;
use super::parse_errors::ParseError;
use super::publishing::Hot;
use super::runner::{Leave, OBSERVE, Runner};
use super::state::DetailedState;
use super::stats::RowTotals;
use crate::kafka::{BatchLimits, Stream, StreamError, compare};
use crate::pipeline::{Decoded, Message, Outcome};

/// One batch: enough to make each cheap, not so much that a row waits.
const BATCH: BatchLimits = BatchLimits { messages: 8192, bytes: 8 << 20, linger: Duration::from_millis(5) };
/// How long a poll waits for a first message; commands wait as long.
const WAIT: Duration = Duration::from_millis(50);
/// While memory is full.
const FULL: Duration = Duration::from_millis(20);
const FULL_FOR_LONG: Duration = Duration::from_secs(1);
const ONE: BatchLimits = BatchLimits { messages: 1, ..BATCH };
/// Brokers that do not answer for so long are reported lost.
const CONTACT_GRACE: Duration = Duration::from_secs(3);
/// Without messages for so long, a supervisor whose specification wants it counts as idle.
const IDLE_AFTER_MS: i64 = 600_000;

impl Runner {
    /// Reads until something ends it.
    pub(super) fn read(&mut self, stream: &Stream) -> Result<Infallible, Leave> {
        let period = Duration::from_millis(self.spec.io.period_ms.clamp(1_000, 3_600_000) as u64);
        let (mut observed_at, mut refreshed_at) = (Instant::now(), Instant::now());
        let mut last_message = Instant::now();
        let began = Instant::now();
        let (mut lost_since, mut full_since, mut is_paused) = (None, None, false);
        loop {
            self.pulse()?;
            let is_full = self.is_over_limit();
            if is_full {
                self.metrics.paused();
                // What was fetched ahead is kept for a moment; for longer, librdkafka has to be polled all the same.
                if full_since.get_or_insert_with(Instant::now).elapsed() < FULL_FOR_LONG {
                    self.rest(FULL)?;
                    continue;
                }
            } else {
                full_since = None;
            }
            if is_full != is_paused {
                if let Err(error) = stream.pause(is_full) {
                    self.trouble(&error);
                    return Err(Leave::Again);
                }
                is_paused = is_full;
            }
            let polled = if is_paused { stream.poll(FULL, ONE) } else { stream.poll(WAIT, BATCH) };
            if !polled.messages.is_empty() {
                last_message = Instant::now();
                if self.lost_contact().is_some() && self.refusals == 0 {
                    self.board.set_state(&self.id, DetailedState::Running);
                }
                self.unreachable_since = None;
            }
            self.take(stream, &polled.messages)?;
            drop(polled.messages);
            if let Some(error) = polled.error {
                self.consider(error)?;
            }
            if observed_at.elapsed() >= OBSERVE {
                observed_at = Instant::now();
                self.observe(stream, began, &mut lost_since, last_message);
            }
            if refreshed_at.elapsed() >= period {
                refreshed_at = Instant::now();
                self.look_for_partitions(stream)?;
            }
        }
    }

    /// Makes the rows of a batch visible. Without messages, positions may have moved over control records.
    fn take(&mut self, stream: &Stream, messages: &[BorrowedMessage<'_>]) -> Result<(), Leave> {
        let moved = self.advance(stream, messages);
        if messages.is_empty() && !moved {
            return Ok(());
        }
        let now_ms = now_ms();
        let progress = self.progress();
        let decoded = {
            let mut writer = self.datasource.writer();
            let inputs = messages.iter().map(|message| Message {
                payload: message.payload(),
                key: message.key(),
                timestamp_ms: message.timestamp().to_millis(),
                partition: message.partition(),
                offset: message.offset(),
            });
            let decoded = self.pipeline.decode(&mut writer, inputs, now_ms).and_then(|mut decoded| {
                let batch = std::mem::take(&mut decoded.batch);
                fail_point!("append.before");
                writer.append(batch, &progress, now_ms)?;
                fail_point!("append.done");
                Ok(decoded)
            });
            self.hot = Hot::of(&writer);
            decoded
        };
        match decoded {
            Ok(decoded) => {
                self.refusals = 0;
                if !messages.is_empty() {
                    self.last_append_ms = now_ms;
                    self.count(&decoded, now_ms);
                }
                self.show_positions();
                Ok(())
            }
            Err(error) => {
                // Nothing was appended: the next session reads the batch again.
                tracing::error!(supervisor = &*self.id, %error, "cannot append rows");
                self.note("StorageError", error.to_string(), false);
                self.refusals += 1;
                if self.refusals > 1 {
                    self.board.set_state(&self.id, DetailedState::InternalError);
                }
                Err(Leave::Again)
            }
        }
    }

    /// Moves the positions behind what was polled. Returns whether any moved.
    fn advance(&mut self, stream: &Stream, messages: &[BorrowedMessage<'_>]) -> bool {
        let mut moved = false;
        let mut advance = |partition: i32, next: i64| {
            if let Some(position) = self.positions.get_mut(&partition)
                && *position < next
            {
                *position = next;
                moved = true;
            }
        };
        for message in messages {
            advance(message.partition(), message.offset() + 1);
        }
        for (partition, next) in stream.positions() {
            advance(partition, next);
        }
        moved
    }

    fn count(&self, decoded: &Decoded, now_ms: i64) {
        let counts = &decoded.counts;
        self.metrics.counts(counts);
        let mut view = self.board.view();
        if let Some(run) = &mut view.run {
            let totals = RowTotals {
                processed: counts.processed,
                processed_bytes: counts.bytes,
                processed_with_error: counts.processed_with_error,
                thrown_away: counts.thrown_away,
                unparseable: counts.unparseable,
            };
            run.meter.add(totals, now_ms);
        }
        for rejected in &decoded.rejected {
            if self.spec.tuning.log_parse_exceptions {
                tracing::warn!(
                    supervisor = &*self.id,
                    partition = rejected.partition,
                    offset = rejected.offset,
                    reason = rejected.reason.name(),
                    detail = rejected.detail,
                    "bad row"
                );
            }
            let error_type = match rejected.reason.outcome() {
                Outcome::ProcessedWithError => "processedWithError",
                Outcome::ThrownAway => "thrownAway",
                Outcome::Unparseable => "unparseable",
            };
            view.parse_errors.push(ParseError {
                input: rejected.input.clone(),
                error_type,
                details: vec![rejected.detail.clone()],
                time_of_exception_millis: now_ms,
                reason: rejected.reason.name().to_owned(),
                partition: rejected.partition,
                offset: rejected.offset,
            });
        }
    }

    fn consider(&mut self, error: StreamError) -> Result<(), Leave> {
        let fatal = matches!(error, StreamError::Kafka { fatal: true, .. });
        match &error {
            StreamError::Kafka { fatal: true, .. } => self.trouble(&error),
            StreamError::Kafka { .. } => self.note("StreamUnavailable", error.to_string(), true),
            // What exactly is out of range, and what is to be done, is found out when starting over.
            StreamError::OutOfRange(_) => tracing::warn!(supervisor = &*self.id, %error, "starting over"),
            StreamError::TopicMissing(_) => self.note("TopicMissing", error.to_string(), true),
        }
        // Lost brokers are librdkafka's to find again; everything else needs a new start.
        if fatal || !matches!(error, StreamError::Kafka { .. }) { Err(Leave::Again) } else { Ok(()) }
    }

    /// Lag, contact and state, as librdkafka's statistics tell them.
    fn observe(
        &mut self,
        stream: &Stream,
        began: Instant,
        lost_since: &mut Option<Instant>,
        last_message: Instant,
    ) {
        let sighting = stream.sighting();
        let Some(at) = sighting.at else { return };
        // Statistics come with polling: if they are old, nothing was polled.
        let up = sighting.brokers_up || at.elapsed() > CONTACT_GRACE;
        if up {
            *lost_since = None;
            // Brokers that refuse to be read say so as soon as they are asked.
            if began.elapsed() >= CONTACT_GRACE {
                self.unreachable_since = None;
            }
        }
        let lost = !up && lost_since.get_or_insert_with(Instant::now).elapsed() >= CONTACT_GRACE;
        let state = if lost {
            self.note("StreamUnavailable", "lost contact with the brokers".into(), true);
            DetailedState::LostContactWithStream
        } else if let Some(state) = self.lost_contact().filter(|_| !self.board.view().state.is_healthy()) {
            state
        } else if self.board.view().publish_failure.is_some() {
            DetailedState::PublishDelayed
        } else if self.refusals > 1 {
            DetailedState::InternalError
        } else if self.is_idle(last_message) {
            DetailedState::Idle
        } else {
            DetailedState::Running
        };
        self.board.set_state(&self.id, state);
        let mut view = self.board.view();
        if sighting.brokers_up {
            view.latest_at_ms = Some(now_ms() - at.elapsed().as_millis() as i64);
            for (partition, end) in sighting.ends {
                // Between two statistics reading may have gone further than they knew.
                let end = end.max(self.positions.get(&partition).copied().unwrap_or(end));
                view.latest.insert(partition, end);
            }
        }
        self.metrics.lag(&view.lag());
    }

    fn is_idle(&self, last_message: Instant) -> bool {
        let Some(idle) = self.spec.io.idle.filter(|idle| idle.enabled) else { return false };
        let after_ms = idle.inactive_after_ms.unwrap_or(IDLE_AFTER_MS).max(0);
        last_message.elapsed() >= Duration::from_millis(after_ms as u64)
    }

    /// Partitions that were added or have gone need a new start, and so does a topic that was made again: where
    /// reading goes on is decided there.
    fn look_for_partitions(&mut self, stream: &Stream) -> Result<(), Leave> {
        let partitions = match stream.partitions(self.ask) {
            Ok(partitions) => partitions,
            Err(StreamError::TopicMissing(_)) => return Err(Leave::Again),
            // Whether brokers answer is told by the statistics.
            Err(_) => return Ok(()),
        };
        if !self.positions.keys().eq(partitions.iter()) {
            tracing::info!(supervisor = &*self.id, ?partitions, "other partitions than before");
            return Err(Leave::Again);
        }
        // Where topic ids are not told, asking again would only take time.
        if !self.identity.topic_ids.contains_key(&self.spec.io.topic) {
            return Ok(());
        }
        match stream.identity(self.ask) {
            Ok(found) if compare(&self.identity, &found, &self.spec.io.topic).is_err() => Err(Leave::Again),
            _ => Ok(()),
        }
    }
}
