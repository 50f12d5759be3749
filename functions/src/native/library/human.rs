//! Numbers for people: `1.50 KiB`, `1.50 KB`, `1.50 K`.

use super::{Call, Definition, function};
use crate::native::error::ExpressionError;
use crate::native::kernel::{Long, Text, map2};
use crate::native::types::{Type, Typed};

pub(super) const FUNCTIONS: &[Definition] = &[
    function("human_readable_binary_byte_format", 1, 2, |call| lower(call, binary)),
    function("human_readable_decimal_byte_format", 1, 2, |call| lower(call, |v, p| decimal(v, p, "B"))),
    function("human_readable_decimal_format", 1, 2, |call| lower(call, |v, p| decimal(v, p, ""))),
];

/// `precision` decimals, 0 to 3, 2 unless given.
fn lower(call: &Call, format: fn(i64, usize) -> String) -> Result<Typed, ExpressionError> {
    let precision = call.literal_long(1, "the precision")?.unwrap_or(2);
    if !(0..=3).contains(&precision) {
        return Err(call.error(format!("takes a precision from 0 to 3, not {precision}")));
    }
    if call.argument(0)?.ty == Type::Text {
        return Err(call.mismatch(0, Type::Text, "a number"));
    }
    let kernel = map2::<Long, Long, Text>(move |value, precision| {
        Some(format(value, usize::try_from(precision).ok()?))
    });
    Ok(call.function(vec![call.long(0)?, Typed::long(precision).expr], Type::Text, kernel))
}

/// With units of 1,024.
pub(crate) fn binary(value: i64, precision: usize) -> String {
    const UNITS: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    let magnitude = value.unsigned_abs();
    if magnitude < 1024 {
        return format!("{value} B");
    }
    let unit = (magnitude.ilog2() / 10) as usize;
    let scaled = value as f64 / (1_u64 << (unit * 10)) as f64;
    // As in [`decimal`].
    let scaled = super::math::round_double(scaled, precision as i64);
    format!("{scaled:.precision$} {}B", UNITS.get(unit).copied().unwrap_or_default())
}

/// Digits beyond the third decimal are cut before rounding, as Druid does.
pub(crate) fn decimal(value: i64, precision: usize, suffix: &str) -> String {
    const UNITS: [&str; 6] = ["K", "M", "G", "T", "P", "E"];
    if value.unsigned_abs() < 1000 {
        return format!("{value} {suffix}").trim_end().to_owned();
    }
    let (mut rest, mut unit) = (value, 0);
    while rest.unsigned_abs() >= 1_000_000 {
        rest /= 1000;
        unit += 1;
    }
    let scaled = rest as f64 / 1000.0;
    // Java rounds half up on the decimal digits, Rust half to even on the binary ones.
    let scaled = super::math::round_double(scaled, precision as i64);
    format!("{scaled:.precision$} {}{suffix}", UNITS.get(unit).copied().unwrap_or_default())
}
