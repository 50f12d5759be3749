//! `ANY_VALUE`: some value of the column, not NULL if it has another.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility};

use super::by_time::TEXT_BYTES;
use super::literal;
use crate::sql::error::FunctionError;

const NAME: &str = "any_value";

pub(super) fn function() -> AggregateUDF {
    AggregateUDF::new_from_impl(AnyValue { signature: Signature::user_defined(Volatility::Immutable) })
}

/// The type without its dictionary.
pub(super) fn plain_type(given: &DataType) -> DataType {
    match given {
        DataType::Dictionary(_, values) => plain_type(values),
        DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
        other => other.clone(),
    }
}

/// At most so many bytes of a text, whole characters only; other values as they are.
pub(super) fn cut_text(value: ScalarValue, bytes: usize) -> ScalarValue {
    match value {
        ScalarValue::Utf8View(Some(text)) if text.len() > bytes => {
            let end = text.floor_char_boundary(bytes);
            ScalarValue::Utf8View(text.get(..end).map(str::to_owned))
        }
        other => other,
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct AnyValue {
    signature: Signature,
}

impl AggregateUDFImpl for AnyValue {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let (1..=3, [value, rest @ ..]) = (types.len(), types) else {
            return Err(FunctionError::ArgumentCount {
                function: "ANY_VALUE".to_owned(),
                expected: "1 to 3 arguments".to_owned(),
                given: types.len(),
            }
            .into());
        };
        Ok([&[plain_type(value)], rest].concat())
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types.first().map_or(DataType::Null, plain_type))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new(
            format_state_name(args.name, "value"),
            args.return_type().clone(),
            true,
        ))])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let text_bytes = literal::whole(NAME, &args, 1, 1..=i64::from(i32::MAX))?.unwrap_or(TEXT_BYTES);
        Ok(Box::new(First {
            text_bytes: text_bytes as usize,
            value: ScalarValue::try_from(args.return_type())?,
        }))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

#[derive(Debug)]
struct First {
    text_bytes: usize,
    value: ScalarValue,
}

impl Accumulator for First {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let Some(values) = values.first().filter(|_| self.value.is_null()) else { return Ok(()) };
        if let Some(row) = (0..values.len()).find(|row| values.is_valid(*row)) {
            self.value = cut_text(ScalarValue::try_from_array(values, row)?, self.text_bytes);
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(self.value.clone())
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.value.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.value.clone()])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }
}
