//! How much one message may ask for, and a look at its outline before it is parsed. Refusals name the setting.

use super::report::RejectReason;

/// Limits of the pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a message. At most 16 MiB.
    pub message_bytes_max: usize,
    /// Nested objects and lists. At most 120, which is where the parser itself stops.
    pub depth_max: usize,
    /// Fields of one object at the top of a message, those of nested objects included.
    pub fields_max: usize,
    /// Columns of a datasource up to which discovery adds some.
    pub columns_max: usize,
    /// Samples of faults that one call gives back.
    pub samples_max: usize,
    /// Bytes of a message that a sample shows.
    pub sample_bytes_max: usize,
    /// Distinct values, and bytes of them, for which a transform keeps its results.
    pub distinct_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes_max: 1 << 20,
            depth_max: 64,
            fields_max: 10_000,
            columns_max: 1_000,
            samples_max: 16,
            sample_bytes_max: 1_024,
            distinct_max: 64 << 10,
        }
    }
}

/// Spans of text carry their length in so many bits.
const LENGTH_BITS: u32 = 24;

impl Limits {
    /// These limits, none above what the pipeline can do.
    pub(super) fn clamped(self) -> Self {
        Self {
            message_bytes_max: self.message_bytes_max.min((1 << LENGTH_BITS) - 1),
            depth_max: self.depth_max.min(120),
            ..self
        }
    }

    /// Refuses a message whose outline exceeds the limits. Bytes are counted first, which is fast and settles
    /// nearly all; only a message with many brackets or colons is walked.
    pub(super) fn check(&self, text: &str) -> Result<(), (RejectReason, String)> {
        let bytes = text.as_bytes();
        let count = |of: fn(u8) -> bool| bytes.iter().filter(|b| of(**b)).count();
        let shallow = count(|b| matches!(b, b'{' | b'[')) <= self.depth_max;
        let few = count(|b| b == b':') <= self.fields_max;
        if shallow && few { Ok(()) } else { self.walk(bytes) }
    }

    #[cold]
    fn walk(&self, bytes: &[u8]) -> Result<(), (RejectReason, String)> {
        let (mut depth, mut fields, mut in_string, mut escaped) = (0usize, 0usize, false, false);
        for byte in bytes {
            if in_string {
                match byte {
                    _ if escaped => escaped = false,
                    b'\\' => escaped = true,
                    b'"' => in_string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => in_string = true,
                b'{' | b'[' => {
                    if depth == 0 {
                        fields = 0;
                    }
                    depth += 1;
                    if depth > self.depth_max {
                        let detail = format!(
                            "objects and lists are nested deeper than message_depth_max ({})",
                            self.depth_max
                        );
                        return Err((RejectReason::TooDeep, detail));
                    }
                }
                b'}' | b']' => depth = depth.saturating_sub(1),
                b':' => {
                    fields += 1;
                    if fields > self.fields_max {
                        let detail = format!(
                            "the object has more fields than message_fields_max ({})",
                            self.fields_max
                        );
                        return Err((RejectReason::TooManyFields, detail));
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(limits: Limits, text: &str) -> Option<RejectReason> {
        limits.check(text).err().map(|(reason, _)| reason)
    }

    #[test]
    fn depth_counts_brackets_outside_of_strings_only() {
        let limits = Limits { depth_max: 3, ..Limits::default() };
        assert_eq!(reason(limits, r#"{"a":[[1]]}"#), None);
        assert_eq!(reason(limits, r#"{"a":[[[1]]]}"#), Some(RejectReason::TooDeep));
        assert_eq!(reason(limits, r#"{"a":"[[[[[","b\"[[[":1}"#), None);
        assert_eq!(reason(limits, r#"{"a":[],"b":[],"c":[],"d":[]}"#), None);
    }

    #[test]
    fn fields_count_per_object_at_the_top() {
        let limits = Limits { fields_max: 2, ..Limits::default() };
        assert_eq!(reason(limits, r#"{"a":1,"b":2}{"a":1,"b":2}"#), None);
        assert_eq!(reason(limits, r#"{"a":1,"b":{"c":2}}"#), Some(RejectReason::TooManyFields));
        assert_eq!(reason(limits, r#"{"a":"::::::"}"#), None);
    }
}
