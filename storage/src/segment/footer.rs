//! The footer of a segment: what it holds and where, and the checksums of everything else.
//!
//! ```text
//!  index.ovate = HEAD, blobs, FOOTER, TAIL
//!  FOOTER      = page counts, page checksums of the data file and of index.ovate before the footer, JSON
//!  TAIL        = length of FOOTER, versions, checksum of FOOTER and of the tail so far, magic
//! ```
//!
//! The JSON part is what `FORMAT.md` calls the description: unknown keys are ignored, so that a later release may
//! add some without making older releases refuse the file.

use std::path::Path;

use arrow::array::{Array, AsArray};
use arrow::datatypes::DataType;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use xxhash_rust::xxh3::xxh3_64;

use super::pages::{Extent, u32_at, u64_at};
use super::stats::ScalarKind;
use crate::error::{Result, StorageError};
use crate::schema::ColumnSpec;
use crate::time::Interval;

/// The format that is written, and the newest that is read.
pub const FORMAT_VERSION: u32 = 3;

const MAGIC: &[u8; 8] = b"OVATEIDX";
/// Magic, format version, reserved.
pub(super) const HEAD_BYTES: usize = 16;
const TAIL_BYTES: usize = 32;

/// How the columns of a segment lie on disk. Queries get the same arrays from either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Form {
    /// As an Arrow IPC file, which is used where it is mapped.
    #[default]
    Arrow,
    /// As a Parquet file, which takes less room and is decoded column by column.
    Parquet,
}

impl Form {
    /// The name of the file that holds the columns.
    pub fn data_file(self) -> &'static str {
        match self {
            Self::Arrow => "data.arrow",
            Self::Parquet => "data.parquet",
        }
    }

    #[allow(clippy::trivially_copy_pass_by_ref)] // The signature that serde calls.
    fn is_arrow(&self) -> bool {
        *self == Self::Arrow
    }
}

/// Lengths and checksum of a segment's files, for the catalog: with these, files that were exchanged, cut off or
/// damaged are recognised although each may look whole by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SegmentFiles {
    /// Which of the forms the columns have.
    #[serde(default, skip_serializing_if = "Form::is_arrow")]
    pub form: Form,
    /// Length of the file with the columns.
    pub data_bytes: u64,
    /// Length of `index.ovate`.
    pub index_bytes: u64,
    /// XXH3-64 of the footer, which holds the checksums of all other bytes. Text in JSON, 16 hexadecimal digits.
    #[serde(serialize_with = "to_hex", deserialize_with = "from_hex")]
    pub checksum: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // The signature that serde calls.
fn to_hex<S: Serializer>(checksum: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{checksum:016x}"))
}

fn from_hex<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = String::deserialize(deserializer)?;
    u64::from_str_radix(&text, 16).map_err(serde::de::Error::custom)
}

/// The description of a segment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Description {
    pub(super) datasource: String,
    pub(super) interval: Interval,
    pub(super) version: String,
    #[serde(default, skip_serializing_if = "Form::is_arrow")]
    pub(super) form: Form,
    pub(super) rows: u64,
    pub(super) min_time_ms: i64,
    pub(super) max_time_ms: i64,
    pub(super) data_bytes: u64,
    pub(super) page_bytes: u64,
    pub(super) block_rows: u64,
    /// `__time`.
    pub(super) time: TimeEntry,
    pub(super) columns: Vec<ColumnEntry>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TimeEntry {
    pub(super) array: ArrayLayout,
    pub(super) blocks: Extent,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ColumnEntry {
    pub(super) spec: ColumnSpec,
    pub(super) array: ArrayLayout,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) blocks: Option<Extent>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) postings: Option<Extent>,
}

/// The element type of an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Element {
    Long,
    Float,
    Double,
    Utf8,
    /// Keys into `values`.
    U8,
    U16,
    U32,
    /// Offsets into `items`.
    List,
}

impl Element {
    fn of(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Int64 | DataType::Timestamp(..) => Self::Long,
            DataType::Float32 => Self::Float,
            DataType::Float64 => Self::Double,
            DataType::Utf8 => Self::Utf8,
            DataType::List(_) => Self::List,
            DataType::Dictionary(key, _) => match **key {
                DataType::UInt8 => Self::U8,
                DataType::UInt16 => Self::U16,
                DataType::UInt32 => Self::U32,
                _ => return None,
            },
            _ => return None,
        })
    }

    /// How many buffers Arrow has for it, validity included.
    pub(super) fn buffers(self) -> usize {
        if self == Self::Utf8 { 3 } else { 2 }
    }
}

/// What an Arrow array is, and where it lies in `data.arrow`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ArrayLayout {
    pub(super) element: Element,
    pub(super) len: u64,
    pub(super) nulls: u64,
    /// Validity bitmap (empty if there are no NULLs), then the type's buffers, as Arrow orders them. None of a column
    /// that lies there as Parquet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) buffers: Vec<Extent>,
    /// The dictionary of keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) values: Option<Box<ArrayLayout>>,
    /// The items of a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) items: Option<Box<ArrayLayout>>,
}

