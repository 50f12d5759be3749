//! Segments: the immutable files of one time chunk, written once and then served from the page cache.
//!
//! ```text
//!  SegmentInput ─► prepare ─► order ─► encode ─┬─► data.arrow    the columns, for any Arrow reader,
//!  (hot columns)   (dictionaries)              ├─► data.parquet  or, once cold, for any Parquet reader
//!                                              └─► index.ovate   posting lists, block statistics, footer
//!
//!  Segment::open ─► maps both, reads the footer only
//!    column(name)   ─► checks the pages it lies on, hands the mapping to Arrow without a copy, or decodes it
//!    postings(name) ─► one code's rows at a time
//!    blocks(name)   ─► least and greatest value per BLOCK_ROWS rows
//! ```
//!
//! The byte layout is written down in `storage/FORMAT.md`. Invariants:
//!
//! * rows are sorted by `__time`, then by the dimensions in schema order, NULL first;
//! * dictionaries hold the values in use and no others, each once, sorted; so codes compare as their values do;
//! * every byte of both files is covered by a checksum, which is verified before the byte is used;
//! * no file makes the reader panic: what does not fit is [`crate::StorageError::Damaged`].
//!
//! Choosing names, renaming a finished folder into place and telling the catalog are the caller's.

mod arrays;
mod arrow_file;
mod check;
mod decoded;
mod encode;
mod footer;
mod input;
mod order;
mod pages;
pub(crate) mod parquet_file;
mod postings;
mod prepare;
mod read;
mod stats;
#[cfg(test)]
mod tests;
mod write;

pub use decoded::DecodedColumns;
pub(crate) use encode::coded_numbers;
pub use footer::{FORMAT_VERSION, Form, SegmentFiles};
pub use input::{InputColumn, SegmentInput};
pub(crate) use input::{list_range, lists_at};
pub use postings::Postings;
pub use read::Segment;
pub use stats::{BLOCK_ROWS, BlockStats, Scalar};
pub(crate) use write::arrow_schema;
pub use write::{SegmentSummary, write_segment};

/// Posting lists, block statistics and the footer.
pub const INDEX_FILE: &str = "index.ovate";

const _: () = assert!(cfg!(target_endian = "little"), "segments are mapped as they are: little-endian");
