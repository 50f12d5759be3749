//! Arrays. A scalar given where an array is expected is an array of one; NULL is no array and gives NULL.
//!
//! Rows are taken apart into [`Value`]s: arrays are rare and short, so clarity is worth the copying.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, ListArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{Field, Float64Type, Int64Type};
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, Expr};
use regex::Regex;

use super::{Call, Definition, compile_regex, function};
use crate::native::ast::Kind;
use crate::native::coerce::{coerce, double_text, parse_number};
use crate::native::error::ExpressionError;
use crate::native::kernel::{
    self, Argument, Double, Kernel, Lists, Long, Output, Text, Truth, argument, doubles, longs, texts,
};
use crate::native::types::{ElementType, Type, Typed};

type Lowered = Result<Typed, ExpressionError>;

pub(super) const FUNCTIONS: &[Definition] = &[
    function("array", 1, usize::MAX, construct),
    function("array_length", 1, 1, |call| {
        let (array, _) = array(call, 0)?;
        Ok(call.function(vec![array], Type::Long, of_list::<Long>(|list| i64::try_from(list.len()).ok())))
    }),
    function("array_offset", 2, 2, |call| element_at(call, 0)),
    function("array_ordinal", 2, 2, |call| element_at(call, 1)),
    function("array_offset_of", 2, 2, |call| position(call, 0)),
    function("array_ordinal_of", 2, 2, |call| position(call, 1)),
    function("array_contains", 2, 2, |call| {
        compare(call, |list, of| {
            of.iter().all(|wanted| list.iter().any(|value| same(value.as_ref(), wanted.as_ref())))
        })
    }),
    function("array_overlap", 2, 2, |call| {
        compare(call, |list, of| {
            of.iter().any(|wanted| list.iter().any(|value| same(value.as_ref(), wanted.as_ref())))
        })
    }),
    function("scalar_in_array", 2, 2, scalar_in_array),
    function("array_append", 2, 2, |call| {
        with_element(call, 0, 1, |mut list, value| {
            list.push(value);
            list
        })
    }),
    function("array_prepend", 2, 2, |call| {
        with_element(call, 1, 0, |mut list, value| {
            list.insert(0, value);
            list
        })
    }),
    function("array_set_add", 2, 2, |call| {
        with_element(call, 0, 1, |mut list, value| {
            list.push(value);
            distinct(list)
        })
    }),
    function("array_concat", 2, 2, |call| {
        merge(call, |mut list, other| {
            list.extend(other);
            list
        })
    }),
    function("array_set_add_all", 2, 2, |call| {
        merge(call, |mut list, other| {
            list.extend(other);
            distinct(list)
        })
    }),
    function("array_slice", 2, 3, slice),
    function("array_to_string", 2, 2, join),
    function("string_to_array", 2, 2, split),
    function("mv_to_array", 1, 1, |call| match call.nodes.first().map(|node| &node.kind) {
        Some(Kind::Identifier(_)) => {
            convert(call, call.argument(0)?.clone(), Type::Array(ElementType::String))
        }
        _ => Err(call.error("takes a column; array(…) makes arrays of other values")),
    }),
];

/// One element.
#[derive(Debug, Clone, PartialEq)]
enum Value {
    Text(String),
    Long(i64),
    Double(f64),
}

/// The elements of one row.
type List = Vec<Option<Value>>;

impl Value {
    fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Long(value) => value.to_string(),
            Self::Double(value) => double_text(*value),
        }
    }

    fn cast(self, to: ElementType) -> Option<Self> {
        Some(match (self, to) {
            (value, ElementType::String) => Self::Text(value.text()),
            (Self::Text(text), ElementType::Long) => Self::Long(parse_number(&text)?.as_long()),
            (Self::Text(text), ElementType::Double) => Self::Double(parse_number(&text)?.as_double()),
            (Self::Double(value), ElementType::Long) => Self::Long(value as i64),
            (Self::Long(value), ElementType::Double) => Self::Double(value as f64),
            (value, _) => value,
        })
    }

    fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Long(a), Self::Long(b)) => a.cmp(b),
            (Self::Double(a), Self::Double(b)) => a.total_cmp(b),
            _ => self.text().cmp(&other.text()),
        }
    }
}

