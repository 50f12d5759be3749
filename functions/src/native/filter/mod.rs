//! Druid's native filters, as JSON, to the same conditions as expressions.
//!
//! A condition is true, false or NULL; rows match where it is true. A comparison with a NULL value is NULL, so that
//! neither a filter nor its negation matches, as in Druid since 28. Filters on columns of several values match a row
//! if any of its values match.
//!
//! | type | matches |
//! |---|---|
//! | `true`, `false` | all rows, none |
//! | `and`, `or`, `not` | by `fields`, `field` |
//! | `selector`, `equals`, `null`, `in`, `inType` | a value, NULL, one of several values |
//! | `bound`, `range` | values between two |
//! | `like`, `regex`, `search` | text |
//! | `interval` | times, half-open |
//! | `columnComparison` | rows whose columns are equal |
//! | `expression` | rows for which an expression is true |
//!
//! `javascript`, `spatial`, `arrayContainsElement` and extraction functions are refused by name.

mod lower;
mod read;

use std::collections::BTreeSet;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::Schema;
use datafusion::logical_expr::Expr;
use serde_json::Value;

use super::ast::Node;
use super::compiled::{CompiledExpr, inputs};
use super::error::{ExpressionError, suggestion};
use ovate_storage::time::Interval;

/// What is wrong with a filter. `path` says where, as in `filter.fields[1].lower`.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    /// A filter that does not exist.
    #[error("{path} has the type '{found}', which is no filter{}", suggestion(nearest.as_deref()))]
    UnknownType {
        /// Where.
        path: String,
        /// The type given.
        found: String,
        /// The closest that exists.
        nearest: Option<String>,
    },
    /// A filter, or a part of one, that Druid has and this engine has not.
    #[error("{path} is not supported: {reason}")]
    Unsupported {
        /// Where.
        path: String,
        /// What, and why or what to use.
        reason: String,
    },
    /// A field is missing or wrong.
    #[error("{path} {problem}")]
    Field {
        /// Where.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Filters are nested too deep.
    #[error("{path} is nested more than {max} deep")]
    TooDeep {
        /// Where.
        path: String,
        /// Levels allowed.
        max: usize,
    },
    /// The expression in it is wrong.
    #[error("{path}: {source}")]
    Expression {
        /// Where.
        path: String,
        /// What is wrong with it.
        source: ExpressionError,
    },
}

/// A value to compare with.
#[derive(Debug, Clone, PartialEq)]
pub enum MatchValue {
    /// Text.
    String(String),
    /// A whole number.
    Long(i64),
    /// Any number.
    Double(f64),
}

/// By what a `bound` compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ordering {
    /// Text, byte by byte.
    Lexicographic,
    /// The numbers that texts spell; text that spells none is NULL.
    Numeric,
    /// The lengths of texts.
    Strlen,
}

/// One end of a range.
#[derive(Debug, Clone, PartialEq)]
pub struct Bound {
    /// The value.
    pub value: MatchValue,
    /// Whether the value itself is outside.
    pub open: bool,
}

/// A native filter.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// All rows.
    True,
    /// No row.
    False,
    /// Rows that match all; all rows if there are none.
    And(Vec<Filter>),
    /// Rows that match any.
    Or(Vec<Filter>),
    /// Rows for which the filter is false.
    Not(Box<Filter>),
    /// Rows whose value is NULL.
    Null {
        /// The column.
        column: String,
    },
    /// Rows whose value is one of `values`, or NULL where `or_null`.
    In {
        /// The column.
        column: String,
        /// The values, not NULL.
        values: Vec<MatchValue>,
        /// Whether NULL matches too.
        or_null: bool,
    },
    /// Rows whose value lies between two.
    Range {
        /// The column.
        column: String,
        /// The lower end, if there is one.
        lower: Option<Bound>,
        /// The upper end, if there is one.
        upper: Option<Bound>,
        /// `bound` says how it compares; `range` leaves it to the values' type.
        ordering: Option<Ordering>,
        /// Whether NULL matches: it sorts before all values, which `bound` honours and `range` does not.
        or_null: bool,
    },
    /// Rows whose text matches a pattern.
    Like {
        /// The column.
        column: String,
        /// SQL's pattern.
        pattern: String,
        /// What makes `%` and `_` ordinary.
        escape: Option<char>,
    },
    /// Rows in whose text a regular expression is found.
    Regex {
        /// The column.
        column: String,
        /// The expression, in Java's notation.
        pattern: String,
    },
    /// Rows whose text contains all `fragments`.
    Search {
        /// The column.
        column: String,
        /// The texts.
        fragments: Vec<String>,
        /// Whether capitals differ from small letters.
        case_sensitive: bool,
    },
    /// Rows whose time lies in one of the intervals.
    Interval {
        /// The column, a long.
        column: String,
        /// The intervals.
        intervals: Vec<Interval>,
    },
    /// Rows whose columns all have the same value; NULL equals NULL.
    ColumnComparison {
        /// The columns.
        columns: Vec<String>,
    },
    /// Rows for which an expression is true.
    Expression(Node),
}

impl Filter {
    /// Reads a filter. `path` is what errors call it, for example `transformSpec.filter`.
    pub fn parse(json: &Value, path: &str) -> Result<Self, FilterError> {
        read::filter(json, path, 0)
    }

    /// The columns that it names, sorted.
    pub fn columns(&self) -> BTreeSet<String> {
        match self {
            Self::True | Self::False => BTreeSet::new(),
            Self::And(filters) | Self::Or(filters) => filters.iter().flat_map(Self::columns).collect(),
            Self::Not(filter) => filter.columns(),
            Self::Expression(node) => node.columns(),
            Self::ColumnComparison { columns } => columns.iter().cloned().collect(),
            Self::Null { column }
            | Self::In { column, .. }
            | Self::Range { column, .. }
            | Self::Like { column, .. }
            | Self::Regex { column, .. }
            | Self::Search { column, .. }
            | Self::Interval { column, .. } => BTreeSet::from([column.clone()]),
        }
    }

    /// The DataFusion condition that it states over the columns of `schema`; columns that it lacks are NULL.
    pub fn to_expr(&self, schema: &Schema) -> Result<Expr, ExpressionError> {
        lower::filter(self, schema)
    }

    /// Compiles it for batches with the columns of `schema`.
    pub fn compile(&self, schema: &Schema) -> Result<CompiledFilter, ExpressionError> {
        let (inputs, schema) = inputs(self.columns(), schema)?;
        let expr = lower::filter(self, &schema)?;
        Ok(CompiledFilter(CompiledExpr::of_condition(expr.to_string(), &expr, inputs, schema)?))
    }
}

/// A filter that can be evaluated.
#[derive(Debug, Clone)]
pub struct CompiledFilter(CompiledExpr);

impl CompiledFilter {
    /// The columns that it reads, of those that the schema had; sorted.
    pub fn inputs(&self) -> &[String] {
        self.0.inputs()
    }

    /// Which rows of `batch` match: no NULLs.
    pub fn evaluate(&self, batch: &RecordBatch) -> Result<BooleanArray, ExpressionError> {
        let matched = self.0.evaluate(batch)?;
        let matched = matched.as_boolean();
        Ok(match matched.nulls() {
            Some(nulls) => BooleanArray::new(matched.values() & nulls.inner(), None),
            None => matched.clone(),
        })
    }

    /// The condition as an expression with `Boolean` results, for evaluation by distinct values.
    pub fn as_expr(&self) -> &CompiledExpr {
        &self.0
    }
}
