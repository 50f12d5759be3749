//! `metricsSpec`: the columns that are aggregated when rows roll up.

use ovate_storage::{ColumnSpec, ColumnType, Rollup};
use serde_json::{Map, Value};

use super::data::text;
use super::names;
use crate::error::SpecError;

/// Where a metric's values come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MetricInput {
    /// Every row counts one.
    Count,
    /// A field of the row, or a transform that shadows it.
    Field(String),
    /// An expression over the row.
    Expression(String),
}

/// One metric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricSpec {
    /// The column's name.
    pub name: String,
    /// The column's type.
    pub column_type: ColumnType,
    /// How the values of several rows become one.
    pub rollup: Rollup,
    /// Where the values come from.
    pub input: MetricInput,
}

impl MetricSpec {
    pub(super) fn read(spec: &Map<String, Value>, path: &str) -> Result<Self, SpecError> {
        let kind = text(spec, "type");
        let name = text(spec, "name");
        names::check_column(&format!("{path}.name"), &name)?;
        if kind == "count" {
            let (column_type, rollup) = (ColumnType::Long, Rollup::Sum);
            return Ok(Self { name, column_type, rollup, input: MetricInput::Count });
        }
        let (column_type, rest) =
            [("long", ColumnType::Long), ("float", ColumnType::Float), ("double", ColumnType::Double)]
                .into_iter()
                .find_map(|(prefix, of)| kind.strip_prefix(prefix).map(|rest| (of, rest)))
                .unwrap_or((ColumnType::Double, "Sum"));
        let rollup = match rest {
            "Min" => Rollup::Min,
            "Max" => Rollup::Max,
            "First" => Rollup::First,
            "Last" => Rollup::Last,
            _ => Rollup::Sum,
        };
        let given = |key: &str| spec.get(key).and_then(Value::as_str).map(str::to_owned);
        let input = match (given("fieldName"), given("expression")) {
            (Some(field), None) => MetricInput::Field(field),
            (None, Some(expression)) => MetricInput::Expression(expression),
            (Some(_), Some(_)) => {
                return Err(SpecError::invalid(path, "give fieldName or expression, not both"));
            }
            (None, None) => {
                let expected = "fieldName or expression".into();
                return Err(SpecError::Missing { path: format!("{path}.fieldName"), expected });
            }
        };
        Ok(Self { name, column_type, rollup, input })
    }

    pub(super) fn column(&self) -> ColumnSpec {
        ColumnSpec::metric(&self.name, self.column_type, self.rollup)
    }
}
