//! One topic, read by assignment: partitions and offsets in, batches of messages out.
//!
//! Blocking calls take a timeout of their own; all of them run on the supervisor's thread, and only before reading
//! starts or at the supervisor's period.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ovate_storage::StreamIdentity;
use rdkafka::config::{ClientConfig, FromClientConfigAndContext};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::metadata::{MetadataBroker, MetadataPartition};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::contact::{Contact, Sighting};
use super::topic_id::{Answer, topic_id};

/// Where a partition begins and ends: the first offset that is kept, and the one after the last message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Watermarks {
    pub(crate) low: i64,
    pub(crate) high: i64,
}

/// What goes wrong with a stream.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum StreamError {
    /// The brokers do not know the topic.
    #[error("topic {0} does not exist")]
    TopicMissing(String),
    /// Kafka no longer has an offset that is to be read, or never had it.
    #[error("an offset of topic {0} is out of range")]
    OutOfRange(String),
    /// Anything else: no broker answers, no permission, a protocol error. After a fatal one a consumer is of no use.
    #[error("{action}: {reason}")]
    Kafka { action: &'static str, reason: String, fatal: bool },
}

/// A batch, and the error that ended it, if one did.
#[derive(Debug, Default)]
pub(crate) struct Polled<'a> {
    pub(crate) messages: Vec<BorrowedMessage<'a>>,
    pub(crate) error: Option<StreamError>,
}

/// How large a batch may grow, and for how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BatchLimits {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
    pub(crate) linger: Duration,
}

/// Whether an error came with a reason of its own: without one, the brokers may just be slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Explained {
    Yes,
    No,
}

/// Events looked at for the reason of an error.
const EVENTS_MAX: usize = 64;

/// A consumer of one topic.
pub(crate) struct Stream {
    consumer: BaseConsumer<Contact>,
    topic: String,
    /// A broker that was there when metadata came last.
    broker: Cell<Option<i32>>,
}

impl Stream {
    /// Makes the consumer. Brokers are contacted in the background.
    pub(crate) fn open(config: &ClientConfig, topic: &str) -> Result<Self, StreamError> {
        let consumer = BaseConsumer::from_config_and_context(config, Contact::new(topic))
            .map_err(|error| kafka("cannot make a consumer", &error, None))?;
        Ok(Self { consumer, topic: topic.to_owned(), broker: Cell::new(None) })
    }

    /// The partitions of the topic as the brokers know them now.
    pub(crate) fn partitions(&self, timeout: Duration) -> Result<Vec<i32>, StreamError> {
        let metadata = self
            .consumer
            .fetch_metadata(Some(&self.topic), timeout)
            .map_err(|error| self.failed("cannot reach the brokers", &error))?;
        self.broker.set(metadata.brokers().first().map(MetadataBroker::id));
        let missing = || StreamError::TopicMissing(self.topic.clone());
        let topic = metadata.topics().iter().find(|topic| topic.name() == self.topic).ok_or_else(missing)?;
        match topic.error().map(RDKafkaErrorCode::from) {
            None | Some(RDKafkaErrorCode::LeaderNotAvailable) => {}
            Some(code) if means_missing(code) => return Err(missing()),
            Some(code) => {
                return Err(self.failed("cannot look up the topic", &KafkaError::MetadataFetch(code)));
            }
        }
        let mut partitions: Vec<i32> = topic.partitions().iter().map(MetadataPartition::id).collect();
        partitions.sort_unstable();
        if partitions.is_empty() { Err(missing()) } else { Ok(partitions) }
    }

    /// The same error with the reason that waits among the events, if one does, which says more than a timeout does.
    /// Only before partitions are assigned: messages among the events would be lost.
    pub(crate) fn explain(&self, error: StreamError) -> (StreamError, Explained) {
        for _ in 0..EVENTS_MAX {
            let _ = self.consumer.poll(Duration::ZERO);
        }
        match (error, self.consumer.context().take_reason()) {
            (StreamError::Kafka { action, fatal, .. }, Some(reason)) => {
                (StreamError::Kafka { action, reason, fatal }, Explained::Yes)
            }
            (error, _) => (error, Explained::No),
        }
    }

    /// Which stream this is, as far as the brokers have ids; an error if they do not answer in time.
    pub(crate) fn identity(&self, timeout: Duration) -> Result<StreamIdentity, StreamError> {
        let client = self.consumer.client();
        let answer = self.broker.get().map(|broker| topic_id(client, broker, &self.topic, timeout));
        let Some(Answer::Told(topic_id)) = answer else {
            return Err(StreamError::Kafka {
                action: "cannot ask for the topic's id",
                reason: "no answer in time".into(),
                fatal: false,
            });
        };
        Ok(StreamIdentity {
            cluster_id: client.fetch_cluster_id(timeout),
            topic_ids: topic_id.map(|id| (self.topic.clone(), id)).into_iter().collect(),
        })
    }

