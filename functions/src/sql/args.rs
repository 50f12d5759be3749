//! The arguments of one run of a kernel, and the shapes in which kernels give results.

use std::fmt::Display;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, Float64Array, Int64Array, ListArray,
    PrimitiveArray, StringViewArray, StringViewBuilder, TimestampMillisecondArray,
};
use arrow::datatypes::{Float32Type, Float64Type, Int64Type, TimestampMillisecondType};
use datafusion::error::Result;
use ovate_storage::time::Zone;

use super::convert::{self, Kind};
use super::error::FunctionError;

/// The most bytes of text that a call makes for one batch of rows: no pool counts them while they are made.
const TEXTS_BYTES_MAX: usize = 256 << 20;

/// One argument: one value a row, or one value for all rows.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) array: ArrayRef,
    /// The array has one value, which counts for every row.
    pub(super) literal: bool,
}

/// The arguments of a call, of the kinds that the function's [`super::spec::Spec`] names.
#[derive(Debug)]
pub(super) struct Args {
    function: &'static str,
    columns: Vec<Column>,
    rows: usize,
}

impl Args {
    pub(super) fn new(function: &'static str, columns: Vec<Column>, rows: usize) -> Self {
        Self { function, columns, rows }
    }

    /// The function's name, for messages.
    pub(super) fn function(&self) -> &'static str {
        self.function
    }

    /// The number of arguments.
    pub(super) fn len(&self) -> usize {
        self.columns.len()
    }

    /// The number of rows.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Argument `i` as it is, and whether it is a literal.
    pub(super) fn column(&self, i: usize) -> Result<&Column> {
        self.columns.get(i).ok_or_else(|| {
            FunctionError::ArgumentCount {
                function: self.function.to_owned(),
                expected: format!("at least {} arguments", i + 1),
                given: self.columns.len(),
            }
            .into()
        })
    }

    pub(super) fn text(&self, i: usize) -> Result<Texts<'_>> {
        let column = self.column(i)?;
        Ok(Texts { array: column.array.as_string_view(), literal: column.literal })
    }

    pub(super) fn long(&self, i: usize) -> Result<Numbers<'_, Int64Type>> {
        self.numbers(i)
    }

    pub(super) fn float(&self, i: usize) -> Result<Numbers<'_, Float32Type>> {
        self.numbers(i)
    }

    pub(super) fn double(&self, i: usize) -> Result<Numbers<'_, Float64Type>> {
        self.numbers(i)
    }

    pub(super) fn time(&self, i: usize) -> Result<Numbers<'_, TimestampMillisecondType>> {
        self.numbers(i)
    }

    fn numbers<T: ArrowPrimitiveType>(&self, i: usize) -> Result<Numbers<'_, T>> {
        let column = self.column(i)?;
        Ok(Numbers { array: column.array.as_primitive(), literal: column.literal })
    }

    pub(super) fn lists(&self, i: usize) -> Result<Lists<'_>> {
        let column = self.column(i)?;
        Ok(Lists { array: column.array.as_list(), literal: column.literal })
    }

    /// Argument `i` if the call has it.
    pub(super) fn optional<T>(&self, i: usize, get: impl FnOnce(usize) -> Result<T>) -> Result<Option<T>> {
        if i < self.len() { get(i).map(Some) } else { Ok(None) }
    }

    /// The same call with every argument converted to one kind.
    pub(super) fn converted(&self, kind: Kind) -> Result<Self> {
        let convert = |column: &Column| {
            Ok(Column { array: convert::convert(kind, &column.array)?, literal: column.literal })
        };
        let columns = self.columns.iter().map(convert).collect::<Result<_>>()?;
        Ok(Self { function: self.function, columns, rows: self.rows })
    }

    /// The first argument alone, converted.
    pub(super) fn first_converted(&self, kind: Kind) -> Result<Self> {
        let column = self.column(0)?;
        let column = Column { array: convert::convert(kind, &column.array)?, literal: column.literal };
        Ok(Self { function: self.function, columns: vec![column], rows: self.rows })
    }

    /// Says what is wrong with the value of argument `i`.
    pub(super) fn wrong(&self, i: usize, reason: impl Display) -> FunctionError {
        FunctionError::ArgumentValue {
            function: self.function.to_owned(),
            argument: i + 1,
            reason: reason.to_string(),
        }
    }

    /// A text argument through `compile`: once for a literal, else whenever the text differs from the row before.
    pub(super) fn compiled<T, E: Display>(
        &self,
        i: usize,
        compile: impl Fn(&str) -> Result<T, E> + 'static,
    ) -> Result<Compiled<'_, T>> {
        let texts = self.text(i)?;
        let compile = move |text: &str| compile(text).map_err(|error| self.wrong(i, error));
        let last = match texts.get(0) {
            Some(text) if texts.literal => Some((text, compile(text)?)),
            _ => None,
        };
        Ok(Compiled { texts, compile: Box::new(compile), last })
    }

    /// Argument `i` as a zone; UTC where it is NULL or not given.
    pub(super) fn zone(&self, i: usize) -> Result<Zones<'_>> {
        self.optional(i, |i| self.compiled(i, Zone::parse)).map(Zones)
    }

    /// Refuses a batch whose texts have taken so many bytes by the end of `row`.
    pub(super) fn check_bytes(&self, bytes: usize, row: usize) -> Result<(), FunctionError> {
        if bytes <= TEXTS_BYTES_MAX {
            return Ok(());
        }
        let function = self.function().to_owned();
        Err(FunctionError::TooMuch { function, bytes_max: TEXTS_BYTES_MAX, rows: row + 1 })
    }
}

/// What makes a compiled form of a text.
type Compile<'a, T> = dyn Fn(&str) -> Result<T, FunctionError> + 'a;

