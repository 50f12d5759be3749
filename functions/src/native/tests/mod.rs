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

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type};

use super::{CompiledExpr, double_text};
use crate::row::row;

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
