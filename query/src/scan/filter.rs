//! Filters, sorted by how they can be answered.
//!
//! ```text
//!  conjunct ─┬─ only __time, in ranges ──────────────► Filters::time, no row is looked at
//!            ├─ one column ──────────────────────────► Leaf: once per dictionary value, else block by block
//!            ├─ AND / OR / NOT over several columns ─► All / Any of these
//!            └─ anything else ───────────────────────► Leaf over several columns, row by row
//! ```
//!
//! NOT is pushed down to the leaves: a leaf is asked for the rows where its predicate is true, or for those where
//! it is false ([`Leaf::wanted`]). A NULL is neither, so sets of rows are all that is left of SQL's three values,
//! and All and Any are intersection and union.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{BinaryExpr, CastExpr, Column, InListExpr, Literal, NotExpr};
use datafusion::physical_expr::utils::{collect_columns, reassign_expr_columns, split_conjunction};

use super::bounds::{Bounds, Target, TargetKind, bounds};
use super::ranges::Ranges;

/// The index of `__time` in every table's schema.
pub(crate) const TIME_INDEX: usize = 0;

/// All filters of a scan.
#[derive(Debug, Clone)]
pub(crate) struct Filters {
    /// No row outside can pass.
    pub(crate) time: Ranges,
    /// What rows inside have to pass as well.
    pub(crate) conjuncts: Vec<Node>,
}

/// A filter without NOT.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    /// Rows in every one.
    All(Vec<Node>),
    /// Rows in any one.
    Any(Vec<Node>),
    /// Rows with `__time` inside.
    Time(Ranges),
    /// Rows by a predicate.
    Leaf(Arc<Leaf>),
}

/// A predicate to evaluate.
#[derive(Debug)]
pub(crate) struct Leaf {
    /// Different for each leaf of a scan.
    pub(crate) id: usize,
    /// The columns it needs, as indices of the table's schema.
    pub(crate) columns: Vec<usize>,
    /// Those columns.
    schema: SchemaRef,
    /// The predicate over `schema`.
    predicate: Arc<dyn PhysicalExpr>,
    /// Which answer selects a row.
    pub(crate) wanted: bool,
    /// What the predicate, as wanted, says of the values of a single numeric column.
    pub(crate) bounds: Option<Bounds>,
    /// Whether the predicate, as wanted, just looks a text up.
    pub(crate) lookup: Option<Lookup>,
}

/// A comparison of a text column with constants, which a sorted dictionary answers by search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Lookup {
    /// The rows with one of these texts, or `others`.
    OneOf { values: Vec<String>, others: bool },
    /// The rows with a text in order before this one, with this one as well if it is `included`; or `others`.
    Before { value: String, included: bool, others: bool },
}

impl Filters {
    /// Sorts `predicates`, all of which a row has to pass. Their columns are those of the table's `schema`.
    pub(crate) fn new(predicates: &[Arc<dyn PhysicalExpr>], schema: &SchemaRef) -> Result<Self> {
        let mut compiler = Compiler { schema, leaves: 0 };
        let mut filters = Self { time: Ranges::all(), conjuncts: Vec::new() };
        for conjunct in predicates.iter().flat_map(split_conjunction) {
            let time = bounds(conjunct, Target { column: TIME_INDEX, kind: TargetKind::Time });
            filters.time = filters.time.intersect(&time.can_hold);
            if !time.exact {
                filters.conjuncts.push(compiler.node(conjunct, true)?);
            }
        }
        Ok(filters)
    }
}

struct Compiler<'a> {
    schema: &'a SchemaRef,
    leaves: usize,
}

