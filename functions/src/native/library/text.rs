//! Text. Lengths and positions count UTF-16 code units, as Java does.

use super::{Call, Definition, function, text_format, utf16};
use crate::native::error::ExpressionError;
use crate::native::kernel::{Long, Text, Truth, fold, map1, map2, map3};
use crate::native::types::{Type, Typed};

type Lowered = Result<Typed, ExpressionError>;

/// The longest text that `repeat`, `lpad` and `rpad` make, in bytes or code units.
pub(crate) const MADE_MAX: usize = 1 << 20;

pub(super) const FUNCTIONS: &[Definition] = &[
    function("concat", 0, usize::MAX, concat),
    function("format", 1, usize::MAX, text_format::lower),
    function("strlen", 1, 1, |call| {
        let kernel = map1::<Text, Long>(|s| i64::try_from(utf16::length(s)).ok());
        Ok(call.function(vec![call.text(0)?], Type::Long, kernel))
    }),
    function("lower", 1, 1, |call| of_text(call, |s| Some(s.to_lowercase()))),
    function("upper", 1, 1, |call| of_text(call, |s| Some(s.to_uppercase()))),
    function("reverse", 1, 1, |call| of_text(call, |s| Some(s.chars().rev().collect()))),
    function("trim", 1, 2, |call| trim(call, Ends::BOTH)),
    function("ltrim", 1, 2, |call| trim(call, Ends::START)),
    function("rtrim", 1, 2, |call| trim(call, Ends::END)),
    function("lpad", 3, 3, |call| pad(call, |text, padding| padding + text)),
    function("rpad", 3, 3, |call| pad(call, |text, padding| text.to_owned() + &padding)),
    function("left", 2, 2, |call| {
        of_text_and_long(call, |s, n| (n >= 0).then(|| utf16::slice(s, 0, clamp(n))))
    }),
    function("right", 2, 2, |call| {
        of_text_and_long(call, |s, n| {
            let length = utf16::length(s);
            (n >= 0).then(|| utf16::slice(s, length.saturating_sub(clamp(n)), length))
        })
    }),
    function("repeat", 2, 2, |call| {
        of_text_and_long(call, |s, n| {
            let times = clamp(n.max(0));
            (times > 0 && s.len().saturating_mul(times) <= MADE_MAX).then(|| s.repeat(times))
        })
    }),
    function("substring", 3, 3, |call| {
        let arguments = vec![call.text(0)?, call.long(1)?, call.long(2)?];
        Ok(call.function(arguments, Type::Text, map3::<Text, Long, Long, Text>(substring)))
    }),
    function("strpos", 2, 3, strpos),
    function("replace", 3, 3, |call| {
        let arguments = vec![call.text(0)?, call.text(1)?, call.text(2)?];
        Ok(call.function(arguments, Type::Text, map3::<Text, Text, Text, Text>(replace)))
    }),
    function("contains_string", 2, 2, |call| of_two_texts(call, |s, part| Some(s.contains(part)))),
    function("icontains_string", 2, 2, |call| {
        of_two_texts(call, |s, part| Some(s.to_lowercase().contains(&part.to_lowercase())))
    }),
    function("parse_long", 1, 2, parse_long),
];

