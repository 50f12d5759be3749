//! Results on the wire: Druid's five text formats, written from columns without a row in between.
//!
//! ```text
//!  RecordBatch ──► column::Column (one per column, prepared once per batch)
//!                       │ row by row, into one byte buffer
//!                       ▼
//!  ResultWriter: begin (opening, header rows) · rows · end (the mark that nothing is missing)
//! ```
//!
//! Every format ends in a mark: `]` and a line break for `object` and `array`, an empty line for the others. It is
//! written only after the last row; a client that does not see it knows that the result is incomplete.
//!
//! The Arrow stream, which is a format of its own and not one of Druid's, is in `arrow_stream`.

pub(crate) mod arrow_stream;
mod column;
mod instant;
mod number;
mod text;

use std::ops::Range;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use ovate_query::ResultColumn;
use ovate_storage::time::Zone;

use self::column::{Column, Lists};
use self::text::{Escape, write_csv_field, write_string};

/// Druid's result formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ResultFormat {
    /// One JSON array of objects.
    #[default]
    Object,
    /// One JSON array of arrays.
    Array,
    /// One JSON object a line.
    ObjectLines,
    /// One JSON array a line.
    ArrayLines,
    /// Comma-separated values.
    Csv,
}

impl ResultFormat {
    /// The names of the formats, as they are documented.
    pub const NAMES: [&'static str; 5] = ["object", "array", "objectLines", "arrayLines", "csv"];

    /// The format of that name, in whatever case.
    pub fn parse(name: &str) -> Option<Self> {
        let all = [Self::Object, Self::Array, Self::ObjectLines, Self::ArrayLines, Self::Csv];
        Self::NAMES.iter().position(|known| known.eq_ignore_ascii_case(name)).map(|i| all[i])
    }

    fn framing(self) -> Framing {
        match self {
            Self::Object | Self::Array => Framing { open: b"[", between: b",", after: b"", close: b"]\n" },
            _ => Framing { open: b"", between: b"", after: b"\n", close: b"\n" },
        }
    }
}

/// What stands before the first row, between two rows, after each, and after the last.
#[derive(Debug, Clone, Copy)]
struct Framing {
    open: &'static [u8],
    between: &'static [u8],
    after: &'static [u8],
    close: &'static [u8],
}

/// How a result is to be written.
#[derive(Debug, Clone, Copy, Default)]
pub struct ResultStyle {
    /// The format.
    pub format: ResultFormat,
    /// Whether the first row names the columns.
    pub header: bool,
    /// Whether the header states Druid's types.
    pub types_header: bool,
    /// Whether the header states SQL's types.
    pub sql_types_header: bool,
    /// Whether arrays are JSON arrays instead of strings.
    pub real_arrays: bool,
}

/// Writes one result into byte buffers that the caller provides.
#[derive(Debug)]
pub struct ResultWriter {
    style: ResultStyle,
    framing: Framing,
    columns: Vec<ResultColumn>,
    /// For objects: what stands before each cell, `{"name":` or `,"name":`.
    keys: Vec<Vec<u8>>,
    zone: Zone,
    rows_written: u64,
}

/// A batch whose columns are ready to be written.
#[derive(Debug)]
pub struct PreparedBatch {
    columns: Vec<Column>,
    rows: usize,
}

impl PreparedBatch {
    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }
}

impl ResultWriter {
    /// A writer for a result of these columns.
    pub fn new(style: ResultStyle, columns: Vec<ResultColumn>, zone: Zone) -> Self {
        let key = |(i, column): (usize, &ResultColumn)| {
            let mut key = vec![if i == 0 { b'{' } else { b',' }];
            write_string(&mut key, &column.name, Escape::Wire);
            key.push(b':');
            key
        };
        let keys = columns.iter().enumerate().map(key).collect();
        Self { style, framing: style.format.framing(), columns, keys, zone, rows_written: 0 }
    }

