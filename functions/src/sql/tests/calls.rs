//! How calls are checked and run, whatever the function.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, StringViewArray};
use arrow::datatypes::{DataType, Field, UInt8Type};
use datafusion::common::ScalarValue;
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs};
use proptest::prelude::*;

use super::refused;
use crate::sql::scalar_functions;

/// Calls a function on arrays directly.
fn call(name: &str, args: Vec<ColumnarValue>, rows: usize) -> ArrayRef {
    let function = scalar_functions().into_iter().find(|function| function.name() == name).unwrap();
    let types: Vec<DataType> = args.iter().map(ColumnarValue::data_type).collect();
    let fields = types.iter().map(|given| Arc::new(Field::new("x", given.clone(), true))).collect();
    let result = function.return_type(&types).unwrap();
    let args = ScalarFunctionArgs {
        args,
        arg_fields: fields,
        number_rows: rows,
        return_field: Arc::new(Field::new("y", result.clone(), true)),
        config_options: Arc::new(ConfigOptions::default()),
    };
    let array = function.invoke_with_args(args).unwrap().into_array(rows).unwrap();
    assert_eq!((array.data_type(), array.len()), (&result, rows));
    array
}

fn text(value: &str) -> ColumnarValue {
    ColumnarValue::Scalar(ScalarValue::Utf8(Some(value.to_owned())))
}

#[test]
fn wrong_counts_and_types_are_refused_in_words() {
    assert!(refused("LENGTH()").contains("LENGTH takes 1 argument, 0 given"));
    assert!(refused("LPAD('a')").contains("LPAD takes 2 to 3 arguments, 1 given"));
    assert!(refused("CONCAT()").contains("at least 1 arguments"));
}

proptest! {
    #[test]
    fn a_dictionary_gives_what_its_texts_give(values in prop::collection::vec(prop::option::of("[a-cA-C0-9é😀]{0,6}"), 1..40)) {
        let plain: ArrayRef = Arc::new(values.iter().map(Option::as_deref).collect::<StringViewArray>());
        let dictionary: ArrayRef =
            Arc::new(values.iter().map(Option::as_deref).collect::<DictionaryArray<UInt8Type>>());
        for (name, more) in [
            ("upper", vec![]),
            ("length", vec![]),
            ("substring", vec![ColumnarValue::Scalar(ScalarValue::Int64(Some(2)))]),
            ("regexp_extract", vec![text("[a-c]+")]),
            ("contains_string", vec![text("a")]),
            ("greatest", vec![text("b")]),
            ("parse_long", vec![]),
        ] {
            let with = |first: &ArrayRef| {
                let mut args = vec![ColumnarValue::Array(Arc::clone(first))];
                args.extend(more.iter().cloned());
                call(name, args, values.len())
            };
            prop_assert_eq!(&with(&plain), &with(&dictionary), "{}", name);
        }
    }

    #[test]
    fn a_pattern_a_row_gives_what_literals_give(rows in prop::collection::vec(("[ab]{0,4}", "a|b|ab|b+"), 1..12)) {
        let texts: ArrayRef = Arc::new(rows.iter().map(|(text, _)| Some(text.as_str())).collect::<StringViewArray>());
        let patterns: ArrayRef = Arc::new(rows.iter().map(|(_, p)| Some(p.as_str())).collect::<StringViewArray>());
        let all = call("regexp_like", vec![ColumnarValue::Array(texts), ColumnarValue::Array(patterns)], rows.len());
        for (row, (value, pattern)) in rows.iter().enumerate() {
            let single = call("regexp_like", vec![text(value), text(pattern)], 1);
            prop_assert_eq!(all.as_boolean().value(row), single.as_boolean().value(0));
        }
    }
}
