//! From the mapped bytes of a column to an Arrow array, without a copy.
//!
//! The bytes are under checksums that were just verified, so what arrives here is what was written. It is still
//! checked to be a sound array (lengths, offsets, keys, UTF-8), once, because an unsound one would be undefined
//! behaviour later, and because a file with right checksums may have been made by someone else.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::{ArrayData, ArrayRef, make_array};
use arrow::datatypes::{DataType, Field};

use super::footer::{ArrayLayout, Element};
use super::pages::CheckedFile;
use crate::error::Result;

/// The array at `layout`, which must have `rows` rows.
pub(super) fn read(file: &CheckedFile, name: &str, layout: &ArrayLayout, rows: u64) -> Result<ArrayRef> {
    if layout.len != rows {
        return Err(file.damaged(format!("column {name} has {} rows, the segment {rows}", layout.len)));
    }
    let data = data_of(file, name, layout)?;
    guarded(file, name, || Ok(make_array(data)))
}

/// Arrow reports what it finds wrong, but not all of it: some checks are assertions. This is the last belt, so that
/// a malformed file fails one query and not the process.
fn guarded<T>(
    file: &CheckedFile,
    name: &str,
    run: impl FnOnce() -> Result<T, arrow::error::ArrowError>,
) -> Result<T> {
    let outcome = catch_unwind(AssertUnwindSafe(run));
    match outcome {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(e)) => Err(file.damaged(format!("column {name} is not a sound array: {e}"))),
        Err(_) => Err(file.damaged(format!("column {name} is not a sound array"))),
    }
}

fn data_of(file: &CheckedFile, name: &str, layout: &ArrayLayout) -> Result<ArrayData> {
    let malformed = |what: &str| file.damaged(format!("column {name} is described with {what}"));
    // Keeps the arithmetic on lengths, ours and Arrow's, far from overflow.
    if layout.len > u64::from(u32::MAX) || layout.nulls > layout.len {
        return Err(malformed("an impossible length"));
    }
    let len = layout.len as usize;
    let (width, extra) = match layout.element {
        Element::Long | Element::Double => (8, 0),
        Element::Float | Element::U32 => (4, 0),
        Element::U16 => (2, 0),
        Element::U8 => (1, 0),
        Element::Utf8 | Element::List => (4, 1),
    };
    if layout.buffers.len() != layout.element.buffers() {
        return Err(malformed("a wrong number of buffers"));
    }
    let mut buffers = Vec::with_capacity(layout.buffers.len());
    for &extent in &layout.buffers {
        buffers.push(file.slice(extent)?);
    }
    let validity = buffers.remove(0);
    if layout.nulls > 0 && validity.len() < len.div_ceil(8) || buffers[0].len() < (len + extra) * width {
        return Err(malformed("buffers that are too short"));
    }

    let mut child = Vec::new();
    let data_type = match layout.element {
        Element::Long => DataType::Int64,
        Element::Float => DataType::Float32,
        Element::Double => DataType::Float64,
        Element::Utf8 => DataType::Utf8,
        Element::U8 => keyed(DataType::UInt8, file, name, layout, &mut child)?,
        Element::U16 => keyed(DataType::UInt16, file, name, layout, &mut child)?,
        Element::U32 => keyed(DataType::UInt32, file, name, layout, &mut child)?,
        Element::List => {
            let items = layout.items.as_deref().ok_or_else(|| malformed("a list without items"))?;
            if !matches!(items.element, Element::U8 | Element::U16 | Element::U32 | Element::Utf8) {
                return Err(malformed("a list of something else than strings"));
            }
            let items = data_of(file, name, items)?;
            let field = Field::new("item", items.data_type().clone(), true);
            child.push(items);
            DataType::List(Arc::new(field))
        }
    };
    guarded(file, name, || {
        ArrayData::builder(data_type)
            .len(len)
            .null_count(layout.nulls as usize)
            .null_bit_buffer((layout.nulls > 0).then_some(validity))
            .buffers(buffers)
            .child_data(child)
            // Mapped files are aligned; another disk's bytes may not be, and are copied then.
            .align_buffers(true)
            .build()
    })
}

fn keyed(
    key: DataType,
    file: &CheckedFile,
    name: &str,
    layout: &ArrayLayout,
    child: &mut Vec<ArrayData>,
) -> Result<DataType> {
    let values = layout.values.as_deref();
    let values = values
        .filter(|values| {
            matches!(values.element, Element::Utf8 | Element::Long | Element::Float | Element::Double)
        })
        .ok_or_else(|| {
            file.damaged(format!("column {name} is described with keys but without plain values"))
        })?;
    let values = data_of(file, name, values)?;
    let data_type = DataType::Dictionary(Box::new(key), Box::new(values.data_type().clone()));
    child.push(values);
    Ok(data_type)
}
