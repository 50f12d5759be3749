//! A bounded sample of rows that could not be taken, for whoever has to find out why.

use std::collections::VecDeque;

use serde::Serialize;

/// A bad row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ParseError {
    /// The message as far as it is kept.
    pub input: String,
    /// `unparseable` where the row was dropped, `processedWithError` where a value was.
    pub error_type: &'static str,
    /// What is wrong.
    pub details: Vec<String>,
    /// When it was read.
    pub time_of_exception_millis: i64,
    /// The kind of fault, as counted in the metrics.
    pub reason: String,
    /// Kafka's partition.
    pub partition: i32,
    /// Kafka's offset.
    pub offset: i64,
}

/// The last bad rows.
#[derive(Debug, Default)]
pub(crate) struct ParseErrors {
    kept_max: usize,
    kept: VecDeque<ParseError>,
}

/// Bytes kept of one message.
pub(crate) const INPUT_BYTES_MAX: usize = 4096;
/// Bytes kept of one explanation.
const DETAIL_BYTES_MAX: usize = 1024;

impl ParseErrors {
    pub(crate) fn keep_at_most(&mut self, kept_max: usize) {
        self.kept_max = kept_max;
        while self.kept.len() > kept_max {
            self.kept.pop_front();
        }
    }

    pub(crate) fn push(&mut self, mut error: ParseError) {
        if self.kept_max == 0 {
            return;
        }
        shorten(&mut error.input, INPUT_BYTES_MAX);
        error.details.iter_mut().for_each(|detail| shorten(detail, DETAIL_BYTES_MAX));
        if self.kept.len() == self.kept_max {
            self.kept.pop_front();
        }
        self.kept.push_back(error);
    }

    /// Newest first.
    pub(crate) fn to_vec(&self) -> Vec<ParseError> {
        self.kept.iter().rev().cloned().collect()
    }
}

fn shorten(text: &mut String, bytes_max: usize) {
    if text.len() > bytes_max {
        let cut = (0..=bytes_max).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
        text.truncate(cut);
        text.push('…');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(offset: i64, input: &str) -> ParseError {
        ParseError {
            input: input.to_owned(),
            error_type: "unparseable",
            details: vec!["d".repeat(5000)],
            time_of_exception_millis: 0,
            reason: "json".into(),
            partition: 0,
            offset,
        }
    }

    #[test]
    fn the_newest_are_kept_and_come_first() {
        let mut errors = ParseErrors::default();
        errors.keep_at_most(2);
        for offset in 0..5 {
            errors.push(error(offset, "x"));
        }
        assert_eq!(errors.to_vec().iter().map(|e| e.offset).collect::<Vec<_>>(), [4, 3]);
        errors.keep_at_most(1);
        assert_eq!(errors.to_vec().len(), 1);
    }

    #[test]
    fn long_input_is_cut_between_characters() {
        let mut errors = ParseErrors::default();
        errors.keep_at_most(1);
        errors.push(error(0, &"é".repeat(4096)));
        let kept = errors.to_vec().remove(0);
        assert!(kept.input.len() <= INPUT_BYTES_MAX + '…'.len_utf8() && kept.input.ends_with('…'));
        assert!(kept.details[0].len() <= DETAIL_BYTES_MAX + '…'.len_utf8());
    }
}
