//! Posting lists: for each code of a string column, and for NULL, the rows that have it.
//!
//! ```text
//!  POSTINGS = codes:u32 rows:u32, ENTRY per code, ENTRY for NULL, lists
//!  ENTRY    = cardinality:u32 position:u32
//!  list     = varint(length of the body × 2 + kind), body: row gaps (kind 0) or a roaring bitmap (kind 1)
//! ```
//!
//! A code of one row costs its entry and nothing else: the position is the row. Few rows are gaps, two to three
//! bytes each in a large segment; many rows are a roaring bitmap. Nothing is read before it is asked for: not the
//! other codes' lists, nor the pages they lie on.

mod write;

use std::sync::Arc;

use roaring::{MultiOps, RoaringBitmap};

use super::pages::{CheckedFile, Extent, u32_at};
use crate::error::{Result, StorageError};

pub(super) use write::encode;

const HEAD_BYTES: u64 = 8;
const ENTRY_BYTES: u64 = 8;
const KIND_GAPS: u64 = 0;
const KIND_ROARING: u64 = 1;
/// The longest head of a list: a varint of 64 bits.
const LIST_HEAD_BYTES_MAX: u64 = 10;

/// The posting lists of one column of one segment. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Postings {
    file: Arc<CheckedFile>,
    extent: Extent,
    codes: u32,
    rows: u32,
}

