//! The columns of one part, opened on demand, and their way from the physical form to SQL's types.
//!
//! ```text
//!  DictionaryArray<u8|u16|u32, …> ──► codes + values as the SQL type ──take──► Utf8View / number
//!  plain Utf8                     ──► views into the same bytes
//!  numbers                        ──► slice or take
//!  ListArray of one of these      ──► the same for its items
//!  no such column                 ──► NULLs
//! ```
//!
//! No string bytes are copied on this way, unless the part's type differs from the table's. Codes stay reachable
//! ([`PartColumn::Coded`]), so that filters, and whatever groups by them, work on codes and decode late.

use std::sync::{Arc, OnceLock};

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, ListArray, PrimitiveArray, StringArray, StringViewArray,
    StringViewBuilder, TimestampMillisecondArray, UInt8Array, UInt16Array, UInt32Array, new_null_array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::{CastOptions, cast_with_options, take};
use arrow::datatypes::{DataType, FieldRef, SchemaRef, UInt8Type, UInt16Type, UInt32Type};
use arrow::error::ArrowError;
use datafusion::common::{DataFusionError, Result};
use ovate_storage::snapshot::Part;
use ovate_storage::{BlockStats, ColumnType, Postings, StorageError, TIME_COLUMN};

use super::dictionaries::Dictionaries;
use super::rows::Rows;

/// A view holds this many bytes itself.
const INLINE_BYTES: usize = 12;

/// The codes of a dictionary column, one for each row.
#[derive(Debug, Clone)]
pub(crate) enum Codes {
    /// Up to 256 values.
    U8(UInt8Array),
    /// Up to 65,536 values.
    U16(UInt16Array),
    /// More.
    U32(UInt32Array),
}

/// A dictionary column of one part.
#[derive(Debug, Clone)]
pub(crate) struct Coded {
    /// One code a row; NULL where the row has no value. What stands under a NULL may be no code at all.
    pub(crate) codes: Codes,
    /// The value of each code, in the column's SQL type.
    pub(crate) values: ArrayRef,
    /// The dictionary as the part holds it: the same for all parts that share it.
    pub(crate) dictionary: ArrayRef,
    /// Whether codes are in the order of their values: sealed strings.
    pub(crate) sorted: bool,
}

/// One column of one part.
#[derive(Debug, Clone)]
pub(crate) enum PartColumn {
    /// The part was written before the column existed: all NULL.
    Missing,
    /// Codes and a dictionary.
    Coded(Coded),
    /// Anything else, in its physical type.
    Plain(ArrayRef),
}

/// The columns of one part under the types of the table. Cheap to share; columns are opened once.
#[derive(Debug)]
pub(crate) struct PartColumns {
    part: Part,
    schema: SchemaRef,
    dictionaries: Arc<Dictionaries>,
    opened: Vec<OnceLock<Arc<PartColumn>>>,
}

impl PartColumns {
    /// The columns of `part`, seen through the table's `schema`.
    pub(crate) fn new(part: Part, schema: SchemaRef, dictionaries: Arc<Dictionaries>) -> Self {
        let opened = schema.fields().iter().map(|_| OnceLock::new()).collect();
        Self { part, schema, dictionaries, opened }
    }

    /// The part.
    pub(crate) fn part(&self) -> &Part {
        &self.part
    }

    /// The column at `index` of the table's schema.
    pub(crate) fn column(&self, index: usize) -> Result<Arc<PartColumn>> {
        let cell = &self.opened[index];
        if let Some(column) = cell.get() {
            return Ok(Arc::clone(column));
        }
        let opened = self.open(self.schema.field(index))?;
        Ok(Arc::clone(cell.get_or_init(|| Arc::new(opened))))
    }