/// Elements equal as Java's objects are: NULL equals NULL.
fn same(a: Option<&Value>, b: Option<&Value>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a.order(b) == Ordering::Equal,
        (None, None) => true,
        _ => false,
    }
}

/// Sorted, NULL first, each once: what Java's `TreeSet` leaves.
fn distinct(mut list: List) -> List {
    list.sort_by(|a, b| match (a, b) {
        (Some(a), Some(b)) => a.order(b),
        _ => a.is_some().cmp(&b.is_some()),
    });
    list.dedup_by(|a, b| same(a.as_ref(), b.as_ref()));
    list
}

fn read(array: &ArrayRef) -> List {
    if let Some(values) = array.as_string_view_opt() {
        values.iter().map(|v| v.map(|v| Value::Text(v.to_owned()))).collect()
    } else if let Some(values) = array.as_primitive_opt::<Int64Type>() {
        values.iter().map(|v| v.map(Value::Long)).collect()
    } else if let Some(values) = array.as_primitive_opt::<Float64Type>() {
        values.iter().map(|v| v.map(Value::Double)).collect()
    } else {
        Vec::new()
    }
}

/// Rows of elements as a list column.
fn write(rows: Vec<Option<List>>, element: ElementType) -> Result<ArrayRef> {
    let lengths = rows.iter().map(|row| row.as_ref().map_or(0, Vec::len));
    let offsets = OffsetBuffer::from_lengths(lengths);
    let nulls = rows.iter().map(Option::is_some).collect::<NullBuffer>();
    let values = rows.into_iter().flatten().flatten().map(|value| value?.cast(element));
    let values: ArrayRef = match element {
        ElementType::String => texts(values.map(|value| value.map(|value| value.text()))),
        ElementType::Long => Arc::new(longs(values.map(|value| match value {
            Some(Value::Long(value)) => Some(value),
            _ => None,
        }))),
        ElementType::Double => Arc::new(doubles(values.map(|value| match value {
            Some(Value::Double(value)) => Some(value),
            _ => None,
        }))),
    };
    let field = Arc::new(Field::new_list_field(element.data_type(), true));
    Ok(Arc::new(ListArray::try_new(field, offsets, values, Some(nulls))?))
}

/// A function of a list; NULL of NULL.
fn of_list<R: Output>(f: impl Fn(List) -> Option<R::Owned> + Send + Sync + 'static) -> Arc<Kernel> {
    Arc::new(move |values, rows| {
        let lists = Lists::view(argument(values, 0)?)?;
        Ok(R::collect((0..rows).map(|row| f(read(&lists.get(row)?)))))
    })
}

/// A list of lists and scalars; the closure gets the row of each list and may answer NULL.
fn to_list(
    element: ElementType,
    f: impl Fn(&[ColumnarValue], usize) -> Result<Vec<Option<List>>> + Send + Sync + 'static,
) -> Arc<Kernel> {
    Arc::new(move |values, rows| write(f(values, rows)?, element))
}

/// Argument `i` as an array, and what its elements are.
fn array(call: &Call, i: usize) -> Result<(Expr, ElementType), ExpressionError> {
    let value = call.argument(i)?;
    let element = element_of(value.ty);
    Ok((convert(call, value.clone(), Type::Array(element))?.expr, element))
}

fn element_of(ty: Type) -> ElementType {
    match ty {
        Type::Array(element) => element,
        Type::Long | Type::Truth => ElementType::Long,
        Type::Double => ElementType::Double,
        Type::Text | Type::Null => ElementType::String,
    }
}

