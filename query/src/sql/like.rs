//! The patterns of LIKE in the form that Arrow knows: there a backslash escapes; in SQL nothing does unless ESCAPE
//! says so.
//!
//! A pattern that is written out is turned in the tree; one that a row brings, by a function.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, StringViewArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::sql::sqlparser::ast::{Expr, ValueWithSpan};

use super::tree::{as_text, call, take, text};
use crate::error::QueryError;

const NAME: &str = "$like_pattern";

/// Turns the pattern of a LIKE, and takes its ESCAPE away.
pub(crate) fn settle(pattern: &mut Expr, escape: &mut Option<ValueWithSpan>) -> Result<(), QueryError> {
    let escape = escape.take().and_then(ValueWithSpan::into_string);
    let mut chars = escape.iter().flat_map(|escape| escape.chars());
    let escape_char = chars.next();
    if chars.next().is_some() || (escape.is_some() && escape_char.is_none()) {
        return Err(QueryError::invalid("ESCAPE must be a single character"));
    }
    if let Some(written) = as_text(pattern) {
        *pattern = text(arrow_pattern(written, escape_char));
    } else if !matches!(pattern, Expr::Value(_)) {
        *pattern = call(NAME, [take(pattern), text(escape.unwrap_or_default())]);
    }
    Ok(())
}

fn arrow_pattern(pattern: &str, escape: Option<char>) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        if Some(c) == escape {
            out.push('\\');
            out.extend(chars.next());
        } else if c == '\\' {
            out.push_str("\\\\");
        } else {
            out.push(c);
        }
    }
    out
}

/// The function that turns the patterns of rows.
pub(crate) fn function() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(LikePattern { signature: Signature::user_defined(Volatility::Immutable) }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct LikePattern {
    signature: Signature,
}

impl ScalarUDFImpl for LikePattern {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match types {
            [pattern, escape] if is_text(pattern) && is_text(escape) => Ok(vec![DataType::Utf8View; 2]),
            _ => plan_err!("The pattern of LIKE must be a text"),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [patterns, ColumnarValue::Scalar(escape)] = &args.args[..] else {
            return plan_err!("ESCAPE must be a literal");
        };
        let escape = escape.try_as_str().flatten().and_then(|escape| escape.chars().next());
        let turned = |array: &ArrayRef| -> Result<ArrayRef> {
            let patterns = cast(array, &DataType::Utf8View)?;
            let patterns = patterns.as_string_view().iter();
            Ok(Arc::new(patterns.map(|p| p.map(|p| arrow_pattern(p, escape))).collect::<StringViewArray>()))
        };
        Ok(match patterns {
            ColumnarValue::Array(array) => ColumnarValue::Array(turned(array)?),
            ColumnarValue::Scalar(value) => {
                ColumnarValue::Scalar(ScalarValue::try_from_array(&turned(&value.to_array()?)?, 0)?)
            }
        })
    }
}

fn is_text(data_type: &DataType) -> bool {
    *data_type == DataType::Null || crate::plan::types::is_text(data_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backslashes_stand_for_themselves() {
        assert_eq!(arrow_pattern(r"a\b%", None), r"a\\b%");
        assert_eq!(arrow_pattern("50!%%", Some('!')), r"50\%%");
    }
}
