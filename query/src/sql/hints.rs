//! SQL types that only the text knows.
//!
//! The engine computes with 64-bit integers, doubles and timestamps; Calcite also tells a literal `1` (INTEGER) from
//! a BIGINT, `1.5` (DECIMAL) from a DOUBLE, `'x'` (CHAR) from a VARCHAR, and a DATE from a TIMESTAMP. Clients see
//! the difference in the `sqlTypesHeader` only, so it is read off the outermost `SELECT` list, as far as that goes.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DataType, Expr, Query, SelectItem, SetExpr, UnaryOperator, Value,
};

use super::tree;

/// Types by position: counted from the front before a wildcard, from the back after it.
#[derive(Debug, Default)]
pub(crate) struct Hints {
    front: Vec<Option<&'static str>>,
    back: Vec<Option<&'static str>>,
}

impl Hints {
    /// Reads the outermost `SELECT` list.
    pub(crate) fn of(query: &Query) -> Self {
        let mut body = &*query.body;
        loop {
            match body {
                SetExpr::Query(query) => body = &query.body,
                // The types of a union follow from all its branches; the literals of one say little.
                SetExpr::Select(select) => return Self::of_list(&select.projection),
                _ => return Self::default(),
            }
        }
    }

    fn of_list(items: &[SelectItem]) -> Self {
        let hint = |item: &SelectItem| match item {
            SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => Some(sql_type(expr)),
            _ => None,
        };
        let front: Vec<_> = items.iter().map_while(hint).collect();
        if front.len() == items.len() {
            return Self { front, back: Vec::new() };
        }
        Self { front, back: items.iter().rev().map_while(hint).collect() }
    }

    /// The type of column `position` of `columns`, if the text says it.
    pub(crate) fn get(&self, position: usize, columns: usize) -> Option<&'static str> {
        let from_back = columns.checked_sub(position + 1)?;
        self.front.get(position).or_else(|| self.back.get(from_back)).copied().flatten()
    }
}

fn sql_type(expr: &Expr) -> Option<&'static str> {
    match expr {
        Expr::Nested(inner) => sql_type(inner),
        Expr::Value(value) => match &value.value {
            Value::Number(digits, _) if digits.contains(['e', 'E']) => Some("DOUBLE"),
            Value::Number(digits, _) if digits.contains('.') => Some("DECIMAL"),
            Value::Number(digits, _) if digits.parse::<i32>().is_ok() => Some("INTEGER"),
            Value::SingleQuotedString(_) | Value::UnicodeStringLiteral(_) => Some("CHAR"),
            _ => None,
        },
        Expr::TypedString(typed) if typed.data_type == DataType::Date => Some("DATE"),
        Expr::Cast { data_type, .. } => cast_type(data_type),
        Expr::UnaryOp { op: UnaryOperator::Minus | UnaryOperator::Plus, expr } => sql_type(expr),
        Expr::BinaryOp { left, op, right } => arithmetic(sql_type(left)?, op, sql_type(right)?),
        Expr::Function(function) if tree::function_name(function).as_deref() == Some("CURRENT_DATE") => {
            Some("DATE")
        }
        _ => None,
    }
}

fn cast_type(data_type: &DataType) -> Option<&'static str> {
    match data_type {
        DataType::Date => Some("DATE"),
        DataType::Int(_) | DataType::Integer(_) => Some("INTEGER"),
        DataType::SmallInt(_) => Some("SMALLINT"),
        DataType::TinyInt(_) => Some("TINYINT"),
        DataType::Decimal(_) | DataType::Numeric(_) | DataType::Dec(_) => Some("DECIMAL"),
        DataType::Real => Some("REAL"),
        DataType::Char(_) | DataType::Character(_) => Some("CHAR"),
        _ => None,
    }
}

fn arithmetic(left: &'static str, op: &BinaryOperator, right: &'static str) -> Option<&'static str> {
    use BinaryOperator::{Divide, Minus, Modulo, Multiply, Plus};
    match (left, right) {
        ("INTEGER", "INTEGER") if matches!(op, Plus | Minus | Multiply | Divide | Modulo) => Some("INTEGER"),
        ("INTEGER" | "DECIMAL", "INTEGER" | "DECIMAL") if matches!(op, Plus | Minus | Multiply | Divide) => {
            Some("DECIMAL")
        }
        _ => None,
    }
}
