//! What a predicate says about the values of one column, as sets of numbers.
//!
//! Used to leave out parts by `__time` and blocks by their minimum and maximum, and, where the answer is exact, to
//! answer the predicate without looking at a row. Nothing here reads data.
//!
//! A predicate in SQL is true, false or NULL. [`Bounds`] keeps the first two apart, each as a set that holds *at
//! least* the values for which the predicate can come out that way; so NOT is a swap, and anything that is not
//! understood is simply "could be either". NULL literals make a comparison neither.

use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{
    BinaryExpr, CastExpr, Column, DynamicFilterPhysicalExpr, InListExpr, IsNotNullExpr, IsNullExpr, Literal,
    NotExpr,
};

use super::ranges::{Ranges, of_double};

/// The largest magnitude below which every integer is a double of its own.
const EXACT_DOUBLE: f64 = 9_007_199_254_740_992.0;

/// The column asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Target {
    /// Its index in the schema that the predicate's columns refer to.
    pub(crate) column: usize,
    /// How its values map to integers.
    pub(crate) kind: TargetKind,
}

/// How a column's values map to the integers of [`Ranges`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TargetKind {
    /// Milliseconds of a `Timestamp(Millisecond)`.
    Time,
    /// Themselves.
    Long,
    /// By [`of_double`]; NaN is outside of all ranges and has to be considered apart.
    Double,
}

impl TargetKind {
    /// The kind of a SQL column, if it is one that has an order of numbers.
    pub(crate) fn of(data_type: &DataType) -> Option<Self> {
        match data_type {
            DataType::Timestamp(TimeUnit::Millisecond, None) => Some(Self::Time),
            DataType::Int64 => Some(Self::Long),
            DataType::Float32 | DataType::Float64 => Some(Self::Double),
            _ => None,
        }
    }
}

/// Where a predicate can be true, and where it can be false.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// At least the values for which it can be true.
    pub(crate) can_hold: Ranges,
    /// At least the values for which it can be false.
    pub(crate) can_fail: Ranges,
    /// Whether it can be true for NULL.
    pub(crate) null_can_hold: bool,
    /// Whether it can be false for NULL.
    pub(crate) null_can_fail: bool,
    /// Whether both sets are precise: the predicate depends on this column alone and is true exactly there.
    pub(crate) exact: bool,
}

impl Bounds {
    fn unknown() -> Self {
        Self {
            can_hold: Ranges::all(),
            can_fail: Ranges::all(),
            null_can_hold: true,
            null_can_fail: true,
            exact: false,
        }
    }

    fn constant(value: Option<bool>) -> Self {
        let when = |wanted| if value == Some(wanted) { Ranges::all() } else { Ranges::none() };
        Self {
            can_hold: when(true),
            can_fail: when(false),
            null_can_hold: value == Some(true),
            null_can_fail: value == Some(false),
            exact: true,
        }
    }

    /// A comparison with something that is not NULL: true in `holds`, false elsewhere, NULL for NULL.
    fn comparison(holds: Ranges) -> Self {
        Self {
            can_fail: holds.complement(),
            can_hold: holds,
            null_can_hold: false,
            null_can_fail: false,
            exact: true,
        }
    }

    /// The bounds of `NOT`.
    pub(crate) fn negated(self) -> Self {
        Self {
            can_hold: self.can_fail,
            can_fail: self.can_hold,
            null_can_hold: self.null_can_fail,
            null_can_fail: self.null_can_hold,
            exact: self.exact,
        }
    }

    /// The bounds of `AND`.
    pub(crate) fn and(&self, other: &Self) -> Self {
        Self {
            can_hold: self.can_hold.intersect(&other.can_hold),
            can_fail: self.can_fail.union(&other.can_fail),
            null_can_hold: self.null_can_hold && other.null_can_hold,
            null_can_fail: self.null_can_fail || other.null_can_fail,
            exact: self.exact && other.exact,
        }
    }

    fn or(self, other: Self) -> Self {
        self.negated().and(&other.negated()).negated()
    }
}