impl ArrayLayout {
    /// What `array` is, wherever it may lie; `None` if it is nothing that segments hold.
    pub(super) fn of(array: &dyn Array) -> Option<Self> {
        let element = Element::of(array.data_type())?;
        let (mut values, mut items) = (None, None);
        if let Some(coded) = array.as_any_dictionary_opt() {
            values = Some(Box::new(Self::of(coded.values())?));
        } else if let Some(lists) = array.as_list_opt::<i32>() {
            items = Some(Box::new(Self::of(lists.values())?));
        }
        let (len, nulls) = (array.len() as u64, array.null_count() as u64);
        Some(Self { element, len, nulls, buffers: Vec::new(), values, items })
    }

    /// The dictionary, of the array itself or of a list's items.
    pub(super) fn dictionary(&self) -> Option<&Self> {
        self.values.as_deref().or_else(|| self.items.as_deref()?.values.as_deref())
    }

    /// What block statistics of the column are made of; `None` for text.
    pub(super) fn scalar_kind(&self) -> Option<ScalarKind> {
        let (element, coded) = match self.dictionary() {
            Some(values) => (values.element, true),
            None => (self.element, false),
        };
        match element {
            Element::Long => Some(ScalarKind::Long),
            Element::Float | Element::Double => Some(ScalarKind::Double),
            Element::Utf8 if coded => Some(ScalarKind::Code),
            _ => None,
        }
    }
}

/// The first bytes of `index.ovate`.
pub(super) fn head() -> [u8; HEAD_BYTES] {
    let mut head = [0; HEAD_BYTES];
    head[..8].copy_from_slice(MAGIC);
    head[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
    head
}

/// The last bytes of `index.ovate`, and their checksum.
pub(super) fn encode(
    description: &Description,
    data_pages: &[u64],
    index_pages: &[u64],
) -> Result<(Vec<u8>, u64)> {
    let mut bytes = Vec::new();
    bytes.extend((data_pages.len() as u32).to_le_bytes());
    bytes.extend((index_pages.len() as u32).to_le_bytes());
    bytes.extend(data_pages.iter().chain(index_pages).flat_map(|page| page.to_le_bytes()));
    // A description is made of strings and numbers: there is nothing in it that JSON could not say.
    serde_json::to_writer(&mut bytes, description).map_err(|e| StorageError::SchemaMismatch {
        datasource: description.datasource.clone(),
        reason: format!("its description is not JSON: {e}"),
    })?;
    bytes.extend((bytes.len() as u64).to_le_bytes());
    bytes.extend(FORMAT_VERSION.to_le_bytes());
    // The oldest version whose readers understand the file.
    bytes.extend(FORMAT_VERSION.to_le_bytes());
    let checksum = xxh3_64(&bytes);
    bytes.extend(checksum.to_le_bytes());
    bytes.extend(MAGIC);
    Ok((bytes, checksum))
}

/// A footer as it was read.
pub(super) struct Footer {
    pub(super) description: Description,
    pub(super) data_pages: Box<[u64]>,
    pub(super) index_pages: Box<[u64]>,
    /// Where the footer begins: what lies before is under `index_pages`.
    pub(super) start: usize,
    pub(super) checksum: u64,
}

/// Reads the footer of `index`, the whole of `index.ovate`.
pub(super) fn decode(path: &Path, index: &[u8]) -> Result<Footer> {
    let damaged = |reason: String| StorageError::damaged(path, reason);
    if index.len() < HEAD_BYTES + TAIL_BYTES {
        return Err(damaged(format!("it has only {} bytes", index.len())));
    }
    let tail_start = index.len() - TAIL_BYTES;
    let (body, tail) = index.split_at(tail_start);
    if &tail[24..] != MAGIC || &index[..8] != MAGIC {
        return Err(damaged("it does not begin and end as a segment index does".into()));
    }
    let (found, min_reader) = (u32_at(tail, 8), u32_at(tail, 12));
    if min_reader > FORMAT_VERSION {
        return Err(StorageError::NewerFormat { path: path.to_path_buf(), found, supported: FORMAT_VERSION });
    }
    let footer_bytes = u64_at(tail, 0);
    let start = (body.len() as u64)
        .checked_sub(footer_bytes)
        .filter(|&start| start >= HEAD_BYTES as u64)
        .ok_or_else(|| damaged(format!("its footer of {footer_bytes} bytes does not fit into the file")))?;
    let start = start as usize;
    let checksum = u64_at(tail, 16);
    if xxh3_64(&index[start..tail_start + 16]) != checksum {
        return Err(damaged("its footer does not match its checksum".into()));
    }

    let footer = &body[start..];
    let (data_count, index_count) = (u32_at(footer, 0) as usize, u32_at(footer, 4) as usize);
    let json_start = (data_count + index_count) * 8 + 8;
    let json = footer
        .get(json_start..)
        .ok_or_else(|| damaged("its footer is shorter than its page table".into()))?;
    let (data_pages, index_pages) = footer[8..json_start].split_at(data_count * 8);
    let pages = |bytes: &[u8]| bytes.chunks_exact(8).map(|page| u64_at(page, 0)).collect();
    let description: Description =
        serde_json::from_slice(json).map_err(|e| damaged(format!("its description cannot be read: {e}")))?;
    Ok(Footer {
        description,
        data_pages: pages(data_pages),
        index_pages: pages(index_pages),
        start,
        checksum,
    })
}
