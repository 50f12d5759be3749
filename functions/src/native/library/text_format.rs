//! `format`: the part of `java.util.Formatter` that formats text, numbers and characters.
//!
//! `%[index$][flags][width][.precision]conversion` with `s S d x X o f e E b B c n %`. What it cannot format it
//! does not refuse: as Druid does, it answers the pattern followed by the arguments, separated by `; `.

use arrow::array::ArrayRef;
use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;

use super::Call;
use crate::native::coerce::{double_text, materialise};
use crate::native::error::ExpressionError;
use crate::native::kernel::{Argument, Double, Long, Output, Text, argument};
use crate::native::types::{Type, Typed};

/// One argument of one row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Text(String),
    Long(i64),
    Double(f64),
}

impl Value {
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Text(text) => text.clone(),
            Self::Long(value) => value.to_string(),
            Self::Double(value) => double_text(*value),
        }
    }
}

/// Lowers a call of `format`.
pub(super) fn lower(call: &Call) -> Result<Typed, ExpressionError> {
    let mut arguments = vec![call.text(0)?];
    let mut types = Vec::new();
    for (i, value) in call.arguments.iter().enumerate().skip(1) {
        let value = materialise(value.clone());
        if let Type::Array(_) = value.ty {
            return Err(call.mismatch(i, value.ty, "text or a number"));
        }
        types.push(value.ty);
        arguments.push(value.expr);
    }
    let constants = types.iter().map(|ty| ty.name()).collect::<Vec<_>>().join(", ");
    let kernel = move |values: &[ColumnarValue], rows: usize| evaluate(&types, values, rows);
    Ok(call.function_with(&constants, arguments, Type::Text, std::sync::Arc::new(kernel)))
}

fn evaluate(types: &[Type], values: &[ColumnarValue], rows: usize) -> Result<ArrayRef> {
    let patterns = Text::view(argument(values, 0)?)?;
    let columns = types
        .iter()
        .enumerate()
        .map(|(i, ty)| column(*ty, argument(values, i + 1)?, rows))
        .collect::<Result<Vec<_>>>()?;
    Ok(Text::collect((0..rows).map(|row| {
        let pattern = Text::get(&patterns, row)?;
        let arguments: Vec<Value> =
            columns.iter().map(|c| c.get(row).cloned().unwrap_or(Value::Null)).collect();
        Some(format(pattern, &arguments).unwrap_or_else(|| {
            arguments.iter().fold(pattern.to_owned(), |text, argument| text + "; " + &argument.text())
        }))
    })))
}

fn column(ty: Type, value: &ColumnarValue, rows: usize) -> Result<Vec<Value>> {
    fn read<A: Argument>(
        value: &ColumnarValue,
        rows: usize,
        wrap: impl for<'a> Fn(A::Item<'a>) -> Value,
    ) -> Result<Vec<Value>> {
        let view = A::view(value)?;
        Ok((0..rows).map(|row| A::get(&view, row).map_or(Value::Null, &wrap)).collect())
    }
    match ty {
        Type::Long | Type::Truth => read::<Long>(value, rows, Value::Long),
        Type::Double => read::<Double>(value, rows, Value::Double),
        _ => read::<Text>(value, rows, |text| Value::Text(text.to_owned())),
    }
}

/// `%…` of a pattern, taken apart.
#[derive(Debug, Default)]
struct Specifier {
    index: Option<usize>,
    left: bool,
    plus: bool,
    blank: bool,
    zero: bool,
    grouped: bool,
    alternate: bool,
    width: usize,
    precision: Option<usize>,
    conversion: char,
}

/// Wider results are not made.
const WIDTH_MAX: usize = 4096;

/// The formatted text, or `None` for a pattern or an argument that Java would refuse. Druid does not ask Java if there are
/// no arguments.
pub(crate) fn format(pattern: &str, arguments: &[Value]) -> Option<String> {
    if arguments.is_empty() {
        return Some(pattern.to_owned());
    }
    let mut out = String::new();
    let mut rest = pattern;
    let mut next = 0;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        let (specifier, after) = specifier(after)?;
        rest = after;
        match specifier.conversion {
            'n' => out.push('\n'),
            '%' => out.push_str(&specifier.padded("%".to_owned())),
            _ => {
                let index = specifier.index.unwrap_or_else(|| {
                    next += 1;
                    next
                });
                out.push_str(&specifier.format(arguments.get(index.checked_sub(1)?)?)?);
            }
        }
    }
    out.push_str(rest);
    Some(out)
}