/// What `predicate` says about `target`.
pub(crate) fn bounds(predicate: &Arc<dyn PhysicalExpr>, target: Target) -> Bounds {
    if let Some(binary) = predicate.downcast_ref::<BinaryExpr>() {
        return match binary.op() {
            Operator::And => bounds(binary.left(), target).and(&bounds(binary.right(), target)),
            Operator::Or => bounds(binary.left(), target).or(bounds(binary.right(), target)),
            op => compare(binary.left(), *op, binary.right(), target)
                .or_else(|| compare(binary.right(), op.swap()?, binary.left(), target))
                .unwrap_or_else(Bounds::unknown),
        };
    }
    if let Some(not) = predicate.downcast_ref::<NotExpr>() {
        return bounds(not.arg(), target).negated();
    }
    if let Some(list) = predicate.downcast_ref::<InListExpr>() {
        let bounds = in_list(list, target).unwrap_or_else(Bounds::unknown);
        return if list.negated() { bounds.negated() } else { bounds };
    }
    if let Some(test) = predicate.downcast_ref::<IsNullExpr>()
        && is_target(test.arg(), target)
    {
        return null_test();
    }
    if let Some(test) = predicate.downcast_ref::<IsNotNullExpr>()
        && is_target(test.arg(), target)
    {
        return null_test().negated();
    }
    if let Some(literal) = predicate.downcast_ref::<Literal>() {
        return match literal.value() {
            ScalarValue::Boolean(value) => Bounds::constant(*value),
            value if value.is_null() => Bounds::constant(None),
            _ => Bounds::unknown(),
        };
    }
    if let Some(dynamic) = predicate.downcast_ref::<DynamicFilterPhysicalExpr>() {
        // What it says now stays true: such filters only ever grow stricter.
        return dynamic.current().map_or_else(
            |_| Bounds::unknown(),
            |current| Bounds { exact: false, ..bounds(&current, target) },
        );
    }
    Bounds::unknown()
}

fn null_test() -> Bounds {
    Bounds {
        can_hold: Ranges::none(),
        can_fail: Ranges::all(),
        null_can_hold: true,
        null_can_fail: false,
        exact: true,
    }
}

fn is_target(expr: &Arc<dyn PhysicalExpr>, target: Target) -> bool {
    expr.downcast_ref::<Column>().is_some_and(|column| column.index() == target.column)
}

/// `IN`: true for the list's values, and NULL instead of false if the list holds a NULL.
fn in_list(list: &InListExpr, target: Target) -> Option<Bounds> {
    if list.is_empty() {
        return None;
    }
    let mut all = Bounds::constant(Some(false));
    all.null_can_fail = false;
    for item in list.list() {
        all = all.or(compare(list.expr(), Operator::Eq, item, target)?);
    }
    Some(all)
}

/// How the left side of a comparison derives from the target.
enum Derived {
    /// The value times this factor, as an integer.
    Times(i128),
    /// A LONG, converted to a double.
    LongAsDouble,
    /// A double.
    Double,
}

fn derived(expr: &Arc<dyn PhysicalExpr>, target: Target) -> Option<Derived> {
    if is_target(expr, target) {
        return Some(match target.kind {
            TargetKind::Time | TargetKind::Long => Derived::Times(1),
            TargetKind::Double => Derived::Double,
        });
    }
    let cast = expr.downcast_ref::<CastExpr>()?;
    if !is_target(cast.expr(), target) {
        return None;
    }
    match (target.kind, cast.cast_type()) {
        (TargetKind::Time, DataType::Timestamp(unit, zone)) if is_utc(zone.as_deref()) => match unit {
            TimeUnit::Second => None,
            TimeUnit::Millisecond => Some(Derived::Times(1)),
            TimeUnit::Microsecond => Some(Derived::Times(1_000)),
            TimeUnit::Nanosecond => Some(Derived::Times(1_000_000)),
        },
        (TargetKind::Time | TargetKind::Long, DataType::Int64) => Some(Derived::Times(1)),
        (TargetKind::Long, DataType::Float64) => Some(Derived::LongAsDouble),
        (TargetKind::Double, DataType::Float64) => Some(Derived::Double),
        _ => None,
    }
}

fn is_utc(zone: Option<&str>) -> bool {
    matches!(zone, None | Some("UTC" | "Z" | "+00:00"))
}

fn compare(
    left: &Arc<dyn PhysicalExpr>,
    op: Operator,
    right: &Arc<dyn PhysicalExpr>,
    target: Target,
) -> Option<Bounds> {
    let ordered = matches!(
        op,
        Operator::Eq | Operator::NotEq | Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq
    );
    if !ordered {
        return None;
    }
    let derived = derived(left, target)?;
    let mut literal = right.downcast_ref::<Literal>()?.value();
    while let ScalarValue::Dictionary(_, value) = literal {
        literal = value;
    }
    if literal.is_null() {
        return Some(Bounds::constant(None));
    }
    match derived {
        Derived::Times(factor) => {
            let (value, unit) = integer(literal)?;
            (unit == factor).then(|| Bounds::comparison(whole(op, value, factor)))
        }
        Derived::LongAsDouble => {
            let value = double(literal)?;
            (value.abs() < EXACT_DOUBLE).then(|| Bounds::comparison(whole_by_double(op, value)))
        }
        Derived::Double => {
            let value = double(literal)?;
            (!value.is_nan()).then(|| by_double(op, value))
        }
    }
}

