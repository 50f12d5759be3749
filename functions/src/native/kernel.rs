//! From a Rust closure over one row to a DataFusion function over columns.
//!
//! ```text
//!  |a: &str, n: i64| -> Option<String>   map2::<Text, Long, Text>   Kernel   Native   Expr::ScalarFunction
//! ```
//!
//! Arguments arrive in the canonical types of [`super::types`]; a NULL argument gives NULL without calling the
//! closure, and a closure's `None` is NULL. Literal arguments are not spread into columns.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, ListArray, PrimitiveArray,
    StringViewArray, StringViewBuilder,
};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::library::text::MADE_MAX;
use super::types::{Type, Typed};

/// What computes: arguments and the number of rows, to as many results.
pub(crate) type Kernel = dyn Fn(&[ColumnarValue], usize) -> Result<ArrayRef> + Send + Sync;

/// A call of `kernel` under `name`. `constants` is whatever the kernel holds besides its arguments (a pattern, a
/// zone): two calls are the same function if name and constants are.
pub(crate) fn call(
    name: &str,
    constants: &str,
    arguments: Vec<Expr>,
    ty: Type,
    kernel: Arc<Kernel>,
) -> Typed {
    let function = Native {
        name: name.to_owned(),
        constants: constants.to_owned(),
        output: if ty == Type::Truth { DataType::Boolean } else { ty.native().data_type() },
        signature: Signature::any(arguments.len(), Volatility::Immutable),
        kernel,
    };
    Typed::new(ScalarUDF::new_from_impl(function).call(arguments), ty)
}

struct Native {
    name: String,
    constants: String,
    output: DataType,
    signature: Signature,
    kernel: Arc<Kernel>,
}

impl fmt::Debug for Native {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Native")
            .field("name", &self.name)
            .field("constants", &self.constants)
            .finish_non_exhaustive()
    }
}

impl PartialEq for Native {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, &self.constants, &self.output) == (&other.name, &other.constants, &other.output)
            && self.signature == other.signature
    }
}

impl Eq for Native {}

impl Hash for Native {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.name, &self.constants).hash(state);
    }
}

impl ScalarUDFImpl for Native {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Constants are part of the name, so that `f(a)` with two patterns are two columns of a plan.
    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        let args: Vec<String> = args.iter().map(|a| a.schema_name().to_string()).collect();
        let separator = if self.constants.is_empty() { "" } else { "; " };
        Ok(format!("{}({}{separator}{})", self.name, args.join(", "), self.constants))
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(self.output.clone())
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = call.args.iter().all(|a| matches!(a, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { call.number_rows };
        let result = (self.kernel)(&call.args, rows)?;
        if constant {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?));
        }
        Ok(ColumnarValue::Array(result))
    }
}

/// A type of argument.
pub(crate) trait Argument: 'static {
    /// The value of one row.
    type Item<'a>: Copy;
    /// A whole column.
    type View<'a>;
    fn view(value: &ColumnarValue) -> Result<Self::View<'_>>;
    fn get<'a>(view: &Self::View<'a>, row: usize) -> Option<Self::Item<'a>>;
}

/// A type of result.
pub(crate) trait Output: 'static {
    /// The value of one row.
    type Owned;
    fn collect(values: impl Iterator<Item = Option<Self::Owned>>) -> ArrayRef;
}

/// A column or one value for all rows.
pub(crate) enum Rows<'a, A, T> {
    Column(&'a A),
    Constant(Option<T>),
}

/// Strings.
pub(crate) struct Text;
/// 64-bit integers.
pub(crate) struct Long;
/// 64-bit floats.
pub(crate) struct Double;
/// Conditions.
pub(crate) struct Truth;

fn mistyped<T>(value: &ColumnarValue, wanted: &str) -> Result<T> {
    exec_err!("a native function got {} where it was lowered for {wanted}", value.data_type())
}

impl Argument for Text {
    type Item<'a> = &'a str;
    type View<'a> = Rows<'a, StringViewArray, &'a str>;

    fn view(value: &ColumnarValue) -> Result<Self::View<'_>> {
        match value {
            ColumnarValue::Array(array) if *array.data_type() == DataType::Utf8View => {
                Ok(Rows::Column(array.as_string_view()))
            }
            ColumnarValue::Scalar(
                ScalarValue::Utf8View(text) | ScalarValue::Utf8(text) | ScalarValue::LargeUtf8(text),
            ) => Ok(Rows::Constant(text.as_deref())),
            ColumnarValue::Scalar(ScalarValue::Null) => Ok(Rows::Constant(None)),
            _ => mistyped(value, "strings"),
        }
    }

    fn get<'a>(view: &Self::View<'a>, row: usize) -> Option<Self::Item<'a>> {
        match view {
            Rows::Column(array) => array.is_valid(row).then(|| array.value(row)),
            Rows::Constant(text) => *text,
        }
    }
}

macro_rules! primitive {
    ($kind:ident, $native:ty, $arrow:ty, $data_type:pat, $scalar:path, $wanted:literal) => {
        impl Argument for $kind {
            type Item<'a> = $native;
            type View<'a> = Rows<'a, PrimitiveArray<$arrow>, $native>;

            fn view(value: &ColumnarValue) -> Result<Self::View<'_>> {
                match value {
                    ColumnarValue::Array(array) if matches!(array.data_type(), $data_type) => {
                        Ok(Rows::Column(array.as_primitive()))
                    }
                    ColumnarValue::Scalar($scalar(value)) => Ok(Rows::Constant(*value)),
                    ColumnarValue::Scalar(ScalarValue::Null) => Ok(Rows::Constant(None)),
                    _ => mistyped(value, $wanted),
                }
            }

            fn get<'a>(view: &Self::View<'a>, row: usize) -> Option<Self::Item<'a>> {
                match view {
                    Rows::Column(array) => array.is_valid(row).then(|| array.value(row)),
                    Rows::Constant(value) => *value,
                }
            }
        }

        impl Output for $kind {
            type Owned = $native;

            fn collect(values: impl Iterator<Item = Option<$native>>) -> ArrayRef {
                Arc::new(values.collect::<PrimitiveArray<$arrow>>())
            }
        }
    };
}

