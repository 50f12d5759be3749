//! Compiled expressions over columns: physical forms, dictionaries, distinct values.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, DictionaryArray, Int32Array, Int64Array, RecordBatch, StringArray, StringViewArray, UInt8Array,
    UInt16Array,
};
use arrow::datatypes::{DataType, Field, Schema, UInt8Type};
use proptest::prelude::*;

use super::super::{CompiledExpr, ExpressionError, NativeType, parse, to_condition, to_expr};
use super::written;

fn batch(column: ArrayRef) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable([("x", column, true)]).unwrap()
}

fn all(array: &ArrayRef) -> Vec<String> {
    (0..array.len()).map(|i| written(array, i)).collect()
}

#[test]
fn inputs_are_the_columns_there_are() {
    let schema = Schema::new(vec![
        Field::new("a", DataType::Int64, true),
        Field::new("b", DataType::Utf8View, true),
        Field::new("c", DataType::Utf8View, true),
    ]);
    let compiled = CompiledExpr::compile("c + missing + a", &schema).unwrap();
    assert_eq!(compiled.inputs(), ["a", "c"]);
    assert_eq!(compiled.output_type(), NativeType::Double);
    assert_eq!(compiled.text(), "(c + missing) + a");
    let constant = CompiledExpr::compile("1 + 1", &schema).unwrap();
    assert!(constant.inputs().is_empty());
    assert_eq!(all(&constant.evaluate(&batch(Arc::new(Int32Array::from(vec![1, 2, 3])))).unwrap()), ["2"; 3]);
}

#[test]
fn a_batch_without_the_column_is_an_error() {
    let schema = Schema::new(vec![Field::new("a", DataType::Int64, true)]);
    let compiled = CompiledExpr::compile("a + 1", &schema).unwrap();
    let error = compiled.evaluate(&batch(Arc::new(Int32Array::from(vec![1])))).unwrap_err();
    assert!(matches!(error, ExpressionError::ColumnMissing { column } if column == "a"));
    let schema = Schema::new(vec![Field::new("x", DataType::Utf8, true)]);
    let compiled = CompiledExpr::compile("strlen(x)", &schema).unwrap();
    let error = compiled.evaluate(&batch(Arc::new(Int32Array::from(vec![1])))).unwrap_err();
    assert_eq!(
        error.to_string(),
        "column 'x' has type Int32 instead of Utf8View, which expressions do not read"
    );
}

#[test]
fn every_physical_form_of_a_string_is_the_same_string() {
    let schema = Schema::new(vec![Field::new("x", DataType::Utf8View, true)]);
    let compiled = CompiledExpr::compile("concat(x, '!')", &schema).unwrap();
    let strings = StringArray::from(vec!["b", "a"]);
    let views = StringViewArray::from(vec!["b", "a"]);
    let forms: Vec<ArrayRef> = vec![
        Arc::new(strings.clone()),
        Arc::new(views.clone()),
        Arc::new(DictionaryArray::new(
            UInt8Array::from(vec![Some(1), None, Some(0), Some(1)]),
            Arc::new(strings),
        )),
        Arc::new(DictionaryArray::new(UInt16Array::from(vec![1, 1, 0]), Arc::new(views))),
    ];
    let results: Vec<_> =
        forms.into_iter().map(|form| all(&compiled.evaluate(&batch(form)).unwrap())).collect();
    assert_eq!(results[0], ["'b!'", "'a!'"]);
    assert_eq!(results[1], results[0]);
    assert_eq!(results[2], ["'a!'", "null", "'b!'", "'a!'"]);
    assert_eq!(results[3], ["'a!'", "'a!'", "'b!'"]);
}

#[test]
fn null_keys_of_a_dictionary_give_what_null_gives() {
    let schema = Schema::new(vec![Field::new("x", DataType::Utf8View, true)]);
    let compiled = CompiledExpr::compile("nvl(x, 'none')", &schema).unwrap();
    let column: DictionaryArray<UInt8Type> = [Some("a"), None, Some("a")].into_iter().collect();
    assert_eq!(all(&compiled.evaluate(&batch(Arc::new(column))).unwrap()), ["'a'", "'none'", "'a'"]);
    let empty = DictionaryArray::new(
        UInt8Array::from(vec![None::<u8>, None]),
        Arc::new(StringArray::from(vec![""; 0])),
    );
    assert_eq!(all(&compiled.evaluate(&batch(Arc::new(empty))).unwrap()), ["'none'", "'none'"]);
}

