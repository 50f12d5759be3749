//! What a running supervisor lets others see. The runner writes, everybody reads; the lock is held for copies only.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ovate_storage::catalog::OFFSET_EVENTS_KEPT;

use super::gap::OffsetGap;
use super::parse_errors::ParseErrors;
use super::state::{DetailedState, RecentError, RecentErrors};
use super::stats::Meter;
use super::task::Task;

/// Gaps listed in the status: those that are kept. All are counted in the metrics.
const GAPS_LISTED: usize = OFFSET_EVENTS_KEPT as usize;

/// A run of the supervisor's thread, and how far it is.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) task: Task,
    /// Where the rows that are hot now begin, and since when they gather.
    pub(crate) starting: BTreeMap<i32, i64>,
    pub(crate) since_ms: i64,
    /// The next offset to read.
    pub(crate) current: BTreeMap<i32, i64>,
    pub(crate) meter: Meter,
}

impl Run {
    pub(crate) fn new(task: Task) -> Self {
        let since_ms = task.created_ms;
        Self {
            task,
            starting: BTreeMap::new(),
            since_ms,
            current: BTreeMap::new(),
            meter: Meter::new(since_ms),
        }
    }
}

/// Everything that can be seen.
#[derive(Debug, Default)]
pub(crate) struct View {
    pub(crate) state: DetailedState,
    pub(crate) run: Option<Run>,
    /// Offsets after the last readable message, and when that was known.
    pub(crate) latest: BTreeMap<i32, i64>,
    pub(crate) latest_at_ms: Option<i64>,
    pub(crate) errors: RecentErrors,
    pub(crate) gaps: Vec<OffsetGap>,
    pub(crate) parse_errors: ParseErrors,
    /// Why rows could not be published, until they are.
    pub(crate) publish_failure: Option<String>,
    pub(crate) hot_rows: usize,
    pub(crate) hot_bytes: usize,
}

impl View {
    pub(crate) fn note(
        &mut self,
        timestamp: i64,
        class: &'static str,
        message: String,
        stream_exception: bool,
    ) {
        self.errors.push(RecentError { timestamp, exception_class: class, message, stream_exception });
    }

    pub(crate) fn note_gap(&mut self, gap: OffsetGap) {
        if self.gaps.len() >= GAPS_LISTED {
            self.gaps.remove(0);
        }
        self.gaps.push(gap);
    }

    /// How far behind reading is, per partition; where the end is not known yet there is nothing to say.
    pub(crate) fn lag(&self) -> BTreeMap<i32, i64> {
        let current = self.run.iter().flat_map(|run| &run.current);
        current
            .filter_map(|(partition, next)| {
                let latest = self.latest.get(partition)?;
                Some((*partition, (latest - next).max(0)))
            })
            .collect()
    }
}

/// The view, shared.
#[derive(Debug, Default)]
pub(crate) struct Board(Mutex<View>);

impl Board {
    /// The view. Plain data: a panic while it was held cannot have left it worse than outdated.
    pub(crate) fn view(&self) -> MutexGuard<'_, View> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, and logs that it did.
    pub(crate) fn set_state(&self, id: &str, state: DetailedState) {
        let before = std::mem::replace(&mut self.view().state, state);
        if before == state {
            return;
        }
        metrics::gauge!("ovate_supervisor_healthy", "supervisor" => id.to_owned())
            .set(if state.is_healthy() { 1.0 } else { 0.0 });
        if state.is_healthy() {
            tracing::info!(supervisor = id, from = before.name(), to = state.name(), "supervisor state");
        } else {
            tracing::warn!(supervisor = id, from = before.name(), to = state.name(), "supervisor state");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lag_is_known_where_both_ends_are() {
        let mut view = View { latest: [(0, 10), (1, 5), (2, 9)].into(), ..View::default() };
        let mut run = Run::new(Task::new("D", &serde_json::json!({}), 0));
        run.current = [(0, 7), (1, 6), (3, 1)].into();
        view.run = Some(run);
        assert_eq!(view.lag(), [(0, 3), (1, 0)].into());
    }
}
