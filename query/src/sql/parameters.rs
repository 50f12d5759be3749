//! Values for the `?` of a statement: each becomes the literal that its type calls for.

use datafusion::sql::sqlparser::ast::{DataType, ExactNumberInfo, Expr, UnaryOperator, Value};
use ovate_storage::time::{Zone, parse::parse_iso};
use serde_json::Value as Json;

use super::tree;
use crate::error::QueryError;
use crate::request::SqlParameter;

/// The literal for `?n` (`name` is `?1`, `?2`, …).
pub(crate) fn literal(name: &str, parameters: &[SqlParameter], zone: Zone) -> Result<Expr, QueryError> {
    let unbound = || QueryError::invalid(format!("No value bound for parameter (position [{}])", &name[1..]));
    let at = name[1..].parse::<usize>().ok().and_then(|n| n.checked_sub(1)).ok_or_else(unbound)?;
    let parameter = parameters.get(at).ok_or_else(unbound)?;
    let wrong = || {
        QueryError::invalid(format!(
            "Value {} of parameter (position [{}]) is not a {}",
            parameter.value,
            at + 1,
            parameter.type_
        ))
    };
    if let Json::Array(items) = &parameter.value {
        let items =
            items.iter().map(|item| array_item(item).ok_or_else(wrong)).collect::<Result<Vec<_>, _>>()?;
        return Ok(tree::call("make_array", items));
    }
    let is_null = parameter.value.is_null();
    let kind = parameter.type_.to_uppercase();
    let null_of = |data_type| Ok(tree::cast(tree::null(), data_type));
    match kind.as_str() {
        "VARCHAR" | "CHAR" | "STRING" if is_null => null_of(DataType::Varchar(None)),
        "VARCHAR" | "CHAR" | "STRING" if parameter.value.is_object() => Err(wrong()),
        "VARCHAR" | "CHAR" | "STRING" => Ok(tree::text(as_text(&parameter.value))),
        "BIGINT" | "INTEGER" | "SMALLINT" | "TINYINT" | "LONG" if is_null => null_of(DataType::BigInt(None)),
        "BIGINT" | "INTEGER" | "SMALLINT" | "TINYINT" | "LONG" => {
            as_text(&parameter.value).trim().parse::<i64>().map(signed).map_err(|_| wrong())
        }
        "DOUBLE" | "FLOAT" | "REAL" | "DECIMAL" if is_null => {
            null_of(DataType::Double(ExactNumberInfo::None))
        }
        "DOUBLE" | "FLOAT" | "REAL" | "DECIMAL" => {
            let number = as_text(&parameter.value).trim().parse::<f64>().map_err(|_| wrong())?;
            Ok(tree::cast(tree::text(number.to_string()), DataType::Double(ExactNumberInfo::None)))
        }
        "BOOLEAN" if is_null => null_of(DataType::Boolean),
        "BOOLEAN" => match as_text(&parameter.value).to_lowercase().as_str() {
            "true" | "1" => Ok(Expr::value(Value::Boolean(true))),
            "false" | "0" => Ok(Expr::value(Value::Boolean(false))),
            _ => Err(wrong()),
        },
        "TIMESTAMP" | "DATE" if is_null => null_of(tree::timestamp_type()),
        "TIMESTAMP" | "DATE" => match &parameter.value {
            Json::Number(ms) => ms.as_i64().map(tree::instant).ok_or_else(wrong),
            value => parse_iso(as_text(value).trim(), zone).map(tree::instant).ok_or_else(wrong),
        },
        _ => Err(QueryError::invalid(format!(
            "Type {} of parameter (position [{}]) is not one of VARCHAR, BIGINT, INTEGER, DOUBLE, FLOAT, BOOLEAN, TIMESTAMP, DATE",
            parameter.type_,
            at + 1
        ))),
    }
}

fn signed(number: i64) -> Expr {
    let digits = tree::number(number.unsigned_abs().to_string());
    if number < 0 { Expr::UnaryOp { op: UnaryOperator::Minus, expr: Box::new(digits) } } else { digits }
}

fn array_item(item: &Json) -> Option<Expr> {
    match item {
        Json::String(text) => Some(tree::text(text.as_str())),
        Json::Number(number) => match number.as_i64() {
            Some(number) => Some(signed(number)),
            None => Some(tree::cast(tree::text(number.to_string()), DataType::Double(ExactNumberInfo::None))),
        },
        Json::Null => Some(tree::null()),
        _ => None,
    }
}

fn as_text(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}
