//! The arguments of an aggregate that must be literals.

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::ColumnarValue;
use datafusion::logical_expr::function::AccumulatorArgs;

use crate::sql::error::FunctionError;

/// Argument `i` as a value; `None` where it is NULL or not given.
fn literal(function: &str, args: &AccumulatorArgs, i: usize) -> Result<Option<ScalarValue>> {
    let Some(expr) = args.exprs.get(i) else { return Ok(None) };
    // An expression that reads no column can be evaluated over none.
    let value = expr.evaluate(&RecordBatch::new_empty(Schema::empty().into()));
    match value {
        Ok(ColumnarValue::Scalar(value)) if value.is_null() => Ok(None),
        Ok(ColumnarValue::Scalar(value)) => Ok(Some(value)),
        _ => Err(wrong(function, i, "it must be a literal".to_owned())),
    }
}

/// Argument `i` as a whole number within a range.
pub(super) fn whole(
    function: &str,
    args: &AccumulatorArgs,
    i: usize,
    range: std::ops::RangeInclusive<i64>,
) -> Result<Option<i64>> {
    let Some(value) = literal(function, args, i)? else { return Ok(None) };
    match value.cast_to(&DataType::Int64) {
        Ok(ScalarValue::Int64(Some(value))) if range.contains(&value) => Ok(Some(value)),
        _ => Err(wrong(
            function,
            i,
            format!("it must be a whole number from {} to {}, not {value}", range.start(), range.end()),
        )),
    }
}

/// Argument `i` as text.
pub(super) fn text(function: &str, args: &AccumulatorArgs, i: usize) -> Result<Option<String>> {
    let Some(value) = literal(function, args, i)? else { return Ok(None) };
    match value.cast_to(&DataType::Utf8) {
        Ok(ScalarValue::Utf8(text)) => Ok(text),
        _ => Err(wrong(function, i, format!("it must be a text, not {value}"))),
    }
}

fn wrong(function: &str, i: usize, reason: String) -> datafusion::error::DataFusionError {
    FunctionError::ArgumentValue { function: function.to_owned(), argument: i + 1, reason }.into()
}
