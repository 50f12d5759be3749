//! The row that expressions are evaluated over.

#![allow(unreachable_pub)] // Shared with what is fuzzed.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, Float32Array, Float64Array, Int64Array, ListArray, RecordBatch, StringArray,
    StringViewArray, TimestampMillisecondArray,
};
use arrow::datatypes::{DataType, Field, Int64Type};

/// 2026-11-23T10:30:15.250Z.
const NOON_MS: i64 = 1_795_429_815_250;

/// One row that has a column of every kind.
pub fn row() -> RecordBatch {
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
