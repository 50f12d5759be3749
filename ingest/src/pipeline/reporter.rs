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
    /// All messages of the call.
    pub(super) messages: &'m [Message<'m>],
    /// Which of them is at hand.
    pub(super) at: usize,
}

impl<'m> Reporter<'m> {
    pub(super) fn new(limits: Limits, messages: &'m [Message<'m>]) -> Self {
        Self { limits, decoded: Decoded::default(), messages, at: 0 }
    }

    /// Adds what was said about later messages.
    pub(super) fn add(&mut self, later: Decoded) {
        self.decoded.counts += later.counts;
        let room = self.limits.samples_max.saturating_sub(self.decoded.rejected.len());
        self.decoded.rejected.extend(later.rejected.into_iter().take(room));
    }

    /// Refuses a row of the message at hand.
    pub(super) fn reject(&mut self, reason: RejectReason, detail: impl FnOnce() -> String) {
        self.decoded.counts.add(reason);
        self.sample(reason, self.at as u32, detail);
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
