//! A hot run as queries see it: Arrow arrays over the run's buffers and one dictionary snapshot.

use std::sync::{Arc, OnceLock};

use arrow::array::{Array, ArrayRef, DictionaryArray, Int64Array, ListArray, UInt32Array};
use arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, UInt32Type};

use super::run::{Run, RunColumn};
use crate::dictionary::{DictionarySnapshot, NULL_CODE};
use crate::error::Result;
use crate::schema::{ColumnSpec, ColumnType};

/// One run of hot rows at one dictionary length. Cheap to clone.
#[derive(Debug, Clone)]
pub struct HotPart {
    run: Arc<Run>,
    shared: Arc<Shared>,
    arrays: Arc<[OnceLock<ArrayRef>]>,
}

/// What all runs of one snapshot have in common.
#[derive(Debug)]
struct Shared {
    columns: Arc<[ColumnSpec]>,
    dictionaries: Vec<Arc<DictionarySnapshot>>,
}

/// The parts of one moment: they share `dictionaries`.
pub(super) fn parts_of(
    runs: &[Arc<Run>],
    columns: Arc<[ColumnSpec]>,
    dictionaries: Vec<Arc<DictionarySnapshot>>,
) -> Vec<HotPart> {
    let width = columns.len();
    let shared = Arc::new(Shared { columns, dictionaries });
    runs.iter()
        .map(|run| HotPart {
            run: Arc::clone(run),
            shared: Arc::clone(&shared),
            arrays: (0..width).map(|_| OnceLock::new()).collect(),
        })
        .collect()
}

impl HotPart {
    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.run.rows()
    }

    /// Memory of the rows, dictionaries not included.
    pub fn bytes(&self) -> usize {
        self.run.bytes
    }

    /// Least and greatest `__time`, both inclusive.
    pub fn time_range(&self) -> (i64, i64) {
        self.run.time_range
    }

    /// A number that no other rows have; `None` until the run is settled.
    pub(crate) fn serial(&self) -> Option<u64> {
        self.run.serial()
    }

    /// Whether rows are in order of `__time`.
    pub fn sorted_by_time(&self) -> bool {
        self.run.sorted
    }

    /// `__time` in milliseconds.
    pub fn time(&self) -> Int64Array {
        Int64Array::new(self.run.time.clone(), None)
    }

    /// Every column of the run, hidden ones included.
    pub fn columns(&self) -> &[ColumnSpec] {
        &self.shared.columns
    }

    /// A column; `None` if the rows arrived before the column existed, or it is unknown.
    pub fn column(&self, name: &str) -> Result<Option<ArrayRef>> {
        let Some(at) = self.shared.columns.iter().position(|spec| spec.name == name) else { return Ok(None) };
        if let Some(array) = self.arrays[at].get() {
            return Ok(Some(Arc::clone(array)));
        }
        let Some(array) = self.build(at)? else { return Ok(None) };
        Ok(Some(Arc::clone(self.arrays[at].get_or_init(|| array))))
    }

    fn build(&self, at: usize) -> Result<Option<ArrayRef>> {
        let spec = &self.shared.columns[at];
        if let Some(coded) = self.run.coded(at) {
            return Ok(Some(Arc::clone(coded)));
        }
        Ok(match self.run.columns.get(at) {
            Some(RunColumn::Codes(codes)) if spec.multi_value => {
                let ends: Vec<u32> = codes
                    .iter()
                    .scan(0, |end, &code| {
                        *end += u32::from(code != NULL_CODE);
                        Some(*end)
                    })
                    .collect();
                let codes = codes.iter().copied().filter(|&code| code != NULL_CODE).collect();
                Some(self.list(at, &ends, codes)?)
            }
            Some(RunColumn::Codes(codes)) => Some(self.coded(at, codes.clone())),
            Some(RunColumn::MultiCodes { ends, codes }) => Some(self.list(at, ends, codes.clone())?),
            Some(RunColumn::Text(array)) => Some(Arc::new(array.clone())),
            Some(RunColumn::Long(array)) => Some(typed(array.clone(), spec)),
            Some(RunColumn::Float(array)) => Some(typed(array.clone(), spec)),
            Some(RunColumn::Double(array)) => Some(typed(array.clone(), spec)),
            Some(RunColumn::Absent) | None => None,
        })
    }

    #[allow(unsafe_code)]
    fn coded(&self, at: usize, codes: ScalarBuffer<u32>) -> ArrayRef {
        let nulls: Option<NullBuffer> =
            codes.contains(&NULL_CODE).then(|| codes.iter().map(|&code| code != NULL_CODE).collect());
        let codes = if nulls.is_some() {
            // A key under a NULL may be anything to Arrow, but kernels that gather before they look at validity
            // are happier with one that exists.
            codes.iter().map(|&code| if code == NULL_CODE { 0 } else { code }).collect()
        } else {
            codes
        };
        let keys = UInt32Array::new(codes, nulls);
        let values = Arc::clone(self.shared.dictionaries[at].values());
        // SAFETY: `Writer::append` refuses codes that its dictionary does not have, dictionaries only grow within
        // a generation, and this snapshot was taken after the run was appended: every valid key is in `values`.
        // Checking them again takes 1.4 to 2.3 ms for five million, per column and per append: as long as the
        // dashboard's queries over them take.
        Arc::new(unsafe { DictionaryArray::<UInt32Type>::new_unchecked(keys, values) })
    }

    fn list(&self, at: usize, ends: &[u32], codes: ScalarBuffer<u32>) -> Result<ArrayRef> {
        let offsets: ScalarBuffer<i32> =
            std::iter::once(0).chain(ends.iter().map(|&end| end as i32)).collect();
        let nulls: NullBuffer = offsets.windows(2).map(|pair| pair[0] != pair[1]).collect();
        let items = self.coded(at, codes);
        let field = Arc::new(Field::new("item", items.data_type().clone(), true));
        Ok(Arc::new(ListArray::try_new(field, OffsetBuffer::new(offsets), items, Some(nulls))?))
    }
}

/// Guards the table of physical types: a run never holds another number type than its column states.
fn typed<A: Array + 'static>(array: A, spec: &ColumnSpec) -> ArrayRef {
    debug_assert!(matches!(
        (array.data_type(), spec.column_type),
        (DataType::Int64, ColumnType::Long)
            | (DataType::Float32, ColumnType::Float)
            | (DataType::Float64, ColumnType::Double)
    ));
    Arc::new(array)
}