fn clamp(n: i64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

fn of_text(call: &Call, f: fn(&str) -> Option<String>) -> Lowered {
    Ok(call.function(vec![call.text(0)?], Type::Text, map1::<Text, Text>(f)))
}

fn of_text_and_long(call: &Call, f: fn(&str, i64) -> Option<String>) -> Lowered {
    Ok(call.function(vec![call.text(0)?, call.long(1)?], Type::Text, map2::<Text, Long, Text>(f)))
}

fn of_two_texts(call: &Call, f: fn(&str, &str) -> Option<bool>) -> Lowered {
    Ok(call.function(vec![call.text(0)?, call.text(1)?], Type::Truth, map2::<Text, Text, Truth>(f)))
}

/// NULL if any argument is.
fn concat(call: &Call) -> Lowered {
    if call.arguments.is_empty() {
        return Ok(Typed::null());
    }
    let arguments = (0..call.arguments.len()).map(|i| call.text(i)).collect::<Result<_, _>>()?;
    Ok(call.function(arguments, Type::Text, fold::<Text, Text>(|values| values.collect::<Option<String>>())))
}

/// Cuts characters of a set off, blanks unless a set is given. NULL as the set leaves the text as it is.
fn trim(call: &Call, ends: Ends) -> Lowered {
    let text = call.text(0)?;
    if !call.has(1) {
        return Ok(call.function(
            vec![text],
            Type::Text,
            map1::<Text, Text>(move |s| Some(ends.cut(s, " ").to_owned())),
        ));
    }
    if call.argument(1)?.ty == Type::Null {
        return Ok(Typed::new(text, Type::Text));
    }
    let kernel = map2::<Text, Text, Text>(move |s, set| Some(ends.cut(s, set).to_owned()));
    Ok(call.function(vec![text, call.text(1)?], Type::Text, kernel))
}

/// Where `trim` cuts.
#[derive(Clone, Copy)]
pub(crate) struct Ends {
    start: bool,
    end: bool,
}

impl Ends {
    pub(crate) const BOTH: Self = Self { start: true, end: true };
    pub(crate) const START: Self = Self { start: true, end: false };
    pub(crate) const END: Self = Self { start: false, end: true };

    pub(crate) fn cut<'a>(self, text: &'a str, set: &str) -> &'a str {
        let inside = |c: char| set.contains(c);
        let text = if self.start { text.trim_start_matches(inside) } else { text };
        if self.end { text.trim_end_matches(inside) } else { text }
    }
}

/// To `length`, cutting the end off if the text is longer. An empty padding only cuts. As Druid has it, a length of 0 gives
/// NULL and a negative one the empty text.
fn pad(call: &Call, join: fn(&str, String) -> String) -> Lowered {
    let arguments = vec![call.text(0)?, call.long(1)?, call.text(2)?];
    let kernel = map3::<Text, Long, Text, Text>(move |text, length, padding| {
        if length < 0 {
            return Some(String::new());
        }
        let length = usize::try_from(length).ok().filter(|length| (1..=MADE_MAX).contains(length))?;
        let have = utf16::length(text);
        if length <= have {
            return Some(utf16::slice(text, 0, length));
        }
        let (missing, unit) = (length - have, utf16::length(padding));
        if unit == 0 {
            return Some(text.to_owned());
        }
        Some(join(text, utf16::slice(&padding.repeat(missing.div_ceil(unit)), 0, missing)))
    });
    Ok(call.function(arguments, Type::Text, kernel))
}

/// Zero-based; a negative length means to the end, a start at the end or beyond gives NULL. Java throws for a negative
/// start; here it is NULL too.
fn substring(text: &str, start: i64, length: i64) -> Option<String> {
    let start = usize::try_from(start).ok().filter(|start| *start < utf16::length(text))?;
    let end = usize::try_from(length).map_or(usize::MAX, |length| start.saturating_add(length));
    Some(utf16::slice(text, start, end))
}

/// Replacements nest, so that texts could grow without bound: `None` for what would be longer than [`MADE_MAX`], which
/// is not made.
pub(crate) fn replace(text: &str, from: &str, to: &str) -> Option<String> {
    let growth = to.len().saturating_sub(from.len());
    let found = if growth == 0 { 0 } else { text.matches(from).count() };
    let length = text.len().saturating_add(found.saturating_mul(growth));
    (growth == 0 || length <= MADE_MAX).then(|| text.replace(from, to))
}

/// Zero-based, -1 when there is none.
fn strpos(call: &Call) -> Lowered {
    let from = if call.has(2) { call.long(2)? } else { Typed::long(0).expr };
    let arguments = vec![call.text(0)?, call.text(1)?, from];
    let kernel = map3::<Text, Text, Long, Long>(|text, part, from| {
        Some(utf16::find(text, part, clamp(from.max(0))).and_then(|at| i64::try_from(at).ok()).unwrap_or(-1))
    });
    Ok(call.function(arguments, Type::Long, kernel))
}

/// In base 10, or in another that is given; with base 16 a leading `0x` is skipped. NULL when it is no number.
fn parse_long(call: &Call) -> Lowered {
    let radix = if call.has(1) { call.long(1)? } else { Typed::long(10).expr };
    let kernel = map2::<Text, Long, Long>(|text, radix| {
        let radix = u32::try_from(radix).ok().filter(|radix| (2..=36).contains(radix))?;
        let digits = match radix {
            16 => text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text),
            _ => text,
        };
        i64::from_str_radix(digits, radix).ok()
    });
    Ok(call.function(vec![call.text(0)?, radix], Type::Long, kernel))
}
