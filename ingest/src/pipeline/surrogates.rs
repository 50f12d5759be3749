//! Half characters: `\ud83d` without its other half. JSON allows them, Unicode text does not.

use std::borrow::Cow;

/// `text` with a `?` in place of every escaped surrogate that stands alone, which is what Druid makes of it.
pub(crate) fn repair(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    if !bytes.contains(&b'\\') {
        return Cow::Borrowed(text);
    }
    let mut repaired = String::new();
    let mut copied = 0;
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] != b'\\' {
            at += 1;
            continue;
        }
        match unit(bytes, at) {
            Some(0xD800..=0xDBFF) if matches!(unit(bytes, at + 6), Some(0xDC00..=0xDFFF)) => at += 12,
            Some(0xD800..=0xDFFF) => {
                repaired.push_str(text.get(copied..at).unwrap_or_default());
                repaired.push('?');
                at += 6;
                copied = at;
            }
            Some(_) => at += 6,
            // Another escape: the character after the backslash does not begin one.
            None => at += 2,
        }
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    repaired.push_str(text.get(copied..).unwrap_or_default());
    Cow::Owned(repaired)
}

/// The code unit of `\uXXXX` at `at`.
fn unit(bytes: &[u8], at: usize) -> Option<u32> {
    let escape = bytes.get(at..at + 6)?;
    let digits = escape.strip_prefix(b"\\u")?;
    digits.iter().try_fold(0, |unit, digit| Some(unit * 16 + char::from(*digit).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_surrogates_that_stand_alone_are_replaced() {
        for (text, expected) in [
            (r#"{"a":"plain"}"#, r#"{"a":"plain"}"#),
            (r#""\ud83d\ude00""#, r#""\ud83d\ude00""#),
            (r#""\ud83d""#, r#""?""#),
            (r#""\ude00x""#, r#""?x""#),
            (r#""\ud83d\ud83d\ude00""#, r#""?\ud83d\ude00""#),
            (r#""\\ud83d""#, r#""\\ud83d""#),
            (r#""\\\ud83d""#, r#""\\?""#),
            (r#""é\uD800é\n""#, r#""é?é\n""#),
            (r#""\u00e9\ud8"#, r#""\u00e9\ud8"#),
            ("\\", "\\"),
        ] {
            assert_eq!(repair(text), expected, "{text}");
        }
    }
}