/// A literal as an integer, with how many of its units make a millisecond (1 for plain numbers).
fn integer(literal: &ScalarValue) -> Option<(i128, i128)> {
    match literal {
        ScalarValue::TimestampMillisecond(value, zone) if is_utc(zone.as_deref()) => {
            Some((i128::from((*value)?), 1))
        }
        ScalarValue::TimestampMicrosecond(value, zone) if is_utc(zone.as_deref()) => {
            Some((i128::from((*value)?), 1_000))
        }
        ScalarValue::TimestampNanosecond(value, zone) if is_utc(zone.as_deref()) => {
            Some((i128::from((*value)?), 1_000_000))
        }
        ScalarValue::Int64(value) => Some((i128::from((*value)?), 1)),
        _ => None,
    }
}

fn double(literal: &ScalarValue) -> Option<f64> {
    match literal {
        ScalarValue::Float64(value) => *value,
        ScalarValue::Float32(value) => value.map(f64::from),
        _ => None,
    }
}

fn clamped(low: i128, high: i128) -> Ranges {
    let (min, max) = (i128::from(i64::MIN), i128::from(i64::MAX));
    if low > max || high < min {
        return Ranges::none();
    }
    Ranges::between(low.max(min) as i64, high.min(max) as i64)
}

/// The integers `x` with `x · factor op value`.
fn whole(op: Operator, value: i128, factor: i128) -> Ranges {
    let floor = value.div_euclid(factor);
    let divides = value.rem_euclid(factor) == 0;
    let ceil = if divides { floor } else { floor + 1 };
    match op {
        Operator::Eq if divides => clamped(floor, floor),
        Operator::Eq => Ranges::none(),
        Operator::NotEq => whole(Operator::Eq, value, factor).complement(),
        Operator::Lt => clamped(i128::MIN, ceil - 1),
        Operator::LtEq => clamped(i128::MIN, floor),
        Operator::Gt => clamped(floor + 1, i128::MAX),
        _ => clamped(ceil, i128::MAX),
    }
}

/// The same for a double below [`EXACT_DOUBLE`], where rounding to whole numbers loses nothing.
fn whole_by_double(op: Operator, value: f64) -> Ranges {
    let (floor, ceil) = (value.floor() as i128, value.ceil() as i128);
    match op {
        Operator::Eq if floor == ceil => clamped(floor, floor),
        Operator::Eq => Ranges::none(),
        Operator::NotEq => whole_by_double(Operator::Eq, value).complement(),
        Operator::Lt => clamped(i128::MIN, ceil - 1),
        Operator::LtEq => clamped(i128::MIN, floor),
        Operator::Gt => clamped(floor + 1, i128::MAX),
        _ => clamped(ceil, i128::MAX),
    }
}

fn by_double(op: Operator, value: f64) -> Bounds {
    if value == 0.0 {
        // Whether -0.0 equals 0.0 depends on the kernel that compares; both answers are allowed for here.
        return around_zero(op);
    }
    let at = of_double(value);
    Bounds::comparison(match op {
        Operator::Eq => Ranges::between(at, at),
        Operator::NotEq => Ranges::between(at, at).complement(),
        Operator::Lt => Ranges::between(i64::MIN, at - 1),
        Operator::LtEq => Ranges::between(i64::MIN, at),
        Operator::Gt => Ranges::between(at + 1, i64::MAX),
        _ => Ranges::between(at, i64::MAX),
    })
}