primitive!(Long, i64, Int64Type, DataType::Int64, ScalarValue::Int64, "longs");
primitive!(Double, f64, Float64Type, DataType::Float64, ScalarValue::Float64, "doubles");

impl Output for Text {
    type Owned = String;

    fn collect(values: impl Iterator<Item = Option<String>>) -> ArrayRef {
        let mut builder = StringViewBuilder::with_capacity(values.size_hint().0);
        for value in values {
            builder.append_option(value.filter(|text| text.len() <= MADE_MAX));
        }
        Arc::new(builder.finish())
    }
}

impl Output for Truth {
    type Owned = bool;

    fn collect(values: impl Iterator<Item = Option<bool>>) -> ArrayRef {
        Arc::new(values.collect::<BooleanArray>())
    }
}

/// A list column, row by row: each row's elements as an array of the element type.
pub(crate) enum Lists<'a> {
    Column(&'a ListArray),
    Constant(Option<ArrayRef>),
}

impl<'a> Lists<'a> {
    pub(crate) fn view(value: &'a ColumnarValue) -> Result<Self> {
        match value {
            ColumnarValue::Array(array) => match array.as_list_opt() {
                Some(lists) => Ok(Self::Column(lists)),
                None => mistyped(value, "arrays"),
            },
            ColumnarValue::Scalar(ScalarValue::List(list)) => {
                Ok(Self::Constant((list.len() == 1 && list.is_valid(0)).then(|| list.value(0))))
            }
            ColumnarValue::Scalar(scalar) if scalar.is_null() => Ok(Self::Constant(None)),
            ColumnarValue::Scalar(_) => mistyped(value, "arrays"),
        }
    }

    pub(crate) fn get(&self, row: usize) -> Option<ArrayRef> {
        match self {
            Self::Column(lists) => lists.is_valid(row).then(|| lists.value(row)),
            Self::Constant(list) => list.clone(),
        }
    }
}

/// Argument `i`, which lowering has put there.
pub(crate) fn argument(values: &[ColumnarValue], i: usize) -> Result<&ColumnarValue> {
    if let Some(value) = values.get(i) {
        return Ok(value);
    }
    exec_err!("a native function got {} arguments, fewer than it was lowered for", values.len())
}

/// A function of one argument.
pub(crate) fn map1<A: Argument, R: Output>(
    f: impl for<'a> Fn(A::Item<'a>) -> Option<R::Owned> + Send + Sync + 'static,
) -> Arc<Kernel> {
    Arc::new(move |values, rows| {
        let a = A::view(argument(values, 0)?)?;
        Ok(R::collect((0..rows).map(|row| f(A::get(&a, row)?))))
    })
}

/// A function of two arguments.
pub(crate) fn map2<A: Argument, B: Argument, R: Output>(
    f: impl for<'a> Fn(A::Item<'a>, B::Item<'a>) -> Option<R::Owned> + Send + Sync + 'static,
) -> Arc<Kernel> {
    Arc::new(move |values, rows| {
        let a = A::view(argument(values, 0)?)?;
        let b = B::view(argument(values, 1)?)?;
        Ok(R::collect((0..rows).map(|row| f(A::get(&a, row)?, B::get(&b, row)?))))
    })
}

/// A function of three arguments.
pub(crate) fn map3<A: Argument, B: Argument, C: Argument, R: Output>(
    f: impl for<'a> Fn(A::Item<'a>, B::Item<'a>, C::Item<'a>) -> Option<R::Owned> + Send + Sync + 'static,
) -> Arc<Kernel> {
    Arc::new(move |values, rows| {
        let a = A::view(argument(values, 0)?)?;
        let b = B::view(argument(values, 1)?)?;
        let c = C::view(argument(values, 2)?)?;
        Ok(R::collect((0..rows).map(|row| f(A::get(&a, row)?, B::get(&b, row)?, C::get(&c, row)?))))
    })
}

/// A function of any number of arguments of one type; the closure sees NULLs.
pub(crate) fn fold<A: Argument, R: Output>(
    f: impl for<'a> Fn(&mut dyn Iterator<Item = Option<A::Item<'a>>>) -> Option<R::Owned> + Send + Sync + 'static,
) -> Arc<Kernel> {
    Arc::new(move |values, rows| {
        let views = values.iter().map(A::view).collect::<Result<Vec<_>>>()?;
        Ok(R::collect((0..rows).map(|row| f(&mut views.iter().map(|view| A::get(view, row))))))
    })
}

/// Shorthand for what tests and conversions build often.
pub(crate) fn texts(values: impl Iterator<Item = Option<String>>) -> ArrayRef {
    Text::collect(values)
}

/// Longs as an array.
pub(crate) fn longs(values: impl Iterator<Item = Option<i64>>) -> Int64Array {
    values.collect()
}

/// Doubles as an array.
pub(crate) fn doubles(values: impl Iterator<Item = Option<f64>>) -> Float64Array {
    values.collect()
}