/// `value` as `target`, between scalars and arrays too: a scalar becomes an array of one, an array of one its only
/// element; a longer array has no scalar and gives NULL.
pub(super) fn convert(call: &Call, value: Typed, target: Type) -> Lowered {
    if let Some(typed) = coerce(value.clone(), target) {
        return Ok(typed);
    }
    let constants = target.name();
    let converted = match (value.ty, target) {
        (Type::Array(_), Type::Array(element)) => {
            let kernel = to_list(element, move |values, rows| {
                let lists = Lists::view(argument(values, 0)?)?;
                Ok((0..rows).map(|row| lists.get(row).map(|list| read(&list))).collect())
            });
            kernel::call("cast", constants, vec![value.expr], target, kernel)
        }
        (Type::Array(_), Type::Long) => {
            only_element::<Long>(value, target, |value| match value.cast(ElementType::Long)? {
                Value::Long(value) => Some(value),
                _ => None,
            })
        }
        (Type::Array(_), Type::Double) => {
            only_element::<Double>(value, target, |value| match value.cast(ElementType::Double)? {
                Value::Double(value) => Some(value),
                _ => None,
            })
        }
        (Type::Array(_), Type::Text) => only_element::<Text>(value, target, |value| Some(value.text())),
        (_, Type::Array(element)) => {
            let scalar = coerce(value.clone(), element.into());
            let Some(scalar) = scalar else { return Err(call.mismatch(0, value.ty, target.name())) };
            let kernel = to_list(element, move |values, rows| {
                let values = scalars(argument(values, 0)?, element, rows)?;
                Ok(values.into_iter().map(|value| value.map(|value| vec![Some(value)])).collect())
            });
            // Text that spells no number makes no array; Druid makes an array of one NULL of it.
            kernel::call("as_array", constants, vec![scalar.expr], target, kernel)
        }
        (found, _) => return Err(call.mismatch(0, found, target.name())),
    };
    Ok(converted)
}

fn only_element<R: Output>(
    value: Typed,
    target: Type,
    f: impl Fn(Value) -> Option<R::Owned> + Send + Sync + 'static,
) -> Typed {
    let kernel = of_list::<R>(move |list| match <[_; 1]>::try_from(list) {
        Ok([Some(value)]) => f(value),
        _ => None,
    });
    kernel::call("cast", target.name(), vec![value.expr], target, kernel)
}

/// A scalar column as values of `element`, which it was coerced to.
fn scalars(value: &ColumnarValue, element: ElementType, rows: usize) -> Result<Vec<Option<Value>>> {
    Ok(match element {
        ElementType::String => {
            let view = Text::view(value)?;
            (0..rows).map(|row| Text::get(&view, row).map(|v| Value::Text(v.to_owned()))).collect()
        }
        ElementType::Long => {
            let view = Long::view(value)?;
            (0..rows).map(|row| Long::get(&view, row).map(Value::Long)).collect()
        }
        ElementType::Double => {
            let view = Double::view(value)?;
            (0..rows).map(|row| Double::get(&view, row).map(Value::Double)).collect()
        }
    })
}

/// Elements become what all of them can be: text if any is text, doubles if any is a double.
fn construct(call: &Call) -> Lowered {
    let mut ty = Type::Null;
    for (i, argument) in call.arguments.iter().enumerate() {
        if let Type::Array(_) = argument.ty {
            return Err(call.mismatch(i, argument.ty, "a string or a number"));
        }
        ty = ty.common(argument.ty).unwrap_or(ty);
    }
    let element = element_of(ty);
    let arguments =
        (0..call.arguments.len()).map(|i| call.as_type(i, element.into())).collect::<Result<_, _>>()?;
    let kernel = to_list(element, move |values, rows| {
        let columns = values.iter().map(|v| scalars(v, element, rows)).collect::<Result<Vec<_>>>()?;
        Ok((0..rows)
            .map(|row| Some(columns.iter().map(|c| c.get(row).cloned().flatten()).collect()))
            .collect())
    });
    Ok(call.function_with(Type::Array(element).name(), arguments, Type::Array(element), kernel))
}

/// The element at a position counted from `first`; NULL outside.
fn element_at(call: &Call, first: i64) -> Lowered {
    let (array, element) = array(call, 0)?;
    let arguments = vec![array, call.long(1)?];
    Ok(match element {
        ElementType::String => {
            call.function(arguments, Type::Text, at::<Text>(first, |value| Some(value.text())))
        }
        ElementType::Long => call.function(
            arguments,
            Type::Long,
            at::<Long>(first, |value| match value {
                Value::Long(value) => Some(value),
                _ => None,
            }),
        ),
        ElementType::Double => call.function(
            arguments,
            Type::Double,
            at::<Double>(first, |value| match value {
                Value::Double(value) => Some(value),
                _ => None,
            }),
        ),
    })
}

