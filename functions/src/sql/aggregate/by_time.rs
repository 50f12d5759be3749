//! `EARLIEST_BY` and `LATEST_BY`: the value of the row with the least or the greatest time.
//!
//! Of several rows at that time, `EARLIEST_BY` gives the first and `LATEST_BY` the last that was read. A row without
//! a time does not count; a row without a value does, and may give NULL, as in Druid. `EARLIEST(x)` and `LATEST(x)`
//! mean the table's own `__time`: the planner adds it.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility};

use super::any_value::{cut_text, plain_type};
use super::literal;
use crate::sql::convert::{self, Kind};
use crate::sql::error::FunctionError;

/// Texts are cut to this unless the call says otherwise, as Druid does.
pub(super) const TEXT_BYTES: i64 = 1_024;

pub(super) fn functions() -> Vec<AggregateUDF> {
    [(Which::Earliest, "earliest_by"), (Which::Latest, "latest_by")]
        .map(|(which, name)| {
            let signature = Signature::user_defined(Volatility::Immutable);
            AggregateUDF::new_from_impl(ByTime { which, name, signature })
        })
        .into()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Which {
    Earliest,
    Latest,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ByTime {
    which: Which,
    name: &'static str,
    signature: Signature,
}

impl AggregateUDFImpl for ByTime {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let function = || self.name.to_ascii_uppercase();
        let (2..=3, [value, time, rest @ ..]) = (types.len(), types) else {
            return Err(FunctionError::ArgumentCount {
                function: function(),
                expected: "2 to 3 arguments".to_owned(),
                given: types.len(),
            }
            .into());
        };
        if !convert::accepts(Kind::Time, time) {
            return Err(FunctionError::ArgumentType {
                function: function(),
                argument: 2,
                expected: Kind::Time.in_words(),
                given: time.to_string(),
            }
            .into());
        }
        Ok([&[plain_type(value), time.clone()], rest].concat())
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types.first().map_or(DataType::Null, plain_type))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(vec![
            Arc::new(Field::new(format_state_name(args.name, "value"), args.return_type().clone(), true)),
            Arc::new(Field::new(format_state_name(args.name, "time"), DataType::Int64, true)),
        ])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let text_bytes = literal::whole(self.name, &args, 2, 1..=i64::from(i32::MAX))?.unwrap_or(TEXT_BYTES);
        Ok(Box::new(Best {
            which: self.which,
            text_bytes: text_bytes as usize,
            time_ms: None,
            value: ScalarValue::try_from(args.return_type())?,
        }))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

/// The best row so far.
#[derive(Debug)]
struct Best {
    which: Which,
    text_bytes: usize,
    time_ms: Option<i64>,
    value: ScalarValue,
}

impl Best {
    fn is_better(&self, time_ms: i64, than: Option<i64>) -> bool {
        than.is_none_or(|than| match self.which {
            Which::Earliest => time_ms < than,
            Which::Latest => time_ms >= than,
        })
    }

    fn take(&mut self, values: &ArrayRef, times: &ArrayRef) -> Result<()> {
        let times = times.as_primitive::<Int64Type>();
        let mut best = (self.time_ms, None);
        for (row, time_ms) in times.iter().enumerate() {
            if let Some(time_ms) = time_ms
                && self.is_better(time_ms, best.0)
            {
                best = (Some(time_ms), Some(row));
            }
        }
        if let (time_ms, Some(row)) = best {
            self.time_ms = time_ms;
            self.value = cut_text(ScalarValue::try_from_array(values, row)?, self.text_bytes);
        }
        Ok(())
    }
}

fn two(arrays: &[ArrayRef]) -> Result<(&ArrayRef, &ArrayRef)> {
    match arrays {
        [value, time, ..] => Ok((value, time)),
        _ => Err(DataFusionError::Internal("an aggregate by time got too few arguments".to_owned())),
    }
}

impl Accumulator for Best {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let (values, times) = two(values)?;
        let times = cast(&convert::convert(Kind::Time, times)?, &DataType::Int64)?;
        self.take(values, &times)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(self.value.clone())
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.value.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.value.clone(), ScalarValue::Int64(self.time_ms)])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let (values, times) = two(states)?;
        self.take(values, times)
    }
}
