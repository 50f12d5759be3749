//! `TIME_IN_INTERVAL`: whether a time lies in `[start, end)`.
//!
//! Of a column and an interval that is written out it becomes two comparisons, by which scans leave out segments.

use arrow::array::ArrayRef;
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{Expr, lit};
use ovate_storage::time::{Interval, Zone};

use crate::sql::args::{Args, booleans};
use crate::sql::convert::Kind::{Text, Time};
use crate::sql::convert::TIME;
use crate::sql::spec::{Returns, Spec};

pub(super) const SPECS: &[Spec] =
    &[Spec::new("TIME_IN_INTERVAL", &[Time, Text, Text], Returns::Boolean, is_inside)
        .required(2)
        .simplified(comparisons)];

/// `time >= start AND time < end`.
fn comparisons(args: &[Expr], info: &SimplifyContext) -> Option<Expr> {
    let [time @ Expr::Column(_), Expr::Literal(interval, _), zone @ ..] = args else { return None };
    let zone = match zone {
        [] => Zone::UTC,
        [Expr::Literal(zone, _)] => zone.try_as_str()?.map_or(Ok(Zone::UTC), Zone::parse).ok()?,
        _ => return None,
    };
    if info.get_data_type(time).ok()? != TIME {
        return None;
    }
    let Interval { start_ms, end_ms } = Interval::parse(interval.try_as_str()??, zone).ok()?;
    let instant = |time_ms| lit(ScalarValue::TimestampMillisecond(Some(time_ms), None));
    Some(time.clone().gt_eq(instant(start_ms)).and(time.clone().lt(instant(end_ms))))
}

fn is_inside(args: &Args) -> Result<ArrayRef> {
    let time = args.time(0)?;
    let mut zones = args.zone(2)?;
    if zones.is_literal() {
        let zone = zones.get(0)?;
        let mut intervals = args.compiled(1, move |text| Interval::parse(text, zone))?;
        return booleans(args, |row| {
            let (Some(time_ms), Some(interval)) = (time.get(row), intervals.get(row)?) else {
                return Ok(None);
            };
            Ok(Some(interval.contains(time_ms)))
        });
    }
    let texts = args.text(1)?;
    booleans(args, |row| {
        let (Some(time_ms), Some(text)) = (time.get(row), texts.get(row)) else { return Ok(None) };
        let interval = Interval::parse(text, zones.get(row)?).map_err(|error| args.wrong(1, error))?;
        Ok(Some(interval.contains(time_ms)))
    })
}
