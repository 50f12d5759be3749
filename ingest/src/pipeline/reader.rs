//! Messages into staged rows: what several threads can do at once.
//!
//! ```text
//!  messages ──┬─ first share ──► Reader (of the pipeline) ─► Stage ─┐
//!             ├─ next share ───► Reader (of a helper) ─────► Stage ─┴─► one Stage, rows in the order of the messages
//!             └─ …
//! ```
//!
//! While a stream is read as it comes, batches are small and one thread reads them. Large ones are there when much has been
//! waiting; they are shared out, which neither the rows nor what is said about the messages shows.

use std::borrow::Cow;
use std::num::NonZero;
use std::ops::Range;
use std::sync::Arc;
use std::thread;

use serde_json::error::Category;

use super::expression::{Source, Transform, view_of};
use super::fields::Fields;
use super::instant;
use super::limits::Limits;
use super::parse::{Parser, Unknown};
use super::report::{Message, RejectReason};
use super::reporter::{Reporter, show};
use super::surrogates;
use super::value::{Cell, Row, Staged};
use super::view::View;
use crate::spec::IngestionSpec;

/// Messages for which another thread is worth it: some milliseconds of reading.
const SHARE_MESSAGES: usize = 2048;
/// Threads at most: what follows is one thread's work, and is soon what limits.
const READERS_MAX: usize = 4;

/// Reads messages one by one, and learns the order of their keys.
#[derive(Debug, Clone)]
pub(super) struct Reader {
    spec: Arc<IngestionSpec>,
    limits: Limits,
    pub(super) fields: Fields,
    pub(super) unknown: Unknown,
    time_slot: usize,
    pub(super) stage: Stage,
}

/// The rows of one call, before they become columns.
#[derive(Debug, Clone, Default)]
pub(super) struct Stage {
    row: Row,
    items: Vec<Cell>,
    pub(super) slots: Vec<Staged>,
    pub(super) times: Vec<i64>,
    /// Per row, which message of the call it came from.
    pub(super) origins: Vec<u32>,
    /// Per row, whether a value of it could not be converted.
    pub(super) faults: Vec<bool>,
}

impl Reader {
    pub(super) fn new(
        spec: Arc<IngestionSpec>,
        limits: Limits,
        fields: Fields,
        unknown: Unknown,
        time_slot: usize,
    ) -> Self {
        Self { spec, limits, fields, unknown, time_slot, stage: Stage::default() }
    }

    fn begin(&mut self) {
        self.stage.clear(self.fields.slots());
        self.unknown.skipped = 0;
    }

    fn read_all(&mut self, messages: Range<usize>, report: &mut Reporter<'_>) {
        for at in messages {
            report.at = at;
            self.read(report.messages[at], report);
        }
        report.decoded.counts.fields_not_discovered += self.unknown.skipped;
    }

    fn read(&mut self, message: Message<'_>, report: &mut Reporter<'_>) {
        report.decoded.counts.messages += 1;
        let Some(payload) = message.payload else {
            report.decoded.counts.add(RejectReason::NoPayload);
            return;
        };
        report.decoded.counts.bytes += payload.len() as u64;
        if payload.len() > self.limits.message_bytes_max {
            let max = self.limits.message_bytes_max;
            report.reject(RejectReason::TooLarge, || {
                format!("{} bytes are more than message_bytes_max ({max})", payload.len())
            });
            return;
        }
        let text =
            std::str::from_utf8(payload).map_or_else(|_| String::from_utf8_lossy(payload), Cow::Borrowed);
        let text = match surrogates::repair(&text) {
            Cow::Borrowed(_) => text,
            Cow::Owned(repaired) => Cow::Owned(repaired),
        };
        if self.spec.newline_delimited {
            for line in text.lines().filter(|line| !line.trim().is_empty()) {
                self.read_text(line, report);
            }
        } else {
            self.read_text(&text, report);
        }
    }

    fn read_text(&mut self, text: &str, report: &mut Reporter<'_>) {
        if let Err((reason, detail)) = self.limits.check(text) {
            report.reject(reason, || detail);
            return;
        }
        let mut document = serde_json::Deserializer::from_str(text);
        loop {
            let Stage { row, items, .. } = &mut self.stage;
            let mut parser = Parser {
                fields: &mut self.fields,
                unknown: &mut self.unknown,
                row,
                items,
                base: text.as_ptr() as usize,
            };
            match parser.read(&mut document) {
                Ok(()) => self.accept(text, report),
                Err(error) if error.classify() == Category::Data => {
                    report.reject(RejectReason::NotAnObject, || error.to_string());
                }
                Err(error) => {
                    report.reject(RejectReason::UnparseableJson, || error.to_string());
                    return;
                }
            }
            if document.end().is_ok() {
                return;
            }
        }
    }

