//! Strings as JSON and as CSV.
//!
//! Two things differ from what a JSON library writes, and both are on purpose:
//!
//! * A backslash is `\u005c`, never `\\`. pydruid cuts a result into rows without parsing it and takes the second
//!   quote of `"x\\"` for an escaped one, so that rows vanish; the longer form is equal JSON and reads right.
//! * Characters outside the basic plane are surrogate pairs (`\uD83D\uDE00`), as Druid writes them.

/// How a string is escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Escape {
    /// For the body of a response.
    Wire,
    /// For JSON that is itself the value of a string, such as a stringified array: plain JSON, which the
    /// surrounding string then escapes once more.
    Inner,
}

/// What a byte needs: nothing, a letter after a backslash, a hexadecimal escape, or a look at the whole character.
const PLAIN: u8 = 0;
const HEX: u8 = b'u';
const BACKSLASH: u8 = b'\\';
const WIDE: u8 = 1;

const fn classes() -> [u8; 256] {
    let mut table = [PLAIN; 256];
    let mut i = 0;
    while i < 0x20 {
        table[i] = HEX;
        i += 1;
    }
    table[0x08] = b'b';
    table[0x09] = b't';
    table[0x0a] = b'n';
    table[0x0c] = b'f';
    table[0x0d] = b'r';
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = BACKSLASH;
    let mut lead = 0xf0;
    while lead < 0xf8 {
        table[lead] = WIDE;
        lead += 1;
    }
    table
}

static CLASS: [u8; 256] = classes();
const HEX_DIGITS: &[u8; 16] = b"0123456789ABCDEF";

/// Appends `value` with its quotes.
pub(crate) fn write_string(out: &mut Vec<u8>, value: &str, escape: Escape) {
    let bytes = value.as_bytes();
    if is_plain(bytes) {
        return write_plain_string(out, value);
    }
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    let mut done = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        let class = CLASS[byte as usize];
        if class == PLAIN || (class == WIDE && escape == Escape::Inner) {
            continue;
        }
        out.extend_from_slice(&bytes[done..at]);
        done = at + write_escape(out, value, at, class, escape);
    }
    out.extend_from_slice(&bytes[done..]);
    out.push(b'"');
}

/// Whether no byte needs a look. Nearly every string is of this kind: bytes are looked at many at a time, without a
/// branch between them, so that most of a long result is copied and not walked through.
pub(crate) fn is_plain(bytes: &[u8]) -> bool {
    // `|` instead of `||`: the compiler makes one comparison of sixteen bytes of each.
    let looks = |byte: u8| {
        u8::from(byte < 0x20) | u8::from(byte == b'"') | u8::from(byte == b'\\') | u8::from(byte >= 0xf0)
    };
    let (blocks, rest) = bytes.as_chunks::<16>();
    let any = |bytes: &[u8]| bytes.iter().fold(0, |any, &byte| any | looks(byte)) != 0;
    !blocks.iter().any(|block| any(block)) && !any(rest)
}

/// Appends with its quotes a `value` of which [`is_plain`] is known.
pub(crate) fn write_plain_string(out: &mut Vec<u8>, value: &str) {
    out.reserve(value.len() + 2);
    out.push(b'"');
    out.extend_from_slice(value.as_bytes());
    out.push(b'"');
}

/// Writes what stands for the character at `at`; returns its length in `value`.
#[cold]
fn write_escape(out: &mut Vec<u8>, value: &str, at: usize, class: u8, escape: Escape) -> usize {
    match class {
        WIDE => {
            let Some(character) = value[at..].chars().next() else { return 0 };
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                write_unit(out, *unit);
            }
            return character.len_utf8();
        }
        HEX => write_unit(out, u16::from(value.as_bytes()[at])),
        BACKSLASH if escape == Escape::Wire => out.extend_from_slice(b"\\u005c"),
        letter => out.extend_from_slice(&[b'\\', letter]),
    }
    1
}

fn write_unit(out: &mut Vec<u8>, unit: u16) {
    out.extend_from_slice(b"\\u");
    for shift in [12, 8, 4, 0] {
        out.push(HEX_DIGITS[usize::from(unit >> shift) & 0xf]);
    }
}

/// Appends a CSV field: quoted only where a comma, a quote or a line break asks for it, quotes doubled.
pub(crate) fn write_csv_field(out: &mut Vec<u8>, value: &str) {
    let bytes = value.as_bytes();
    if !bytes.iter().any(|byte| matches!(byte, b',' | b'"' | b'\n' | b'\r')) {
        out.extend_from_slice(bytes);
        return;
    }
    out.push(b'"');
    for (i, run) in bytes.split(|byte| *byte == b'"').enumerate() {
        if i > 0 {
            out.extend_from_slice(b"\"\"");
        }
        out.extend_from_slice(run);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(value: &str) -> String {
        let mut out = Vec::new();
        write_string(&mut out, value, Escape::Wire);
        String::from_utf8(out).unwrap()
    }

    fn csv(value: &str) -> String {
        let mut out = Vec::new();
        write_csv_field(&mut out, value);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_backslash_is_never_written_as_itself() {
        assert_eq!(wire(r"ends with \"), r#""ends with \u005c""#);
        assert_eq!(wire(r#"\""#), r#""\u005c\"""#);
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(wire("\0\u{1f}\u{8}\t\n\u{c}\r\u{7f}"), "\"\\u0000\\u001F\\b\\t\\n\\f\\r\u{7f}\"");
    }

    #[test]
    fn accents_stay_and_emoji_become_surrogates_as_druid_writes_them() {
        assert_eq!(wire("ü 😀!"), r#""ü \uD83D\uDE00!""#);
    }

    #[test]
    fn inner_json_is_plain_json() {
        let mut out = Vec::new();
        write_string(&mut out, "\\ \" 😀", Escape::Inner);
        assert_eq!(out, r#""\\ \" 😀""#.as_bytes());
    }

    #[test]
    fn csv_fields_are_quoted_only_where_they_must_be() {
        assert_eq!(csv("a,b"), r#""a,b""#);
        assert_eq!(csv("q\"x"), r#""q""x""#);
        assert_eq!(csv("l1\nl2"), "\"l1\nl2\"");
        assert_eq!(csv("cr\r"), "\"cr\r\"");
        assert_eq!(csv(r"back\slash"), r"back\slash");
        assert_eq!(csv(""), "");
        assert_eq!(csv("\""), r#""""""#);
    }

    #[test]
    fn what_is_plain_has_no_byte_of_another_class_wherever_it_stands() {
        for byte in 0..=u8::MAX {
            for at in [0, 3, 15, 16, 20, 31, 32] {
                let mut text = [b'a'; 33];
                text[at] = byte;
                assert_eq!(
                    is_plain(&text),
                    CLASS[usize::from(byte)] == PLAIN && byte < 0xf8,
                    "{byte} at {at}"
                );
            }
        }
        assert!(is_plain(b""));
    }

    proptest::proptest! {
        #[test]
        fn every_string_reads_back(value in "\\PC*|[\\x00-\\x7f\u{10000}-\u{10ffff}\\\\\"]*") {
            let text = wire(&value);
            proptest::prop_assert!(!text.contains("\\\\"));
            proptest::prop_assert_eq!(&serde_json::from_str::<String>(&text).unwrap(), &value);
        }
    }
}