    /// Where a partition begins and ends.
    pub(crate) fn watermarks(&self, partition: i32, timeout: Duration) -> Result<Watermarks, StreamError> {
        match self.consumer.fetch_watermarks(&self.topic, partition, timeout) {
            Ok((low, high)) => Ok(Watermarks { low, high }),
            Err(KafkaError::MetadataFetch(code)) if means_missing(code) => {
                Err(StreamError::TopicMissing(self.topic.clone()))
            }
            Err(error) => Err(self.failed("cannot look up offsets", &error)),
        }
    }

    /// Reads these partitions from these offsets, and no others. What was fetched before and not polled is dropped.
    pub(crate) fn assign(&self, offsets: &BTreeMap<i32, i64>) -> Result<(), StreamError> {
        let mut list = TopicPartitionList::with_capacity(offsets.len());
        for (partition, offset) in offsets {
            list.add_partition_offset(&self.topic, *partition, Offset::Offset(*offset))
                .map_err(|error| self.failed("cannot assign partitions", &error))?;
        }
        self.consumer.assign(&list).map_err(|error| self.failed("cannot assign partitions", &error))
    }

    /// Fetches nothing for a while, or goes on where it was. Meanwhile [`Self::poll`] serves what librdkafka tells.
    pub(crate) fn pause(&self, pause: bool) -> Result<(), StreamError> {
        let set = self
            .consumer
            .assignment()
            .and_then(|all| if pause { self.consumer.pause(&all) } else { self.consumer.resume(&all) });
        set.map_err(|error| self.failed("cannot pause reading", &error))
    }

    /// Waits for a first message, then takes what is there, up to the limits.
    pub(crate) fn poll(&self, wait: Duration, limits: BatchLimits) -> Polled<'_> {
        let mut polled = Polled::default();
        let mut bytes = 0;
        let mut deadline = None;
        let mut wait = wait;
        while polled.messages.len() < limits.messages && bytes < limits.bytes {
            match self.consumer.poll(wait) {
                None => break,
                Some(Ok(message)) => {
                    bytes += message.payload_len();
                    polled.messages.push(message);
                }
                Some(Err(error)) => {
                    polled.error = Some(self.consumption_error(&error));
                    break;
                }
            }
            wait = Duration::ZERO;
            // The clock is asked now and then: it costs as much as a message.
            if polled.messages.len() % 64 == 1 {
                let now = Instant::now();
                if now > *deadline.get_or_insert(now + limits.linger) {
                    break;
                }
            }
        }
        polled
    }

    /// The next offset of every assigned partition, given that everything polled so far has been dealt with. Moves
    /// on over control records and aborted transactions too, of which no message tells.
    pub(crate) fn positions(&self) -> BTreeMap<i32, i64> {
        let Ok(list) = self.consumer.position() else { return BTreeMap::new() };
        list.elements()
            .iter()
            .filter_map(|element| match element.offset() {
                Offset::Offset(offset) => Some((element.partition(), offset)),
                _ => None,
            })
            .collect()
    }

    /// What librdkafka's statistics said last.
    pub(crate) fn sighting(&self) -> Sighting {
        self.consumer.context().sighting()
    }

    fn consumption_error(&self, error: &KafkaError) -> StreamError {
        let code = match error {
            KafkaError::MessageConsumption(code) | KafkaError::MessageConsumptionFatal(code) => *code,
            _ => return self.failed("cannot read", error),
        };
        match code {
            RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange => {
                StreamError::OutOfRange(self.topic.clone())
            }
            code if means_missing(code) => StreamError::TopicMissing(self.topic.clone()),
            // librdkafka says so once and asks on in silence; a new consumer is told again.
            RDKafkaErrorCode::TopicAuthorizationFailed => StreamError::Kafka {
                action: "cannot read",
                reason: format!("the brokers do not let this client read topic {}", self.topic),
                fatal: true,
            },
            _ => self.failed("cannot read", error),
        }
    }

    fn failed(&self, action: &'static str, error: &KafkaError) -> StreamError {
        kafka(action, error, self.consumer.context().take_reason())
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").field("topic", &self.topic).finish_non_exhaustive()
    }
}

fn means_missing(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::UnknownTopicOrPartition
            | RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::UnknownPartition
            | RDKafkaErrorCode::UnknownTopicId
    )
}

fn kafka(action: &'static str, error: &KafkaError, reason: Option<String>) -> StreamError {
    let fatal = matches!(error, KafkaError::MessageConsumptionFatal(_) | KafkaError::ClientCreation(_));
    StreamError::Kafka { action, reason: reason.unwrap_or_else(|| error.to_string()), fatal }
}