fn specifier(text: &str) -> Option<(Specifier, &str)> {
    let mut found = Specifier::default();
    let mut rest = text;
    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    if let Some(after) = rest[digits..].strip_prefix('$') {
        found.index = Some(rest[..digits].parse().ok()?);
        rest = after;
    }
    loop {
        let flag = match rest.chars().next()? {
            '-' => &mut found.left,
            '+' => &mut found.plus,
            ' ' => &mut found.blank,
            '0' => &mut found.zero,
            ',' => &mut found.grouped,
            '#' => &mut found.alternate,
            _ => break,
        };
        if std::mem::replace(flag, true) {
            return None;
        }
        rest = &rest[1..];
    }
    let number = |rest: &mut &str| {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let value = rest[..digits].parse::<usize>().ok();
        *rest = &rest[digits..];
        value
    };
    found.width = number(&mut rest).unwrap_or(0);
    if let Some(after) = rest.strip_prefix('.') {
        rest = after;
        found.precision = Some(number(&mut rest)?);
    }
    found.conversion = rest.chars().next()?;
    let within = found.width <= WIDTH_MAX && found.precision.is_none_or(|p| p <= WIDTH_MAX);
    let after = &rest[found.conversion.len_utf8()..];
    within.then_some((found, after))
}

impl Specifier {
    fn format(&self, value: &Value) -> Option<String> {
        let upper = self.conversion.is_ascii_uppercase();
        let text = match (self.conversion.to_ascii_lowercase(), value) {
            ('s', value) => self.padded(cut(&value.text(), self.precision)),
            ('b', value) => {
                self.padded(cut(if *value == Value::Null { "false" } else { "true" }, self.precision))
            }
            ('d' | 'x' | 'o' | 'f' | 'e' | 'c', Value::Null) => self.padded("null".to_owned()),
            ('d', Value::Long(value)) if self.precision.is_none() && !upper => {
                self.number(*value < 0, value.unsigned_abs().to_string())
            }
            ('x', Value::Long(value)) if self.precision.is_none() => {
                let prefix = if self.alternate { "0x" } else { "" };
                self.number(false, format!("{prefix}{value:x}"))
            }
            ('o', Value::Long(value)) if self.precision.is_none() && !upper => {
                let prefix = if self.alternate { "0" } else { "" };
                self.number(false, format!("{prefix}{value:o}"))
            }
            ('f', Value::Double(value)) if !upper => self.double(*value, |v, precision| {
                let rounded = super::math::round_double(v, precision as i64);
                format!("{rounded:.precision$}")
            }),
            ('e', Value::Double(value)) => self.double(*value, |v, precision| {
                let exponent = if v == 0.0 { 0 } else { v.log10().floor() as i64 };
                let rounded = super::math::round_double(v, precision as i64 - exponent);
                let text = format!("{rounded:.precision$e}");
                let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
                let exponent: i32 = exponent.parse().unwrap_or(0);
                let sign = if exponent < 0 { '-' } else { '+' };
                format!("{digits}e{sign}{:02}", exponent.abs())
            }),
            ('c', Value::Long(value)) => {
                self.padded(char::from_u32(u32::try_from(*value).ok()?)?.to_string())
            }
            _ => return None,
        };
        Some(if upper { text.to_uppercase() } else { text })
    }

    fn double(&self, value: f64, digits: impl Fn(f64, usize) -> String) -> String {
        if !value.is_finite() {
            let text = double_text(value.abs());
            return self.padded(self.sign(value < 0.0).to_owned() + &text);
        }
        self.number(value.is_sign_negative(), digits(value.abs(), self.precision.unwrap_or(6)))
    }

    fn sign(&self, negative: bool) -> &'static str {
        match (negative, self.plus, self.blank) {
            (true, ..) => "-",
            (false, true, _) => "+",
            (false, false, true) => " ",
            _ => "",
        }
    }

    fn number(&self, negative: bool, digits: String) -> String {
        let digits = if self.grouped { grouped(&digits) } else { digits };
        let sign = self.sign(negative);
        let zeros = if self.zero { self.width.saturating_sub(sign.len() + digits.len()) } else { 0 };
        self.padded(format!("{sign}{}{digits}", "0".repeat(zeros)))
    }

    fn padded(&self, text: String) -> String {
        let width = self.width;
        if self.left { format!("{text:<width$}") } else { format!("{text:>width$}") }
    }
}

fn cut(text: &str, characters: Option<usize>) -> String {
    characters.map_or_else(|| text.to_owned(), |n| text.chars().take(n).collect())
}

/// `1234567.5` as `1,234,567.5`.
fn grouped(digits: &str) -> String {
    let (whole, fraction) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    let mut out = String::new();
    for (i, c) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out + fraction
}
