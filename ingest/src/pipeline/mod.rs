//! From the bytes of messages to the columns of rows.
//!
//! ```text
//!  Message ─► limits ─► parse (one pass, wanted fields only) ─► Row ─► instant (__time) ─► Staged, per field
//!                                                                                            │ per batch
//!      RowBatch ◄─ output (codes, numbers) ◄─ discovery ◄─ filter ◄─ late, early ◄─ expression (transforms)
//! ```
//!
//! What holds:
//! * **A bad message never stops the stream.** It is refused with a [`RejectReason`], counted and sampled; a value that
//!   cannot be of its column's type is NULL, and its row is kept ([`RejectReason::UnconvertibleValue`]).
//! * **A row depends on its message alone**, not on the messages it came with, so that reading a stream again gives the
//!   same rows. (The exceptions are the clock of late and early rejection, and the types that discovery picks.)
//! * Nothing is allocated per row. Text is copied once from the message and interned once.
//! * Up to the stage, messages are read by as many threads as there is work for; behind it, by one.
//!
//! Several objects in one message, one after the other, are several rows. Rows before a syntax error are kept. With
//! `assumeNewlineDelimited` each line stands for itself, so rows after a bad line are kept as well.
//!
//! Left out: rollup (the store's), offsets and polling (the supervisor's).

mod convert;
mod expression;
mod fields;
mod instant;
mod limits;
mod names;
mod number;
mod output;
mod parse;
mod plan;
mod reader;
mod report;
mod reporter;
mod surrogates;
#[cfg(test)]
mod tests;
mod value;
mod view;

use std::collections::HashMap;
use std::sync::Arc;

use ovate_storage::time::{Granularity, Interval};
use ovate_storage::{ColumnRole, ColumnSpec, Result, Rollup, RowBatch, TIME_COLUMN, TableSchema, Writer};

use self::convert::metric_time;
use self::expression::{RowFilter, Source, Transform};
use self::fields::Fields;
use self::names::{Names, never_discovered};
use self::output::Output;
use self::parse::Unknown;
use self::reader::{Helpers, Reader, Stage};
use self::reporter::{Reporter, show};
use self::view::View;
use crate::error::SpecError;
use crate::spec::{Discovery, IngestionSpec, MetricInput};

pub use limits::Limits;
pub use report::{Counts, Decoded, Message, Outcome, RejectReason, Rejected};

/// Turns messages into rows for one datasource. It keeps what it learned of the stream (key order, distinct texts and
/// their results), so one pipeline serves a stream for as long as its spec holds.
#[derive(Debug)]
pub struct Pipeline {
    spec: Arc<IngestionSpec>,
    limits: Limits,
    reader: Reader,
    /// What reads beside it, if there is much to read.
    helpers: Helpers,
    /// Those of the transformSpec, then those of metrics, which may take the results of the former.
    transforms: Vec<Transform>,
    /// Transforms by the field that they make.
    transform_names: HashMap<String, usize>,
    /// Expressions of metrics, by the metric.
    metric_transforms: HashMap<String, usize>,
    filter: Option<RowFilter>,
    /// Fields that become columns once they have a value.
    candidates: Vec<(String, usize)>,
    outputs: Vec<Output>,
    outputs_of: Option<Arc<TableSchema>>,
}

impl Pipeline {
    /// A pipeline for a spec, with the usual limits. Fails where an expression or the filter cannot be compiled.
    pub fn new(spec: &IngestionSpec) -> Result<Self, SpecError> {
        Self::with_limits(spec, Limits::default())
    }