impl Compiler<'_> {
    fn node(&mut self, expr: &Arc<dyn PhysicalExpr>, wanted: bool) -> Result<Node> {
        let columns: BTreeSet<usize> = collect_columns(expr).iter().map(Column::index).collect();
        let columns: Vec<usize> = columns.into_iter().collect();
        if columns.as_slice() == [TIME_INDEX] {
            let time = bounds(expr, Target { column: TIME_INDEX, kind: TargetKind::Time });
            if time.exact {
                return Ok(Node::Time(if wanted { time.can_hold } else { time.can_fail }));
            }
        }
        if columns.len() > 1 {
            if let Some(not) = expr.downcast_ref::<NotExpr>() {
                return self.node(not.arg(), !wanted);
            }
            if let Some(binary) = expr.downcast_ref::<BinaryExpr>()
                && matches!(binary.op(), Operator::And | Operator::Or)
            {
                let (left, right) = (self.node(binary.left(), wanted)?, self.node(binary.right(), wanted)?);
                let all = (*binary.op() == Operator::And) == wanted;
                return Ok(if all { Node::all(left, right) } else { Node::any(left, right) });
            }
        }
        self.leaf(expr, columns, wanted).map(|leaf| Node::Leaf(Arc::new(leaf)))
    }

    fn leaf(&mut self, expr: &Arc<dyn PhysicalExpr>, columns: Vec<usize>, wanted: bool) -> Result<Leaf> {
        let (mut of_numbers, mut lookup) = (None, None);
        if let [column] = columns.as_slice() {
            let data_type = self.schema.field(*column).data_type();
            if let Some(kind) = TargetKind::of(data_type) {
                let as_written = bounds(expr, Target { column: *column, kind });
                of_numbers = Some(if wanted { as_written } else { as_written.negated() });
            } else if *data_type == DataType::Utf8View {
                lookup =
                    lookup_of(expr).and_then(|lookup| if wanted { Some(lookup) } else { lookup.negated() });
            }
        }
        let fields: Vec<_> =
            columns.iter().map(|&column| Arc::clone(&self.schema.fields()[column])).collect();
        let schema = Arc::new(Schema::new(fields));
        let predicate = reassign_expr_columns(Arc::clone(expr), &schema)?;
        self.leaves += 1;
        Ok(Leaf { id: self.leaves, columns, schema, predicate, wanted, bounds: of_numbers, lookup })
    }
}

impl Node {
    fn all(left: Self, right: Self) -> Self {
        let items = |node| if let Self::All(nodes) = node { nodes } else { vec![node] };
        Self::All(items(left).into_iter().chain(items(right)).collect())
    }

    fn any(left: Self, right: Self) -> Self {
        let items = |node| if let Self::Any(nodes) = node { nodes } else { vec![node] };
        Self::Any(items(left).into_iter().chain(items(right)).collect())
    }
}

impl Leaf {
    /// The predicate's answer for `rows` rows with these values of [`Self::columns`].
    pub(crate) fn evaluate(&self, columns: Vec<ArrayRef>, rows: usize) -> Result<BooleanArray> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?;
        let answers = self.predicate.evaluate(&batch)?.into_array(rows)?;
        match answers.data_type() {
            DataType::Boolean => Ok(answers.as_boolean().clone()),
            DataType::Null => Ok(BooleanArray::new_null(rows)),
            other => exec_err!("the filter {} is not a condition but of type {other}", self.predicate),
        }
    }

    /// The predicate.
    pub(crate) fn predicate(&self) -> &Arc<dyn PhysicalExpr> {
        &self.predicate
    }

    /// The type of the only column, if there is just one.
    pub(crate) fn only_type(&self) -> Option<&DataType> {
        if let [field] = self.schema.fields().as_ref() { Some(field.data_type()) } else { None }
    }
}

/// Whether two leaves, of any scans of one table, select the same rows.
impl PartialEq for Leaf {
    fn eq(&self, other: &Self) -> bool {
        self.wanted == other.wanted && self.columns == other.columns && *self.predicate == *other.predicate
    }
}

impl Lookup {
    /// The same with NOT before it. A list that is empty because of a NULL in it has no opposite.
    fn negated(self) -> Option<Self> {
        match self {
            Self::OneOf { values, .. } if values.is_empty() => None,
            Self::OneOf { values, others } => Some(Self::OneOf { values, others: !others }),
            Self::Before { value, included, others } => {
                Some(Self::Before { value, included, others: !others })
            }
        }
    }
}