    fn open(&self, field: &arrow::datatypes::Field) -> Result<PartColumn> {
        if field.name() == TIME_COLUMN {
            return Ok(PartColumn::Plain(Arc::new(self.part.time().map_err(external)?)));
        }
        let Some(array) = self.part.column(field.name()).map_err(external)? else {
            return Ok(PartColumn::Missing);
        };
        let Some(codes) = codes_of(&array) else { return Ok(PartColumn::Plain(array)) };
        if matches!(field.data_type(), DataType::List(_)) {
            // One value a row here, several elsewhere: decoded row by row into lists of one.
            return Ok(PartColumn::Plain(array));
        }
        let dictionary = Arc::clone(array.as_any_dictionary().values());
        let values = self.dictionaries.as_type(&dictionary, field.data_type())?;
        let sorted = dictionary.data_type() == &DataType::Utf8;
        Ok(PartColumn::Coded(Coded { codes, values, dictionary, sorted }))
    }

    /// The values of the column at `index`, at `rows`, in its SQL type.
    pub(crate) fn decode(&self, index: usize, rows: &Rows) -> Result<ArrayRef> {
        let data_type = self.schema.field(index).data_type();
        Ok(match &*self.column(index)? {
            PartColumn::Missing => new_null_array(data_type, rows.len()),
            PartColumn::Coded(coded) => coded.decode(rows)?,
            PartColumn::Plain(array) => decode_plain(array, rows, data_type)?,
        })
    }

    /// Posting lists of the column at `index`, by the codes of [`PartColumn::Coded`].
    pub(crate) fn postings(&self, index: usize) -> Result<Option<Postings>> {
        self.part.postings(self.schema.field(index).name()).map_err(external)
    }

    /// What the store knows of one block of the column at `index`.
    pub(crate) fn block(&self, index: usize, block: usize) -> Result<Option<&BlockStats>> {
        let blocks = self.part.blocks(self.schema.field(index).name()).map_err(external)?;
        Ok(blocks.and_then(|blocks| blocks.get(block)))
    }

    /// Whether SQL sees the part's numbers of the column at `index` without rounding, so that what holds for them
    /// holds for SQL's.
    pub(crate) fn keeps_numbers(&self, index: usize) -> bool {
        let field = self.schema.field(index);
        let held = self.part.column_spec(field.name()).map(|spec| spec.column_type);
        match (held, field.data_type()) {
            (None, _) => field.name() == TIME_COLUMN,
            (Some(ColumnType::Long), DataType::Int64 | DataType::Float64)
            | (Some(ColumnType::Float), DataType::Float32 | DataType::Float64)
            | (Some(ColumnType::Double), DataType::Float64) => true,
            _ => false,
        }
    }

    /// The SQL type of the column at `index`.
    pub(crate) fn sql_type(&self, index: usize) -> &DataType {
        self.schema.field(index).data_type()
    }

    /// Bytes a row of the column takes where it is read from; an estimate for metrics.
    pub(crate) fn row_bytes(&self, index: usize) -> Result<usize> {
        Ok(match &*self.column(index)? {
            PartColumn::Missing => 0,
            PartColumn::Coded(coded) => coded.codes.width(),
            PartColumn::Plain(array) => array.data_type().primitive_width().unwrap_or(2 * size_of::<u128>()),
        })
    }
}

impl Codes {
    /// Bytes of one code.
    pub(crate) const fn width(&self) -> usize {
        match self {
            Self::U8(_) => 1,
            Self::U16(_) => 2,
            Self::U32(_) => 4,
        }
    }

    /// Which rows have a value; `None`: all.
    pub(crate) fn nulls(&self) -> Option<&NullBuffer> {
        match self {
            Self::U8(codes) => codes.nulls(),
            Self::U16(codes) => codes.nulls(),
            Self::U32(codes) => codes.nulls(),
        }
        .filter(|nulls| nulls.null_count() > 0)
    }