    /// [`Self::new`] with other limits.
    pub fn with_limits(spec: &IngestionSpec, limits: Limits) -> Result<Self, SpecError> {
        let mut fields = Fields::new();
        let mut names = Names { fields: &mut fields, spec };
        let time_slot = names.slot(&spec.timestamp.column);
        let mut transforms = Vec::new();
        let mut transform_names = HashMap::new();
        for transform in &spec.transforms {
            let compiled = Transform::new(&transform.expression, &transform.path, |name| names.input(name))?;
            transform_names.insert(transform.name.clone(), transforms.len());
            transforms.push(compiled);
        }
        // Metrics and the filter see rows as the transforms have left them.
        let mut resolve = |name: &str| match transform_names.get(name) {
            Some(at) => Source::Transform(*at),
            None => names.input(name),
        };
        let mut metric_transforms = HashMap::new();
        for metric in &spec.metrics {
            if let MetricInput::Expression(expression) = &metric.input {
                let path = format!("metric {:?}", metric.name);
                metric_transforms.insert(metric.name.clone(), transforms.len());
                transforms.push(Transform::new(expression, &path, &mut resolve)?);
            }
        }
        let filter = match &spec.filter {
            Some(filter) => Some(RowFilter::new(filter, &spec.filter_path, &mut resolve)?),
            None => None,
        };
        let candidates = names.candidates();
        let limits = limits.clamped();
        let unknown = Unknown {
            wanted: spec.discovery != Discovery::Off && spec.discover_root,
            excluded: never_discovered(spec),
            ..Unknown::default()
        };
        let spec = Arc::new(spec.clone());
        let reader = Reader::new(Arc::clone(&spec), limits, fields, unknown, time_slot);
        Ok(Self {
            spec,
            limits,
            reader,
            helpers: Helpers::default(),
            transforms,
            transform_names,
            metric_transforms,
            filter,
            candidates,
            outputs: Vec::new(),
            outputs_of: None,
        })
    }