fn around_zero(op: Operator) -> Bounds {
    let (below, above) = (of_double(-0.0), of_double(0.0));
    let (up, down) = (Ranges::between(below, i64::MAX), Ranges::between(i64::MIN, above));
    let (can_hold, can_fail) = match op {
        Operator::Eq => (Ranges::between(below, above), Ranges::all()),
        Operator::NotEq => (Ranges::all(), Ranges::between(below, above)),
        Operator::Lt | Operator::LtEq => (down, up),
        _ => (up, down),
    };
    Bounds { can_hold, can_fail, null_can_hold: false, null_can_fail: false, exact: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::{Field, Schema};
    use datafusion::common::DFSchema;
    use datafusion::execution::context::SessionContext;
    use datafusion::logical_expr::{Expr, cast, col, lit};

    fn schema() -> Schema {
        Schema::new(vec![
            Field::new("t", DataType::Timestamp(TimeUnit::Millisecond, None), false),
            Field::new("n", DataType::Int64, true),
            Field::new("x", DataType::Float32, true),
            Field::new("s", DataType::Utf8View, true),
        ])
    }

    fn of(expr: Expr, column: usize) -> Bounds {
        let schema = schema();
        let kind = TargetKind::of(schema.field(column).data_type()).unwrap();
        let df_schema = DFSchema::try_from(schema).unwrap();
        // Coerces types and simplifies, as the optimizer does before a filter reaches a table.
        let physical = SessionContext::new().create_physical_expr(expr, &df_schema).unwrap();
        bounds(&physical, Target { column, kind })
    }

    fn ms(value: i64) -> Expr {
        lit(ScalarValue::TimestampMillisecond(Some(value), None))
    }

    fn ns(value: i64) -> Expr {
        lit(ScalarValue::TimestampNanosecond(Some(value), None))
    }

    fn holds(expr: Expr) -> Ranges {
        let bounds = of(expr, 0);
        assert!(bounds.exact);
        bounds.can_hold
    }

    #[test]
    fn comparisons_include_or_exclude_their_bound() {
        assert_eq!(holds(col("t").gt_eq(ms(5))), Ranges::between(5, i64::MAX));
        assert_eq!(holds(col("t").gt(ms(5))), Ranges::between(6, i64::MAX));
        assert_eq!(holds(col("t").lt(ms(5))), Ranges::between(i64::MIN, 4));
        assert_eq!(holds(col("t").lt_eq(ms(5))), Ranges::between(i64::MIN, 5));
        assert_eq!(holds(col("t").between(ms(5), ms(7))), Ranges::between(5, 7));
        assert_eq!(holds(ms(5).lt(col("t"))), Ranges::between(6, i64::MAX));
        assert_eq!(holds(col("t").gt(ms(i64::MAX))), Ranges::none());
    }

    #[test]
    fn nanosecond_literals_fall_between_milliseconds() {
        assert_eq!(holds(col("t").gt_eq(ns(1_500_000))), Ranges::between(2, i64::MAX));
        assert_eq!(holds(col("t").gt(ns(1_500_000))), Ranges::between(2, i64::MAX));
        assert_eq!(holds(col("t").gt(ns(2_000_000))), Ranges::between(3, i64::MAX));
        assert_eq!(holds(col("t").lt_eq(ns(-1_500_000))), Ranges::between(i64::MIN, -2));
        assert_eq!(holds(col("t").eq(ns(1_500_000))), Ranges::none());
    }

    #[test]
    fn a_null_literal_is_neither_true_nor_false() {
        let null = lit(ScalarValue::TimestampMillisecond(None, None));
        for expr in [col("t").eq(null.clone()), col("t").not_eq(null.clone()), !col("t").gt(null)] {
            assert_eq!(holds(expr), Ranges::none());
        }
    }

    #[test]
    fn not_in_with_a_null_never_holds() {
        let null = lit(ScalarValue::Int64(None));
        let of_in = |negated| {
            of(col("n").in_list(vec![lit(3i64), lit(4i64), lit(5i64), lit(9i64), null.clone()], negated), 1)
        };
        assert!(of_in(true).can_hold.is_empty());
        assert_eq!(of_in(false).can_hold, Ranges::between(3, 5).union(&Ranges::between(9, 9)));
    }

    #[test]
    fn or_joins_ranges_and_what_is_unknown_widens_to_everything() {
        let either = col("t").lt(ms(0)).or(col("t").gt_eq(ms(10)));
        assert_eq!(holds(either.clone()), Ranges::between(0, 9).complement());
        assert_eq!(holds(!either), Ranges::between(0, 9));
        let mixed = col("t")
            .lt(ms(0))
            .and(col("s").eq(lit("a")))
            .or(col("t").gt_eq(ms(10)).and(col("n").gt(lit(1i64))));
        let mixed = of(mixed, 0);
        assert!(!mixed.exact);
        assert_eq!(mixed.can_hold, Ranges::between(0, 9).complement());
        assert!(mixed.can_fail.is_all());
    }

    #[test]
    fn a_long_compared_as_a_double_rounds_to_the_right_side() {
        let bounds = |expr| of(expr, 1).can_hold;
        assert_eq!(bounds(cast(col("n"), DataType::Float64).gt(lit(2.5))), Ranges::between(3, i64::MAX));
        assert_eq!(bounds(cast(col("n"), DataType::Float64).lt_eq(lit(-2.5))), Ranges::between(i64::MIN, -3));
        assert_eq!(bounds(cast(col("n"), DataType::Float64).eq(lit(2.0))), Ranges::between(2, 2));
        assert!(bounds(cast(col("n"), DataType::Float64).eq(lit(1e18))).is_all());
    }

    #[test]
    fn zero_allows_for_both_signs() {
        let bounds = of(col("x").gt(lit(0.0f32)), 2);
        assert!(bounds.can_hold.contains(of_double(-0.0)) && !bounds.exact);
        assert!(!bounds.can_hold.contains(of_double(-1.0)));
    }

    #[test]
    fn null_tests_hold_only_for_null() {
        let bounds = of(col("n").is_null(), 1);
        assert!(bounds.can_hold.is_empty() && bounds.null_can_hold);
        let bounds = of(col("n").is_not_null(), 1);
        assert!(bounds.can_hold.is_all() && !bounds.null_can_hold);
    }
}
