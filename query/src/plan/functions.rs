//! Functions that the rewriter calls and that no user can: their names begin with `$`.

use std::sync::Arc;

use datafusion::arrow::array::{AsArray, Int64Array};
use datafusion::arrow::datatypes::{DataType, TimeUnit, TimestampMillisecondType};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};
use ovate_storage::time::{Period, Zone};

/// `$months_between(from, to, zone)`: whole months from one instant to another on a zone's calendar.
pub(crate) const MONTHS_BETWEEN: &str = "$months_between";

/// The functions of this module.
pub(crate) fn all() -> Vec<Arc<ScalarUDF>> {
    let timestamp = DataType::Timestamp(TimeUnit::Millisecond, None);
    let signature = Signature::new(
        TypeSignature::Exact(vec![timestamp.clone(), timestamp, DataType::Utf8]),
        Volatility::Immutable,
    );
    vec![Arc::new(ScalarUDF::from(MonthsBetween { signature }))]
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct MonthsBetween {
    signature: Signature,
}

impl ScalarUDFImpl for MonthsBetween {
    fn name(&self) -> &str {
        MONTHS_BETWEEN
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let [from, to, zone] = arrays.as_slice() else {
            return exec_err!("{MONTHS_BETWEEN} takes three arguments");
        };
        let zone = zone.as_string::<i32>().iter().flatten().next().and_then(|name| Zone::parse(name).ok());
        let zone = zone.unwrap_or(Zone::UTC);
        let from = from.as_primitive::<TimestampMillisecondType>();
        let to = to.as_primitive::<TimestampMillisecondType>();
        let months: Int64Array =
            from.iter().zip(to.iter()).map(|(a, b)| Some(months_between(a?, b?, zone))).collect();
        Ok(ColumnarValue::Array(Arc::new(months)))
    }
}

/// The greatest `n` such that `from` plus `n` months is not after `to`; negative when `to` comes first.
fn months_between(from_ms: i64, to_ms: i64, zone: Zone) -> i64 {
    const MONTH_MEAN_MS: i64 = 2_629_746_000;
    if to_ms < from_ms {
        return -months_between(to_ms, from_ms, zone);
    }
    let month = Period::of_months(1);
    let mut months = to_ms.saturating_sub(from_ms) / MONTH_MEAN_MS;
    while month.add(from_ms, months, zone) > to_ms {
        months -= 1;
    }
    while month.add(from_ms, months + 1, zone) <= to_ms {
        months += 1;
    }
    months
}

#[cfg(test)]
mod tests {
    use super::*;
    use ovate_storage::time::parse::parse_iso;

    #[test]
    fn only_whole_months_count() {
        let between = |a, b| {
            months_between(parse_iso(a, Zone::UTC).unwrap(), parse_iso(b, Zone::UTC).unwrap(), Zone::UTC)
        };
        assert_eq!(between("2020-01-31", "2020-02-28"), 0);
        assert_eq!(between("2020-01-31", "2020-03-31"), 2);
        assert_eq!(between("2020-01-15", "2021-01-14T23:59:59.999"), 11);
        assert_eq!(between("2021-01-15", "2020-01-15"), -12);
        assert_eq!(between("1900-01-01", "2400-01-01"), 6000);
    }
}
