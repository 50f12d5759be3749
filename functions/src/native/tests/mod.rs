//! What expressions mean: tables of expression and result over one row, and properties of the parser.
//!
//! A result is written with its type: `5` a long, `5.0` a double, `'5'` a string, `null`, `[1, 2]` an array.

mod arrays;
mod errors;
mod filters;
mod fuzz;
mod grammar;
mod numbers;
mod texts;
mod times;
mod whole_columns;

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float32Array, Float64Array, Int64Array, ListArray, RecordBatch, StringArray,
    StringViewArray, TimestampMillisecondArray,
};
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type};

use super::{CompiledExpr, double_text};

/// 2026-11-23T10:30:15.250Z.
const NOON_MS: i64 = 1_795_429_815_250;

/// One row that has a column of every kind.
fn row() -> RecordBatch {
    let strings = |values: &[Option<&str>]| -> ArrayRef {
        let values: StringViewArray = values.iter().copied().collect();
        let offsets = arrow::buffer::OffsetBuffer::from_lengths([values.len()]);
        Arc::new(ListArray::new(
            Arc::new(Field::new_list_field(DataType::Utf8View, true)),
            offsets,
            Arc::new(values),
            None,
        ))
    };
    let text = |value: Option<&str>| -> ArrayRef { Arc::new(StringViewArray::from_iter([value])) };
    RecordBatch::try_from_iter_with_nullable([
        ("__time", Arc::new(TimestampMillisecondArray::from(vec![NOON_MS])) as ArrayRef, false),
        ("l", Arc::new(Int64Array::from(vec![5])), true),
        ("neg", Arc::new(Int64Array::from(vec![-7])), true),
        ("d", Arc::new(Float64Array::from(vec![2.5])), true),
        ("f", Arc::new(Float32Array::from(vec![0.5])), true),
        ("s", text(Some("hello")), true),
        ("plain", Arc::new(StringArray::from(vec!["plain"])), true),
        ("num", text(Some("12.5")), true),
        ("empty", text(Some("")), true),
        ("none", text(None), true),
        ("nolong", Arc::new(Int64Array::from(vec![None])), true),
        ("deviceLocation", text(Some("47.37025931426311,8.520322383414186")), true),
        ("payload.location.city", text(Some("Zürich")), true),
        ("emoji", text(Some("a😀b")), true),
        ("tags", strings(&[Some("a"), Some("b"), None]), true),
        (
            "numbers",
            Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>([Some(vec![Some(3), Some(1)])])),
            true,
        ),
    ])
    .unwrap()
}

fn written(array: &dyn Array, at: usize) -> String {
    if array.is_null(at) {
        return "null".to_owned();
    }
    match array.data_type() {
        DataType::Int64 => array.as_primitive::<Int64Type>().value(at).to_string(),
        DataType::Float64 => double_text(array.as_primitive::<Float64Type>().value(at)),
        DataType::Utf8View => format!("'{}'", array.as_string_view().value(at)),
        DataType::Boolean => array.as_boolean().value(at).to_string(),
        DataType::List(_) => {
            let list = array.as_list::<i32>().value(at);
            let elements: Vec<_> = (0..list.len()).map(|i| written(&list, i)).collect();
            format!("[{}]", elements.join(", "))
        }
        other => panic!("no expression gives {other}"),
    }
}

fn result(expression: &str) -> String {
    let row = row();
    let compiled = match CompiledExpr::compile(expression, &row.schema()) {
        Ok(compiled) => compiled,
        Err(error) => return format!("error: {error}"),
    };
    let array = compiled.evaluate(&row).unwrap();
    assert_eq!(array.data_type(), &compiled.output_type().data_type(), "the type promised by {expression}");
    assert_eq!(array.len(), 1, "{expression}");
    written(&array, 0)
}

/// Every expression of the table gives what stands beside it, and so does its canonical spelling.
fn check(table: &[(&str, &str)]) {
    let mut wrong = Vec::new();
    for (expression, expected) in table {
        let found = result(expression);
        if found != *expected {
            wrong.push(format!("{expression}\n    gives {found}, not {expected}"));
        }
        if let Ok(node) = super::parse(expression) {
            let again = result(&node.to_string());
            if again != found {
                wrong.push(format!("{expression}, written {node},\n    gives {again}, not {found}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