    /// The codes at `rows`, and `null` where there is no value.
    pub(crate) fn or_null(&self, rows: &Rows, null: u32) -> UInt32Array {
        match self {
            Self::U8(codes) => codes_or_null(codes, rows, null),
            Self::U16(codes) => codes_or_null(codes, rows, null),
            Self::U32(codes) => codes_or_null(codes, rows, null),
        }
    }

    fn array(&self) -> ArrayRef {
        match self {
            Self::U8(codes) => Arc::new(codes.clone()),
            Self::U16(codes) => Arc::new(codes.clone()),
            Self::U32(codes) => Arc::new(codes.clone()),
        }
    }
}

impl Coded {
    /// The values at `rows`.
    pub(crate) fn decode(&self, rows: &Rows) -> Result<ArrayRef, ArrowError> {
        take(&self.values, &rows.read(&self.codes.array())?, None)
    }
}

fn codes_or_null<K: ArrowPrimitiveType>(codes: &PrimitiveArray<K>, rows: &Rows, null: u32) -> UInt32Array
where
    K::Native: Into<u32>,
{
    let native = codes.values();
    let nulls = codes.nulls().filter(|nulls| nulls.null_count() > 0);
    let code = |row: usize| match nulls {
        // What stands under a NULL may be no code at all.
        Some(nulls) if nulls.is_null(row) => null,
        _ => native[row].into(),
    };
    let picked: Vec<u32> = match rows {
        Rows::Range(range) => range.clone().map(code).collect(),
        Rows::Positions(positions) => positions.iter().map(|&row| code(row as usize)).collect(),
        Rows::Mask { .. } => rows.clone().into_positions().iter().map(|&row| code(row as usize)).collect(),
    };
    UInt32Array::from(picked)
}

fn codes_of(array: &ArrayRef) -> Option<Codes> {
    let DataType::Dictionary(key, _) = array.data_type() else { return None };
    Some(match **key {
        DataType::UInt8 => Codes::U8(array.as_dictionary::<UInt8Type>().keys().clone()),
        DataType::UInt16 => Codes::U16(array.as_dictionary::<UInt16Type>().keys().clone()),
        DataType::UInt32 => Codes::U32(array.as_dictionary::<UInt32Type>().keys().clone()),
        _ => return None,
    })
}

fn decode_plain(array: &ArrayRef, rows: &Rows, data_type: &DataType) -> Result<ArrayRef, ArrowError> {
    // Text is turned into views first and picked afterwards: picking text would copy it. When the rows lie far
    // apart the copy is cheaper than the views of all rows between.
    let span = rows.span();
    if array.data_type() == &DataType::Utf8 && !matches!(rows, Rows::Range(_)) && span.len() < rows.len() * 16
    {
        let stretch = to_sql(&array.slice(span.start, span.len()), data_type)?;
        let picked: UInt32Array =
            rows.clone().into_positions().iter().map(|row| row - span.start as u32).collect();
        return take(&stretch, &picked, None);
    }
    to_sql(&rows.read(array)?, data_type)
}

/// `array` in the SQL type `data_type`. What cannot be converted becomes NULL, as a failed CAST does.
pub(crate) fn to_sql(array: &ArrayRef, data_type: &DataType) -> Result<ArrayRef, ArrowError> {
    if array.data_type() == data_type {
        return Ok(Arc::clone(array));
    }
    match (array.data_type(), data_type) {
        (DataType::Utf8, DataType::Utf8View) => Ok(Arc::new(views_of(array.as_string()))),
        (DataType::Int64, DataType::Timestamp(_, None)) => Ok(Arc::new(TimestampMillisecondArray::new(
            array.as_primitive::<arrow::datatypes::Int64Type>().values().clone(),
            array.nulls().cloned(),
        ))),
        (DataType::Dictionary(..), _) => {
            let dictionary = array.as_any_dictionary();
            take(&to_sql(dictionary.values(), data_type)?, dictionary.keys(), None)
        }
        (DataType::List(_), DataType::List(item)) => list_to_sql(array.as_list(), item),
        (DataType::List(_), _) => to_sql(&only_items(array.as_list())?, data_type),
        (_, DataType::List(item)) => lists_of_one(array, item),
        _ => cast_with_options(array, data_type, &CastOptions { safe: true, ..CastOptions::default() }),
    }
}

