//! The thread of one supervisor: connect, read, make rows visible, publish; again after trouble, until it is stopped.
//!
//! ```text
//!   session:  open consumer ─► topic there? ─► same stream? ─► where to start ─► assign
//!                ▲                                                                  │
//!                └── trouble: again ◄── read: poll ─► decode ─► append ─► publish? ◄┘
//!                                         └─► halt: reading has ended, somebody has to decide
//! ```
//!
//! One command comes in: stop, with or without publishing. Everything else (suspend, reset, another specification) is
//! a stop, a change, and a new run, made by the registry. Progress lives in the store's writer: a session that starts
//! over goes on exactly where the rows end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use ovate_storage::{Datasource, Progress, Published, StorageError, StreamIdentity, fail_point};
use rdkafka::config::ClientConfig;

use super::board::Board;
use super::clock::now_ms;
use super::connecting::ASK;
use super::meters::RunnerMetrics;
use super::options::IngestOptions;
use super::publishing::{Hot, PublishLimits, Publisher, reason_to_publish};
use super::start::Doubt;
use super::state::DetailedState;
use crate::error::IngestError;
use crate::kafka::{Stream, StreamError};
use crate::pipeline::Pipeline;
use crate::spec::SupervisorSpec;

/// How to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stop {
    /// Whether hot rows are published first.
    pub(crate) publish: bool,
}

/// Why a session ends.
#[derive(Debug)]
pub(super) enum Leave {
    Stop(Stop),
    /// Start over, from the consumer on.
    Again,
    /// Read no more in this state; rows that are hot are still published when they are due.
    Halt(DetailedState),
}

/// How often commands and publishing are looked after.
const PULSE: Duration = Duration::from_millis(50);
/// How often what librdkafka tells is looked at.
pub(super) const OBSERVE: Duration = Duration::from_millis(250);
/// Between two attempts at whatever failed.
pub(super) const RETRY: Duration = Duration::from_millis(500);

/// One run of a supervisor.
pub(crate) struct Runner {
    pub(super) id: Arc<str>,
    pub(super) spec: Arc<SupervisorSpec>,
    pub(super) options: Arc<IngestOptions>,
    pub(super) datasource: Arc<Datasource>,
    pub(super) board: Arc<Board>,
    pub(super) metrics: RunnerMetrics,
    pub(super) pipeline: Pipeline,
    /// Which stream is read: stored beside the offsets.
    pub(super) identity: StreamIdentity,
    /// The next offset to read, of every partition that is read.
    pub(super) positions: BTreeMap<i32, i64>,
    pub(super) hot: Hot,
    pub(super) last_append_ms: i64,
    /// Since when not a message could be read for trouble with the brokers.
    pub(super) unreachable_since: Option<Instant>,
    pub(super) was_connected: bool,
    /// Batches in a row that the store did not take.
    pub(super) refusals: u32,
    /// How long one question to the brokers may take.
    pub(super) ask: Duration,
    pub(super) doubt: Doubt,
    config: ClientConfig,
    commands: Receiver<Stop>,
    publisher: Publisher,
    /// The positions when the last publish began, and when that was.
    leaving: (BTreeMap<i32, i64>, i64),
    limits: PublishLimits,
    checked_at: Option<Instant>,
}

/// What a run needs from outside.
pub(crate) struct RunnerParts {
    pub(crate) spec: Arc<SupervisorSpec>,
    pub(crate) options: Arc<IngestOptions>,
    pub(crate) datasource: Arc<Datasource>,
    pub(crate) board: Arc<Board>,
    pub(crate) pipeline: Pipeline,
    pub(crate) config: ClientConfig,
    pub(crate) commands: Receiver<Stop>,
}

impl Runner {
    pub(crate) fn new(parts: RunnerParts) -> Self {
        let RunnerParts { spec, options, datasource, board, pipeline, config, commands } = parts;
        let id: Arc<str> = spec.id().into();
        Self {
            metrics: RunnerMetrics::new(&id),
            publisher: Publisher::new(Arc::clone(&datasource)),
            leaving: (BTreeMap::new(), now_ms()),
            limits: publish_limits(&spec, &options),
            id,
            spec,
            options,
            datasource,
            board,
            pipeline,
            identity: StreamIdentity::default(),
            positions: BTreeMap::new(),
            hot: Hot::default(),
            last_append_ms: now_ms(),
            unreachable_since: None,
            was_connected: false,
            refusals: 0,
            ask: ASK,
            doubt: Doubt::default(),
            config,
            commands,
            checked_at: None,
        }
    }

    /// Runs until stopped.
    pub(crate) fn run(mut self) -> Result<(), IngestError> {
        let alarm = PanicAlarm { board: Arc::clone(&self.board), id: Arc::clone(&self.id) };
        let stop = self.run_until_stopped();
        self.board.set_state(&self.id, DetailedState::Stopping);
        let result = self.finish(stop);
        self.look_at_hot();
        self.metrics.ended();
        drop(alarm);
        result
    }