#[test]
fn distinct_values_are_evaluated_once_each() {
    let schema =
        Schema::new(vec![Field::new("x", DataType::Utf8View, true), Field::new("n", DataType::Int64, true)]);
    let compiled = CompiledExpr::compile("strlen(x)", &schema).unwrap();
    let values = StringViewArray::from(vec!["", "a", "bcd"]);
    assert_eq!(all(&compiled.evaluate_distinct(&values).unwrap()), ["0", "1", "3"]);
    assert_eq!(all(&compiled.evaluate_null().unwrap()), ["null"]);
    let two = CompiledExpr::compile("strlen(x) + n", &schema).unwrap();
    assert_eq!(
        two.evaluate_distinct(&values).unwrap_err().to_string(),
        "the expression reads 'n' (Int64), 'x' (Utf8View); evaluation by distinct values needs exactly one string column"
    );
    let long = CompiledExpr::compile("n + 1", &schema).unwrap();
    assert!(matches!(long.evaluate_distinct(&values), Err(ExpressionError::NotOneStringInput { .. })));
    let none = CompiledExpr::compile("1", &schema).unwrap();
    assert!(none.evaluate_distinct(&values).unwrap_err().to_string().contains("reads no column"));
}

#[test]
fn no_rows_give_no_results() {
    let schema = Schema::new(vec![Field::new("x", DataType::Utf8View, true)]);
    for expression in ["concat(x, '!')", "if(x == 'a', 1, 2)", "map((y) -> y, string_to_array(x, ','))", "1"]
    {
        let compiled = CompiledExpr::compile(expression, &schema).unwrap();
        let empty = batch(Arc::new(StringViewArray::from(vec![""; 0])));
        assert_eq!(compiled.evaluate(&empty).unwrap().len(), 0, "{expression}");
    }
}

#[test]
fn a_virtual_column_is_an_expression_of_the_plan() {
    let schema = Schema::new(vec![Field::new("x", DataType::Int64, true)]);
    let (expr, ty) = to_expr(&parse("x > 1").unwrap(), &schema).unwrap();
    assert_eq!(ty, NativeType::Long);
    assert!(expr.to_string().contains("x > Int64(1)"), "{expr}");
    let condition = to_condition(&parse("x > 1 && x < 5").unwrap(), &schema).unwrap();
    assert_eq!(condition.to_string(), "x > Int64(1) AND x < Int64(5)");
}

proptest! {
    #[test]
    fn a_dictionary_gives_what_plain_values_give(rows in prop::collection::vec(prop::option::of("[a-c0-9]{0,3}"), 0..30)) {
        let schema = Schema::new(vec![Field::new("x", DataType::Utf8View, true)]);
        for expression in ["x + 1", "nvl(x, 'z')", "x == 'a'", "regexp_extract(x, '[0-9]')", "array(x)", "isnull(x)"] {
            let compiled = CompiledExpr::compile(expression, &schema).unwrap();
            let plain: StringViewArray = rows.iter().map(Option::as_deref).collect();
            let coded: DictionaryArray<UInt8Type> = rows.iter().map(Option::as_deref).collect();
            let plain = compiled.evaluate(&batch(Arc::new(plain))).unwrap();
            let coded = compiled.evaluate(&batch(Arc::new(coded))).unwrap();
            prop_assert_eq!(all(&plain), all(&coded));
        }
    }

    #[test]
    fn long_arithmetic_is_that_of_rust_wrapping(a in any::<i64>(), b in any::<i64>()) {
        let batch = RecordBatch::try_from_iter([
            ("a", Arc::new(Int64Array::from(vec![a])) as ArrayRef),
            ("b", Arc::new(Int64Array::from(vec![b])) as ArrayRef),
        ]).unwrap();
        for (expression, expected) in [
            ("a + b", Some(a.wrapping_add(b))),
            ("a - b", Some(a.wrapping_sub(b))),
            ("a * b", Some(a.wrapping_mul(b))),
            ("a / b", a.checked_div(b).or((b == -1).then(|| a.wrapping_neg()))),
            ("a % b", a.checked_rem(b).or((b == -1).then_some(0))),
            ("a < b", Some(i64::from(a < b))),
            ("bitwiseXor(a, b)", Some(a ^ b)),
        ] {
            let compiled = CompiledExpr::compile(expression, &batch.schema()).unwrap();
            let expected = expected.map_or("null".to_owned(), |v| v.to_string());
            prop_assert_eq!(all(&compiled.evaluate(&batch).unwrap()), vec![expected]);
        }
    }

    #[test]
    fn text_to_number_and_back_keeps_a_double(value in any::<f64>()) {
        let text = super::super::double_text(value);
        let again = super::super::parse_double(&text).unwrap();
        prop_assert!(again == value || (again.is_nan() && value.is_nan()), "{text}");
    }
}
