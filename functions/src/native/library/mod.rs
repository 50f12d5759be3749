//! The functions of the language, by name.
//!
//! Each entry says how many arguments it takes and how a call lowers. Names are matched without regard to case, as
//! Druid does. What Druid has and this engine has not is listed too, so that it is refused by its name.
//!
//! Nothing here depends on anything but its arguments: there is no clock and no randomness, so a column may be
//! computed once per distinct value, and a message that is read twice gives the same row.

pub(crate) mod arrays;
pub(crate) mod bits;
mod call;
mod conditional;
pub(crate) mod human;
pub(crate) mod math;
pub(crate) mod network;
pub(crate) mod regexp;
pub(crate) mod text;
pub(crate) mod text_format;
mod time;
pub(crate) mod utf16;

use super::error::{ExpressionError, nearest};
use super::types::{Type, Typed};
pub(crate) use call::Call;
pub(crate) use math::power;
pub(crate) use regexp::{compile as compile_regex, like_pattern};

/// How a call becomes an expression.
#[derive(Clone, Copy)]
pub(crate) enum Rule {
    /// A double of a double.
    Double1(fn(f64) -> f64),
    /// A double of two doubles.
    Double2(fn(f64, f64) -> f64),
    /// Anything else.
    Lower(fn(&Call) -> Result<Typed, ExpressionError>),
}

/// One function.
#[derive(Clone, Copy)]
pub(crate) struct Definition {
    name: &'static str,
    arguments_min: usize,
    arguments_max: usize,
    rule: Rule,
}

/// A function of `min ..= max` arguments.
const fn function(
    name: &'static str,
    arguments_min: usize,
    arguments_max: usize,
    lower: fn(&Call) -> Result<Typed, ExpressionError>,
) -> Definition {
    Definition { name, arguments_min, arguments_max, rule: Rule::Lower(lower) }
}

const TABLES: [&[Definition]; 9] = [
    conditional::FUNCTIONS,
    text::FUNCTIONS,
    regexp::FUNCTIONS,
    time::FUNCTIONS,
    math::FUNCTIONS,
    bits::FUNCTIONS,
    arrays::FUNCTIONS,
    network::FUNCTIONS,
    human::FUNCTIONS,
];

/// What Druid's language has beyond this one, and why it is refused.
const UNSUPPORTED: [(&str, &str); 35] = [
    ("lookup", LOOKUPS),
    ("fold", "only map, filter, any and all take a lambda"),
    ("cartesian_map", "only map, filter, any and all take a lambda"),
    ("cartesian_fold", "only map, filter, any and all take a lambda"),
    ("json_value", NESTED),
    ("json_query", NESTED),
    ("json_query_array", NESTED),
    ("json_object", NESTED),
    ("json_keys", NESTED),
    ("json_paths", NESTED),
    ("json_merge", NESTED),
    ("parse_json", NESTED),
    ("try_parse_json", NESTED),
    ("to_json_string", NESTED),
    ("struct", NESTED),
    ("get_path", NESTED),
    ("decode_base64_utf8", "it is not written yet"),
    ("subtract_months", "timestamp_shift(t, 'P1M', -n) does the same"),
    ("bloom_filter", SKETCHES),
    ("bloom_filter_add", SKETCHES),
    ("bloom_filter_test", SKETCHES),
    ("hyper_unique", SKETCHES),
    ("hyper_unique_add", SKETCHES),
    ("hyper_unique_estimate", SKETCHES),
    ("hyper_unique_round_estimate", SKETCHES),
    ("complex_decode_base64", SKETCHES),
    ("decode_base64_complex", SKETCHES),
    ("array_quantile", "it is not written yet"),
    ("array_to_mv", "columns that take arrays take them as they are"),
    ("mv_harmonize_nulls", "arrays are never empty where they come from columns"),
    ("ipv6_match", "IPv6 addresses are not read yet"),
    ("ipv6_parse", "IPv6 addresses are not read yet"),
    ("ipv6_stringify", "IPv6 addresses are not read yet"),
    ("rand", "results depend on nothing but the row"),
    ("now", "results depend on nothing but the row"),
];

const LOOKUPS: &str = "there are no lookups";
const NESTED: &str = "there are no JSON values; flattenSpec takes fields out of nested input";
const SKETCHES: &str = "there are no sketch values in expressions";

/// The functions that take a lambda.
pub(crate) const APPLY: [&str; 4] = ["map", "filter", "any", "all"];

/// The names of all functions that expressions may call.
pub fn functions() -> impl Iterator<Item = &'static str> {
    TABLES.into_iter().flatten().map(|definition| definition.name).chain(APPLY)
}

/// Lowers a call.
pub(crate) fn lower(call: &Call) -> Result<Typed, ExpressionError> {
    let Some(definition) = TABLES.into_iter().flatten().find(|d| d.name.eq_ignore_ascii_case(call.name))
    else {
        return Err(unknown(call));
    };
    let count = call.arguments.len();
    if count < definition.arguments_min || count > definition.arguments_max {
        return Err(call.error(format!("takes {}, not {count}", counted(definition))));
    }
    if count > 0 && is_mathematics(definition) && call.arguments.iter().all(|a| a.ty == Type::Text) {
        return Ok(math::null());
    }
    match definition.rule {
        Rule::Double1(f) => math::double1(call, f),
        Rule::Double2(f) => math::double2(call, f),
        Rule::Lower(lower) => lower(call),
    }
}

/// Whether it computes on numbers and on nothing else.
fn is_mathematics(definition: &Definition) -> bool {
    [math::FUNCTIONS, bits::FUNCTIONS].into_iter().flatten().any(|other| other.name == definition.name)
}

fn counted(definition: &Definition) -> String {
    let (min, max) = (definition.arguments_min, definition.arguments_max);
    let plural = |n: usize| if n == 1 { "" } else { "s" };
    match max {
        0 => "no arguments".to_owned(),
        usize::MAX => format!("at least {min} argument{}", plural(min)),
        _ if min == max => format!("{min} argument{}", plural(min)),
        _ => format!("{min} to {max} arguments"),
    }
}

/// Whether there is a function of this name, lambdas aside.
pub(crate) fn is_defined(name: &str) -> bool {
    TABLES.into_iter().flatten().any(|definition| definition.name.eq_ignore_ascii_case(name))
}

/// Why `call` has no definition.
pub(crate) fn unknown(call: &Call) -> ExpressionError {
    let (name, at) = (call.name.to_owned(), call.at);
    if let Some((_, reason)) = UNSUPPORTED.iter().find(|(known, _)| known.eq_ignore_ascii_case(call.name)) {
        return ExpressionError::UnsupportedFunction { name, at, reason };
    }
    if APPLY.iter().any(|known| known.eq_ignore_ascii_case(call.name)) {
        return call.error("takes a lambda first, as in map((x) -> x + 1, numbers)");
    }
    let nearest = nearest(call.name, functions());
    ExpressionError::UnknownFunction { name, at, nearest }
}

/// The type of a double or long result of `arguments`: a long if all are.
fn numeric(arguments: &[Typed]) -> Type {
    if arguments.iter().all(|a| a.ty.is_integral()) { Type::Long } else { Type::Double }
}
