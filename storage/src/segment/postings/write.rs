//! Makes posting lists from the codes of all rows: a counting sort by code, then the smallest body per list.

use roaring::RoaringBitmap;

use super::super::encode::RowCodes;
use super::super::input::too_large;
use super::{KIND_GAPS, KIND_ROARING};
use crate::dictionary::NULL_CODE;
use crate::error::Result;

/// Up to here gaps are not compared with a bitmap, whose containers alone would take more.
const GAPS_ALWAYS_MAX: usize = 16;

/// The posting lists of a column.
pub(in super::super) fn encode(name: &str, codes: &RowCodes) -> Result<Vec<u8>> {
    let (starts, rows) = rows_by_code(codes);
    let mut bytes = Vec::new();
    bytes.extend(codes.distinct.to_le_bytes());
    bytes.extend((codes.rows() as u32).to_le_bytes());
    let mut lists = Vec::new();
    for bounds in starts.windows(2) {
        let rows = &rows[bounds[0] as usize..bounds[1] as usize];
        let position = match rows {
            [] => 0,
            [row] => *row,
            rows => {
                let position = lists.len();
                push_list(&mut lists, rows);
                position as u32
            }
        };
        bytes.extend((rows.len() as u32).to_le_bytes());
        bytes.extend(position.to_le_bytes());
        if lists.len() > u32::MAX as usize {
            return Err(too_large(name, "bytes of posting lists", lists.len() as u64, u64::from(u32::MAX)));
        }
    }
    bytes.append(&mut lists);
    Ok(bytes)
}

/// The rows of each code, NULL last, and where each code's rows begin. A row that has a code twice counts once.
fn rows_by_code(codes: &RowCodes) -> (Vec<u32>, Vec<u32>) {
    let null = codes.distinct as usize;
    let mut starts = vec![0; null + 2];
    each(codes, |_, code| starts[code + 1] += 1);
    for at in 1..starts.len() {
        starts[at] += starts[at - 1];
    }
    let mut next = starts.clone();
    let mut rows = vec![0; starts[null + 1] as usize];
    each(codes, |row, code| {
        rows[next[code] as usize] = row;
        next[code] += 1;
    });
    (starts, rows)
}

/// Calls `visit` for each row and each of its codes, NULL as the code after the last.
fn each(codes: &RowCodes, mut visit: impl FnMut(u32, usize)) {
    let slot = |code: u32| if code == NULL_CODE { codes.distinct as usize } else { code as usize };
    let mut last_row = vec![u32::MAX; if codes.is_list() { codes.distinct as usize + 1 } else { 0 }];
    for row in 0..codes.rows() as u32 {
        for &code in codes.row(row as usize) {
            let code = slot(code);
            if let Some(last_row) = last_row.get_mut(code)
                && std::mem::replace(last_row, row) == row
            {
                continue;
            }
            visit(row, code);
        }
    }
}

fn push_list(lists: &mut Vec<u8>, rows: &[u32]) {
    let gaps_bytes: usize = gaps(rows).map(varint_bytes).sum();
    if rows.len() > GAPS_ALWAYS_MAX {
        let mut bitmap = RoaringBitmap::new();
        // Fails only for rows out of order, which a counting sort does not give; gaps would serve as well.
        if bitmap.append(rows.iter().copied()).is_ok() {
            bitmap.optimize();
            // A bitmap is read several times faster, so it may be somewhat larger.
            let body_bytes = bitmap.serialized_size();
            if body_bytes <= gaps_bytes + gaps_bytes / 4 {
                push_varint(lists, (body_bytes as u64) << 1 | KIND_ROARING);
                let start = lists.len();
                if bitmap.serialize_into(&mut *lists).is_ok() {
                    debug_assert_eq!(lists.len() - start, body_bytes);
                    return;
                }
            }
        }
    }
    push_varint(lists, (gaps_bytes as u64) << 1 | KIND_GAPS);
    for gap in gaps(rows) {
        push_varint(lists, gap);
    }
}

/// The first row, then the number of rows between each row and the one before it.
fn gaps(rows: &[u32]) -> impl Iterator<Item = u64> {
    let mut next = 0;
    rows.iter().map(move |&row| {
        let gap = row - next;
        // Row positions end below the greatest `u32`.
        next = row + 1;
        u64::from(gap)
    })
}

fn varint_bytes(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

fn push_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}
