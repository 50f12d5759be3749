//! `STRING_AGG`, `LISTAGG`, `GROUP_CONCAT`: the texts of a group, joined.
//!
//! NULLs are left out; nothing to join is NULL. Texts stand in the order that the call asks for, else as they were
//! read; with DISTINCT every text stands once and, unless ordered, they are sorted, which is how Druid's sets are.
//! Values are gathered by DataFusion's `ARRAY_AGG`, which knows about order, and joined at the end.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::functions_aggregate::array_agg::ArrayAgg;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility};

use super::any_value::plain_type;
use super::literal;
use crate::native::library::text::MADE_MAX;
use crate::sql::convert::{self, Kind};
use crate::sql::error::FunctionError;

const NAME: &str = "string_agg";

pub(super) fn function() -> AggregateUDF {
    AggregateUDF::new_from_impl(StringAgg {
        signature: Signature::user_defined(Volatility::Immutable),
        aliases: vec!["listagg".to_owned(), "group_concat".to_owned()],
        gather: ArrayAgg::default(),
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct StringAgg {
    signature: Signature,
    aliases: Vec<String>,
    gather: ArrayAgg,
}

impl AggregateUDFImpl for StringAgg {
    fn name(&self) -> &str {
        NAME
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        if types.is_empty() || types.len() > 3 {
            return Err(FunctionError::ArgumentCount {
                function: "STRING_AGG".to_owned(),
                expected: "1 to 3 arguments".to_owned(),
                given: types.len(),
            }
            .into());
        }
        let [text, rest @ ..] = types else { return Ok(Vec::new()) };
        Ok([&[plain_type(text)], rest].concat())
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        self.gather.state_fields(args)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let separator = literal::text(NAME, &args, 1)?.unwrap_or_default();
        let bytes_max = literal::whole(NAME, &args, 2, 1..=i64::from(i32::MAX))?.unwrap_or(MADE_MAX as i64);
        let gathered = DataType::new_list(plain_type(first(args.expr_fields)?.data_type()), true);
        let arguments = args.exprs.len();
        let is_sorted = args.is_distinct && args.order_bys.is_empty();
        let gather = self.gather.accumulator(AccumulatorArgs {
            return_field: Arc::new(Field::new(args.name, gathered, true)),
            exprs: std::slice::from_ref(first(args.exprs)?),
            expr_fields: std::slice::from_ref(first(args.expr_fields)?),
            ..args
        })?;
        Ok(Box::new(Joined { gather, arguments, is_sorted, separator, bytes_max: bytes_max as usize }))
    }

    /// The gathering sorts for itself, so that calls with different orders can stand side by side.
    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Beneficial
    }

    fn with_beneficial_ordering(
        self: Arc<Self>,
        _beneficial_ordering: bool,
    ) -> Result<Option<Arc<dyn AggregateUDFImpl>>> {
        Ok(Some(self))
    }
}

/// The values of all lists, one after the other.
fn flattened(lists: &ListArray) -> ArrayRef {
    let offsets = lists.offsets();
    let (from, to) = (offsets.first().copied().unwrap_or(0), offsets.last().copied().unwrap_or(0));
    lists.values().slice(from as usize, (to - from) as usize)
}

fn first<T>(items: &[T]) -> Result<&T> {
    items.first().ok_or_else(|| DataFusionError::Internal(format!("{NAME} got no argument")))
}

#[derive(Debug)]
struct Joined {
    gather: Box<dyn Accumulator>,
    /// The number of arguments; the values to order by follow them.
    arguments: usize,
    is_sorted: bool,
    separator: String,
    bytes_max: usize,
}

impl Joined {
    /// The texts and what they are ordered by, without separator and length.
    fn gathered(&self, values: &[ArrayRef]) -> Result<Vec<ArrayRef>> {
        let text = Arc::clone(first(values)?);
        Ok(std::iter::once(text).chain(values.iter().skip(self.arguments).cloned()).collect())
    }
}

impl Accumulator for Joined {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let values = self.gathered(values)?;
        self.gather.update_batch(&values)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let list = match self.gather.evaluate()? {
            ScalarValue::List(list) if list.is_valid(0) => list.value(0),
            _ => return Ok(ScalarValue::Utf8View(None)),
        };
        // Rows of several texts give each of them.
        let values = list.as_list_opt::<i32>().map_or_else(|| Arc::clone(&list), flattened);
        let texts = convert::convert(Kind::Text, &values)?;
        let mut texts: Vec<&str> = texts.as_string_view().iter().flatten().collect();
        if self.is_sorted {
            texts.sort_unstable();
            texts.dedup();
        }
        let bytes: usize = texts.iter().map(|text| text.len() + self.separator.len()).sum();
        if bytes.saturating_sub(self.separator.len()) > self.bytes_max {
            let function = NAME.to_ascii_uppercase();
            return Err(FunctionError::TooLong { function, bytes_max: self.bytes_max }.into());
        }
        Ok(ScalarValue::Utf8View((!texts.is_empty()).then(|| texts.join(&self.separator))))
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.gather.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.gather.state()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.gather.merge_batch(states)
    }
}
