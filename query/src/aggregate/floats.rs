//! One value, one group: the rule by which floating point numbers are told apart, in DataFusion's operators too.
//!
//! As in SQL, values are one group when they are equal, so -0.0 is 0.0; and NaN, which equals nothing, is one group
//! however its bits are set. DataFusion nearly agrees: its hash tables take -0.0 for 0.0. But they keep NaNs of
//! different bits apart, COUNT(DISTINCT) keeps zeroes apart, and where a column is known to be sorted or constant
//! (`WHERE ratio = 0`) a group is finished as soon as the bits of that column change, to be begun again later.
//!
//! So [`CanonicalFloats`] gives every aggregate that stays with DataFusion keys, and arguments of DISTINCT, that are
//! [`canonical`]; [`CodedAggregateExec`](super::exec::CodedAggregateExec) does so itself.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray, RecordBatch};
use arrow::datatypes::{DataType, FieldRef, Float32Type, Float64Type, Schema};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode, PhysicalGroupBy};

/// A floating point number.
pub(super) trait Float: ArrowPrimitiveType {
    /// The one value that stands for all that are the same group, bit by bit.
    fn canonical(value: Self::Native) -> Self::Native;
    /// Whether two values have the same bits.
    fn same_bits(a: Self::Native, b: Self::Native) -> bool;
}

macro_rules! float {
    ($arrow:ty, $native:ty) => {
        impl Float for $arrow {
            fn canonical(value: $native) -> $native {
                // Adding 0.0 takes the sign from a zero and changes nothing else.
                if value.is_nan() { <$native>::NAN } else { value + 0.0 }
            }

            fn same_bits(a: $native, b: $native) -> bool {
                a.to_bits() == b.to_bits()
            }
        }
    };
}

float!(Float32Type, f32);
float!(Float64Type, f64);

/// Makes the numbers canonical by which DataFusion's operators tell groups apart.
#[derive(Debug)]
pub(crate) struct CanonicalFloats;

impl PhysicalOptimizerRule for CanonicalFloats {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            Ok(match node.downcast_ref::<AggregateExec>().map(with_canonical).transpose()?.flatten() {
                Some(aggregate) => Transformed::yes(Arc::new(aggregate) as Arc<dyn ExecutionPlan>),
                None => Transformed::no(node),
            })
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "CanonicalFloats"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The same aggregate over canonical numbers; `None` if there are no numbers to care for.
fn with_canonical(aggregate: &AggregateExec) -> Result<Option<AggregateExec>> {
    // What comes out of a partial aggregate is canonical already.
    let first = matches!(
        aggregate.mode(),
        AggregateMode::Partial | AggregateMode::Single | AggregateMode::SinglePartitioned
    );
    let mut changed = false;
    let by = aggregate.group_expr();
    let mut keys = by.expr().to_vec();
    for (key, _) in keys.iter_mut().filter(|_| first) {
        changed |= make_canonical(key, &aggregate.input().schema())?;
    }
    let mut functions = aggregate.aggr_expr().to_vec();
    for function in functions.iter_mut().filter(|function| function.is_distinct()) {
        changed |= make_arguments_canonical(function, &aggregate.input_schema())?;
    }
    if !changed {
        return Ok(None);
    }
    let by = PhysicalGroupBy::new(keys, by.null_expr().to_vec(), by.groups().to_vec(), by.has_grouping_set());
    let (filters, input) = (aggregate.filter_expr().to_vec(), Arc::clone(aggregate.input()));
    let made =
        AggregateExec::try_new(*aggregate.mode(), by, functions, filters, input, aggregate.input_schema())?;
    Ok(Some(made.with_new_limit_options(aggregate.limit_options())))
}

fn make_canonical(expr: &mut Arc<dyn PhysicalExpr>, schema: &Schema) -> Result<bool> {
    let floating = matches!(expr.data_type(schema)?, DataType::Float32 | DataType::Float64);
    if !floating || expr.downcast_ref::<CanonicalFloat>().is_some() {
        return Ok(false);
    }
    *expr = Arc::new(CanonicalFloat { of: Arc::clone(expr) });
    Ok(true)
}

fn make_arguments_canonical(function: &mut Arc<AggregateFunctionExpr>, schema: &Schema) -> Result<bool> {
    let mut arguments = function.expressions();
    let mut changed = false;
    for argument in &mut arguments {
        changed |= make_canonical(argument, schema)?;
    }
    if !changed {
        return Ok(false);
    }
    let order = function.order_bys().iter().map(|sort| Arc::clone(&sort.expr)).collect();
    let Some(rewritten) = function.with_new_expressions(arguments, order) else {
        return internal_err!("{} does not take other arguments", function.name());
    };
    *function = Arc::new(rewritten);
    Ok(true)
}

/// A number, as the one value of its group.
#[derive(Debug, Eq)]
struct CanonicalFloat {
    of: Arc<dyn PhysicalExpr>,
}

// Not derived: https://github.com/rust-lang/rust/issues/78808
impl PartialEq for CanonicalFloat {
    fn eq(&self, other: &Self) -> bool {
        self.of.eq(&other.of)
    }
}

impl Hash for CanonicalFloat {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.of.hash(state);
    }
}

