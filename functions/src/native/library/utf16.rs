//! Positions and lengths in UTF-16 code units, in which Java counts.
//!
//! ASCII text, which nearly all is, is cut directly. A cut through a surrogate pair leaves U+FFFD, where Java leaves
//! half a character that no encoder can write.

/// The length of `text`.
pub(crate) fn length(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.encode_utf16().count() }
}

/// The part from `start` to `end`, both clamped to the text.
pub(crate) fn slice(text: &str, start: usize, end: usize) -> String {
    if text.is_ascii() {
        let end = end.min(text.len());
        return text.get(start.min(end)..end).unwrap_or_default().to_owned();
    }
    let units: Vec<u16> = text.encode_utf16().skip(start).take(end.saturating_sub(start)).collect();
    String::from_utf16_lossy(&units)
}

/// Where `needle` first stands at or after `from`.
pub(crate) fn find(text: &str, needle: &str, from: usize) -> Option<usize> {
    let start = if text.is_ascii() { from.min(text.len()) } else { byte_of(text, from) };
    let at = start + text.get(start..)?.find(needle)?;
    Some(length(&text[..at]))
}

/// The byte at which unit `at` begins, or the end.
fn byte_of(text: &str, at: usize) -> usize {
    let mut units = 0;
    for (byte, c) in text.char_indices() {
        if units >= at {
            return byte;
        }
        units += c.len_utf16();
    }
    text.len()
}