fn lookup_of(expr: &Arc<dyn PhysicalExpr>) -> Option<Lookup> {
    if let Some(binary) = expr.downcast_ref::<BinaryExpr>() {
        let (value, op) = match (text(binary.left()), text(binary.right())) {
            (None, Some(value)) if is_column(binary.left()) => (value, *binary.op()),
            (Some(value), None) if is_column(binary.right()) => (value, binary.op().swap()?),
            _ => return None,
        };
        let before = |value, included, others| Some(Lookup::Before { value, included, others });
        return match op {
            Operator::Eq => Some(Lookup::OneOf { values: vec![value], others: false }),
            Operator::NotEq => Some(Lookup::OneOf { values: vec![value], others: true }),
            Operator::Lt => before(value, false, false),
            Operator::LtEq => before(value, true, false),
            Operator::GtEq => before(value, false, true),
            Operator::Gt => before(value, true, true),
            _ => None,
        };
    }
    let list = expr.downcast_ref::<InListExpr>().filter(|list| is_column(list.expr()))?;
    // A NULL in the list changes the answer for all texts that are not in it; rare, so left to evaluation.
    let values = list.list().iter().map(text).collect::<Option<Vec<_>>>()?;
    (!values.is_empty()).then(|| Lookup::OneOf { values, others: list.negated() })
}

/// What a conversion between the forms of text is made from; anything else is itself.
fn without_cast(expr: &Arc<dyn PhysicalExpr>) -> &Arc<dyn PhysicalExpr> {
    match expr.downcast_ref::<CastExpr>() {
        Some(cast) if cast.cast_type().is_string() => cast.expr(),
        _ => expr,
    }
}

/// Whether `expr` is a column, as it is or in another form of text. Only asked about text columns.
fn is_column(expr: &Arc<dyn PhysicalExpr>) -> bool {
    without_cast(expr).downcast_ref::<Column>().is_some()
}

/// The text of a literal.
fn text(expr: &Arc<dyn PhysicalExpr>) -> Option<String> {
    let mut literal = without_cast(expr).downcast_ref::<Literal>()?.value();
    while let ScalarValue::Dictionary(_, value) = literal {
        literal = value;
    }
    literal.try_as_str().flatten().map(str::to_owned)
}

/// As EXPLAIN shows it: how, then what.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let join = |f: &mut fmt::Formatter<'_>, nodes: &[Self], name: &str| {
            write!(f, "{name}(")?;
            for (i, node) in nodes.iter().enumerate() {
                write!(f, "{}{node}", if i == 0 { "" } else { ", " })?;
            }
            f.write_str(")")
        };
        match self {
            Self::All(nodes) => join(f, nodes, "all"),
            Self::Any(nodes) => join(f, nodes, "any"),
            Self::Time(ranges) => {
                f.write_str("time in ")?;
                write_intervals(f, ranges)
            }
            Self::Leaf(leaf) => leaf.fmt(f),
        }
    }
}

impl fmt::Display for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = match self.only_type() {
            Some(DataType::Utf8View) => "by value",
            Some(_) => "by block",
            None => "by row",
        };
        write!(f, "{how}: {}{}", if self.wanted { "" } else { "NOT " }, self.predicate)
    }
}

