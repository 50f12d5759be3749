//! The states of a supervisor, under Druid's names.

use std::collections::VecDeque;

use ovate_storage::time::format_instant;
use serde::{Serialize, Serializer};

/// What a supervisor is doing, in detail. Druid's names; those from `OffsetsOutOfRange` on are of this implementation, as Druid's
/// documentation allows for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DetailedState {
    /// It has not reached its brokers yet.
    #[default]
    Pending,
    /// It has reached them and waits for the topic.
    ConnectingToStream,
    /// It reads.
    Running,
    /// It reads, and there has been nothing to read for a while.
    Idle,
    /// It is suspended.
    Suspended,
    /// It publishes what it has, to end then.
    Stopping,
    /// It has never reached its brokers, for too long.
    UnableToConnectToStream,
    /// It has lost its brokers, for too long.
    LostContactWithStream,
    /// Kafka does not have the offsets to go on from, and the policy is to stop.
    OffsetsOutOfRange,
    /// The topic or the cluster is not the one whose offsets are stored, and the policy is to stop.
    StreamIdentityChanged,
    /// It reads while memory lasts, and publishes again and again: there is no room, or files cannot be made.
    PublishDelayed,
    /// Rows could not be published, and it is not known what is on disk.
    PublishFailed,
    /// The stored specification is not accepted by this release, or its datasource could not be declared.
    InvalidSpec,
    /// The store does not take its rows, or its thread has ended, by an error of this program.
    InternalError,
}

impl DetailedState {
    /// The state that every kind of supervisor has.
    pub fn state(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::ConnectingToStream | Self::Running => "RUNNING",
            Self::Idle => "IDLE",
            Self::Suspended => "SUSPENDED",
            Self::Stopping => "STOPPING",
            _ => "UNHEALTHY_SUPERVISOR",
        }
    }

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::ConnectingToStream => "CONNECTING_TO_STREAM",
            Self::Running => "RUNNING",
            Self::Idle => "IDLE",
            Self::Suspended => "SUSPENDED",
            Self::Stopping => "STOPPING",
            Self::UnableToConnectToStream => "UNABLE_TO_CONNECT_TO_STREAM",
            Self::LostContactWithStream => "LOST_CONTACT_WITH_STREAM",
            Self::OffsetsOutOfRange => "OFFSETS_OUT_OF_RANGE",
            Self::StreamIdentityChanged => "STREAM_IDENTITY_CHANGED",
            Self::PublishDelayed => "PUBLISH_DELAYED",
            Self::PublishFailed => "PUBLISH_FAILED",
            Self::InvalidSpec => "INVALID_SPEC",
            Self::InternalError => "INTERNAL_ERROR",
        }
    }

    /// Whether Druid would call it healthy.
    pub fn is_healthy(self) -> bool {
        self.state() != "UNHEALTHY_SUPERVISOR"
    }
}

/// Something that went wrong, as the status lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RecentError {
    /// When, last.
    #[serde(serialize_with = "instant")]
    pub timestamp: i64,
    /// The kind of error.
    pub exception_class: &'static str,
    /// What happened.
    pub message: String,
    /// Whether the stream is at fault, not this side.
    pub stream_exception: bool,
}

/// Milliseconds as Druid writes instants.
#[allow(clippy::trivially_copy_pass_by_ref)] // serde gives a reference
pub(crate) fn instant<S: Serializer>(ms: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format_instant(*ms))
}

/// The last few errors. The same error again only changes the time of the last one.
#[derive(Debug, Clone, Default)]
pub(crate) struct RecentErrors(VecDeque<RecentError>);

impl RecentErrors {
    const KEPT: usize = 20;

    pub(crate) fn push(&mut self, error: RecentError) {
        if let Some(last) = self.0.back_mut()
            && (last.exception_class, &last.message) == (error.exception_class, &error.message)
        {
            last.timestamp = error.timestamp;
            return;
        }
        if self.0.len() == Self::KEPT {
            self.0.pop_front();
        }
        self.0.push_back(error);
    }

    pub(crate) fn to_vec(&self) -> Vec<RecentError> {
        self.0.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(timestamp: i64, message: &str) -> RecentError {
        RecentError { timestamp, exception_class: "X", message: message.to_owned(), stream_exception: true }
    }

    #[test]
    fn an_error_that_repeats_is_listed_once_with_its_last_time() {
        let mut errors = RecentErrors::default();
        errors.push(error(1, "a"));
        errors.push(error(2, "a"));
        errors.push(error(3, "b"));
        assert_eq!(errors.to_vec(), [error(2, "a"), error(3, "b")]);
    }

    #[test]
    fn only_the_last_errors_are_kept() {
        let mut errors = RecentErrors::default();
        for at in 0..100 {
            errors.push(error(at, &at.to_string()));
        }
        assert_eq!(errors.to_vec().len(), RecentErrors::KEPT);
        assert_eq!(errors.to_vec()[0].timestamp, 80);
    }

    #[test]
    fn states_have_one_name_in_json_and_in_rows() {
        for state in
            [DetailedState::UnableToConnectToStream, DetailedState::Running, DetailedState::InvalidSpec]
        {
            assert_eq!(serde_json::to_value(state).unwrap(), state.name());
        }
        assert!(DetailedState::ConnectingToStream.is_healthy());
        assert!(!DetailedState::LostContactWithStream.is_healthy());
    }
}