/// A compiled form of each row's text.
pub(super) struct Compiled<'a, T> {
    texts: Texts<'a>,
    compile: Box<Compile<'a, T>>,
    last: Option<(&'a str, T)>,
}

impl<T> Compiled<'_, T> {
    /// The compiled form for a row; `None` for NULL.
    pub(super) fn get(&mut self, row: usize) -> Result<Option<&T>> {
        let Some(text) = self.texts.get(row) else { return Ok(None) };
        if self.last.as_ref().is_none_or(|(last, _)| *last != text) {
            self.last = Some((text, (self.compile)(text)?));
        }
        Ok(self.last.as_ref().map(|(_, compiled)| compiled))
    }

    /// Whether every row has the same text.
    pub(super) fn is_literal(&self) -> bool {
        self.texts.literal
    }
}

/// The zone of each row.
pub(super) struct Zones<'a>(Option<Compiled<'a, Zone>>);

impl Zones<'_> {
    pub(super) fn get(&mut self, row: usize) -> Result<Zone> {
        match &mut self.0 {
            Some(zones) => Ok(zones.get(row)?.copied().unwrap_or_default()),
            None => Ok(Zone::UTC),
        }
    }

    pub(super) fn is_literal(&self) -> bool {
        self.0.as_ref().is_none_or(Compiled::is_literal)
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Texts<'a> {
    array: &'a StringViewArray,
    literal: bool,
}

impl<'a> Texts<'a> {
    pub(super) fn get(&self, row: usize) -> Option<&'a str> {
        let row = if self.literal { 0 } else { row };
        (row < self.array.len() && self.array.is_valid(row)).then(|| self.array.value(row))
    }
}

#[derive(Debug)]
pub(super) struct Numbers<'a, T: ArrowPrimitiveType> {
    array: &'a PrimitiveArray<T>,
    literal: bool,
}

// Not derived: that would ask for `T: Copy`.
impl<T: ArrowPrimitiveType> Clone for Numbers<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ArrowPrimitiveType> Copy for Numbers<'_, T> {}

impl<'a, T: ArrowPrimitiveType> Numbers<'a, T> {
    pub(super) fn get(&self, row: usize) -> Option<T::Native> {
        let row = if self.literal { 0 } else { row };
        (row < self.array.len() && self.array.is_valid(row)).then(|| self.array.value(row))
    }

    /// Whether one value counts for every row.
    pub(super) fn is_literal(&self) -> bool {
        self.literal
    }

    /// The array, where it has a value a row.
    pub(super) fn rows(&self) -> Option<&'a PrimitiveArray<T>> {
        (!self.literal).then_some(self.array)
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Lists<'a> {
    array: &'a ListArray,
    literal: bool,
}

impl Lists<'_> {
    /// The texts of a row.
    pub(super) fn get(&self, row: usize) -> Option<StringViewArray> {
        let row = if self.literal { 0 } else { row };
        (row < self.array.len() && self.array.is_valid(row))
            .then(|| self.array.value(row).as_string_view().clone())
    }
}

/// A result of texts; the closure may write into the buffer it is given and answer whether there is a value.
pub(super) fn texts(
    args: &Args,
    mut value: impl FnMut(usize, &mut String) -> Result<Option<()>>,
) -> Result<ArrayRef> {
    let mut builder = StringViewBuilder::with_capacity(args.rows());
    let mut buffer = String::new();
    let mut bytes = 0;
    for row in 0..args.rows() {
        buffer.clear();
        let present = value(row, &mut buffer)?.is_some();
        bytes += buffer.len();
        args.check_bytes(bytes, row)?;
        builder.append_option(present.then_some(buffer.as_str()));
    }
    Ok(Arc::new(builder.finish()))
}

/// A result of texts that are parts of an argument's texts.
pub(super) fn parts<'a>(
    args: &Args,
    mut value: impl FnMut(usize) -> Result<Option<&'a str>>,
) -> Result<ArrayRef> {
    let mut builder = StringViewBuilder::with_capacity(args.rows());
    for row in 0..args.rows() {
        builder.append_option(value(row)?);
    }
    Ok(Arc::new(builder.finish()))
}

pub(super) fn longs(args: &Args, value: impl FnMut(usize) -> Result<Option<i64>>) -> Result<ArrayRef> {
    Ok(Arc::new((0..args.rows()).map(value).collect::<Result<Int64Array>>()?))
}

pub(super) fn doubles(args: &Args, value: impl FnMut(usize) -> Result<Option<f64>>) -> Result<ArrayRef> {
    Ok(Arc::new((0..args.rows()).map(value).collect::<Result<Float64Array>>()?))
}

pub(super) fn times(args: &Args, value: impl FnMut(usize) -> Result<Option<i64>>) -> Result<ArrayRef> {
    Ok(Arc::new((0..args.rows()).map(value).collect::<Result<TimestampMillisecondArray>>()?))
}

pub(super) fn booleans(args: &Args, value: impl FnMut(usize) -> Result<Option<bool>>) -> Result<ArrayRef> {
    Ok(Arc::new((0..args.rows()).map(value).collect::<Result<BooleanArray>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_one_batch_are_bounded_together() {
        let mebibyte = "x".repeat(1 << 20);
        let make = |rows| {
            let args = Args::new("TEXTCAT", Vec::new(), rows);
            texts(&args, |_, buffer| {
                buffer.push_str(&mebibyte);
                Ok(Some(()))
            })
        };
        assert_eq!(make(3).unwrap().len(), 3);
        let error = make(1000).unwrap_err().to_string();
        assert!(error.contains("TEXTCAT makes more than 268435456 bytes of text of 257 rows"), "{error}");
    }
}