fn at<R: Output>(first: i64, f: impl Fn(Value) -> Option<R::Owned> + Send + Sync + 'static) -> Arc<Kernel> {
    Arc::new(move |values, rows| {
        let lists = Lists::view(argument(values, 0)?)?;
        let positions = Long::view(argument(values, 1)?)?;
        Ok(R::collect((0..rows).map(|row| {
            let list = lists.get(row)?;
            let position = usize::try_from(Long::get(&positions, row)?.checked_sub(first)?).ok()?;
            f(read(&list).get(position).cloned().flatten()?)
        })))
    })
}

/// Where argument 1 first stands in argument 0, counted from `first`; NULL if nowhere.
fn position(call: &Call, first: i64) -> Lowered {
    let (array, element) = array(call, 0)?;
    let arguments = vec![array, call.as_type(1, element.into())?];
    let kernel: Arc<Kernel> = Arc::new(move |values, rows| {
        let lists = Lists::view(argument(values, 0)?)?;
        let wanted = scalars(argument(values, 1)?, element, rows)?;
        Ok(Long::collect((0..rows).map(|row| {
            let list = read(&lists.get(row)?);
            let wanted = wanted.get(row)?;
            let at = list.iter().position(|value| same(value.as_ref(), wanted.as_ref()))?;
            Some(i64::try_from(at).ok()? + first)
        })))
    });
    Ok(call.function(arguments, Type::Long, kernel))
}

/// Two arrays of one type, which is that of the first.
fn two_arrays(call: &Call) -> Result<(Vec<Expr>, ElementType), ExpressionError> {
    let (left, element) = array(call, 0)?;
    let right = convert(call, call.argument(1)?.clone(), Type::Array(element))?;
    Ok((vec![left, right.expr], element))
}

fn compare(call: &Call, f: fn(&List, &List) -> bool) -> Lowered {
    let (arguments, _) = two_arrays(call)?;
    let kernel: Arc<Kernel> = Arc::new(move |values, rows| {
        let left = Lists::view(argument(values, 0)?)?;
        let right = Lists::view(argument(values, 1)?)?;
        Ok(Truth::collect((0..rows).map(|row| Some(f(&read(&left.get(row)?), &read(&right.get(row)?))))))
    });
    Ok(call.function(arguments, Type::Truth, kernel))
}

/// NULL when the scalar is NULL and the array does not hold NULL.
fn scalar_in_array(call: &Call) -> Lowered {
    let (array, element) = array(call, 1)?;
    let arguments = vec![array, call.as_type(0, element.into())?];
    let kernel: Arc<Kernel> = Arc::new(move |values, rows| {
        let lists = Lists::view(argument(values, 0)?)?;
        let wanted = scalars(argument(values, 1)?, element, rows)?;
        Ok(Truth::collect((0..rows).map(|row| {
            let list = read(&lists.get(row)?);
            let wanted = wanted.get(row)?;
            let found = list.iter().any(|value| same(value.as_ref(), wanted.as_ref()));
            (found || wanted.is_some()).then_some(found)
        })))
    });
    Ok(call.function(arguments, Type::Truth, kernel))
}

fn with_element(call: &Call, list: usize, value: usize, f: fn(List, Option<Value>) -> List) -> Lowered {
    let (array, element) = array(call, list)?;
    let arguments = vec![array, call.as_type(value, element.into())?];
    let kernel = to_list(element, move |values, rows| {
        let lists = Lists::view(argument(values, 0)?)?;
        let added = scalars(argument(values, 1)?, element, rows)?;
        Ok(added.into_iter().enumerate().map(|(row, value)| Some(f(read(&lists.get(row)?), value))).collect())
    });
    Ok(call.function(arguments, Type::Array(element), kernel))
}