    /// Stages the row that was read, if it has a time.
    fn accept(&mut self, text: &str, report: &mut Reporter<'_>) {
        let Stage { row, slots, times, origins, .. } = &mut self.stage;
        let value = row.value(self.time_slot, text);
        match instant::instant(&self.spec.timestamp, value) {
            Ok(ms) => {
                let before = times.len();
                times.push(ms);
                origins.push(report.at as u32);
                while slots.len() < self.fields.slots() {
                    slots.push(Staged::default());
                }
                for (slot, staged) in slots.iter_mut().enumerate() {
                    if staged.len() < before {
                        staged.pad(before);
                    }
                    staged.push(row.value(slot, text));
                }
            }
            Err(reason) => {
                let column = &self.spec.timestamp.column;
                report.reject(reason, || match reason {
                    RejectReason::MissingTimestamp => format!("the time field {column:?} is absent or null"),
                    RejectReason::TimestampOutOfRange => {
                        format!("the time {} of {column:?} is out of range", show(value))
                    }
                    _ => format!("the time {} of {column:?} is not in the spec's format", show(value)),
                });
            }
        }
    }
}

impl Stage {
    /// The values of `source`, where `transforms` have been evaluated.
    pub(super) fn view_of<'a>(&'a self, source: Source, transforms: &'a [Transform]) -> View<'a> {
        view_of(source, &self.slots, &self.times, transforms)
    }

    fn clear(&mut self, slots: usize) {
        self.slots.resize_with(slots, Staged::default);
        self.slots.iter_mut().for_each(Staged::clear);
        self.times.clear();
        self.origins.clear();
        self.faults.clear();
    }

    /// Adds the rows of another stage with the same slots.
    fn append(&mut self, other: &Self) {
        let before = self.times.len();
        for (slot, theirs) in self.slots.iter_mut().zip(&other.slots) {
            slot.pad(before);
            slot.append(theirs);
        }
        self.times.extend_from_slice(&other.times);
        self.origins.extend_from_slice(&other.origins);
    }

    fn finish(&mut self) {
        let rows = self.times.len();
        self.slots.iter_mut().for_each(|staged| staged.pad(rows));
        self.faults.resize(rows, false);
    }
}

/// Readers beside that of the pipeline, made when they are first needed.
#[derive(Debug)]
pub(super) struct Helpers {
    readers: Vec<Reader>,
    readers_max: usize,
    share_messages: usize,
}

impl Default for Helpers {
    fn default() -> Self {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        Self::new(cores.min(READERS_MAX), SHARE_MESSAGES)
    }
}

impl Helpers {
    /// So many threads at most, each with so many messages at least.
    pub(super) fn new(readers_max: usize, share_messages: usize) -> Self {
        Self { readers: Vec::new(), readers_max, share_messages }
    }

    /// Has `first` and, where they are worth it, others read all messages of `report`; their rows are in the stage of
    /// `first` then.
    pub(super) fn read(&mut self, first: &mut Reader, report: &mut Reporter<'_>) {
        let count = report.messages.len();
        // Which fields find room as columns depends on the order of all messages.
        let readers_max = if first.unknown.wanted { 1 } else { self.readers_max };
        let readers = (count / self.share_messages).clamp(1, readers_max);
        let share_messages = count.div_ceil(readers);
        let share = |nth: usize| (nth * share_messages).min(count)..((nth + 1) * share_messages).min(count);
        first.begin();
        while self.readers.len() + 1 < readers {
            self.readers.push(first.clone());
        }
        let helpers = &mut self.readers[..readers - 1];
        for helper in &mut *helpers {
            if helper.fields.slots() != first.fields.slots() {
                *helper = first.clone();
            }
            helper.begin();
        }
        let (limits, messages) = (report.limits, report.messages);
        let alone = |helper: &mut Reader, share| {
            let mut report = Reporter::new(limits, messages);
            helper.read_all(share, &mut report);
            report.decoded
        };
        let mut left = Vec::new();
        thread::scope(|scope| {
            let mut started = Vec::new();
            for (nth, helper) in (1..).zip(&mut *helpers) {
                let builder = thread::Builder::new().name("ovate-read".to_owned());
                match builder.spawn_scoped(scope, move || alone(helper, share(nth))) {
                    Ok(helper) => started.push(helper),
                    // The system has no thread to give.
                    Err(_) => left.push(nth),
                }
            }
            first.read_all(share(0), report);
            for helper in started {
                match helper.join() {
                    Ok(decoded) => report.add(decoded),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
        });
        for nth in left {
            report.add(alone(&mut helpers[nth - 1], share(nth)));
        }
        for helper in helpers {
            first.stage.append(&helper.stage);
        }
        first.stage.finish();
    }
}
