//! `map`, `filter`, `any` and `all`: a lambda over the elements of an array.
//!
//! The body is compiled on its own, over a table of all elements of all rows: the argument is one column, the
//! columns that the body reads from outside are repeated for each element. So a lambda is as vectorised as the rest.
//!
//! ```text
//!  tags            n         x   n               x + n
//!  [1, 2]          10        1   10               11
//!  NULL            20   ──►  2   10   ──body──►   12   ──►  [11, 12], NULL, [33]
//!  [3]             30        3   30               33
//! ```

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, ListArray, RecordBatch, RecordBatchOptions, UInt64Array,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{concat, filter, take};
use arrow::datatypes::{Field, Schema};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::expr::Case;
use datafusion::logical_expr::{ColumnarValue, Expr};
use datafusion::physical_expr::PhysicalExpr;

use super::ast::Lambda;
use super::coerce::{coerce, materialise};
use super::compiled::physical;
use super::error::ExpressionError;
use super::kernel::{Kernel, Lists, argument};
use super::library::{self, Call};
use super::lower::{lower, lower_condition};
use super::types::{ElementType, Type, Typed};

/// Lowers `name((x) -> body, array)`.
pub(crate) fn lower_apply(call: &Call, lambda: &Lambda, schema: &Schema) -> Result<Typed, ExpressionError> {
    let name = call.name.to_ascii_lowercase();
    let Some(operation) = Operation::of(&name) else {
        let defined = library::is_defined(&name);
        return Err(if defined { call.error("takes no lambda") } else { library::unknown(call) });
    };
    let ([parameter], [array]) = (lambda.arguments.as_slice(), call.arguments.as_slice()) else {
        return Err(call.error("takes a lambda of one argument and one array"));
    };
    let element = match array.ty {
        Type::Array(element) => element,
        Type::Null => return Ok(Typed::null()),
        found => return Err(call.mismatch(0, found, "an array")),
    };

    let captured: Vec<_> = lambda
        .body
        .columns()
        .into_iter()
        .filter(|name| name != parameter)
        .filter_map(|name| schema.fields().find(&name).map(|(_, field)| Arc::clone(field)))
        .collect();
    let mut fields = vec![Arc::new(Field::new(parameter, element.data_type(), true))];
    let mut arguments = vec![array.expr.clone()];
    for field in &captured {
        let typed = super::types::column(field)?;
        fields.push(Arc::new(Field::new(field.name(), typed.ty.native().data_type(), true)));
        arguments.push(typed.expr);
    }
    let inner = Arc::new(Schema::new(fields));

    let (body, result) = match operation {
        Operation::Map => {
            let body = materialise(lower(&lambda.body, &inner)?);
            let (element, target) = match body.ty {
                Type::Null | Type::Text => (ElementType::String, Type::Text),
                Type::Double => (ElementType::Double, Type::Double),
                Type::Long | Type::Truth => (ElementType::Long, Type::Long),
                found @ Type::Array(_) => {
                    return Err(call.error(format!(
                        "has a lambda that gives {}; arrays of arrays are none",
                        found.name()
                    )));
                }
            };
            let Some(body) = coerce(body, target) else { return Ok(Typed::null()) };
            (body.expr, Type::Array(element))
        }
        Operation::Filter => (lower_condition(&lambda.body, &inner)?, array.ty),
        Operation::Any | Operation::All => (lower_condition(&lambda.body, &inner)?, Type::Truth),
    };
    let body = physical(&body, &inner)?;
    let element_type = match result {
        Type::Array(element) => element,
        _ => element,
    };
    let kernel: Arc<Kernel> = Arc::new(move |values, rows| {
        let elements = Elements::gather(values, rows, &inner)?;
        elements.apply(operation, body.as_ref(), element_type)
    });
    Ok(call.function_with(&lambda.to_string(), arguments, result, kernel))
}

/// Whether `condition` holds for any element of `array`, which it sees as the column `element`. A row that is NULL or
/// has no elements answers as a single NULL does, `of_null`.
pub(crate) fn any_element(
    array: Typed,
    element: Field,
    condition: &Expr,
    of_null: &Expr,
) -> Result<Expr, ExpressionError> {
    let constants = condition.to_string();
    let inner = Arc::new(Schema::new(vec![element]));
    let body = physical(condition, &inner)?;
    let kernel: Arc<Kernel> =
        Arc::new(move |values, rows| Elements::gather(values, rows, &inner)?.any(body.as_ref()));
    let found = super::kernel::call("any_element", &constants, vec![array.expr], Type::Truth, kernel).expr;
    // `any` of nothing is NULL here: the filter of NULL takes its place.
    let empty = Expr::IsNull(Box::new(found.clone()));
    let case = Case::new(None, vec![(Box::new(empty), Box::new(of_null.clone()))], Some(Box::new(found)));
    Ok(Expr::Case(case))
}

