//! `TIME_FLOOR`, `TIME_CEIL` and `TIME_SHIFT`: times on the calendar of a period.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, TimestampMillisecondArray};
use arrow::datatypes::TimestampMillisecondType;
use datafusion::error::Result;
use ovate_storage::time::{Period, TimeError, Zone};

use crate::sql::args::{Args, Numbers, times};
use crate::sql::convert::Kind::{Long, Text, Time};
use crate::sql::spec::{Returns, Spec};

pub(super) const SPECS: &[Spec] = &[
    Spec::new("TIME_FLOOR", &[Time, Text, Time, Text], Returns::Time, |args| cut(args, Edge::Start))
        .required(2),
    Spec::new("TIME_CEIL", &[Time, Text, Time, Text], Returns::Time, |args| cut(args, Edge::End)).required(2),
    Spec::new("TIME_SHIFT", &[Time, Text, Long, Text], Returns::Time, shift).required(3),
];

/// Which edge of its bucket a time is moved to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edge {
    /// The latest that is not after it.
    Start,
    /// The earliest that is not before it.
    End,
}

/// Buckets of one period, with the last one remembered: times that lie together cost one look at the calendar.
#[derive(Debug)]
pub(super) struct Buckets {
    period: Period,
    origin_ms: Option<i64>,
    zone: Zone,
    /// Phase and width, where all buckets are as wide.
    fixed: Option<(i64, i64)>,
    last: (i64, i64),
}

impl Buckets {
    pub(super) fn new(period: Period, origin_ms: Option<i64>, zone: Zone) -> Self {
        let granularity = ovate_storage::time::Granularity::Period { period, origin_ms, zone };
        let fixed = granularity.fixed_ms().map(|width| (period.floor(0, origin_ms, zone), width));
        Self { period, origin_ms, zone, fixed, last: (0, 0) }
    }

    pub(super) fn edge(&mut self, edge: Edge, time_ms: i64) -> i64 {
        if let Some((phase, width)) = self.fixed
            && let Some(since) = time_ms.checked_sub(phase)
        {
            let start = time_ms.saturating_sub(since.rem_euclid(width));
            return if edge == Edge::Start || start == time_ms { start } else { start.saturating_add(width) };
        }
        if !(self.last.0 <= time_ms && time_ms < self.last.1) {
            self.last = self.period.bucket(time_ms, self.origin_ms, self.zone);
        }
        if edge == Edge::Start || self.last.0 == time_ms { self.last.0 } else { self.last.1 }
    }

    /// The edge of every row's bucket.
    pub(super) fn edges(
        &mut self,
        edge: Edge,
        rows: &Numbers<'_, TimestampMillisecondType>,
    ) -> Option<ArrayRef> {
        let rows: &TimestampMillisecondArray = rows.rows()?;
        let edges: Vec<i64> = rows.values().iter().map(|time_ms| self.edge(edge, *time_ms)).collect();
        Some(Arc::new(TimestampMillisecondArray::new(edges.into(), rows.nulls().cloned())))
    }
}

fn positive_period(text: &str) -> Result<Period, TimeError> {
    let period = Period::parse(text)?;
    if period.is_positive() {
        return Ok(period);
    }
    Err(TimeError::Period { text: text.to_owned(), reason: "it must be longer than nothing" })
}

fn cut(args: &Args, edge: Edge) -> Result<ArrayRef> {
    let time = args.time(0)?;
    let mut periods = args.compiled(1, positive_period)?;
    let origins = args.optional(2, |i| args.time(i))?;
    let mut zones = args.zone(3)?;
    let literal_origin = origins.is_none_or(|origins| origins.is_literal());
    if periods.is_literal() && zones.is_literal() && literal_origin {
        let Some(period) = periods.get(0)?.copied() else { return times(args, |_| Ok(None)) };
        let origin = origins.and_then(|origins| origins.get(0));
        let mut buckets = Buckets::new(period, origin, zones.get(0)?);
        return match buckets.edges(edge, &time) {
            Some(edges) => Ok(edges),
            None => times(args, |row| Ok(time.get(row).map(|time_ms| buckets.edge(edge, time_ms)))),
        };
    }
    times(args, |row| {
        let (Some(time_ms), Some(period)) = (time.get(row), periods.get(row)?) else { return Ok(None) };
        let origin_ms = origins.and_then(|origins| origins.get(row));
        let zone = zones.get(row)?;
        Ok(Some(match edge {
            Edge::Start => period.floor(time_ms, origin_ms, zone),
            Edge::End => period.ceil(time_ms, origin_ms, zone),
        }))
    })
}

fn shift(args: &Args) -> Result<ArrayRef> {
    let time = args.time(0)?;
    let mut periods = args.compiled(1, Period::parse)?;
    let steps = args.long(2)?;
    let mut zones = args.zone(3)?;
    times(args, |row| {
        let (Some(time_ms), Some(steps), Some(period)) = (time.get(row), steps.get(row), periods.get(row)?)
        else {
            return Ok(None);
        };
        Ok(Some(period.add(time_ms, steps, zones.get(row)?)))
    })
}