    /// Appends what precedes the rows: the opening and, when asked for, the header.
    pub fn begin(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.framing.open);
        if self.style.header {
            self.header(out);
        }
    }

    /// Brings a batch of this result into the form that [`Self::rows`] takes.
    pub fn prepare(&self, batch: &RecordBatch) -> Result<PreparedBatch, ArrowError> {
        let arrays = batch.columns().iter().zip(&self.columns);
        let columns = arrays.map(|(array, column)| Column::prepare(array, self.lists(column)));
        Ok(PreparedBatch { columns: columns.collect::<Result<_, _>>()?, rows: batch.num_rows() })
    }

    /// Appends some rows of a batch.
    pub fn rows(&mut self, out: &mut Vec<u8>, batch: &PreparedBatch, rows: Range<usize>) {
        for row in rows {
            self.open_row(out);
            match self.style.format {
                ResultFormat::Object | ResultFormat::ObjectLines => self.object(out, batch, row),
                ResultFormat::Array | ResultFormat::ArrayLines => {
                    array(out, &batch.columns, |out, column| column.write_json(out, row, self.zone));
                }
                ResultFormat::Csv => {
                    separated(out, &batch.columns, |out, column| column.write_csv(out, row, self.zone));
                }
            }
            out.extend_from_slice(self.framing.after);
        }
    }

    /// Appends the mark that the result is complete.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.framing.close);
    }

    fn lists(&self, column: &ResultColumn) -> Lists {
        // A multi-value string is a VARCHAR to SQL: `sqlStringifyArrays` does not concern it.
        if column.druid_type == "STRING" {
            Lists::MultiValue
        } else if self.style.real_arrays {
            Lists::Real
        } else {
            Lists::Stringified
        }
    }

    fn open_row(&mut self, out: &mut Vec<u8>) {
        if self.rows_written > 0 {
            out.extend_from_slice(self.framing.between);
        }
        self.rows_written += 1;
    }

    fn object(&self, out: &mut Vec<u8>, batch: &PreparedBatch, row: usize) {
        for (key, column) in self.keys.iter().zip(&batch.columns) {
            out.extend_from_slice(key);
            column.write_json(out, row, self.zone);
        }
        out.extend_from_slice(if self.keys.is_empty() { b"{}".as_slice() } else { b"}" });
    }

    /// The header: one row of an object format says everything; the others have a row each for names and types.
    fn header(&mut self, out: &mut Vec<u8>) {
        if matches!(self.style.format, ResultFormat::Object | ResultFormat::ObjectLines) {
            self.open_row(out);
            self.object_header(out);
            out.extend_from_slice(self.framing.after);
            return;
        }
        self.header_row(out, |column| &column.name);
        if self.style.types_header {
            self.header_row(out, |column| &column.druid_type);
        }
        if self.style.sql_types_header {
            self.header_row(out, |column| &column.sql_type);
        }
    }

    fn object_header(&self, out: &mut Vec<u8>) {
        for (key, column) in self.keys.iter().zip(&self.columns) {
            out.extend_from_slice(key);
            let types = [
                ("type", self.style.types_header.then_some(&column.druid_type)),
                ("sqlType", self.style.sql_types_header.then_some(&column.sql_type)),
            ];
            let wanted: Vec<_> = types.into_iter().filter_map(|(name, text)| Some((name, text?))).collect();
            if wanted.is_empty() {
                out.extend_from_slice(b"null");
                continue;
            }
            for (i, (name, text)) in wanted.into_iter().enumerate() {
                out.push(if i == 0 { b'{' } else { b',' });
                write_string(out, name, Escape::Wire);
                out.push(b':');
                write_string(out, text, Escape::Wire);
            }
            out.push(b'}');
        }
        out.extend_from_slice(if self.keys.is_empty() { b"{}".as_slice() } else { b"}" });
    }

    fn header_row(&mut self, out: &mut Vec<u8>, text: impl Fn(&ResultColumn) -> &String) {
        self.open_row(out);
        if self.style.format == ResultFormat::Csv {
            separated(out, &self.columns, |out, column| write_csv_field(out, text(column)));
        } else {
            array(out, &self.columns, |out, column| write_string(out, text(column), Escape::Wire));
        }
        out.extend_from_slice(self.framing.after);
    }
}

fn array<T>(out: &mut Vec<u8>, items: &[T], write: impl FnMut(&mut Vec<u8>, &T)) {
    out.push(b'[');
    separated(out, items, write);
    out.push(b']');
}

fn separated<T>(out: &mut Vec<u8>, items: &[T], mut write: impl FnMut(&mut Vec<u8>, &T)) {
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write(out, item);
    }
}

#[cfg(test)]
mod tests;
