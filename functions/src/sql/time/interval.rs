//! `TIME_IN_INTERVAL`: whether a time lies in `[start, end)`.

use arrow::array::ArrayRef;
use datafusion::error::Result;
use ovate_storage::time::Interval;

use crate::sql::args::{Args, booleans};
use crate::sql::convert::Kind::{Text, Time};
use crate::sql::spec::{Returns, Spec};

pub(super) const SPECS: &[Spec] =
    &[Spec::new("TIME_IN_INTERVAL", &[Time, Text, Text], Returns::Boolean, is_inside).required(2)];

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
