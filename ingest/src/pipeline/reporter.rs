//! Collects counts and samples while messages are decoded.

use super::Limits;
use super::convert::text as text_of;
use super::report::{Decoded, Message, RejectReason, Rejected};
use super::value::Value;

/// A value as a message shows it.
pub(super) fn show(value: Value<'_>) -> String {
    let mut buffer = String::new();
    match (value, text_of(value, &mut buffer)) {
        (_, None) => "null".to_owned(),
        (Value::Text(_), Some(text)) => shorten(&format!("{text:?}"), 100),
        (_, Some(text)) => shorten(text, 100),
    }
}

fn shorten(text: &str, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    let end = (0..=bytes_max).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}…", &text[..end])
}

/// Collects what is to be said about the messages of one call.
pub(super) struct Reporter<'m> {
    pub(super) limits: Limits,
    pub(super) decoded: Decoded,
    pub(super) messages: Vec<Message<'m>>,
}

impl Reporter<'_> {
    /// Refuses a row of the message at hand.
    pub(super) fn reject(&mut self, reason: RejectReason, detail: impl FnOnce() -> String) {
        self.decoded.counts.add(reason);
        let at = self.messages.len() as u32 - 1;
        self.sample(reason, at, detail);
    }

    /// Keeps a sample, if there is room.
    pub(super) fn sample(&mut self, reason: RejectReason, origin: u32, detail: impl FnOnce() -> String) {
        if self.decoded.rejected.len() >= self.limits.samples_max {
            return;
        }
        let Some(message) = self.messages.get(origin as usize) else { return };
        let bytes = message.payload.unwrap_or_default();
        let shown = &bytes[..bytes.len().min(self.limits.sample_bytes_max + 4)];
        self.decoded.rejected.push(Rejected {
            reason,
            detail: detail(),
            input: shorten(&String::from_utf8_lossy(shown), self.limits.sample_bytes_max),
            partition: message.partition,
            offset: message.offset,
        });
    }
}
