//! Least and greatest value per block of rows: what lets a scan skip a block without touching its column.

use std::cmp::Ordering;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray};
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int64Type, TimestampMillisecondType};

use super::encode::{Encoded, RowCodes};
use super::pages::{u32_at, u64_at};
use crate::dictionary::NULL_CODE;

/// The rows of a block; the last block of a segment may have fewer.
pub const BLOCK_ROWS: usize = 16_384;

/// A bound of a block.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scalar {
    /// The block has no value but NULL and NaN.
    Null,
    /// Of `__time` and of LONG columns.
    Long(i64),
    /// Of FLOAT (widened) and DOUBLE columns.
    Double(f64),
    /// Of string columns with a dictionary: the code, which orders as the strings do.
    Code(u32),
}

/// What is known of one block of a column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BlockStats {
    /// The least value. Floats are ordered by `total_cmp`: -0.0 is less than 0.0.
    pub min: Scalar,
    /// The greatest value.
    pub max: Scalar,
    /// The number of rows that are NULL.
    pub nulls: u32,
    /// Whether some value is NaN, which `min` and `max` leave out.
    pub has_nan: bool,
}

/// What the bounds of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ScalarKind {
    Long,
    Double,
    Code,
}

/// On disk: min, max (8 bytes each), nulls, flags (4 bytes each).
pub(super) const STATS_BYTES: usize = 24;
const HAS_BOUNDS: u32 = 1;
const HAS_NAN: u32 = 2;

const EMPTY: BlockStats = BlockStats { min: Scalar::Null, max: Scalar::Null, nulls: 0, has_nan: false };

impl BlockStats {
    fn add(&mut self, value: Option<Scalar>) {
        let Some(value) = value else {
            self.nulls += 1;
            return;
        };
        if matches!(value, Scalar::Double(number) if number.is_nan()) {
            self.has_nan = true;
            return;
        }
        self.widen(value);
    }

    fn widen(&mut self, value: Scalar) {
        if self.min == Scalar::Null || order(value, self.min) == Ordering::Less {
            self.min = value;
        }
        if self.max == Scalar::Null || order(value, self.max) == Ordering::Greater {
            self.max = value;
        }
    }

    fn to_bytes(self) -> [u8; STATS_BYTES] {
        let mut flags = 0;
        if self.min != Scalar::Null {
            flags |= HAS_BOUNDS;
        }
        if self.has_nan {
            flags |= HAS_NAN;
        }
        let mut bytes = [0; STATS_BYTES];
        bytes[..8].copy_from_slice(&bits(self.min).to_le_bytes());
        bytes[8..16].copy_from_slice(&bits(self.max).to_le_bytes());
        bytes[16..20].copy_from_slice(&self.nulls.to_le_bytes());
        bytes[20..].copy_from_slice(&u32::to_le_bytes(flags));
        bytes
    }

    fn from_bytes(bytes: &[u8], kind: ScalarKind) -> Self {
        let flags = u32_at(bytes, 20);
        let bound = |at| if flags & HAS_BOUNDS == 0 { Scalar::Null } else { scalar(u64_at(bytes, at), kind) };
        Self { min: bound(0), max: bound(8), nulls: u32_at(bytes, 16), has_nan: flags & HAS_NAN != 0 }
    }
}

fn order(a: Scalar, b: Scalar) -> Ordering {
    match (a, b) {
        (Scalar::Long(a), Scalar::Long(b)) => a.cmp(&b),
        (Scalar::Double(a), Scalar::Double(b)) => a.total_cmp(&b),
        (Scalar::Code(a), Scalar::Code(b)) => a.cmp(&b),
        _ => Ordering::Equal,
    }
}

fn bits(scalar: Scalar) -> u64 {
    match scalar {
        Scalar::Null => 0,
        Scalar::Long(value) => value as u64,
        Scalar::Double(value) => value.to_bits(),
        Scalar::Code(code) => u64::from(code),
    }
}

fn scalar(bits: u64, kind: ScalarKind) -> Scalar {
    match kind {
        ScalarKind::Long => Scalar::Long(bits as i64),
        ScalarKind::Double => Scalar::Double(f64::from_bits(bits)),
        ScalarKind::Code => Scalar::Code(bits as u32),
    }
}

/// The statistics of a column as they go to disk; `None` for text without a dictionary.
pub(super) fn encode(column: &Encoded) -> Option<Vec<u8>> {
    let blocks = match &column.codes {
        None => of_array(&column.array)?,
        Some(codes) => of_codes(codes, &column.array),
    };
    Some(blocks.into_iter().flat_map(BlockStats::to_bytes).collect())
}

/// The statistics of a column as they were written; `bytes` holds whole entries.
pub(super) fn decode(bytes: &[u8], kind: ScalarKind) -> Vec<BlockStats> {
    bytes.chunks_exact(STATS_BYTES).map(|entry| BlockStats::from_bytes(entry, kind)).collect()
}

fn of_array(array: &ArrayRef) -> Option<Vec<BlockStats>> {
    Some(match array.data_type() {
        DataType::Timestamp(..) => of_numbers(array.as_primitive::<TimestampMillisecondType>(), Scalar::Long),
        DataType::Int64 => of_numbers(array.as_primitive::<Int64Type>(), Scalar::Long),
        DataType::Float32 => {
            of_numbers(array.as_primitive::<Float32Type>(), |value| Scalar::Double(f64::from(value)))
        }
        DataType::Float64 => of_numbers(array.as_primitive::<Float64Type>(), Scalar::Double),
        _ => return None,
    })
}

fn of_numbers<T: ArrowPrimitiveType>(
    array: &PrimitiveArray<T>,
    scalar: impl Fn(T::Native) -> Scalar,
) -> Vec<BlockStats> {
    of_rows(array.len(), |row, block| block.add(array.is_valid(row).then(|| scalar(array.value(row)))))
}

/// Columns of codes: bounds are codes for strings and values for numbers, which nobody should have to look up.
fn of_codes(codes: &RowCodes, array: &ArrayRef) -> Vec<BlockStats> {
    let numbers: Option<Vec<Scalar>> = array.as_any_dictionary_opt().and_then(|array| {
        let values = array.values();
        Some(match values.data_type() {
            DataType::Int64 => {
                values.as_primitive::<Int64Type>().values().iter().map(|&v| Scalar::Long(v)).collect()
            }
            DataType::Float32 => {
                let values = values.as_primitive::<Float32Type>().values();
                values.iter().map(|&v| Scalar::Double(f64::from(v))).collect()
            }
            DataType::Float64 => {
                values.as_primitive::<Float64Type>().values().iter().map(|&v| Scalar::Double(v)).collect()
            }
            _ => return None,
        })
    });
    of_rows(codes.rows(), |row, block| {
        for &code in codes.row(row) {
            let value = match &numbers {
                _ if code == NULL_CODE => None,
                None => Some(Scalar::Code(code)),
                Some(values) => Some(values[code as usize]),
            };
            block.add(value);
        }
    })
}

fn of_rows(rows: usize, mut add: impl FnMut(usize, &mut BlockStats)) -> Vec<BlockStats> {
    let mut blocks = vec![EMPTY; rows.div_ceil(BLOCK_ROWS)];
    for (at, block) in blocks.iter_mut().enumerate() {
        for row in at * BLOCK_ROWS..rows.min((at + 1) * BLOCK_ROWS) {
            add(row, block);
        }
    }
    blocks
}
