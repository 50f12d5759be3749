//! Bad input that is kept: one case a line, so that thousands of them are read as one list.
//!
//! A line is a JSON list: what is bad about the case, what the test compares with, and at last the input. An input is
//! a text, or a list of pieces that are put together: a text, `[text, times]` for a text that repeats, and
//! `{"hex": "…"}` for bytes. Each file says in its first line what its columns are.

use serde_json::Value;

/// One case.
#[derive(Debug)]
#[allow(dead_code)] // Where inputs are only changed at random, nobody asks what was wrong with them.
pub(crate) struct Case {
    /// Its line in the file, from 1.
    pub(crate) line: usize,
    /// What stands before the input.
    pub(crate) columns: Vec<String>,
    /// The input, as it stands in the file.
    pub(crate) input: Value,
}

impl Case {
    /// The input's bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        match &self.input {
            Value::Array(pieces) => pieces.iter().flat_map(piece).collect(),
            whole => piece(whole),
        }
    }
}

fn piece(value: &Value) -> Vec<u8> {
    match value {
        Value::String(text) => text.as_bytes().to_vec(),
        Value::Array(repeated) => {
            let times = repeated[1].as_u64().expect("a number of times");
            piece(&repeated[0]).repeat(usize::try_from(times).expect("fits"))
        }
        Value::Object(encoded) => {
            let hex = encoded["hex"].as_str().expect("hexadecimal digits");
            let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("two digits");
            (0..hex.len()).step_by(2).map(byte).collect()
        }
        other => panic!("{other} is no piece of an input"),
    }
}

/// All cases of a file.
pub(crate) fn cases(text: &str) -> Vec<Case> {
    let lines = text.lines().enumerate().skip(1);
    lines
        .map(|(at, line)| {
            let mut values: Vec<Value> =
                serde_json::from_str(line).unwrap_or_else(|e| panic!("line {}: {e}", at + 1));
            let input = values.pop().expect("an input");
            let columns = values.iter().map(|v| v.as_str().expect("a text").to_owned()).collect();
            Case { line: at + 1, columns, input }
        })
        .collect()
}