/// Views into the bytes of `text`; where all strings fit into their views, the bytes are let go.
fn views_of(text: &StringArray) -> StringViewArray {
    if text.offsets().lengths().all(|length| length <= INLINE_BYTES) {
        let mut builder = StringViewBuilder::with_capacity(text.len());
        text.iter().for_each(|value| builder.append_option(value));
        return builder.finish();
    }
    StringViewArray::from(text)
}

fn list_to_sql(list: &ListArray, item: &FieldRef) -> Result<ArrayRef, ArrowError> {
    let offsets = list.offsets();
    let (first, last) = (offsets.first().copied().unwrap_or(0), offsets.last().copied().unwrap_or(0));
    let items = to_sql(&list.values().slice(first as usize, (last - first) as usize), item.data_type())?;
    let offsets = OffsetBuffer::new(offsets.iter().map(|offset| offset - first).collect());
    Ok(Arc::new(ListArray::try_new(Arc::clone(item), offsets, items, list.nulls().cloned())?))
}

/// A column with one value a row, as lists of at most one; NULL stays NULL.
fn lists_of_one(array: &ArrayRef, item: &FieldRef) -> Result<ArrayRef, ArrowError> {
    let values = to_sql(array, item.data_type())?;
    let Some(nulls) = values.logical_nulls().filter(|nulls| nulls.null_count() > 0) else {
        let offsets = OffsetBuffer::from_repeated_length(1, values.len());
        return Ok(Arc::new(ListArray::try_new(Arc::clone(item), offsets, values, None)?));
    };
    let present: UInt32Array = nulls.valid_indices().map(|row| row as u32).collect();
    let offsets = OffsetBuffer::from_lengths(nulls.iter().map(usize::from));
    let values = take(&values, &present, None)?;
    Ok(Arc::new(ListArray::try_new(Arc::clone(item), offsets, values, Some(nulls))?))
}

/// The item of each list that has exactly one, NULL for the others.
fn only_items(list: &ListArray) -> Result<ArrayRef, ArrowError> {
    let picks: UInt32Array = (0..list.len())
        .map(|row| {
            (list.is_valid(row) && list.value_length(row) == 1).then(|| list.value_offsets()[row] as u32)
        })
        .collect();
    take(list.values(), &picks, None)
}