impl fmt::Display for CanonicalFloat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "canonical({})", self.of)
    }
}

impl PhysicalExpr for CanonicalFloat {
    fn return_field(&self, schema: &Schema) -> Result<FieldRef> {
        self.of.return_field(schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        Ok(match self.of.evaluate(batch)? {
            ColumnarValue::Array(array) => ColumnarValue::Array(canonical(&array)),
            ColumnarValue::Scalar(scalar) => ColumnarValue::Scalar(match scalar {
                ScalarValue::Float32(value) => ScalarValue::Float32(value.map(Float32Type::canonical)),
                ScalarValue::Float64(value) => ScalarValue::Float64(value.map(Float64Type::canonical)),
                other => other,
            }),
        })
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.of]
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        let (Some(of), true) = (children.pop(), children.is_empty()) else {
            return internal_err!("canonical() has one argument");
        };
        Ok(Arc::new(Self { of }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("canonical(")?;
        self.of.fmt_sql(f)?;
        f.write_str(")")
    }
}

/// The numbers, each as the one value of its group; other types as they are.
fn canonical(array: &ArrayRef) -> ArrayRef {
    match array.data_type() {
        DataType::Float32 => canonical_of::<Float32Type>(array),
        DataType::Float64 => canonical_of::<Float64Type>(array),
        _ => Arc::clone(array),
    }
}

fn canonical_of<T: Float>(array: &ArrayRef) -> ArrayRef {
    let numbers = array.as_primitive::<T>();
    // Nearly always nothing is to be changed, and nothing is copied.
    if numbers.values().iter().all(|&value| T::same_bits(value, T::canonical(value))) {
        return Arc::clone(array);
    }
    let changed: PrimitiveArray<T> = numbers.unary(T::canonical);
    Arc::new(changed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::Float64Array;

    #[test]
    fn zeroes_are_one_value_and_so_are_nans() {
        let other_nan = f64::from_bits((-f64::NAN).to_bits() | 1);
        let numbers: ArrayRef = Arc::new(Float64Array::from(vec![
            Some(-0.0),
            None,
            Some(0.0),
            Some(other_nan),
            Some(f64::NAN),
            Some(f64::MIN_POSITIVE / 2.0),
        ]));
        let made = canonical(&numbers);
        let bits: Vec<_> =
            made.as_primitive::<Float64Type>().iter().map(|value| value.map(f64::to_bits)).collect();
        let expected =
            [Some(0.0), None, Some(0.0), Some(f64::NAN), Some(f64::NAN), Some(f64::MIN_POSITIVE / 2.0)];
        assert_eq!(bits, expected.map(|value: Option<f64>| value.map(f64::to_bits)));
        assert!(Arc::ptr_eq(&canonical(&made), &made));
    }
}