fn merge(call: &Call, f: fn(List, List) -> List) -> Lowered {
    let (arguments, element) = two_arrays(call)?;
    let kernel = to_list(element, move |values, rows| {
        let left = Lists::view(argument(values, 0)?)?;
        let right = Lists::view(argument(values, 1)?)?;
        Ok((0..rows).map(|row| Some(f(read(&left.get(row)?), read(&right.get(row)?)))).collect())
    });
    Ok(call.function(arguments, Type::Array(element), kernel))
}

/// From `start` to before `end`; NULL for bounds that Java refuses, and NULLs where `end` lies beyond the array.
fn slice(call: &Call) -> Lowered {
    let (array, element) = array(call, 0)?;
    let mut arguments = vec![array, call.long(1)?];
    if call.has(2) {
        arguments.push(call.long(2)?);
    }
    let kernel = to_list(element, move |values, rows| {
        let lists = Lists::view(argument(values, 0)?)?;
        let starts = Long::view(argument(values, 1)?)?;
        let ends = values.get(2).map(Long::view).transpose()?;
        let one = |row: usize| {
            let list = read(&lists.get(row)?);
            let start = usize::try_from(Long::get(&starts, row)?).ok()?;
            let end = match &ends {
                Some(ends) => usize::try_from(Long::get(ends, row)?).ok()?,
                None => list.len(),
            };
            if start > list.len() || start > end || end - start > SLICE_MAX {
                return None;
            }
            Some((start..end).map(|i| list.get(i).cloned().flatten()).collect())
        };
        Ok((0..rows).map(one).collect())
    });
    Ok(call.function(arguments, Type::Array(element), kernel))
}

/// Slices reach beyond the end with NULLs; no further than this.
const SLICE_MAX: usize = 1 << 16;

/// NULL elements are written `null`; a NULL separator is the empty one.
fn join(call: &Call) -> Lowered {
    let (array, _) = array(call, 0)?;
    let kernel: Arc<Kernel> = Arc::new(move |values, rows| {
        let lists = Lists::view(argument(values, 0)?)?;
        let separators = Text::view(argument(values, 1)?)?;
        Ok(Text::collect((0..rows).map(|row| {
            let list = read(&lists.get(row)?);
            if matches!(list.as_slice(), [None]) {
                return None;
            }
            let parts: Vec<_> =
                list.iter().map(|v| v.as_ref().map_or("null".to_owned(), Value::text)).collect();
            Some(parts.join(Text::get(&separators, row).unwrap_or_default()))
        })))
    });
    Ok(call.function(vec![array, call.text(1)?], Type::Text, kernel))
}

/// At each match of a regular expression, as `java.lang.String.split`: empty parts at the end are left out.
fn split(call: &Call) -> Lowered {
    let separator = call.literal_text(1, "the separator")?.unwrap_or_default();
    let regex = compile_regex(separator).map_err(|problem| call.error(problem))?;
    let constants = format!("{:?}", regex.as_str());
    let kernel = to_list(ElementType::String, move |values, rows| {
        let view = Text::view(argument(values, 0)?)?;
        let list = |text: &str| -> List {
            split_text(text, &regex).into_iter().map(|part| Some(Value::Text(part.to_owned()))).collect()
        };
        Ok((0..rows).map(|row| Text::get(&view, row).map(list)).collect())
    });
    Ok(call.function_with(&constants, vec![call.text(0)?], Type::Array(ElementType::String), kernel))
}

/// The parts of a text; none of one that is nothing but separators.
pub(crate) fn split_text<'a>(text: &'a str, separator: &Regex) -> Vec<&'a str> {
    let mut parts: Vec<&str> = Vec::new();
    let mut from = 0;
    for found in separator.find_iter(text) {
        // A match of no width at the start makes no empty part.
        if found.end() == 0 {
            continue;
        }
        parts.push(&text[from..found.start()]);
        from = found.end();
    }
    if parts.is_empty() {
        return vec![text];
    }
    parts.push(&text[from..]);
    while parts.last().is_some_and(|part| part.is_empty()) {
        parts.pop();
    }
    parts
}