/// A store's error as DataFusion's, with its source kept.
pub(crate) fn external(error: StorageError) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{DictionaryArray, Float64Array, Int64Array};
    use arrow::datatypes::Field;

    fn list_type() -> DataType {
        DataType::List(Arc::new(Field::new("item", DataType::Utf8View, true)))
    }

    fn texts(array: &ArrayRef) -> Vec<Option<&str>> {
        array.as_string_view().iter().collect()
    }

    fn lists(array: &ArrayRef) -> Vec<Option<Vec<Option<String>>>> {
        let list = array.as_list::<i32>();
        list.iter()
            .map(|row| row.map(|row| row.as_string_view().iter().map(|v| v.map(str::to_owned)).collect()))
            .collect()
    }

    #[test]
    fn long_text_is_viewed_not_copied() {
        let text = StringArray::from(vec![Some("a text that is longer than a view"), None, Some("b")]);
        let views = views_of(&text);
        assert_eq!(views.data_buffers()[0].as_ptr(), text.values().as_ptr());
        let short = views_of(&StringArray::from(vec!["short", "shorter"]));
        assert!(short.data_buffers().is_empty());
    }

    #[test]
    fn codes_of_every_width_decode_to_the_same_text() {
        let values: ArrayRef = Arc::new(StringArray::from(vec!["a", "b"]));
        let arrays: [ArrayRef; 3] = [
            Arc::new(DictionaryArray::<UInt8Type>::new(
                vec![Some(1), None, Some(0)].into(),
                Arc::clone(&values),
            )),
            Arc::new(DictionaryArray::<UInt16Type>::new(
                vec![Some(1), None, Some(0)].into(),
                Arc::clone(&values),
            )),
            Arc::new(DictionaryArray::<UInt32Type>::new(vec![Some(1), None, Some(0)].into(), values)),
        ];
        for array in arrays {
            let decoded = to_sql(&array, &DataType::Utf8View).unwrap();
            assert_eq!(texts(&decoded), [Some("b"), None, Some("a")]);
            let codes = codes_of(&array).unwrap();
            assert_eq!((codes.array().len(), codes.nulls().map(NullBuffer::null_count)), (3, Some(1)));
        }
    }

    #[test]
    fn rows_without_a_value_are_picked_as_the_code_for_null() {
        let codes = Codes::U8(vec![Some(3), None, Some(0), Some(7)].into());
        assert_eq!(codes.or_null(&Rows::Range(0..3), 9).values(), &[3, 9, 0]);
        assert_eq!(codes.or_null(&Rows::positions(vec![3, 1]), 9).values(), &[7, 9]);
    }

    #[test]
    fn plain_text_is_picked_by_position_near_and_far() {
        let text: ArrayRef =
            Arc::new((0..100).map(|i| Some(format!("number {i} of many"))).collect::<StringArray>());
        for positions in [vec![3u32, 5, 6], vec![0, 99]] {
            let decoded =
                decode_plain(&text, &Rows::positions(positions.clone()), &DataType::Utf8View).unwrap();
            let expected: Vec<_> = positions.iter().map(|i| format!("number {i} of many")).collect();
            assert_eq!(texts(&decoded), expected.iter().map(|v| Some(v.as_str())).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_part_of_another_type_is_converted_and_what_does_not_fit_is_null() {
        let text: ArrayRef = Arc::new(StringArray::from(vec![Some("12"), Some("x"), None]));
        let long = to_sql(&text, &DataType::Int64).unwrap();
        assert_eq!(long.as_ref(), &Int64Array::from(vec![Some(12), None, None]) as &dyn Array);
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(12), None]));
        assert_eq!(texts(&to_sql(&numbers, &DataType::Utf8View).unwrap()), [Some("12"), None]);
        let double = to_sql(&numbers, &DataType::Float64).unwrap();
        assert_eq!(double.as_ref(), &Float64Array::from(vec![Some(12.0), None]) as &dyn Array);
    }

    #[test]
    fn single_values_become_lists_of_one_and_back() {
        let text: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some("c")]));
        let list = to_sql(&text, &list_type()).unwrap();
        assert_eq!(lists(&list), [Some(vec![Some("a".to_owned())]), None, Some(vec![Some("c".to_owned())])]);
        assert_eq!(texts(&to_sql(&list, &DataType::Utf8View).unwrap()), [Some("a"), None, Some("c")]);
    }

    #[test]
    fn a_slice_of_coded_lists_decodes_its_own_items() {
        let items = DictionaryArray::<UInt8Type>::new(
            vec![0, 1, 1, 0].into(),
            Arc::new(StringArray::from(vec!["a", "b"])),
        );
        let field = Arc::new(Field::new("item", items.data_type().clone(), true));
        let offsets = OffsetBuffer::new(vec![0, 2, 2, 4].into());
        let nulls = NullBuffer::from(vec![true, false, true]);
        let list: ArrayRef = Arc::new(ListArray::new(field, offsets, Arc::new(items), Some(nulls)));
        let decoded = decode_plain(&list, &Rows::Range(1..3), &list_type()).unwrap();
        assert_eq!(lists(&decoded), [None, Some(vec![Some("b".to_owned()), Some("a".to_owned())])]);
    }
}