    fn run_until_stopped(&mut self) -> Stop {
        loop {
            let leave = match self.session() {
                Ok(never) => match never {},
                Err(leave) => leave,
            };
            let next = match leave {
                Leave::Stop(stop) => return stop,
                Leave::Again => self.rest(RETRY),
                Leave::Halt(state) => self.halt(state),
            };
            if let Err(Leave::Stop(stop)) = next {
                return stop;
            }
        }
    }

    /// From a new consumer to whatever ends it.
    fn session(&mut self) -> Result<std::convert::Infallible, Leave> {
        self.hot = Hot::of(&self.datasource.writer());
        let stream = match Stream::open(&self.config, &self.spec.io.topic) {
            Ok(stream) => stream,
            Err(error) => {
                self.trouble(&error);
                return Err(Leave::Again);
            }
        };
        let partitions = self.await_topic(&stream)?;
        self.positions = self.start_at(&stream, &partitions)?;
        if let Err(error) = stream.assign(&self.positions) {
            self.trouble(&error);
            return Err(Leave::Again);
        }
        self.show_positions();
        if self.refusals == 0 && self.lost_contact().is_none() {
            self.board.set_state(&self.id, DetailedState::Running);
        }
        self.read(&stream)
    }

    /// Stays put in a state that only a command ends. Rows that are hot are still published when they are due.
    fn halt(&mut self, mut state: DetailedState) -> Result<(), Leave> {
        loop {
            self.board.set_state(&self.id, state);
            match self.commands.recv_timeout(PULSE) {
                Ok(stop) => return Err(Leave::Stop(stop)),
                Err(RecvTimeoutError::Disconnected) => return Err(Leave::Stop(Stop { publish: false })),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if let Err(Leave::Halt(worse)) = self.look_after_publishing() {
                state = worse;
            }
        }
    }

    /// Waits, while commands and publishing are looked after.
    pub(super) fn rest(&mut self, time: Duration) -> Result<(), Leave> {
        let until = Instant::now() + time;
        loop {
            self.pulse()?;
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            match self.commands.recv_timeout(left.min(PULSE)) {
                Ok(stop) => return Err(Leave::Stop(stop)),
                Err(RecvTimeoutError::Disconnected) => return Err(Leave::Stop(Stop { publish: false })),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Looks after commands and publishing; does nothing most of the time.
    pub(super) fn pulse(&mut self) -> Result<(), Leave> {
        match self.commands.try_recv() {
            Ok(stop) => return Err(Leave::Stop(stop)),
            // The registry is gone without a word: the process is ending.
            Err(TryRecvError::Disconnected) => return Err(Leave::Stop(Stop { publish: false })),
            Err(TryRecvError::Empty) => {}
        }
        let is_due = self.checked_at.is_none_or(|at| at.elapsed() >= PULSE);
        if is_due || self.is_over_limit() {
            self.checked_at = Some(Instant::now());
            self.look_after_publishing()?;
        }
        Ok(())
    }

    fn look_after_publishing(&mut self) -> Result<(), Leave> {
        if let Some((result, took)) = self.publisher.poll() {
            self.publish_ended(result, took);
        }
        self.look_at_hot();
        if self.datasource.poisoned().is_some() {
            return Err(Leave::Halt(DetailedState::PublishFailed));
        }
        if !self.publisher.is_free() {
            return Ok(());
        }
        let due = reason_to_publish(self.hot, &self.limits, self.last_append_ms, now_ms());
        // Nothing is on its way now: what is not hot was left by a publish that failed, perhaps of an earlier run.
        let is_left = self.publisher.has_failed() || self.hot.unpublished_bytes > self.hot.bytes;
        if let Some(reason) = due.or(is_left.then_some("again")) {
            tracing::info!(
                datasource = &*self.id,
                rows = self.hot.rows,
                bytes = self.hot.bytes,
                reason,
                "publishing"
            );
            fail_point!("handoff.due");
            match self.publisher.start() {
                Ok(()) => self.leaving = (self.positions.clone(), now_ms()),
                Err(error) => self.note("PublishFailed", format!("cannot start a thread: {error}"), false),
            }
        }
        Ok(())
    }

    fn publish_ended(&mut self, result: PublishResult, took: Duration) {
        match result {
            Ok(published) => {
                self.metrics.published(&published, took);
                if !published.segments.is_empty() {
                    tracing::info!(
                        datasource = &*self.id,
                        segments = published.segments.len(),
                        rows = published.rows,
                        size_bytes = published.size_bytes,
                        seconds = took.as_secs_f64(),
                        "published"
                    );
                }
                self.publish_went_well();
                let mut view = self.board.view();
                if let Some(run) = &mut view.run {
                    (run.starting, run.since_ms) = self.leaving.clone();
                }
                fail_point!("handoff.ended");
            }
            Err(error) => self.publish_went_wrong(&error),
        }
    }

    fn publish_went_well(&self) {
        let was_delayed = self.board.view().publish_failure.take().is_some();
        if was_delayed && self.board.view().state == DetailedState::PublishDelayed {
            self.board.set_state(&self.id, DetailedState::Running);
        }
    }

    fn publish_went_wrong(&self, error: &StorageError) {
        self.metrics.publish_failed();
        tracing::error!(datasource = &*self.id, %error, "publishing failed");
        self.note("PublishFailed", error.to_string(), false);
        self.board.view().publish_failure = Some(error.to_string());
        if self.datasource.poisoned().is_none() {
            self.board.set_state(&self.id, DetailedState::PublishDelayed);
        }
    }

    /// Whether so much waits to be published that reading has to wait.
    pub(super) fn is_over_limit(&self) -> bool {
        self.hot.unpublished_bytes >= self.options.hot_bytes_max
    }

    pub(super) fn look_at_hot(&mut self) {
        self.hot = Hot::of(&self.datasource.writer());
        self.metrics.hot(self.hot);
        let mut view = self.board.view();
        view.hot_rows = self.hot.rows;
        view.hot_bytes = self.hot.bytes;
    }

    /// Publishes everything, and waits for it.
    pub(super) fn publish_now(&mut self) -> PublishResult {
        if let Some((result, took)) = self.publisher.wait() {
            self.publish_ended(result, took);
        }
        let since = Instant::now();
        let result = self.datasource.publish(now_ms());
        match &result {
            Ok(published) => {
                self.publisher.settled();
                self.metrics.published(published, since.elapsed());
                self.publish_went_well();
            }
            Err(error) => self.publish_went_wrong(error),
        }
        result
    }

    fn finish(&mut self, stop: Stop) -> Result<(), IngestError> {
        if stop.publish {
            self.publish_now()?;
        } else if let Some((result, took)) = self.publisher.wait() {
            self.publish_ended(result, took);
        }
        Ok(())
    }

    /// What the store is told about how far the stream has been read.
    pub(super) fn progress(&self) -> Progress {
        let mut progress = Progress { identity: self.identity.clone(), ..Progress::default() };
        for (partition, offset) in &self.positions {
            progress.set(&self.spec.io.topic, *partition, *offset);
        }
        progress
    }

    pub(super) fn show_positions(&self) {
        let mut view = self.board.view();
        if let Some(run) = &mut view.run {
            run.current.clone_from(&self.positions);
            for (partition, offset) in &self.positions {
                run.starting.entry(*partition).or_insert(*offset);
            }
        }
    }

    pub(super) fn note(&self, class: &'static str, message: String, stream_exception: bool) {
        self.board.view().note(now_ms(), class, message, stream_exception);
    }

    /// The brokers do not answer, or answer with an error. For a while that is nothing to worry about.
    pub(super) fn trouble(&mut self, error: &StreamError) {
        let class = match error {
            StreamError::TopicMissing(_) => "TopicMissing",
            StreamError::OutOfRange(_) => "OffsetOutOfRange",
            StreamError::Kafka { .. } => "StreamUnavailable",
        };
        self.note(class, error.to_string(), true);
        self.unreachable_since.get_or_insert_with(Instant::now);
        if let Some(state) = self.lost_contact() {
            self.board.set_state(&self.id, state);
        }
    }

    /// The state of a supervisor that has been in trouble for longer than is usual; `None`: this one has not.
    pub(super) fn lost_contact(&self) -> Option<DetailedState> {
        self.unreachable_since.filter(|since| since.elapsed() >= self.options.unhealthy_after)?;
        Some(if self.was_connected {
            DetailedState::LostContactWithStream
        } else {
            DetailedState::UnableToConnectToStream
        })
    }
}

pub(super) type PublishResult = Result<Published, StorageError>;

fn publish_limits(spec: &SupervisorSpec, options: &IngestOptions) -> PublishLimits {
    let tuning = &spec.tuning;
    // Half of what may be hot: while one half is being published the other fills.
    let bytes_max = tuning.bytes_in_memory_max.unwrap_or(usize::MAX).min(options.hot_bytes_max / 2);
    PublishLimits {
        rows_max: tuning.rows_per_segment_max.min(tuning.total_rows_max),
        bytes_max,
        age_max_ms: spec.io.task_duration_ms.min(tuning.intermediate_handoff_period_ms).max(1),
        quiet_ms: options.quiet.as_millis() as i64,
        segment_granularity: spec.ingestion.segment_granularity,
    }
}

/// A run that ends by a panic says so.
struct PanicAlarm {
    board: Arc<Board>,
    id: Arc<str>,
}

impl Drop for PanicAlarm {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.board.view().note(
                now_ms(),
                "InternalError",
                "the supervisor's thread panicked".into(),
                false,
            );
            self.board.set_state(&self.id, DetailedState::InternalError);
        }
    }
}

impl std::fmt::Debug for Runner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runner")
            .field("id", &self.id)
            .field("positions", &self.positions)
            .finish_non_exhaustive()
    }
}
