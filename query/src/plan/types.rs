//! SQL's types, Druid's types and Arrow's types.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use datafusion::common::Result;
use datafusion::logical_expr::planner::TypePlanner;
use datafusion::sql::sqlparser::ast::{ArrayElemTypeDef, DataType as SqlType};

/// Timestamps, wherever they appear.
pub(crate) const TIMESTAMP: DataType = DataType::Timestamp(TimeUnit::Millisecond, None);

/// The types a statement may name. All whole numbers are 64 bits wide and all decimals are doubles, as in Druid.
#[derive(Debug)]
pub(crate) struct DruidTypes;

impl TypePlanner for DruidTypes {
    fn plan_type_field(&self, sql_type: &SqlType) -> Result<Option<FieldRef>> {
        Ok(arrow_type(sql_type).map(|data_type| Arc::new(Field::new("", data_type, true))))
    }
}

fn arrow_type(sql_type: &SqlType) -> Option<DataType> {
    Some(match sql_type {
        SqlType::Character(_)
        | SqlType::Char(_)
        | SqlType::CharacterVarying(_)
        | SqlType::CharVarying(_)
        | SqlType::Varchar(_)
        | SqlType::Nvarchar(_)
        | SqlType::Text
        | SqlType::String(_) => DataType::Utf8View,
        SqlType::TinyInt(_)
        | SqlType::SmallInt(_)
        | SqlType::MediumInt(_)
        | SqlType::Int(_)
        | SqlType::Int4(_)
        | SqlType::Int8(_)
        | SqlType::Int64
        | SqlType::Integer(_)
        | SqlType::BigInt(_) => DataType::Int64,
        SqlType::Float(_) | SqlType::Float4 | SqlType::Float32 => DataType::Float32,
        SqlType::Real
        | SqlType::Double(_)
        | SqlType::DoublePrecision
        | SqlType::Float8
        | SqlType::Float64
        | SqlType::Numeric(_)
        | SqlType::Decimal(_)
        | SqlType::Dec(_) => DataType::Float64,
        SqlType::Bool | SqlType::Boolean => DataType::Boolean,
        SqlType::Timestamp(..) | SqlType::TimestampNtz(_) | SqlType::Datetime(_) | SqlType::Date => TIMESTAMP,
        SqlType::Array(
            ArrayElemTypeDef::AngleBracket(item)
            | ArrayElemTypeDef::SquareBracket(item, _)
            | ArrayElemTypeDef::Parenthesis(item),
        ) => DataType::List(Arc::new(Field::new_list_field(arrow_type(item)?, true))),
        _ => return None,
    })
}

/// The type that clients get for a column of `data_type`: the few that [`crate::SqlResult`] promises.
pub(crate) fn shown_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32
        | DataType::UInt64
        | DataType::Duration(_) => DataType::Int64,
        DataType::Float16 => DataType::Float32,
        DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Decimal256(..) => DataType::Float64,
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => TIMESTAMP,
        DataType::Dictionary(_, value) => shown_type(value),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::ListView(item) => {
            DataType::List(Arc::new(Field::new_list_field(shown_type(item.data_type()), true)))
        }
        DataType::LargeUtf8 | DataType::Interval(_) | DataType::Time32(_) | DataType::Time64(_) => {
            DataType::Utf8View
        }
        other => other.clone(),
    }
}

/// Whether clients can get values of a type that [`shown_type`] gave.
pub(crate) fn is_shown(data_type: &DataType) -> bool {
    match data_type {
        DataType::List(item) => is_shown(item.data_type()),
        DataType::Struct(fields) => fields.iter().all(|field| is_shown(&shown_type(field.data_type()))),
        DataType::Null
        | DataType::Boolean
        | DataType::Int64
        | DataType::Float32
        | DataType::Float64
        | DataType::Utf8
        | DataType::Utf8View => true,
        other => *other == TIMESTAMP,
    }
}

/// Druid's name of a type.
pub(crate) fn druid_type(data_type: &DataType) -> String {
    match data_type {
        DataType::Float32 => "FLOAT".to_owned(),
        DataType::Float64 => "DOUBLE".to_owned(),
        DataType::Int64 | DataType::Boolean | DataType::Timestamp(..) => "LONG".to_owned(),
        DataType::List(item) => format!("ARRAY<{}>", druid_type(item.data_type())),
        DataType::Struct(_) | DataType::Map(..) => "COMPLEX<json>".to_owned(),
        _ => "STRING".to_owned(),
    }
}

/// The SQL name of a type.
pub(crate) fn sql_type(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Float32 => "FLOAT",
        DataType::Float64 => "DOUBLE",
        DataType::Int64 => "BIGINT",
        DataType::Boolean => "BOOLEAN",
        DataType::Timestamp(..) => "TIMESTAMP",
        DataType::List(_) => "ARRAY",
        DataType::Null => "NULL",
        DataType::Struct(_) | DataType::Map(..) | DataType::Binary | DataType::BinaryView => "OTHER",
        _ => "VARCHAR",
    }
}

/// Whether values are text.
pub(crate) fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, value) => is_text(value),
        _ => false,
    }
}