#[derive(Debug, Clone, Copy)]
enum Operation {
    Map,
    Filter,
    Any,
    All,
}

impl Operation {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "map" => Self::Map,
            "filter" => Self::Filter,
            "any" => Self::Any,
            "all" => Self::All,
            _ => return None,
        })
    }
}

/// All elements of all rows, as a table.
struct Elements {
    batch: RecordBatch,
    /// How many elements each row has; `None` for NULL.
    lengths: Vec<Option<usize>>,
}

impl Elements {
    fn gather(values: &[ColumnarValue], rows: usize, inner: &Arc<Schema>) -> Result<Self> {
        let lists = Lists::view(argument(values, 0)?)?;
        let lists: Vec<Option<ArrayRef>> = (0..rows).map(|row| lists.get(row)).collect();
        let lengths: Vec<_> = lists.iter().map(|list| list.as_ref().map(Array::len)).collect();
        let parts: Vec<&dyn Array> = lists.iter().flatten().map(AsRef::as_ref).collect();
        let elements = match (parts.is_empty(), inner.fields().first()) {
            (true, Some(field)) => arrow::array::new_empty_array(field.data_type()),
            _ => concat(&parts)?,
        };
        let origins: UInt64Array = lengths
            .iter()
            .enumerate()
            .flat_map(|(row, length)| std::iter::repeat_n(row as u64, length.unwrap_or(0)))
            .collect();
        let mut columns = vec![elements];
        for value in values.iter().skip(1) {
            columns.push(take(&value.to_array(rows)?, &origins, None)?);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(origins.len()));
        Ok(Self { batch: RecordBatch::try_new_with_options(Arc::clone(inner), columns, &options)?, lengths })
    }

    fn apply(&self, operation: Operation, body: &dyn PhysicalExpr, element: ElementType) -> Result<ArrayRef> {
        let result = body.evaluate(&self.batch)?.into_array(self.batch.num_rows())?;
        match operation {
            Operation::Map => Self::lists(self.lengths.clone(), result, element),
            Operation::Filter => {
                let kept = truths(&result)?;
                let lengths =
                    self.rows(&kept).map(|row| row.map(|row| row.filter(|kept| *kept).count())).collect();
                Self::lists(
                    lengths,
                    filter(self.batch.column(0), &BooleanArray::from(kept.clone()))?,
                    element,
                )
            }
            Operation::Any => {
                let kept = truths(&result)?;
                Ok(Arc::new(
                    self.rows(&kept)
                        .map(|row| row.map(|mut row| row.any(|kept| kept)))
                        .collect::<BooleanArray>(),
                ))
            }
            Operation::All => {
                let kept = truths(&result)?;
                Ok(Arc::new(
                    self.rows(&kept)
                        .map(|row| row.map(|mut row| row.all(|kept| kept)))
                        .collect::<BooleanArray>(),
                ))
            }
        }
    }

    /// Whether any element of a row satisfies `body`; NULL for a row without elements.
    fn any(&self, body: &dyn PhysicalExpr) -> Result<ArrayRef> {
        let result = body.evaluate(&self.batch)?.into_array(self.batch.num_rows())?;
        let kept = truths(&result)?;
        let any = self
            .rows(&kept)
            .zip(&self.lengths)
            .map(|(row, length)| row.filter(|_| *length > Some(0)).map(|mut row| row.any(|kept| kept)));
        Ok(Arc::new(any.collect::<BooleanArray>()))
    }

    /// What belongs to each row.
    fn rows<'a>(
        &'a self,
        kept: &'a [bool],
    ) -> impl Iterator<Item = Option<impl Iterator<Item = bool> + 'a>> + 'a {
        let mut start = 0;
        self.lengths.iter().map(move |length| {
            let length = (*length)?;
            let row = kept.get(start..start + length).unwrap_or_default();
            start += length;
            Some(row.iter().copied())
        })
    }

    fn lists(lengths: Vec<Option<usize>>, values: ArrayRef, element: ElementType) -> Result<ArrayRef> {
        let nulls = lengths.iter().map(Option::is_some).collect();
        let offsets = OffsetBuffer::from_lengths(lengths.into_iter().map(Option::unwrap_or_default));
        let field = Arc::new(Field::new_list_field(element.data_type(), true));
        Ok(Arc::new(ListArray::try_new(field, offsets, values, Some(nulls))?))
    }
}

/// NULL does not hold.
fn truths(result: &ArrayRef) -> Result<Vec<bool>> {
    if let Some(truths) = result.as_boolean_opt() {
        return Ok(truths.iter().map(Option::unwrap_or_default).collect());
    }
    exec_err!("a lambda's condition gave {}", result.data_type())
}
