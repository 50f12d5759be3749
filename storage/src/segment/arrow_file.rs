//! `data.arrow`: written by Arrow's own writer, then looked up where it put each buffer.
//!
//! Arrow's metadata in the file is for other readers. Ours keeps its own record of where the buffers are
//! ([`ArrayLayout`]), so that reading never runs Arrow's parser over a file that may be damaged.

use std::collections::VecDeque;
use std::path::Path;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::buffer::Buffer;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::writer::FileWriter;
use arrow::ipc::{Block, MessageHeader, root_as_footer, root_as_message};

use super::footer::ArrayLayout;
use super::pages::{Extent, PagedFile, u32_at};
use crate::error::{Result, StorageError};

/// Writes all columns as the only record batch of an Arrow IPC file.
pub(super) fn write(file: &mut PagedFile, schema: SchemaRef, columns: Vec<ArrayRef>) -> Result<()> {
    let batch = RecordBatch::try_new(SchemaRef::clone(&schema), columns)?;
    let path = file.path().to_path_buf();
    let failed = |e| match e {
        ArrowError::IoError(_, source) => StorageError::io("write", &path)(source),
        other => other.into(),
    };
    let mut writer = FileWriter::try_new(file, &schema).map_err(failed)?;
    writer.write(&batch).map_err(failed)?;
    writer.finish().map_err(failed)
}

/// Where the buffers of `columns` are in the file just written. Errors mean that Arrow's writer changed its ways.
pub(super) fn locate(path: &Path, file: &Buffer, columns: &[ArrayRef]) -> Result<Vec<ArrayLayout>> {
    let unexpected =
        |what: &str| StorageError::damaged(path, format!("the Arrow file just written has {what}"));
    let footer = footer_bytes(file).ok_or_else(|| unexpected("no footer"))?;
    let footer = root_as_footer(footer).map_err(|e| unexpected(&format!("an unreadable footer: {e}")))?;

    let mut dictionaries = VecDeque::new();
    for block in footer.dictionaries().into_iter().flatten() {
        dictionaries.push_back(message(file, block).ok_or_else(|| unexpected("an unreadable dictionary"))?);
    }
    let mut batches = footer.recordBatches().into_iter().flatten();
    let (Some(block), None) = (batches.next(), batches.next()) else {
        return Err(unexpected("not exactly one record batch"));
    };
    let mut batch = message(file, block).ok_or_else(|| unexpected("an unreadable record batch"))?;
    let mut layouts = Vec::with_capacity(columns.len());
    for column in columns {
        let layout = layout_of(column, &mut batch, &mut dictionaries);
        layouts.push(layout.ok_or_else(|| unexpected("buffers that are not those of its columns"))?);
    }
    if !(batch.is_empty() && dictionaries.is_empty()) {
        return Err(unexpected("more buffers than its columns have"));
    }
    Ok(layouts)
}

/// The file ends with the footer, its length, and a magic of six bytes.
fn footer_bytes(file: &[u8]) -> Option<&[u8]> {
    let end = file.len().checked_sub(10)?;
    let start = end.checked_sub(u32_at(file, end) as usize)?;
    Some(&file[start..end])
}

/// The arrays and buffers of one message, in depth-first order.
struct Message {
    /// Length and NULLs per array.
    nodes: VecDeque<(u64, u64)>,
    buffers: VecDeque<Extent>,
}

impl Message {
    fn is_empty(&self) -> bool {
        self.nodes.is_empty() && self.buffers.is_empty()
    }
}

fn message(file: &[u8], block: &Block) -> Option<Message> {
    let start = usize::try_from(block.offset()).ok()?;
    let body = start.checked_add(usize::try_from(block.metaDataLength()).ok()?)?;
    // A continuation marker and the length of the metadata precede it.
    let message = root_as_message(file.get(start + 8..body)?).ok()?;
    let batch = match message.header_type() {
        MessageHeader::DictionaryBatch => message.header_as_dictionary_batch()?.data()?,
        _ => message.header_as_record_batch()?,
    };
    let nodes = batch.nodes()?.iter().map(|node| (node.length() as u64, node.null_count() as u64)).collect();
    let extent =
        |buffer: &arrow::ipc::Buffer| Extent(body as u64 + buffer.offset() as u64, buffer.length() as u64);
    Some(Message { nodes, buffers: batch.buffers()?.iter().map(extent).collect() })
}

fn layout_of(
    array: &dyn Array,
    from: &mut Message,
    dictionaries: &mut VecDeque<Message>,
) -> Option<ArrayLayout> {
    let mut layout = ArrayLayout::of(array)?;
    place(&mut layout, from, dictionaries)?;
    Some(layout)
}

/// Takes the buffers of one array out of its message.
fn place(layout: &mut ArrayLayout, from: &mut Message, dictionaries: &mut VecDeque<Message>) -> Option<()> {
    let count = layout.element.buffers();
    let (len, nulls) = from.nodes.pop_front()?;
    if (len, nulls) != (layout.len, layout.nulls) || from.buffers.len() < count {
        return None;
    }
    layout.buffers = from.buffers.drain(..count).collect();
    if let Some(items) = &mut layout.items {
        place(items, from, dictionaries)?;
    }
    if let Some(values) = &mut layout.values {
        let mut message = dictionaries.pop_front()?;
        place(values, &mut message, dictionaries)?;
        message.is_empty().then_some(())?;
    }
    Some(())
}