    /// Decodes messages into rows for `writer`, which must not change before the batch is appended: its dictionaries
    /// have the batch's strings by then. Discovery may widen the writer's schema. `now_ms` is the clock against which
    /// rows are late or early.
    pub fn decode<'m>(
        &mut self,
        writer: &mut Writer,
        messages: impl IntoIterator<Item = Message<'m>>,
        now_ms: i64,
    ) -> Result<Decoded> {
        self.plan_outputs(writer.schema());
        let schema = writer.schema();
        let waiting = self.candidates.iter().filter(|(name, _)| schema.index_of(name).is_none()).count();
        let taken = schema.columns.len() + waiting;
        self.reader.unknown.found_max = self.limits.columns_max.saturating_sub(taken);
        let messages: Vec<Message<'m>> = messages.into_iter().collect();
        let mut report = Reporter::new(self.limits, &messages);
        self.helpers.read(&mut self.reader, &mut report);

        self.evaluate(&mut report);
        let mut rows = self.timely(now_ms, &mut report);
        self.filter(&mut rows, &mut report);
        self.discover(&rows, writer)?;
        self.plan_outputs(writer.schema());
        report.decoded.batch = self.batch(&rows, writer, &mut report);

        let with_error = rows.iter().filter(|row| self.reader.stage.faults[**row as usize]).count();
        for _ in 0..with_error {
            report.decoded.counts.add(RejectReason::UnconvertibleValue);
        }
        report.decoded.counts.processed = (rows.len() - with_error) as u64;
        Ok(report.decoded)
    }

    fn evaluate(&mut self, report: &mut Reporter<'_>) {
        let Self { reader, transforms, limits, .. } = self;
        let Stage { slots, times, faults, origins, .. } = &mut reader.stage;
        for at in 0..transforms.len() {
            let (earlier, rest) = transforms.split_at_mut(at);
            let Some(transform) = rest.first_mut() else { return };
            transform.evaluate(slots, times, earlier, limits.distinct_max, |row, problem| {
                if !faults[row] {
                    faults[row] = true;
                    report.sample(RejectReason::UnconvertibleValue, origins[row], || problem.to_owned());
                }
            });
        }
    }

    /// The rows whose time, after a transform of `__time`, is one that the spec accepts.
    fn timely(&mut self, now_ms: i64, report: &mut Reporter<'_>) -> Vec<u32> {
        let all = 0..self.reader.stage.times.len() as u32;
        let mut rows: Vec<u32> = all.collect();
        if let Some(at) = self.transform_names.get(TIME_COLUMN) {
            let view = self.transforms[*at].view();
            let Stage { times, origins, .. } = &mut self.reader.stage;
            rows.retain(|row| {
                let value = view.value(*row as usize);
                let reason = match metric_time(value) {
                    Some(ms) if Interval::ETERNITY.contains(ms) => {
                        times[*row as usize] = ms;
                        return true;
                    }
                    Some(_) => RejectReason::TimestampOutOfRange,
                    None => RejectReason::UnparseableTimestamp,
                };
                report.decoded.counts.add(reason);
                report.sample(reason, origins[*row as usize], || {
                    format!("the transform of __time gives {}", show(value))
                });
                false
            });
        }
        let rejection = self.spec.rejection;
        let earliest = rejection.late_ms.map(|late| now_ms.saturating_sub(late)).or(rejection.late_before_ms);
        let latest = rejection.early_ms.map(|early| now_ms.saturating_add(early));
        if earliest.is_some() || latest.is_some() {
            let times = &self.reader.stage.times;
            rows.retain(|row| {
                let ms = times[*row as usize];
                let reason = if earliest.is_some_and(|earliest| ms < earliest) {
                    RejectReason::TooLate
                } else if latest.is_some_and(|latest| ms > latest) {
                    RejectReason::TooEarly
                } else {
                    return true;
                };
                report.decoded.counts.add(reason);
                false
            });
        }
        rows
    }

    fn filter(&mut self, rows: &mut Vec<u32>, report: &mut Reporter<'_>) {
        let Some(filter) = &mut self.filter else { return };
        let views: Vec<View<'_>> = filter
            .columns
            .iter()
            .map(|(_, source)| self.reader.stage.view_of(*source, &self.transforms))
            .collect();
        let origins = &self.reader.stage.origins;
        let matching = filter.matching(&views, rows, |row, problem| {
            report.sample(RejectReason::FilteredOut, origins[row as usize], || problem);
        });
        for _ in matching.len()..rows.len() {
            report.decoded.counts.add(RejectReason::FilteredOut);
        }
        *rows = matching;
    }

    fn batch(&mut self, rows: &[u32], writer: &mut Writer, report: &mut Reporter<'_>) -> RowBatch {
        let Self { reader, transforms, outputs, spec, .. } = self;
        let stage = &mut reader.stage;
        let schema = Arc::clone(writer.schema());
        let raw: Vec<i64> = rows.iter().map(|row| stage.times[*row as usize]).collect();
        let mut faults = std::mem::take(&mut stage.faults);
        let mut columns = Vec::with_capacity(outputs.len());
        for (at, output) in outputs.iter_mut().enumerate() {
            let view = stage.view_of(output.source, transforms);
            let epoch = match output.source {
                Source::Transform(transform) => transforms[transform].epoch(),
                _ => 0,
            };
            let (name, column_type) = (output.name.clone(), output.column_type);
            let column = output.column(view, rows, epoch, writer, at, |row| {
                faults[row as usize] = true;
                report.sample(RejectReason::UnconvertibleValue, stage.origins[row as usize], || {
                    let (value, kind) =
                        (show(view.value(row as usize)), format!("{column_type:?}").to_lowercase());
                    format!("column {name:?}: cannot convert {value} to {kind}")
                });
            });
            columns.push(column);
        }
        stage.faults = faults;
        let timed =
            |column: &ColumnSpec| matches!(column.role, ColumnRole::Metric(Rollup::First | Rollup::Last));
        let raw_time = schema.columns.iter().any(timed).then(|| raw.clone());
        RowBatch { time: floor(raw, spec.query_granularity), raw_time, columns }
    }
}

/// Times floored to the query granularity. Neighbours mostly share a bucket, so the last one is tried first.
fn floor(mut times: Vec<i64>, granularity: Granularity) -> Vec<i64> {
    if granularity == Granularity::None {
        return times;
    }
    let mut bucket = Interval::new(0, 0);
    for ms in &mut times {
        if !bucket.contains(*ms) {
            bucket = granularity.bucket(*ms);
        }
        *ms = bucket.start_ms;
    }
    times
}