/// Writes ranges of time as Druid's intervals.
pub(crate) fn write_intervals(f: &mut fmt::Formatter<'_>, ranges: &Ranges) -> fmt::Result {
    f.write_str("[")?;
    for (i, interval) in ranges.intervals().into_iter().enumerate() {
        write!(f, "{}{interval}", if i == 0 { "" } else { ", " })?;
    }
    f.write_str("]")
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::{Field, TimeUnit};
    use datafusion::common::DFSchema;
    use datafusion::execution::context::SessionContext;
    use datafusion::logical_expr::{Expr, col, lit};

    fn filters(expr: Expr) -> Filters {
        let schema = Arc::new(Schema::new(vec![
            Field::new("__time", DataType::Timestamp(TimeUnit::Millisecond, None), false),
            Field::new("city", DataType::Utf8View, true),
            Field::new("device", DataType::Utf8View, true),
            Field::new("value", DataType::Float64, true),
        ]));
        let df_schema = DFSchema::try_from(Arc::clone(&schema)).unwrap();
        let predicate = SessionContext::new().create_physical_expr(expr, &df_schema).unwrap();
        Filters::new(&[predicate], &schema).unwrap()
    }

    fn ms(value: i64) -> Expr {
        lit(ScalarValue::TimestampMillisecond(Some(value), None))
    }

    fn only_leaf(filters: &Filters) -> &Leaf {
        match filters.conjuncts.as_slice() {
            [Node::Leaf(leaf)] => leaf,
            other => panic!("expected one leaf, got {other:?}"),
        }
    }

    #[test]
    fn time_ranges_leave_nothing_to_evaluate() {
        let filters = filters(col("__time").gt_eq(ms(0)).and(col("__time").lt(ms(10))));
        assert_eq!(filters.time, Ranges::between(0, 9));
        assert!(filters.conjuncts.is_empty());
    }

    #[test]
    fn a_whole_expression_over_one_column_is_one_leaf() {
        let expr = col("city").like(lit("Z%")).or(!col("city").is_null().and(col("city").gt(lit("q"))));
        assert_eq!(only_leaf(&filters(expr)).columns, [1]);
    }

    #[test]
    fn equality_is_a_lookup_and_so_is_its_opposite() {
        let lookup = |expr| only_leaf(&filters(expr)).lookup.clone();
        let found = |values: &[&str], others| {
            Some(Lookup::OneOf { values: values.iter().map(|v| (*v).to_owned()).collect(), others })
        };
        assert_eq!(lookup(col("city").eq(lit("Bern"))), found(&["Bern"], false));
        assert_eq!(lookup(lit("Bern").not_eq(col("city"))), found(&["Bern"], true));
        let many = || ["a", "b", "c", "d"].map(lit).to_vec();
        assert_eq!(lookup(col("city").in_list(many(), true)), found(&["a", "b", "c", "d"], true));
        let mut with_null = many();
        with_null.push(lit(ScalarValue::Utf8(None)));
        assert_eq!(lookup(col("city").in_list(with_null, true)), None);
        assert_eq!(lookup(col("city").like(lit("%a"))), None);
    }

    #[test]
    fn what_lies_before_or_behind_a_text_is_a_lookup() {
        let lookup = |expr| only_leaf(&filters(expr)).lookup.clone();
        let before = |included, others| Some(Lookup::Before { value: "Bern".to_owned(), included, others });
        assert_eq!(lookup(col("city").lt(lit("Bern"))), before(false, false));
        assert_eq!(lookup(col("city").lt_eq(lit("Bern"))), before(true, false));
        assert_eq!(lookup(col("city").gt_eq(lit("Bern"))), before(false, true));
        assert_eq!(lookup(col("city").gt(lit("Bern"))), before(true, true));
        assert_eq!(lookup(lit("Bern").gt(col("city"))), before(false, false));
        assert_eq!(lookup(lit("Bern").lt_eq(col("city"))), before(false, true));
    }

    #[test]
    fn not_is_pushed_to_the_leaves() {
        let filters = filters(!(col("city").like(lit("Z%")).and(col("value").gt(lit(1.0)))));
        let [Node::Any(nodes)] = filters.conjuncts.as_slice() else { panic!("{filters:?}") };
        assert_eq!(nodes.len(), 2);
    }

    #[test]
    fn time_inside_an_or_narrows_the_scan_and_stays_a_condition() {
        let hour = |from: i64, city: &str| {
            col("__time").gt_eq(ms(from)).and(col("__time").lt(ms(from + 10))).and(col("city").eq(lit(city)))
        };
        let filters = filters(hour(0, "Bern").or(hour(100, "Basel")));
        assert_eq!(filters.time, Ranges::between(0, 9).union(&Ranges::between(100, 109)));
        assert_eq!(filters.conjuncts.len(), 1);
    }

    #[test]
    fn columns_compared_with_each_other_are_read_row_by_row() {
        let filters = filters(col("city").eq(col("device")));
        assert_eq!(only_leaf(&filters).columns, [1, 2]);
        assert_eq!(filters.conjuncts[0].to_string(), "by row: city@0 = device@1");
    }
}
