//! The types of the language, and a lowered expression together with its type.
//!
//! Druid decides types row by row; here they are decided once, when an expression meets a schema. One Arrow type
//! stands for each: what columns hold is brought to it where they are read ([`column`]), so kernels know only these.
//!
//! | type | Arrow |
//! |---|---|
//! | string | `Utf8View` |
//! | long | `Int64` |
//! | double | `Float64` |
//! | array | `List` of one of these |
//!
//! Conditions stay `Boolean` while they are only conditions ([`Type::Truth`]) and become 1 and 0 when used as values.

use arrow::datatypes::{DataType, Field, TimeUnit};
use datafusion::common::{Column, ScalarValue};
use datafusion::logical_expr::expr::Cast;
use datafusion::logical_expr::{Expr, lit};

use super::error::ExpressionError;

/// What the elements of an array are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ElementType {
    /// Text.
    String,
    /// 64-bit integers.
    Long,
    /// 64-bit floats.
    Double,
}

impl ElementType {
    /// The Arrow type of one element.
    pub fn data_type(self) -> DataType {
        match self {
            Self::String => DataType::Utf8View,
            Self::Long => DataType::Int64,
            Self::Double => DataType::Float64,
        }
    }

    /// The Arrow type of an array of these.
    pub fn list_type(self) -> DataType {
        DataType::new_list(self.data_type(), true)
    }
}

/// The type of an expression's result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NativeType {
    /// Text, `Utf8View`. Also the type of an expression that is always NULL.
    String,
    /// 64-bit integers, `Int64`. Conditions give 1 and 0.
    Long,
    /// 64-bit floats, `Float64`.
    Double,
    /// Arrays, `List`.
    Array(ElementType),
}

impl NativeType {
    /// The Arrow type of the results.
    pub fn data_type(self) -> DataType {
        match self {
            Self::String => DataType::Utf8View,
            Self::Long => DataType::Int64,
            Self::Double => DataType::Float64,
            Self::Array(element) => element.list_type(),
        }
    }
}

/// The type of a lowered expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Type {
    /// NULL whatever the row.
    Null,
    /// A condition, `Boolean`.
    Truth,
    Text,
    Long,
    Double,
    Array(ElementType),
}

impl Type {
    /// The type that results show: conditions are longs, NULL is a string.
    pub(crate) fn native(self) -> NativeType {
        match self {
            Self::Null | Self::Text => NativeType::String,
            Self::Truth | Self::Long => NativeType::Long,
            Self::Double => NativeType::Double,
            Self::Array(element) => NativeType::Array(element),
        }
    }

    /// As error messages say it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Truth | Self::Long => "LONG",
            Self::Text => "STRING",
            Self::Double => "DOUBLE",
            Self::Array(ElementType::String) => "ARRAY<STRING>",
            Self::Array(ElementType::Long) => "ARRAY<LONG>",
            Self::Array(ElementType::Double) => "ARRAY<DOUBLE>",
        }
    }

    /// The type of values of which some are `self` and some `other`: text wins over numbers, doubles over longs.
    /// `None` when one is an array and the other is not the same.
    pub(crate) fn common(self, other: Self) -> Option<Self> {
        Some(match (self, other) {
            (a, b) if a == b => a,
            (Self::Null, b) => b,
            (a, Self::Null) => a,
            (Self::Array(_), _) | (_, Self::Array(_)) => return None,
            (Self::Text, _) | (_, Self::Text) => Self::Text,
            (Self::Double, _) | (_, Self::Double) => Self::Double,
            _ => Self::Long,
        })
    }

    /// Whether arithmetic on it stays within longs.
    pub(crate) fn is_integral(self) -> bool {
        matches!(self, Self::Long | Self::Truth)
    }
}

impl From<NativeType> for Type {
    fn from(native: NativeType) -> Self {
        match native {
            NativeType::String => Self::Text,
            NativeType::Long => Self::Long,
            NativeType::Double => Self::Double,
            NativeType::Array(element) => Self::Array(element),
        }
    }
}

impl From<ElementType> for Type {
    fn from(element: ElementType) -> Self {
        match element {
            ElementType::String => Self::Text,
            ElementType::Long => Self::Long,
            ElementType::Double => Self::Double,
        }
    }
}

/// A lowered expression and its type.
#[derive(Debug, Clone)]
pub(crate) struct Typed {
    pub(crate) expr: Expr,
    pub(crate) ty: Type,
}

impl Typed {
    pub(crate) fn new(expr: Expr, ty: Type) -> Self {
        Self { expr, ty }
    }

    pub(crate) fn null() -> Self {
        Self::new(lit(ScalarValue::Utf8View(None)), Type::Null)
    }

    pub(crate) fn truth(expr: Expr) -> Self {
        Self::new(expr, Type::Truth)
    }

    pub(crate) fn long(value: i64) -> Self {
        Self::new(lit(value), Type::Long)
    }

    pub(crate) fn double(value: f64) -> Self {
        Self::new(lit(value), Type::Double)
    }

    pub(crate) fn text(value: &str) -> Self {
        Self::new(lit(ScalarValue::Utf8View(Some(value.to_owned()))), Type::Text)
    }
}

/// `expr` as `to`, by Arrow's cast.
pub(crate) fn cast(expr: Expr, to: DataType) -> Expr {
    Expr::Cast(Cast::new(Box::new(expr), to))
}

/// The type under which expressions see a column, or `None` for types they do not read.
pub(crate) fn native_of(column: &DataType) -> Option<NativeType> {
    Some(match column {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null => NativeType::String,
        DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32
        | DataType::Boolean
        | DataType::Timestamp(TimeUnit::Millisecond, None) => NativeType::Long,
        DataType::Float32 | DataType::Float64 => NativeType::Double,
        DataType::Dictionary(_, value) => native_of(value)?,
        DataType::List(item) | DataType::LargeList(item) => match native_of(item.data_type())? {
            NativeType::String => NativeType::Array(ElementType::String),
            NativeType::Long => NativeType::Array(ElementType::Long),
            NativeType::Double => NativeType::Array(ElementType::Double),
            NativeType::Array(_) => return None,
        },
        _ => return None,
    })
}

/// A column as expressions see it.
pub(crate) fn column(field: &Field) -> Result<Typed, ExpressionError> {
    let native = native_of(field.data_type()).ok_or_else(|| ExpressionError::ColumnType {
        column: field.name().clone(),
        found: field.data_type().to_string(),
    })?;
    let expr = Expr::Column(Column::new_unqualified(field.name()));
    let wanted = native.data_type();
    let expr = if *field.data_type() == wanted { expr } else { cast(expr, wanted) };
    Ok(Typed::new(expr, native.into()))
}

/// Marks a canonical field whose column holds 32-bit floats.
const FLOAT_KEY: &str = "ovate.float";

/// The field under which a column is seen: its canonical type, nullable.
pub(crate) fn canonical_field(field: &Field) -> Result<Field, ExpressionError> {
    let typed = column(field)?;
    let canonical = Field::new(field.name(), typed.ty.native().data_type(), true);
    Ok(if is_float(field) {
        canonical.with_metadata([(FLOAT_KEY.to_owned(), String::new())].into_iter().collect())
    } else {
        canonical
    })
}

/// Whether the column holds 32-bit floats.
pub(crate) fn is_float(field: &Field) -> bool {
    let values = match field.data_type() {
        DataType::Dictionary(_, values) => values.as_ref(),
        other => other,
    };
    *values == DataType::Float32 || field.metadata().contains_key(FLOAT_KEY)
}
