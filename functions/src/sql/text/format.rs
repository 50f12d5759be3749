//! `STRING_FORMAT`, and numbers written for people.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use datafusion::error::Result;

use crate::native::library::human;
use crate::native::library::text_format::{Value, format};
use crate::sql::args::{Args, Column, texts};
use crate::sql::convert::{self, Kind, is_time};
use crate::sql::spec::{Returns, Spec};

pub(super) const SPECS: &[Spec] = &[
    Spec::new("STRING_FORMAT", &[Kind::Text, Kind::Any], Returns::Text, string_format).required(1).variadic(),
    Spec::new("HUMAN_READABLE_BINARY_BYTE_FORMAT", &[Kind::Long, Kind::Long], Returns::Text, |args| {
        for_people(args, human::binary)
    })
    .required(1),
    Spec::new("HUMAN_READABLE_DECIMAL_BYTE_FORMAT", &[Kind::Long, Kind::Long], Returns::Text, |args| {
        for_people(args, |value, precision| human::decimal(value, precision, "B"))
    })
    .required(1),
    Spec::new("HUMAN_READABLE_DECIMAL_FORMAT", &[Kind::Long, Kind::Long], Returns::Text, |args| {
        for_people(args, |value, precision| human::decimal(value, precision, ""))
    })
    .required(1),
];

/// An argument as the formatter sees it: a long, a double, or the text of anything else.
enum Values {
    Long(Column),
    Double(Column),
    Text(Column),
}

impl Values {
    fn of(column: &Column) -> Result<Self> {
        let kind = match column.array.data_type() {
            given if given.is_integer() => Kind::Long,
            given if given.is_numeric() => Kind::Double,
            // Druid's are longs.
            given if is_time(given) || *given == DataType::Boolean => Kind::Long,
            _ => Kind::Text,
        };
        let converted = Column { array: convert::convert(kind, &column.array)?, literal: column.literal };
        Ok(match kind {
            Kind::Long => Self::Long(converted),
            Kind::Double => Self::Double(converted),
            _ => Self::Text(converted),
        })
    }

    fn get(&self, row: usize) -> Value {
        let (Self::Long(column) | Self::Double(column) | Self::Text(column)) = self;
        let row = if column.literal { 0 } else { row };
        if column.array.is_null(row) || *column.array.data_type() == DataType::Null {
            return Value::Null;
        }
        match self {
            Self::Long(column) => Value::Long(column.array.as_primitive::<Int64Type>().value(row)),
            Self::Double(column) => Value::Double(column.array.as_primitive::<Float64Type>().value(row)),
            Self::Text(column) => Value::Text(column.array.as_string_view().value(row).to_owned()),
        }
    }
}

/// What Java's formatter would refuse becomes the pattern and the arguments, separated by `; `.
fn string_format(args: &Args) -> Result<ArrayRef> {
    let patterns = args.text(0)?;
    let columns = (1..args.len()).map(|i| Values::of(args.column(i)?)).collect::<Result<Vec<_>>>()?;
    texts(args, |row, out| {
        let Some(pattern) = patterns.get(row) else { return Ok(None) };
        let values: Vec<Value> = columns.iter().map(|column| column.get(row)).collect();
        if let Some(text) = format(pattern, &values) {
            out.push_str(&text);
            return Ok(Some(()));
        }
        out.push_str(pattern);
        for value in &values {
            out.push_str("; ");
            out.push_str(&value.text());
        }
        Ok(Some(()))
    })
}

fn for_people(args: &Args, format: impl Fn(i64, usize) -> String) -> Result<ArrayRef> {
    let value = args.long(0)?;
    let precision = args.optional(1, |i| args.long(i))?;
    texts(args, |row, out| {
        let precision = precision.map_or(Some(2), |precision| precision.get(row));
        let (Some(value), Some(precision)) = (value.get(row), precision) else { return Ok(None) };
        let Some(precision) = usize::try_from(precision).ok().filter(|precision| *precision <= 3) else {
            return Err(args
                .wrong(1, format!("the precision must lie between 0 and 3, not {precision}"))
                .into());
        };
        out.push_str(&format(value, precision));
        Ok(Some(()))
    })
}
