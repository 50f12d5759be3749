//! A native expression: refused, or evaluated to a value of its type.

#![allow(unreachable_pub)] // Shared with tests.

use arrow::array::{Array, RecordBatch};
use ovate_functions::native::CompiledExpr;

use crate::fuzz::Target;
use crate::row::row;

pub const KEPT: [&str; 24] = [
    "regexp_extract(deviceLocation, '^([^,]+),', 1)",
    "cast(regexp_extract(deviceLocation, ',(.*)$', 1), 'double') * 2",
    "concat(s, '-', \"payload.location.city\", emoji)",
    "if(l > 5 && neg < 0 || !(d == 2.5), 'a', nvl(none, 'b'))",
    "case_searched(l == 5, 1, l == 6, 2, 3) + -neg ^ 2 % 7",
    "timestamp_floor(__time, 'PT1H', null, 'Europe/Zurich')",
    "timestamp_format(__time, 'yyyy-MM-dd', 'UTC')",
    "timestamp_parse('2024-01-01', 'yyyy-MM-dd')",
    "timestamp_shift(__time, 'P1M', -3)",
    "timestamp_extract(__time, 'EPOCH')",
    "map((x) -> concat(x, '!'), tags)",
    "filter((x) -> x > 1, numbers)",
    "array_contains(tags, 'a') && array_length(numbers) == 2",
    "array_to_string(array_append(tags, s), ',')",
    "string_to_array('a,b,c', ',')",
    "substring(emoji, 1, 2)",
    "format('%s-%05d-%.2f', s, l, d)",
    "lpad(s, 10, '*')",
    "parse_long('ff', 16)",
    "bitwiseAnd(l, 3) + div(neg, 2) + round(d, 1) + sqrt(l)",
    "human_readable_binary_byte_format(1234567, 2)",
    "ipv4_match('10.0.0.1', '10.0.0.0/8')",
    "like(s, 'h%') || regexp_like(s, '^h') || contains_string(s, 'ell')",
    "[1, 2, 3] == numbers",
];
/// See the module.
#[derive(Debug)]
pub struct Expressions {
    row: RecordBatch,
    /// Those that mean something.
    pub compiled: usize,
}

impl Target for Expressions {
    const NAME: &'static str = "native expression";
    const WORDS: &'static [&'static str] = &[
        "(",
        ")",
        ",",
        "->",
        "&&",
        "||",
        "!",
        "-",
        "^",
        "'",
        "\"",
        "[",
        "]",
        "null",
        "l",
        "s",
        "tags",
        "numbers",
        "__time",
        "1e308",
        "9223372036854775807",
        "'PT0S'",
    ];

    fn kept() -> Vec<Vec<u8>> {
        KEPT.iter().map(|text| text.as_bytes().to_vec()).collect()
    }

    fn new() -> Self {
        Self { row: row(), compiled: 0 }
    }

    fn run(&mut self, input: &[u8]) {
        let text = String::from_utf8_lossy(input);
        let Ok(compiled) = CompiledExpr::compile(&text, &self.row.schema()) else { return };
        self.compiled += 1;
        if let Ok(values) = compiled.evaluate(&self.row) {
            assert_eq!((values.len(), values.data_type()), (1, compiled.data_type()));
        }
    }
}