/// The rows of one code as they are stored.
enum Stored<'a> {
    One(u32),
    Gaps(&'a [u8]),
    Roaring(&'a [u8]),
}

impl Postings {
    /// The lists at `extent`; those of a dictionary of `codes` values over `rows` rows.
    pub(super) fn open(file: Arc<CheckedFile>, extent: Extent, codes: u64, rows: u64) -> Result<Self> {
        let head = file.bytes(Extent(extent.0, HEAD_BYTES.min(extent.1)))?;
        let (found_codes, found_rows) = (u32_at(head, 0), u32_at(head, 4));
        let table_end = HEAD_BYTES + (u64::from(found_codes) + 1) * ENTRY_BYTES;
        if u64::from(found_codes) != codes || u64::from(found_rows) != rows || table_end > extent.1 {
            return Err(
                file.damaged(format!("posting lists at offset {} are not those of their column", extent.0))
            );
        }
        Ok(Self { file, extent, codes: found_codes, rows: found_rows })
    }

    /// The number of codes: the length of the column's dictionary.
    pub fn len(&self) -> usize {
        self.codes as usize
    }

    /// Whether there are no codes, because every row is NULL.
    pub fn is_empty(&self) -> bool {
        self.codes == 0
    }

    /// The rows that have `code`; none for a code that the dictionary does not have.
    pub fn get(&self, code: u32) -> Result<RoaringBitmap> {
        if code >= self.codes { Ok(RoaringBitmap::new()) } else { self.bitmap(code) }
    }

    /// The rows that are NULL.
    pub fn nulls(&self) -> Result<RoaringBitmap> {
        self.bitmap(self.codes)
    }

    /// The number of rows that have `code`. Costs one look at a table.
    pub fn cardinality(&self, code: u32) -> Result<u64> {
        if code >= self.codes { Ok(0) } else { Ok(u64::from(self.entry(code)?.0)) }
    }

    /// The number of rows that are NULL.
    pub fn null_cardinality(&self) -> Result<u64> {
        Ok(u64::from(self.entry(self.codes)?.0))
    }

    /// The rows that have any of `codes`, which may come in any order and repeat.
    pub fn union(&self, codes: impl IntoIterator<Item = u32>) -> Result<RoaringBitmap> {
        let mut rows = Collector::new(self.rows);
        let mut bitmaps = Vec::new();
        for code in codes {
            if code >= self.codes {
                continue;
            }
            match self.stored(code)? {
                None => {}
                Some((_, Stored::One(row))) => rows.push(row),
                Some((cardinality, Stored::Gaps(gaps))) => {
                    self.each_row(gaps, cardinality, |row| rows.push(row))?;
                }
                Some((cardinality, Stored::Roaring(bytes))) => {
                    bitmaps.push(self.deserialize(bytes, cardinality)?);
                }
            }
        }
        let rows = rows.into_bitmap();
        if !rows.is_empty() || bitmaps.is_empty() {
            bitmaps.push(rows);
        }
        Ok(if bitmaps.len() == 1 { bitmaps.remove(0) } else { bitmaps.union() })
    }

    /// Reads every list; an error if one is unsound.
    pub(super) fn verify(&self) -> Result<()> {
        (0..=self.codes).try_for_each(|code| self.bitmap(code).map(drop))
    }

    /// The list of a code, or of NULL for the code after the last.
    fn bitmap(&self, code: u32) -> Result<RoaringBitmap> {
        Ok(match self.stored(code)? {
            None => RoaringBitmap::new(),
            Some((_, Stored::One(row))) => std::iter::once(row).collect(),
            Some((cardinality, Stored::Gaps(gaps))) => {
                let mut bitmap = RoaringBitmap::new();
                let mut rows = Vec::with_capacity(gaps.len().min(cardinality as usize));
                self.each_row(gaps, cardinality, |row| rows.push(row))?;
                bitmap.append(rows).map_err(|_| self.damaged("rows out of order"))?;
                bitmap
            }
            Some((cardinality, Stored::Roaring(bytes))) => self.deserialize(bytes, cardinality)?,
        })
    }

    fn entry(&self, code: u32) -> Result<(u32, u32)> {
        let at = self.extent.0 + HEAD_BYTES + u64::from(code) * ENTRY_BYTES;
        let entry = self.file.bytes(Extent(at, ENTRY_BYTES))?;
        Ok((u32_at(entry, 0), u32_at(entry, 4)))
    }

    /// Cardinality and body of a code's list; `None` if no row has it.
    fn stored(&self, code: u32) -> Result<Option<(u32, Stored<'_>)>> {
        let (cardinality, position) = self.entry(code)?;
        match cardinality {
            0 => return Ok(None),
            1 if position < self.rows => return Ok(Some((1, Stored::One(position)))),
            2.. if cardinality <= self.rows => {}
            _ => return Err(self.damaged("a row that the segment does not have")),
        }
        let lists = HEAD_BYTES + (u64::from(self.codes) + 1) * ENTRY_BYTES;
        let start = lists + u64::from(position);
        let left = self.extent.1.saturating_sub(start);
        let head = self.file.bytes(Extent(self.extent.0 + start, LIST_HEAD_BYTES_MAX.min(left)))?;
        let (head, head_bytes) = varint(head).ok_or_else(|| self.damaged("a list without a head"))?;
        let (body_bytes, kind) = (head >> 1, head & 1);
        if body_bytes > left - head_bytes as u64 {
            return Err(self.damaged("a list that is cut off"));
        }
        let body = self.file.bytes(Extent(self.extent.0 + start + head_bytes as u64, body_bytes))?;
        Ok(Some((cardinality, if kind == KIND_ROARING { Stored::Roaring(body) } else { Stored::Gaps(body) })))
    }

    fn each_row(&self, mut gaps: &[u8], cardinality: u32, mut row: impl FnMut(u32)) -> Result<()> {
        let mut next = 0;
        for _ in 0..cardinality {
            let (gap, bytes) = varint(gaps).ok_or_else(|| self.damaged("a list that is cut off"))?;
            gaps = &gaps[bytes..];
            let at = gap.saturating_add(next);
            if at >= u64::from(self.rows) {
                return Err(self.damaged("a row that the segment does not have"));
            }
            row(at as u32);
            next = at + 1;
        }
        if gaps.is_empty() { Ok(()) } else { Err(self.damaged("a list that is too long")) }
    }

    fn deserialize(&self, mut bytes: &[u8], cardinality: u32) -> Result<RoaringBitmap> {
        let bitmap = RoaringBitmap::deserialize_from(&mut bytes)
            .map_err(|e| self.damaged(&format!("a bitmap that is unsound ({e})")))?;
        if !bytes.is_empty() || bitmap.len() != u64::from(cardinality) || bitmap.max() >= Some(self.rows) {
            return Err(self.damaged("a bitmap that is not the one its entry describes"));
        }
        Ok(bitmap)
    }

    #[cold]
    fn damaged(&self, what: &str) -> StorageError {
        self.file.damaged(format!("posting lists at offset {} have {what}", self.extent.0))
    }
}

/// Gathers rows in any order: sorted while they are few, as bits once they are many.
struct Collector {
    rows: u32,
    few: Vec<u32>,
    bits: Vec<u8>,
}

impl Collector {
    fn new(rows: u32) -> Self {
        Self { rows, few: Vec::new(), bits: Vec::new() }
    }

    fn push(&mut self, row: u32) {
        if self.bits.is_empty() {
            self.few.push(row);
            // Above one row in 64, setting bits is cheaper than sorting, and the bits take less room.
            if self.few.len() > self.rows as usize / 64 {
                self.bits = vec![0; self.rows.div_ceil(8) as usize];
                for row in std::mem::take(&mut self.few) {
                    set(&mut self.bits, row);
                }
            }
        } else {
            set(&mut self.bits, row);
        }
    }

    fn into_bitmap(mut self) -> RoaringBitmap {
        if self.bits.is_empty() {
            self.few.sort_unstable();
            let mut bitmap = RoaringBitmap::new();
            for row in self.few {
                // A row of several values may come several times; it is refused once it is there.
                let _ = bitmap.try_push(row);
            }
            bitmap
        } else {
            RoaringBitmap::from_lsb0_bytes(0, &self.bits)
        }
    }
}

fn set(bits: &mut [u8], row: u32) {
    bits[row as usize / 8] |= 1 << (row % 8);
}

/// A number in groups of seven bits, least first, and its length; `None` if it does not end.
fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0;
    for (at, &byte) in bytes.iter().take(LIST_HEAD_BYTES_MAX as usize).enumerate() {
        value |= u64::from(byte & 0x7f).checked_shl(7 * at as u32)?;
        if byte & 0x80 == 0 {
            return Some((value, at + 1));
        }
    }
    None
}
