//! What can be set for all supervisors of a process.

use std::time::Duration;

use crate::pipeline::Limits;

/// What to do when Kafka does not have the offset to go on from: retention was faster, or the topic is another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OffsetPolicy {
    /// Stop reading and say so. Somebody has to decide: reset the supervisor, or set its offsets.
    #[default]
    Fail,
    /// Go on at the earliest message there is, and count the gap.
    Earliest,
    /// Go on at the end, and count the gap.
    Latest,
}

/// Settings of all supervisors.
#[derive(Debug, Clone)]
pub struct IngestOptions {
    /// Bootstrap servers to replace, as `host:port` pairs: what specifications name, and what to contact instead.
    /// Brokers are then reached under the names that they advertise.
    pub broker_map: Vec<(String, String)>,
    /// Memory that unpublished rows of one datasource may take. At half of it they are published; at all of it
    /// reading waits.
    pub hot_bytes_max: usize,
    /// What a message may ask for.
    pub limits: Limits,
    /// What to do about offsets that Kafka does not have. `tuningConfig.resetOffsetAutomatically` of a
    /// specification comes first.
    pub offset_policy: OffsetPolicy,
    /// A time chunk that has ended is published once nothing has arrived for this long.
    pub quiet: Duration,
    /// A supervisor that cannot reach its brokers counts as unhealthy after this long.
    pub unhealthy_after: Duration,
    /// Bad rows kept for inspection, per supervisor, unless the specification asks for more.
    pub parse_errors_max: usize,
    /// Host and port that tasks are reported to run at.
    pub location: (String, u16),
}

impl Default for IngestOptions {
    fn default() -> Self {
        Self {
            broker_map: Vec::new(),
            hot_bytes_max: 1 << 30,
            limits: Limits::default(),
            offset_policy: OffsetPolicy::Fail,
            quiet: Duration::from_mins(1),
            unhealthy_after: Duration::from_secs(10),
            parse_errors_max: 100,
            location: ("127.0.0.1".to_owned(), 8888),
        }
    }
}
